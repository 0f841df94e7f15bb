package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/shells"
)

func exportCommand(a *ambit) *cobra.Command {
	return &cobra.Command{
		Use:    "export SHELL [typed]",
		Short:  "print what a shell has to change at this prompt",
		Hidden: true,
		Long: `Print what bash, zsh or fish has to change because of where it is. The hook
runs it at a prompt, or before a command that was typed, where the program
ambit-hook, which is quicker, is missing.`,
		Example: `  ambit export bash`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 && args[1] == "typed" {
				args = args[:1]
			}
			return oneShell(cmd, args)
		},
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(_ *cobra.Command, args []string) error {
			return runExport(a, shells.Shell(args[0]), len(args) == 2)
		},
	}
}

func runExport(a *ambit, shell shells.Shell, typed bool) error {
	self, err := a.program()
	if err != nil {
		return err
	}
	status := hook.Run(hook.Process{
		Shell: shell, Typed: typed, Env: a.env, UID: a.uid, GID: a.gid, Terminal: func() int { return a.terminal }, Now: a.now,
		Stdout: a.out, Stderr: a.stderr, Resolver: func() []string { return self }, Interrupt: func() <-chan os.Signal { return a.interrupt() },
	})
	if status != 0 {
		return said(status)
	}
	return nil
}

// program is the command line of this program.
func (a *ambit) program() ([]string, error) {
	if a.self == "" {
		return nil, errors.New("cannot find the path of the running program")
	}
	return []string{a.self}, nil
}
