package resolver

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"ambit/resolver/cache"
	"ambit/resolver/secret"
)

// Options is what an evaluation is given from outside.
type Options struct {
	Providers map[string]*Provider
	External  func(name string) *Provider // further providers by name; may be nil, or return nil
	Env       *Baseline
	Now       func() time.Time
	Patience  Patience
	Fresh     bool            // serve nothing opened before
	Asker     Asker           // nil: nobody may be asked
	Consent   map[string]bool // variables that the user lets a repository set
	Cache     *cache.Dir      // keeps what providers opened; nil: nothing is kept

	// Digest reads a file of `watch`, or one that a provider read, for later
	// comparison; nil: such files are compared by being there.
	Digest func(path string) (cache.Watched, error)

	Identities *Identities // decrypt the secrets of files; nil: none fits
}

// Result is what a definition exports.
type Result struct {
	Label     string
	Directory string // of the root's file; "" for an environment by name

	Variables []Variable // sorted by name
	Unset     []string   // sorted
	Path      []string   // absolute
	Files     []FileVariable

	Watched     []cache.Watched
	Reads       []cache.Read
	RefreshAt   time.Time // the earliest of all opens that flowed into the result; zero: never
	ExpiresAt   time.Time
	Credentials []cache.Credential
	Notices     []cache.Message
	NoCache     bool // a `ttl: 0s` is in it: not to be kept beyond the load that asked
}

// Variable is an environment variable to be set.
type Variable struct {
	Name       string
	Value      secret.Text
	Secret     bool
	Pos        Position
	RefreshAt  time.Time // of what flowed into it; zero: never
	ExpiresAt  time.Time
	Credential int // index in Result.Credentials of the login it came from, or -1
}

// FileVariable is a variable that names a private file with this content.
type FileVariable struct {
	Name      string
	Content   secret.Text
	Pos       Position
	RefreshAt time.Time
	ExpiresAt time.Time
}

// The conventional outputs.
const (
	variablesKey = "environmentVariables"
	filesKey     = "files"
)

// Evaluate computes what a directory exports and opens what that needs. With an
// error among the diagnostics there is no result.
func (p *Program) Evaluate(ctx context.Context, opt Options) (*Result, []Diagnostic) {
	ev := newEvaluator(ctx, p, opt, modeEvaluate)
	ev.diags = append(ev.diags, p.diags...)
	ev.openNothingAfterErrors()
	var set []export
	ev.run(func() bool {
		var ready bool
		set, ready = ev.exports()
		return ready
	})
	if hasErrors(ev.diags) {
		return nil, p.sorted(ev.diags)
	}
	r := ev.result(set)
	ev.bounds(set)
	if hasErrors(ev.diags) {
		return nil, p.sorted(ev.diags)
	}
	return r, p.sorted(ev.diags)
}

// HasErrors says whether one of the diagnostics makes the result unusable.
func HasErrors(diags []Diagnostic) bool { return hasErrors(diags) }

func hasErrors(diags []Diagnostic) bool {
	for _, d := range diags {
		if d.Severity == Error {
			return true
		}
	}
	return false
}

// export is a variable or a file as it was found.
type export struct {
	name  string
	file  bool
	value Value
	env   *environment
	pos   Position // of the key
	data  bool     // the name comes from a provider, not from a file
}

// exports computes the variables and files; false if some have to wait.
func (ev *evaluator) exports() ([]export, bool) {
	root := ev.root(ev.p.root)
	variables, ready := ev.exportsOf(ev.child(root.shape.obj, variablesKey), variablesKey)
	files, filesReady := ev.exportsOf(ev.child(root.shape.obj, filesKey), filesKey)
	for _, f := range files {
		both := slices.ContainsFunc(variables, func(v export) bool { return v.name == f.name })
		if both {
			ev.report(f.env, f.pos, fmt.Sprintf("%q is both a variable and a file", f.name), "")
		}
	}
	if len(files) == 0 {
		return variables, ready && filesReady
	}
	return slices.Concat(variables, files), ready && filesReady
}

