package awstest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// identity is what a web identity token says.
type identity struct {
	issuer, subject, audience string
}

type audiences []string

// UnmarshalJSON accepts one string or a list (RFC 7519, section 4.1.3).
func (a *audiences) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audiences{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// checkWebIdentity reads a token. A JWT's expiry always counts, its issuer and
// audience where issuers are configured; what is no JWT then is refused, and
// else accepted.
func checkWebIdentity(token string, issuers map[string][]string, now time.Time) (identity, *failure) {
	refuse := func(format string, args ...any) (identity, *failure) {
		return identity{}, &failure{400, "InvalidIdentityToken", fmt.Sprintf(format, args...)}
	}
	var claims struct {
		Iss string    `json:"iss"`
		Sub string    `json:"sub"`
		Aud audiences `json:"aud"`
		Exp *float64  `json:"exp"`
	}
	parts := strings.Split(token, ".")
	isJWT := len(parts) == 3
	if isJWT {
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		isJWT = err == nil && json.Unmarshal(payload, &claims) == nil
	}
	if !isJWT {
		if len(issuers) > 0 {
			return refuse("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
		}
		return identity{issuer: "https://issuer.example", subject: "anyone", audience: "sts.amazonaws.com"}, nil
	}
	if claims.Exp != nil && now.Unix() >= int64(*claims.Exp) {
		return identity{}, &failure{400, "ExpiredTokenException", fmt.Sprintf(
			"Token expired: current date/time %d must be before the expiration date/time %d", now.Unix(), int64(*claims.Exp))}
	}
	id := identity{issuer: claims.Iss, subject: claims.Sub}
	if len(claims.Aud) > 0 {
		id.audience = claims.Aud[0]
	}
	if len(issuers) == 0 {
		return id, nil
	}
	accepted, known := issuers[claims.Iss]
	if !known {
		return refuse("No OpenIDConnect provider found in your account for %s", claims.Iss)
	}
	for _, aud := range claims.Aud {
		if len(accepted) == 0 || slices.Contains(accepted, aud) {
			id.audience = aud
			return id, nil
		}
	}
	if len(accepted) == 0 {
		return id, nil
	}
	return refuse("Incorrect token audience")
}
