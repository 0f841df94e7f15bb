package resolver

import (
	"context"
	"slices"
	"sort"
)

// Plan is what a definition would load, as far as that can be told without
// opening or running anything. It holds no values.
type Plan struct {
	Label        string
	Environments []PlannedFile // the closure, the root first
	Dotenv       []PlannedFile
	Beyond       []PlannedFile // files that a repository's file reaches outside the repository
	Variables    []PlannedName // sorted by name
	Files        []PlannedName
	Unset        []PlannedName
	Path         []string // absolute
	Watch        []string // absolute
	Opens        []PlannedOpen
	Consent      []PlannedName // variables set or unset by the repository that need consent
	Open         []Position    // outputs whose names only a provider knows
}

// PlannedFile is a file of the closure.
type PlannedFile struct {
	Name  string // as the definition calls it
	Path  string // canonical
	Store string // root of the store it lies in; "": it is a repository's
}

// PlannedName is a variable with the place that defines it.
type PlannedName struct {
	Name   string
	Pos    Position
	Store  string // root of the store in which that file lies, or ""
	Secret bool
}

// PlannedOpen is an open that the exported values need.
type PlannedOpen struct {
	Provider string
	Pos      Position
	Store    string
	Kind     string   // of a login: "oidc", "assumeRole", "profile" …; "" otherwise
	Role     string   // ARN of the role, or ""
	Profile  string   // name of a profile that the login starts from, or ""
	Reads    string   // the file that `file` or `dotenv` reads, as written, or ""
	Argv     []string // of every program that it runs; a secret argument is "[secret]", an unknown one "[unknown]"
}

// Plan tells what Evaluate would load. It opens and runs nothing.
func (p *Program) Plan() Plan {
	ev := newEvaluator(context.Background(), p, Options{}, modePlan)
	ev.pass++
	plan := Plan{Label: p.Label()}
	beyond := p.beyond()
	for _, env := range p.envs {
		plan.Environments = append(plan.Environments, PlannedFile{env.name, env.path, env.store})
	}
	var dotenvs []*dotenvFile
	for _, f := range p.dotenvs {
		dotenvs = append(dotenvs, f)
	}
	sort.Slice(dotenvs, func(i, j int) bool { return dotenvs[i].order < dotenvs[j].order })
	for _, f := range dotenvs {
		plan.Dotenv = append(plan.Dotenv, PlannedFile{Name: f.path, Path: f.path, Store: p.storeOf(f.path)})
	}
	plan.Beyond = beyond
	set, _ := ev.exports()
	for _, key := range []string{variablesKey, filesKey} {
		names, open := ev.plannedNames(key)
		plan.Open = append(plan.Open, open...)
		if key == variablesKey {
			plan.Variables = names
		} else {
			plan.Files = names
		}
	}
	for _, env := range layersOf(p.root) {
		for _, l := range env.doc.unset {
			if slices.Contains(ev.unset(set), l.text) {
				plan.Unset = append(plan.Unset, PlannedName{l.text, env.at(l.line, l.col), env.store, false})
			}
		}
		for _, l := range env.doc.watch {
			if path, err := p.absolute(env, l.text); err == nil {
				plan.Watch = append(plan.Watch, path)
			}
		}
	}
	plan.Path = ev.path()
	for _, names := range [][]PlannedName{plan.Variables, plan.Files, plan.Unset} {
		for _, n := range names {
			if n.Store == "" && NeedsConsent(n.Name) {
				plan.Consent = append(plan.Consent, n)
			}
		}
	}
	sort.Slice(plan.Consent, func(i, j int) bool { return plan.Consent[i].Name < plan.Consent[j].Name })
	plan.Opens = distinct(ev.planned)
	return plan
}

// plannedNames lists the names of an output with their places, also of those
// whose values are not known.
func (ev *evaluator) plannedNames(key string) (names []PlannedName, open []Position) {
	c := ev.child(ev.root(ev.p.root).shape.obj, key)
	if c == nil {
		return nil, nil
	}
	sh := ev.resolve(c)
	if sh.kind == shapeValue && sh.value.Unknown {
		_, pos := ev.place(c, sh.pos())
		return ev.writtenNames(c), []Position{pos}
	}
	if sh.kind != shapeObject {
		return nil, nil
	}
	ev.expand(sh.obj)
	if sh.obj.below != nil {
		_, pos := ev.place(c, sh.obj.below.pos())
		open = append(open, pos)
	}
	unset := ev.unsetAbove(key)
	for i := range sh.obj.entries {
		e := &sh.obj.entries[i]
		if unset[e.name] {
			continue
		}
		v, there, _ := ev.forceEntry(sh.obj, e)
		if there {
			env, pos, _ := ev.keyPlace(e)
			names = append(names, PlannedName{e.name, pos, env.store, v.Secret})
		}
	}
	return names, open
}

// writtenNames are those that the layers below an unknown value have.
func (ev *evaluator) writtenNames(c *cell) (names []PlannedName) {
	seen := map[string]bool{}
	for l := c.chain; l != nil; l = ev.next(l) {
		if l.expr == nil {
			continue
		}
		for _, p := range l.expr.keys {
			if !seen[p.name] {
				seen[p.name] = true
				names = append(names, PlannedName{p.name, l.expr.env.at(p.line, p.col), l.expr.env.store, false})
			}
		}
	}
	sort.Slice(names, func(i, j int) bool { return names[i].Name < names[j].Name })
	return names
}

// distinct drops what says the same of the same place again.
func distinct(opens []PlannedOpen) (out []PlannedOpen) {
	for _, o := range opens {
		if !slices.ContainsFunc(out, func(seen PlannedOpen) bool { return seen.Pos == o.Pos }) {
			out = append(out, o)
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i].Pos, out[j].Pos
		if a.File != b.File {
			return a.File < b.File
		}
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	return out
}

// plannedOf describes an open by its inputs.
func plannedOf(e *expr, inputs Value) PlannedOpen {
	o := PlannedOpen{Provider: e.call.provider, Pos: e.env.at(e.call.line, e.call.col), Store: e.env.store}
	if inputs.Kind != Object || inputs.Unknown {
		return o
	}
	if o.Provider == "aws-login" {
		for _, kind := range []string{"oidc", "static", "assumeRole", "profile", "sso", "session"} {
			v, ok := inputs.Object[kind]
			if !ok {
				continue
			}
			o.Kind = kind
			if kind == "profile" {
				o.Profile = shown(v)
				continue
			}
			if role, ok := v.Object["roleArn"]; ok {
				o.Role = shown(role)
			}
			if profile, ok := v.Object["source"].Object["profile"]; ok {
				o.Profile = shown(profile)
			}
			o.Argv = argv(v.Object["token"].Object["command"])
		}
	}
	if o.Provider == "file" || o.Provider == "dotenv" {
		o.Reads = shown(inputs.Object["path"])
	}
	if command, ok := inputs.Object["command"]; ok && o.Provider == "command" {
		o.Argv = argv(command)
	}
	return o
}

func argv(command Value) (out []string) {
	if command.Unknown {
		return []string{Unknown}
	}
	for _, word := range command.List {
		out = append(out, shown(word))
	}
	return out
}

// shown is the text of a value, or what stands for it.
func shown(v Value) string { return textOf(Redact(v, false)) }

// storeOf is the root of the store in which a file of the closure lies, or "".
func (p *Program) storeOf(path string) string {
	if i, ok := p.byFile[path]; ok {
		return p.files[i].Store
	}
	return ""
}
