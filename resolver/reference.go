package resolver

import (
	"fmt"
	"slices"
	"strings"
)

// reference follows a path from the environment in which it is written.
func (ev *evaluator) reference(e *expr, part part) shape {
	path := part.path
	if len(ev.links) >= 2*maxReferences {
		ev.report(e.env, e.posAt(part.offset), fmt.Sprintf("more than %d references in a row", maxReferences), "")
		return unknownAt(e.pos())
	}
	ev.links = append(ev.links, hop{e, path[0]})
	defer func() { ev.links = ev.links[:len(ev.links)-1] }()
	arrived := ev.trace.following(e, part)
	start, path, sh := ev.start(e, path)
	if start != nil {
		sh = ev.walk(step{env: e.env, expr: e}, start, path)
	}
	if sh.row++; sh.row > maxReferences {
		ev.report(e.env, e.posAt(part.offset), fmt.Sprintf("more than %d references in a row", maxReferences), "")
		sh = unknownAt(e.pos())
	}
	if arrived != nil {
		arrived(sh.pos())
	}
	return sh
}

// start finds where a path begins. Without a cell the shape is the result.
func (ev *evaluator) start(e *expr, path []accessor) (*cell, []accessor, shape) {
	env := e.env
	switch path[0].name {
	case "imports":
		return ev.importsRoot(env), path[1:], shape{}
	case "context":
		return ev.contextRoot(env), path[1:], shape{}
	case "environments":
		name, ok := environmentPath(path)
		if !ok {
			ev.report(env, e.posAt(path[0].offset), "environments needs a project and a name",
				`write ${environments.PROJECT.NAME.KEY}`)
			return nil, nil, unknownAt(e.pos())
		}
		if failure, failed := ev.p.missing[name]; failed {
			ev.report(env, e.posAt(path[1].offset), failure.summary, failure.hint)
			return nil, nil, unknownAt(e.pos())
		}
		target := ev.p.byName[name]
		if target == nil {
			return nil, nil, unknownAt(e.pos()) // loading was interrupted
		}
		return ev.root(target), path[3:], shape{}
	}
	return ev.root(env), path, shape{}
}

