package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync/atomic"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/safefile"
)

func envEditCommand(a *ambit) *cobra.Command {
	return &cobra.Command{
		Use:   "edit [NAME|FILE]",
		Short: "change an environment in your editor",
		Long: `Open a definition in $VISUAL, else $EDITOR, else vi; without an argument the
nearest .envrc.yaml. What you write is checked before it is saved. If there are
errors you may go on editing; if you do not, or if the editor fails, your text is
kept and ambit says where.`,
		Example: `  ambit env edit shop/dev
  EDITOR="code --wait" ambit env edit ./.envrc.yaml`,
		Args:              atMost(1),
		ValidArgsFunction: a.completeName,
		RunE: func(_ *cobra.Command, args []string) error {
			var editing atomic.Bool
			ctx, stop := a.interruptibleBetween(&editing)
			defer stop()
			return runEnvEdit(ctx, a, optional(args), &editing)
		},
	}
}

// interruptibleBetween is a context that ends at a signal, but not at a Ctrl-C
// while the editor has the terminal: that is the editor's.
func (a *ambit) interruptibleBetween(editing *atomic.Bool) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	interrupt := a.interrupt()
	go func() {
		for {
			select {
			case s := <-interrupt:
				if s != os.Interrupt || !editing.Load() {
					cancel(errInterrupted)
				}
			case <-ctx.Done():
				signal.Stop(interrupt)
				return
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

func runEnvEdit(ctx context.Context, a *ambit, arg string, editing *atomic.Bool) error {
	base := a.baseline()
	s, err := a.source(arg)
	if err != nil {
		return err
	}
	if info, err := os.Stat(s.path); err == nil && info.Mode()&0o200 == 0 {
		return withHint(fmt.Errorf("%s is read-only", a.short(s.path)), "chmod u+w it first")
	}
	draft, err := a.newDraft(s)
	if err != nil {
		return err
	}
	for {
		editing.Store(true)
		err := draft.edit(ctx, a, base)
		editing.Store(false)
		if err != nil {
			return draft.keep(a, err)
		}
		text, err := safefile.Read(draft.path)
		if err != nil {
			return draft.keep(a, fmt.Errorf("what you wrote cannot be read: %s", reason(err)))
		}
		if bytes.Equal(text, s.bytes) {
			draft.drop()
			a.say(plain(s.title(a) + " is as it was"))
			return nil
		}
		diags, err := a.faults(ctx, s, text)
		if err != nil {
			return draft.keep(a, err)
		}
		a.say(messages(diags)...)
		if !resolver.HasErrors(diags) {
			if err := a.saveDraft(ctx, s, text); err != nil {
				return draft.keep(a, err)
			}
			draft.drop()
			a.say(plain(s.title(a) + " saved"))
			return nil
		}
		again, err := confirm(ctx, "edit it again?", true)
		switch {
		case err != nil && !errors.Is(err, errNoTerminal):
			return draft.keep(a, err)
		case !again:
			return draft.keep(a, errors.New(s.title(a)+" is not saved: it has errors"))
		}
	}
}

func (a *ambit) saveDraft(ctx context.Context, s *source, text []byte) error {
	unlock, err := a.lockEdits(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return a.replace(s, text)
}

// draft is the text that is being edited, in a file of its own.
type draft struct {
	path   string
	before []byte
}

// newDraft puts the text into a private file below the cache: nothing beside the
// definition shows that it is being edited, and nobody else can read it.
func (a *ambit) newDraft(s *source) (*draft, error) {
	if a.cacheDir == nil {
		return nil, errors.New("there is no private directory to edit in: no usable cache")
	}
	// MkdirTemp makes it 0700.
	dir, err := os.MkdirTemp(a.places.Cache, "edit-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a private directory to edit in: %s", reason(err))
	}
	d := &draft{filepath.Join(dir, filepath.Base(s.path)), s.bytes}
	if err := safefile.WritePrivate(d.path, s.bytes); err != nil {
		_ = os.RemoveAll(dir) // the error that matters is the one before
		return nil, fmt.Errorf("cannot make a private file to edit: %s", reason(err))
	}
	return d, nil
}

// drop removes the draft, and what the editor left beside it.
func (d *draft) drop() { _ = os.RemoveAll(filepath.Dir(d.path)) }

// keep leaves the text where it is, if there is anything in it to lose, and says
// so.
func (d *draft) keep(a *ambit, err error) error {
	if text, rerr := safefile.Read(d.path); rerr == nil && bytes.Equal(text, d.before) || isMissing(rerr) {
		d.drop()
		return err
	}
	var h hinted
	if errors.As(err, &h) {
		err = h.error
	}
	return withHint(err, "what you wrote is in "+d.path)
}

// edit runs the editor on the draft, with the environment from before loading.
// It is a command line for the shell, as git takes it too; the file's name is
// handed over apart.
func (d *draft) edit(ctx context.Context, a *ambit, base hook.Environ) error {
	editor := base["VISUAL"]
	if editor == "" {
		editor = base["EDITOR"]
	}
	if editor == "" {
		editor = "vi"
	}
	// Not CommandContext: at Ctrl-C the editor decides, and its text is not lost.
	cmd := exec.Command("/bin/sh", "-c", editor+` "$1"`, "ambit-edit", d.path)
	cmd.Env, cmd.Dir = base.List(), a.dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.stdin, a.stdout, a.stderr
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() >= 0 {
			return withHint(fmt.Errorf("the editor failed with status %d", exit.ExitCode()), "set VISUAL or EDITOR to one that works")
		}
		return fmt.Errorf("the editor failed: %s", reason(err))
	}
	return interrupted(ctx)
}
