package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/cache"
)

const (
	// promptMargin is what of a prompt's time is left for printing the entry.
	promptMargin = 200 * time.Millisecond
	// detachedTime bounds a renewal in the background.
	detachedTime = 30 * time.Second
)

func resolveCommand(a *ambit) *cobra.Command {
	var detached bool
	cmd := &cobra.Command{
		Use:    "resolve [--detached] DIR",
		Short:  "make the entry of an allowed directory",
		Hidden: true,
		Long: `Make the resolved entry of a directory whose file is allowed, keep it in the
cache and print it, in ambit's own form. The hook runs it, in the environment
from before loading; it prints nothing and exits with 1 if the file is not
allowed. With --detached it renews an entry behind the shells' back: it prints
nothing, and does nothing while another process is at it.`,
		Example: "  ambit resolve ~/src/shop | wc -c",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{"name one directory", "the form is: " + cmd.UseLine()}
			}
			return nil
		},
		ValidArgsFunction: directories,
		RunE: func(_ *cobra.Command, args []string) error {
			ctx, stop := a.interruptible()
			defer stop()
			return runResolve(ctx, a, args[0], detached)
		},
	}
	cmd.Flags().BoolVar(&detached, "detached", false, "renew the entry in the cache and print nothing")
	return cmd
}

func runResolve(ctx context.Context, a *ambit, arg string, detached bool) error {
	base := a.enterBaseline()
	conf, confErr := a.config()
	patience, limit := resolver.AtPrompt, conf.settings.Timeout
	if limit == 0 {
		limit = hook.DefaultTimeout
	}
	limit -= promptMargin
	if detached {
		patience, limit = resolver.Detached, detachedTime
	}
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()

	found := a.find(a.abs(arg))
	t := directory(found.Dir)
	if found.File == "" || filepath.Dir(found.File) != a.abs(arg) {
		return said(1)
	}
	var record *hook.Record
	var contents []hook.Content
	var err error
	if confErr != nil {
		// What the settings would allow is not known; what a person did, is.
		record = a.trust.Record(t.identity)
		var verdict hook.Verdict
		if verdict, contents = record.Check(); verdict != hook.Allowed {
			return said(1)
		}
	} else if record, contents, err = a.allowed(ctx, t); err != nil {
		return said(1)
	}
	key := a.entryKey(record)
	if detached {
		unlock, held := a.cacheDir.TryLock(key)
		if !held {
			return nil
		}
		defer unlock()
	}
	before := a.cacheDir.Entry(key, a.now(), base.Lookup)
	if detached && fresh(before, a.now().Unix()) {
		return nil // somebody else was quicker
	}
	var ev *evaluation
	if confErr != nil {
		// The hook says what is wrong with the settings.
		ev = &evaluation{diags: []resolver.Diagnostic{}}
	} else if ev, err = a.resolve(ctx, t, record, contents, base, patience, false); err != nil {
		return err
	}
	e := a.entry(ev, record, contents, before)
	// A full disk is no reason not to load.
	keepErr := a.keep(key, e, ev, base)
	if !detached {
		if _, err := a.out.Write(e.Encode()); err != nil {
			return err
		}
	} else if keepErr == nil {
		a.touch()
	}
	a.cacheDir.Sweep(a.now()) // nobody may come by for what expires without being renewed
	return nil
}

// resolve evaluates an allowed file from the bytes that were compared.
func (a *ambit) resolve(ctx context.Context, t target, record *hook.Record, contents []hook.Content, base hook.Environ, patience resolver.Patience, fresh bool) (*evaluation, error) {
	d, err := a.loadPinned(ctx, t, record, contents)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return &evaluation{definition: &definition{target: t}, diags: []resolver.Diagnostic{{
			Pos: resolver.Position{File: t.root.File}, Kind: resolver.KindNetwork, Summary: "reading it and what it imports took too long",
		}}}, nil
	case errors.Is(err, errInterrupted):
		return nil, err
	case err != nil:
		return &evaluation{definition: &definition{target: t}, diags: []resolver.Diagnostic{{Summary: err.Error(), Hint: hintOf(err)}}}, nil
	}
	ev, err := a.evaluate(ctx, d, base, patience, fresh)
	if err == nil {
		a.deliverByProfile(ctx, ev, base)
	}
	return ev, err
}

func hintOf(err error) string {
	var h hinted
	if errors.As(err, &h) {
		return h.hint
	}
	return ""
}

// fresh says whether an entry needs no renewal yet.
func fresh(e *cache.Entry, now int64) bool {
	return e != nil && e.Failure == nil && e.Alive(now) && (e.RefreshAt == 0 || now < e.RefreshAt) && unchanged(e.Watched)
}
