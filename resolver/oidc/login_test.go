package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/oidc/oidctest"
)

func uid() int { return os.Geteuid() }

// claims reads a token that has been verified.
func claims(t *testing.T, token []byte) (c struct {
	Iss, Sub, Nonce string
	Aud             any
}) {
	t.Helper()
	parts := strings.Split(string(token), ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT of three parts but of %d", len(parts))
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLoginByCode(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t, oidctest.Knobs{})
	h := newHouse(t)
	who := &person{t: t}
	var query url.Values
	who.visit = func(address string) {
		if u, err := url.Parse(address); err == nil {
			query = u.Query()
		}
		who.browse(address)
	}
	k := h.work(p)
	token, err := k.Token(t.Context(), "work", who, resolver.Person)
	if err != nil {
		t.Fatal(err)
	}
	c := claims(t, token)
	if c.Iss != p.URL || c.Sub != "alice" || c.Aud != oidctest.ClientID || c.Nonce == "" {
		t.Errorf("the token says %+v", c)
	}
	status, page, said := who.seen()
	if status != http.StatusOK || !strings.Contains(page, "You are logged in") || !strings.Contains(page, "Go back to the terminal") {
		t.Errorf("the browser shows %d %s", status, page)
	}
	if len(said) != 1 || !strings.HasPrefix(said[0], "warning: the refresh token is kept in a file") {
		t.Errorf("said %q, want one warning that there is no keyring", said)
	}
	for name, want := range map[string]string{"code_challenge_method": "S256", "response_type": "code", "scope": "openid offline_access", "nonce": c.Nonce} {
		if query.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, query.Get(name), want)
		}
	}
	if len(query.Get("code_challenge")) != 43 || len(query.Get("state")) < 20 {
		t.Errorf("challenge and state are %q, %q", query.Get("code_challenge"), query.Get("state"))
	}
	redirect := query.Get("redirect_uri")
	if u, err := url.Parse(redirect); err != nil || u.Hostname() != "127.0.0.1" || u.Path != "/callback" {
		t.Errorf("the redirect is %q", redirect)
	}
	noListener(t, redirect)
	if got := k.Account("work"); got != "alice@example.com" && got != "alice" {
		t.Errorf("the account is %q", got)
	}
	// Others are served from the cache, and the warning is not said again.
	before := p.Calls(t)
	for _, patience := range []resolver.Patience{resolver.AtPrompt, resolver.Detached, resolver.Person} {
		again, err := h.work(p).Token(t.Context(), "work", nil, patience)
		if err != nil || string(again) != string(token) {
			t.Errorf("patience %d: %v, the same token: %v", patience, err, string(again) == string(token))
		}
	}
	if after := p.Calls(t); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("the provider was asked: %v, before %v", after, before)
	}
	h.wait(p, time.Hour)
	if _, err := h.work(p).Logout(t.Context(), "work"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.work(p).Token(t.Context(), "work", who, resolver.Person); err != nil {
		t.Fatal(err)
	}
	if _, _, said := who.seen(); len(said) != 1 {
		t.Errorf("said %q, want the warning once", said)
	}
}

func TestLoginByDevice(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t, oidctest.Knobs{})
	h := newHouse(t)
	token, err := h.work(p).Token(t.Context(), "work", &person{t: t, device: true}, resolver.Person)
	if err != nil {
		t.Fatal(err)
	}
	if c := claims(t, token); c.Sub != "alice" || c.Aud != oidctest.ClientID {
		t.Errorf("the token says %+v", c)
	}
	if n := p.Calls(t)["GET /auth"]; n != 0 {
		t.Errorf("%d authorization requests", n)
	}
	// It can be renewed like another.
	h.wait(p, time.Hour)
	if _, err := h.work(p).Token(t.Context(), "work", nil, resolver.Detached); err != nil {
		t.Error(err)
	}
}

