package doctor

import (
	"strings"
	"unicode/utf8"
)

// longest is how many bytes of one foreign text stand in a finding.
const longest = 200

// clip bounds a foreign text. A secret that somebody put where a name belongs is
// masked.
func clip(s string) string {
	if secretShaped(s) {
		return maskSecret(s)
	}
	if len(s) <= longest {
		return s
	}
	n := longest
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// maskID shows the first and last four characters of a key id. What is too short
// or is no key id shows nothing of itself: it may be the secret.
func maskID(id string) string {
	if !wellFormedID().MatchString(id) {
		return "****"
	}
	return id[:4] + "…" + id[len(id)-4:]
}

// maskSecret shows the last four characters of a secret or token.
func maskSecret(s string) string {
	if len(s) <= 16 || !plainTail().MatchString(s[len(s)-4:]) {
		return "****"
	}
	return "****" + s[len(s)-4:]
}

// secretShaped says whether a text looks like a secret access key, or like a session
// token, as no name does.
func secretShaped(s string) bool {
	if len(s) != 40 && len(s) < 200 || !base64Text().MatchString(s) {
		return false
	}
	upper, lower, digit := false, false, false
	for _, c := range s {
		upper, lower, digit = upper || c >= 'A' && c <= 'Z', lower || c >= 'a' && c <= 'z', digit || c >= '0' && c <= '9'
	}
	return upper && lower && digit
}

var (
	base64Text   = late(`^[A-Za-z0-9/+]+={0,2}$`)
	wellFormedID = late(`^A[A-Z]{2}A[A-Z0-9]{12,124}$`)
	plainTail    = late(`^[A-Za-z0-9/+=_-]{4}$`)
)

// temporary says whether a key id is one that needs a session token.
func temporary(id string) bool { return strings.HasPrefix(id, "ASIA") }
