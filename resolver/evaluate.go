package resolver

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// evaluator computes values on demand. It is single-threaded: an open runs
// beside it, and until its result is there every value that needs it is
// pending. Then the evaluation passes once more over what was pending. So the
// result does not depend on how many opens run at once, or in which order they
// end.
type evaluator struct {
	p     *Program
	ctx   context.Context
	opt   Options
	mode  mode
	diags []Diagnostic

	cells    []*cell // by expr.id
	roots    map[*environment]*cell
	dotenv   map[*dotenvFile]*Value
	opens    *openings
	pass     int
	refs     []*expr        // references that are being followed
	forcing  map[*expr]bool // references whose values are being written out
	depth    int
	computed int // bytes of computed values
	overflow bool
	planned  []PlannedOpen // in modePlan
}

type mode uint8

const (
	modeEvaluate mode = iota
	modeCheck         // opens nothing; what would be opened is unknown
	modePlan          // as check, and of providers nothing is known
)

func newEvaluator(ctx context.Context, p *Program, opt Options, m mode) *evaluator {
	if opt.Env == nil {
		opt.Env = NewBaseline(nil)
	}
	return &evaluator{
		p: p, ctx: ctx, opt: opt, mode: m, cells: make([]*cell, p.exprs), roots: map[*environment]*cell{},
		dotenv: map[*dotenvFile]*Value{}, opens: newOpenings(), forcing: map[*expr]bool{},
	}
}

// cell is a value that is computed when it is asked for, in two steps: its
// shape, which leaves the parts of a list or an object alone, and the whole.
type cell struct {
	expr    *expr    // one written value
	sources []source // or what several layers say about one key, the highest first
	key     string   // of which, for messages

	state state
	pass  int // in which it was pending
	shape shape

	forced bool
	value  Value
}

type state uint8

const (
	fresh state = iota
	busy
	done
	pending
)

// source is one layer's contribution to a cell.
type source struct {
	expr  *expr
	value *Value
	of    *cell // with key: the property of a value whose shape is not known yet
	key   string
	line  int // of the key, in env
	col   int
	env   *environment
}

// shape is a value as far as its parts need not be looked at.
type shape struct {
	kind  shapeKind
	value Value   // of shapeValue: a scalar, a list that is all there, or unknown
	items []*expr // of shapeList
	obj   *object // of shapeObject
	pos   Position

	schema *Schema // of an unknown value, if its provider says
}

type shapeKind uint8

const (
	shapeValue shapeKind = iota
	shapeList            // a written list
	shapeObject
	shapePending
	shapeAbsent  // the key is not there
	shapeBlocked // nor can a lower layer supply it: this one is no object
)

// object is an object whose properties are searched layer by layer.
type object struct {
	layers []source // expr of kind exprObject, or value of kind Object; the highest first
	rest   []source // lower ones whose shape is not known yet
	below  *shape   // what stands under the layers: unknown, or nil
	kids   map[string]*cell
	names  []string // sorted; set by expand
	pos    Position
}

var shapeUnknown = shape{value: Value{Unknown: true}}

func unknownAt(pos Position) shape { return shape{value: Value{Unknown: true, Pos: pos}, pos: pos} }

func (ev *evaluator) report(env *environment, pos Position, summary, hint string) {
	ev.diags = append(ev.diags, Diagnostic{Pos: pos, Summary: summary, Hint: hint, Imports: env.chain})
}

func (ev *evaluator) warn(env *environment, pos Position, summary, hint string) {
	ev.diags = append(ev.diags, Diagnostic{Severity: Warning, Pos: pos, Summary: summary, Hint: hint, Imports: env.chain})
}

func (ev *evaluator) cell(e *expr) *cell {
	c := ev.cells[e.id]
	if c == nil {
		c = &cell{expr: e}
		ev.cells[e.id] = c
	}
	return c
}

// root is the merged result of an environment.
func (ev *evaluator) root(env *environment) *cell {
	if c := ev.roots[env]; c != nil {
		return c
	}
	c := &cell{state: done, shape: shape{kind: shapeObject, pos: env.at(1, 1), obj: ev.merged(layersOf(env))}}
	ev.roots[env] = c
	return c
}

