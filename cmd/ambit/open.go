package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/cache"
	"ambit/shells"
)

var openFormats = []string{"json", "yaml", "dotenv", "bash", "zsh", "fish", "detailed"}

func openCommand(a *ambit) *cobra.Command {
	var format string
	var show bool
	cmd := &cobra.Command{
		Use:   "open [NAME|FILE] [PATH]",
		Short: "print the values of an environment",
		Long: `Resolve an environment, opening what it needs, and print it, or the value at
PATH, such as aws.region or servers[0]["host.name"].

NAME is an environment PROJECT/NAME of the stores. FILE begins with ./, ../ or /,
or ends in .yaml; it has to be allowed. Without either it is the nearest
.envrc.yaml.

json, yaml and detailed show secrets as [secret] unless --show-secrets. dotenv,
bash, zsh and fish print the variables in clear, to be sourced or evaluated;
exported files are written, and are there for as long as the terminal.`,
		Example: `  ambit open shop/dev
  ambit open shop/dev environmentVariables.AWS_REGION
  ambit open ./.envrc.yaml --format yaml --show-secrets
  eval "$(ambit open shop/dev --format bash)"`,
		Args:              atMost(2),
		ValidArgsFunction: a.completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("--format", format, openFormats...); err != nil {
				return err
			}
			path := ""
			if len(args) == 2 {
				path = args[1]
			}
			if path != "" && slices.Contains(openFormats[2:6], format) {
				return usageError{"--format " + format + " prints all variables and takes no PATH", "leave out PATH, or use --format json"}
			}
			ctx, stop := a.interruptible()
			defer stop()
			return runOpen(ctx, a, optional(args), path, format, show)
		},
	}
	cmd.Flags().StringVar(&format, "format", "json", "`FORMAT`: "+strings.Join(openFormats, ", "))
	cmd.Flags().BoolVar(&show, "show-secrets", false, "print secrets in clear")
	completeChoice(cmd, "format", openFormats...)
	return cmd
}

func runOpen(ctx context.Context, a *ambit, arg, path, format string, show bool) error {
	base := a.enterBaseline()
	d, err := a.permitted(ctx, arg)
	if err != nil {
		return err
	}
	if slices.Contains(openFormats[2:6], format) {
		return a.openVariables(ctx, d, base, format)
	}
	opt, _ := a.options(base, resolver.Person, false, d.consent)
	var value resolver.Value
	diags := d.diags
	if d.program != nil {
		value, diags = d.program.Open(ctx, opt, path)
		diags = a.addressed(d, diags)
	}
	if err := interrupted(ctx); err != nil {
		return err
	}
	a.say(messages(diags)...)
	if resolver.HasErrors(diags) {
		return said(1)
	}
	var text []byte
	switch format {
	case "json":
		text = resolver.EncodeJSON(value, show)
	case "yaml":
		if text, err = resolver.EncodeYAML(value, show); err != nil {
			return withHint(fmt.Errorf("cannot be written as YAML: %w", err), "use --format json")
		}
	case "detailed":
		text = d.program.EncodeDetailed(value, show)
	}
	_, err = a.out.Write(text)
	return err
}

// permitted loads what `open`, `run` and `whoami` were asked for. A file outside
// the user's stores has to be allowed, and then exactly the allowed bytes count.
func (a *ambit) permitted(ctx context.Context, arg string) (*definition, error) {
	t, err := a.target(arg)
	if err != nil {
		return nil, err
	}
	stores, err := a.stores()
	if err != nil {
		return nil, err
	}
	if t.root.Name != "" || a.storeOf(stores, t.root.File) != "" {
		return a.load(ctx, t)
	}
	record, contents, err := a.allowed(ctx, t)
	if err != nil {
		return nil, err
	}
	return a.loadPinned(ctx, t, record, contents)
}

