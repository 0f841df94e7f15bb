// Package doctor finds out why AWS refuses what a shell exports, and which command
// mends it.
//
// [Examine] looks at the variables, the files of the AWS configuration, the machine
// it runs on and, unless told not to, at the network and at what AWS itself says.
// Each check reports what it saw as findings; one that is the effect of another
// says so, so that a reader meets the cause first. [Recognise] reads an error that
// some program printed, and names the checks that can tell its causes apart.
//
// Nothing is changed, nothing is cached, and no text holds a secret: key ids show
// their first and last four characters, everything else its last four at most.
package doctor

import (
	"context"
	"slices"
	"time"
)

// Patient is what is examined. Time and environment are handed in.
type Patient struct {
	Environ map[string]string // what the shell exports
	Home    string            // of the user, "" if there is none
	UID     int
	Now     func() time.Time

	// Ours says whether a variable has the value that ambit gave it: ambit mends
	// it then, and not the user.
	Ours func(name string) bool

	// Root is where /proc, /.dockerenv and their like are looked for: "/" but in
	// tests.
	Root string

	// Offline ends the examination before the network.
	Offline bool
}

// Report is the outcome of an examination.
type Report struct {
	Findings []Finding // in the order of the checks; see [Settle]
	Sources  []Source  // every place that holds credentials, in the order in which programs ask them
}

// total bounds an examination, whatever hangs.
const total = 14 * time.Second

// check is one look at a patient. Run must end when ctx does; what it could not find
// out it leaves out.
type check struct {
	names []string // of the findings it can make
	run   func(ctx context.Context, x *examination) []Finding
}

// offline and online are the checks in the order in which they are made and told.
// Those online follow once all of those offline are done; they use the network.
var (
	offline = []check{}
	online  = []check{}
)

// Examine looks for what is wrong, with the checks named in only, or with all if it
// names none. It ends within 15 seconds, whatever hangs, with what it found out.
func Examine(ctx context.Context, p Patient, only ...string) Report {
	ctx, cancel := context.WithTimeout(ctx, total)
	defer cancel()
	x := &examination{Patient: p}
	checks := offline
	if !p.Offline {
		checks = slices.Concat(offline, online)
	}
	var found []Finding
	for _, c := range checks {
		if len(only) == 0 || slices.ContainsFunc(c.names, func(name string) bool { return slices.Contains(only, name) }) {
			found = append(found, c.run(ctx, x)...)
		}
	}
	return Report{Findings: found, Sources: x.sources()}
}
