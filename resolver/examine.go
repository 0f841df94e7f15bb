package resolver

import (
	"context"
	"maps"
)

// Check evaluates every value of every file and opens nothing, runs nothing.
func (p *Program) Check(ctx context.Context, opt Options) []Diagnostic {
	ev := newEvaluator(ctx, p, opt, modeCheck)
	ev.diags = append(ev.diags, p.diags...)
	ev.pass++
	for _, env := range p.envs {
		if env.doc.values != nil {
			ev.force(ev.cell(env.doc.values))
		}
	}
	ev.force(ev.root(p.root))
	set, _ := ev.exports()
	ev.path()
	ev.bounds(set)
	return p.sorted(ev.diags)
}

// Open computes one value and opens what it needs; with path "" it is the
// merged result, with everything in it opened. With an error among the
// diagnostics the value is unknown.
func (p *Program) Open(ctx context.Context, opt Options, path string) (Value, []Diagnostic) {
	return p.value(newEvaluator(ctx, p, opt, modeEvaluate), path)
}

// Inspect computes one value as Open does, and opens and runs nothing: what
// would be opened is unknown. So are the secrets that are kept encrypted, unless
// they are to be decrypted.
func (p *Program) Inspect(ctx context.Context, opt Options, path string, decrypt bool) (Value, []Diagnostic) {
	ev := newEvaluator(ctx, p, opt, modeCheck)
	ev.decrypts = decrypt
	return p.value(ev, path)
}

func (p *Program) value(ev *evaluator, path string) (Value, []Diagnostic) {
	ev.diags = append(ev.diags, p.diags...)
	unknown := Value{Unknown: true}
	var accessors []accessor
	if path != "" {
		var bad *textError
		if accessors, _, bad = parsePath(path, 0, false); bad != nil {
			return unknown, []Diagnostic{{Summary: "invalid path: " + bad.summary}}
		}
	}
	ev.openNothingAfterErrors()
	at := &expr{ // stands for the argument
		kind: exprRef, env: p.root, parts: []part{{path: accessors}}}
	v := unknown
	ev.run(func() bool {
		c := ev.root(p.root)
		if len(accessors) > 0 {
			start, rest, sh := ev.start(at, accessors)
			if start != nil {
				sh = ev.walk(step{env: p.root}, start, rest)
			}
			if sh.kind == shapePending {
				return false
			}
			c = ev.settled(sh)
		}
		var ready bool
		v, ready = ev.force(c)
		return ready
	})
	v = ev.withoutUnset(v, path)
	if hasErrors(ev.diags) {
		return unknown, p.sorted(ev.diags)
	}
	return v, p.sorted(ev.diags)
}

// withoutUnset removes the variables and files that the directory unsets from
// the merged result, or from one of the two outputs.
func (ev *evaluator) withoutUnset(v Value, path string) Value {
	if v.Kind != Object || v.Unknown {
		return v
	}
	drop := func(v Value, key string) Value {
		unset := ev.unsetAbove(key)
		if v.Kind != Object || len(unset) == 0 {
			return v
		}
		kept := maps.Clone(v.Object)
		maps.DeleteFunc(kept, func(name string, _ Value) bool { return unset[name] })
		v.Object = kept
		return v
	}
	switch path {
	case variablesKey, filesKey:
		return drop(v, path)
	case "":
		v.Object = maps.Clone(v.Object)
		for _, key := range []string{variablesKey, filesKey} {
			if output, ok := v.Object[key]; ok {
				v.Object[key] = drop(output, key)
			}
		}
	}
	return v
}

// openNothingAfterErrors lets an evaluation that cannot have a result go on, so that
// one run reports all errors.
func (ev *evaluator) openNothingAfterErrors() {
	if hasErrors(ev.diags) && ev.mode == modeEvaluate {
		ev.mode, ev.decrypts = modeCheck, false
	}
}