// Without a login, what needs one is an error that says so.
func TestNotLoggedIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.keeper(map[string]Login{"work": {Issuer: "http://127.0.0.1:1", ClientID: "x"}})
	for _, patience := range []resolver.Patience{resolver.AtPrompt, resolver.Detached, resolver.Person} {
		_, err := k.Token(t.Context(), "work", nil, patience)
		open := fails(t, err, resolver.KindLogin)
		if open.Summary != `not logged in to "work"` || open.Hint != `run "ambit login work"` {
			t.Errorf("patience %d: %q, %q", patience, open.Summary, open.Hint)
		}
	}
	_, err := k.Token(t.Context(), "wrok", nil, resolver.AtPrompt)
	open := fails(t, err, resolver.KindDefinition)
	var unknown *UnknownLoginError
	if !errors.As(err, &unknown) || open.Hint != `did you mean "work"?` {
		t.Errorf("%v, hint %q", err, open.Hint)
	}
}

// What a browser can come back with, and that nothing is left of it.
func TestCallback(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t, oidctest.Knobs{})
	redirect := func(address string) (to *url.URL, state string) {
		u, err := url.Parse(address)
		if err != nil {
			t.Error(err)
			return &url.URL{}, ""
		}
		to, err = url.Parse(u.Query().Get("redirect_uri"))
		if err != nil {
			t.Error(err)
		}
		return to, u.Query().Get("state")
	}
	get := func(u *url.URL, query url.Values) (int, string) {
		to := *u
		to.RawQuery = query.Encode()
		resp, err := http.Get(to.String())
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	const evil = "\x1b]52;c;x\a<script>alert(1)</script>"
	for _, test := range []struct {
		name string
		come func(to *url.URL, state string) (status int, page string)
		want string
		kind resolver.FailureKind
	}{
		{"another issuer", func(to *url.URL, state string) (int, string) {
			return get(to, url.Values{"state": {state}, "code": {"x"}, "iss": {"https://evil.example"}})
		}, "the answer of another provider", resolver.KindLogin},
		{"no issuer", func(to *url.URL, state string) (int, string) {
			return get(to, url.Values{"state": {state}, "code": {"x"}})
		}, "the answer of another provider", resolver.KindLogin},
		{"refused", func(to *url.URL, state string) (int, string) {
			return get(to, url.Values{"state": {state}, "iss": {p.URL}, "error": {"access_denied"}, "error_description": {evil}})
		}, "refused it (access_denied:", resolver.KindLogin},
		{"an odd error", func(to *url.URL, state string) (int, string) {
			return get(to, url.Values{"state": {state}, "iss": {p.URL}, "error": {evil}})
		}, "refused it", resolver.KindRefused},
		{"no code", func(to *url.URL, state string) (int, string) {
			return get(to, url.Values{"state": {state}, "iss": {p.URL}})
		}, "without a code", resolver.KindLogin},
		{"a code that is none", func(to *url.URL, state string) (int, string) {
			return get(to, url.Values{"state": {state}, "iss": {p.URL}, "code": {"made-up"}})
		}, "invalid_grant", resolver.KindLogin},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHouse(t)
			var to *url.URL
			var status int
			var page string
			who := &person{t: t}
			who.visit = func(address string) {
				var state string
				to, state = redirect(address)
				if s, _ := get(&url.URL{Scheme: "http", Host: to.Host, Path: "/favicon.ico"}, nil); s != http.StatusNotFound {
					t.Errorf("another path: %d", s)
				}
				status, page = test.come(to, state)
			}
			_, err := h.work(p).Token(t.Context(), "work", who, resolver.Person)
			open := fails(t, err, test.kind)
			if !strings.Contains(open.Summary, test.want) || open.Hint == "" {
				t.Errorf("%q, hint %q", open.Summary, open.Hint)
			}
			who.browsing.Wait()
			if status != http.StatusBadRequest || !strings.Contains(page, "You are not logged in") || strings.Contains(page, "script>") {
				t.Errorf("the browser shows %d %s", status, page)
			}
			noListener(t, to.String())
			unlocked(t, h, p)
			if files, _ := filepath.Glob(filepath.Join(h.dir, "tokens", "*")); len(files) != 0 {
				t.Errorf("left behind: %q", files)
			}
		})
	}
	// What another login's tab brings, or any page that sends a browser here, ends nothing.
	t.Run("not ours", func(t *testing.T) {
		h := newHouse(t)
		who := &person{t: t}
		who.visit = func(address string) {
			to, _ := redirect(address)
			for _, state := range []string{"", "guessed"} {
				status, page := get(to, url.Values{"state": {state}, "iss": {p.URL}, "code": {"x"}})
				if status != http.StatusBadRequest || !strings.Contains(page, "not the login that ambit is waiting for") {
					t.Errorf("the browser shows %d %s", status, page)
				}
			}
			who.browse(address)
		}
		if _, err := h.work(p).Token(t.Context(), "work", who, resolver.Person); err != nil {
			t.Error(err)
		}
		who.browsing.Wait()
	})
	t.Run("second", func(t *testing.T) {
		h := newHouse(t)
		who := &person{t: t}
		second := make(chan int, 1)
		who.visit = func(address string) {
			to, state := redirect(address)
			zero := 0
			slow := 700
			p.Set(t, oidctest.Knobs{Slow: &slow}) // the first is still being answered when the second comes
			defer p.Set(t, oidctest.Knobs{Slow: &zero})
			go func() {
				time.Sleep(200 * time.Millisecond)
				s, _ := get(to, url.Values{"state": {state}, "iss": {p.URL}, "code": {"replayed"}})
				second <- s
			}()
			get(to, url.Values{"state": {state}, "iss": {p.URL}, "code": {"first"}})
		}
		_, err := h.work(p).Token(t.Context(), "work", who, resolver.Person)
		fails(t, err, resolver.KindLogin)
		who.browsing.Wait()
		if s := <-second; s != http.StatusGone {
			t.Errorf("the second callback got %d", s)
		}
	})
}

