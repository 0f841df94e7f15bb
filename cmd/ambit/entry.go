package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/cache"
)

// maxMessages is how many lines of a failure a prompt shows; `ambit check` shows
// them all.
const maxMessages = 10

// evaluation is a definition with what it exports now.
type evaluation struct {
	*definition
	result *resolver.Result // nil: the diagnostics say why
	diags  []resolver.Diagnostic
	reads  []cache.Read // process variables that were looked up, result or not
	files  []string     // that providers read, result or not

	byProfile bool // the result names a profile instead of AWS keys
}

// evaluate computes what a definition exports, with the baseline as its process
// environment.
func (a *ambit) evaluate(ctx context.Context, d *definition, base hook.Environ, patience resolver.Patience, fresh bool) (*evaluation, error) {
	ev := &evaluation{definition: d, diags: d.diags}
	opt, files := a.options(base, patience, fresh, d.consent)
	if d.program != nil && !resolver.HasErrors(d.diags) {
		ev.result, ev.diags = d.program.Evaluate(ctx, opt)
		if patience == resolver.Person {
			ev.diags = a.addressed(d, ev.diags)
		}
	}
	if errors.Is(context.Cause(ctx), errInterrupted) {
		return nil, errInterrupted
	}
	ev.reads, ev.files = opt.Env.Reads(), append(files.list(), opt.Identities.Files()...)
	return ev, nil
}

// sayEvaluation says what an evaluation reported, and what its providers want
// known.
func (a *ambit) sayEvaluation(ev *evaluation) {
	a.say(messages(ev.diags)...)
	if ev.result != nil {
		a.say(ev.result.Notices...)
	}
}

// options are what an evaluation is given, and what notes the files that its
// providers read.
func (a *ambit) options(base hook.Environ, patience resolver.Patience, fresh bool, consent []string) (resolver.Options, *noted) {
	files := &noted{}
	opt := resolver.Options{
		Providers: map[string]*resolver.Provider{}, Env: resolver.NewBaseline(base.List()),
		Now: a.now, Patience: patience, Fresh: fresh, Consent: map[string]bool{}, Cache: a.cacheDir, Digest: digest,
		Identities: a.identities(), Asker: a.asker,
	}
	for _, p := range a.providers() {
		opt.Providers[p.Name] = files.noting(p)
	}
	opt.External = files.external(a, opt.Env)
	for _, name := range consent {
		opt.Consent[name] = true
	}
	return opt, files
}

// identities are the user's keys for secrets that are kept encrypted.
func (a *ambit) identities() *resolver.Identities {
	own, ssh := "", ""
	if a.places.Config != "" {
		own = filepath.Join(a.places.Config, "identities")
	}
	if a.places.Home != "" {
		ssh = filepath.Join(a.places.Home, ".ssh", "id_ed25519")
	}
	return resolver.NewIdentities(own, ssh, a.uid)
}

// entry makes the entry of a directory from an evaluation. Before is the entry
// that is kept for the same question, or nil.
func (a *ambit) entry(ev *evaluation, record *hook.Record, contents []hook.Content, before *cache.Entry) *cache.Entry {
	now := a.now()
	watched := a.watched(ev.definition)
	for _, c := range contents {
		watched = append(watched, cache.Watched{Path: c.Path, Absent: c.Absent, Digest: c.Digest})
	}
	if ev.result != nil {
		e := ev.result.Entry(record.Dir, now)
		e.Watched = distinct(append(watched, e.Watched...))
		e.Notices = append(e.Notices, messages(ev.diags)...)
		if ev.byProfile {
			e.Unit = append(e.Unit, "AWS_CONFIG_FILE") // which has the profile
		}
		if ev.result.NoCache {
			// What is never kept cannot be renewed behind a shell's back; only
			// its credentials can.
			e.RefreshAt = firstRefresh(e.Credentials)
		}
		return e
	}
	for _, path := range ev.files {
		if w, err := digest(path); err == nil {
			watched = append(watched, w)
		}
	}
	watched = distinct(watched)
	f := failureOf(ev.diags, before, now)
	if before != nil && before.HasResult() && unchanged(before.Watched) {
		e := before.Failed(f)
		e.Watched = distinct(append(slices.Clone(e.Watched), watched...))
		return e
	}
	label := filepath.Base(record.Dir)
	if ev.definition != nil && ev.program != nil {
		label = ev.program.Label()
	}
	return &cache.Entry{
		Dir: record.Dir, Label: label, Created: now.Unix(), Reads: ev.reads, Watched: watched, Failure: f,
	}
}

