package main

import (
	"fmt"
	"strings"

	"ambit/resolver/aws"
	"ambit/resolver/aws/doctor"
)

// setup examines ambit's own set-up. Here says that it is about this directory, too,
// and not about an environment by its name. No network is asked, and nothing is
// changed.
func (a *ambit) setup(here bool) []doctor.Finding {
	p := &setup{ambit: a}
	if here {
		p.hook()
	}
	p.path()
	p.permissions()
	p.store()
	if here {
		p.directory()
	}
	p.identity()
	p.keyring()
	return p.findings
}

// setup collects what its checks find.
type setup struct {
	*ambit
	findings []doctor.Finding
}

func (p *setup) add(check string, status doctor.Status, fix, format string, args ...any) {
	p.findings = append(p.findings, doctor.Finding{
		Check: check, Status: status, Evidence: fmt.Sprintf(format, args...), Fix: fix, Causes: setupCauses[check],
	})
}

// setupCauses are, for each check, those that explain its failure if they failed.
var setupCauses = map[string][]string{
	"directory": {"permissions", "store"},
}

// well notes a check that found nothing wrong, with what it looked at.
func (p *setup) well(check, format string, args ...any) {
	for _, f := range p.findings {
		if f.Check == check && f.Status != doctor.OK {
			return
		}
	}
	p.add(check, doctor.OK, "", format, args...)
}

// maxForeign is how many bytes of one foreign text a finding shows.
const maxForeign = 200

// bounded shortens foreign text in the middle, where paths tell least.
func bounded(text string) string {
	if len(text) <= maxForeign {
		return text
	}
	const keep = maxForeign/2 - 2
	return strings.ToValidUTF8(text[:keep], "") + "..." + strings.ToValidUTF8(text[len(text)-keep:], "")
}

// tilde writes a path as people do.
func (p *setup) tilde(path string) string { return bounded(p.places.Short(path, "")) }

// word is a path for a command line of any shell: with ~ for the home directory, and
// quoted where it has to be.
func (p *setup) word(path string) string {
	short := p.places.Short(path, "")
	if rest, ok := strings.CutPrefix(short, "~/"); ok {
		return "~/" + aws.Word(rest)
	}
	if short == "~" {
		return short
	}
	return aws.Word(short)
}