// unlocked says whether the login's lock can be had.
func unlocked(t *testing.T, h *house, p *oidctest.Provider) {
	t.Helper()
	l, err := h.work(p).login("work")
	if err != nil {
		t.Fatal(err)
	}
	unlock, held := h.cache.TryLock(l.lockKey())
	if !held {
		t.Error("the lock is still held")
		return
	}
	unlock()
}

// The person says no at the provider, and the browser tells.
func TestLoginRefused(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t, oidctest.Knobs{Person: "refuses"})
	h := newHouse(t)
	who := &person{t: t}
	_, err := h.work(p).Token(t.Context(), "work", who, resolver.Person)
	open := fails(t, err, resolver.KindLogin)
	if !strings.Contains(open.Summary, "access_denied: the person said no") {
		t.Errorf("%q", open.Summary)
	}
	if status, page, _ := who.seen(); status != http.StatusBadRequest || !strings.Contains(page, "You are not logged in") {
		t.Errorf("the browser shows %d %s", status, page)
	}
}

// A browser that never comes back, and Ctrl-C.
func TestLoginAbandoned(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t, oidctest.Knobs{Person: "absent"})
	h := newHouse(t)
	who := &person{t: t}
	gaveUp := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	var address string
	who.visit = func(a string) {
		u, _ := url.Parse(a)
		address = u.Query().Get("redirect_uri")
		who.browse(a)
		cancel(gaveUp)
	}
	start := time.Now()
	if _, err := h.work(p).Token(ctx, "work", who, resolver.Person); !errors.Is(err, gaveUp) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	who.browsing.Wait()
	noListener(t, address)
	unlocked(t, h, p)
	for _, device := range []bool{false, true} {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errAbandoned)
		l, _ := h.work(p).login("work")
		_, _, err := h.work(p).interact(ctx, l, &idle{person: person{t: t, device: device}})
		cancel()
		if open := fails(t, err, resolver.KindLogin); !strings.Contains(open.Summary, "nobody has logged in within 5 minutes") {
			t.Errorf("%q", open.Summary)
		}
	}
}

// idle is a person who does nothing.
type idle struct{ person }

func (*idle) Visit(context.Context, string, string) error         { return nil }
func (*idle) Enter(context.Context, string, string, string) error { return nil }

