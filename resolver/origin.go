package resolver

import (
	"context"
	"slices"
	"strings"
)

// Origin tells where a variable comes from, as far as that can be told without
// opening or running anything. It holds no value of the variable.
type Origin struct {
	Kind    OriginKind
	Place   Sourced // where it is set or unset; none where it is only a list's entries
	Because string  // the variable that it follows from: of OriginFollows, OriginTaken
	Secret  bool    // its value is known to be one

	Hides []Sourced // places below that say the same name; of OriginProvider: that count if the provider does not name it
	Path  []Entry   // of PATH: the directories that are put before it, in order
	Uses  []Use     // references that its value needs, in the order in which they are followed
	Opens []Asked   // opens that its value needs, in the order in which they are met
}

// OriginKind says what of a definition makes a variable what it is.
type OriginKind string

// The kinds. OriginNone: the definition does not say the name, but perhaps puts
// directories before PATH.
const (
	OriginNone     OriginKind = ""
	OriginVariable OriginKind = "variable" // environmentVariables
	OriginFile     OriginKind = "file"     // files: its value is a path
	OriginDotenv   OriginKind = "dotenv"   // a dotenv file
	OriginUnset    OriginKind = "unset"    // unset
	OriginProvider OriginKind = "provider" // a provider's output, which may have the name
	OriginFollows  OriginKind = "follows"  // set with another one: the second name of the region, the expiry of keys
	OriginTaken    OriginKind = "taken"    // unset with credentials of which it would be another part
)

// Sourced is a place with the chain of imports that leads to its file, the nearest
// first.
type Sourced struct {
	Pos     Position
	Imports []Position
}

// Entry is a directory of `path`.
type Entry struct {
	Directory string // absolute
	Place     Sourced
}

// Use is a reference to another value.
type Use struct {
	Path string   // as the language writes it, such as aws.login.accessKeyId
	Pos  Position // of the reference
	To   Position // of what it refers to; zero if that is not written in a file
}

// Asked is an open that would be made.
type Asked struct {
	Provider string
	Place    Sourced
	Inputs   Value // redacted: secrets are [secret], what is not known is [unknown]
}

// trace collects what an evaluation in modePlan passes.
type trace struct {
	uses  []Use
	opens []Asked
}

// Origin tells where a variable comes from. Providers say which of their inputs are
// secret; nothing else of them is asked.
func (p *Program) Origin(name string, providers map[string]*Provider) Origin {
	o := p.said(name, providers)
	if name == "PATH" {
		ev := newEvaluator(context.Background(), p, Options{}, modePlan)
		o.Path = ev.pathEntries()
	}
	if o.Kind != OriginNone || len(o.Path) > 0 {
		return o
	}
	var others []string
	kind := OriginTaken
	switch {
	case name == "AWS_REGION":
		kind, others = OriginFollows, []string{"AWS_DEFAULT_REGION"}
	case name == "AWS_DEFAULT_REGION":
		kind, others = OriginFollows, []string{"AWS_REGION"}
	case slices.Contains(family, name):
		others = takers
	}
	for _, other := range others {
		of := p.said(other, providers)
		if of.Kind == OriginNone || of.Kind == OriginUnset {
			continue
		}
		if name == "AWS_CREDENTIAL_EXPIRATION" && other == "AWS_ACCESS_KEY_ID" && len(of.Opens) > 0 {
			kind = OriginFollows // if what is opened expires
		}
		return Origin{Kind: kind, Because: other, Place: of.Place, Uses: of.Uses, Opens: of.Opens}
	}
	return o
}

