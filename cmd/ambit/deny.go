package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"ambit/hook"
)

func denyCommand(a *ambit) *cobra.Command {
	return &cobra.Command{
		Use:   "deny [DIR|FILE]",
		Short: "load nothing from a directory's file",
		Long: `Take back what "ambit allow" allowed, or refuse beforehand. What is loaded is
unloaded at the next prompt of every shell; deny beats every setting that
trusts the directory, until "ambit allow" lifts it.`,
		Example: `  ambit deny            # the file that governs this directory
  ambit deny ~/src/shop`,
		Args:              atMost(1),
		ValidArgsFunction: directories,
		RunE: func(_ *cobra.Command, args []string) error {
			return runDeny(a, optional(args))
		},
	}
}

func runDeny(a *ambit, arg string) error {
	t, err := a.decided(arg)
	if err != nil {
		return err
	}
	record := a.trust.Record(t.identity)
	if record == nil {
		record = &hook.Record{Dir: t.identity}
	}
	record.Denied, record.Auto, record.At = true, false, a.now().Unix()
	if err := a.trust.Put(record); err != nil {
		return fmt.Errorf("cannot record the decision: %w", err)
	}
	a.touch()
	a.say(plain(a.short(t.file) + " denied"))
	return nil
}

// decided finds the file that `allow` and `deny` decide about: a directory's, a
// given one, or the nearest.
func (a *ambit) decided(arg string) (target, error) {
	if arg == "" {
		return a.nearest(a.dir)
	}
	return a.fileTarget(arg)
}

// touch makes every open shell look again at its next prompt.
func (a *ambit) touch() {
	if err := a.cacheDir.Touch(a.now()); err != nil && a.cacheDir != nil {
		a.say(warning(fmt.Sprintf("open shells will not notice: %v", err)))
	}
}

func optional(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
