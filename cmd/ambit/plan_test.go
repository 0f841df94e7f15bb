package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"ambit/hook"
)

func TestPrintableWhole(t *testing.T) {
	long := strings.Repeat("é漢x", 400)
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"plain", "plain"},
		{long, long},
		{strings.Repeat("\x1b", 300), strings.Repeat(`\x1b`, 300)},
		{strings.Repeat("\x80", 300), strings.Repeat(`\x80`, 300)},
		{strings.Repeat("a", 63) + "é", strings.Repeat("a", 63) + "é"},
		{"a\nb\u202ec", `a\x0ab\u{202e}c`},
	} {
		got := printableWhole(test.in)
		if got != test.want {
			t.Errorf("%q became %q, wanted %q", test.in, got, test.want)
		}
		if !utf8.ValidString(got) {
			t.Errorf("%q became invalid UTF-8", test.in)
		}
	}
}

func FuzzPrintableWhole(f *testing.F) {
	f.Add("a\x1b[31m\u202e漢\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := printableWhole(s)
		if strings.ContainsAny(got, "\x1b\n\r\x7f\u202e\u009b") || !utf8.ValidString(got) {
			t.Errorf("%q became %q", s, got)
		}
		if len(got) < len(s) {
			t.Errorf("%q was cut to %q", s, got)
		}
	})
}

func TestMovedByComponent(t *testing.T) {
	for _, test := range []struct{ path, want string }{
		{"/w/a", "/x/a"}, {"/w", "/x"}, {"/w-evil/a", "/w-evil/a"}, {"", ""}, {"/", "/"},
	} {
		if got := moved(test.path, "/w", "/x"); got != test.want {
			t.Errorf("%q moved to %q, wanted %q", test.path, got, test.want)
		}
	}
}

func TestChangedFiles(t *testing.T) {
	one, two := hook.Link{Path: "/a"}, hook.Link{Path: "/a", Digest: [32]byte{1}}
	gone, came := hook.Link{Path: "/gone"}, hook.Link{Path: "/came", Absent: true}
	got := strings.Join(changedFiles([]hook.Link{one, gone}, []hook.Link{two, came}), " ")
	if got != "/a /came /gone" {
		t.Errorf("changed: %s", got)
	}
}
