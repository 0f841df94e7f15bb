// Package oidc keeps logins at OpenID providers, so that AWS roles can be assumed
// with the ID tokens of a person who has logged in once.
//
// [Keeper.Token] is what most callers want: it returns a verified ID token that
// is alive. If there is none it renews the login with its refresh token, or, if a
// person can be asked, sends them to the provider: by authorization code with
// PKCE on a loopback address, or by a code that is entered on another device.
// [Keeper.Logout] ends a login.
//
// ID tokens lie in the cache. A refresh token lies in the keyring of the operating
// system if that answers in time, else in a private file; a prompt never reads
// it: it has another process renew the login and waits for what that prints. Many
// providers accept a refresh token once, so one process renews, under a lock, and
// the others take what it got.
//
// No error text holds a token, a code or bytes as they came from outside.
package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"ambit/resolver"
	"ambit/resolver/cache"
)

// loginTime is how long a person may take to log in, renewTime how long one
// renewal may take.
const (
	loginTime = 5 * time.Minute
	renewTime = 20 * time.Second
)

// Login is a login as the user configured it: a public client of a provider.
type Login struct {
	Issuer       string   // as the provider spells it; https, or http on the loopback interface
	ClientID     string   // the audience of its ID tokens
	Scopes       []string // nil: openid and offline_access
	RedirectPort int      // of the loopback redirect; 0: any free one
}

// key names a login by what it is and not by what it is called, so that an edit
// makes another one: 32 hexadecimal digits.
func (l Login) key() string {
	b, err := json.Marshal([]any{l.Issuer, l.ClientID, l.scopes()})
	if err != nil {
		panic(err) // strings and lists of them
	}
	sum := sha256.Sum256(append([]byte("ambit oidc 1\n"), b...))
	return hex.EncodeToString(sum[:16])
}

func (l Login) scopes() []string {
	if l.Scopes == nil {
		return []string{"openid", "offline_access"}
	}
	return l.Scopes
}

// Options are what a [Keeper] needs from its program.
type Options struct {
	Logins map[string]Login // by name
	Config string           // path of the settings that they stand in, for messages
	Cache  *cache.Dir       // keeps ID tokens and has the locks; nil keeps nothing
	Dir    string           // private directory for what has to last; "" keeps nothing
	UID    int
	Now    func() time.Time

	// Keyring is the operating system's; nil if there is none.
	Keyring Keyring

	// RenewElsewhere has another process, without a terminal, print what
	// [Keeper.Renewal] returns for a login. Nil: a person waits for renewals in this
	// process, and a prompt for none.
	RenewElsewhere func(ctx context.Context, name string) ([]byte, error)
}

// Keeper keeps logins. Its methods may be called concurrently.
type Keeper struct {
	Options
	keyring *bounded

	mu    sync.Mutex
	turns map[string]chan struct{} // by key: what this process does with a login, it does once
	tab   chan struct{}            // a person does one login at a time: two may want the same redirectPort
	live  map[string]*idToken      // by key: serves where there is no cache
}

// New returns a keeper.
func New(o Options) *Keeper {
	return &Keeper{Options: o, keyring: &bounded{ring: o.Keyring}, turns: map[string]chan struct{}{}, tab: make(chan struct{}, 1), live: map[string]*idToken{}}
}

// UnknownLoginError is the error for a login that is not configured.
type UnknownLoginError struct{ Name string }

func (e *UnknownLoginError) Error() string { return fmt.Sprintf("there is no login %q", e.Name) }

// Key says what a login is: another text once its issuer, client or scopes have
// changed. Of one that is not configured it is the name.
func (k *Keeper) Key(name string) string {
	if l, ok := k.Logins[name]; ok {
		return l.key()
	}
	return name
}

// named is a login with its name.
type named struct {
	Login
	name string
	key  string
}

func (k *Keeper) login(name string) (named, error) {
	l, ok := k.Logins[name]
	if ok {
		return named{l, name, l.key()}, nil
	}
	err, where := &UnknownLoginError{name}, k.Config
	if where == "" {
		where = "config.yaml"
	}
	names := make([]string, 0, len(k.Logins))
	for n := range k.Logins {
		names = append(names, n)
	}
	hint := fmt.Sprintf("add logins: {%s: {issuer: URL, clientId: ID}} to your config.yaml", name)
	if near := resolver.Nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return named{}, &resolver.OpenError{Kind: resolver.KindDefinition, Summary: err.Error() + " in " + where, Hint: hint, Err: err}
}

