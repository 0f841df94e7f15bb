package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"ambit/resolver"
	"ambit/resolver/aws"
)

func renewCommand(a *ambit) *cobra.Command {
	var sso bool
	cmd := &cobra.Command{
		Use:    "renew NAME | --sso",
		Short:  "renew a login",
		Hidden: true,
		Long: `Renew a login of config.yaml with its refresh token, unless its ID token still
lives, and print what came of it in a form of ambit's own. A prompt runs it and
waits for a moment: it never reads refresh tokens or asks the keyring itself.

With --sso it is an SSO session, which standard input describes.`,
		DisableFlagsInUseLine: true,
		Example:               "  ambit renew work | wc -c",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 && !sso || len(args) != 0 && sso {
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
			if sso {
				return runRenewSSO(ctx, a)
			}
			return runRenew(ctx, a, args[0])
		},
	}
	cmd.Flags().BoolVar(&sso, "sso", false, "renew the SSO session that standard input describes")
	return cmd
}

func runRenew(ctx context.Context, a *ambit, name string) error {
	a.enterBaseline()
	if _, err := a.config(); err != nil {
		return err
	}
	_, err := a.out.Write(a.keeper().Renewal(ctx, name))
	return err
}

func runRenewSSO(ctx context.Context, a *ambit) error {
	base := a.enterBaseline()
	question, err := io.ReadAll(io.LimitReader(a.stdin, 64<<10))
	if err != nil {
		return err
	}
	_, err = a.out.Write(aws.RenewSSO(ctx, aws.Options{Cache: a.cacheDir}, resolver.NewBaseline(base.List()), a.now, question))
	return err
}
