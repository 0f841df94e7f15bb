package main

import (
	"fmt"
	"strings"
)

// statusLines is how many lines the names of one kind of change may take, so that
// all of it fits one screen; JSON has them all.
const statusLines = 4

func (a *ambit) printStatus(s status) {
	if s.Directory != "" {
		a.row("directory", "%s", a.places.Short(s.Directory, ""))
	}
	if s.File != "" {
		a.row("file", "%s", a.short(s.File)+a.allowedText(s))
	}
	a.row("state", "%s", s.State)
	if s.Environment != "" {
		where := ""
		if s.from != "" {
			where = ", still loaded from " + a.places.Short(s.from, "")
		}
		a.row("environment", "%s", s.Environment+where)
	}
	a.printChanges(s.Variables)
	for _, c := range s.Credentials {
		a.row("credentials", "%s", a.credentialText(c))
		if c.Failing != "" {
			a.row("", "could not be renewed: %s", c.Failing)
		}
	}
	if c := s.Cache; c != nil {
		a.row("cache", "resolved %s, %s", a.ago(c.CreatedAt), a.lives(c.RefreshAt, c.ExpiresAt))
	}
	if e := s.Error; e != nil {
		a.row("error", "%s%s", e.Line, a.attemptText(e))
	}
	switch {
	case s.State == "blocked":
		a.row("hint", `run "ambit allow" to see what it would load`)
	case s.State == "denied":
		a.row("hint", `run "ambit allow" to lift that`)
	case s.Error != nil && s.Error.Hint != "":
		a.row("hint", "%s", s.Error.Hint)
	case s.Error != nil && s.Error.login:
		a.row("hint", `run "ambit login"`)
	case s.State == "failed":
		a.row("hint", `run "ambit reload" to try again`)
	case s.State == "outdated":
		a.row("hint", "the next prompt of a shell with ambit's hook brings it up to date")
	}
}

func (a *ambit) allowedText(s status) string {
	switch {
	case s.changed:
		return ", changed since it was allowed"
	case s.State == "blocked":
		return ", not allowed"
	case s.State == "denied":
		return ", denied"
	case s.Allowed == nil:
		return ""
	case s.Allowed.By == "settings":
		return ", allowed by your settings"
	}
	return ", allowed " + a.ago(s.Allowed.At)
}

// printChanges lists names by what was done to them, and those that are the user's
// by now.
func (a *ambit) printChanges(variables []change) {
	label := "variables"
	list := func(sign string, names []string) {
		if len(names) == 0 {
			return
		}
		a.printNames(label, sign, names)
		label = ""
	}
	var yours []string
	for _, sign := range []string{"+", "~", "-"} {
		var names []string
		for _, v := range variables {
			if v.Change == sign {
				names = append(names, v.Name)
				if !v.Ours {
					yours = append(yours, v.Name)
				}
			}
		}
		list(sign, names)
	}
	list("yours since:", yours)
}

// printNames prints as many names as fit into [statusLines] lines.
func (a *ambit) printNames(label, sign string, names []string) {
	width := a.screen().columns - rowIndent - 2
	for shown := len(names); shown > 0; shown-- {
		text := sign + " " + strings.Join(names[:shown], " ")
		if shown < len(names) {
			text += fmt.Sprintf(" and %d more", len(names)-shown)
		}
		if len(wrapped(text, width)) <= statusLines || shown == 1 {
			a.row(label, "%s", text)
			return
		}
		if over := len(text) - statusLines*width; over > 1000 {
			shown -= over / 200 // a name has fewer bytes
		}
	}
}

// credentialText says whom a login speaks for and how long.
func (a *ambit) credentialText(c statusCredential) string {
	var parts []string
	switch {
	case c.Account != "" && c.Role != "":
		parts = append(parts, "account "+c.Account+", role "+c.Role)
	case c.ARN != "":
		parts = append(parts, c.ARN)
	case c.Account != "":
		parts = append(parts, "account "+c.Account)
	default:
		parts = append(parts, "by "+c.Source)
	}
	if c.ExpiresAt != 0 {
		if left := a.left(c.ExpiresAt); left != "" {
			parts = append(parts, "end in "+left)
		} else {
			parts = append(parts, "have expired")
		}
	}
	if c.RefreshAt != 0 {
		if left := a.left(c.RefreshAt); left != "" {
			parts = append(parts, "are renewed in "+left)
		} else {
			parts = append(parts, "are due to be renewed")
		}
	}
	return strings.Join(parts, ", ")
}

// attemptText says when the next attempt is made.
func (a *ambit) attemptText(e *statusError) string {
	if e.RetryAt == 0 {
		return ""
	}
	if left := a.left(e.RetryAt); left != "" {
		return ", again in " + left
	}
	return ", again at the next prompt"
}