// Token returns an ID token of a login that is alive: a JWT whose signature,
// issuer, audience, nonce and times were verified when it came. With an asker a
// person logs in if that is necessary. An error is an [*resolver.OpenError], of
// [resolver.KindLogin] if only a person can help, that wraps an
// [*UnknownLoginError] if there is no such login; or ctx's.
func (k *Keeper) Token(ctx context.Context, name string, asker resolver.Asker, patience resolver.Patience) ([]byte, error) {
	l, err := k.login(name)
	if err != nil {
		return nil, err
	}
	release, err := k.turn(ctx, l)
	if err != nil {
		return nil, err
	}
	defer release()
	if t := k.alive(l); t != nil {
		return []byte(t.raw), nil
	}
	var t *idToken
	switch {
	case asker != nil:
		t, err = k.logIn(ctx, l, asker)
	case patience == resolver.Detached, patience == resolver.Person && k.RenewElsewhere == nil:
		t, err = k.renew(ctx, l)
	case k.RenewElsewhere == nil || !k.isKept(l):
		return nil, notLoggedIn(l)
	default:
		t, err = k.renewElsewhere(ctx, l)
	}
	if err != nil {
		return nil, err
	}
	return []byte(t.raw), nil
}

func notLoggedIn(l named) error { return needed(l, fmt.Sprintf("not logged in to %q", l.name), nil) }

// needed is the error that only a person can help with.
func needed(l named, summary string, err error) error {
	return &resolver.OpenError{Kind: resolver.KindLogin, Summary: summary, Hint: fmt.Sprintf(`run "ambit login %s"`, l.name), Err: err}
}

// turn waits until nothing else in this process works on a login.
func (k *Keeper) turn(ctx context.Context, l named) (release func(), err error) {
	k.mu.Lock()
	c := k.turns[l.key]
	if c == nil {
		c = make(chan struct{}, 1)
		k.turns[l.key] = c
	}
	k.mu.Unlock()
	select {
	case c <- struct{}{}:
		return func() { <-c }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// lockKey names the lock that logins and renewals in all processes share.
func (l named) lockKey() string { return "login-" + l.key }

// lock waits for other processes that work on a login. It returns what they got,
// if that serves, or the lock. Waiting is called once, if that takes a while.
func (k *Keeper) lock(ctx context.Context, l named, waiting func()) (unlock cache.Unlock, theirs *idToken, err error) {
	tries := 0
	unlock, err = k.Cache.Lock(ctx, l.lockKey(), func() bool {
		if tries++; tries == 5 { // after some 300 ms: a renewal takes less
			waiting()
		}
		theirs = k.alive(l)
		return theirs != nil
	})
	if err == nil {
		return unlock, theirs, nil
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
		return nil, nil, cause
	}
	return nil, nil, &resolver.OpenError{Kind: resolver.KindNetwork, Err: err,
		Summary: fmt.Sprintf("another process has been working on the login %q for too long", l.name)}
}

// logIn renews a login or has a person log in.
func (k *Keeper) logIn(ctx context.Context, l named, asker resolver.Asker) (*idToken, error) {
	wait, cancel := context.WithTimeout(ctx, loginTime+renewTime)
	defer cancel()
	unlock, theirs, err := k.lock(wait, l, func() { asker.Say("waiting for the login in another terminal") })
	if err != nil || unlock == nil {
		return theirs, err
	}
	defer unlock()
	t, err := k.renewed(ctx, l)
	if err == nil || !mendable(err) {
		return t, err
	}
	select {
	case k.tab <- struct{}{}:
		defer func() { <-k.tab }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	ctx, cancel = context.WithTimeoutCause(ctx, loginTime, errAbandoned)
	defer cancel()
	t, grant, err := k.interact(ctx, l, asker)
	if err != nil {
		return nil, err
	}
	if grant == "" {
		asker.Say(fmt.Sprintf("%s gave no refresh token: the login %q cannot be renewed and ends at %s", l.host(), l.name, t.expiry.Local().Format("15:04")))
		_, err = k.forget(l) // an older one is not this person's any more
	} else {
		err = k.keep(l, t, grant, asker.Say)
	}
	if err != nil {
		asker.Say(fmt.Sprintf("the login %q cannot be kept and ends at %s: %v", l.name, t.expiry.Local().Format("15:04"), err))
	}
	k.putAlive(l, t)
	return t, nil
}

// mendable says whether a person who logs in anew can have what a renewal did not
// bring. Providers refuse refresh tokens with other codes than invalid_grant, too.
func mendable(err error) bool {
	var refused *oauth2.RetrieveError
	return isKind(err, resolver.KindLogin) || errors.Is(err, errKeyring) || errors.Is(err, errSubject) ||
		isKind(err, resolver.KindRefused) && errors.As(err, &refused) && refused.ErrorCode != "invalid_client"
}

// errAbandoned ends a login that nobody came back from.
var errAbandoned = errors.New("nobody has logged in")
