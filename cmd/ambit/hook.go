package main

import (
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"ambit/shells"
)

func hookCommand(a *ambit) *cobra.Command {
	return &cobra.Command{
		Use:   "hook SHELL",
		Short: "print the hook that a shell's startup file evaluates",
		Long: `Print the hook for bash, zsh or fish. The shell's startup file evaluates it
once; from then on the environment follows the directory.`,
		Example: `  eval "$(ambit hook bash)"     # last line of ~/.bashrc
  eval "$(ambit hook zsh)"      # last line of ~/.zshrc
  ambit hook fish | source      # in ~/.config/fish/config.fish`,
		Args:      oneShell,
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(_ *cobra.Command, args []string) error {
			return runHook(a, shells.Shell(args[0]))
		},
	}
}

func runHook(a *ambit, shell shells.Shell) error {
	command, err := a.promptCommand()
	if err != nil {
		return err
	}
	_, err = a.out.Write([]byte(shell.Hook(command)))
	return err
}

// promptCommand is what the hook runs: ambit-hook, or, where it is missing, the
// same packages in this larger program.
func (a *ambit) promptCommand() ([]string, error) {
	var dirs []string
	// A link such as ~/bin/ambit outlives the version that it points to.
	if called, err := exec.LookPath(a.name); err == nil && same(called, a.self) {
		if called, err = filepath.Abs(called); err == nil {
			dirs = append(dirs, filepath.Dir(called))
		}
	}
	if a.self != "" {
		dirs = append(dirs, filepath.Dir(a.self))
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, "ambit-hook")
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return []string{path}, nil
		}
	}
	self, err := a.program()
	return append(self, "export"), err
}

func same(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
