package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/safefile"
	"ambit/resolver/store"
)

func envInitCommand(a *ambit) *cobra.Command {
	return &cobra.Command{
		Use:   "init NAME|FILE",
		Short: "make an environment without values",
		Long: `Make an environment PROJECT/NAME without values in the first store, or a FILE,
which begins with ./, ../ or / and ends in .yaml. What exists is left alone.`,
		Example: `  ambit env init shop/dev
  ambit env init ./.envrc.yaml`,
		Args:              between(1, 1),
		ValidArgsFunction: a.completeNames(1),
		RunE: func(_ *cobra.Command, args []string) error {
			ctx, stop := a.interruptible()
			defer stop()
			return runEnvInit(ctx, a, args[0])
		},
	}
}

func runEnvInit(ctx context.Context, a *ambit, arg string) error {
	unlock, err := a.lockEdits(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	path, mode := "", fs.FileMode(0o600)
	if a.isFile(arg) || strings.HasSuffix(arg, ".yaml") {
		if path = a.abs(arg); !strings.HasSuffix(path, ".yaml") {
			return withHint(fmt.Errorf("%s does not end in .yaml", a.short(path)), "name a file such as ./"+hook.FileName)
		}
		mode = 0o644
	} else if path, err = a.newEnvironment(arg); err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return withHint(fmt.Errorf("%s exists already", a.short(path)), `change it with "ambit env edit" or "ambit env set"`)
	}
	if mode == 0o600 {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("cannot make the directory of %s: %s", a.short(path), reason(err))
		}
	}
	if err := safefile.Replace(path, nil, []byte("values:\n"), mode); err != nil {
		return fmt.Errorf("%s cannot be written: %s", a.short(path), reason(err))
	}
	a.say(plain(a.short(path) + " made"))
	return nil
}

// newEnvironment is the path of an environment that is to be made.
func (a *ambit) newEnvironment(name string) (string, error) {
	if !resolver.ValidEnvironmentName(name) {
		return "", withHint(fmt.Errorf("invalid environment name %q", name), "a name is [PROJECT/]NAME of letters, digits, _ . and -")
	}
	stores, err := a.stores()
	if err != nil {
		return "", err
	}
	if len(stores) == 0 {
		return "", errors.New("there is no store: the home directory is not known")
	}
	// One that a later store has would be hidden, which nobody asked for.
	if src, _, err := store.NewDirectories(stores, a.owner).Named(name); err == nil {
		return "", withHint(fmt.Errorf("the environment %q exists already: %s", name, a.short(src.Path)), `change it with "ambit env edit" or "ambit env set"`)
	}
	if !strings.Contains(name, "/") {
		name = "default/" + name
	}
	return filepath.Join(stores[0], filepath.FromSlash(name)+".yaml"), nil
}
