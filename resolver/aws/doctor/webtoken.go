package doctor

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ambit/resolver/safefile"
)

// claims are what a web identity token says of itself, unverified.
type claims struct {
	Iss string  `json:"iss"`
	Sub string  `json:"sub"`
	Exp float64 `json:"exp"`
	Aud any     `json:"aud"`
}

// serviceAccount is whom a token of Kubernetes speaks for.
func (c claims) serviceAccount() (namespace, account string, ok bool) {
	rest, ok := strings.CutPrefix(c.Sub, "system:serviceaccount:")
	if !ok {
		return "", "", false
	}
	namespace, account, ok = strings.Cut(rest, ":")
	return namespace, account, ok && plainArgument().MatchString(namespace) && plainArgument().MatchString(account)
}

// tokenClaims reads the claims in a token's file, and words them for a finding that
// stands beside a trust policy. It shows nothing else of the token.
func (x *examination) tokenClaims(path string) (about string, c claims) {
	b, err := safefile.Read(path)
	parts := strings.Split(strings.TrimSpace(string(b)), ".")
	if err != nil || len(parts) != 3 {
		return "", c
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return "", claims{}
	}
	audience := "none"
	switch a := c.Aud.(type) {
	case string:
		audience = a
	case []any:
		var list []string
		for _, one := range a {
			if s, ok := one.(string); ok {
				list = append(list, s)
			}
		}
		audience = strings.Join(some(list), ", ")
	}
	about = fmt.Sprintf("; the token says iss %s, sub %s, aud %s", clip(c.Iss), clip(c.Sub), clip(audience))
	if c.Exp > 0 && c.Exp < 1<<50 {
		about += ", exp " + time.Unix(int64(c.Exp), 0).UTC().Format(time.RFC3339)
	}
	return about, c
}
