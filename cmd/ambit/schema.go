package main

import (
	"github.com/spf13/cobra"

	"ambit/resolver"
)

func schemaCommand(a *ambit) *cobra.Command {
	kinds := []string{"envrc", "environment"}
	return &cobra.Command{
		Use:   "schema [envrc|environment]",
		Short: "print the JSON Schema of definitions, for editors",
		Long: `Print the JSON Schema (draft 7) of a .envrc.yaml, or of the environments of a
store, the inputs of the providers included, so that editors complete and check
as you type. "ambit check" sees more: it follows references.`,
		Example: `  ambit schema > ~/.config/ambit/envrc.schema.json
  ambit schema environment > ~/.config/ambit/environment.schema.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				switch args[0] {
				case kinds[0], kinds[1]:
				default:
					help := didYouMean(args[0], kinds)
					if help == "" {
						help = "write envrc or environment"
					}
					return usageError{"there is no schema of that kind of file", help}
				}
			}
			return atMost(1)(cmd, args)
		},
		ValidArgsFunction: cobra.FixedCompletions(kinds, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := resolver.EditorSchema(optional(args) != kinds[1], a.providers())
			if err != nil {
				return err
			}
			_, err = a.out.Write(text)
			return err
		},
	}
}
