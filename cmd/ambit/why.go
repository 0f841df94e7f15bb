package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/cache"
)

func whyCommand(a *ambit) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "why VARIABLE",
		Short: "show who set a variable, and where it is defined",
		Long: `Show who set a variable of this shell: the line that defines it with the imports
that lead there, the references and providers that its value needs, what it
overrides, how old it is and when it ends, what it replaced and whether it is still
as ambit left it. Of a variable that ambit did not set it says so.

The definition is read if it is allowed, and then nothing of it is opened, run or
fetched. No value is shown: of what a provider is given, secrets are [secret], and
what would have to be opened is [unknown].

In JSON, "version" is 1; "by" is ambit, you or nobody; "origin.kind" is variable,
file, dotenv, path, unset, provider (which may have the name), follows or taken
(set or unset with "because"), or delivered (by the profile of "deliver: profile");
"definition" is read, or why it was not: blocked, denied, broken. Instants are
seconds since the Unix epoch; absent parts are left out.`,
		Example: `  ambit why AWS_ACCESS_KEY_ID
  ambit why PATH --format json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{"name a variable", "write, for example, ambit why AWS_REGION"}
			}
			if err := atMost(1)(cmd, args); err != nil {
				return err
			}
			if !hook.ValidName(args[0]) {
				return usageError{fmt.Sprintf("%q is no name of a variable", args[0]), "a name has letters, digits and _, and no digit first"}
			}
			return nil
		},
		ValidArgsFunction: a.completeVariable,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := oneOf("--format", format, "text", "json"); err != nil {
				return err
			}
			ctx, stop := a.interruptible()
			defer stop()
			return runWhy(ctx, a, args[0], format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "`FORMAT`: text or json")
	completeChoice(cmd, "format", "text", "json")
	return cmd
}

// why is what `ambit why` tells; its JSON form is for programs and keeps its meaning
// within a version.
type why struct {
	Version     int          `json:"version"`
	Name        string       `json:"name"`
	Set         bool         `json:"set"` // in this shell's environment
	By          string       `json:"by"`
	Change      string       `json:"change,omitempty"` // as in status
	Ours        bool         `json:"ours"`             // it is as ambit left it
	Secret      bool         `json:"secret,omitempty"`
	Environment string       `json:"environment,omitempty"`
	File        string       `json:"file,omitempty"` // the .envrc.yaml
	Definition  string       `json:"definition,omitempty"`
	Outdated    bool         `json:"outdated,omitempty"` // the shell has something else than it would have at its next prompt
	Origin      *whyOrigin   `json:"origin,omitempty"`
	Entries     []whyEntry   `json:"entries,omitempty"` // of a list such as PATH: what ambit put into it
	Replaced    *whyReplaced `json:"replaced,omitempty"`
	Cache       *whyCache    `json:"cache,omitempty"`

	length int  // of the live value, in bytes
	run    bool // this may be the work of "ambit run"
}

type place struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

type sourced struct {
	place
	Imports []place `json:"imports,omitempty"`
}

type whyOrigin struct {
	Kind string `json:"kind"`
	*sourced
	Because   string        `json:"because,omitempty"`
	Overrides []sourced     `json:"overrides,omitempty"`
	Uses      []whyUse      `json:"uses,omitempty"`
	Providers []whyProvider `json:"providers,omitempty"`
}

type whyUse struct {
	Path string `json:"path"`
	place
	To *place `json:"to,omitempty"`
}

type whyProvider struct {
	Provider string `json:"provider"`
	sourced
	Inputs []whyInput `json:"inputs,omitempty"`
}

type whyInput struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

type whyEntry struct {
	Directory string `json:"directory"`
	There     bool   `json:"there"` // it still is in the list
	*sourced
}

// whyReplaced is what was there before, which leaving restores.
type whyReplaced struct {
	Set   bool `json:"set"`
	Bytes int  `json:"bytes,omitempty"`
}

type whyCache struct {
	CreatedAt int64 `json:"createdAt"`
	RefreshAt int64 `json:"refreshAt,omitempty"`
	ExpiresAt int64 `json:"expiresAt,omitempty"` // of this variable
}

// whyTime bounds the reading of the definition.
const whyTime = 5 * time.Second

func runWhy(ctx context.Context, a *ambit, name, format string) error {
	limited, stop := context.WithTimeout(ctx, whyTime)
	defer stop()
	w := a.why(limited, name)
	if err := interrupted(ctx); err != nil {
		return err
	}
	if format == "json" {
		return a.printJSON(w)
	}
	a.printWhy(w)
	return nil
}

// why finds out about a variable. It never fails: what cannot be found out is left
// out.
func (a *ambit) why(ctx context.Context, name string) why {
	value, set := a.environ[name]
	w := why{Version: 1, Name: name, Set: set, By: "nobody", length: len(value)}
	if set {
		w.By = "you"
	}
	sh := a.session()
	a.held(&w, sh, value)
	w.run = sh.session == nil && a.environ[hook.StateVar] == "" && a.environ[hook.EnvVar] != ""

	found := a.find(a.dir)
	dir := found.Dir
	if found.File == "" {
		dir = ""
	}
	if sh.session != nil && sh.session.State == hook.Loaded && (w.By == "ambit" || dir == "") {
		w.Outdated = sh.session.Dir != dir
		dir = sh.session.Dir
	}
	if dir == "" {
		return w
	}
	w.File = filepath.Join(dir, hook.FileName)
	d, record, state := a.readAllowed(ctx, dir)
	w.Definition = state
	if record == nil || state == "blocked" || state == "denied" {
		return w
	}
	e := a.cacheDir.Entry(a.entryKey(record), a.now(), a.baseline().Lookup)
	if e != nil && (!e.HasResult() || !unchanged(e.Watched)) {
		e = nil
	}
	v := variableIn(e, name)
	if e != nil && w.By == "ambit" {
		w.Cache = &whyCache{CreatedAt: e.Created, RefreshAt: e.RefreshAt, ExpiresAt: v.ExpiresAt}
		w.Secret = v.Secret
	}
	if d == nil {
		return w
	}
	if w.Environment == "" {
		w.Environment = d.program.Label()
	}
	o := d.program.Origin(name, a.byName())
	if o.Kind == resolver.OriginProvider && e != nil && v.Name == "" {
		o = resolver.Origin{Path: o.Path} // what the provider gave does not have it
	}
	w.Secret = w.Secret || o.Secret
	w.Origin = originOf(o)
	a.delivered(&w, d)
	for i, entry := range o.Path {
		at := sourcedOf(entry.Place)
		if j := slices.IndexFunc(w.Entries, func(e whyEntry) bool { return e.Directory == entry.Directory }); j >= 0 {
			w.Entries[j].sourced = &at
		} else if w.By != "ambit" {
			w.Entries = slices.Insert(w.Entries, i, whyEntry{Directory: entry.Directory, sourced: &at})
		}
	}
	if w.By != "ambit" && (w.Origin != nil || len(o.Path) > 0) && !strings.HasPrefix(name, "AMBIT_") {
		w.Outdated = true
	}
	return w
}

// held tells what the session did to the variable.
func (a *ambit) held(w *why, sh shellSession, value string) {
	if sh.session == nil || sh.session.State != hook.Loaded {
		return
	}
	i, ok := slices.BinarySearchFunc(sh.session.Held, w.Name, func(h hook.Held, name string) int { return strings.Compare(h.Name, name) })
	if !ok {
		return
	}
	h := sh.session.Held[i]
	w.By, w.Environment = "ambit", sh.session.Label
	c := sh.changeOf(h, a.environ)
	w.Change, w.Ours = c.Change, c.Ours
	w.Replaced = &whyReplaced{}
	if h.Prior != nil {
		w.Replaced.Set, w.Replaced.Bytes = true, len(*h.Prior)
	}
	for _, dir := range h.Added {
		w.Entries = append(w.Entries, whyEntry{Directory: dir, There: w.Set && hasEntries(value, []string{dir})})
	}
}

// readAllowed reads the definition of a directory if it is allowed. The state is
// "read", "blocked", "denied", or "broken" if it cannot be parsed.
func (a *ambit) readAllowed(ctx context.Context, dir string) (*definition, *hook.Record, string) {
	record := a.trust.Record(dir)
	verdict, contents := a.verdict(record)
	switch verdict {
	case hook.Denied:
		return nil, record, "denied"
	case hook.Allowed:
	default:
		return nil, record, "blocked"
	}
	d, err := a.loadPinned(ctx, directory(dir), record, contents)
	if err != nil || d.program == nil {
		return nil, record, "broken"
	}
	if resolver.HasErrors(d.diags) {
		return d, record, "broken"
	}
	return d, record, "read"
}

// verdict is how a file stands, as a prompt sees it: what settings allowed that are
// gone is not allowed.
func (a *ambit) verdict(record *hook.Record) (hook.Verdict, []hook.Content) {
	verdict, contents := record.Check()
	if verdict == hook.Allowed && record.Auto {
		conf, _ := a.config() // a broken one trusts nothing
		if !conf.settings.SameContent && !within(append(hook.TrustedOf(a.environ), conf.settings.Trusted...), record.Dir) {
			return hook.Unknown, nil
		}
	}
	return verdict, contents
}

func (a *ambit) byName() map[string]*resolver.Provider {
	out := map[string]*resolver.Provider{}
	for _, p := range a.providers() {
		out[p.Name] = p
	}
	return out
}

// variableIn is the variable or the file of this name in an entry, or none.
func variableIn(e *cache.Entry, name string) cache.Variable {
	if e == nil {
		return cache.Variable{}
	}
	for _, v := range e.Variables {
		if v.Name == name {
			return v
		}
	}
	for _, f := range e.Files {
		if f.Name == name {
			return cache.Variable{Name: name, ExpiresAt: f.ExpiresAt}
		}
	}
	return cache.Variable{}
}

// delivered says what the setting `deliver: profile` did: the shell has a profile
// where the definition has keys.
func (a *ambit) delivered(w *why, d *definition) {
	conf, err := a.config()
	if err != nil || !conf.deliver.byProfile(d.program.Names()) {
		return
	}
	const id = "AWS_ACCESS_KEY_ID"
	keys := d.program.Origin(id, a.byName())
	if keys.Kind == resolver.OriginNone || keys.Kind == resolver.OriginUnset || keys.Kind == resolver.OriginTaken {
		return
	}
	if !slices.Contains([]string{"AWS_PROFILE", "AWS_CONFIG_FILE"}, w.Name) && !slices.Contains(beforeProfile, w.Name) {
		return
	}
	w.Origin = originOf(keys)
	w.Origin.Kind, w.Origin.Because = "delivered", id
}

func placeOf(p resolver.Position) place { return place{p.File, p.Line, p.Column} }

func sourcedOf(s resolver.Sourced) sourced {
	out := sourced{place: placeOf(s.Pos)}
	for _, p := range s.Imports {
		out.Imports = append(out.Imports, placeOf(p))
	}
	return out
}

func originOf(o resolver.Origin) *whyOrigin {
	if o.Kind == resolver.OriginNone {
		if len(o.Path) == 0 {
			return nil
		}
		return &whyOrigin{Kind: "path"}
	}
	at := sourcedOf(o.Place)
	out := &whyOrigin{Kind: string(o.Kind), sourced: &at, Because: o.Because}
	for _, h := range o.Hides {
		out.Overrides = append(out.Overrides, sourcedOf(h))
	}
	for _, u := range o.Uses {
		use := whyUse{Path: u.Path, place: placeOf(u.Pos)}
		if u.To.File != "" {
			to := placeOf(u.To)
			use.To = &to
		}
		out.Uses = append(out.Uses, use)
	}
	for _, asked := range o.Opens {
		p := whyProvider{Provider: asked.Provider, sourced: sourcedOf(asked.Place)}
		asked.VisitTexts(func(path, text string) { p.Inputs = append(p.Inputs, whyInput{path, notLong(text)}) })
		out.Providers = append(out.Providers, p)
	}
	return out
}

// notLong cuts a text that is too long to be read.
func notLong(text string) string {
	const most = 200
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + fmt.Sprintf("… (%d bytes)", len(text))
	}
	return text
}

// heldQuietly is what the shell's session holds, if it can be read: at Tab nothing is
// said, and nothing made.
func (a *ambit) heldQuietly() []hook.Held {
	state := a.environ[hook.StateVar]
	if state == "" || hook.IsUnsealed(state) {
		return nil
	}
	keys, err := hook.LoadKeys(a.places, a.uid)
	if err != nil {
		return nil
	}
	s, err := keys.OpenSession(state)
	if err != nil || s == nil {
		return nil
	}
	return s.Held
}

// completeVariable offers what ambit set here, and the other variables there are.
// Nothing is parsed for it.
func (a *ambit) completeVariable(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := slices.Collect(maps.Keys(a.environ))
	for _, h := range a.heldQuietly() {
		names = append(names, h.Name)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !hook.ValidName(name) })
	slices.Sort(names)
	return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
}