// A fixed port that somebody else has.
func TestRedirectPort(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t, oidctest.Knobs{})
	h := newHouse(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	login := map[string]Login{"work": {Issuer: p.URL, ClientID: oidctest.ClientID, RedirectPort: port}}
	_, err = h.keeper(login).Token(t.Context(), "work", &person{t: t}, resolver.Person)
	if open := fails(t, err, resolver.KindLogin); !strings.Contains(open.Summary, fmt.Sprintf("port %d", port)) || !strings.Contains(open.Summary, "in use") {
		t.Errorf("%q", open.Summary)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	who := &person{t: t}
	var redirect string
	who.visit = func(address string) {
		u, _ := url.Parse(address)
		redirect = u.Query().Get("redirect_uri")
		who.browse(address)
	}
	if _, err := h.keeper(login).Token(t.Context(), "work", who, resolver.Person); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("http://127.0.0.1:%d/callback", port); redirect != want {
		t.Errorf("the redirect is %q, want %q", redirect, want)
	}
}

// Two logins of one directory that come back to the same port.
func TestSameRedirectPort(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t, oidctest.Knobs{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	k := newHouse(t).keeper(map[string]Login{
		"one": {Issuer: p.URL, ClientID: oidctest.ClientID, RedirectPort: port},
		"two": {Issuer: p.URL, ClientID: "another", RedirectPort: port},
	})
	var all sync.WaitGroup
	for name := range k.Logins {
		all.Go(func() {
			who := &person{t: t}
			who.visit = func(address string) {
				time.Sleep(500 * time.Millisecond) // a person is slower
				who.browse(address)
			}
			if _, err := k.Token(t.Context(), name, who, resolver.Person); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// The network is gone for a moment while the person enters the code.
func TestDeviceThroughAnOutage(t *testing.T) {
	t.Parallel()
	s := newHostile(t)
	s.device = `{"device_code":"secret-d","user_code":"A","verification_uri":"https://login.example.com/device","interval":1,"expires_in":60}`
	asked := 0
	s.token = func(w http.ResponseWriter, id string) {
		switch asked++; asked {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			panic(http.ErrAbortHandler) // the connection breaks
		default:
			answerTokens(w, id)
		}
	}
	k := newHouse(t).keeper(map[string]Login{"work": {Issuer: s.URL, ClientID: "ambit"}})
	if _, err := k.Token(t.Context(), "work", &idle{person{t: t, device: true}}, resolver.Person); err != nil || asked != 3 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	// A code that nobody enters ends.
	s.device = strings.Replace(s.device, `"expires_in":60`, `"expires_in":2`, 1)
	s.token = func(w http.ResponseWriter, _ string) { w.WriteHeader(http.StatusServiceUnavailable) }
	k = newHouse(t).keeper(k.Logins)
	_, err := k.Token(t.Context(), "work", &idle{person{t: t, device: true}}, resolver.Person)
	if open := fails(t, err, resolver.KindLogin); !strings.Contains(open.Summary, "nobody has entered the code in time") {
		t.Errorf("%q", open.Summary)
	}
}

// Many terminals and many opens at once: one tab, one login.
func TestOneTab(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t, oidctest.Knobs{})
	h := newHouse(t)
	first := &person{t: t}
	release := make(chan struct{})
	first.visit = func(address string) { <-release; first.browse(address) }
	keepers := []*Keeper{h.work(p), h.work(p), h.work(p)}
	people := []*person{first, {t: t}, {t: t}}
	tokens := make(chan string, 9)
	var all sync.WaitGroup
	for i := range keepers {
		for range 3 {
			all.Go(func() {
				token, err := keepers[i].Token(t.Context(), "work", people[i], resolver.Person)
				if err != nil {
					t.Error(err)
				}
				tokens <- string(token)
			})
		}
		for i == 0 && visits(first) == 0 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	// All of them wait by now.
	for _, who := range people[1:] {
		for {
			who.mu.Lock()
			said := strings.Join(who.said, "\n")
			who.mu.Unlock()
			if strings.Contains(said, "waiting for the login in another terminal") {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	close(release)
	all.Wait()
	close(tokens)
	one := <-tokens
	for token := range tokens {
		if token != one || token == "" {
			t.Error("not all got the same token")
		}
	}
	for i, who := range people {
		want := 0
		if i == 0 {
			want = 1
		}
		if visits(who) != want {
			t.Errorf("terminal %d opened %d tabs", i, visits(who))
		}
	}
	if n := p.Calls(t)["GET /auth"]; n != 1 {
		t.Errorf("%d authorization requests", n)
	}
}

func visits(p *person) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.visits
}