// merged is the object of some environments' values, the highest first.
func (ev *evaluator) merged(envs []*environment) *object {
	obj := &object{pos: envs[0].at(1, 1)}
	for _, env := range envs {
		if env.doc.values != nil {
			obj.layers = append(obj.layers, source{expr: env.doc.values, env: env})
		}
		for i := len(env.dotenvs) - 1; i >= 0; i-- {
			if v := ev.dotenvValue(env, env.dotenvs[i]); v != nil {
				obj.layers = append(obj.layers, source{value: v, env: env})
			}
		}
		if env.failed && obj.below == nil {
			obj.below = &shapeUnknown
			break
		}
	}
	return obj
}

// resolve finds a cell's shape.
func (ev *evaluator) resolve(c *cell) *shape {
	switch {
	case c.state == done:
		return &c.shape
	case c.state == busy:
		// The reference that closes a cycle looks before it leaps.
		return &shapeUnknown
	case c.state == pending && c.pass == ev.pass:
		return &shape{kind: shapePending}
	}
	c.state = busy
	var s shape
	if c.expr != nil {
		s = ev.resolveExpr(c.expr)
	} else {
		s = ev.merge(c)
	}
	if s.kind == shapePending {
		c.state, c.pass = pending, ev.pass
		return &shape{kind: shapePending}
	}
	c.state, c.shape = done, s
	return &c.shape
}

func (ev *evaluator) resolveSource(s source) *shape {
	switch {
	case s.value != nil:
		return valueShape(*s.value)
	case s.expr != nil:
		return ev.resolve(ev.cell(s.expr))
	}
	of := ev.resolve(s.of)
	switch of.kind {
	case shapeObject:
		c := ev.child(of.obj, s.key)
		if c == nil {
			if of.obj.below != nil {
				return of.obj.below
			}
			return &shape{kind: shapeAbsent}
		}
		return ev.resolve(c)
	case shapePending, shapeAbsent, shapeBlocked:
		return of
	}
	if of.value.Unknown {
		return of
	}
	return &shape{kind: shapeBlocked}
}

// valueShape makes a layer of a computed object, so that it merges as a written
// one does.
func valueShape(v Value) *shape {
	if v.Kind == Object && !v.Unknown {
		return &shape{kind: shapeObject, pos: v.Pos, obj: &object{layers: []source{{value: &v}}, pos: v.Pos}}
	}
	return &shape{value: v, pos: v.Pos}
}

// merge decides between the layers: the highest that has the key counts, and
// the objects below it, down to the first that is none, supply further keys.
func (ev *evaluator) merge(c *cell) shape {
	sources := c.sources
	if ev.p.hasFinal {
		sources = ev.holdFinal(c)
	}
	for i, s := range sources {
		sh := ev.resolveSource(s)
		switch sh.kind {
		case shapeAbsent:
			continue
		case shapeBlocked:
			return shape{kind: shapeAbsent}
		case shapeObject:
			return shape{kind: shapeObject, pos: sh.pos, obj: ev.stack(sh.obj, sources[i+1:])}
		}
		return *sh
	}
	return shape{kind: shapeAbsent}
}

// stack puts an object on lower sources. Those that have to be computed first
// are left for when a key is asked for that no layer above them supplies.
func (ev *evaluator) stack(top *object, lower []source) *object {
	if len(lower) == 0 || top.below != nil {
		return top
	}
	obj := &object{layers: slices.Clip(slices.Clone(top.layers)), rest: slices.Clip(slices.Clone(top.rest)), pos: top.pos}
	login := top.isLogin()
	for _, s := range lower {
		switch {
		case login && s.expr != nil && s.expr.isOpen():
			return obj // a login replaces another open, it never mixes with it
		case len(obj.rest) == 0 && s.expr != nil && s.expr.kind == exprObject,
			len(obj.rest) == 0 && s.value != nil && s.value.Kind == Object && !s.value.Unknown:
			obj.layers = append(obj.layers, s)
		case s.expr != nil && (s.expr.kind == exprScalar || s.expr.kind == exprList):
			return obj
		default:
			obj.rest = append(obj.rest, s)
		}
	}
	return obj
}

