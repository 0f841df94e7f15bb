package main

import (
	"fmt"
	"strings"

	"ambit/hook"
)

// maxWhyRows is how many rows of one kind are shown; JSON has them all.
const maxWhyRows = 12

// own are the variables by which ambit and people speak to each other.
var own = map[string]string{
	hook.EnvVar:                 "the name of the loaded environment, for you and your prompt",
	hook.DirVar:                 "the directory of the loaded file, for you and your prompt",
	hook.ExpiresVar:             "when the first of the loaded values ends, in seconds since the Unix epoch",
	hook.StateVar:               "what ambit has to remember for leaving, sealed",
	hook.RunVar:                 `what "ambit run" replaced, sealed`,
	"AMBIT_STORES":              "a setting of yours: where environments are kept",
	"AMBIT_TRUST":               `a setting of yours: directories that need no "ambit allow"`,
	"AMBIT_CEILING_DIRECTORIES": "a setting of yours: where the search for .envrc.yaml ends",
}

func (a *ambit) printWhy(w why) {
	a.row("variable", "%s %s", w.Name, w.standing())
	if text := own[w.Name]; text != "" {
		a.row("", "%s", text)
		return
	}
	if w.File != "" {
		where := a.short(w.File)
		if w.Environment != "" {
			where = w.Environment + " (" + where + ")"
		}
		a.row("environment", "%s", where)
	}
	switch w.Definition {
	case "blocked":
		a.row("definition", `not read, for it is not allowed: run "ambit allow"`)
	case "denied":
		a.row("definition", `not read, for it is denied: run "ambit allow" to lift that`)
	case "broken":
		a.row("definition", `has errors: run "ambit check"`)
	}
	if w.Outdated {
		text := "the next prompt of a shell with ambit's hook changes this"
		if w.By != "ambit" {
			text = `what follows is not loaded in this shell: "ambit status" says why`
		}
		a.row("outdated", "%s", text)
	}
	if w.Origin != nil {
		a.printOrigin(w.Name, w.Origin)
	}
	for _, e := range w.Entries {
		text := e.Directory
		if e.sourced != nil {
			text += ", defined at " + a.at(*e.sourced)
		}
		if w.By == "ambit" && !e.There {
			text += ", taken out since"
		}
		a.row("entry", "%s", text)
	}
	if w.Replaced != nil && w.Change != "" {
		switch {
		case len(w.Entries) > 0:
			a.row("replaced", "nothing: leaving takes out these entries")
		case w.Replaced.Set && w.Ours:
			a.row("replaced", "a value of your own (%s), which comes back when you leave", bytesOf(w.Replaced.Bytes))
		case w.Replaced.Set:
			a.row("replaced", "a value of your own (%s)", bytesOf(w.Replaced.Bytes))
		case w.Change != "-":
			a.row("replaced", "nothing: it was not set")
		}
	}
	if c := w.Cache; c != nil {
		a.row("resolved", "%s, %s", a.ago(c.CreatedAt), a.lives(c.RefreshAt, c.ExpiresAt))
	}
}

// standing says who made the variable what it is in this shell.
func (w why) standing() string {
	what := "is set"
	if w.Secret {
		what = "is set to a secret"
	}
	switch {
	case w.By == "nobody":
		return "is not set"
	case w.By == "you" && strings.HasPrefix(w.Name, "AMBIT_"):
		return "is set"
	case w.By == "you" && w.run:
		return fmt.Sprintf(`is set (%s), by "ambit run" or by what started that; this shell has loaded nothing`, bytesOf(w.length))
	case w.By == "you":
		return fmt.Sprintf("is set (%s), and not by ambit: by you, a startup file, or what started this shell", bytesOf(w.length))
	case w.Change == "-" && w.Ours:
		return "is unset by ambit"
	case w.Change == "-":
		return "was unset by ambit, and set since: leaving keeps your value"
	case w.Ours:
		return what + " by ambit"
	case !w.Set:
		return "was set by ambit, and unset since: leaving keeps that"
	}
	return "was set by ambit, and changed since: leaving keeps your value"
}

func bytesOf(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

func (a *ambit) printOrigin(name string, o *whyOrigin) {
	at := ""
	if o.sourced != nil {
		at = a.at(*o.sourced)
	}
	switch o.Kind {
	case "variable":
		a.row("defined", "%s", at)
	case "file":
		a.row("defined", "%s, as a file: the variable is its path", at)
	case "dotenv":
		a.row("defined", "%s, in a dotenv file", at)
	case "provider":
		a.row("defined", "%s, by a provider that names its variables itself", at)
	case "unset":
		a.row("unset", "by %s", at)
	case "follows":
		because := "AWS programs know the region by two names"
		if name == "AWS_CREDENTIAL_EXPIRATION" {
			because = "the expiry goes with the keys"
		}
		a.row("follows", "%s, which is defined at %s: %s", o.Because, at, because)
	case "taken":
		a.row("taken over", "with %s, which is defined at %s: credentials are one unit, and this would belong to others", o.Because, at)
	case "delivered":
		a.row("delivered", `by a profile that has the keys, as "deliver" in config.yaml says; %s is defined at %s`, o.Because, at)
	}
	if o.Kind == "follows" || o.Kind == "taken" {
		return // the rest is about the other variable
	}
	for i, u := range o.Uses {
		if i == maxWhyRows {
			a.row("", "and %d more", len(o.Uses)-i)
			break
		}
		to := ""
		if u.To != nil {
			to = ", which is at " + a.place(*u.To)
		}
		a.row("uses", "${%s} at %s%s", u.Path, a.place(u.place), to)
	}
	for _, p := range o.Providers {
		a.row("provider", "%s at %s", p.Provider, a.at(p.sourced))
		for i, in := range p.Inputs {
			if i == maxWhyRows {
				a.row("", "  and %d more", len(p.Inputs)-i)
				break
			}
			a.row("", "  %s = %s", in.Path, in.Text)
		}
	}
	for i, h := range o.Overrides {
		if i == maxWhyRows {
			a.row("", "and %d more", len(o.Overrides)-i)
			break
		}
		if o.Kind == "provider" {
			a.row("else", "%s, if the provider does not name it", a.at(h))
		} else {
			a.row("overrides", "%s", a.at(h))
		}
	}
}

func (a *ambit) place(p place) string {
	return fmt.Sprintf("%s:%d:%d", a.short(p.File), p.Line, p.Column)
}

// at writes a place with the imports that lead there.
func (a *ambit) at(s sourced) string {
	text := a.place(s.place)
	for i, p := range s.Imports {
		if i == 0 {
			text += ", imported"
		}
		text += " from " + a.place(p)
	}
	return text
}
