package hook

import (
	"maps"
	"slices"
	"strings"

	"ambit/shells"
)

// wanted is the environment that a directory is to have.
type wanted struct {
	vars []want   // sorted by name, each once
	path []string // entries to stand before PATH
	unit []string // names that the user owns all of, or none
}

// want is what one variable is to be.
type want struct {
	name  string
	value *string // nil: unset
	list  bool
}

// put adds a wish to sorted ones, or replaces the one for the same name.
func (w *wanted) put(v want) {
	if i, found := w.find(v.name); found {
		w.vars[i] = v
	} else {
		w.vars = slices.Insert(w.vars, i, v)
	}
}

// sort orders the wishes; of two for one name the later one holds.
func (w *wanted) sort() {
	sorted := true
	for i := 1; i < len(w.vars); i++ {
		sorted = sorted && w.vars[i-1].name < w.vars[i].name
	}
	if sorted {
		return
	}
	slices.SortStableFunc(w.vars, func(a, b want) int { return strings.Compare(a.name, b.name) })
	kept := w.vars[:0]
	for i, v := range w.vars {
		if i+1 == len(w.vars) || w.vars[i+1].name != v.name {
			kept = append(kept, v)
		}
	}
	w.vars = kept
}

func (w *wanted) find(name string) (int, bool) {
	return slices.BinarySearchFunc(w.vars, name, func(v want, name string) int { return strings.Compare(v.name, name) })
}

// Tally counts what a load changed, for people: our own variables are not in it.
type Tally struct{ Added, Changed, Removed int }

// difference is what a run changes, and what the session then holds.
type difference struct {
	changes []shells.Change // sorted by name, without the session itself
	held    []Held
	begun   []Held // what has to be known while the change is half applied; nil if nothing was held
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
	if _, held := env[StateVar]; s == nil && !held {
		return env
	}
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
		w.prependPath(baseline)
	}
	var prev []Held
	if s != nil {
		prev = s.Held
	}
	lost := k.lost(env, s, prev, w, keep)
	d := difference{
		changes: make([]shells.Change, 0, len(w.vars)+len(prev)+2), // and the session, twice
		held:    make([]Held, 0, len(w.vars)),
	}
	if len(prev) > 0 {
		d.begun = make([]Held, 0, len(w.vars)+len(prev))
	}
	for len(w.vars) > 0 || len(prev) > 0 {
		var was *Held
		var wish *want
		switch {
		case len(w.vars) == 0 || len(prev) > 0 && prev[0].Name < w.vars[0].name:
			was, prev = &prev[0], prev[1:]
		case len(prev) == 0 || w.vars[0].name < prev[0].Name:
			wish, w.vars = &w.vars[0], w.vars[1:]
		default:
			was, prev = &prev[0], prev[1:]
			wish, w.vars = &w.vars[0], w.vars[1:]
		}
		if wish == nil {
			k.restore(&d, was, env, baseline)
		} else {
			k.grant(&d, was, wish, env, baseline, s, w.path, lost[wish.name], keep)
		}
	}
	return d
}

// restore gives a variable back what was there before us.
func (k *Keys) restore(d *difference, was *Held, env, baseline Environ) {
	cur, base := env.get(was.Name), baseline.get(was.Name)
	if !same(cur, base) {
		d.begun = append(d.begun, *was)
		d.change(was.Name, cur, base)
	}
}

// grant gives a variable what is wanted, unless the user took it.
func (k *Keys) grant(d *difference, was *Held, wish *want, env, baseline Environ, s *Session, path []string, lost bool, keep keep) {
	name, target := wish.name, wish.value
	cur, base := env.get(name), baseline.get(name)
	if lost {
		theirs := *was
		theirs.Lost, theirs.Old = true, nil
		d.held, d.begun = append(d.held, theirs), append(d.begun, theirs)
		return
	}
	h := Held{Name: name, Prior: base, Unset: target == nil}
	if target != nil && wish.list {
		h.Added = added(*target, base)
		if name == "PATH" && len(path) > 0 {
			h.Added = path
		}
		// What the user made of the list while our entries are the same stays
		// as it is, in its order.
		if keep != keepNone && was != nil && cur != nil && slices.Equal(was.Added, h.Added) && !k.ours(s, *was, cur) {
			target, h = cur, *was
			h.Old = nil
		} else {
			h.Hash = k.Hash(name, tidy(*target))
		}
	} else if target != nil {
		h.Hash = k.Hash(name, *target)
	}
	d.held = append(d.held, h)
	if d.begun != nil {
		if was != nil && !was.Unset && was.Hash != h.Hash {
			h.Old = append(slices.Clone(was.Old), was.Hash)
		}
		d.begun = append(d.begun, h)
	}
	d.change(name, cur, target)
	d.tally.count(name, base, target)
}

// prependPath turns the entries for PATH into a wish for the whole variable.
func (w *wanted) prependPath(baseline Environ) {
	base, set := baseline["PATH"]
	i, wished := w.find("PATH")
	if wished {
		if set = w.vars[i].value != nil; set {
			base = *w.vars[i].value
		}
	}
	value := prepend(w.path, base, set)
	wish := want{"PATH", &value, true}
	w.vars = slices.Clone(w.vars)
	if wished {
		w.vars[i] = wish
	} else {
		w.vars = slices.Insert(w.vars, i, wish)
	}
}

// lost finds the variables that the user changed since we set them and that are
// theirs until they leave.
func (k *Keys) lost(env Environ, s *Session, prev []Held, w wanted, keep keep) map[string]bool {
	if keep == keepNone {
		return nil
	}
	out := map[string]bool{}
	for _, h := range prev {
		i, wished := w.find(h.Name)
		if !wished || h.Added != nil || k.ours(s, h, env.get(h.Name)) {
			continue
		}
		value := w.vars[i].value
		equal := h.Unset == (value == nil) && (h.Unset || k.Hash(h.Name, *value) == h.Hash)
		if keep == keepAll || equal {
			out[h.Name] = true
		}
	}
	for _, name := range w.unit {
		if !out[name] {
			continue
		}
		for _, h := range prev {
			if slices.Contains(w.unit, h.Name) {
				out[h.Name] = true
			}
		}
		break
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