func (e *expr) isOpen() bool { return e.kind == exprCall && e.call.builtin.name == openName }

// isLogin says whether the object is the undivided result of a login.
func (o *object) isLogin() bool {
	return len(o.layers) > 0 && o.layers[0].value != nil && o.layers[0].value.whole != nil &&
		strings.HasSuffix(o.layers[0].value.whole.provider, "-login")
}

// settle computes the layers that were left.
func (ev *evaluator) settle(o *object) shapeKind {
	for len(o.rest) > 0 {
		sh := ev.resolveSource(o.rest[0])
		switch {
		case sh.kind == shapePending:
			return shapePending
		case sh.kind == shapeAbsent:
			o.rest = o.rest[1:]
		case sh.kind == shapeObject:
			if whole := sh.obj.wholeOpen(); whole && o.isLogin() {
				o.rest = nil
				break
			}
			o.layers = append(o.layers, sh.obj.layers...)
			o.rest = append(slices.Clone(sh.obj.rest), o.rest[1:]...)
			if sh.obj.below != nil {
				o.below, o.rest = sh.obj.below, nil
			}
		default:
			if sh.value.Unknown {
				o.below = sh
			}
			o.rest = nil
		}
	}
	return shapeObject
}

func (o *object) wholeOpen() bool {
	return len(o.layers) > 0 && o.layers[0].value != nil && o.layers[0].value.whole != nil
}

// child is a property of an object, or nil if no layer can have it. Its shape
// may still turn out to be absent.
func (ev *evaluator) child(o *object, key string) *cell {
	if c, ok := o.kids[key]; ok {
		return c
	}
	var sources []source
	for _, layer := range o.layers {
		if s, ok := layer.get(key); ok {
			sources = append(sources, s)
		}
	}
	for _, r := range o.rest {
		of := r.of
		switch {
		case r.expr != nil:
			of = ev.cell(r.expr)
		case r.of != nil:
			of = &cell{sources: []source{r}, key: r.key}
		default:
			of = &cell{state: done, shape: *valueShape(*r.value)}
		}
		sources = append(sources, source{of: of, key: key, env: r.env})
	}
	c := ev.join(key, sources)
	if o.kids == nil {
		o.kids = map[string]*cell{}
	}
	o.kids[key] = c
	return c
}

func (ev *evaluator) join(key string, sources []source) *cell {
	switch {
	case len(sources) == 0:
		return nil
	case len(sources) == 1 && sources[0].expr != nil:
		return ev.cell(sources[0].expr)
	case len(sources) == 1 && sources[0].value != nil:
		return &cell{state: done, shape: *valueShape(*sources[0].value)}
	}
	return &cell{sources: sources, key: key}
}

// get is a layer's contribution to a property.
func (s source) get(key string) (source, bool) {
	if s.value != nil {
		v, ok := s.value.Object[key]
		return source{value: &v, env: s.env, line: v.Pos.Line, col: v.Pos.Column}, ok
	}
	p := s.expr.property(key)
	if p == nil {
		return source{}, false
	}
	return source{expr: p.value, env: s.expr.env, line: p.line, col: p.col}, true
}

// expand finds all the properties of an object, in one go over its layers.
func (ev *evaluator) expand(o *object) shapeKind {
	if o.names != nil {
		return shapeObject
	}
	if kind := ev.settle(o); kind == shapePending {
		return kind
	}
	all := map[string][]source{}
	for _, layer := range o.layers {
		if layer.value != nil {
			for key := range layer.value.Object {
				s, _ := layer.get(key)
				all[key] = append(all[key], s)
			}
			continue
		}
		for i := range layer.expr.keys {
			p := &layer.expr.keys[i]
			all[p.name] = append(all[p.name], source{expr: p.value, env: layer.expr.env, line: p.line, col: p.col})
		}
	}
	if o.kids == nil {
		o.kids = make(map[string]*cell, len(all))
	}
	names := make([]string, 0, len(all))
	for key, sources := range all {
		names = append(names, key)
		if o.kids[key] == nil {
			o.kids[key] = ev.join(key, sources)
		}
	}
	sort.Strings(names)
	o.names = names
	return shapeObject
}