// importsRoot is the object of an environment's direct imports, as spelled.
func (ev *evaluator) importsRoot(env *environment) *cell {
	o := &object{expanded: true, pos: env.at(1, 1)}
	for _, l := range env.imports {
		c := ev.settled(shapeUnknown)
		if l.target != nil {
			c = ev.root(l.target)
		}
		if e := o.entry(l.text); e != nil {
			continue
		}
		o.entries = append(o.entries, entry{name: l.text, cell: c})
		slices.SortFunc(o.entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	}
	return ev.settled(shape{kind: shapeObject, value: Value{Pos: o.pos}, obj: o})
}

func (ev *evaluator) contextRoot(env *environment) *cell {
	text := func(s string) Value { return Value{Kind: String, Text: s} }
	object := func(m map[string]Value) Value { return Value{Kind: Object, Object: m} }
	m := map[string]Value{
		"currentEnvironment": object(map[string]Value{"name": text(env.name)}),
		"rootEnvironment":    object(map[string]Value{"name": text(env.root)}),
	}
	if !ev.p.root.named {
		m["directory"] = text(ev.p.root.dir())
	}
	return ev.settled(*valueShape(object(m)))
}

// step is where a path is written: in an expression, or in an argument.
type step struct {
	env  *environment
	expr *expr // nil: an argument, which has no place
}

func (s step) pos(a accessor) Position {
	if s.expr == nil {
		return Position{}
	}
	return s.expr.posAt(a.offset)
}

// walk follows a path from a cell and evaluates only what it passes.
func (ev *evaluator) walk(at step, c *cell, path []accessor) shape {
	fail := func(a accessor, hint, format string, args ...any) shape {
		ev.diags = append(ev.diags, Diagnostic{Pos: at.pos(a), Summary: fmt.Sprintf(format, args...), Hint: hint, Imports: at.env.imported()})
		return shapeUnknown
	}
	last := accessor{}
	for i, a := range path {
		if c.state == busy {
			return ev.cycle(at, c, last)
		}
		sh := ev.resolve(c)
		if i > 0 && (sh.kind == shapeAbsent || sh.kind == shapeBlocked) {
			return fail(last, "", "unknown property %q", last.name)
		}
		switch {
		case sh.kind == shapePending:
			return shape{kind: shapePending}
		case sh.kind == shapeObject:
			if a.index >= 0 {
				return fail(a, `write ["`+a.digits+`"] for a property`, "an object has no element [%s]", a.digits)
			}
			next := ev.child(sh.obj, a.name)
			if next != nil && next.state != busy {
				if kind := ev.resolve(next).kind; kind == shapeAbsent {
					next = nil
				}
			}
			if next == nil {
				if ev.expand(sh.obj) == shapePending {
					return shape{kind: shapePending}
				}
				if sh.obj.below != nil {
					return *sh.obj.below
				}
				names := sh.obj.names()
				if i == 0 {
					names = append(names, reservedRoots...)
				}
				return fail(a, didYouMean(a.name, names), "unknown property %q", a.name)
			}
			c, last = next, a
		case sh.kind == shapeList || sh.value.Kind == List && !sh.value.Unknown:
			n := len(sh.value.List)
			if sh.kind == shapeList {
				n = len(sh.list.items)
			}
			switch {
			case a.index < 0 && allDigits(a.name):
				return fail(a, fmt.Sprintf("write [%s] for an element", a.name), "a list has no property %q", a.name)
			case a.index < 0:
				return fail(a, "", "a list has no property %q", a.name)
			case a.index >= n:
				return fail(a, "", "the index [%s] is out of range: the list has %d elements", a.digits, n)
			case sh.kind == shapeList:
				c, last = ev.cell(sh.list.items[a.index]), a
			default:
				c, last = ev.settled(*valueShape(sh.value.List[a.index])), a
			}
		case sh.value.Unknown:
			return ev.walkSchema(at, sh, path[i:], fail)
		default:
			what := "no property " + a.String()
			if a.index >= 0 {
				what = "no element [" + a.digits + "]"
			}
			return fail(a, "", "%s has %s", withArticle(sh.value.Kind), what)
		}
	}
	if c.state == busy {
		return ev.cycle(at, c, last)
	}
	sh := ev.resolve(c)
	if sh.kind == shapeAbsent || sh.kind == shapeBlocked {
		return fail(last, "", "unknown property %q", last.name)
	}
	return *sh
}

// walkSchema follows a path through a value that is not known but described.
func (ev *evaluator) walkSchema(at step, sh *shape, path []accessor, fail func(accessor, string, string, ...any) shape) shape {
	out := unknownAt(sh.pos())
	out.value.Secret = sh.value.Secret
	schema := sh.schema
	for _, a := range path {
		if schema == nil {
			break
		}
		switch {
		case a.index >= 0 && schema.allows("array"):
			schema = schema.Items
		case a.index < 0 && schema.allows("object"):
			next := schema.Properties[a.name]
			if next == nil {
				next = schema.Additional
			}
			if next == nil && !schema.Open && schema.Properties != nil {
				return fail(a, didYouMean(a.name, schema.keys()), "unknown property %q", a.name)
			}
			schema = next
		case a.index >= 0:
			return fail(a, "", "the value has no element [%s]", a.digits)
		default:
			return fail(a, "", "the value has no property %q", a.name)
		}
		if schema != nil && schema.Secret {
			out.value.Secret = true
		}
	}
	out.schema = schema
	return out
}

// cycle reports the reference that closes a cycle.
func (ev *evaluator) cycle(at step, c *cell, last accessor) shape {
	if at.expr == nil {
		return shapeUnknown
	}
	// From the reference that leads into the cell on, all are on the cycle.
	from := 0
	for i, l := range ev.links {
		if ev.cells[l.expr.id] == c || c.holds(l.expr) {
			from = i
			break
		}
	}
	var names []string
	for i, l := range ev.links[from:] {
		if i == 0 || l.expr != ev.links[from+i-1].expr {
			names = append(names, ev.describe(l.expr))
		}
	}
	if len(names) > 0 {
		names = append(names, names[0])
	}
	ev.report(at.env, at.pos(last), "cycle: "+strings.Join(names, " → "), "")
	return unknownAt(at.expr.pos())
}

// holds says whether the expression is one of those that a cell merges, or
// stands in one of them.
func (c *cell) holds(e *expr) bool {
	if c.expr != nil {
		return within(c.expr, e)
	}
	for l := c.chain; l != nil; l = l.next {
		if l.expr != nil && within(l.expr, e) {
			return true
		}
	}
	return false
}

func within(outer, e *expr) bool {
	if outer == e {
		return true
	}
	for _, p := range outer.keys {
		if within(p.value, e) {
			return true
		}
	}
	for _, item := range outer.items {
		if within(item, e) {
			return true
		}
	}
	if outer.call != nil {
		for _, arg := range append(outer.call.args, outer.call.ttl) {
			if arg != nil && within(arg, e) {
				return true
			}
		}
	}
	return false
}

// describe names the place of an expression as a path, quoted.
func (ev *evaluator) describe(e *expr) string {
	var path []string
	var find func(outer *expr) bool
	find = func(outer *expr) bool {
		if outer == e {
			return true
		}
		for _, p := range outer.keys {
			path = append(path, p.name)
			if find(p.value) {
				return true
			}
			path = path[:len(path)-1]
		}
		for i, item := range outer.items {
			path = append(path, fmt.Sprintf("[%d]", i))
			if find(item) {
				return true
			}
			path = path[:len(path)-1]
		}
		if outer.call != nil {
			for _, arg := range append(outer.call.args, outer.call.ttl) {
				if arg != nil && find(arg) {
					return true
				}
			}
		}
		return false
	}
	if e.env.doc.values == nil || !find(e.env.doc.values) {
		return "the value"
	}
	return fmt.Sprintf("%q", strings.ReplaceAll(strings.Join(path, "."), ".[", "["))
}

func withArticle(k Kind) string {
	switch k {
	case Null:
		return "null"
	case Object:
		return "an object"
	case List:
		return "a list"
	}
	return "a " + k.String()
}
