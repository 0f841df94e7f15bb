package hook

import (
	"maps"
	"slices"
	"strings"

	"ambit/shells"
)

// wanted is the environment that a directory is to have.
type wanted struct {
	vars map[string]want // by name
	path []string        // entries to stand before PATH
	unit []string        // names that the user owns all of, or none
}

// want is what one variable is to be: nil is unset.
type want struct {
	value *string
	list  bool
}

// Tally counts what a load changed, for people: our own variables are not in it.
type Tally struct{ Added, Changed, Removed int }

// difference is what a run changes, and what the session then holds.
type difference struct {
	changes []shells.Change // sorted by name, without the session itself
	held    []Held
	begun   []Held // what has to be known while the change is half applied
	tally   Tally  // against the environment without anything of ours
	bytes   int    // of all names and values that are set
}

// ours says whether a value is one that we left there.
func (k *Keys) ours(s *Session, h Held, cur *string) bool {
	if cur == nil {
		return h.Unset || s.Pending
	}
	value := *cur
	if h.Added != nil {
		value = tidy(value)
	}
	sum := k.Hash(h.Name, value)
	if !h.Unset && sum == h.Hash || slices.Contains(h.Old, sum) {
		return true
	}
	return s.Pending && h.Prior != nil && *h.Prior == *cur
}

// before is what a held variable would be without us.
func (k *Keys) before(s *Session, h Held, cur *string) *string {
	switch {
	case k.ours(s, h, cur):
		return h.Prior
	case h.Added != nil && cur != nil:
		return without(*cur, h.Added, h.Prior)
	}
	return cur
}

// Baseline is the environment as it would be without anything of ours: what
// children that resolve get, so that nothing loaded feeds the loading.
func (k *Keys) Baseline(env Environ, s *Session) Environ {
	out := maps.Clone(env)
	delete(out, StateVar)
	if s == nil {
		return out
	}
	for _, h := range s.Held {
		if v := k.before(s, h, env.get(h.Name)); v != nil {
			out[h.Name] = *v
		} else {
			delete(out, h.Name)
		}
	}
	return out
}

func (env Environ) get(name string) *string {
	if v, ok := env[name]; ok {
		return &v
	}
	return nil
}

// keep says what happens to variables that the user changed since we set them.
type keep uint8

const (
	keepNone  keep = iota // another directory, or the user asked for a reload: all are set
	keepEqual             // the file was edited: those stay that the edit does not concern
	keepAll               // the same definition, perhaps with fresh credentials: all stay
)

// diff compares the environment with the one that is wanted.
func (k *Keys) diff(env, baseline Environ, s *Session, w wanted, keep keep) difference {
	if len(w.path) > 0 {
		w.vars = maps.Clone(w.vars)
		base, set := baseline["PATH"]
		if v, ok := w.vars["PATH"]; ok {
			set = v.value != nil
			if set {
				base = *v.value
			}
		}
		value := prepend(w.path, base, set)
		w.vars["PATH"] = want{&value, true}
	}
	prev := map[string]Held{}
	if s != nil {
		for _, h := range s.Held {
			prev[h.Name] = h
		}
	}
	lost := k.lost(env, s, prev, w, keep)

	var d difference
	names := slices.Sorted(maps.Keys(w.vars))
	for name := range prev {
		if _, ok := w.vars[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		cur, base := env.get(name), baseline.get(name)
		was, held := prev[name]
		wish, wished := w.vars[name]
		if !wished {
			d.change(name, cur, base)
			if !same(cur, base) {
				d.begun = append(d.begun, was)
			}
			continue
		}
		if held && lost[name] {
			was.Lost, was.Old = true, nil
			d.held, d.begun = append(d.held, was), append(d.begun, was)
			continue
		}
		h := Held{Name: name, Prior: base, Unset: wish.value == nil}
		target := wish.value
		if target != nil {
			value := *target
			if wish.list {
				value = tidy(value)
				h.Added = added(*target, base)
				if name == "PATH" && len(w.path) > 0 {
					h.Added = w.path
				}
				// What the user made of the list while our entries are the
				// same stays as it is, in its order.
				if keep != keepNone && held && cur != nil && slices.Equal(was.Added, h.Added) && !k.ours(s, was, cur) {
					target, h = cur, was
					h.Old = nil
				}
			}
			if h.Hash == [16]byte{} {
				h.Hash = k.Hash(name, value)
			}
		}
		begun := h
		if held && !was.Unset && was.Hash != h.Hash {
			begun.Old = append(slices.Clone(was.Old), was.Hash)
		}
		d.held, d.begun = append(d.held, h), append(d.begun, begun)
		d.change(name, cur, target)
		d.tally.count(name, base, target)
	}
	return d
}

// lost finds the variables that the user changed since we set them and that are
// theirs until they leave.
func (k *Keys) lost(env Environ, s *Session, prev map[string]Held, w wanted, keep keep) map[string]bool {
	out := map[string]bool{}
	if keep == keepNone {
		return out
	}
	for name, h := range prev {
		wish, wished := w.vars[name]
		if !wished || h.Added != nil || k.ours(s, h, env.get(name)) {
			continue
		}
		equal := h.Unset == (wish.value == nil) && (h.Unset || k.Hash(name, *wish.value) == h.Hash)
		if keep == keepAll || equal {
			out[name] = true
		}
	}
	for _, name := range w.unit {
		if out[name] {
			for _, member := range w.unit {
				out[member] = true
			}
			break
		}
	}
	return out
}

func same(a, b *string) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

func (d *difference) change(name string, from, to *string) {
	if same(from, to) {
		return
	}
	if to == nil {
		d.changes = append(d.changes, shells.Change{Name: name, Unset: true})
		return
	}
	d.bytes += len(name) + len(*to)
	d.changes = append(d.changes, shells.Change{Name: name, Value: *to})
}

func (t *Tally) count(name string, from, to *string) {
	switch {
	case strings.HasPrefix(name, "AMBIT_") || same(from, to):
	case from == nil:
		t.Added++
	case to == nil:
		t.Removed++
	default:
		t.Changed++
	}
}
