package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver"
	"ambit/shells"
)

func checkCommand(a *ambit) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "check [NAME|FILE]",
		Short: "say what is wrong with a definition",
		Long: `Check every value of a definition and of everything it imports. Nothing is
opened, run or fetched, so a file need not be allowed.

NAME is an environment PROJECT/NAME of the stores. FILE begins with ./, ../ or /,
or ends in .yaml. Without either it is the nearest .envrc.yaml. The status is 0
if there is no error, warnings or not.`,
		Example: `  ambit check
  ambit check shop/dev
  ambit check ./base.yaml --format json`,
		Args:              atMost(1),
		ValidArgsFunction: a.completeName,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := oneOf("--format", format, "text", "json"); err != nil {
				return err
			}
			ctx, stop := a.interruptible()
			defer stop()
			return runCheck(ctx, a, optional(args), format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "`FORMAT`: text (on stderr) or json (on stdout)")
	completeChoice(cmd, "format", "text", "json")
	return cmd
}

func runCheck(ctx context.Context, a *ambit, arg, format string) error {
	t, err := a.target(arg)
	if err != nil {
		return err
	}
	d, err := a.load(ctx, t)
	if err != nil {
		return err
	}
	diags := d.diags
	if d.program != nil {
		opt, _ := a.options(hook.NewEnviron(a.env), resolver.Person, false, nil)
		diags = d.program.Check(ctx, opt)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if format == "json" {
		if err := a.printDiagnostics(diags); err != nil {
			return err
		}
	} else {
		a.say(messages(diags)...)
	}
	if resolver.HasErrors(diags) {
		return said(1)
	}
	return nil
}

type jsonPlace struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

type jsonDiagnostic struct {
	Severity string      `json:"severity"`
	File     string      `json:"file,omitempty"`
	Line     int         `json:"line,omitempty"`
	Column   int         `json:"column,omitempty"`
	Summary  string      `json:"summary"`
	Hint     string      `json:"hint,omitempty"`
	Imports  []jsonPlace `json:"imports,omitempty"`
}

func (a *ambit) printDiagnostics(diags []resolver.Diagnostic) error {
	out := []jsonDiagnostic{}
	for _, d := range diags {
		j := jsonDiagnostic{
			Severity: "error", File: d.Pos.File, Line: d.Pos.Line, Column: d.Pos.Column, Summary: d.Summary, Hint: d.Hint,
		}
		if d.Severity == resolver.Warning {
			j.Severity = "warning"
		}
		for _, p := range d.Imports {
			j.Imports = append(j.Imports, jsonPlace{p.File, p.Line, p.Column})
		}
		out = append(out, j)
	}
	return a.printJSON(out)
}

// printJSON prints with an indent of two. Besides what JSON escapes, it escapes
// every character that a terminal would obey or not show: names are foreign.
func (a *ambit) printJSON(v any) error {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	var out []byte
	for _, r := range b.String() {
		if r < 0x7f || shells.Printable(string(r)) == string(r) {
			out = utf8.AppendRune(out, r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			out = fmt.Appendf(out, `\u%04x`, unit)
		}
	}
	_, err := a.out.Write(out)
	return err
}
