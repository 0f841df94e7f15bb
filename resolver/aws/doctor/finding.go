package doctor

import (
	"slices"
	"strings"
	"unicode"
)

// Status says how a check went.
type Status string

// A Fail is a cause that stands on its own; a Warn is worth knowing, or the effect
// of a Fail.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Finding is what one check saw. Its JSON form is for programs.
type Finding struct {
	Check    string `json:"check"`    // such as aws.clock
	Status   Status `json:"status"`   // ok, warn or fail
	Evidence string `json:"evidence"` // one line: what was seen, secrets masked; foreign text is not yet printable
	Fix      string `json:"fix"`      // the command that mends it, ready for a shell; "" if there is none

	// Causes are the checks which, where they failed, explain this finding: it is
	// then their effect. No two checks may explain each other; the same check does
	// by an earlier finding.
	Causes []string `json:"-"`

	// ifAccepted takes the finding's place where AWS took the keys all the same;
	// nil: it stands.
	ifAccepted *Finding
}

// Settle tells causes from effects: a failure that another check's failure explains
// becomes a warning that names it and needs no fix of its own. Failures come first,
// then warnings, then what is well, each in the order in which it was found.
func Settle(findings []Finding) []Finding {
	failed := map[string]bool{}
	for _, f := range findings {
		failed[f.Check] = failed[f.Check] || f.Status == Fail
	}
	out := slices.Clone(findings)
	for i, f := range out {
		if strings.ContainsFunc(f.Fix, unicode.IsControl) {
			out[i].Fix = "" // of a name that nobody can type: no line that a shell runs
		}
		// Of two failures of one check the later one may be the effect.
		again := slices.ContainsFunc(findings[:i], func(e Finding) bool { return e.Check == f.Check && e.Status == Fail })
		cause := slices.IndexFunc(f.Causes, func(c string) bool { return failed[c] && (c != f.Check || again) })
		if f.Status == Fail && cause >= 0 {
			out[i].Status, out[i].Fix = Warn, ""
			out[i].Evidence += ", because of " + f.Causes[cause]
		}
	}
	rank := map[Status]int{Fail: 0, Warn: 1, OK: 2}
	slices.SortStableFunc(out, func(a, b Finding) int { return rank[a.Status] - rank[b.Status] })
	return out
}

// Failed says whether there is a cause among the findings.
func Failed(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Status == Fail })
}
