package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/oidc/oidctest"
)

// kept is the one record in a house.
func (h *house) kept() string {
	h.t.Helper()
	files, err := filepath.Glob(filepath.Join(h.dir, "tokens", "*.json"))
	if err != nil || len(files) != 1 {
		h.t.Fatalf("kept are %q: %v", files, err)
	}
	return files[0]
}

func (h *house) read(path string) string {
	h.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b)
}

const grantCount, refusedCount = "grant refresh_token", "refused refresh_token"

// Refresh tokens that rotate: one process renews, the others take what it got.
func TestRenewOnce(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t, oidctest.Knobs{})
	h := newHouse(t)
	h.loggedIn(p)
	killed := filepath.Join(filepath.Dir(h.kept()), ".new-0123456789abcdef") // by a writer that was
	if err := os.WriteFile(killed, []byte("a token"), 0o600); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := os.Stat(killed); err == nil {
			t.Error("what a killed writer left is still there")
		}
	}()
	for round := 1; round <= 3; round++ {
		h.wait(p, time.Hour)
		before := h.read(h.kept())
		var all sync.WaitGroup
		tokens := make(chan string, 20)
		for i := range 20 {
			all.Go(func() {
				patience := []resolver.Patience{resolver.AtPrompt, resolver.Detached, resolver.Person}[i%3]
				token, err := h.work(p).Token(t.Context(), "work", nil, patience)
				if err != nil {
					t.Errorf("round %d: %v", round, err)
				}
				tokens <- string(token)
			})
		}
		all.Wait()
		close(tokens)
		one := <-tokens
		for token := range tokens {
			if token != one || token == "" {
				t.Fatalf("round %d: not all got the same token", round)
			}
		}
		if h.read(h.kept()) == before {
			t.Errorf("round %d: the refresh token was not replaced", round)
		}
		if c := p.Calls(t); c[grantCount] != round || c[refusedCount] != 0 {
			t.Errorf("round %d: %v", round, c)
		}
	}
	info, err := os.Stat(h.kept())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if info, err = os.Stat(filepath.Dir(h.kept())); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// A prompt reads no refresh token and asks no keyring: only another process does.
func TestPromptReadsNothing(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t, oidctest.Knobs{})
	h := newHouse(t)
	h.loggedIn(p)
	h.wait(p, time.Hour)
	k := h.work(p)
	asked := 0
	elsewhere := k.RenewElsewhere
	k.RenewElsewhere = func(ctx context.Context, name string) ([]byte, error) { asked++; return elsewhere(ctx, name) }
	k.Dir = filepath.Join(h.dir, "seen")
	if err := os.Mkdir(k.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// A FIFO: who reads it waits or fails.
	if err := os.Symlink("/dev/zero", filepath.Join(k.Dir, filepath.Base(h.kept()))); err != nil {
		t.Fatal(err)
	}
	hanging := make(chan struct{})
	defer close(hanging)
	k.keyring = &bounded{ring: &ring{hangs: hanging}}
	start := time.Now()
	if _, err := k.Token(t.Context(), "work", nil, resolver.AtPrompt); err != nil || asked != 1 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	if k.keyring.mute {
		t.Error("the keyring was asked")
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	// Where nothing can renew for it, or it takes too long.
	h.wait(p, time.Hour)
	k = h.work(p)
	k.RenewElsewhere = nil
	_, err := k.Token(t.Context(), "work", nil, resolver.AtPrompt)
	fails(t, err, resolver.KindLogin)
	k.RenewElsewhere = func(ctx context.Context, _ string) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = k.Token(ctx, "work", nil, resolver.AtPrompt)
	if open := fails(t, err, resolver.KindNetwork); !strings.Contains(open.Summary, "still being renewed") {
		t.Errorf("%q", open.Summary)
	}
	for _, printed := range []string{"", "{}", "garbage", `{"key":"another","idToken":"x"}`} {
		k.RenewElsewhere = func(context.Context, string) ([]byte, error) { return []byte(printed), nil }
		var open *resolver.OpenError
		if _, err = k.Token(t.Context(), "work", nil, resolver.AtPrompt); !errors.As(err, &open) {
			t.Errorf("%q: %v", printed, err)
		}
	}
}

// The provider has ended the login: once it is asked, from then on nobody is.
func TestEnded(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t, oidctest.Knobs{})
	h := newHouse(t)
	h.loggedIn(p)
	path := h.kept()
	old := h.read(path)
	h.wait(p, time.Hour)
	if _, err := h.work(p).Token(t.Context(), "work", nil, resolver.Detached); err != nil {
		t.Fatal(err)
	}
	// Somebody uses the spent token: the provider ends the whole login.
	if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	h.wait(p, time.Hour)
	_, err := h.work(p).Token(t.Context(), "work", nil, resolver.AtPrompt)
	open := fails(t, err, resolver.KindLogin)
	if !strings.Contains(open.Summary, "has ended it (invalid_grant") || open.Hint != `run "ambit login work"` {
		t.Errorf("%q, %q", open.Summary, open.Hint)
	}
	before := fmt.Sprint(p.Calls(t))
	_, err = h.work(p).Token(t.Context(), "work", nil, resolver.Detached)
	if open := fails(t, err, resolver.KindLogin); open.Summary != `not logged in to "work"` {
		t.Errorf("%q", open.Summary)
	}
	if after := fmt.Sprint(p.Calls(t)); after != before {
		t.Errorf("the provider was asked again: %s, before %s", after, before)
	}
	// A login mends it.
	if _, err := h.work(p).Token(t.Context(), "work", &person{t: t}, resolver.Person); err != nil {
		t.Error(err)
	}
}