// holdFinal drops the contributions that would override a final one, and says
// so.
func (ev *evaluator) holdFinal(c *cell) []source {
	kept := c.sources
	for i := len(kept) - 1; i > 0; i-- {
		e := kept[i].expr
		if e == nil || !e.final {
			continue
		}
		if e.kind != exprObject {
			ev.overridden(c, kept[:i])
			return kept[i:]
		}
		// An object that contains a final value stays, against what is none.
		for j := i - 1; j >= 0; j-- {
			sh := ev.resolveSource(kept[j])
			if sh.kind == shapeValue && !sh.value.Unknown || sh.kind == shapeList {
				ev.overridden(c, kept[j:j+1])
				kept = slices.Delete(slices.Clone(kept), j, j+1)
				i--
			}
		}
	}
	return kept
}

func (ev *evaluator) overridden(c *cell, by []source) {
	for _, s := range by {
		if sh := ev.resolveSource(s); sh.kind == shapeAbsent || sh.kind == shapePending || s.env == nil {
			continue
		}
		ev.warn(s.env, s.env.at(s.line, s.col), fmt.Sprintf("%q is final and is not overridden", c.key), "")
	}
}

// resolveExpr computes a written value as far as its shape.
func (ev *evaluator) resolveExpr(e *expr) shape {
	switch e.kind {
	case exprScalar:
		return shape{value: Value{Kind: e.scalar, Bool: e.truth, Text: e.text, Pos: e.pos()}, pos: e.pos()}
	case exprList:
		return shape{kind: shapeList, items: e.items, pos: e.pos()}
	case exprObject:
		return shape{kind: shapeObject, pos: e.pos(), obj: &object{layers: []source{{expr: e, env: e.env}}, pos: e.pos()}}
	case exprRef:
		return ev.reference(e, e.parts[0])
	case exprCall:
		return ev.callShape(e)
	}
	return ev.text(e)
}

// text joins the parts of an interpolated string.
func (ev *evaluator) text(e *expr) shape {
	if e.parts == nil {
		return unknownAt(e.pos()) // reported when it was parsed
	}
	out := Value{Kind: String, Pos: e.pos()}
	var b strings.Builder
	waiting := false
	for _, part := range e.parts {
		if part.path == nil {
			b.WriteString(part.literal)
			continue
		}
		sh := ev.reference(e, part)
		v, ok := ev.forceShape(e, &sh)
		switch {
		case !ok:
			waiting = true
			continue
		case v.hasUnknown():
			out.Unknown = true
		case !out.Unknown && b.Len()+v.size() <= 2*maxComputed:
			appendText(&b, v)
		case !out.Unknown:
			ev.tooLarge(e)
			out.Unknown = true
		}
		out.Secret = out.Secret || v.hasSecret()
		out.from = union(out.from, v.origins())
	}
	if waiting {
		return shape{kind: shapePending}
	}
	if !out.Unknown {
		out.Text = b.String()
		out.Unknown = !ev.spend(e, len(out.Text))
	}
	if out.Unknown {
		out.Text = ""
	}
	return shape{value: out, pos: out.Pos}
}

func (ev *evaluator) tooLarge(e *expr) {
	ev.report(e.env, e.pos(), "the computed value is larger than 1 MiB", "")
}

// spend counts the bytes of a computed value against the limits.
func (ev *evaluator) spend(e *expr, n int) bool {
	if n > maxComputed {
		ev.tooLarge(e)
		return false
	}
	ev.computed += n
	if ev.computed > maxAllComputed {
		if !ev.overflow {
			ev.report(e.env, e.pos(), "all computed values together are larger than 16 MiB", "")
		}
		ev.overflow = true
		return false
	}
	return true
}

// appendText writes the text form of a value.
func appendText(b *strings.Builder, v Value) {
	switch v.Kind {
	case Bool:
		b.WriteString(strconv.FormatBool(v.Bool))
	case Number, String:
		b.WriteString(v.Text)
	case List:
		for i, item := range v.List {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Quote(textOf(item)))
		}
	case Object:
		for i, key := range sortedKeys(v.Object) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Quote(key))
			b.WriteByte('=')
			b.WriteString(strconv.Quote(textOf(v.Object[key])))
		}
	}
}