// interrupted is errInterrupted if the person gave up.
func interrupted(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// openVariables prints what the environment exports, to be sourced.
func (a *ambit) openVariables(ctx context.Context, d *definition, base hook.Environ, format string) error {
	ev, err := a.evaluate(ctx, d, base, resolver.Person, false)
	if err != nil {
		return err
	}
	a.sayEvaluation(ev)
	if ev.result == nil {
		return said(1)
	}
	written(ev)
	if err := a.deliver(ev.result, cache.NewFileSet(a.terminal)); err != nil {
		return err
	}
	var b strings.Builder
	if format == "dotenv" {
		for _, v := range ev.result.Variables {
			b.WriteString(dotenvLine(v.Name, v.Value.Reveal()))
		}
	} else {
		for _, c := range changesOf(ev.result, base) {
			b.WriteString(shells.Shell(format).SetLine(c))
		}
	}
	_, err = a.out.Write([]byte(b.String()))
	return err
}

// written drops the variables that the resolver adds to what a shell loads (the
// other spelling of the region, the expiry of the keys): `ambit open` prints what
// the definition says.
func written(ev *evaluation) {
	plan := ev.program.Plan()
	if len(plan.Open) > 0 {
		return // a provider names the variables; which of them is known to it alone
	}
	ev.result.Variables = slices.DeleteFunc(ev.result.Variables, func(v resolver.Variable) bool {
		return !slices.ContainsFunc(plan.Variables, func(n resolver.PlannedName) bool { return n.Name == v.Name })
	})
}

// changesOf are the changes that a result makes to an environment, sorted by
// name: its unsets, its variables and the directories for PATH.
func changesOf(r *resolver.Result, base hook.Environ) []shells.Change {
	at := map[string]shells.Change{}
	for _, name := range r.Unset {
		at[name] = shells.Change{Name: name, Unset: true}
	}
	for _, v := range r.Variables {
		at[v.Name] = shells.Change{Name: v.Name, Value: v.Value.Reveal()}
	}
	if len(r.Path) > 0 {
		path, set := base["PATH"]
		if c, ok := at["PATH"]; ok {
			path, set = c.Value, !c.Unset
		}
		list := r.Path
		if set && path != "" {
			list = append(slices.Clone(list), path)
		}
		at["PATH"] = shells.Change{Name: "PATH", Value: strings.Join(list, ":")}
	}
	out := make([]shells.Change, 0, len(at))
	for _, c := range at {
		out = append(out, c)
	}
	slices.SortFunc(out, func(x, y shells.Change) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// dotenvLine writes an assignment that reads back as the same bytes, also in a
// shell that sources it, in the plainest form that does: most readers of such
// files know no $'…'.
func dotenvLine(name, value string) string {
	switch {
	case value != "" && strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,-") == "":
		return name + "=" + value + "\n"
	case !utf8.ValidString(value) || strings.ContainsFunc(value, odd):
		return name + "=" + shells.Bash.Quote(value) + "\n"
	case !strings.Contains(value, "'"):
		return name + "='" + value + "'\n"
	}
	return name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(value) + "\"\n"
}

// odd is what cannot stand for itself between quotes on every reader's screen.
func odd(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }

// oneOf is for flags that take one of a few words.
func oneOf(flag, value string, choices ...string) error {
	if slices.Contains(choices, value) {
		return nil
	}
	help := didYouMean(value, choices)
	if help == "" {
		help = "the choices are " + strings.Join(choices, ", ")
	}
	return usageError{fmt.Sprintf("%s: unknown format %q", flag, value), help}
}

func completeChoice(cmd *cobra.Command, flag string, choices ...string) {
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp))
}

// completeName offers the environments of the user's stores, and leaves files to
// the shell. It lists directories and reads no definition: a file need not be
// allowed for Tab to be pressed.
func (a *ambit) completeName(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || strings.HasPrefix(word, ".") || filepath.IsAbs(word) {
		return nil, cobra.ShellCompDirectiveDefault
	}
	names, err := a.names()
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return names, cobra.ShellCompDirectiveDefault
}
