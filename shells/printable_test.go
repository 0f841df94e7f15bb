package shells

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"/home/é/日本 ♀♂":               "/home/é/日本 ♀♂",
		"a\nambit: allowed":           `a\x0aambit: allowed`,
		"\x1b]52;c;eA==\x07":          `\x1b]52;c;eA==\x07`,
		"a\u202eb\u2066c":             `a\u{202e}b\u{2066}c`,
		"zero\u200bwidth\ufeff":       `zero\u{200b}width\u{feff}`,
		"\u0085\u009b31m":             `\u{85}\u{9b}31m`,
		"\x85\xff\xe2\x82":            `\x85\xff\xe2\x82`,
		"\x7f\r\t":                    `\x7f\x0d\x09`,
		"\u2028\u2029\U000e0041":      `\u{2028}\u{2029}\u{e0041}`,
		"\ufffd":                      "\ufffd",
		strings.Repeat("x", 500):      strings.Repeat("x", 500),
		strings.Repeat("x", 501):      strings.Repeat("x", 497) + "...",
		strings.Repeat("日", 251):      strings.Repeat("日", 248) + "...",
		strings.Repeat("\x1b", 1<<20): strings.Repeat(`\x1b`, 124) + "...",
	} {
		if got := Printable(text); got != want {
			t.Errorf("Printable(%.40q) = %.60q, want %.60q", text, got, want)
		}
	}
}

func TestPrintableSegment(t *testing.T) {
	for text, want := range map[string]string{
		"shop/dev":    "shop/dev",
		"$(id)`id`%n": "{24}(id){60}id{60}{25}n",
		`\u\w`:        "{5c}u{5c}w",
		"\x1b[31m":    "{1b}[31m",
		"\u202e\xff":  "{202e}{ff}",
		"caf\u00e9!":  "caf{e9}{21}",
		"#[fg=red]":   "{23}[fg=red]",
	} {
		if got := PrintableSegment(text); got != want {
			t.Errorf("PrintableSegment(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	for _, v := range listedValues(f) {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, function := range map[string]func(string) string{"Printable": Printable, "PrintableSegment": PrintableSegment} {
			clean := function(text)
			if again := function(clean); again != clean {
				t.Errorf("%s: %q became %q", name, clean, again)
			}
			if !utf8.ValidString(clean) || utf8.RuneCountInString(clean) > maxColumns {
				t.Errorf("%s: %q", name, clean)
			}
			for _, r := range clean {
				if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
					t.Errorf("%s: %U in %q", name, r, clean)
				}
			}
		}
		for _, c := range []byte(PrintableSegment(text)) {
			if c < ' ' || c > '~' || strings.IndexByte("\\$`%!#", c) >= 0 {
				t.Errorf("%q in %q", c, PrintableSegment(text))
			}
		}
	})
}
