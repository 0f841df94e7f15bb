package hook

import (
	"fmt"
	"slices"
	"strings"

	"ambit/shells"
)

// RunVar is what `ambit run` leaves to its command where programs renew their
// credentials by ambit: sealed, what was there before. It is no [StateVar], for a
// shell below is not to undo it.
const RunVar = "AMBIT_RUN"

// SealChanges remembers what changes do to an environment, and what is remembered
// there already.
func (k *Keys) SealChanges(env Environ, changes []shells.Change) (string, error) {
	s := Session{State: Loaded}
	for _, c := range changes {
		h := Held{Name: c.Name, Unset: c.Unset, Prior: env.get(c.Name)}
		if !c.Unset {
			h.Hash = k.Hash(c.Name, c.Value)
		}
		s.Held = append(s.Held, h)
	}
	if outer := env.get(RunVar); outer != nil {
		s.Held = append(s.Held, Held{Name: RunVar, Prior: outer})
	}
	slices.SortFunc(s.Held, func(a, b Held) int { return strings.Compare(a.Name, b.Name) })
	sealed := k.Seal(s.encode())
	if len(sealed) > maxState {
		return "", fmt.Errorf("what has to be remembered of the environment has %d bytes, more than %d; the largest part is %s", len(sealed), maxState, largestHeld(s.Held))
	}
	return sealed, nil
}

// Before is an environment without the changes that SealChanges remembered, as far
// as they are still there; of two runs within each other without those of the inner.
func (k *Keys) Before(env Environ, sealed string) (Environ, error) {
	s, err := k.OpenSession(sealed)
	if err != nil {
		return nil, err
	}
	out := k.Baseline(env, s)
	delete(out, RunVar)
	for _, h := range s.Held {
		if h.Name == RunVar && h.Prior != nil {
			out[RunVar] = *h.Prior // no hash tells that it is ours: nobody else writes it
		}
	}
	return out, nil
}