func firstRefresh(credentials []cache.Credential) (at int64) {
	for _, c := range credentials {
		if c.RefreshAt != 0 && (at == 0 || c.RefreshAt < at) {
			at = c.RefreshAt
		}
	}
	return at
}

// failureOf is what is remembered of diagnostics: their lines, and when it is
// worth trying again.
func failureOf(diags []resolver.Diagnostic, before *cache.Entry, now time.Time) *cache.Failure {
	lines := messages(diags)
	if len(lines) > maxMessages {
		lines = append(lines[:maxMessages:maxMessages], plain(fmt.Sprintf("and %d more lines", len(lines)-maxMessages)), hint(`run "ambit reload" to see them all`))
	}
	var known *cache.Failure
	if before != nil {
		known = before.Failure
	}
	return resolver.NewFailure(kindOfFailure(diags), lines, known, now)
}

// kindOfFailure is the kind that decides when to try again: what needs a person
// beats what time may mend.
func kindOfFailure(diags []resolver.Diagnostic) resolver.FailureKind {
	worst := resolver.KindNetwork
	rank := map[resolver.FailureKind]int{resolver.KindNetwork: 0, resolver.KindRefused: 1, resolver.KindLogin: 2, resolver.KindDefinition: 3}
	errs := 0
	for _, d := range diags {
		if d.Severity != resolver.Error {
			continue
		}
		errs++
		if rank[d.Kind] > rank[worst] {
			worst = d.Kind
		}
	}
	if errs == 0 {
		return resolver.KindDefinition
	}
	return worst
}

// unchanged says whether files are as they were.
func unchanged(files []cache.Watched) bool {
	for _, was := range files {
		if is, err := digest(was.Path); err != nil || is != was {
			return false
		}
	}
	return true
}

// distinct keeps the first of each path.
func distinct(files []cache.Watched) []cache.Watched {
	seen := map[string]bool{}
	out := files[:0:0]
	for _, f := range files {
		if !seen[f.Path] {
			seen[f.Path] = true
			out = append(out, f)
		}
	}
	return out
}

// keep writes an entry where prompts find it. Hold the lock of its key.
func (a *ambit) keep(key string, e *cache.Entry, ev *evaluation, base hook.Environ) error {
	if ev.result != nil && ev.result.NoCache {
		return a.cacheDir.DropEntry(key)
	}
	return a.cacheDir.PutEntry(key, e, a.now(), base.Lookup)
}

// entryKey names the entry of an allowed file.
func (a *ambit) entryKey(record *hook.Record) string {
	return cache.EntryKey(record.Dir, record.Closure, a.environ["AMBIT_STORES"])
}

// allowed returns the record of a file and its bytes as they were compared, or
// an error that says how the file stands. The user's settings may allow it.
func (a *ambit) allowed(ctx context.Context, t target) (*hook.Record, []hook.Content, error) {
	record := a.trust.Record(t.identity)
	verdict, contents := record.Check()
	if verdict == hook.Unknown || verdict == hook.Changed || record != nil && record.Auto {
		auto, err := a.autoAllow(ctx, t, record)
		if err != nil {
			return nil, nil, err
		}
		if auto != nil {
			record = auto
			verdict, contents = record.Check()
		} else if verdict == hook.Allowed {
			verdict = hook.Unknown // it was, by settings that have changed
		}
	}
	if verdict == hook.Allowed {
		return record, contents, nil
	}
	name, command := a.short(t.file), "ambit allow"
	if arg := a.short(t.file); arg != hook.FileName {
		command += " " + arg
	}
	switch verdict {
	case hook.Denied:
		return nil, nil, notAllowed(name+" is denied here", fmt.Sprintf("run %q to lift that", command))
	case hook.Changed:
		return nil, nil, notAllowed(name+" has changed since it was allowed", fmt.Sprintf("run %q to see the difference", command))
	}
	return nil, nil, notAllowed(name+" is not allowed here", fmt.Sprintf("run %q to see what it would load", command))
}

func notAllowed(text, help string) error { return withHint(errors.New(text), help) }