func (ev *evaluator) exportsOf(c *cell, key string) ([]export, bool) {
	if c == nil {
		return nil, true
	}
	sh := ev.resolve(c)
	switch {
	case sh.kind == shapePending:
		return nil, false
	case sh.kind == shapeAbsent || sh.kind == shapeBlocked:
		return nil, true
	case sh.kind == shapeValue && (sh.value.Unknown || sh.value.Kind == Null):
		return nil, true
	case sh.kind != shapeObject:
		kind := List
		if sh.kind == shapeValue {
			kind = sh.value.Kind
		}
		env, pos := ev.place(c, sh.pos())
		ev.report(env, pos, fmt.Sprintf("%s must be an object, not %s", key, withArticle(kind)), "")
		return nil, true
	}
	if ev.expand(sh.obj) == shapePending {
		_, _ = ev.forceObject(sh) // so that the opens of what is known start now
		return nil, false
	}
	all := true
	unset := ev.unsetAbove(key)
	out := make([]export, 0, len(sh.obj.entries))
	for i := range sh.obj.entries {
		e := &sh.obj.entries[i]
		if unset[e.name] {
			continue
		}
		v, there, ready := ev.forceEntry(sh.obj, e)
		all = all && ready
		if !there || !ready {
			continue
		}
		x := export{name: e.name, file: key == filesKey, value: v}
		x.env, x.pos, x.data = ev.keyPlace(e)
		if !ev.checkName(x) || v.Unknown {
			continue
		}
		if v.Kind == List || v.Kind == Object {
			what := "variable"
			if x.file {
				what = "file"
			}
			ev.report(x.env, x.pos, fmt.Sprintf("%q is %s and cannot be a %s", x.name, withArticle(v.Kind), what), "use fn::toJSON")
			continue
		}
		out = append(out, x)
	}
	return out, all
}

// place is where a cell is written.
func (ev *evaluator) place(c *cell, pos Position) (*environment, Position) {
	if c.expr != nil {
		return c.expr.env, c.expr.pos()
	}
	if c.chain != nil && c.chain.env != nil && c.chain.prop != nil {
		return c.chain.env, c.chain.pos()
	}
	if env := ev.p.byPath[pos.File]; env != nil {
		return env, pos
	}
	return ev.p.root, ev.p.root.at(1, 1)
}

// keyPlace finds the key that defines a property: in the highest layer that has
// it. The name is data if that layer is not written in a file.
func (ev *evaluator) keyPlace(e *entry) (env *environment, pos Position, data bool) {
	env, pos = e.top.env, e.top.pos()
	if env == nil || e.top.value != nil {
		if env = ev.p.byPath[pos.File]; env == nil {
			env = ev.p.root
		}
		if file := ev.p.dotenvs[pos.File]; file != nil {
			env = file.env
		}
	}
	return env, pos, e.top.value != nil && len(e.top.value.from()) > 0
}

// checkName reports a variable that may not be set from where it is.
func (ev *evaluator) checkName(x export) bool {
	switch {
	case !ValidName(x.name):
		ev.report(x.env, x.pos, fmt.Sprintf("invalid variable name %q", x.name), "a name has letters, digits and _, and no digit first")
	case Forbidden(x.name):
		ev.report(x.env, x.pos, fmt.Sprintf("the variable %q cannot be set", x.name), forbiddenHint)
	case x.data && NeedsConsent(x.name):
		ev.report(x.env, x.pos, fmt.Sprintf("a provider cannot choose the variable %q", x.name), "name it in a file")
	case ev.mode == modeEvaluate && x.env.store == "" && NeedsConsent(x.name) && !ev.opt.Consent[x.name]:
		ev.report(x.env, x.pos, fmt.Sprintf("the variable %q needs consent", x.name), `run "ambit allow"`)
	default:
		return true
	}
	return false
}