// A person who logs in is let in, whatever the provider has against the old refresh
// token and whoever that was: only a login mends it.
func TestLoginMendsARefusedRenewal(t *testing.T) {
	t.Parallel()
	refuse := func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"invalid_request","error_description":"no such session"}`)
	}
	for name, set := range map[string]func(s *hostile){
		"refused":  func(s *hostile) { s.token = refuse },
		"somebody": func(s *hostile) { s.claims = func(c map[string]any) { c["sub"] = "bob" } },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newHostile(t)
			logins := map[string]Login{"work": {Issuer: s.URL, ClientID: "ambit"}}
			h := newHouse(t)
			k := h.keeper(logins)
			if _, err := k.Token(t.Context(), "work", &person{t: t}, resolver.Person); err != nil {
				t.Fatal(err)
			}
			if err := k.dropAlive(logins["work"].key()); err != nil {
				t.Fatal(err)
			}
			set(s)
			_, err := h.keeper(logins).Token(t.Context(), "work", nil, resolver.Detached)
			fails(t, err, resolver.KindRefused)
			who := &person{t: t}
			who.visit = func(address string) {
				s.token = nil
				who.browse(address)
			}
			if _, err := h.keeper(logins).Token(t.Context(), "work", who, resolver.Person); err != nil || visits(who) != 1 {
				t.Errorf("%d visits: %v", visits(who), err)
			}
		})
	}
}

// A keyring that stopped answering when the token was renewed, and answers again at
// the logout: nothing is left in it.
func TestLogoutEmptiesTheKeyring(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t, oidctest.Knobs{})
	h := newHouse(t)
	h.ring = newRing()
	h.loggedIn(p)
	l, _ := h.work(p).login("work")
	mute := h.work(p)
	mute.keyring.mute = true
	if err := mute.keep(l, &idToken{subject: "alice"}, "renewed", nil); err != nil {
		t.Fatal(err)
	}
	if len(h.ring.secrets) != 1 {
		t.Fatalf("the keyring holds %d secrets", len(h.ring.secrets))
	}
	if _, err := h.work(p).Logout(t.Context(), "work"); err != nil {
		t.Fatal(err)
	}
	if len(h.ring.secrets) != 0 {
		t.Error("a refresh token is left in the keyring")
	}
}

// Where there are no locks, two may renew at once: who comes second does not end the
// login of the first.
func TestRenewedMeanwhile(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t, oidctest.Knobs{})
	h := newHouse(t)
	h.loggedIn(p)
	l, _ := h.work(p).login("work")
	_, grant, err := h.work(p).stored(l)
	if err != nil {
		t.Fatal(err)
	}
	h.wait(p, time.Hour)
	want, err := h.work(p).Token(t.Context(), "work", nil, resolver.Detached)
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.work(p).ended(l, grant, notLoggedIn(l))
	if err != nil || got.raw != string(want) {
		t.Errorf("%v", err)
	}
}

// Trouble on the way is no end of a login.
func TestProviderDown(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	p := oidctest.Start(t, oidctest.Knobs{})
	h := newHouse(t)
	h.loggedIn(p)
	h.wait(p, time.Hour)
	p.Set(t, oidctest.Knobs{Down: &yes})
	_, err := h.work(p).Token(t.Context(), "work", nil, resolver.AtPrompt)
	if open := fails(t, err, resolver.KindNetwork); !strings.Contains(open.Summary, "503 Service Unavailable") {
		t.Errorf("%q", open.Summary)
	}
	// A person who logs in is not sent to a provider that is down.
	who := &person{t: t}
	_, err = h.work(p).Token(t.Context(), "work", who, resolver.Person)
	fails(t, err, resolver.KindNetwork)
	if visits(who) != 0 {
		t.Error("a tab was opened")
	}
	p.Set(t, oidctest.Knobs{Down: &no})
	if _, err := h.work(p).Token(t.Context(), "work", nil, resolver.AtPrompt); err != nil {
		t.Error(err)
	}
}

// What was asked for is another login after an edit of config.yaml.
func TestEditedLogin(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t, oidctest.Knobs{})
	h := newHouse(t)
	h.loggedIn(p)
	k := h.keeper(map[string]Login{"work": {Issuer: p.URL, ClientID: "another"}, "renamed": {Issuer: p.URL, ClientID: oidctest.ClientID}})
	_, err := k.Token(t.Context(), "work", nil, resolver.AtPrompt)
	fails(t, err, resolver.KindLogin)
	if _, err := k.Token(t.Context(), "renamed", nil, resolver.AtPrompt); err != nil {
		t.Error(err)
	}
}

func TestKeyring(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t, oidctest.Knobs{})
	h := newHouse(t)
	h.ring = newRing()
	who := &person{t: t}
	if _, err := h.work(p).Token(t.Context(), "work", who, resolver.Person); err != nil {
		t.Fatal(err)
	}
	if _, _, said := who.seen(); len(said) != 0 {
		t.Errorf("said %q", said)
	}
	if text := h.read(h.kept()); strings.Contains(text, "refreshToken") || len(h.ring.secrets) != 1 {
		t.Errorf("the record is %s, the keyring holds %d secrets", text, len(h.ring.secrets))
	}
	h.wait(p, time.Hour)
	if _, err := h.work(p).Token(t.Context(), "work", nil, resolver.AtPrompt); err != nil {
		t.Fatal(err)
	}
	// A keyring that does not answer is waited for as long as it may, and not more.
	h.wait(p, time.Hour)
	hanging := make(chan struct{})
	defer close(hanging)
	secrets := h.ring.secrets
	h.ring = &ring{hangs: hanging}
	start := time.Now()
	_, err := h.work(p).Token(t.Context(), "work", nil, resolver.Detached)
	if open := fails(t, err, resolver.KindNetwork); !strings.Contains(open.Summary, "keyring") {
		t.Errorf("%q", open.Summary)
	}
	if took := time.Since(start); took > 2*keyringTime {
		t.Errorf("it took %v", took)
	}
	if _, err := h.work(p).Logout(t.Context(), "work"); !errors.Is(err, errKeyring) {
		t.Errorf("logged out of what cannot be deleted: %v", err)
	}
	// A login goes on without it, and says where the token is.
	who = &person{t: t}
	if _, err := h.work(p).Token(t.Context(), "work", who, resolver.Person); err != nil {
		t.Fatal(err)
	}
	if _, _, said := who.seen(); len(said) != 1 || !strings.Contains(said[0], "no keyring") {
		t.Errorf("said %q", said)
	}
	if text := h.read(h.kept()); !strings.Contains(text, "refreshToken") {
		t.Errorf("the record is %s", text)
	}
	// It answers again: the token moves back, and the file loses it.
	h.ring = &ring{secrets: secrets}
	h.wait(p, time.Hour)
	if _, err := h.work(p).Token(t.Context(), "work", nil, resolver.Detached); err != nil {
		t.Fatal(err)
	}
	if text := h.read(h.kept()); strings.Contains(text, "refreshToken") {
		t.Errorf("the record is %s", text)
	}
	// A login that somebody deleted from the keyring is none.
	clear(h.ring.secrets)
	h.wait(p, time.Hour)
	_, err = h.work(p).Token(t.Context(), "work", nil, resolver.Detached)
	fails(t, err, resolver.KindLogin)
}

// A damaged, foreign or unreadable record is no login, and no riddle.
func TestRecord(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t, oidctest.Knobs{})
	h := newHouse(t)
	h.loggedIn(p)
	path := h.kept()
	good := h.read(path)
	if err := h.cache.DropEntries(); err != nil {
		t.Fatal(err)
	}
	l, _ := h.work(p).login("work")
	if err := h.cache.DropOpened(l.cacheKey()); err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func() error{
		"empty":    func() error { return os.WriteFile(path, nil, 0o600) },
		"cut":      func() error { return os.WriteFile(path, []byte(good[:len(good)/2]), 0o600) },
		"foreign":  func() error { return os.WriteFile(path, []byte(`{"version":9}`), 0o600) },
		"readable": func() error { return os.Chmod(path, 0o644) },
		"a directory": func() error {
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
		},
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		_, err := h.work(p).Token(t.Context(), "work", nil, resolver.Detached)
		if open := fails(t, err, resolver.KindLogin); open.Hint != `run "ambit login work"` {
			t.Errorf("%s: %q, %q", name, open.Summary, open.Hint)
		}
		if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, []byte(good), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.work(p).Token(t.Context(), "work", nil, resolver.Detached); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// A provider that gives no refresh token, and a disk that keeps nothing: the login
// serves for as long as its ID token, and that is said.
func TestShortLogin(t *testing.T) {
	t.Parallel()
	no := false
	p := oidctest.Start(t, oidctest.Knobs{RefreshTokens: &no})
	h := newHouse(t)
	who := &person{t: t}
	if _, err := h.work(p).Token(t.Context(), "work", who, resolver.Person); err != nil {
		t.Fatal(err)
	}
	if _, _, said := who.seen(); len(said) != 1 || !strings.Contains(said[0], "no refresh token") {
		t.Errorf("said %q", said)
	}
	h.wait(p, time.Hour)
	_, err := h.work(p).Token(t.Context(), "work", nil, resolver.AtPrompt)
	fails(t, err, resolver.KindLogin)

	yes := true
	p.Set(t, oidctest.Knobs{RefreshTokens: &yes})
	k := h.work(p)
	k.Dir = filepath.Join(h.dir, "file", "tokens")
	if err := os.WriteFile(filepath.Join(h.dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	who = &person{t: t}
	if _, err := k.Token(t.Context(), "work", who, resolver.Person); err != nil {
		t.Fatal(err)
	}
	if _, _, said := who.seen(); len(said) != 1 || !strings.Contains(said[0], "cannot be kept") {
		t.Errorf("said %q", said)
	}
	if _, err := k.Token(t.Context(), "work", nil, resolver.AtPrompt); err != nil {
		t.Error(err)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	p := oidctest.Start(t, oidctest.Knobs{})
	for _, withRing := range []bool{false, true} {
		h := newHouse(t)
		if withRing {
			h.ring = newRing()
		}
		h.loggedIn(p)
		l, _ := h.work(p).login("work")
		_, grant, err := h.work(p).stored(l)
		if err != nil {
			t.Fatal(err)
		}
		ended, err := h.work(p).Logout(t.Context(), "work")
		if err != nil || !ended.Had || ended.Trouble != nil || !strings.HasPrefix(ended.Account, "alice") {
			t.Errorf("%+v, %v", ended, err)
		}
		_, err = h.work(p).Token(t.Context(), "work", nil, resolver.Detached)
		fails(t, err, resolver.KindLogin)
		if h.ring != nil && len(h.ring.secrets) != 0 {
			t.Error("the keyring still has it")
		}
		if files, _ := filepath.Glob(filepath.Join(h.dir, "tokens", "*")); len(files) > 1 {
			t.Errorf("left behind: %q", files)
		}
		// The provider takes it no more.
		before := p.Calls(t)[refusedCount]
		if err := h.work(p).keep(l, &idToken{subject: "alice"}, grant, nil); err != nil {
			t.Fatal(err)
		}
		_, err = h.work(p).Token(t.Context(), "work", nil, resolver.Detached)
		fails(t, err, resolver.KindLogin)
		if p.Calls(t)[refusedCount] != before+1 {
			t.Error("the provider was not asked")
		}
		if ended, err = h.work(p).Logout(t.Context(), "work"); err != nil || ended.Had {
			t.Errorf("again: %+v, %v", ended, err)
		}
	}
	// A provider that is down is no reason to stay logged in here.
	h := newHouse(t)
	h.loggedIn(p)
	p.Set(t, oidctest.Knobs{Down: &yes})
	ended, err := h.work(p).Logout(t.Context(), "work")
	if err != nil || !ended.Had || ended.Trouble == nil {
		t.Errorf("%+v, %v", ended, err)
	}
	p.Set(t, oidctest.Knobs{Down: &no})
	_, err = h.work(p).Token(t.Context(), "work", nil, resolver.Detached)
	fails(t, err, resolver.KindLogin)
	// One that is gone from config.yaml can be ended by the name that it had.
	h.loggedIn(p)
	k := h.keeper(nil)
	if names, err := k.Names(); err != nil || fmt.Sprint(names) != "[work]" {
		t.Errorf("names are %q: %v", names, err)
	}
	if ended, err := k.Logout(t.Context(), "work"); err != nil || !ended.Had || ended.Trouble != nil {
		t.Errorf("%+v, %v", ended, err)
	}
	if _, err := k.Logout(t.Context(), "work"); err == nil {
		t.Error("a login that is nowhere was ended")
	}
}
