package oidc

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	signer "github.com/coreos/go-oidc/v3/oidc/oidctest"

	"ambit/resolver"
)

// hostile is a provider that answers whatever a test says.
type hostile struct {
	*httptest.Server
	key      *rsa.PrivateKey
	discover func(description map[string]any)       // nil: an honest description
	claims   func(claims map[string]any)            // nil: honest claims
	sign     func(claims string) string             // nil: with the key that it publishes
	token    func(w http.ResponseWriter, id string) // nil: an honest answer
	device   string                                 // the answer to who wants a device code
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := &hostile{key: key}
	var nonce string
	keys := &signer.Server{PublicKeys: []signer.PublicKey{{PublicKey: key.Public(), KeyID: "k", Algorithm: "RS256"}}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		d := map[string]any{
			"issuer": s.URL, "authorization_endpoint": s.URL + "/auth", "token_endpoint": s.URL + "/token",
			"jwks_uri": s.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"},
			"device_authorization_endpoint": s.URL + "/device",
		}
		if s.discover != nil {
			s.discover(d)
		}
		_ = json.NewEncoder(w).Encode(d)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) { keys.ServeHTTP(w, r) })
	mux.HandleFunc("/auth", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		nonce = q.Get("nonce")
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"state": {q.Get("state")}, "code": {"secret-code"}}.Encode(), http.StatusFound)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().Unix()
		c := map[string]any{"iss": s.URL, "aud": "ambit", "sub": "alice", "nonce": nonce, "iat": now, "exp": now + 3600}
		if s.claims != nil {
			s.claims(c)
		}
		b, _ := json.Marshal(c)
		id := ""
		if s.sign != nil {
			id = s.sign(string(b))
		} else {
			id = signer.SignIDToken(key, "k", "RS256", string(b))
		}
		if s.token != nil {
			s.token(w, id)
			return
		}
		answerTokens(w, id)
	})
	mux.HandleFunc("/device", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, s.device)
	})
	s.Server = httptest.NewUnstartedServer(mux)
	keys.SetIssuer("http://unused")
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func answerTokens(w http.ResponseWriter, id string) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": id, "refresh_token": "secret-refresh"})
}

