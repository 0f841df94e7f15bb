package awstest

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// refreshToken renews access tokens until its session ends.
type refreshToken struct {
	client  *ssoClient
	session *ssoSession
	used    bool
}

// accessToken is what the portal takes.
type accessToken struct {
	session *ssoSession
	expires time.Time
}

// codeVerifier is the shape that PKCE asks for (RFC 7636, section 4.1).
var codeVerifier = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// createToken redeems a code, a device code or a refresh token.
func (s *Server) createToken(_ *http.Request, form url.Values) (any, *failure) {
	k, now := s.Knobs().SSO, s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	client, f := s.sso.client(form, now)
	if f != nil {
		return nil, f
	}
	grant := form.Get("grantType")
	switch {
	case grant == "":
		return nil, invalidRequest("grantType is required")
	case grant != grantCode && grant != grantDevice && grant != grantRefresh:
		return nil, &failure{400, "UnsupportedGrantTypeException", "Unsupported grant type provided"}
	case !client.may(grant):
		return nil, &failure{400, "UnauthorizedClientException", "The client did not register for this grant type"}
	}
	session := &ssoSession{ends: now.Add(8 * time.Hour)} // the default of an Identity Center
	if k.SessionLifetime != 0 {
		session.ends = now.Add(time.Duration(k.SessionLifetime) * time.Second)
	}
	refresh := ""
	switch grant {
	case grantCode:
		f = s.sso.redeemCode(client, session, form, now)
	case grantDevice:
		f = s.sso.redeemDevice(client, k, form, now)
	case grantRefresh:
		session, f = s.sso.redeemRefresh(client, k, form, now)
		refresh = form.Get("refreshToken")
	}
	if f != nil {
		return nil, f
	}
	// Only who asked for a scope that can be renewed gets the means to renew.
	if client.may(grantRefresh) && slices.Contains(client.scopes, "sso:account:access") && (refresh == "" || !k.NoRotation) {
		refresh = "aorAAAAAG" + newOpaque(180)
		s.sso.refresh[refresh] = &refreshToken{client: client, session: session}
	}
	seconds := 3600
	if k.TokenLifetime != 0 {
		seconds = k.TokenLifetime
	}
	access := "aoaAAAAAG" + newOpaque(180)
	s.sso.access[access] = &accessToken{session, now.Add(time.Duration(seconds) * time.Second)}
	answer := map[string]any{"accessToken": access, "tokenType": "Bearer", "expiresIn": seconds}
	if refresh != "" {
		answer["refreshToken"] = refresh
	}
	return answer, nil
}

// redeemCode takes an authorization code, once. The second time ends what the
// first gave (RFC 6749, section 4.1.2).
func (v *ssoState) redeemCode(client *ssoClient, session *ssoSession, form url.Values, now time.Time) *failure {
	invalid := &failure{400, "InvalidGrantException", "Invalid grant provided"}
	a := v.codes[form.Get("code")]
	if a == nil || a.client != client {
		return invalid
	}
	if a.session != nil {
		a.session.ended = true
		return invalid
	}
	verifier := form.Get("codeVerifier")
	sum := sha256.Sum256([]byte(verifier))
	if !now.Before(a.expires) || a.redirectURI != form.Get("redirectUri") || !codeVerifier.MatchString(verifier) ||
		strings.TrimRight(a.challenge, "=") != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return invalid
	}
	a.session = session
	return nil
}

func (v *ssoState) redeemDevice(client *ssoClient, k SSO, form url.Values, now time.Time) *failure {
	d := v.devices[form.Get("deviceCode")]
	if d == nil || d.client != client {
		return &failure{400, "InvalidGrantException", "Invalid device code provided"}
	}
	if f := d.poll(k, now); f != nil {
		return f
	}
	d.redeemed = true
	return nil
}

// redeemRefresh takes a refresh token; one that was used before was stolen, by
// whom nobody can tell, so it ends the session.
func (v *ssoState) redeemRefresh(client *ssoClient, k SSO, form url.Values, now time.Time) (*ssoSession, *failure) {
	t := v.refresh[form.Get("refreshToken")]
	if t != nil && t.client == client && t.used {
		t.session.ended = true
	}
	if t == nil || t.client != client || t.session.over(now) {
		return nil, &failure{400, "InvalidGrantException", "Invalid refresh token provided"}
	}
	t.used = !k.NoRotation
	return t.session, nil
}
