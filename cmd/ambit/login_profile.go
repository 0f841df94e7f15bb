package main

import (
	"context"
	"time"

	"ambit/hook"
	"ambit/resolver"
)

// loginProfile does what a profile of the AWS configuration needs: a login at IAM
// Identity Center, which the AWS CLI shares, or an MFA code.
func (a *ambit) loginProfile(ctx context.Context, name string, base hook.Environ, ask *asker) error {
	got, err := a.awsLogin().Open(ctx, &resolver.Call{
		Inputs: resolver.Value{Kind: resolver.Object, Object: map[string]resolver.Value{"profile": {Kind: resolver.String, Text: name}}},
		Env:    resolver.NewBaseline(base.List()), Now: a.now, Patience: resolver.Person, Asker: ask,
	})
	if err := interrupted(ctx); err != nil {
		return err
	}
	if err != nil {
		return openHinted(err)
	}
	a.loggedIn(ctx)
	line := "logged in; profile " + name
	if !ask.asked.Load() {
		line = "already " + line
	}
	if c := got.Credential; c != nil && c.ExpiresAt != 0 {
		line += " has credentials for " + hook.Life(time.Unix(c.ExpiresAt, 0).Sub(a.now()))
	}
	a.say(plain(line))
	return nil
}
