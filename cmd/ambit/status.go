package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/cache"
	"ambit/shells"
)

func statusCommand(a *ambit) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "show what is loaded here, and why",
		Long: `Show which file governs this directory, whether it is allowed, and what this shell
has loaded of it: variables by name (+ new, ~ changed, - unset, and which of them are
yours since), credentials with their account, role and the time they have left, how
old what is kept is and how long it serves, and the last failure. Nothing is resolved
for it, and no file is parsed. "ambit why NAME" tells more of one variable.

The states are none (no file), blocked (not allowed), denied, loaded, failed, and
outdated (this shell has something else than it would have at its next prompt).

In JSON, "version" is 1, within which a key keeps its meaning: directory, file,
allowed {at, by: you or settings}, state, environment, variables [{name, change: + ~
or -, ours}], credentials [{account, role, arn, source, expiresAt, refreshAt, failing}], cache
{createdAt, refreshAt, expiresAt}, error {line, hint, retryAt}. Instants are seconds
since the Unix epoch; absent parts are left out.`,
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
	Allowed     *statusAllowed     `json:"allowed,omitempty"`
	State       string             `json:"state"`
	Environment string             `json:"environment,omitempty"`
	Variables   []change           `json:"variables,omitempty"`
	Credentials []statusCredential `json:"credentials,omitempty"`
	Cache       *statusCache       `json:"cache,omitempty"`
	Error       *statusError       `json:"error,omitempty"`

	changed bool   // since it was allowed
	from    string // the directory of what is loaded, if it is another
}

type statusAllowed struct {
	At int64  `json:"at"`
	By string `json:"by"` // "you", or "settings" that trust the directory
}

// Instants are seconds since the Unix epoch; absent means never.
type statusCredential struct {
	Account   string `json:"account,omitempty"`
	Role      string `json:"role,omitempty"`
	ARN       string `json:"arn,omitempty"`
	Source    string `json:"source,omitempty"`
	ExpiresAt int64  `json:"expiresAt,omitempty"`
	RefreshAt int64  `json:"refreshAt,omitempty"`
	Failing   string `json:"failing,omitempty"` // why the last renewal failed
}

type statusCache struct {
	CreatedAt int64 `json:"createdAt"`
	RefreshAt int64 `json:"refreshAt,omitempty"`
	ExpiresAt int64 `json:"expiresAt,omitempty"`
}

type statusError struct {
	Line    string `json:"line"`
	Hint    string `json:"hint,omitempty"`
	RetryAt int64  `json:"retryAt,omitempty"`

	login bool // a person has to log in
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
		st.Error = a.statusError(&cache.Failure{Messages: conf.settings.Failure})
	}
	found := a.find(a.dir)
	if loaded && (found.File == "" || found.Dir != sh.session.Dir) {
		st.from = sh.session.Dir
	}
	for _, f := range found.Foreign {
		if st.Error == nil {
			st.Error = a.statusError(&cache.Failure{Messages: f.Messages(a.short(f.File))})
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
	verdict, _ := a.verdict(record)
	switch verdict {
	case hook.Denied:
		st.State = "denied"
	case hook.Allowed:
		st.Allowed = &statusAllowed{At: record.At, By: "you"}
		if record.Auto {
			st.Allowed.By = "settings"
		}
		a.standing(&st, sh, record)
	default:
		st.State, st.changed = "blocked", verdict == hook.Changed
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
	if e.HasResult() {
		st.Cache = &statusCache{e.Created, e.RefreshAt, e.ExpiresAt}
	}
	if e.Failure != nil {
		st.Error = a.statusError(e.Failure)
	}
	switch {
	case e.Failure != nil && !e.Alive(now):
		st.State = "failed"
	case here && sh.session.State == hook.Loaded && sh.session.Reloaded == e.Reloaded && a.asLoaded(sh, e, now):
		st.State = "loaded"
	}
	if here && sh.session.State == hook.Loaded {
		for _, c := range e.Credentials {
			st.Credentials = append(st.Credentials, statusCredential{c.Account, roleOf(c.ARN), c.ARN, c.Source, c.ExpiresAt, c.RefreshAt, shells.Printable(c.Failing)})
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

// roleOf is the name of the role in an ARN, with its path, or "".
func roleOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	if role, ok := strings.CutPrefix(parts[5], "role/"); ok {
		return role
	}
	if session, ok := strings.CutPrefix(parts[5], "assumed-role/"); ok {
		role, _, _ := strings.Cut(session, "/")
		return role
	}
	return ""
}

func (a *ambit) statusError(f *cache.Failure) *statusError {
	out := &statusError{RetryAt: f.RetryAt, login: f.Kind == string(resolver.KindLogin)}
	for i, m := range f.Messages {
		if m.Level == "hint" {
			continue
		}
		if i+1 < len(f.Messages) && f.Messages[i+1].Level == "hint" {
			out.Hint = shells.Printable(f.Messages[i+1].Text)
		}
		line := m.Text
		if m.Place.File != "" {
			line = a.short(m.Place.File) + ": " + line
			if m.Place.Line > 0 {
				line = fmt.Sprintf("%s:%d:%d: %s", a.short(m.Place.File), m.Place.Line, m.Place.Column, m.Text)
			}
		}
		out.Line = shells.Printable(line)
		return out
	}
	if f.RetryAt == 0 {
		return nil
	}
	out.Line = "the last attempt failed"
	return out
}