// said is the origin of a name that the definition itself says.
func (p *Program) said(name string, providers map[string]*Provider) (o Origin) {
	ev := newEvaluator(context.Background(), p, Options{}, modePlan)
	ev.pass++
	for _, key := range []string{variablesKey, filesKey} {
		output := ev.child(ev.root(p.root).shape.obj, key)
		if output == nil {
			continue
		}
		words := ev.wordsOf(output, name)
		if ev.unsetAbove(key)[name] {
			o.Hides = append(o.Hides, placesOf(words)...)
			continue
		}
		if len(words) == 0 || o.Kind != OriginNone {
			continue
		}
		first := 0
		for i, w := range words {
			if w.expr != nil && w.expr.final {
				first = i // of several the lowest
			}
		}
		w := words[first]
		o.Kind, o.Place = OriginVariable, w.Sourced
		switch {
		case w.perhaps:
			o.Kind = OriginProvider
		case p.dotenvs[w.Pos.File] != nil:
			o.Kind = OriginDotenv
		case key == filesKey:
			o.Kind = OriginFile
		}
		for i, other := range words {
			if i != first && (w.perhaps || !other.perhaps) {
				o.Hides = append(o.Hides, other.Sourced)
			}
		}
		p.needs(&o, w, providers)
	}
	if o.Kind != OriginNone {
		return o
	}
	for _, env := range layersOf(p.root) {
		for _, l := range env.doc.unset {
			if l.text == name && o.Kind == OriginNone {
				pos := env.at(l.line, l.col)
				o.Kind, o.Place = OriginUnset, Sourced{pos, ev.importsOf(env, pos)}
			}
		}
	}
	return o
}

// needs computes a variable alone and anew, so that what is passed is what it needs.
func (p *Program) needs(o *Origin, w word, providers map[string]*Provider) {
	ev := newEvaluator(context.Background(), p, Options{Providers: providers}, modePlan)
	ev.pass++
	ev.trace = &trace{}
	for _, e := range w.via {
		ev.resolve(ev.cell(e))
	}
	o.Secret = w.secret
	if w.expr != nil {
		v, _ := ev.force(ev.cell(w.expr))
		o.Secret = v.hasSecret()
	}
	o.Uses, o.Opens = ev.trace.uses, ev.trace.opens
}

// word is one layer's word about a name.
type word struct {
	Sourced
	perhaps bool    // only a provider knows whether it says it
	expr    *expr   // the value; nil: it is a part of a computed one
	via     []*expr // what has to be computed to find it there
	secret  bool
}

// wordsOf are what the layers of an output say about a property, the highest first.
func (ev *evaluator) wordsOf(output *cell, name string) (out []word) {
	seen := map[*layer]bool{}
	var walk func(l *layer, via []*expr) (on bool)
	look := func(sh *shape, l *layer, key string, via []*expr) (on bool) {
		if e := l.root(); e != nil && e.kind != exprObject {
			via = append(slices.Clip(via), e)
		}
		switch {
		case sh.kind == shapeAbsent:
		case sh.kind == shapeObject:
			return walk(ev.first(sh.obj.head, key), via)
		case sh.kind == shapeValue && sh.value.Unknown:
			out = append(out, word{Sourced: ev.sourced(l.env, sh.pos()), perhaps: true, via: via})
		default:
			return false // no object: it hides what is below
		}
		return true
	}
	walk = func(l *layer, via []*expr) bool {
		for ; l != nil && !seen[l]; l = ev.next(l) {
			seen[l] = true
			switch {
			case l.prop != nil:
				out = append(out, word{Sourced: ev.sourced(l.env, l.pos()), expr: l.expr, via: via})
			case l.value != nil && l.value.Unknown && ev.p.dotenvs[l.value.Pos.File] == nil:
				out = append(out, word{Sourced: ev.sourced(l.env, l.value.Pos), perhaps: true, via: via})
				return false // it may hide all that is below
			case l.value != nil:
				out = append(out, word{Sourced: ev.sourced(l.env, l.value.Pos), via: via, secret: l.value.hasSecret()})
			case !look(ev.resolve(l.of), l, l.key, via):
				return false
			}
		}
		return true
	}
	l := output.chain
	if output.expr != nil {
		l = &layer{source: source{expr: output.expr, env: output.expr.env}}
	}
	if l == nil { // computed, as from dotenv files alone
		look(ev.resolve(output), &layer{}, name, nil)
	}
	for on := true; l != nil && on; l = ev.next(l) {
		on = look(ev.resolveSource(l.source), l, name, nil)
	}
	return out
}

