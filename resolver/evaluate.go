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

	decrypts bool // secrets that are kept encrypted; else they are unknown

	cells    []*cell // by expr.id
	slab     []cell  // to be used for further cells
	roots    map[*environment]*cell
	chains   map[*environment]*layer
	dotenv   map[*dotenvFile]*Value
	opens    *openings
	pass     int
	links    []hop           // references that are being followed or written out, the last one on top
	forcing  map[string]bool // the identities of lists and objects that are being written out
	depth    int
	computed int // bytes of computed values
	overflow bool
	planned  []PlannedOpen // in modePlan
	trace    *trace        // nil: nothing is noted
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
		p: p, ctx: ctx, opt: opt, mode: m, decrypts: m == modeEvaluate, cells: make([]*cell, p.exprs), roots: map[*environment]*cell{}, chains: map[*environment]*layer{},
		dotenv: map[*dotenvFile]*Value{}, opens: newOpenings(), forcing: map[string]bool{},
	}
}

// hop is a reference on the way from value to value.
type hop struct {
	expr  *expr
	first accessor // of its path
}

// cell is a value that is computed when it is asked for, in two steps: its
// shape, which leaves the parts of a list or an object alone, and the whole.
type cell struct {
	expr  *expr  // one written value
	chain *layer // or what several layers say about one key
	key   string // of which, for messages

	state state
	pass  int // in which it was pending
	shape shape
	whole *Value // of a list or an object: once it is computed whole
}

type state uint8

const (
	fresh state = iota
	busy
	done
	pending
)

// source is one layer's contribution to a cell: one of expr, value and of.
type source struct {
	expr  *expr
	value *Value
	of    *cell // the property `key` of a value whose shape is not known yet
	key   string
	prop  *property    // the written key, if it is one
	env   *environment // in which; nil: a provider's data
}

// layer is a link in the chain of what is said about a value, the highest
// first. The chains of an environment and of those that import it share their
// lower ends, and a link is only made when it is looked for.
type layer struct {
	source
	next *layer
	more *layer // the chain of the parent, below this layer's: next is found there when it is asked for
	name string // of the property to be found there

	kids map[string]*layer // chains of properties that were looked for from here
	cell *cell
}

func (s source) pos() Position {
	switch {
	case s.prop != nil && s.env != nil:
		return s.env.at(s.prop.line, s.prop.col)
	case s.value != nil:
		return s.value.Pos
	}
	return Position{}
}

// shape is a value as far as its parts need not be looked at.
type shape struct {
	kind  shapeKind
	value Value   // of shapeValue: a scalar, a list that is all there, or unknown; else its Pos alone
	list  *expr   // of shapeList
	obj   *object // of shapeObject
	row   int     // of references, one after the other, that lead here

	schema *Schema // of an unknown value, if its provider says
	final  *expr   // the argument of the fn::final that it is
}

func (s *shape) pos() Position { return s.value.Pos }

type shapeKind uint8

const (
	shapeValue shapeKind = iota
	shapeList            // a written list
	shapeObject
	shapePending
	shapeAbsent  // the key is not there
	shapeBlocked // nor can a lower layer supply it: this one is no object
)

// object is an object whose properties are searched layer by layer: the layers
// from head on, down to the first that is no object.
type object struct {
	head *layer
	pos  Position

	expanded bool
	entries  []entry // once expanded: all the properties, sorted by name
	below    *shape  // once expanded: what stands under the objects, if it is unknown
	identity string  // once asked for and known
}

// entry is a property of an object all of whose layers are known.
type entry struct {
	name string
	top  source // where the highest layer says it
	many bool   // there are further layers
	cell *cell
}

func (o *object) entry(name string) *entry {
	i := sort.Search(len(o.entries), func(i int) bool { return o.entries[i].name >= name })
	if i < len(o.entries) && o.entries[i].name == name {
		return &o.entries[i]
	}
	return nil
}

