package awstest

import (
	"crypto/rand"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Person is what whoever sits before the browser does.
type Person string

// The persons.
const (
	Agrees  Person = ""     // signs in and allows the request
	Refuses Person = "no"   // denies it
	Away    Person = "away" // looks at the page and never answers
)

var persons = []Person{Agrees, Refuses, Away}

// authorization is what a person allowed, waiting to be redeemed by its code.
type authorization struct {
	client      *ssoClient
	redirectURI string
	challenge   string // of PKCE, S256
	expires     time.Time
	session     *ssoSession // once redeemed
}

// authorize is the page to which a login by authorization code sends the
// browser. It answers at once with the redirect, so that a test's browser is one
// GET that follows it.
func (s *Server) authorize(_ *http.Request, form url.Values) (any, *failure) {
	k, now := s.Knobs(), s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	client := s.sso.clients[form.Get("client_id")]
	if client == nil || !now.Before(client.expires) {
		return nil, invalidRequest("Invalid client provided")
	}
	to, err := url.Parse(form.Get("redirect_uri"))
	if err != nil || !client.redirects(to) {
		// Nobody is sent to where the client did not register.
		return nil, invalidRequest("Invalid redirect uri provided")
	}
	answer := func(name, value, why string) (any, *failure) {
		q := to.Query()
		q.Set(name, value)
		if why != "" {
			q.Set("error_description", why)
		}
		if state := form.Get("state"); state != "" {
			q.Set("state", state)
		}
		to.RawQuery = q.Encode()
		return redirect(to.String()), nil
	}
	// AWS's own parameter is called scopes; OAuth's name is scope.
	scopes := strings.Fields(form.Get("scopes") + " " + form.Get("scope"))
	switch {
	case !client.may(grantCode):
		return answer("error", "unauthorized_client", "The client did not register for authorization_code")
	case form.Get("response_type") != "code":
		return answer("error", "unsupported_response_type", "response_type must be code")
	case form.Get("state") == "":
		return answer("error", "invalid_request", "state is required")
	case form.Get("code_challenge_method") != "S256" || len(form.Get("code_challenge")) != 43:
		return answer("error", "invalid_request", "code_challenge of the method S256 is required")
	case slices.ContainsFunc(scopes, func(scope string) bool { return !slices.Contains(client.scopes, scope) }):
		return answer("error", "invalid_scope", "A scope was not registered")
	}
	switch k.SSO.Person {
	case Away:
		return page(signInPage), nil
	case Refuses:
		return answer("error", "access_denied", "The person denied the request")
	}
	code := newOpaque(64)
	s.sso.codes[code] = &authorization{client: client, redirectURI: form.Get("redirect_uri"),
		challenge: form.Get("code_challenge"), expires: now.Add(codeLifetime)}
	return answer("code", code, "")
}

// redirects reports whether the client registered u; the port is the client's
// choice at each login (RFC 8252, section 7.3).
func (c *ssoClient) redirects(u *url.URL) bool {
	return slices.ContainsFunc(c.redirectURIs, func(registered string) bool {
		r, err := url.Parse(registered)
		return err == nil && u.Scheme == r.Scheme && u.Hostname() == r.Hostname() && u.Path == r.Path && u.Fragment == ""
	})
}

// device is a login by device code.
type device struct {
	client           *ssoClient
	userCode         string
	expires          time.Time
	polls            int
	allowed, refused bool // on the verification page
	redeemed         bool
}

func (s *Server) startDeviceAuthorization(_ *http.Request, form url.Values) (any, *failure) {
	k, now := s.Knobs().SSO, s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	client, f := s.sso.client(form, now)
	switch {
	case f != nil:
		return nil, f
	case !client.may(grantDevice):
		return nil, &failure{400, "UnauthorizedClientException", "The client did not register for the device code grant"}
	case !strings.HasPrefix(form.Get("startUrl"), "http"):
		return nil, invalidRequest("Invalid start url provided")
	}
	lifetime := 600
	if k.DeviceLifetime != 0 {
		lifetime = k.DeviceLifetime
	}
	code := newOpaque(64)
	d := &device{client: client, userCode: newUserCode(), expires: now.Add(time.Duration(lifetime) * time.Second)}
	s.sso.devices[code] = d
	return map[string]any{
		"deviceCode": code, "userCode": d.userCode,
		"verificationUri":         s.URL + "/device",
		"verificationUriComplete": s.URL + "/device?user_code=" + d.userCode,
		"expiresIn":               lifetime, "interval": 1,
	}, nil
}

// verifyDevice is the page on which a person allows a device code.
func (s *Server) verifyDevice(_ *http.Request, form url.Values) (any, *failure) {
	k, now := s.Knobs().SSO, s.clock()
	code := form.Get("user_code")
	if code == "" || k.Person == Away {
		return page(signInPage), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.sso.devices {
		if d.userCode != code || !now.Before(d.expires) || d.redeemed {
			continue
		}
		if k.Person == Refuses {
			d.refused = true
			return page("<!DOCTYPE html><title>Request denied</title><p>You can close this window.\n"), nil
		}
		d.allowed = true
		return page("<!DOCTYPE html><title>Request approved</title><p>You can close this window.\n"), nil
	}
	return nil, invalidRequest("Invalid user code provided")
}

// poll says how far a device code has come, at the n-th time it is asked for.
func (d *device) poll(k SSO, now time.Time) *failure {
	d.polls++
	pending := k.Pending < 0 || d.polls <= k.SlowDown+k.Pending
	switch {
	case !now.Before(d.expires):
		return &failure{400, "ExpiredTokenException", "Device code has expired"}
	case d.redeemed:
		return &failure{400, "InvalidGrantException", "Invalid device code provided"}
	case d.polls <= k.SlowDown:
		return &failure{400, "SlowDownException", "Polling too frequently"}
	case d.refused || k.Person == Refuses && !d.allowed && !pending:
		return &failure{400, "AccessDeniedException", "The person denied the request"}
	case !d.allowed && (pending || k.Person == Away):
		return &failure{400, "AuthorizationPendingException", "User has not completed the authorization"}
	}
	return nil
}

// newUserCode is eight letters in two groups, without vowels.
func newUserCode() string {
	const letters = "BCDFGHJKLMNPQRSTVWXZ"
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b[:4]) + "-" + string(b[4:])
}

const signInPage = "<!DOCTYPE html><title>Sign in</title><form><input name=user_code><button>Allow</button></form>\n"

// refusePage shows an error to the person.
func refusePage(w http.ResponseWriter, f failure) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(f.status)
	_, _ = w.Write([]byte("<!DOCTYPE html><title>Error</title><p>" + html.EscapeString(f.code+": "+f.message) + "\n")) // into memory
}
