package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"ambit/resolver"
)

func envDiffCommand(a *ambit) *cobra.Command {
	var show bool
	cmd := &cobra.Command{
		Use:   "diff NAME|FILE NAME|FILE",
		Short: "compare the values of two environments",
		Long: `Compare the values of two environments, with all that they import, and print
what only the first has with -, what only the second has with +. Nothing is
opened or run: of what a provider would supply, the inputs are compared. Secrets
are compared and shown as [secret] unless --show-secrets.`,
		Example:           "  ambit env diff shop/dev shop/prod",
		Args:              between(2, 2),
		ValidArgsFunction: a.completeNames(2),
		RunE: func(_ *cobra.Command, args []string) error {
			ctx, stop := a.interruptible()
			defer stop()
			return runEnvDiff(ctx, a, [2]string(args), show)
		},
	}
	cmd.Flags().BoolVar(&show, "show-secrets", false, "print secrets in clear")
	return cmd
}

func runEnvDiff(ctx context.Context, a *ambit, args [2]string, show bool) error {
	values, diags, err := a.inspectBoth(ctx, args, true)
	if err == nil && resolver.HasErrors(diags) && !show {
		// Perhaps only for want of an identity.
		without, others, err := a.inspectBoth(ctx, args, false)
		if err == nil && !resolver.HasErrors(others) {
			a.say(warning("secrets that are kept encrypted cannot be decrypted and are not compared"))
			values, diags = without, others
		}
	}
	if err != nil {
		return err
	}
	a.say(messages(diags)...)
	if resolver.HasErrors(diags) {
		return said(1)
	}
	differences := resolver.Differences(values[0], values[1])
	if len(differences) > 0 {
		fmt.Fprintf(a.out, "--- %s\n+++ %s\n", printableWhole(args[0]), printableWhole(args[1]))
	}
	for _, d := range differences {
		for _, side := range []struct {
			sign  string
			value *resolver.Value
		}{{"-", d.Before}, {"+", d.After}} {
			if side.value != nil {
				fmt.Fprintf(a.out, "%s%s: %s\n", side.sign, printableWhole(d.Path), printableWhole(resolver.Shown(*side.value, show)))
			}
		}
	}
	return nil
}

func (a *ambit) inspectBoth(ctx context.Context, args [2]string, decrypt bool) (values [2]resolver.Value, diags []resolver.Diagnostic, err error) {
	for i, arg := range args {
		v, more, err := a.inspect(ctx, arg, "", decrypt)
		if err != nil {
			return values, nil, err
		}
		values[i], diags = v, append(diags, more...)
	}
	return values, diags, nil
}
