package awstest

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
)

// IAM Identity Center's OpenID Connect part: clients register, a person agrees
// in a browser, tokens are made. Source: the IAM Identity Center OIDC API
// reference; what the AWS CLI sends to /authorize, which has no reference.
var ssoOIDC = []operation{
	{"/client/register", "POST", "RegisterClient", true, (*Server).registerClient, refuseOIDC},
	{"/device_authorization", "POST", "StartDeviceAuthorization", true, (*Server).startDeviceAuthorization, refuseOIDC},
	{"/token", "POST", "CreateToken", true, (*Server).createToken, refuseOIDC},
	{"/authorize", "GET", "Authorize", false, (*Server).authorize, refusePage},
	{"/device", "GET", "VerifyDevice", false, (*Server).verifyDevice, refusePage},
}

const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantDevice  = "urn:ietf:params:oauth:grant-type:device_code"

	clientLifetime = 90 * 24 * time.Hour // documented for RegisterClient
	codeLifetime   = 10 * time.Minute
)

// ssoState is what IAM Identity Center remembers; Server.mu guards it.
type ssoState struct {
	clients map[string]*ssoClient     // by client id
	codes   map[string]*authorization // by authorization code
	devices map[string]*device        // by device code
	refresh map[string]*refreshToken
	access  map[string]*accessToken
}

// ssoClient is a registered OAuth client.
type ssoClient struct {
	id, secret   string
	expires      time.Time
	issuer       string
	scopes       []string
	grants       []string // none: as before AWS had this parameter, device code and refresh
	redirectURIs []string
}

// ssoSession is one login of the person; its tokens die with it.
type ssoSession struct {
	ends  time.Time
	ended bool // by the administrator, by logout, or because a used token came back
}

func (v *ssoSession) over(now time.Time) bool { return v.ended || !now.Before(v.ends) }

func newSSOState() ssoState {
	return ssoState{map[string]*ssoClient{}, map[string]*authorization{}, map[string]*device{}, map[string]*refreshToken{}, map[string]*accessToken{}}
}

// EndSSOSessions ends every present login of IAM Identity Center, as an
// administrator can: their access tokens and refresh tokens are refused from
// now on. Credentials of roles that they already got live on.
func (s *Server) EndSSOSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.sso.access {
		t.session.ended = true
	}
	for _, t := range s.sso.refresh {
		t.session.ended = true
	}
}

func (s *Server) registerClient(_ *http.Request, form url.Values) (any, *failure) {
	if form.Get("clientName") == "" {
		return nil, invalidRequest("clientName is required")
	}
	if form.Get("clientType") != "public" {
		return nil, &failure{400, "InvalidClientMetadataException", "Only the client type public is supported"}
	}
	c := &ssoClient{
		id: newOpaque(16), secret: "eyJraWQiOiJrZXktMTU2NDAyODA5OSIsImFsZyI6IkhTMzg0In0." + newOpaque(300) + "." + newOpaque(48),
		issuer: form.Get("issuerUrl"), scopes: form["scopes"], grants: form["grantTypes"], redirectURIs: form["redirectUris"],
	}
	for _, grant := range c.grants {
		if grant != grantCode && grant != grantRefresh && grant != grantDevice {
			return nil, &failure{400, "UnsupportedGrantTypeException", "Unsupported grant type provided"}
		}
	}
	for _, scope := range c.scopes {
		if !strings.Contains(scope, ":") {
			return nil, &failure{400, "InvalidScopeException", "Invalid scope provided"}
		}
	}
	for _, uri := range c.redirectURIs {
		if u, err := url.Parse(uri); err != nil || u.Scheme != "http" || !isLoopback(u) || u.RawQuery != "" || u.Fragment != "" {
			return nil, &failure{400, "InvalidRedirectUriException", "Invalid redirect uri provided"}
		}
	}
	if slices.Contains(c.grants, grantCode) {
		if len(c.redirectURIs) == 0 {
			return nil, &failure{400, "InvalidRedirectUriException", "redirectUris is required for the grant type authorization_code"}
		}
		if c.issuer == "" {
			return nil, invalidRequest("issuerUrl is required for the grant type authorization_code")
		}
	}
	lifetime := clientLifetime
	if seconds := s.Knobs().SSO.ClientLifetime; seconds != 0 {
		lifetime = time.Duration(seconds) * time.Second
	}
	now := s.clock()
	c.expires = now.Add(lifetime)
	s.mu.Lock()
	s.sso.clients[c.id] = c
	s.mu.Unlock()
	return map[string]any{
		"clientId": c.id, "clientSecret": c.secret,
		"clientIdIssuedAt": now.Unix(), "clientSecretExpiresAt": c.expires.Unix(),
		"authorizationEndpoint": nil, "tokenEndpoint": nil, // as AWS leaves them
	}, nil
}

// client finds who calls. The caller holds Server.mu.
func (v *ssoState) client(form url.Values, now time.Time) (*ssoClient, *failure) {
	if form.Get("clientId") == "" || form.Get("clientSecret") == "" {
		return nil, invalidRequest("clientId and clientSecret are required")
	}
	c := v.clients[form.Get("clientId")]
	if c == nil || subtle.ConstantTimeCompare([]byte(c.secret), []byte(form.Get("clientSecret"))) == 0 {
		return nil, &failure{401, "InvalidClientException", "Invalid client provided"}
	}
	if !now.Before(c.expires) {
		return nil, &failure{401, "InvalidClientException", "Client registration has expired"}
	}
	return c, nil
}

// may reports whether c registered for a grant.
func (c *ssoClient) may(grant string) bool {
	if len(c.grants) == 0 {
		return grant != grantCode
	}
	return slices.Contains(c.grants, grant)
}

// isLoopback reports whether u is an address that only this machine answers;
// "localhost" is a name, which AWS refuses.
func isLoopback(u *url.URL) bool { return u.Hostname() == "127.0.0.1" || u.Hostname() == "::1" }

func invalidRequest(why string) *failure { return &failure{400, "InvalidRequestException", why} }

// refuseOIDC says an error twice, by its AWS name in the header and by its OAuth
// name in the body: InvalidGrantException is invalid_grant.
func refuseOIDC(w http.ResponseWriter, f failure) {
	var oauth strings.Builder
	for i, c := range strings.TrimSuffix(f.code, "Exception") {
		if unicode.IsUpper(c) && i > 0 {
			oauth.WriteByte('_')
		}
		oauth.WriteRune(unicode.ToLower(c))
	}
	refuseAsJSON(w, f, "com.amazonaws.sso.oidc", map[string]string{"error": oauth.String(), "error_description": f.message})
}

// newOpaque is a random string made of n bytes: letters and digits alone, so that
// it stands in a command line and a URL as it is.
func newOpaque(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return strings.NewReplacer("-", "x", "_", "y").Replace(base64.RawURLEncoding.EncodeToString(b))
}
