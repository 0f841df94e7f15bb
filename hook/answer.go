package hook

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ambit/resolver/cache"
	"ambit/shells"
)

// answer compares what is wanted with what is there, tells the person what
// happened and the shell what to do. The session brackets the change: Ctrl-C may
// fall between two lines, and then the next prompt mends what was begun.
func (r *run) answer(a *answer) {
	if r.keys == nil {
		r.answerUnsealed(a)
		return
	}
	d := r.keys.diff(r.env, r.baseline, r.session, a.want, r.keeps(a.session))
	state, begun, err := r.seal(a, d)
	if err == nil && d.bytes > maxChange {
		err = fmt.Errorf("the change has %d bytes, more than the %d that a shell can be given; the largest is %s", d.bytes, maxChange, largest(d.changes))
	}
	if err != nil {
		a.refuse(err, "set fewer or shorter variables")
		d = r.keys.diff(r.env, r.baseline, r.session, a.want, keepNone)
		// What is left is a dozen fields, which always fit.
		state, begun, _ = r.seal(a, d)
	}
	r.tell(a, d)

	current, had := r.env[StateVar]
	after := seen(compared(a.reads), r.env, d.changes)
	changes := d.changes
	final := shells.Change{Name: StateVar, Value: state, Unset: state == ""}
	if len(changes) > 0 && begun != "" {
		changes = append(slices.Insert(changes, 0, shells.Change{Name: StateVar, Value: begun}), final)
	} else if state != current || (state == "" && had) {
		changes = append(changes, final)
	}
	r.write(changes, a, state != "", after)
}

// answerUnsealed is the answer where there are no keys: nothing can be loaded, what
// is held is not known, and all that is remembered is what was said.
func (r *run) answerUnsealed(a *answer) {
	state, was := unsealed(digest(a.say)), r.env[StateVar]
	if len(a.say) == 0 {
		state = ""
	}
	var changes []shells.Change
	if state != was {
		r.sayAll(a.say)
		changes = []shells.Change{{Name: StateVar, Value: state, Unset: state == ""}}
	}
	r.write(changes, a, state != "", seen(compared(nil), r.env, nil))
}

// refuse turns an answer into a failure that holds until something changes.
func (a *answer) refuse(err error, help string) {
	label := a.session.Label
	a.session = &Session{State: Failed, Dir: a.session.Dir, Label: label, Definition: a.session.Definition}
	a.want, a.notices, a.until, a.dead, a.ask = wanted{}, nil, 0, 0, false
	a.say = append(a.say, errorMessage(label+" cannot be loaded: "+err.Error()), hint(help))
}

// seal makes the sealed session, "" for none, and the one that holds while the
// change is half applied, "" if none is needed. Leaving needs none: what was there
// before is its own proof.
func (r *run) seal(a *answer, d difference) (state, begun string, err error) {
	if a.session == nil {
		return "", "", nil
	}
	a.session.Held = d.held
	a.session.Said = digest(r.anywhere(a))
	if a.still && r.session != nil {
		a.session.Said = r.session.Said
	}
	marked := r.keys.seal(pendingMark, a.session.encode())
	state = marked[len(pendingMark):]
	size, what := len(state), d.held
	if a.session.State == Loaded && len(d.changes) > 0 {
		begun = marked
		if d.begun != nil {
			half := *a.session
			half.Held, what = d.begun, d.begun
			begun = r.keys.seal(pendingMark, half.encode())
		}
		size = len(begun)
	}
	if size > maxState {
		return "", "", fmt.Errorf("what has to be remembered for leaving has %d bytes, more than %d; the largest part is %s", size, maxState, largestHeld(what))
	}
	return state, begun, nil
}

// anywhere is what an answer says as it would read in any directory, for what was
// said above is not said again below.
func (r *run) anywhere(a *answer) []cache.Message {
	out := slices.Clone(a.say)
	for _, file := range a.watch.present {
		for i := range out {
			if rest, ok := strings.CutPrefix(out[i].Text, r.places.Short(file, r.pwd)+" "); ok {
				out[i].Text = file + " " + rest
			}
		}
	}
	return out
}