func (o *object) names() []string {
	names := make([]string, len(o.entries))
	for i := range o.entries {
		names[i] = o.entries[i].name
	}
	return names
}

var shapeUnknown = shape{value: Value{Unknown: true}}

func unknownAt(pos Position) shape { return shape{value: Value{Unknown: true, Pos: pos}} }

func (ev *evaluator) report(env *environment, pos Position, summary, hint string) {
	ev.diags = append(ev.diags, Diagnostic{Pos: pos, Summary: summary, Hint: hint, Imports: ev.importsOf(env, pos)})
}

// importsOf is the chain of imports that leads to a place.
func (ev *evaluator) importsOf(env *environment, pos Position) []Position {
	if file := ev.p.dotenvs[pos.File]; file != nil {
		return file.chain
	}
	return env.imported()
}

func (ev *evaluator) warn(env *environment, pos Position, summary, hint string) {
	ev.diags = append(ev.diags, Diagnostic{Severity: Warning, Pos: pos, Summary: summary, Hint: hint, Imports: env.imported()})
}

func (ev *evaluator) cell(e *expr) *cell {
	c := ev.cells[e.id]
	if c == nil {
		c = ev.newCell()
		c.expr = e
		ev.cells[e.id] = c
	}
	return c
}

func (ev *evaluator) newCell() *cell {
	if len(ev.slab) == 0 {
		ev.slab = make([]cell, 32)
	}
	c := &ev.slab[0]
	ev.slab = ev.slab[1:]
	return c
}

// settled is a cell whose shape is known.
func (ev *evaluator) settled(sh shape) *cell {
	c := ev.newCell()
	c.state, c.shape = done, sh
	return c
}

// root is the merged result of an environment.
func (ev *evaluator) root(env *environment) *cell {
	if c := ev.roots[env]; c != nil {
		return c
	}
	pos := env.at(1, 1)
	c := ev.settled(shape{kind: shapeObject, value: Value{Pos: pos}, obj: &object{head: ev.chain(env), pos: pos}})
	ev.roots[env] = c
	return c
}

// chain is the layers of an environment's values. It ends in the chain of the
// one environment that it imports, if it is one; several are put together.
func (ev *evaluator) chain(env *environment) *layer {
	if l, ok := ev.chains[env]; ok {
		return l
	}
	var lower *layer
	switch targets := targetsOf(env); len(targets) {
	case 0:
	case 1:
		lower = ev.chain(targets[0])
	default:
		lower = ev.stack(layersOf(env)[1:])
	}
	l := ev.own(env, lower)
	ev.chains[env] = l
	return l
}

// stack is the chain of some environments' own values, the highest first.
func (ev *evaluator) stack(envs []*environment) (l *layer) {
	for i := len(envs) - 1; i >= 0; i-- {
		l = ev.own(envs[i], l)
	}
	return l
}

// own puts an environment's values on a chain, and its dotenv files under them.
func (ev *evaluator) own(env *environment, lower *layer) *layer {
	if env.failed {
		lower = &layer{source: source{value: &Value{Unknown: true, Pos: env.at(1, 1)}, env: env}, next: lower}
	}
	for _, file := range env.dotenvs {
		lower = &layer{source: source{value: ev.dotenvValue(env, file), env: env}, next: lower}
	}
	if env.doc.values != nil {
		lower = &layer{source: source{expr: env.doc.values, env: env}, next: lower}
	}
	return lower
}

// resolve finds a cell's shape.
func (ev *evaluator) resolve(c *cell) *shape {
	switch {
	case c.state == done:
		return &c.shape
	case c.state == busy:
		if n := len(ev.links); n > 0 {
			last := ev.links[n-1]
			ev.cycle(step{env: last.expr.env, expr: last.expr}, c, last.first)
		}
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
		return &shape{kind: shapeObject, value: Value{Pos: v.Pos}, obj: &object{head: &layer{source: source{value: &v}}, pos: v.Pos}}
	}
	return &shape{value: v}
}

