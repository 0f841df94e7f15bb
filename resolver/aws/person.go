package aws

import (
	"context"
	"errors"
	"fmt"

	"ambit/resolver"
	"ambit/resolver/cache"
)

// runLogin is the hint of everything that needs a person.
const runLogin = `run "ambit login"`

// asks says whether an error is one that a person here can do something about.
func (o *opening) asks(s *step, err error) bool {
	var open *resolver.OpenError
	return o.call.Asker != nil && s.login != nil && errors.As(err, &open) && open.Kind == resolver.KindLogin
}

// obtainAsking is obtain and, if that needs a person and one can be asked, what
// the person has to do. No step is locked meanwhile: prompts elsewhere learn at
// once that a login is needed and do not wait for it.
func (o *opening) obtainAsking(ctx context.Context, s *step) (kept, error) {
	obtain := func() (kept, error) {
		ctx, cancel := context.WithTimeout(ctx, o.limits.total)
		defer cancel()
		return o.obtain(ctx, s)
	}
	k, err := obtain()
	if !o.asks(s, err) {
		return k, err
	}
	if err := s.login(ctx); err != nil {
		return kept{}, err
	}
	return obtain()
}

// turn waits for other opens of this process that are about to ask a person for
// the same thing.
func (p *provider) turn(ctx context.Context, key string) (release func(), err error) {
	v, _ := p.turns.LoadOrStore(key, make(chan struct{}, 1))
	turn := v.(chan struct{})
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// alone runs ask, in which a person logs in, unless somebody else has done it
// meanwhile: one person is asked once, in one terminal. Key names the login.
func (o *opening) alone(ctx context.Context, key string, done func() bool, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, o.limits.login)
	defer cancel()
	err := o.aloneWithin(ctx, key, done, ask)
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Canceled
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &resolver.OpenError{Kind: resolver.KindLogin, Err: err,
			Summary: fmt.Sprintf("the login was not finished within %s", brief(o.limits.login)), Hint: runLogin}
	}
	return err
}

func (o *opening) aloneWithin(ctx context.Context, key string, done func() bool, ask func(context.Context) error) error {
	release, err := o.turn(ctx, key)
	if err != nil {
		return err
	}
	defer release()
	unlock, held := cache.Unlock(nil), false
	if unlock, held = o.Cache.TryLock(key); !held {
		o.call.Asker.Say("waiting for the login in another terminal")
		if unlock, err = o.Cache.Lock(ctx, key, done); err != nil || unlock == nil {
			return err
		}
	}
	defer unlock()
	if done() {
		return nil
	}
	return ask(ctx)
}
