package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/cache"
	"ambit/resolver/safefile"
	"ambit/resolver/store"
)

// definition is a target with everything it imports, parsed.
type definition struct {
	target
	program *resolver.Program // nil if not even the root could be read
	diags   []resolver.Diagnostic
	sources *spelled
	consent []string // variables that need consent and have it
	places  hook.Places
	builtin []string // names of the providers that are no programs of their own
}

// addressed are diagnostics for a person, whose hints to log in say to what, where
// that is not what the current directory has.
func (a *ambit) addressed(d *definition, diags []resolver.Diagnostic) []resolver.Diagnostic {
	arg := d.root.Name
	if arg == "" && (d.root.File == d.identity || a.find(a.dir).Dir != d.identity) {
		arg = d.root.File
	}
	if arg == "" {
		return diags
	}
	const nowhere = `"ambit login"`
	diags = slices.Clone(diags)
	for i := range diags {
		if diags[i].Kind == resolver.KindLogin {
			diags[i].Hint = strings.Replace(diags[i].Hint, nowhere, `"ambit login `+quoteWord(arg)+`"`, 1)
		}
	}
	return diags
}

// stores are the directories in which environments are kept: those of
// AMBIT_STORES, else of config.yaml, else the default one.
func (a *ambit) stores() ([]string, error) {
	if list := a.environ["AMBIT_STORES"]; list != "" {
		var out []string
		for dir := range strings.SplitSeq(list, ":") {
			switch {
			case dir == "":
			case !filepath.IsAbs(dir):
				return nil, withHint(fmt.Errorf("AMBIT_STORES: %q is a relative path", dir), "list absolute directories, separated by colons")
			default:
				out = append(out, filepath.Clean(dir))
			}
		}
		return out, nil
	}
	conf, err := a.config()
	if err != nil {
		return nil, err
	}
	if conf.stores != nil {
		return conf.stores, nil
	}
	if a.places.Config == "" {
		return nil, nil
	}
	return []string{filepath.Join(a.places.Config, "environments")}, nil
}

// load parses a target from the files as they are. Only `allow`, `check` and
// what lies in the user's own stores may be read so.
func (a *ambit) load(ctx context.Context, t target) (*definition, error) {
	stores, err := a.stores()
	if err != nil {
		return nil, err
	}
	return a.parse(ctx, t, stores, store.NewDirectories(stores, a.owner))
}

// loadPinned parses a target from bytes that were compared with what was
// allowed.
func (a *ambit) loadPinned(ctx context.Context, t target, record *hook.Record, contents []hook.Content) (*definition, error) {
	stores, err := a.stores()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, c := range contents {
		switch {
		case c.Absent:
			files[c.Path] = nil
		case c.Bytes == nil:
			files[c.Path] = []byte{} // nil stands for absent
		default:
			files[c.Path] = c.Bytes
		}
	}
	d, err := a.parse(ctx, t, stores, store.NewPinned(store.NewDirectories(stores, a.owner), files))
	if d != nil {
		d.consent = record.Consent
	}
	return d, err
}

func (a *ambit) parse(ctx context.Context, t target, stores []string, from resolver.Sources) (*definition, error) {
	conf, err := a.config()
	if err != nil {
		return nil, err
	}
	src := &spelled{Sources: from, stores: stores, safe: conf.settings.Safe, via: map[string][]string{}}
	if t.root.File != "" {
		src.rootFile, src.rootStore = t.root.File, a.storeOf(stores, t.root.File)
	}
	d := &definition{target: t, sources: src, places: a.places}
	for _, p := range a.providers() {
		d.builtin = append(d.builtin, p.Name)
	}
	d.program, d.diags = resolver.Load(ctx, src, t.root, resolver.LoadOptions{Home: a.places.Home, Ceiling: a.ceilings()})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return d, nil
}

// ceilings are where the search for an inherited file ends.
func (a *ambit) ceilings() []string {
	out := hook.CeilingsOf(a.environ)
	if a.places.Home != "" {
		out = append(out, a.places.Home)
	}
	return append(out, canonical(slices.Clone(out))...)
}

// storeOf is the canonical root of the store in which a file lies, or "".
func (a *ambit) storeOf(stores []string, path string) string {
	for _, dir := range canonical(slices.Clone(stores)) {
		if within([]string{dir}, path) {
			return dir
		}
	}
	return ""
}

