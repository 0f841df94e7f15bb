package hook

import (
	"bytes"
	"encoding/base64"
	"testing"
)

func FuzzBase64(f *testing.F) {
	for _, seed := range []string{"", "A", "AA", "AB", "AAA", "AAB", "AAAA", "_-_-", "////", "AA==", "A\nAA", "1EvK9BbH5NF-uA9"} {
		f.Add(seed)
	}
	library := base64.RawURLEncoding.Strict()
	f.Fuzz(func(t *testing.T, s string) {
		text := string(appendBase64(nil, []byte(s)))
		if want := library.EncodeToString([]byte(s)); text != want {
			t.Fatalf("%q: %q, want %q", s, text, want)
		}
		if back, ok := parseBase64(text); !ok || string(back) != s {
			t.Fatalf("%q came back as %q, %v", s, back, ok)
		}
		// The library skips line breaks; ours must not.
		want, err := library.DecodeString(s)
		valid := err == nil && !bytes.ContainsAny([]byte(s), "\r\n")
		if got, ok := parseBase64(s); ok != valid || ok && !bytes.Equal(got, want) {
			t.Fatalf("%q: %q, %v; want %q, %v", s, got, ok, want, valid)
		}
	})
}