// sourced is a place with its imports; env is the environment that it is in unless
// its file says another.
func (ev *evaluator) sourced(env *environment, pos Position) Sourced {
	if at := ev.p.byPath[pos.File]; at != nil {
		env = at
	} else if env == nil {
		env = ev.p.root
	}
	return Sourced{pos, ev.importsOf(env, pos)}
}

func placesOf(words []word) (out []Sourced) {
	for _, w := range words {
		out = append(out, w.Sourced)
	}
	return out
}

// pathEntries are the directories of all layers with their places.
func (ev *evaluator) pathEntries() (out []Entry) {
	for _, env := range layersOf(ev.p.root) {
		for _, l := range env.doc.path {
			dir, err := ev.p.absolute(env, l.text)
			if err != nil || slices.ContainsFunc(out, func(e Entry) bool { return e.Directory == dir }) {
				continue
			}
			pos := env.at(l.line, l.col)
			out = append(out, Entry{dir, Sourced{pos, ev.importsOf(env, pos)}})
		}
	}
	return out
}

// following notes a reference that is followed and returns what is to be told where
// it leads.
func (t *trace) following(e *expr, part part) func(to Position) {
	if t == nil {
		return nil
	}
	n := len(t.uses)
	t.uses = append(t.uses, Use{Path: pathText(part.path), Pos: e.posAt(part.offset)})
	return func(to Position) { t.uses[n].To = to }
}

// asked notes an open that would be made.
func (t *trace) asked(e *expr, inputs Value, p *Provider) {
	if t == nil {
		return
	}
	var s *Schema
	if p != nil {
		s = p.Inputs
	}
	pos := e.env.at(e.call.line, e.call.col)
	t.opens = append(t.opens, Asked{
		Provider: e.call.provider, Place: Sourced{pos, e.env.imported()}, Inputs: Redact(masked(inputs, s, ""), false),
	})
}

// masked marks as secret what a provider's schema calls so, and texts whose key says
// so: what a program of the user's is given has no schema.
func masked(v Value, s *Schema, key string) Value {
	v.Secret = v.Secret || s != nil && s.Secret || v.Kind != Object && v.Kind != List && namesSecret(key)
	below := func(name string) *Schema {
		switch {
		case s == nil:
			return nil
		case s.Properties[name] != nil:
			return s.Properties[name]
		}
		return s.Additional
	}
	switch v.Kind {
	case List:
		list := make([]Value, len(v.List))
		for i, item := range v.List {
			var items *Schema
			if s != nil {
				items = s.Items
			}
			list[i] = masked(item, items, key)
		}
		v.List = list
	case Object:
		object := make(map[string]Value, len(v.Object))
		for name, item := range v.Object {
			object[name] = masked(item, below(name), name)
		}
		v.Object = object
	}
	return v
}

func namesSecret(key string) bool {
	key = strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(key))
	return slices.ContainsFunc([]string{"secret", "password", "passwd", "passphrase", "token", "key", "stdin", "credential", "credentials"},
		func(end string) bool { return strings.HasSuffix(key, end) })
}

// pathText is a path as the language writes it.
func pathText(path []accessor) (text string) {
	for _, a := range path {
		if a.index >= 0 {
			text += "[" + a.digits + "]"
		} else {
			text = joinPath(text, a.name)
		}
	}
	return text
}

// VisitTexts calls visit with the texts of redacted inputs that hold anything, as
// paths and values, in byte order of the paths.
func (a Asked) VisitTexts(visit func(path, text string)) {
	var walk func(v Value, path string)
	walk = func(v Value, path string) {
		switch v.Kind {
		case Object:
			for _, key := range sortedKeys(v.Object) {
				walk(v.Object[key], joinPath(path, key))
			}
		case List:
			words := make([]string, 0, len(v.List))
			for _, item := range v.List {
				words = append(words, textOf(item))
			}
			visit(path, strings.Join(words, " "))
		default:
			visit(path, textOf(v))
		}
	}
	if v := a.Inputs; v.Kind == Object || textOf(v) != "" {
		walk(v, "")
	}
}
