package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/cache"
)

func reloadCommand(a *ambit) *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "resolve this directory's environment anew",
		Long: `Forget what was resolved for this directory, its failures included, and resolve
it anew: credentials and other values are fetched even if the ones at hand still
live. The next prompt of every shell in the directory loads the result, also
over variables that you changed by hand.`,
		Example:           "  ambit reload",
		Args:              atMost(0),
		ValidArgsFunction: noCompletion,
		RunE: func(*cobra.Command, []string) error {
			ctx, stop := a.interruptible()
			defer stop()
			return runReload(ctx, a)
		},
	}
}

func runReload(ctx context.Context, a *ambit) error {
	base := a.enterBaseline()
	if _, err := a.config(); err != nil {
		return err
	}
	t, err := a.nearest(a.dir)
	if hintOf(err) != "" {
		return withHint(err, "go to a directory that has one")
	} else if err != nil {
		return err
	}
	record, contents, err := a.allowed(ctx, t)
	if err != nil {
		return err
	}
	key := a.entryKey(record)
	unlock, err := a.lockEntry(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()
	before := a.cacheDir.Entry(key, a.now(), base.Lookup)
	ev, err := a.resolve(ctx, t, record, contents, base, resolver.Person, true)
	if err != nil {
		return err
	}
	e := a.entry(ev, record, contents, before)
	e.Reloaded = a.now().Unix()
	// The other variants were made before the person asked for everything anew.
	// If this fails, so does what follows.
	_ = a.cacheDir.DropEntry(key)
	if err := a.keep(key, e, ev, base); err != nil {
		a.say(warning("the result cannot be kept: " + err.Error()))
	}
	a.touch()
	a.sayEvaluation(ev)
	if ev.result == nil {
		return said(1)
	}
	line := e.Label + " resolved"
	if life := lifeOf(ev.result, a.now()); life != "" {
		line += " · credentials for " + life
	}
	a.say(plain(line))
	return nil
}

// lockEntry waits for other processes that are making the same entry: the longest
// is a renewal in the background.
func (a *ambit) lockEntry(ctx context.Context, key string) (cache.Unlock, error) {
	wait, cancel := context.WithTimeout(ctx, detachedTime+5*time.Second)
	defer cancel()
	tries := 0
	unlock, err := a.cacheDir.Lock(wait, key, func() bool {
		if tries++; tries == 4 { // after about 200 ms
			a.say(plain("waiting for another process that is resolving this …"))
		}
		return false
	})
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, withHint(errors.New("another process has been resolving this for too long"), "see what it waits for: ps -C ambit -o pid,stat,args")
	}
	return unlock, nil
}

// lifeOf is how long the credentials of a result live, "" if none expire.
func lifeOf(r *resolver.Result, now time.Time) string {
	var first int64
	for _, c := range r.Credentials {
		if c.ExpiresAt != 0 && (first == 0 || c.ExpiresAt < first) {
			first = c.ExpiresAt
		}
	}
	if first == 0 {
		return ""
	}
	return hook.Life(time.Unix(first, 0).Sub(now))
}
