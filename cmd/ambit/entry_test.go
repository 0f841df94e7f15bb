package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/cache"
)

func TestFailureKinds(t *testing.T) {
	failed := func(kinds ...resolver.FailureKind) []resolver.Diagnostic {
		out := []resolver.Diagnostic{{Severity: resolver.Warning, Kind: resolver.KindDefinition, Summary: "w"}}
		for _, k := range kinds {
			out = append(out, resolver.Diagnostic{Kind: k, Summary: "e", Hint: "h"})
		}
		return out
	}
	const now = 1_000_000
	for _, test := range []struct {
		name   string
		diags  []resolver.Diagnostic
		before *cache.Failure
		kind   resolver.FailureKind
		wait   int64 // seconds ±10 %; 0: not before something changes
	}{
		{"network", failed(resolver.KindNetwork), nil, resolver.KindNetwork, 30},
		{"again", failed(resolver.KindNetwork), &cache.Failure{Kind: "network", Wait: 30}, resolver.KindNetwork, 60},
		{"at most", failed(resolver.KindNetwork), &cache.Failure{Kind: "network", Wait: 300}, resolver.KindNetwork, 300},
		{"after another kind", failed(resolver.KindNetwork), &cache.Failure{Kind: "refused", Wait: 300}, resolver.KindNetwork, 30},
		{"refused", failed(resolver.KindNetwork, resolver.KindRefused), nil, resolver.KindRefused, 300},
		{"login", failed(resolver.KindRefused, resolver.KindLogin), nil, resolver.KindLogin, 0},
		{"definition", failed(resolver.KindNetwork, resolver.KindDefinition, resolver.KindLogin), nil, resolver.KindDefinition, 0},
		{"nothing said", nil, nil, resolver.KindDefinition, 0},
	} {
		var before *cache.Entry
		if test.before != nil {
			before = &cache.Entry{Failure: test.before}
		}
		for range 50 {
			f := failureOf(test.diags, before, time.Unix(now, 0))
			in := f.RetryAt - now
			switch {
			case resolver.FailureKind(f.Kind) != test.kind || f.Wait != test.wait:
				t.Fatalf("%s: kind %q, wait %d", test.name, f.Kind, f.Wait)
			case test.wait == 0 && f.RetryAt != 0, test.wait != 0 && (in < test.wait*9/10 || in > test.wait*11/10):
				t.Fatalf("%s: again in %d s", test.name, in)
			}
		}
	}
}

func TestFailureLines(t *testing.T) {
	var diags []resolver.Diagnostic
	for range 100 {
		diags = append(diags,
			resolver.Diagnostic{Severity: resolver.Warning, Summary: "careful"},
			resolver.Diagnostic{Summary: "wrong", Hint: "mend it", Pos: resolver.Position{File: "/x", Line: 3, Column: 4}})
	}
	lines := failureOf(diags, nil, time.Time{}).Messages
	if len(lines) != maxMessages+2 {
		t.Fatalf("%d lines", len(lines))
	}
	if lines[0].Level != "error" || lines[1].Level != "hint" || lines[0].Place.Line != 3 {
		t.Errorf("the first lines are %v", lines[:2])
	}
	if last := lines[len(lines)-1]; last.Level != "hint" || !strings.Contains(last.Text, "ambit reload") {
		t.Errorf("the last line is %v", last)
	}
}

func TestUnchanged(t *testing.T) {
	dir := t.TempDir()
	path, absent := filepath.Join(dir, "file"), filepath.Join(dir, "absent")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	was := []cache.Watched{{Path: path, Digest: cache.Digest([]byte("one"))}, {Path: absent, Absent: true}}
	if !unchanged(was) {
		t.Error("nothing changed")
	}
	write("two")
	if unchanged(was) {
		t.Error("an edit was not seen")
	}
	write("one")
	if err := os.Mkdir(absent, 0o700); err != nil {
		t.Fatal(err)
	}
	if unchanged(was) {
		t.Error("an appearance was not seen")
	}
}

func TestLookup(t *testing.T) {
	dir := t.TempDir()
	yes := program(t, filepath.Join(dir, "a", "tool"), 0o755)
	program(t, filepath.Join(dir, "b", "plain"), 0o644)
	if err := os.MkdirAll(filepath.Join(dir, "b", "tool"), 0o755); err != nil { // a directory of that name
		t.Fatal(err)
	}
	path := strings.Join([]string{filepath.Join(dir, "nowhere"), yes, filepath.Join(dir, "b"), filepath.Join(dir, "a")}, ":")
	if got, err := lookup("tool", path); err != nil || got != yes {
		t.Errorf("tool: %q, %v", got, err)
	}
	for _, name := range []string{"nosuch", ""} {
		if got, err := lookup(name, path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	// What is there and cannot be run is another error; root may access all, but
	// a file without any x bit cannot be run by root either.
	if got, err := lookup("plain", path); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("plain: %q, %v", got, err)
	}
	t.Chdir(filepath.Join(dir, "a"))
	if got, err := lookup("tool", ":/nowhere"); err != nil || got != "./tool" {
		t.Errorf("an empty entry: %q, %v", got, err)
	}
}
