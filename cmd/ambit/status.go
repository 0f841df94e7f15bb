package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver/cache"
	"ambit/shells"
)

func statusCommand(a *ambit) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "show what is loaded here, and why",
		Long: `Show which file governs this directory, how it stands and what this shell has
loaded of it: variables by name (+ new, ~ changed, - unset), credentials with the
time they have left, and the last failure. Nothing is resolved for it, and no file
is parsed.

The states are none (no file), blocked (not allowed), denied, loaded, failed, and
outdated (this shell has something else than it would have at its next prompt).`,
		Example: `  ambit status
  ambit status --format json`,
		Args:              atMost(0),
		ValidArgsFunction: noCompletion,
		RunE: func(*cobra.Command, []string) error {
			if err := oneOf("--format", format, "text", "json"); err != nil {
				return err
			}
			return runStatus(a, format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "`FORMAT`: text or json")
	completeChoice(cmd, "format", "text", "json")
	return cmd
}

// status is what `ambit status` tells; its JSON form is for programs and keeps
// its meaning within a version.
type status struct {
	Version     int                `json:"version"`
	Directory   string             `json:"directory,omitempty"`
	File        string             `json:"file,omitempty"`
	State       string             `json:"state"`
	Environment string             `json:"environment,omitempty"`
	Variables   []change           `json:"variables,omitempty"`
	Credentials []statusCredential `json:"credentials,omitempty"`
	Cache       *statusCache       `json:"cache,omitempty"`
	Error       *statusError       `json:"error,omitempty"`
}

// Instants are seconds since the Unix epoch; absent means never.
type statusCredential struct {
	Account   string `json:"account,omitempty"`
	ARN       string `json:"arn,omitempty"`
	ExpiresAt int64  `json:"expiresAt,omitempty"`
	RefreshAt int64  `json:"refreshAt,omitempty"`
}

type statusCache struct {
	RefreshAt int64 `json:"refreshAt,omitempty"`
	ExpiresAt int64 `json:"expiresAt,omitempty"`
}

type statusError struct {
	Line    string `json:"line"`
	RetryAt int64  `json:"retryAt,omitempty"`
}

func runStatus(a *ambit, format string) error {
	s := a.status()
	if format == "json" {
		return a.printJSON(s)
	}
	a.printStatus(s)
	return nil
}

// status finds out how things stand. It never fails: what cannot be found out is
// left out.
func (a *ambit) status() status {
	st := status{Version: 1, Directory: a.dir, State: "none"}
	sh := a.session()
	loaded := sh.session != nil && sh.session.State == hook.Loaded
	if loaded {
		st.Environment = sh.session.Label
		st.Variables = sh.changes(a.environ)
	}
	conf, _ := a.config()
	if len(conf.settings.Failure) > 0 {
		st.Error = a.statusError(conf.settings.Failure, 0)
	}
	found := a.find(a.dir)
	for _, f := range found.Foreign {
		if st.Error == nil {
			st.Error = a.statusError(f.Messages(a.short(f.File)), 0)
		}
	}
	if found.File == "" {
		if loaded {
			st.State = "outdated"
		}
		return st
	}
	st.File = found.File
	record := a.trust.Record(found.Dir)
	verdict, _ := record.Check()
	switch verdict {
	case hook.Denied:
		st.State = "denied"
	case hook.Allowed:
		a.standing(&st, sh, record)
	default:
		st.State = "blocked"
	}
	return st
}

