package main

import (
	"context"
	"time"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/aws/doctor"
)

// parseTime bounds reading a definition and all that it imports.
const parseTime = 3 * time.Second

// directory checks the file that governs this directory: is it there to be used, is
// it allowed, does it say what ambit understands?
func (p *setup) directory() {
	const check = "directory"
	if p.dir == "" {
		p.add(check, doctor.Warn, "cd", "the current directory does not exist any more")
		return
	}
	found := p.find(p.dir)
	for _, f := range found.Foreign {
		p.add(check, doctor.Fail, p.closing(f.File), "%s is ignored: it %s", p.tilde(f.File), reason(f.Err))
	}
	if found.File == "" {
		p.well(check, "no %s governs %s", hook.FileName, p.tilde(p.dir))
		return
	}
	if p.sudo() {
		p.well(check, "for root by sudo nothing is loaded")
		return
	}
	t := directory(found.Dir)
	t.file = found.File
	record := p.trust.Record(found.Dir)
	verdict, contents := record.Check()
	switch {
	case found.Dangling:
		p.add(check, doctor.Fail, "", "%s cannot be read", p.tilde(found.File))
	case verdict == hook.Denied:
		p.add(check, doctor.Warn, "ambit allow", "%s is denied, so nothing is loaded here", p.tilde(found.File))
	case verdict == hook.Allowed:
		p.definition(t, record, contents)
	case p.trusted(found.Dir):
		p.well(check, "your settings allow %s", p.tilde(found.File))
	case verdict == hook.Changed:
		p.add(check, doctor.Fail, "ambit allow", "%s has changed since it was allowed, so nothing is loaded here", p.tilde(found.File))
	default:
		p.add(check, doctor.Fail, "ambit allow", "%s is not allowed, so nothing is loaded here", p.tilde(found.File))
	}
}

// trusted says whether the user's settings allow a directory without being asked.
func (p *setup) trusted(dir string) bool {
	conf, err := p.config()
	if err != nil {
		return false
	}
	return within(append(hook.TrustedOf(p.environ), conf.settings.Trusted...), dir) ||
		conf.settings.SameContent && p.sameAsMain(dir) != nil
}

// definition checks an allowed file and what it imports, and opens nothing.
func (p *setup) definition(t target, record *hook.Record, contents []hook.Content) {
	ctx, stop := context.WithTimeout(context.Background(), parseTime)
	defer stop()
	d, err := p.loadPinned(ctx, t, record, contents)
	if err != nil {
		return // the settings: the store's check says so
	}
	diags := d.diags
	if d.program != nil {
		opt, _ := p.options(p.baseline(), resolver.Person, false, d.consent)
		diags = d.program.Check(ctx, opt)
	}
	if ctx.Err() != nil {
		p.add("directory", doctor.Warn, "", "reading %s and what it imports took too long", p.tilde(t.file))
		return
	}
	if !resolver.HasErrors(diags) {
		p.well("directory", "%s is allowed and valid", p.tilde(t.file))
		return
	}
	for _, diag := range diags {
		if diag.Severity != resolver.Error {
			continue
		}
		fix := ""
		switch file := diag.Pos.File; {
		case file == "":
		case p.storeOf(d.sources.stores, file) != "":
			fix = "ambit env edit " + p.word(file)
		default:
			fix = "ambit env edit " + p.word(file) + " && ambit allow" // an edit blocks it
		}
		p.faults("directory", fix, messages([]resolver.Diagnostic{diag}))
	}
}
