package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ambit/shells"
)

func rootCommand(a *ambit) *cobra.Command {
	root := &cobra.Command{
		Use:   "ambit",
		Short: "make the environment follow the directory",
		Long: `ambit makes the environment follow the directory.

A file .envrc.yaml names an environment. Entering its directory loads that
environment's variables, short-lived cloud credentials included; leaving
unloads them. Nothing of a file happens before you have allowed it.`,
		Example: `  eval "$(ambit hook bash)"     # in ~/.bashrc; also zsh, and: ambit hook fish | source
  cd shop && ambit allow        # see what .envrc.yaml would load, and agree
  ambit status`,
		// Both are said by ui.go, in ambit's own words.
		SilenceErrors: true, SilenceUsage: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		Version: versionLine(),
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		hookCommand(a), exportCommand(a), resolveCommand(a),
		allowCommand(a), denyCommand(a), statusCommand(a), whyCommand(a), reloadCommand(a),
		openCommand(a), checkCommand(a), runCommand(a), whoamiCommand(a), doctorCommand(a), explainCommand(a), trialCommand(a), credentialProcessCommand(a), consoleCommand(a),
		loginCommand(a), logoutCommand(a), renewCommand(a),
		envCommand(a), schemaCommand(a),
		cacheCommand(a), versionCommand(a),
	)
	root.SetHelpCommand(helpCommand())
	completions(root)
	return root
}

func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "show what a command does",
		Long:    "Show what a command does, with its flags and an example.",
		Example: "  ambit help allow",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(cmd.Root(), strings.Join(args, " "))
			}
			return found.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return commandNames(cmd.Root()), cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// completions gives cobra's own commands the example that every command has.
func completions(root *cobra.Command) {
	root.InitDefaultCompletionCmd("help")
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Short = "print the completion script of a shell"
		cmd.Example = `  source <(ambit completion bash)`
		for _, sub := range cmd.Commands() {
			if _, err := shells.Parse(sub.Name()); err != nil {
				cmd.RemoveCommand(sub) // a shell without a hook
				continue
			}
			sub.Short = "print the completion script of " + sub.Name()
			sub.Example = "  ambit completion " + sub.Name()
		}
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{text: "name a shell", hint: "write, for example, ambit completion bash"}
			}
			return unknownCommand(cmd, args[0])
		}
		cmd.RunE = func(*cobra.Command, []string) error { return nil } // Args always objects
	}
}

func commandNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	return names
}

func unknownCommand(cmd *cobra.Command, name string) error {
	h := didYouMean(name, commandNames(cmd))
	if h == "" {
		h = fmt.Sprintf(`run "%s --help" for the list`, cmd.CommandPath())
	}
	return usageError{fmt.Sprintf("unknown command %q", name), h}
}

// flagError says what is wrong with a flag, and which one was probably meant.
func flagError(cmd *cobra.Command, err error) error {
	u := usageError{text: err.Error(), hint: fmt.Sprintf(`run "%s --help"`, cmd.CommandPath())}
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		u.text = fmt.Sprintf("unknown flag %q", "--"+unknown.GetSpecifiedName())
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, "--"+f.Name)
			}
		})
		if h := didYouMean("--"+unknown.GetSpecifiedName(), names); h != "" {
			u.hint = h
		}
	}
	return u
}

// atMost is for commands that take up to n arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) <= n {
			return nil
		}
		return usageError{fmt.Sprintf("unexpected argument %q", args[n]),
			fmt.Sprintf("the form is: %s", cmd.UseLine())}
	}
}

// oneShell is for commands that take the name of a shell.
func oneShell(cmd *cobra.Command, args []string) error {
	names := []string{string(shells.Bash), string(shells.Zsh), string(shells.Fish)}
	if len(args) != 1 {
		return usageError{"name one shell: bash, zsh or fish", fmt.Sprintf("write, for example, %s bash", cmd.CommandPath())}
	}
	if _, err := shells.Parse(args[0]); err != nil {
		return usageError{err.Error(), didYouMean(args[0], names)}
	}
	return nil
}

// noCompletion is for arguments of which no file is one.
func noCompletion(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func directories(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}
