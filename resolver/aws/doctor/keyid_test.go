package doctor

import (
	"strings"
	"testing"

	"ambit/resolver/aws"
)

// Ids made since 2019 hold their account; its highest bits decide whether the fifth
// character is a letter or a digit.
func TestAccountOfKeyID(t *testing.T) {
	for id, want := range map[string]string{
		temp:                   "029608264753",
		"AKIA6RVFFB77QAAQEAYE": "999999999999",
		"AKIA2F62ALAAQAAQEAYE": "700000000001",
		"AKIAQAAAAAAAQAAQEAYE": "000000000001",
		"AKIAIOSFODNN7EXAMPLE": "", // made before
		"AKIAJAAAAAAAQAAQEAYE": "",
		"AIDAQNZGKIQY56JQ7WML": "",
		"AKIAQNZGKIQY56JQ7WM":  "",
		"AKIAQNZGKIQY56JQ7WM1": "",
		"":                     "",
	} {
		if got := aws.AccountOfKeyID(id); got != want {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
}

func TestMasks(t *testing.T) {
	for id, want := range map[string]string{
		temp: "ASIA…7WML", "AKIA": "****", someSecret: "****", temp + "\r": "****", "\x1b[2J": "****", "": "****",
		"AKIA" + strings.Repeat("A", 200): "****",
	} {
		if got := maskID(id); got != want {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
	for secret, want := range map[string]string{token: "****cd==", "0123456789abcdef": "****", "0123456789abcdefg": "****defg", "0123456789abcdef\x1b[": "****"} {
		if got := maskSecret(secret); got != want {
			t.Errorf("%q: %q, want %q", secret, got, want)
		}
	}
}

func TestQuoted(t *testing.T) {
	for name, want := range map[string]string{
		"dev": "dev", "a/b@c": "a/b@c", "": "''", "it's": `'it'\''s'`, `a\b`: `'a'\\'b'`, "a b": "'a b'", "$(id)": "'$(id)'", "~": "'~'", "=x": "'=x'", "x\ny": "'x\ny'",
	} {
		if got := quoted(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	if got := profileOption("-x"); got != "--profile=-x" {
		t.Error(got)
	}
}