// bounds reports values that no shell, or no process, can take.
func (ev *evaluator) bounds(set []export) {
	total, size, files := 0, 0, 0
	var largest export
	for _, x := range set {
		text := textOf(x.value)
		switch {
		case x.file && len(text) > MaxFileValue:
			ev.report(x.env, x.pos, fmt.Sprintf("the file %q has %d bytes, more than 1 MiB", x.name, len(text)), "")
		case !x.file && strings.ContainsRune(text, 0):
			ev.report(x.env, x.pos, fmt.Sprintf("the variable %q contains a NUL", x.name), "put it in files")
		case !x.file && len(text) > MaxVariable:
			ev.report(x.env, x.pos, fmt.Sprintf("the variable %q has %d bytes, more than 64 KiB", x.name, len(text)), "put it in files")
		default:
			if x.file {
				if files += len(text); files > MaxFileValues && files-len(text) <= MaxFileValues {
					ev.report(x.env, x.pos, fmt.Sprintf("the files have more than %d MiB together, with %q", MaxFileValues>>20, x.name), "let a program read what is so large")
				}
				text = "" // its path is yet to be made
			}
			if total += len(x.name) + 1 + len(text); len(text) >= size {
				largest, size = x, len(text)
			}
		}
	}
	if total > MaxChange {
		ev.report(largest.env, largest.pos, fmt.Sprintf("the variables have %d bytes together, more than 256 KiB; the largest is %q with %d", total, largest.name, size), "set fewer or shorter variables")
	}
}

// result puts together what was found.
func (ev *evaluator) result(set []export) *Result {
	p := ev.p
	r := &Result{Label: p.Label(), Unset: ev.unset(set), Path: ev.path()}
	if !p.root.named {
		r.Directory = p.root.dir()
	}
	var used []*opened
	for _, x := range set {
		used = union(used, x.value.from())
	}
	slices.SortFunc(used, func(a, b *opened) int { return a.order - b.order })
	credentialOf := map[*opened]int{}
	for _, o := range used {
		if c := o.result.Credential; c != nil {
			credentialOf[o] = len(r.Credentials)
			r.Credentials = append(r.Credentials, *c)
		}
		for _, text := range o.result.Notices {
			r.Notices = append(r.Notices, cache.Message{Level: "warning", Text: text, Place: placeMessage(o.expr.pos())})
		}
	}
	r.RefreshAt, r.ExpiresAt = times(used)
	for _, o := range used {
		r.NoCache = r.NoCache || o.result.noCache
	}
	r.Variables = make([]Variable, 0, len(set)+len(family))
	for _, x := range set {
		refresh, expires := times(x.value.from())
		text := secret.New(textOf(x.value))
		if x.file {
			r.Files = append(r.Files, FileVariable{Name: x.name, Content: text, Pos: x.pos, RefreshAt: refresh, ExpiresAt: expires})
			continue
		}
		v := Variable{Name: x.name, Value: text, Secret: x.value.hasSecret(), Pos: x.pos, RefreshAt: refresh, ExpiresAt: expires, Credential: -1}
		for _, o := range x.value.from() {
			if i, ok := credentialOf[o]; ok {
				v.Credential = i
			}
		}
		r.Variables = append(r.Variables, v)
	}
	ev.family(r, set)
	sort.Slice(r.Variables, func(i, j int) bool { return r.Variables[i].Name < r.Variables[j].Name })
	sort.Slice(r.Files, func(i, j int) bool { return r.Files[i].Name < r.Files[j].Name })
	slices.Sort(r.Unset)
	r.Unset = slices.Compact(r.Unset)
	r.Watched = ev.watched(used)
	r.Reads = ev.opt.Env.Reads()
	return r
}

