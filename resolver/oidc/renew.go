package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/oauth2"

	"ambit/resolver"
)

// renew renews a login, unless another process does: then its result is taken.
func (k *Keeper) renew(ctx context.Context, l named) (*idToken, error) {
	if !k.isKept(l) {
		return nil, notLoggedIn(l)
	}
	ctx, cancel := context.WithTimeout(ctx, renewTime)
	defer cancel()
	unlock, theirs, err := k.lock(ctx, l, func() {})
	if err != nil || unlock == nil {
		return theirs, err
	}
	defer unlock()
	return k.renewed(ctx, l)
}

// renewed gets an ID token with the refresh token. Hold the login's lock.
func (k *Keeper) renewed(ctx context.Context, l named) (*idToken, error) {
	r, grant, err := k.stored(l)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, notLoggedIn(l)
	}
	p, err := k.discover(ctx, l)
	if err != nil {
		return nil, err
	}
	// The refresh token is spent when it arrives: from here on the answer is waited
	// for, even if nobody wants it any more.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	answer, err := p.TokenSource(p.context(ctx), &oauth2.Token{RefreshToken: grant}).Token()
	if err != nil {
		err = explain(ctx, l, "the renewal", err)
		if isKind(err, resolver.KindLogin) {
			return k.ended(l, grant, err)
		}
		return nil, err
	}
	if answer.RefreshToken != "" && answer.RefreshToken != grant {
		grant = answer.RefreshToken
		// Before anything else can fail: there is no other copy of it.
		if kerr := k.keep(l, &idToken{subject: r.Subject, account: r.Account}, grant, nil); kerr != nil {
			defer func() { _, _ = k.forget(l) }() // a spent one is of no use
		}
	}
	t, err := k.verify(ctx, l, p, answer, "")
	if err == nil && t.subject != r.Subject {
		err = explain(ctx, l, "the ID token", unverified{errSubject})
	}
	if err != nil {
		return nil, err
	}
	k.putAlive(l, t)
	return t, nil
}

// ended is what comes of a refresh token that the provider does not take. Where
// there are no locks another process may have spent it, and have a token for us.
func (k *Keeper) ended(l named, grant string, err error) (*idToken, error) {
	if _, now, serr := k.stored(l); serr == nil && now != "" && now != grant {
		if t := k.alive(l); t != nil {
			return t, nil
		}
		return nil, &resolver.OpenError{Kind: resolver.KindNetwork, Err: err,
			Summary: fmt.Sprintf("another process is renewing the login %q", l.name)}
	}
	// Else every prompt would hope that it can be renewed.
	if _, ferr := k.forget(l); ferr != nil {
		return nil, errors.Join(err, ferr)
	}
	return nil, err
}

// renewal is how a process that renewed a login tells the one that asked it to.
type renewal struct {
	Key     string `json:"key"`
	IDToken string `json:"idToken,omitempty"`
	Expiry  int64  `json:"expiry,omitempty"` // seconds since the Unix epoch
	Kind    string `json:"kind,omitempty"`   // of the failure
	Summary string `json:"summary,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

// Renewal renews a login if that is necessary and returns the ID token or the
// failure in a form for [Options.RenewElsewhere]. It holds a secret.
func (k *Keeper) Renewal(ctx context.Context, name string) []byte {
	var out renewal
	raw, err := k.Token(ctx, name, nil, resolver.Detached)
	var open *resolver.OpenError
	switch {
	case err == nil:
		l, _ := k.login(name) // there is one
		out.Key, out.IDToken = l.key, string(raw)
		if t := k.alive(l); t != nil {
			out.Expiry = t.expiry.Unix()
		}
	case errors.As(err, &open):
		out.Kind, out.Summary, out.Hint = string(open.Kind), open.Summary, open.Hint
	default:
		out.Kind, out.Summary = string(resolver.KindNetwork), fmt.Sprintf("the login %q was not renewed in time", name)
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic(err) // strings and a number
	}
	return append(b, '\n')
}

// renewElsewhere has another process renew a login and waits for it.
func (k *Keeper) renewElsewhere(ctx context.Context, l named) (*idToken, error) {
	b, err := k.RenewElsewhere(ctx, l.name)
	var r renewal
	if err == nil && json.Unmarshal(b, &r) != nil {
		err = errNoRenewal
	}
	switch {
	case err != nil && errors.Is(context.Cause(ctx), context.Canceled):
		return nil, context.Cause(ctx)
	case err != nil && ctx.Err() != nil:
		return nil, &resolver.OpenError{Kind: resolver.KindNetwork, Err: err,
			Summary: fmt.Sprintf("the login %q is still being renewed", l.name), Hint: "it goes on in the background"}
	case err != nil:
		return nil, &resolver.OpenError{Kind: resolver.KindNetwork, Err: err,
			Summary: fmt.Sprintf("the login %q could not be renewed in the background", l.name), Hint: fmt.Sprintf(`run "ambit login %s"`, l.name)}
	case r.Summary != "":
		return nil, &resolver.OpenError{Kind: resolver.FailureKind(r.Kind), Summary: r.Summary, Hint: r.Hint}
	case r.Key != l.key || r.IDToken == "":
		return nil, notLoggedIn(l) // config.yaml was edited meanwhile
	}
	t := &idToken{raw: r.IDToken, expiry: unixTime(r.Expiry)}
	k.mu.Lock()
	k.live[l.key] = t // the other process's cache may be a full disk
	k.mu.Unlock()
	return t, nil
}

var errNoRenewal = errors.New("what it printed is no renewal")
