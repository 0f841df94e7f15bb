package main

import (
	"context"

	"github.com/spf13/cobra"
)

func renewCommand(a *ambit) *cobra.Command {
	return &cobra.Command{
		Use:    "renew NAME",
		Short:  "renew a login",
		Hidden: true,
		Long: `Renew a login of config.yaml with its refresh token, unless its ID token still
lives, and print what came of it in a form of ambit's own. A prompt runs it and
waits for a moment: it never reads refresh tokens or asks the keyring itself.`,
		Example: "  ambit renew work | wc -c",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{"name one login", "the form is: " + cmd.UseLine()}
			}
			return nil
		},
		ValidArgsFunction: a.completeLogin,
		RunE: func(_ *cobra.Command, args []string) error {
			ctx, stop := a.interruptible()
			defer stop()
			ctx, cancel := context.WithTimeout(ctx, detachedTime)
			defer cancel()
			return runRenew(ctx, a, args[0])
		},
	}
}

func runRenew(ctx context.Context, a *ambit, name string) error {
	a.enterBaseline()
	if _, err := a.config(); err != nil {
		return err
	}
	_, err := a.out.Write(a.keeper().Renewal(ctx, name))
	return err
}