func placeMessage(pos Position) cache.Place {
	return cache.Place{File: pos.File, Line: pos.Line, Column: pos.Column}
}

// path is the directories of all layers, the own ones first.
func (ev *evaluator) path() (out []string) {
	for _, env := range layersOf(ev.p.root) {
		for _, l := range env.doc.path {
			dir, err := ev.p.absolute(env, l.text)
			switch {
			case err != nil:
				ev.report(env, env.at(l.line, l.col), err.Error(), "")
			case strings.ContainsAny(dir, ":\n\r"):
				ev.report(env, env.at(l.line, l.col), "the directory's path contains a colon or a line break", "")
			case !slices.Contains(out, dir):
				out = append(out, dir)
			}
		}
	}
	return out
}

// watched is every file that the result depends on, in order of loading.
func (ev *evaluator) watched(used []*opened) (out []cache.Watched) {
	seen := map[string]bool{}
	for _, f := range ev.p.files {
		seen[f.Path] = true
		w := cache.Watched{Path: f.Path, Absent: f.Absent}
		if !f.Absent {
			w.Digest = sha256.Sum256(f.Bytes)
		}
		out = append(out, w)
	}
	add := func(path string, failed func(error)) {
		if seen[path] || ev.opt.Digest == nil {
			return
		}
		seen[path] = true
		w, err := ev.opt.Digest(path)
		if err != nil {
			failed(err)
			return
		}
		out = append(out, w)
	}
	for _, env := range layersOf(ev.p.root) {
		for _, l := range env.doc.watch {
			path, err := ev.p.absolute(env, l.text)
			if err != nil {
				ev.report(env, env.at(l.line, l.col), err.Error(), "")
				continue
			}
			add(path, func(err error) {
				ev.report(env, env.at(l.line, l.col), readSummary(fmt.Sprintf("the watched file %q", l.text), err), "")
			})
		}
	}
	for _, o := range used {
		for _, path := range o.result.Files {
			add(path, func(err error) {
				ev.warn(o.expr.env, o.expr.pos(), readSummary(fmt.Sprintf("the file %q", path), err)+" and is not watched", "")
			})
		}
	}
	for _, path := range ev.opt.Identities.Files() {
		add(path, func(error) {}) // it was read, and said if it could not be
	}
	return out
}

// Entry is the result in the form that is kept and handed to the shells.
// Directory is the canonical directory of the .envrc.yaml.
func (r *Result) Entry(directory string, now time.Time) *cache.Entry {
	e := &cache.Entry{
		Dir: directory, Label: r.Label, Created: now.Unix(),
		Reads: r.Reads, Watched: r.Watched, Unset: r.Unset, Path: r.Path,
		RefreshAt: unix(r.RefreshAt), ExpiresAt: unix(r.ExpiresAt),
		Credentials: r.Credentials, Notices: r.Notices, Unit: r.unit(),
	}
	for _, v := range r.Variables {
		e.Variables = append(e.Variables, cache.Variable{
			Name: v.Name, Value: v.Value, Secret: v.Secret, List: PathLike(v.Name), ExpiresAt: unix(v.ExpiresAt),
		})
	}
	for _, f := range r.Files {
		e.Files = append(e.Files, cache.FileVariable{Name: f.Name, Content: f.Content, ExpiresAt: unix(f.ExpiresAt)})
	}
	return e
}

// unit are the members of the family of credentials that the result sets or
// unsets, if it takes over the family at all.
func (r *Result) unit() []string {
	takes := false
	var out []string
	for _, v := range r.Variables {
		if slices.Contains(family, v.Name) {
			out = append(out, v.Name)
		}
		takes = takes || slices.Contains(takers, v.Name)
	}
	for _, name := range r.Unset {
		if slices.Contains(family, name) {
			out = append(out, name)
		}
	}
	if !takes {
		return nil
	}
	slices.Sort(out)
	return out
}

// takers are the members that take over the family when they are set.
var takers = []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