// standing tells how an allowed file stands in this shell.
func (a *ambit) standing(st *status, sh shellSession, record *hook.Record) {
	base := hook.NewEnviron(a.env)
	if sh.keys != nil {
		base = sh.keys.Baseline(a.environ, sh.session)
	}
	e := a.cacheDir.Entry(a.entryKey(record), a.now(), base.Lookup)
	if e != nil && !unchanged(e.Watched) {
		e = nil
	}
	here := sh.session != nil && sh.session.Dir == record.Dir
	st.State = "outdated"
	if e == nil {
		if here && sh.session.State == hook.Failed {
			st.State = "failed"
		}
		return
	}
	now := a.now().Unix()
	if e.HasResult() && (e.RefreshAt != 0 || e.ExpiresAt != 0) {
		st.Cache = &statusCache{e.RefreshAt, e.ExpiresAt}
	}
	if e.Failure != nil {
		st.Error = a.statusError(e.Failure.Messages, e.Failure.RetryAt)
	}
	switch {
	case e.Failure != nil && !e.Alive(now):
		st.State = "failed"
	case here && sh.session.State == hook.Loaded && sh.session.Reloaded == e.Reloaded && a.asLoaded(sh, e, now):
		st.State = "loaded"
	}
	if here && sh.session.State == hook.Loaded {
		for _, c := range e.Credentials {
			st.Credentials = append(st.Credentials, statusCredential{c.Account, c.ARN, c.ExpiresAt, c.RefreshAt})
		}
	}
}

// asLoaded says whether the session set what the entry says, so that the next
// prompt would change nothing.
func (a *ambit) asLoaded(sh shellSession, e *cache.Entry, now int64) bool {
	held := map[string]hook.Held{}
	for _, h := range sh.session.Held {
		held[h.Name] = h
	}
	for _, name := range e.Unset {
		if h, ok := held[name]; !ok || !h.Unset && !h.Lost {
			return false
		}
	}
	for _, v := range e.Variables {
		h, ok := held[v.Name]
		dead := v.ExpiresAt != 0 && v.ExpiresAt <= now
		switch {
		case !ok:
			return false
		case h.Lost || h.Added != nil:
		case dead != h.Unset, !dead && sh.keys.Hash(v.Name, v.Value.Reveal()) != h.Hash:
			return false
		}
	}
	return true
}

func (a *ambit) statusError(lines []cache.Message, retryAt int64) *statusError {
	for _, m := range lines {
		if m.Level == "hint" {
			continue
		}
		line := m.Text
		if m.Place.File != "" {
			line = a.short(m.Place.File) + ": " + line
			if m.Place.Line > 0 {
				line = fmt.Sprintf("%s:%d:%d: %s", a.short(m.Place.File), m.Place.Line, m.Place.Column, m.Text)
			}
		}
		return &statusError{shells.Printable(line), retryAt}
	}
	if retryAt == 0 {
		return nil
	}
	return &statusError{"the last attempt failed", retryAt}
}

func (a *ambit) printStatus(s status) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(a.out, "%-12s %s\n", name, printableWhole(fmt.Sprintf(format, args...)))
	}
	left := func(at int64) string {
		d := time.Unix(at, 0).Sub(a.now())
		if d <= 0 {
			return "over"
		}
		return "in " + hook.Life(d)
	}
	if s.Directory != "" {
		row("directory", "%s", a.places.Short(s.Directory, ""))
	}
	if s.File != "" {
		row("file", "%s", a.short(s.File))
	}
	row("state", "%s", s.State)
	if s.Environment != "" {
		row("environment", "%s", s.Environment)
	}
	for i, v := range s.Variables {
		name := ""
		if i == 0 {
			name = "variables"
		}
		yours := ""
		if !v.Ours {
			yours = " (changed since: yours)"
		}
		row(name, "%s %s%s", v.Change, v.Name, yours)
	}
	for _, c := range s.Credentials {
		parts := []string{}
		for _, part := range []string{c.ARN, c.Account} {
			if part != "" && len(parts) == 0 {
				parts = append(parts, part)
			}
		}
		if c.ExpiresAt != 0 {
			parts = append(parts, "end "+left(c.ExpiresAt))
		}
		if c.RefreshAt != 0 {
			parts = append(parts, "are renewed "+left(c.RefreshAt))
		}
		row("credentials", "%s", strings.Join(parts, ", "))
	}
	if s.Error != nil {
		again := ""
		if s.Error.RetryAt != 0 {
			again = ", again " + left(s.Error.RetryAt)
		}
		row("error", "%s%s", s.Error.Line, again)
	}
	switch s.State {
	case "blocked":
		row("hint", `run "ambit allow" to see what it would load`)
	case "outdated":
		row("hint", "the next prompt of a shell with ambit's hook brings it up to date")
	}
}
