package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ambit/resolver"
)

func envRmCommand(a *ambit) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "rm NAME|FILE [PATH]",
		Short: "remove an environment, or a value from it",
		Long: `Remove the environment NAME from the stores, after asking, or the value at PATH
from it or from a FILE. A whole FILE is removed with rm(1).`,
		Example: `  ambit env rm shop/old
  ambit env rm shop/dev environmentVariables.LOG_LEVEL`,
		Args:              between(1, 2),
		ValidArgsFunction: a.completeNames(1),
		RunE: func(_ *cobra.Command, args []string) error {
			ctx, stop := a.interruptible()
			defer stop()
			if len(args) == 2 {
				return runEnvRmValue(ctx, a, args[0], args[1])
			}
			return runEnvRm(ctx, a, args[0], yes)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func runEnvRm(ctx context.Context, a *ambit, name string, yes bool) error {
	s, err := a.source(name)
	if err != nil {
		return err
	}
	if s.root.Name == "" {
		return usageError{fmt.Sprintf("%q is a file, not an environment of a store", name), "remove it with rm"}
	}
	if !yes {
		ok, err := confirm(ctx, fmt.Sprintf("remove %s (%s)?", name, a.short(s.path)), false)
		switch {
		case errors.Is(err, errNoTerminal):
			return withHint(err, "add -y to remove it without being asked")
		case err != nil:
			return err
		case !ok:
			a.say(plain(name + " is still there"))
			return said(1)
		}
	}
	unlock, err := a.lockEdits(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	path := s.path
	if spelled := a.spelled(name); spelled != "" {
		path = spelled // a link goes, not what it leads to
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("%s cannot be removed: %s", a.short(path), reason(err))
	}
	if dir := filepath.Dir(path); filepath.Base(dir) == filepath.Dir(name) {
		_ = os.Remove(dir) // a project without environments; what is not empty stays
	}
	a.say(plain(name + " removed"))
	return nil
}

// spelled is the path at which the stores have an environment, a link not
// followed; "" if there is none.
func (a *ambit) spelled(name string) string {
	stores, err := a.stores()
	if err != nil {
		return ""
	}
	names := []string{name}
	if bare, ok := strings.CutPrefix(name, "default/"); ok {
		names = append(names, bare)
	} else if !strings.Contains(name, "/") {
		names = append(names, "default/"+name)
	}
	for _, dir := range stores {
		for _, n := range names {
			path := filepath.Join(dir, filepath.FromSlash(n)+".yaml")
			if _, err := os.Lstat(path); err == nil {
				return path
			}
		}
	}
	return ""
}

func runEnvRmValue(ctx context.Context, a *ambit, arg, path string) error {
	s, changed, err := a.change(ctx, arg, func(s *source) ([]byte, error) {
		after, _, err := resolver.RemoveValue(s.path, s.bytes, path)
		return after, err
	})
	if err != nil {
		return err
	}
	if !changed {
		return fmt.Errorf("%s has no value of its own at %s", s.title(a), path)
	}
	a.say(plain(fmt.Sprintf("%s: %s removed", s.title(a), path)))
	return nil
}