// merge decides between the layers: the highest that has the key counts, and
// the objects below it, down to the first that is none, supply further keys.
func (ev *evaluator) merge(c *cell) shape {
	l := c.chain
	if ev.p.hasFinal {
		l = ev.holdFinal(c)
	}
	for ; l != nil; l = ev.next(l) {
		sh := ev.resolveSource(l.source)
		switch sh.kind {
		case shapeAbsent:
			continue
		case shapeBlocked:
			return shape{kind: shapeAbsent}
		case shapeObject:
			if sh.obj.isLogin() {
				l = ev.withoutOpens(l)
			}
			if ev.next(l) == nil {
				return *sh // nothing lies below: it is that object itself
			}
			return shape{kind: shapeObject, value: Value{Pos: sh.pos()}, row: sh.row, obj: &object{head: l, pos: sh.pos()}}
		}
		return *sh
	}
	return shape{kind: shapeAbsent}
}

// next is the layer below, or nil.
func (ev *evaluator) next(l *layer) *layer {
	if l.more != nil {
		l.next = ev.first(ev.next(l.more), l.name)
		l.more = nil
	}
	return l.next
}

// first finds the highest layer from l on that has, or may have, a property.
// Nothing is computed for it: a value whose shape is not known may have any.
func (ev *evaluator) first(l *layer, name string) *layer {
	start := l
	if l != nil {
		if found, ok := l.kids[name]; ok {
			return found
		}
	}
	var found *layer
	for ; l != nil && found == nil; l = ev.next(l) {
		switch {
		case l.expr != nil && l.expr.kind == exprObject:
			if p := l.expr.property(name); p != nil {
				found = &layer{source: source{expr: p.value, prop: p, env: l.expr.env}, more: l, name: name}
			}
		case l.expr != nil && l.expr.kind <= exprList && l.expr.kind != exprRef:
			l = nil // no object: it hides what is below
		case l.value != nil && l.value.Unknown:
			found = &layer{source: source{value: l.value, env: l.env}}
		case l.value != nil && l.value.Kind != Object:
			l = nil
		case l.value != nil:
			if v, ok := l.value.Object[name]; ok {
				found = &layer{source: source{value: &v, env: l.env}, more: l, name: name}
			}
		default:
			found = &layer{source: source{of: ev.cellAt(l), key: name, env: l.env}, more: l, name: name}
		}
		if l == nil {
			break
		}
	}
	if start != nil {
		if start.kids == nil {
			start.kids = map[string]*layer{}
		}
		start.kids[name] = found
	}
	return found
}

// cellAt is what one layer says, without those below it.
func (ev *evaluator) cellAt(l *layer) *cell {
	if l.expr != nil {
		return ev.cell(l.expr)
	}
	if l.of != nil {
		c := ev.newCell()
		c.chain, c.key = &layer{source: l.source}, l.key
		return c
	}
	return ev.settled(*valueShape(*l.value))
}

func (e *expr) isOpen() bool { return e.kind == exprCall && e.call.builtin.name == openName }

// isLogin says whether the object is the undivided result of a login.
func (o *object) isLogin() bool {
	return o.wholeOpen() && strings.HasSuffix(o.head.value.whole().provider, "-login")
}

func (o *object) wholeOpen() bool {
	return o.head != nil && o.head.value != nil && o.head.value.whole() != nil
}

// withoutOpens is a chain that ends above the first lower layer that is an open
// too: a login replaces another open, it never mixes with it.
func (ev *evaluator) withoutOpens(l *layer) *layer {
	head := &layer{source: l.source}
	last := head
	for l = ev.next(l); l != nil; l = ev.next(l) {
		if l.expr != nil && l.expr.isOpen() {
			break
		}
		if l.expr == nil || l.expr.kind == exprRef {
			if sh := ev.resolveSource(l.source); sh.kind == shapeObject && sh.obj.wholeOpen() {
				break
			}
		}
		last.next = &layer{source: l.source}
		last = last.next
	}
	return head
}

