package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"ambit/resolver/cache"
)

func cacheCommand(a *ambit) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cache",
		Short:   "deal with what was resolved and kept",
		Long:    "Deal with the resolved environments and credentials that ambit keeps for a while.",
		Example: "  ambit cache clear",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{"name what to do with the cache", `run "ambit cache clear" to empty it`}
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(*cobra.Command, []string) error { return nil }, // Args always objects
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "clear",
		Short: "forget everything that was resolved",
		Long: `Forget all resolved environments and the credentials in them. What is loaded
in a shell stays, and so do the files that running programs were given; the next
prompt resolves it anew. AWS cannot recall credentials that were handed out: they
live until they expire.`,
		Example:           "  ambit cache clear",
		Args:              atMost(0),
		ValidArgsFunction: noCompletion,
		RunE:              func(*cobra.Command, []string) error { return runCacheClear(a) },
	})
	return cmd
}

func runCacheClear(a *ambit) error {
	dir, err := cache.Open(a.places.Cache, a.uid)
	if err != nil {
		return withHint(err, "see that there is room, and that the directory is yours alone (mode 0700)")
	}
	if err := dir.Clear(a.now()); err != nil {
		return fmt.Errorf("cannot clear the cache: %w", err)
	}
	a.say(plain("cache cleared"))
	return nil
}
