package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver"
)

func envGetCommand(a *ambit) *cobra.Command {
	var format string
	var show bool
	cmd := &cobra.Command{
		Use:   "get NAME|FILE [PATH]",
		Short: "show the values of an environment without opening it",
		Long: `Show the values of an environment with all that it imports, or the value at
PATH, such as aws.region. Nothing is opened or run: what a provider would supply
is [unknown]. Secrets are [secret] unless --show-secrets, which decrypts those
that are kept encrypted.`,
		Example: `  ambit env get shop/dev
  ambit env get shop/dev environmentVariables.LOG_LEVEL
  ambit env get shop/dev db.password --show-secrets`,
		Args:              between(1, 2),
		ValidArgsFunction: a.completeNames(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := oneOf("--format", format, "json", "yaml"); err != nil {
				return err
			}
			ctx, stop := a.interruptible()
			defer stop()
			return runEnvGet(ctx, a, args[0], optional(args[1:]), format, show)
		},
	}
	cmd.Flags().StringVar(&format, "format", "json", "`FORMAT`: json, yaml")
	cmd.Flags().BoolVar(&show, "show-secrets", false, "print secrets in clear")
	completeChoice(cmd, "format", "json", "yaml")
	return cmd
}

func runEnvGet(ctx context.Context, a *ambit, arg, path, format string, show bool) error {
	v, diags, err := a.inspect(ctx, arg, path, show)
	if err != nil {
		return err
	}
	a.say(messages(diags)...)
	if resolver.HasErrors(diags) {
		return said(1)
	}
	text := resolver.EncodeJSON(v, show)
	if format == "yaml" {
		if text, err = resolver.EncodeYAML(v, show); err != nil {
			return withHint(fmt.Errorf("cannot be written as YAML: %w", err), "use --format json")
		}
	}
	_, err = a.out.Write(text)
	return err
}

// inspect computes a value of a definition without opening or running anything.
func (a *ambit) inspect(ctx context.Context, arg, path string, decrypt bool) (resolver.Value, []resolver.Diagnostic, error) {
	if decrypt {
		a.unharden = harden()
	}
	t, err := a.target(arg)
	if err != nil {
		return resolver.Value{}, nil, err
	}
	d, err := a.load(ctx, t)
	if err != nil || d.program == nil {
		return resolver.Value{}, d.diagnostics(), err
	}
	opt, _ := a.options(hook.NewEnviron(a.env), resolver.Person, false, nil)
	v, diags := d.program.Inspect(ctx, opt, path, decrypt)
	return v, diags, interrupted(ctx)
}
