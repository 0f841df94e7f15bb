package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"ambit/resolver"
	"ambit/shells"
)

// planLines says what a definition would load, one fact a line, in a fixed
// order. The lines are kept, so that after an edit the difference can be shown:
// they hold no line numbers and do not depend on where ambit was called. Names
// are foreign and not yet printable; there are no values.
func (d *definition) planLines(plan resolver.Plan) []string {
	base := filepath.Dir(d.program.Path())
	var lines []string
	add := func(kind, format string, args ...any) { lines = append(lines, kind+": "+fmt.Sprintf(format, args...)) }
	from := func(pos resolver.Position) string { return d.nameOf(plan, base, pos.File) }

	for i, e := range plan.Environments {
		switch {
		case e.Store != "":
			add("environment", "%s (%s)", e.Name, d.places.Short(e.Path, ""))
		case i > 0:
			add("imported file", "%s", d.places.Short(e.Path, base))
		}
	}
	for _, f := range plan.Dotenv {
		add("dotenv file", "%s", d.places.Short(f.Path, base))
	}
	for _, v := range plan.Variables {
		add("variable", "%s (%s)", v.Name, from(v.Pos))
	}
	for _, f := range plan.Files {
		add("file variable", "%s (%s)", f.Name, from(f.Pos))
	}
	for _, pos := range plan.Open {
		add("more variables", "whatever a provider names (%s)", from(pos))
	}
	for _, u := range plan.Unset {
		add("unset", "%s (%s)", u.Name, from(u.Pos))
	}
	for _, dir := range plan.Path {
		add("path", "%s", d.places.Short(dir, base))
	}
	for _, o := range plan.Opens {
		add("provider", "%s (%s)", d.describe(o), from(o.Pos))
	}
	for _, path := range plan.Watch {
		add("watched file", "%s", d.places.Short(path, base))
	}
	for _, n := range plan.Consent {
		add("needs your consent", "%s (%s)", n.Name, from(n.Pos))
	}
	for _, f := range plan.Beyond {
		add("lies beyond the repository", "%s", f.Path)
	}
	return lines
}

// describe says what an open would do: whom it would become, what it would run.
func (d *definition) describe(o resolver.PlannedOpen) string {
	parts := []string{o.Provider}
	if o.Kind != "" {
		parts[0] += " by " + o.Kind
	}
	if o.Role != "" {
		parts = append(parts, "role "+o.Role)
	}
	if o.Profile != "" {
		parts = append(parts, "profile "+o.Profile)
	}
	if o.Reads != "" {
		parts = append(parts, "reads "+o.Reads)
	}
	if !slices.Contains(d.builtin, o.Provider) {
		parts = append(parts, "runs ambit-provider-"+o.Provider)
	}
	if len(o.Argv) > 0 {
		words := make([]string, len(o.Argv))
		for i, word := range o.Argv {
			words[i] = quoteWord(word)
		}
		parts = append(parts, "runs "+strings.Join(words, " "))
	}
	return strings.Join(parts, ", ")
}

// quoteWord keeps the words of a command line apart.
func quoteWord(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_./:=+,@%-", r)
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	return shells.Bash.Quote(word)
}

// nameOf is what a plan calls the file at a path: an environment by its name,
// another file by its path.
func (d *definition) nameOf(plan resolver.Plan, base, path string) string {
	for _, e := range plan.Environments {
		if e.Path == path && e.Store != "" {
			return e.Name
		}
	}
	return d.places.Short(path, base)
}

// showPlan prints lines grouped by what they are about, each whole: a command
// must not hide behind its own length.
func (a *ambit) showPlan(lines []string) {
	last := ""
	for _, l := range lines {
		kind, text, _ := strings.Cut(l, ": ")
		if kind != last {
			fmt.Fprintf(a.out, "%s:\n", heading(kind))
			last = kind
		}
		fmt.Fprintf(a.out, "  %s\n", printableWhole(text))
	}
}

// heading is what a group of lines of one kind is called.
func heading(kind string) string {
	switch kind {
	case "environment", "imported file", "dotenv file", "variable", "file variable", "provider", "watched file":
		return kind + "s"
	}
	return kind
}

// showDifference prints the lines that are new with +, those that are gone with
// -, and the others as they are.
func (a *ambit) showDifference(before, now []string) {
	for _, l := range before {
		if !slices.Contains(now, l) {
			fmt.Fprintf(a.out, "- %s\n", printableWhole(l))
		}
	}
	for _, l := range now {
		if !slices.Contains(before, l) {
			fmt.Fprintf(a.out, "+ %s\n", printableWhole(l))
		}
	}
}

// printableWhole is [shells.Printable] without its limit of columns.
func printableWhole(text string) string {
	const piece = 64 // bytes; each may need several columns
	var b strings.Builder
	for len(text) > 0 {
		n := min(piece, len(text))
		for n < len(text) && n > 0 && text[n]&0xc0 == 0x80 {
			n-- // not within a character
		}
		if n == 0 {
			n = min(piece, len(text)) // nothing but continuation bytes: no character
		}
		b.WriteString(shells.Printable(text[:n]))
		text = text[n:]
	}
	return b.String()
}