// child is a property of an object, or nil if no layer can have it. Its shape
// may still turn out to be absent.
func (ev *evaluator) child(o *object, key string) *cell {
	if o.expanded {
		if e := o.entry(key); e != nil {
			return ev.cellOf(o, e)
		}
		return nil
	}
	l := ev.first(o.head, key)
	if l == nil {
		return nil
	}
	return ev.cellFrom(l, key)
}

// cellFrom is what the layers from l on say.
func (ev *evaluator) cellFrom(l *layer, key string) *cell {
	if l.cell != nil {
		return l.cell
	}
	switch {
	case l.expr != nil && !ev.p.hasFinal && (l.expr.kind == exprScalar || l.expr.kind == exprText || l.expr.kind == exprList),
		l.expr != nil && ev.next(l) == nil:
		l.cell = ev.cell(l.expr)
	case l.value != nil && ev.next(l) == nil:
		l.cell = ev.settled(*valueShape(*l.value))
	default:
		l.cell = ev.newCell()
		l.cell.chain, l.cell.key = l, key
	}
	return l.cell
}

func (ev *evaluator) cellOf(o *object, e *entry) *cell {
	if e.cell == nil {
		if !e.many && e.top.expr != nil {
			e.cell = ev.cell(e.top.expr)
		} else {
			e.cell = ev.cellFrom(ev.first(o.head, e.name), e.name)
		}
	}
	return e.cell
}

