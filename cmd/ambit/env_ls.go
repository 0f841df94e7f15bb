package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func envLsCommand(a *ambit) *cobra.Command {
	return &cobra.Command{
		Use:               "ls",
		Short:             "list the environments of the stores",
		Long:              "List the environments of all stores as PROJECT/NAME, one a line, sorted.",
		Example:           "  ambit env ls",
		Args:              atMost(0),
		ValidArgsFunction: noCompletion,
		RunE: func(*cobra.Command, []string) error {
			names, err := a.names()
			if err != nil {
				return err
			}
			for _, name := range names {
				fmt.Fprintln(a.out, name)
			}
			return nil
		},
	}
}
