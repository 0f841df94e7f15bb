package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver"
)

func allowCommand(a *ambit) *cobra.Command {
	var yes, list, prune bool
	cmd := &cobra.Command{
		Use:   "allow [-y] [DIR|FILE]",
		Short: "see what a directory's file would load, and allow it",

		DisableFlagsInUseLine: true,
		Long: `Show what a .envrc.yaml would load: environments, variables, directories for
PATH, the providers it would open, the roles it would assume, the commands it
would run. Then ask whether to allow exactly these bytes. Any later edit, of the
file or of one that it imports, asks again. Nothing is run or fetched for it.

Without DIR or FILE it is the file that governs the current directory. Without a
terminal to ask on, -y has to say that what was shown is agreed to.`,
		Example: `  ambit allow                 # show, ask, allow
  ambit allow -y ~/src/shop   # show and allow
  ambit allow --list          # what was decided so far
  ambit allow --prune         # forget directories that are gone`,
		Args:              atMost(1),
		ValidArgsFunction: directories,
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case list && prune:
				return usageError{"--list and --prune do not go together", "write one of them"}
			case (list || prune) && (yes || len(args) > 0):
				return usageError{"--list and --prune take no other argument", ""}
			case list:
				return runAllowList(a)
			case prune:
				return runAllowPrune(a)
			}
			ctx, stop := a.interruptible()
			defer stop()
			return runAllow(ctx, a, optional(args), yes)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "agree to what is shown, without being asked")
	cmd.Flags().BoolVar(&list, "list", false, "list what was allowed and denied")
	cmd.Flags().BoolVar(&prune, "prune", false, "forget what was decided about files that are gone")
	return cmd
}

func runAllow(ctx context.Context, a *ambit, arg string, yes bool) error {
	t, err := a.decided(arg)
	if err != nil {
		return err
	}
	d, err := a.load(ctx, t)
	if err != nil {
		return err
	}
	if err := a.refuseFaults(ctx, d); err != nil {
		return err
	}
	if d.program.Store() != "" {
		return fmt.Errorf("%s lies in one of your own stores and needs no permission", a.short(t.file))
	}
	record := d.record(a.now().Unix())
	before := a.trust.Record(t.identity)
	known := before != nil && !before.Denied && before.Closure == record.Closure && slices.Equal(before.Consent, record.Consent)
	a.present(d, record, before)
	if err := a.out.failure(); err != nil {
		return err // nobody has seen it
	}
	if !yes && !known {
		ok, err := confirm(ctx, fmt.Sprintf("allow %s?", a.short(t.file)), false)
		switch {
		case errors.Is(err, errNoTerminal):
			return withHint(err, `run "ambit allow -y" to allow what is shown`)
		case err != nil:
			return err
		case !ok:
			a.say(plain(a.short(t.file) + " is not allowed"))
			return said(1)
		}
	}
	if err := a.trust.Put(record); err != nil {
		return fmt.Errorf("cannot record the decision: %w", err)
	}
	a.touch()
	a.say(plain(a.short(t.file) + " allowed"))
	return nil
}

// refuseFaults says what is wrong with a definition. Its own files must be free
// of errors to be allowed; what is wrong with one of the user's stores is only
// said.
func (a *ambit) refuseFaults(ctx context.Context, d *definition) error {
	diags := d.diags
	if d.program != nil && !resolver.HasErrors(diags) {
		opt, _ := a.options(hook.NewEnviron(a.env), resolver.Person, false, nil)
		diags = d.program.Check(ctx, opt)
	}
	a.say(messages(diags)...)
	if d.program == nil || resolver.HasErrors(d.diags) {
		return said(1)
	}
	inStore := map[string]bool{}
	for _, f := range d.program.Closure() {
		inStore[f.Path] = f.Store != ""
	}
	for _, diag := range diags {
		if diag.Severity == resolver.Error && !inStore[diag.Pos.File] {
			return said(1)
		}
	}
	return nil
}