// keeps says what becomes of the user's own changes under the next session.
func (r *run) keeps(next *Session) keep {
	was := r.session
	switch {
	case was == nil || next == nil || was.State != Loaded || next.State != Loaded || was.Dir != next.Dir:
		return keepNone
	case next.Reloaded > was.Reloaded:
		return keepNone
	case was.Definition == next.Definition:
		return keepAll
	}
	return keepEqual
}

// tell says what happened, once.
func (r *run) tell(a *answer, d difference) {
	was, is := r.session, a.session
	wasLoaded := was != nil && was.State == Loaded
	isLoaded := is != nil && is.State == Loaded
	if wasLoaded && !isLoaded && !r.settings.Quiet {
		r.say(plain(was.Label + " unloaded"))
	}
	if is != nil && (was == nil || was.Said != is.Said || was.Dir != is.Dir) {
		r.sayAll(a.say)
	}
	if !isLoaded {
		return
	}
	verb := "loaded"
	if wasLoaded && was.Dir == is.Dir {
		if was.Definition == is.Definition || len(d.changes) == 0 {
			return
		}
		verb = "reloaded"
	}
	r.sayAll(a.notices)
	if r.settings.Quiet || a.dead == 0 && is.RetryAt != 0 {
		return
	}
	line := is.Label + " " + verb + d.tally.String()
	if a.expires != 0 {
		line += " · credentials for " + Life(time.Duration(a.expires-r.now.Unix())*time.Second)
	}
	r.say(plain(line))
}

func (r *run) sayAll(messages []cache.Message) {
	for _, m := range messages {
		r.say(m)
	}
}

// compared are the process variables that the shell is to compare, sorted: those that
// the result depends on, and the usual ones, which every shell compares. HOME is left
// to our next run: nobody changes it in a shell, and nearly all results depend on it.
func compared(reads []string) []string {
	out := append(slices.Clone(shells.Usual), reads...)
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(name string) bool { return name == "HOME" || name == StateVar })
}

// seen is what variables are after the changes, which is what they have to stay. Both
// lists are sorted by name.
func seen(names []string, env Environ, changes []shells.Change) []shells.Seen {
	out := make([]shells.Seen, 0, len(names))
	for _, name := range names {
		for len(changes) > 0 && changes[0].Name < name {
			changes = changes[1:]
		}
		v := shells.Seen{Name: name}
		if v.Value, v.Set = env[name]; len(changes) > 0 && changes[0].Name == name {
			v.Value, v.Set = changes[0].Value, !changes[0].Unset
		}
		out = append(out, v)
	}
	return out
}

// write prints everything at once.
func (r *run) write(changes []shells.Change, a *answer, held bool, seen []shells.Seen) {
	check := a.watch.check(r.cache, r.pwd, held, a.until, a.dead, a.ask, seen, r.generation, r.now, r.p.Now())
	// If this fails the shell is gone, or sees no last line and changes nothing.
	_, _ = r.p.Stdout.Write(r.p.Shell.Render(shells.Update{Changes: changes, Check: check}))
}

func largest(changes []shells.Change) string {
	if len(changes) == 0 {
		return "none"
	}
	c := slices.MaxFunc(changes, func(a, b shells.Change) int { return len(a.Value) - len(b.Value) })
	return fmt.Sprintf("%s with %d bytes", c.Name, len(c.Value))
}

func largestHeld(held []Held) string {
	if len(held) == 0 {
		return "none"
	}
	size := func(h Held) int {
		n := len(h.Name) + 16 + len(strings.Join(h.Added, ""))
		if h.Prior != nil {
			n += len(*h.Prior)
		}
		return n
	}
	h := slices.MaxFunc(held, func(a, b Held) int { return size(a) - size(b) })
	return fmt.Sprintf("the value of %s that was there before, with %d bytes", h.Name, size(h))
}