// textOf is the text form of a value.
func textOf(v Value) string {
	switch v.Kind {
	case Number, String:
		return v.Text
	}
	var b strings.Builder
	appendText(&b, v)
	return b.String()
}

func sortedKeys(m map[string]Value) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// force computes a value whole. It returns false if that has to wait.
func (ev *evaluator) force(c *cell) (Value, bool) {
	if c.forced {
		return c.value, true
	}
	sh := ev.resolve(c)
	refs := c.references()
	for _, e := range refs {
		if ev.forcing[e] && (sh.kind == shapeObject || sh.kind == shapeList) {
			ev.report(e.env, e.posAt(e.parts[0].path[0].offset), "cycle: "+ev.describe(e)+" contains itself", "")
			return Value{Unknown: true, Pos: e.pos()}, true
		}
		ev.forcing[e] = true
	}
	var e *expr
	if c.expr != nil {
		e = c.expr
	}
	v, ok := ev.forceShape(e, sh)
	for _, e := range refs {
		delete(ev.forcing, e)
	}
	if ok {
		if e != nil && e.kind == exprRef && (v.Kind == List || v.Kind == Object) && !ev.spend(e, v.size()) {
			v = Value{Unknown: true, Pos: e.pos(), Secret: v.hasSecret()}
		}
		c.forced, c.value = true, v
	}
	return v, ok
}

// references are the references among what a cell is made of: to write out one
// while it is written out would never end.
func (c *cell) references() []*expr {
	if c.expr != nil {
		if c.expr.kind == exprRef {
			return []*expr{c.expr}
		}
		return nil
	}
	var refs []*expr
	for _, s := range c.sources {
		if s.expr != nil && s.expr.kind == exprRef {
			refs = append(refs, s.expr)
		}
	}
	return refs
}

// maxForced bounds how deep values nest that references build up.
const maxForced = 4 * maxNesting

func (ev *evaluator) forceShape(e *expr, sh *shape) (Value, bool) {
	switch sh.kind {
	case shapePending:
		return Value{}, false
	case shapeAbsent, shapeBlocked:
		return Value{Unknown: true}, true
	case shapeValue:
		return sh.value, true
	}
	if ev.depth++; ev.depth > maxForced {
		ev.depth--
		if e != nil {
			ev.report(e.env, e.pos(), fmt.Sprintf("the value is nested more than %d levels", maxForced), "")
		}
		return Value{Unknown: true, Pos: sh.pos}, true
	}
	defer func() { ev.depth-- }()
	if sh.kind == shapeList {
		out := Value{Kind: List, List: make([]Value, len(sh.items)), Pos: sh.pos, weight: 2}
		all := true
		for i, item := range sh.items {
			v, ok := ev.force(ev.cell(item))
			all = all && ok
			out.List[i] = v
			out.weight += v.size() + 1
		}
		return out, all
	}
	return ev.forceObject(sh)
}

func (ev *evaluator) forceObject(sh *shape) (Value, bool) {
	o := sh.obj
	if len(o.layers) == 1 && o.layers[0].value != nil && len(o.rest) == 0 && o.below == nil {
		return *o.layers[0].value, true
	}
	if ev.expand(o) == shapePending {
		// Whatever is there is computed meanwhile, so that its opens start.
		for _, layer := range o.layers {
			if layer.expr != nil {
				for _, p := range layer.expr.keys {
					ev.force(ev.cell(p.value))
				}
			}
		}
		return Value{}, false
	}
	out := Value{Kind: Object, Object: make(map[string]Value, len(o.names)), Pos: sh.pos, weight: 2}
	all := true
	for _, name := range o.names {
		c := o.kids[name]
		v, ok := ev.force(c)
		if !ok {
			all = false
			continue
		}
		if c.state == done && (c.shape.kind == shapeAbsent || c.shape.kind == shapeBlocked) {
			continue
		}
		out.Object[name] = v
		out.weight += len(name) + 3 + v.size()
	}
	for _, layer := range o.layers {
		if layer.value != nil && layer.value.Secret {
			out.Secret = true
		}
	}
	if o.below != nil {
		out.Unknown = true
	}
	return out, all
}
