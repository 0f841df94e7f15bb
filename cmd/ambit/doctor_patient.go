package main

import (
	"context"
	"maps"
	"time"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/aws/doctor"
	"ambit/resolver/exec"
)

// patient is this shell: what it exports, and not what it would export
// without ambit.
func (a *ambit) patient(offline bool) doctor.Patient {
	ours := a.ours()
	return a.patientWith(a.environ, offline, func(name string) bool { return ours[name] })
}

func (a *ambit) patientWith(env hook.Environ, offline bool, ours func(string) bool) doctor.Patient {
	return doctor.Patient{
		Environ: env, Home: a.places.Home, UID: a.uid, Now: a.now, Root: "/", Offline: offline, Ours: ours, Run: exec.Run,
	}
}

// ours are the variables that have the value that ambit gave them: also where it
// gave up the set that they are of, because the user changed another of it.
func (a *ambit) ours() map[string]bool {
	out := map[string]bool{}
	s := a.session()
	if s.session == nil || s.session.State != hook.Loaded {
		return out
	}
	for _, c := range s.changes(a.environ) {
		if c.Ours && c.Change != "-" {
			out[c.Name] = true
		}
	}
	for _, h := range s.session.Held {
		if value, set := a.environ[h.Name]; set && h.Lost && !h.Unset && h.Added == nil && s.keys.Hash(h.Name, value) == h.Hash {
			out[h.Name] = true
		}
	}
	return out
}

// openTime bounds resolving an environment that is to be examined.
const openTime = 7 * time.Second

// environmentPatient resolves an environment and returns what a program would see
// that runs in it. Where it cannot be resolved the findings say why, and the patient
// is what it was to be resolved from.
func (a *ambit) environmentPatient(ctx context.Context, arg string, offline bool) (doctor.Patient, []doctor.Finding, error) {
	base := a.enterBaseline()
	nobody := func(string) bool { return false }
	d, err := a.permitted(ctx, arg)
	if err != nil {
		return doctor.Patient{}, nil, err
	}
	bounded, stop := context.WithTimeout(ctx, openTime)
	defer stop()
	ev, err := a.evaluate(bounded, d, base, resolver.AtPrompt, false)
	if err != nil {
		return doctor.Patient{}, nil, err
	}
	if ev.result == nil {
		if d.program == nil || resolver.HasErrors(d.diags) {
			return doctor.Patient{}, nil, broken(messages(ev.diags))
		}
		return a.patientWith(base, offline, nobody), a.trialFindings(trialOf(d.program.Label(), ev.diags)), nil
	}
	env, ours := maps.Clone(base), map[string]bool{}
	for _, c := range changesOf(ev.result, base) {
		if c.Unset {
			delete(env, c.Name)
			continue
		}
		env[c.Name], ours[c.Name] = c.Value, true
	}
	a.enter(env)
	return a.patientWith(env, offline, func(name string) bool { return ours[name] }), nil, nil
}
