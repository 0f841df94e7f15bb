package oidc

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/cache"
	"ambit/resolver/oidc/oidctest"
)

// person answers as a person would, with a browser.
type person struct {
	t      *testing.T
	device bool
	visit  func(address string) // nil: the browser follows the address

	mu       sync.Mutex
	visits   int
	said     []string
	page     string
	status   int
	browsing sync.WaitGroup
}

func (p *person) Visit(_ context.Context, _, address string) error {
	p.mu.Lock()
	p.visits++
	p.mu.Unlock()
	p.browsing.Add(1)
	go func() {
		defer p.browsing.Done()
		if p.visit != nil {
			p.visit(address)
			return
		}
		p.browse(address)
	}()
	return nil
}

// browse opens an address and notes what it shows in the end.
func (p *person) browse(address string) {
	status, page, err := oidctest.Browse(address)
	if err != nil {
		p.t.Errorf("the browser: %v", err)
	}
	p.mu.Lock()
	p.status, p.page = status, page
	p.mu.Unlock()
}

func (p *person) Enter(_ context.Context, _, address, code string) error {
	p.browsing.Add(1)
	go func() {
		defer p.browsing.Done()
		if err := oidctest.EnterCode(address, code); err != nil {
			p.t.Errorf("the browser: %v", err)
		}
	}()
	return nil
}

func (p *person) Device() bool { return p.device }

func (p *person) MFA(context.Context, string) (string, error) { return "", errors.New("not asked for") }

func (p *person) Say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, text)
}

func (p *person) seen() (status int, page string, said []string) {
	p.browsing.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status, p.page, p.said
}

// ring is a keyring in memory.
type ring struct {
	mu      sync.Mutex
	secrets map[string]string
	hangs   chan struct{} // nil: it answers
}

func newRing() *ring { return &ring{secrets: map[string]string{}} }

func (r *ring) do(f func() error) error {
	if r.hangs != nil {
		<-r.hangs
		return errors.New("too late")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return f()
}

func (r *ring) Get(user string) (s string, err error) {
	err = r.do(func() error {
		var ok bool
		if s, ok = r.secrets[user]; !ok {
			return ErrNotInKeyring
		}
		return nil
	})
	return s, err
}

func (r *ring) Set(user, secret string) error {
	return r.do(func() error { r.secrets[user] = secret; return nil })
}

func (r *ring) Delete(user string) error {
	return r.do(func() error {
		if _, ok := r.secrets[user]; !ok {
			return ErrNotInKeyring
		}
		delete(r.secrets, user)
		return nil
	})
}

// house is a user's cache and state.
type house struct {
	t     *testing.T
	dir   string
	cache *cache.Dir
	ring  *ring // nil: none

	mu    sync.Mutex
	later time.Duration // the clock is ahead by
}

func newHouse(t *testing.T) *house {
	t.Helper()
	dir := t.TempDir()
	c, err := cache.Open(filepath.Join(dir, "cache"), uid())
	if err != nil {
		t.Fatal(err)
	}
	return &house{t: t, dir: dir, cache: c}
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().Add(h.later)
}

// wait lets time pass, here and at the provider.
func (h *house) wait(p *oidctest.Provider, d time.Duration) {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.later += d
	p.Set(h.t, oidctest.Knobs{Later: int(h.later / time.Second)})
}

// keeper is that of another process: it shares nothing with others but the disk and
// the keyring. Its renewals elsewhere are made by yet another.
func (h *house) keeper(logins map[string]Login) *Keeper {
	o := Options{Logins: logins, Config: "~/.config/ambit/config.yaml", Cache: h.cache, Dir: filepath.Join(h.dir, "tokens"), UID: uid(), Now: h.now}
	if h.ring != nil {
		o.Keyring = h.ring
	}
	o.RenewElsewhere = func(_ context.Context, name string) ([]byte, error) {
		other := o
		other.RenewElsewhere = nil
		return New(other).Renewal(context.Background(), name), nil
	}
	return New(o)
}

func (h *house) work(p *oidctest.Provider) *Keeper {
	return h.keeper(map[string]Login{"work": {Issuer: p.URL, ClientID: oidctest.ClientID}})
}

// loggedIn has a person log in.
func (h *house) loggedIn(p *oidctest.Provider) {
	h.t.Helper()
	if _, err := h.work(p).Token(h.t.Context(), "work", &person{t: h.t}, resolver.Person); err != nil {
		h.t.Fatal(err)
	}
}

// fails wants an error of a kind, and returns it.
func fails(t *testing.T, err error, kind resolver.FailureKind) *resolver.OpenError {
	t.Helper()
	var open *resolver.OpenError
	if !errors.As(err, &open) || open.Kind != kind {
		t.Fatalf("got %v, want an error of kind %q", err, kind)
	}
	return open
}

func noListener(t *testing.T, address string) {
	t.Helper()
	if resp, err := (&http.Client{Timeout: time.Second}).Get(address); err == nil {
		_ = resp.Body.Close()
		t.Errorf("something still listens at %s", address)
	}
}
