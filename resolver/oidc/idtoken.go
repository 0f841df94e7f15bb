package oidc

import (
	"time"

	"ambit/resolver"
	"ambit/resolver/cache"
	"ambit/resolver/cache/wire"
)

// idToken is a verified ID token.
type idToken struct {
	raw     string
	subject string
	account string    // how the person is called there, "" if the token does not say
	expiry  time.Time // by this machine's clock
	nonce   string    // "" if it has none
}

// alive is the ID token of a login if it may still be sent, or nil.
func (k *Keeper) alive(l named) *idToken {
	now := k.Now()
	k.mu.Lock()
	t := k.live[l.key]
	k.mu.Unlock()
	if t != nil && servesAt(t, now, now) {
		return t
	}
	o := k.Cache.Opened(l.cacheKey(), now)
	if o == nil || o.ExpiresAt <= now.Unix() {
		return nil
	}
	d := wire.NewDecoder(o.Payload)
	t = &idToken{raw: d.String(), subject: d.String(), account: d.String(), expiry: time.Unix(d.Int(), 0)}
	if d.End() != nil || t.raw == "" {
		return nil
	}
	return t
}

// servesAt is false in the last moments of a token: it would be dead when it
// arrives.
func servesAt(t *idToken, acquired, now time.Time) bool {
	_, end := resolver.Window(acquired, t.expiry)
	return now.Before(end)
}

// putAlive keeps an ID token for all processes. Hold the login's lock.
func (k *Keeper) putAlive(l named, t *idToken) {
	k.mu.Lock()
	k.live[l.key] = t
	k.mu.Unlock()
	var w wire.Encoder
	w.String(t.raw)
	w.String(t.subject)
	w.String(t.account)
	w.Int(t.expiry.Unix())
	now := k.Now()
	refreshAt, expiresAt := resolver.Window(now, t.expiry)
	// Without a cache the next process renews the login.
	_ = k.Cache.PutOpened(l.cacheKey(), &cache.Opened{
		Payload: w.Bytes(), Acquired: now.Unix(), RefreshAt: refreshAt.Unix(), ExpiresAt: expiresAt.Unix(),
	})
}

// dropAlive forgets the ID token of a login.
func (k *Keeper) dropAlive(key string) error {
	k.mu.Lock()
	delete(k.live, key)
	k.mu.Unlock()
	return k.Cache.DropOpened(cacheKeyOf(key))
}

func (l named) cacheKey() string { return cacheKeyOf(l.key) }

// cacheKeyOf is the place of an ID token among what was opened. The keys of opens
// are hashes of twice the length.
func cacheKeyOf(key string) string { return "login-" + key }

func unixTime(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// Subject is whom a login's live ID token is about, as the provider names them: the
// claim sub; "" if there is no such token.
func (k *Keeper) Subject(name string) string {
	if l, err := k.login(name); err == nil {
		if t := k.alive(l); t != nil {
			return t.subject
		}
	}
	return ""
}

// Account is how the person is called that a login's live ID token is about: an
// address, a user name or the subject; "" if there is no such token.
func (k *Keeper) Account(name string) string {
	l, err := k.login(name)
	if err != nil {
		return ""
	}
	t := k.alive(l)
	switch {
	case t == nil:
		return ""
	case t.account != "":
		return t.account
	}
	return t.subject
}
