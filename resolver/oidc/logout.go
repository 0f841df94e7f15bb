package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"ambit/resolver/cache"
)

// Ended tells what came of a [Keeper.Logout].
type Ended struct {
	Name    string // of the login, as it was called when the person logged in
	Had     bool   // there was something to forget
	Account string // who was logged in, "" if that is not known
	Trouble error  // why the provider was not told, or nil; it may quote foreign text
}

// Names are the logins that are kept or configured, sorted.
func (k *Keeper) Names() ([]string, error) {
	kept, err := k.records()
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for name := range k.Logins {
		names[name] = true
	}
	for _, r := range kept {
		names[r.Name] = true
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// logoutTime is how long a logout waits for a renewal that is going on.
const logoutTime = 10 * time.Second

// Logout ends the logins of this name: those that are kept under it, also if
// config.yaml has changed, and the configured one. The provider is told (RFC
// 7009), and the tokens are deleted even if it cannot be. An error is an
// [*resolver.OpenError], ctx's, or says what could not be deleted.
func (k *Keeper) Logout(ctx context.Context, name string) (Ended, error) {
	ended := Ended{Name: name}
	kept, err := k.records()
	if err != nil {
		return ended, err
	}
	targets := map[string]named{}
	for key, r := range kept {
		if r.Name == name {
			// Scopes do not matter any more, and its key is known.
			targets[key] = named{Login{Issuer: r.Issuer, ClientID: r.ClientID}, name, key}
		}
	}
	if l, err := k.login(name); err == nil {
		targets[l.key] = l
	} else if len(targets) == 0 {
		return ended, err
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(targets)) {
		errs = append(errs, k.logout(ctx, targets[key], &ended))
	}
	return ended, errors.Join(errs...)
}

func (k *Keeper) logout(ctx context.Context, l named, ended *Ended) error {
	wait, cancel := context.WithTimeout(ctx, logoutTime)
	defer cancel()
	unlock, err := k.Cache.Lock(wait, l.lockKey(), func() bool { return false })
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, cache.ErrBusy) {
			err = fmt.Errorf("the login %q is going on in another terminal", l.name)
		}
		return err
	}
	defer unlock()
	if k.alive(l) != nil {
		ended.Had = true
	}
	// First the ID token: whatever happens next, nothing new is made from it.
	if err := k.dropAlive(l.key); err != nil {
		return err
	}
	r, grant, err := k.stored(l)
	if err != nil {
		ended.Had = true
		if errors.Is(err, errKeyring) {
			return err // it would stay in there, alive
		}
	}
	if r != nil {
		ended.Had = true
		if ended.Account = r.Account; ended.Account == "" {
			ended.Account = r.Subject
		}
		if rerr := k.revoke(ctx, l, grant); rerr != nil {
			if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
				return context.Cause(ctx) // the person gave up, and can try again
			}
			ended.Trouble = rerr
		}
	}
	had, err := k.forget(l)
	ended.Had = ended.Had || had
	return err
}

// revoke tells the provider that a refresh token is not to be taken any more.
func (k *Keeper) revoke(ctx context.Context, l named, grant string) error {
	ctx, cancel := context.WithTimeout(ctx, renewTime)
	defer cancel()
	p, err := k.discover(ctx, l)
	if err != nil {
		return err
	}
	if p.revocation == "" {
		return fmt.Errorf("login %q: %s revokes no tokens; the one that was deleted here ends by itself", l.name, l.host())
	}
	form := url.Values{"token": {grant}, "token_type_hint": {"refresh_token"}, "client_id": {l.ClientID}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.revocation, strings.NewReader(form.Encode()))
	if err != nil {
		return explain(ctx, l, "the revocation", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.client.Do(req)
	if err != nil {
		return explain(ctx, l, "the revocation", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // the status says it all
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("login %q: %s revoked nothing: it answered %d %s", l.name, l.host(), resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return nil
}
