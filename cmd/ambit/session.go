package main

import (
	"os"
	"strings"

	"ambit/hook"
)

// shellSession is what ambit has done in the shell that started this program.
type shellSession struct {
	keys    *hook.Keys    // nil if there is no session
	session *hook.Session // nil: none
}

// session reads the shell's session, once. One that cannot be read is said: what
// it had set is then taken for the user's own.
func (a *ambit) session() shellSession {
	if a.shell == nil {
		s := a.readSession()
		a.shell = &s
	}
	return *a.shell
}

func (a *ambit) readSession() shellSession {
	state := a.environ[hook.StateVar]
	if state == "" || hook.IsUnsealed(state) {
		return shellSession{}
	}
	keys, err := hook.LoadKeys(a.places, a.uid)
	if err == nil {
		var s *hook.Session
		if s, err = keys.OpenSession(state); err == nil {
			return shellSession{keys, s}
		}
	}
	a.say(warning("this shell's session cannot be read; what it had set is taken for yours"), hint("open a new shell"))
	return shellSession{}
}

// baseline is the environment as it would be without anything of ours.
func (a *ambit) baseline() hook.Environ {
	s := a.session()
	if s.keys == nil {
		out := hook.NewEnviron(a.env)
		delete(out, hook.StateVar)
		return out
	}
	return s.keys.Baseline(a.environ, s.session)
}

// enterBaseline makes the baseline this process's own environment. The AWS SDK
// and net/http read that by themselves, and nothing that a file has loaded may
// feed the loading of another.
func (a *ambit) enterBaseline() hook.Environ {
	base := a.baseline()
	a.enter(base)
	return base
}

// enter makes an environment this process's own.
func (a *ambit) enter(base hook.Environ) {
	os.Clearenv()
	for name, value := range base {
		// An odd name that was there before cannot be set again, and nothing of
		// ours reads it.
		_ = os.Setenv(name, value)
	}
	a.unharden = harden()
}

// change is what a session did to one variable.
type change struct {
	Name   string `json:"name"`
	Change string `json:"change"` // "+" it was not set before, "~" it had another value, "-" we unset it
	Ours   bool   `json:"ours"`   // it still is as we left it
}

// changes lists what the session did to the environment, without ambit's own
// variables.
func (s shellSession) changes(env hook.Environ) []change {
	var out []change
	for _, h := range s.session.Held {
		if strings.HasPrefix(h.Name, "AMBIT_") {
			continue
		}
		if h.Unset && h.Prior == nil {
			continue // it was not set and is not: nothing was done
		}
		out = append(out, s.changeOf(h, env))
	}
	return out
}

// changeOf is what the session did to one variable, and how that stands.
func (s shellSession) changeOf(h hook.Held, env hook.Environ) change {
	c := change{Name: h.Name, Change: "+"}
	value, set := env[h.Name]
	switch {
	case h.Unset:
		c.Change, c.Ours = "-", !set
		return c
	case h.Prior != nil:
		c.Change = "~"
	}
	switch {
	case h.Lost || !set:
	case h.Added != nil:
		c.Ours = hasEntries(value, h.Added)
	default:
		c.Ours = s.keys.Hash(h.Name, value) == h.Hash
	}
	return c
}

func hasEntries(list string, entries []string) bool {
	have := map[string]bool{}
	for entry := range strings.SplitSeq(list, ":") {
		have[entry] = true
	}
	for _, entry := range entries {
		if !have[entry] {
			return false
		}
	}
	return true
}