// What a provider may not get through with, each with an error that names it, shows
// no secret and keeps nothing.
func TestHostileProvider(t *testing.T) {
	t.Parallel()
	claim := func(name string, value any) func(*hostile) {
		return func(s *hostile) { s.claims = func(c map[string]any) { c[name] = value } }
	}
	describe := func(name string, value any) func(*hostile) {
		return func(s *hostile) { s.discover = func(d map[string]any) { d[name] = value } }
	}
	answer := func(status int, kind, body string) func(*hostile) {
		return func(s *hostile) {
			s.token = func(w http.ResponseWriter, id string) {
				w.Header().Set("Content-Type", kind)
				w.WriteHeader(status)
				_, _ = io.WriteString(w, strings.ReplaceAll(body, "ID", id))
			}
		}
	}
	for _, test := range []struct {
		name string
		set  func(*hostile)
		kind resolver.FailureKind
		want string
	}{
		{"honest", func(*hostile) {}, "", ""},
		{"another audience", claim("aud", "another"), resolver.KindRefused, "is not valid"},
		{"no audience", claim("aud", nil), resolver.KindRefused, "is not valid"},
		{"two audiences, no party", claim("aud", []string{"ambit", "another"}), resolver.KindRefused, "another client"},
		{"another party", claim("azp", "another"), resolver.KindRefused, "another client"},
		{"another issuer", claim("iss", "https://evil.example"), resolver.KindRefused, "is not valid"},
		{"another nonce", claim("nonce", "replayed"), resolver.KindRefused, "another login"},
		{"no nonce", claim("nonce", nil), resolver.KindRefused, "another login"},
		{"expired", claim("exp", time.Now().Unix()-10), resolver.KindRefused, "already expired"},
		{"no expiry", claim("exp", nil), resolver.KindRefused, "is not valid"},
		{"not yet", claim("nbf", time.Now().Unix()+3600), resolver.KindRefused, "is not valid"},
		{"odd claims", claim("email", []int{1}), resolver.KindRefused, "not what they are called"},
		{"hostile claim", claim("aud", "\x1b]52;c;x\a\n"+strings.Repeat("A", 1000)), resolver.KindRefused, "is not valid"},
		{"unsigned", func(s *hostile) {
			s.sign = func(c string) string { return "eyJhbGciOiJub25lIn0." + encoded(c) + "." }
		}, resolver.KindRefused, "is not valid"},
		{"another's signature", func(s *hostile) {
			other, _ := rsa.GenerateKey(rand.Reader, 2048)
			s.sign = func(c string) string { return signer.SignIDToken(other, "k", "RS256", c) }
		}, resolver.KindRefused, "is not valid"},
		{"an unknown key", func(s *hostile) {
			s.sign = func(c string) string { return signer.SignIDToken(s.key, "other", "RS256", c) }
		}, resolver.KindRefused, "is not valid"},
		{"no JWT", func(s *hostile) { s.sign = func(string) string { return "garbage" } }, resolver.KindRefused, "is not valid"},
		{"no ID token", answer(200, "application/json", `{"access_token":"a","token_type":"Bearer"}`), resolver.KindLogin, "gave no ID token"},
		{"HTML", answer(200, "text/html", "<html>please pay ID</html>"), "", ""},
		{"echo", answer(400, "application/json", `{"error":"invalid_request","error_description":"bad: ID"}`), resolver.KindRefused, "invalid_request: bad: [...]"},
		{"client refused", answer(401, "application/json", `{"error":"invalid_client"}`), resolver.KindRefused, "refuses the client"},
		{"throttled", answer(429, "text/plain", "slow down"), resolver.KindNetwork, "429 Too Many Requests"},
		{"500", answer(500, "text/html", "<html>ID</html>"), resolver.KindNetwork, "500 Internal Server Error"},
		{"huge", answer(200, "application/json", `{"access_token":"`+strings.Repeat("x", 3<<20)+`"}`), "", ""},
		{"cut off", func(s *hostile) {
			s.token = func(w http.ResponseWriter, id string) {
				w.Header().Set("Content-Length", "5000")
				_, _ = io.WriteString(w, `{"id_token":"`+id)
			}
		}, "", ""},
		{"redirects the code", func(s *hostile) {
			s.token = func(w http.ResponseWriter, id string) {
				w.Header().Set("Location", "http://localhost:1/steal")
				w.WriteHeader(http.StatusTemporaryRedirect)
			}
		}, resolver.KindRefused, "redirects to another host"},
		{"another name", describe("issuer", "https://evil.example"), resolver.KindRefused, `calls itself "https://evil.example"`},
		{"plain http", describe("token_endpoint", "http://198.51.100.1/token"), resolver.KindRefused, "not https"},
		{"a file", describe("jwks_uri", "file:///etc/passwd"), resolver.KindRefused, "not https"},
		{"no token endpoint", describe("token_endpoint", ""), "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newHostile(t)
			test.set(s)
			h := newHouse(t)
			k := h.keeper(map[string]Login{"work": {Issuer: s.URL, ClientID: "ambit"}})
			who := &person{t: t}
			token, err := k.Token(t.Context(), "work", who, resolver.Person)
			who.browsing.Wait()
			if test.name == "honest" {
				if err != nil || len(token) == 0 {
					t.Fatal(err)
				}
				return
			}
			var open *resolver.OpenError
			if test.kind != "" {
				open = fails(t, err, test.kind)
			} else if open, _ = err.(*resolver.OpenError); open == nil {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(open.Summary, test.want) || open.Hint == "" && open.Kind != resolver.KindNetwork {
				t.Errorf("%q, hint %q", open.Summary, open.Hint)
			}
			t.Log(open.Kind, open.Summary, "|", open.Hint)
			for _, text := range []string{open.Error(), fmt.Sprint(err), open.Hint} {
				if strings.Contains(text, "eyJ") || strings.Contains(text, "secret-") || strings.Contains(text, "code=") || len(text) > 500 {
					t.Errorf("it says %q", text)
				}
			}
			if k.isKept(named{key: k.Logins["work"].key()}) {
				t.Error("something is kept")
			}
		})
	}
}