// expand finds all the properties of an object, in one go over its layers.
func (ev *evaluator) expand(o *object) shapeKind {
	if o.expanded {
		return shapeObject
	}
	if e := o.head; e != nil && e.expr != nil && e.expr.kind == exprObject && ev.next(e) == nil {
		o.entries = make([]entry, len(e.expr.keys))
		for i := range e.expr.keys {
			p := &e.expr.keys[i]
			o.entries[i] = entry{name: p.name, top: source{expr: p.value, prop: p, env: e.expr.env}}
		}
		o.expanded = true
		return shapeObject
	}
	n := 0
	for l := o.head; l != nil; l = ev.next(l) {
		if l.expr != nil {
			n += len(l.expr.keys)
		}
	}
	index := make(map[string]int, n)
	entries := make([]entry, 0, n)
	add := func(name string, top source) {
		if i, again := index[name]; again {
			entries[i].many = true
			return
		}
		index[name] = len(entries)
		entries = append(entries, entry{name: name, top: top})
	}
	var below *shape
	for l := o.head; l != nil; l = ev.next(l) {
		if l.expr != nil && l.expr.kind == exprObject {
			for i := range l.expr.keys {
				p := &l.expr.keys[i]
				add(p.name, source{expr: p.value, prop: p, env: l.expr.env})
			}
			continue
		}
		if l.value != nil && l.value.Kind == Object && !l.value.Unknown {
			for key, v := range l.value.Object {
				add(key, source{value: &v, env: l.env})
			}
			continue
		}
		sh := ev.resolveSource(l.source)
		if sh.kind == shapePending {
			return shapePending
		}
		if sh.kind == shapeAbsent {
			continue
		}
		if sh.kind != shapeObject {
			if sh.kind == shapeValue && sh.value.Unknown {
				below = sh
			}
			break
		}
		if e := l.root(); e != nil && !ev.spend(e, mergedCost) {
			below = &shapeUnknown
			break
		}
		if kind := ev.expand(sh.obj); kind == shapePending {
			return kind
		}
		for i := range sh.obj.entries {
			e := &sh.obj.entries[i]
			top := e.top
			top.expr = nil // what it says is merged with further layers
			if top.value == nil {
				top.of = ev.cellAt(l)
			}
			add(e.name, top)
		}
		if sh.obj.below != nil {
			below = sh.obj.below
			break
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	// The chains of properties are made from the layers, not from the entries.
	for i := range entries {
		if e := &entries[i]; e.many || e.top.expr == nil {
			e.cell = ev.cellFrom(ev.first(o.head, e.name), e.name)
		}
	}
	o.entries, o.below, o.expanded = entries, below, true
	return shapeObject
}

// forceEntry computes a property whole; there is false if no layer has it after
// all.
func (ev *evaluator) forceEntry(o *object, e *entry) (v Value, there, ready bool) {
	if e.cell == nil && e.top.expr != nil && e.top.expr.kind == exprScalar {
		return e.top.expr.literal(), true, true
	}
	c := ev.cellOf(o, e)
	v, ready = ev.force(c)
	absent := c.state == done && (c.shape.kind == shapeAbsent || c.shape.kind == shapeBlocked)
	return v, !absent, ready
}

// literal is the value of a scalar.
func (e *expr) literal() Value {
	return Value{Kind: e.scalar, Bool: e.truth, Text: e.text, Pos: e.pos()}
}

// holdFinal is a cell's chain without the layers that would override a final
// one; it says so.
func (ev *evaluator) holdFinal(c *cell) *layer {
	var kept []*layer
	final := false
	for l := c.chain; l != nil; l = ev.next(l) {
		kept = append(kept, l)
		final = final || len(kept) > 1 && l.expr != nil && l.expr.final
	}
	if !final {
		return c.chain
	}
	for i := len(kept) - 1; i > 0; i-- {
		e := kept[i].expr
		if e == nil || !e.final {
			continue
		}
		if e.kind != exprObject {
			ev.overridden(c, kept[:i])
			kept = kept[i:]
			break
		}
		// An object that contains a final value stays, against what is none.
		for j := i - 1; j >= 0; j-- {
			sh := ev.resolveSource(kept[j].source)
			if sh.kind == shapeValue && !sh.value.Unknown || sh.kind == shapeList {
				ev.overridden(c, kept[j:j+1])
				kept = slices.Delete(kept, j, j+1)
				i--
			}
		}
	}
	head := &layer{source: kept[0].source}
	last := head
	for _, l := range kept[1:] {
		last.next = &layer{source: l.source}
		last = last.next
	}
	return head
}

func (ev *evaluator) overridden(c *cell, by []*layer) {
	for _, l := range by {
		if sh := ev.resolveSource(l.source); sh.kind == shapeAbsent || sh.kind == shapePending || l.env == nil {
			continue
		}
		ev.warn(l.env, l.pos(), fmt.Sprintf("%q is final and is not overridden", c.key), "")
	}
}

// resolveExpr computes a written value as far as its shape.
func (ev *evaluator) resolveExpr(e *expr) shape {
	at := Value{Pos: e.pos()}
	switch e.kind {
	case exprScalar:
		return shape{value: e.literal()}
	case exprList:
		return shape{kind: shapeList, list: e, value: at}
	case exprObject:
		return shape{kind: shapeObject, value: at, obj: &object{head: &layer{source: source{expr: e, env: e.env}}, pos: at.Pos}}
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
	var b []byte
	var opens []*opened
	row, waiting := 0, false
	for _, part := range e.parts {
		if part.path == nil {
			b = append(b, part.literal...)
			continue
		}
		sh := ev.reference(e, part)
		ev.links = append(ev.links, hop{e, part.path[0]})
		v, ok := ev.forceShape(e, &sh)
		ev.links = ev.links[:len(ev.links)-1]
		row = max(row, sh.row)
		switch {
		case !ok:
			waiting = true
			continue
		case v.hasUnknown():
			out.Unknown = true
		case !out.Unknown && len(b)+v.size() <= 2*maxComputed:
			b = appendText(b, v)
		case !out.Unknown:
			ev.tooLarge(e)
			out.Unknown = true
		}
		out.Secret = out.Secret || v.hasSecret()
		opens = union(opens, v.origins())
	}
	if waiting {
		return shape{kind: shapePending}
	}
	out = out.flowed(opens)
	if !out.Unknown {
		out.Text = string(b)
		out.Unknown = !ev.spend(e, len(out.Text))
	}
	if out.Unknown {
		out.Text = ""
	}
	return shape{value: out, row: row}
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
func appendText(b []byte, v Value) []byte {
	switch v.Kind {
	case Bool:
		b = strconv.AppendBool(b, v.Bool)
	case Number, String:
		b = append(b, v.Text...)
	case List:
		for i, item := range v.List {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendQuote(b, textOf(item))
		}
	case Object:
		for i, key := range sortedKeys(v.Object) {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendQuote(b, key)
			b = append(b, '=')
			b = strconv.AppendQuote(b, textOf(v.Object[key]))
		}
	}
	return b
}

// textOf is the text form of a value.
func textOf(v Value) string {
	switch v.Kind {
	case Number, String:
		return v.Text
	}
	return string(appendText(nil, v))
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
	if c.whole != nil {
		return *c.whole, true
	}
	if ev.overflow {
		return Value{Unknown: true}, true // said; going on could take for ever
	}
	sh := ev.resolve(c)
	if sh.kind == shapeValue {
		return ev.copied(c, sh.value), true
	}
	refs := ev.references(c)
	id := ""
	if len(refs) > 0 && (sh.kind == shapeObject || sh.kind == shapeList) {
		if id = ev.identity(sh); ev.forcing[id] {
			e := refs[0]
			ev.report(e.env, e.posAt(e.parts[0].path[0].offset), "cycle: "+ev.describe(e)+" contains itself", "")
			return Value{Unknown: true, Pos: e.pos()}, true
		}
		ev.forcing[id] = true
	}
	for _, e := range refs {
		ev.links = append(ev.links, hop{e, e.parts[0].path[0]})
	}
	v, ok := ev.forceShape(c.expr, sh)
	ev.links = ev.links[:len(ev.links)-len(refs)]
	if id != "" {
		delete(ev.forcing, id)
	}
	if ok {
		v = ev.copied(c, v)
		c.whole = &v
	}
	return v, ok
}

// copied counts a list or an object that a reference copies.
func (ev *evaluator) copied(c *cell, v Value) Value {
	if c.expr == nil || c.expr.kind != exprRef || v.Kind != List && v.Kind != Object || v.Unknown {
		return v
	}
	if !ev.spend(c.expr, v.size()) {
		v = Value{Unknown: true, Pos: v.Pos, Secret: v.hasSecret()}
	}
	c.whole = &v
	return v
}

// references are the references among what a cell is made of: only through one
// can a value contain itself.
func (ev *evaluator) references(c *cell) []*expr {
	if c.expr != nil {
		if c.expr.kind == exprRef {
			return []*expr{c.expr}
		}
		return nil
	}
	var refs []*expr
	for l := c.chain; l != nil; l = ev.next(l) {
		if e := l.root(); e != nil && e.kind == exprRef && !slices.Contains(refs, e) {
			refs = append(refs, e)
		}
	}
	return refs
}

// root is the written value that a source is, or is a part of; nil if there is
// none.
func (s source) root() *expr {
	for s.of != nil && s.of.chain != nil {
		s = s.of.chain.source
	}
	if s.of != nil {
		return s.of.expr
	}
	return s.expr
}

// identity tells lists and objects apart: equal ones are made of the same written
// and computed parts, in the same order, and so have the same elements and
// properties. One that is met again while it is written out contains itself.
func (ev *evaluator) identity(sh *shape) string {
	if sh.kind == shapeList {
		return fmt.Sprintf("%p", sh.list)
	}
	if sh.obj.identity != "" {
		return sh.obj.identity
	}
	var parts []string
	known := true
	seen := map[any]bool{}
	add := func(part any) {
		if id := fmt.Sprintf("%p", part); !seen[id] {
			seen[id] = true
			parts = append(parts, id)
		}
	}
	var walk func(o *object)
	walk = func(o *object) {
		if seen[o] {
			return
		}
		seen[o] = true
		if o.head == nil {
			add(o)
		}
		for l := o.head; l != nil; l = ev.next(l) {
			switch {
			case l.expr != nil && l.expr.kind == exprObject:
				add(l.expr)
				continue
			case l.value != nil && l.value.Kind == Object && !l.value.Unknown:
				add(l.value.Object)
				continue
			}
			switch sh := ev.resolveSource(l.source); sh.kind {
			case shapeObject:
				walk(sh.obj)
			case shapePending:
				known = false
				add(l.root())
			case shapeAbsent:
			default:
				return // it hides what is below
			}
		}
	}
	walk(sh.obj)
	id := strings.Join(parts, " ")
	if known {
		sh.obj.identity = id
	}
	return id
}

// mergedCost is what an object counts that is laid over another or under one and is
// not written there: each is made anew, and few lines can ask for very many.
const mergedCost = 1 << 10

// maxForced bounds how deep values nest that references build up.
const maxForced = 4 * maxNesting

func (ev *evaluator) forceShape(e *expr, sh *shape) (Value, bool) {
	v, ok := ev.forceParts(e, sh)
	if ok && sh.final != nil && !v.Secret && !v.Unknown {
		v.Secret = v.hasSecret() // as of what every builtin computes
	}
	return v, ok
}

func (ev *evaluator) forceParts(e *expr, sh *shape) (Value, bool) {
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
		return Value{Unknown: true, Pos: sh.pos()}, true
	}
	defer func() { ev.depth-- }()
	if sh.kind == shapeList {
		items := sh.list.items
		out := Value{Kind: List, List: make([]Value, len(items)), Pos: sh.pos()}
		all, weight := true, 2
		for i, item := range items {
			v, ok := item.literal(), true
			if item.kind != exprScalar {
				v, ok = ev.force(ev.cell(item))
			}
			all = all && ok
			out.List[i] = v
			weight += v.size() + 1
		}
		out.weight = clamp(weight)
		return out, all
	}
	return ev.forceObject(sh)
}

// clamp keeps a weight in its field; what is so heavy is over every limit.
func clamp(n int) int32 { return int32(min(n, 1<<30)) }

func (ev *evaluator) forceObject(sh *shape) (Value, bool) {
	o := sh.obj
	if o.head != nil && o.head.value != nil && ev.next(o.head) == nil && !o.head.value.Unknown {
		return *o.head.value, true
	}
	if ev.expand(o) == shapePending {
		// Whatever is there is computed meanwhile, so that its opens start.
		for l := o.head; l != nil; l = ev.next(l) {
			if l.expr != nil {
				for _, p := range l.expr.keys {
					ev.force(ev.cell(p.value))
				}
			}
		}
		return Value{}, false
	}
	out := Value{Kind: Object, Object: make(map[string]Value, len(o.entries)), Pos: sh.pos()}
	all, weight := true, 2
	for i := range o.entries {
		e := &o.entries[i]
		v, there, ok := ev.forceEntry(o, e)
		switch {
		case !ok:
			all = false
		case there:
			out.Object[e.name] = v
			weight += len(e.name) + 3 + v.size()
		}
	}
	out.Secret = ev.secretAsAWhole(o)
	out.weight, out.Unknown = clamp(weight), o.below != nil
	return out, all
}

// secretAsAWhole says whether the highest layer of an object is secret as a whole.
// Of the lower ones each part has its own flag.
func (ev *evaluator) secretAsAWhole(o *object) bool {
	for l := o.head; l != nil; l = ev.next(l) {
		if l.value != nil {
			return l.value.Secret
		}
		if l.expr != nil && l.expr.kind == exprObject {
			return false
		}
		switch sh := ev.resolveSource(l.source); sh.kind {
		case shapeAbsent:
		case shapeObject:
			if sh.final != nil {
				v, _ := ev.force(ev.cell(sh.final)) // its parts are known by now
				return v.hasSecret()
			}
			return ev.secretAsAWhole(sh.obj)
		default:
			return sh.value.Secret
		}
	}
	return false
}
