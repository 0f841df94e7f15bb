package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/safefile"
	"ambit/resolver/store"
)

func envCommand(a *ambit) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "env",
		Short: "list, show, change and compare environments",
		Long: `List, show, change and compare environments, and say for whom their secrets are
encrypted. Files keep their comments, order and layout. Nothing is opened or run.`,
		Example: `  ambit env ls
  ambit env init shop/dev
  ambit env set shop/dev environmentVariables.LOG_LEVEL debug
  ambit env diff shop/dev shop/prod`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{"name what to do with environments", `run "ambit env --help" for the list`}
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(*cobra.Command, []string) error { return nil }, // Args always objects
	}
	cmd.AddCommand(
		envLsCommand(a), envGetCommand(a), envSetCommand(a), envEditCommand(a),
		envInitCommand(a), envRmCommand(a), envDiffCommand(a), envRecipientsCommand(a),
	)
	return cmd
}

// between is for commands that take from least to most arguments.
func between(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least {
			return usageError{"too few arguments", fmt.Sprintf("the form is: %s", cmd.UseLine())}
		}
		return atMost(most)(cmd, args)
	}
}

// source is the file of a definition, as `ambit env` changes it.
type source struct {
	target
	path  string // canonical
	store string // root of the store in which it lies, or ""
	bytes []byte
}

// source reads the file of an environment, or a file.
func (a *ambit) source(arg string) (*source, error) {
	t, err := a.target(arg)
	if err != nil {
		return nil, err
	}
	stores, err := a.stores()
	if err != nil {
		return nil, err
	}
	d := store.NewDirectories(stores, a.owner)
	if t.root.File != "" {
		b, err := safefile.Read(t.root.File)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be read: %s", a.short(t.file), reason(err))
		}
		return &source{t, t.root.File, a.storeOf(stores, t.root.File), b}, nil
	}
	if !resolver.ValidEnvironmentName(arg) {
		return nil, withHint(fmt.Errorf("invalid environment name %q", arg), "a name is [PROJECT/]NAME of letters, digits, _ . and -")
	}
	src, _, err := d.Named(arg)
	switch {
	case errors.Is(err, resolver.ErrUnknownEnvironment):
		help := didYouMean(arg, d.Names())
		if help == "" {
			help = fmt.Sprintf("run %q to make it", "ambit env init "+arg)
		}
		return nil, withHint(fmt.Errorf("unknown environment %q", arg), help)
	case err != nil:
		return nil, fmt.Errorf("the environment %q cannot be read: %s", arg, reason(err))
	}
	return &source{t, src.Path, src.Store, src.Bytes}, nil
}

// title is what messages call the file.
func (s *source) title(a *ambit) string {
	if s.root.Name != "" {
		return s.root.Name
	}
	return a.short(s.file)
}

// edited supplies a file with other bytes than it has.
type edited struct {
	resolver.Sources
	path  string
	bytes []byte
}

func (e edited) of(src resolver.Source) resolver.Source {
	if src.Path == e.path {
		src.Bytes = e.bytes
	}
	return src
}

// Named implements [resolver.Sources].
func (e edited) Named(name string) (resolver.Source, []string, error) {
	src, tried, err := e.Sources.Named(name)
	return e.of(src), tried, err
}

// Read implements [resolver.Sources].
func (e edited) Read(path, store string) (resolver.Source, error) {
	src, err := e.Sources.Read(path, store)
	return e.of(src), err
}

// faults is what `ambit check` would say if the file had these bytes.
func (a *ambit) faults(ctx context.Context, s *source, b []byte) ([]resolver.Diagnostic, error) {
	stores, err := a.stores()
	if err != nil {
		return nil, err
	}
	d, err := a.parse(ctx, s.target, stores, edited{store.NewDirectories(stores, a.owner), s.path, b})
	if err != nil || d.program == nil {
		return d.diagnostics(), err
	}
	opt, _ := a.options(hook.NewEnviron(a.env), resolver.Person, false, nil)
	return d.program.Check(ctx, opt), nil
}

func (d *definition) diagnostics() []resolver.Diagnostic {
	if d == nil {
		return nil
	}
	return d.diags
}

// newFaults are the errors that a file would have with its new bytes and has not
// with its old ones. Lines may have moved, so the place does not count.
func (a *ambit) newFaults(ctx context.Context, s *source, after []byte) ([]resolver.Diagnostic, error) {
	old, err := a.faults(ctx, s, s.bytes)
	if err != nil {
		return nil, err
	}
	now, err := a.faults(ctx, s, after)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(now, func(d resolver.Diagnostic) bool {
		return d.Severity != resolver.Error || slices.ContainsFunc(old, func(o resolver.Diagnostic) bool {
			return o.Summary == d.Summary && o.Pos.File == d.Pos.File
		})
	}), nil
}

// waitForEdit is how long one command waits until another has written.
const waitForEdit = 10 * time.Second

// change reads a definition, has it changed and writes it, so that of two
// commands at a time none undoes what the other did. Edit returns the new bytes;
// the same bytes are no change.
func (a *ambit) change(ctx context.Context, arg string, edit func(*source) ([]byte, error)) (*source, bool, error) {
	unlock, err := a.lockEdits(ctx)
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	s, err := a.source(arg)
	if err != nil {
		return nil, false, err
	}
	after, err := edit(s)
	if err != nil {
		return nil, false, a.placed(err)
	}
	if bytes.Equal(s.bytes, after) {
		return s, false, nil
	}
	bad, err := a.newFaults(ctx, s, after)
	if err != nil {
		return nil, false, err
	}
	if len(bad) > 0 {
		a.say(messages(bad)...)
		a.say(plain("nothing was changed"))
		return nil, false, said(1)
	}
	return s, true, a.replace(s, after)
}

// lockEdits keeps other commands from changing definitions meanwhile.
func (a *ambit) lockEdits(ctx context.Context) (func(), error) {
	wait, cancel := context.WithTimeout(ctx, waitForEdit)
	defer cancel()
	unlock, err := a.cacheDir.Lock(wait, "edit", func() bool { return false })
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, errors.New("another command has been changing definitions for too long")
	}
	return unlock, nil
}

// replace writes the new bytes of a file.
func (a *ambit) replace(s *source, after []byte) error {
	err := safefile.Replace(s.path, s.bytes, after, 0)
	switch {
	case errors.Is(err, safefile.ErrReadOnly):
		return withHint(fmt.Errorf("%s is read-only", a.short(s.path)), "chmod u+w it first")
	case errors.Is(err, safefile.ErrChanged):
		return withHint(fmt.Errorf("%s was changed meanwhile by somebody else", a.short(s.path)), "try again")
	case err != nil:
		return fmt.Errorf("%s cannot be written: %s", a.short(s.path), reason(err))
	}
	return nil
}

// placed makes an error of an edit one with a place.
func (a *ambit) placed(err error) error {
	var bad *resolver.EditError
	if errors.As(err, &bad) {
		return broken(messages([]resolver.Diagnostic{bad.Diagnostic}))
	}
	return err
}

// isMissing is fs.ErrNotExist in words.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// completeNames offers environments for the first n arguments.
func (a *ambit) completeNames(n int) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.completeName(cmd, nil, word)
	}
}