// present shows what would be loaded and, of a file that was decided about
// before, what is different now.
func (a *ambit) present(d *definition, record, before *hook.Record) {
	fmt.Fprintf(a.out, "%s would load %s\n", printableWhole(a.short(d.file)), printableWhole(d.program.Label()))
	a.showPlan(record.Plan)
	if before == nil || len(before.Files) == 0 {
		if twin := a.twin(record); twin != "" {
			fmt.Fprintf(a.out, "same content as %s\n", printableWhole(a.short(twin)))
		}
		return
	}
	if before.Closure == record.Closure {
		return
	}
	fmt.Fprintln(a.out, "since it was last decided about:")
	a.showDifference(before.Plan, record.Plan)
	for _, path := range changedFiles(before.Files, record.Files) {
		fmt.Fprintf(a.out, "  changed: %s\n", printableWhole(a.short(path)))
	}
}

// changedFiles are the paths that one closure has and the other has not, or with
// other bytes.
func changedFiles(before, now []hook.Link) []string {
	var out []string
	for _, pair := range [][2][]hook.Link{{now, before}, {before, now}} {
		for _, l := range pair[0] {
			if !slices.Contains(pair[1], l) && !slices.Contains(out, l.Path) {
				out = append(out, l.Path)
			}
		}
	}
	return out
}

// twin is another allowed directory whose closure has the same bytes in the same
// places, "" if there is none.
func (a *ambit) twin(record *hook.Record) string {
	records, err := a.trust.List()
	if err != nil {
		return "" // it is only a help
	}
	slices.SortFunc(records, func(x, y *hook.Record) int { return strings.Compare(x.Dir, y.Dir) })
	for _, other := range records {
		if other.Denied || other.Dir == record.Dir || len(other.Files) != len(record.Files) {
			continue
		}
		from, to := other.Dir, record.Dir
		// The same place in another checkout: what differs is in front.
		for from != "/" && to != "/" && filepath.Base(from) == filepath.Base(to) {
			from, to = filepath.Dir(from), filepath.Dir(to)
		}
		if sameLinks(other.Files, record.Files, other.Dir, record.Dir) || sameLinks(other.Files, record.Files, from, to) {
			return other.Dir
		}
	}
	return ""
}

func sameLinks(a, b []hook.Link, from, to string) bool {
	for i, l := range a {
		l.Path, l.Via = moved(l.Path, from, to), moved(l.Via, from, to)
		if l != b[i] {
			return false
		}
	}
	return true
}

func runAllowList(a *ambit) error {
	records, err := a.records()
	if err != nil {
		return err
	}
	for _, r := range records {
		fmt.Fprintf(a.out, "%-8s %s\n", standing(r), printableWhole(r.Dir))
	}
	return nil
}

// records are the decisions, sorted by path.
func (a *ambit) records() ([]*hook.Record, error) {
	records, err := a.trust.List()
	if err != nil {
		return nil, fmt.Errorf("cannot read the decisions: %w", err)
	}
	slices.SortFunc(records, func(x, y *hook.Record) int { return strings.Compare(x.Dir, y.Dir) })
	return records, nil
}

// standing is one word on how a recorded file stands now.
func standing(r *hook.Record) string {
	if isGone(r) {
		return "gone"
	}
	verdict, _ := r.Check()
	switch verdict {
	case hook.Denied:
		return "denied"
	case hook.Allowed:
		return "allowed"
	}
	return "changed"
}

// isGone says whether the file that a record is about does not exist.
func isGone(r *hook.Record) bool {
	path := r.Dir
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = directory(r.Dir).file
	}
	_, err := os.Lstat(path)
	return errors.Is(err, os.ErrNotExist)
}

func runAllowPrune(a *ambit) error {
	records, err := a.records()
	if err != nil {
		return err
	}
	n := 0
	for _, r := range records {
		if !isGone(r) {
			continue
		}
		if err := a.trust.Remove(r.Dir); err != nil {
			return fmt.Errorf("cannot forget %s: %w", a.short(r.Dir), err)
		}
		n++
	}
	if n > 0 {
		a.touch()
	}
	a.say(plain(fmt.Sprintf("%d of %d decisions forgotten", n, len(records))))
	return nil
}
