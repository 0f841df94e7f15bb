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
	"fmt"
	"slices"
	"time"

	"ambit/resolver"
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

	// Run runs a credential_process and returns its standard output; nil: none is
	// run, and what it would give stays unknown.
	Run func(ctx context.Context, c resolver.Command) ([]byte, error)

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

// offline and online are the checks in the order in which they are told. Those
// online use the network: they begin together, once all of those offline are done,
// and know what those found.
var (
	offline = []check{
		{[]string{"aws.files"}, checkFiles},
		{[]string{"aws.order"}, checkOrder},
		{[]string{"aws.family"}, checkFamily},
		{[]string{"aws.keys"}, checkKeys},
		{[]string{"aws.role"}, checkRole},
		{[]string{"aws.token"}, checkToken},
		{[]string{"aws.region"}, checkRegion},
		{[]string{"aws.endpoint"}, checkEndpoint},
		{[]string{"aws.runtime"}, checkContainer},
	}
	online = []check{
		{[]string{"aws.network", "aws.endpoint", "aws.region"}, checkNetwork},
		{[]string{"aws.clock"}, checkClock},
		{[]string{"aws.keys", "aws.token", "aws.region", "aws.clock", "aws.network", "aws.role"}, checkIdentity},
		{[]string{"aws.role", "aws.token", "aws.keys", "aws.runtime", "aws.order", "aws.network"}, checkTrial},
		{[]string{"aws.runtime", "aws.order"}, checkRuntime},
		{[]string{"aws.network", "aws.runtime"}, checkMetadataProxy},
		{[]string{"aws.runtime"}, checkTask},
		{[]string{"aws.runtime"}, checkPod},
	}
)

// Examine looks for what is wrong, with the checks named in only, or with all if it
// names none. It ends within 15 seconds, whatever hangs, with what it found out.
func Examine(ctx context.Context, p Patient, only ...string) Report {
	ctx, cancel := context.WithTimeout(ctx, total)
	defer cancel()
	x := &examination{Patient: p}
	wanted := func(checks []check) []check {
		return slices.DeleteFunc(slices.Clone(checks), func(c check) bool {
			return len(only) > 0 && !slices.ContainsFunc(c.names, func(name string) bool { return slices.Contains(only, name) })
		})
	}
	if !x.atOnce(ctx, wanted(offline)) {
		return Report{Findings: x.found}
	}
	found := slices.Clone(x.found)
	if !p.Offline {
		found = append(found, x.together(ctx, wanted(online))...)
	}
	for i, f := range found {
		if f.ifAccepted != nil && x.accepted.Load() {
			found[i] = *f.ifAccepted
		}
	}
	return Report{Findings: x.discreet(withoutRepeats(found)), Sources: x.sourcesAsLearned()}
}

// patience is how long files may take, all in all.
const patience = 5 * time.Second

// atOnce makes the checks that only look at variables and files. False: a disk does
// not answer, and whatever asks for its files would wait for it as well.
func (x *examination) atOnce(ctx context.Context, checks []check) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	x.found = x.together(ctx, checks)
	switch ctx.Err() {
	case nil:
		return true
	case context.Canceled:
		return false
	}
	x.found = append(x.found, Finding{Check: "aws.files", Status: Fail,
		Evidence: fmt.Sprintf("the files of the AWS configuration did not answer within %v: the disk that they lie on hangs", patience)})
	return false
}

// withoutRepeats drops a warning where the same check failed, and the same mends it.
func withoutRepeats(found []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f Finding) bool {
		return f.Status == Warn && f.Fix != "" && slices.ContainsFunc(found, func(o Finding) bool {
			return o.Status == Fail && o.Check == f.Check && o.Fix == f.Fix
		})
	})
}

// together makes checks beside each other. One that outlives the context is left
// behind: a name look-up or a disk need not honour it.
func (x *examination) together(ctx context.Context, checks []check) (found []Finding) {
	results := make([]chan []Finding, len(checks))
	for i, c := range checks {
		results[i] = make(chan []Finding, 1)
		go func() {
			var f []Finding
			defer func() {
				if recover() != nil { // what a panic says might hold a value
					f = []Finding{{Check: c.names[0], Status: Warn, Evidence: "this check failed unexpectedly"}}
				}
				results[i] <- f
			}()
			f = c.run(ctx, x)
		}()
	}
	done := ctx.Done()
	late := make(chan struct{})
	for _, result := range results {
		for waiting := true; waiting; {
			select {
			case f := <-result:
				found, waiting = append(found, f...), false
			case <-done:
				done = nil
				time.AfterFunc(grace, func() { close(late) })
			case <-late:
				select {
				case f := <-result:
					found = append(found, f...)
				default:
				}
				waiting = false
			}
		}
	}
	return found
}

// grace is what a check has to say why it did not end in time.
const grace = 300 * time.Millisecond