// Codes for another device that are none.
func TestHostileDevice(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, body, want string
		none             bool
	}{
		{"no endpoint", "", "offers no login by a code", true},
		{"empty", "{}", "gave no code to enter", false},
		{"a file", `{"device_code":"secret-d","user_code":"A","verification_uri":"file:///etc/passwd","interval":1}`, "gave no code to enter", false},
		{"HTML", "<html>", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newHostile(t)
			s.device = test.body
			if test.none {
				s.discover = func(d map[string]any) { delete(d, "device_authorization_endpoint") }
			}
			k := newHouse(t).keeper(map[string]Login{"work": {Issuer: s.URL, ClientID: "ambit"}})
			_, err := k.Token(t.Context(), "work", &person{t: t, device: true}, resolver.Person)
			var open *resolver.OpenError
			if !errors.As(err, &open) || !strings.Contains(open.Summary, test.want) || open.Hint == "" || strings.Contains(err.Error(), "secret-") {
				t.Errorf("%v", err)
			}
		})
	}
}

// Nobody listens, or somebody who never answers.
func TestNoProvider(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { select {} }))
	t.Cleanup(func() { silent.CloseClientConnections(); silent.Listener.Close() })
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }))
	t.Cleanup(portal.Close)
	absent := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(absent.Close)
	for name, test := range map[string]struct {
		issuer, want string
		kind         resolver.FailureKind
	}{
		"refused":  {"http://127.0.0.1:1", "connection refused", resolver.KindNetwork},
		"NXDOMAIN": {"https://nowhere.invalid", "", resolver.KindNetwork},
		"portal":   {portal.URL, "", resolver.KindNetwork},
		"404":      {absent.URL, "404 Not Found", resolver.KindRefused},
		"no TLS":   {strings.Replace(portal.URL, "http:", "https:", 1), "", resolver.KindNetwork},
		"silent":   {silent.URL, "in time", resolver.KindNetwork},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			who := &person{t: t}
			k := h.keeper(map[string]Login{"work": {Issuer: test.issuer, ClientID: "ambit"}})
			_, err := k.Token(t.Context(), "work", who, resolver.Person)
			if open := fails(t, err, test.kind); !strings.Contains(open.Summary, test.want) {
				t.Errorf("%q", open.Summary)
			}
			if visits(who) != 0 {
				t.Error("a tab was opened")
			}
		})
	}
}

// What stands between us and the provider is named, with what to do about it. The
// proxies come from the process environment, which is read once: so the client's is
// set here.
func TestTroubleOnTheWay(t *testing.T) {
	t.Parallel()
	tls := httptest.NewUnstartedServer(http.NotFoundHandler())
	tls.Config.ErrorLog = log.New(io.Discard, "", 0) // it is refused, on purpose
	tls.StartTLS()
	t.Cleanup(tls.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusProxyAuthRequired
		if strings.HasPrefix(r.Host, "forbidden") {
			status = http.StatusForbidden
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(proxy.Close)
	for name, test := range map[string]struct{ address, proxy, said, hint string }{
		"another authority": {tls.URL, "", "not from an authority known here", "SSL_CERT_FILE"},
		"password":          {"https://login.example.com", proxy.URL, "the proxy on the way to login.example.com wants a password", "HTTPS_PROXY"},
		"forbidden":         {"https://forbidden.example.com", proxy.URL, "the proxy answered 403 Forbidden", "NO_PROXY"},
		"no proxy":          {"https://login.example.com", "http://127.0.0.1:1", "the proxy on the way to login.example.com cannot be reached", "NO_PROXY"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient()
			if test.proxy != "" {
				u, err := url.Parse(test.proxy)
				if err != nil {
					t.Fatal(err)
				}
				client.Transport.(bodies).RoundTripper.(*http.Transport).Proxy = http.ProxyURL(u)
			}
			_, err := client.Get(test.address)
			if err == nil {
				t.Fatal("it came")
			}
			open := fails(t, explain(t.Context(), named{Login: Login{Issuer: test.address}, name: "work"}, "the code", err), resolver.KindNetwork)
			if !strings.Contains(open.Summary, test.said) || !strings.Contains(open.Hint, test.hint) {
				t.Errorf("%q, hint %q", open.Summary, open.Hint)
			}
		})
	}
}

func encoded(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