// links are the files of the closure that trust is about: those outside the
// user's stores.
func (d *definition) links() []hook.Link {
	var out []hook.Link
	for _, f := range d.program.Closure() {
		if f.Store != "" {
			continue
		}
		l := hook.Link{Path: f.Path, Absent: f.Absent}
		if !f.Absent {
			l.Digest = cache.Digest(f.Bytes)
		}
		names := d.sources.via[f.Path]
		if len(names) == 0 {
			names = []string{""}
		}
		for _, via := range names {
			l.Via = via
			out = append(out, l)
		}
	}
	return out
}

// watched is every file that loading looked at, the user's settings included.
func (a *ambit) watched(d *definition) []cache.Watched {
	var out []cache.Watched
	if a.conf != nil && a.conf.file.Path != "" {
		out = append(out, a.conf.file)
	}
	if d == nil || d.sources == nil {
		return out
	}
	for _, path := range d.sources.refused {
		// Of what cannot be read at all no change can be seen.
		if w, err := digest(path); err == nil {
			out = append(out, w)
		}
	}
	if d.program == nil {
		return out
	}
	for _, f := range d.program.Closure() {
		w := cache.Watched{Path: f.Path, Absent: f.Absent}
		if !f.Absent {
			w.Digest = cache.Digest(f.Bytes)
		}
		out = append(out, w)
		if f.Store == "" {
			continue // trust's record has the other names
		}
		for _, via := range d.sources.via[f.Path] {
			w.Path = via
			out = append(out, w)
		}
	}
	return out
}

// spelled notes by which names files were found: a link that is turned elsewhere
// makes another closure, though no file of the old one has changed.
type spelled struct {
	resolver.Sources
	stores    []string // as the user spells them
	safe      []string // canonical directories in which other owners are accepted
	rootFile  string   // the root, if it is a file …
	rootStore string   // … and the store in which it lies, or ""

	via     map[string][]string // other names by canonical path
	refused []string            // files that exist and do not count
}

// Read implements [resolver.Sources].
func (s *spelled) Read(path, storeRoot string) (resolver.Source, error) {
	if storeRoot == "" && path == s.rootFile {
		storeRoot = s.rootStore
	}
	src, err := s.Sources.Read(path, storeRoot)
	if errors.Is(err, safefile.ErrForeign) && storeRoot == "" {
		src, err = s.readSafe(path, err)
	}
	if err == nil {
		s.note(src.Path, path)
	} else {
		s.refuse(path)
	}
	return src, err
}

// readSafe reads a file that others can change if the user accepts that.
func (s *spelled) readSafe(path string, refused error) (resolver.Source, error) {
	real, err := store.Canonical(path)
	if err != nil {
		return resolver.Source{}, err
	}
	if !within(s.safe, filepath.Dir(real)) {
		return resolver.Source{}, refused
	}
	b, err := safefile.Read(real)
	return resolver.Source{Path: real, Bytes: b}, err
}

// Named implements [resolver.Sources].
func (s *spelled) Named(name string) (resolver.Source, []string, error) {
	src, tried, err := s.Sources.Named(name)
	bare, _ := strings.CutPrefix(name, "default/")
	for _, dir := range s.stores {
		for _, n := range []string{name, bare, "default/" + name} {
			path := filepath.Join(dir, filepath.FromSlash(n)+".yaml")
			if err != nil {
				s.refuse(path)
			} else if real, rerr := filepath.EvalSymlinks(path); rerr == nil && real == src.Path {
				s.note(src.Path, path)
			}
		}
	}
	return src, tried, err
}

func (s *spelled) refuse(path string) {
	if _, err := os.Stat(path); err == nil {
		s.refused = append(s.refused, filepath.Clean(path))
	}
}

func (s *spelled) note(real, path string) {
	if path = filepath.Clean(path); path != real && !slices.Contains(s.via[real], path) {
		s.via[real] = append(s.via[real], path)
	}
}

// digest reads a file of `watch`, or one that a provider read, for comparing it
// later.
func digest(path string) (cache.Watched, error) {
	w := cache.Watched{Path: path}
	b, err := safefile.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.Absent = true
	case err != nil:
		return w, err
	default:
		w.Digest = cache.Digest(b)
	}
	return w, nil
}

// names lists the environments of the stores as PROJECT/NAME.
func (a *ambit) names() ([]string, error) {
	stores, err := a.stores()
	if err != nil {
		return nil, err
	}
	return store.NewDirectories(stores, a.owner).Names(), nil
}
