package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/cache"
)

// The exit statuses of `ambit run` that are not its command's own; those of
// env(1) and of shells.
const (
	notResolved   = 125
	notExecutable = 126
	notFound      = 127
)

func runCommand(a *ambit) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "run [-C DIR] [NAME|FILE] -- COMMAND [ARGUMENT]...",
		Short: "run a command in an environment",

		DisableFlagsInUseLine: true,
		Long: `Run a command with the variables of an environment, on top of the environment
as it was before anything was loaded in this shell. ambit becomes the command:
terminal, signals and exit status are its own.

NAME is an environment PROJECT/NAME of the stores. FILE begins with ./, ../ or /,
or ends in .yaml; it has to be allowed. Without either it is the .envrc.yaml that
governs the directory.

The status is that of the command; 125 if the environment cannot be resolved,
127 if there is no such command, 126 if it cannot be run.`,
		Example: `  ambit run -- make deploy
  ambit run shop/dev -- aws sts get-caller-identity
  ambit run -C ~/src/shop -- terraform plan`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			// Not ArgsLenAtDash: to complete, cobra adds a "--" of its own.
			if len(a.args) > 0 && slices.Contains(a.args[:len(a.args)-1], "--") {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return a.completeName(cmd, args, word)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			switch {
			case dash < 0:
				return usageError{"there is no command to run", `write "--" before it: ambit run -- make`}
			case dash > 1:
				return usageError{fmt.Sprintf("unexpected argument %q", args[1]), `the command comes after "--"`}
			case len(args) == dash:
				return usageError{`there is no command after "--"`, "write, for example, ambit run -- make"}
			}
			ctx, stop := a.interruptible()
			defer stop()
			return runRun(ctx, a, dir, optional(args[:dash]), args[dash:])
		},
	}
	cmd.Flags().StringVarP(&dir, "directory", "C", "", "work in `DIR`, as if ambit had been started there")
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("directory", directories)
	return cmd
}

func runRun(ctx context.Context, a *ambit, dir, arg string, argv []string) error {
	if dir != "" {
		path := a.abs(dir)
		if err := os.Chdir(path); err != nil {
			a.say(errorMessage(fmt.Sprintf("cannot work in %s: %s", a.short(path), reason(err))))
			return said(notResolved)
		}
		a.dir = path
	}
	base := a.enterBaseline()
	env, set, err := a.runEnvironment(ctx, arg, base)
	if set != "" {
		defer func() { _ = a.cacheDir.DropFiles(set) }() // swept when this process is gone
	}
	if err != nil {
		if status := a.sayError(err); status == 130 {
			return said(status)
		}
		return said(notResolved)
	}
	if a.dir != "" {
		env["PWD"] = a.dir
	}
	if set == "" {
		return a.become(argv, env)
	}
	return a.attend(argv, env)
}

// runEnvironment is the baseline with a definition's exports applied, and the set
// of the files that they name, "" if there are none. An error may leave a set, too.
func (a *ambit) runEnvironment(ctx context.Context, arg string, base hook.Environ) (env hook.Environ, set string, err error) {
	d, err := a.permitted(ctx, arg)
	if err != nil {
		return nil, "", err
	}
	ev, err := a.evaluate(ctx, d, base, resolver.Person, false)
	if err != nil {
		return nil, "", err
	}
	a.sayEvaluation(ev)
	if ev.result == nil {
		return nil, "", said(1)
	}
	a.deliverByProfile(ctx, ev, base)
	if ev.result == nil {
		return nil, "", firstOf(messages(ev.diags))
	}
	if len(ev.result.Files) > 0 {
		set = cache.NewFileSet(os.Getpid())
		if err := a.deliver(ev.result, set); err != nil {
			return nil, set, err
		}
	}
	env = hook.NewEnviron(base.List())
	changes := changesOf(ev.result, base)
	for _, c := range changes {
		if c.Unset {
			delete(env, c.Name)
		} else {
			env[c.Name] = c.Value
		}
	}
	env[hook.EnvVar] = ev.result.Label
	delete(env, hook.DirVar)
	if d.file != "" {
		env[hook.DirVar] = filepath.Dir(d.root.File)
	}
	delete(env, hook.ExpiresVar)
	if at := ev.result.ExpiresAt; !at.IsZero() {
		env[hook.ExpiresVar] = strconv.FormatInt(at.Unix(), 10)
	}
	if ev.byProfile {
		// For `ambit credential-process`, which the command's programs will start.
		keys, err := hook.LoadKeys(a.places, a.uid)
		if err == nil {
			env[hook.RunVar], err = keys.SealChanges(base, changes)
		}
		if err != nil {
			return nil, set, fmt.Errorf("deliver: profile: %w", err)
		}
	}
	return env, set, nil
}

// become replaces this program by a command. It returns only if that fails.
func (a *ambit) become(argv []string, env hook.Environ) error {
	path, err := a.command(argv[0], env)
	if err != nil {
		return err
	}
	a.unharden()
	signal.Reset() // from here on a signal is the command's
	err = syscall.Exec(path, argv, env.List())
	if errors.Is(err, syscall.ENOEXEC) {
		// execvp(3) and every shell take a file without a header for a script.
		err = syscall.Exec("/bin/sh", append([]string{"sh", path}, argv[1:]...), env.List())
	}
	a.say(errorMessage(fmt.Sprintf("%s: cannot be run: %v", argv[0], err)))
	return said(notExecutable)
}

// command is the path of a command; the error is said, with a shell's status.
func (a *ambit) command(name string, env hook.Environ) (string, error) {
	path, err := lookup(name, env["PATH"])
	if err == nil {
		return path, nil
	}
	text := fmt.Sprintf("%s: %s", name, reason(err))
	status := notExecutable
	if errors.Is(err, fs.ErrNotExist) {
		status, text = notFound, name+": command not found"
	}
	a.say(errorMessage(text))
	return "", said(status)
}

// lookup finds a command as a shell does: by its path if it has a slash, else in
// the directories of PATH, of which an empty one is the current.
func lookup(name, path string) (string, error) {
	if strings.Contains(name, "/") {
		return name, executable(name)
	}
	var refused error = fs.ErrNotExist
	if name == "" {
		return "", refused
	}
	for dir := range strings.SplitSeq(path, ":") {
		if dir == "" {
			dir = "."
		}
		candidate := dir + "/" + name
		err := executable(candidate)
		if err == nil {
			return candidate, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) && errors.Is(refused, fs.ErrNotExist) {
			refused = err
		}
	}
	return "", refused
}

func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return syscall.EISDIR
	}
	return syscall.Access(path, 1) // X_OK
}
