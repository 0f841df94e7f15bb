package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/cache"
	"ambit/resolver/safefile"
)

// autoAllow writes the record of a directory that the user's settings trust,
// and returns it; nil if they do not. A denied directory never gets here.
func (a *ambit) autoAllow(ctx context.Context, t target, before *hook.Record) (*hook.Record, error) {
	conf, err := a.config()
	if err != nil {
		return nil, err
	}
	dir := t.identity
	if t.root.File == t.identity {
		dir = filepath.Dir(t.identity)
	}
	var record *hook.Record
	switch {
	case within(append(hook.TrustedOf(a.environ), conf.settings.Trusted...), dir):
		if before != nil && before.Auto {
			if verdict, _ := before.Check(); verdict == hook.Allowed {
				return before, nil
			}
		}
		d, err := a.load(ctx, t)
		if err != nil || d.program == nil {
			return nil, err
		}
		record = d.record(a.now().Unix())
	case conf.settings.SameContent && t.root.File != t.identity:
		record = a.sameAsMain(dir)
	}
	if record == nil {
		if before != nil && before.Auto {
			_ = a.trust.Remove(before.Dir) // not in force any more, here or not
		}
		return nil, nil
	}
	record.Auto, record.At = true, a.now().Unix()
	if err := a.trust.Put(record); err != nil {
		return nil, err
	}
	return record, nil
}

// record is what trust keeps of a definition, with all that needs consent
// consented to.
func (d *definition) record(at int64) *hook.Record {
	plan := d.program.Plan()
	links := d.links()
	return &hook.Record{
		Dir: d.identity, Closure: hook.ClosureHash(d.identity, links), Files: links,
		Consent: consentNames(plan), Plan: d.planLines(plan), At: at,
	}
}

func consentNames(plan resolver.Plan) []string {
	var out []string
	for _, n := range plan.Consent {
		out = append(out, n.Name)
	}
	return out
}

// sameAsMain returns the record of a directory of a git worktree whose closure
// has, byte for byte, what was allowed in the same place of the main
// repository; nil if there is none. Nothing is parsed for it.
func (a *ambit) sameAsMain(dir string) *hook.Record {
	top, main := a.worktree(dir)
	if main == "" {
		return nil
	}
	was := a.trust.Record(moved(dir, top, main))
	if was == nil || was.Denied || was.Auto {
		return nil
	}
	return asIn(was, dir, main, top)
}

// asIn returns a record for dir if its closure has the bytes of another record's
// closure, with paths below from moved to below to; else nil.
func asIn(was *hook.Record, dir, from, to string) *hook.Record {
	record := &hook.Record{Dir: dir, Consent: was.Consent, Plan: was.Plan}
	for _, l := range was.Files {
		l.Path, l.Via = moved(l.Path, from, to), moved(l.Via, from, to)
		b, err := safefile.Read(l.Path)
		switch {
		case l.Absent != os.IsNotExist(err):
			return nil
		case !l.Absent && (err != nil || cache.Digest(b) != l.Digest):
			return nil
		}
		if l.Via != "" {
			if real, err := filepath.EvalSymlinks(l.Via); err != nil || real != l.Path {
				return nil
			}
		}
		record.Files = append(record.Files, l)
	}
	record.Closure = hook.ClosureHash(dir, record.Files)
	return record
}

// moved is a path with the directory from in front replaced by to.
func moved(path, from, to string) string {
	if within([]string{from}, path) {
		return to + strings.TrimPrefix(path, from)
	}
	return path
}

// worktree returns the top of the git worktree that a directory lies in and the
// top of its main repository, both canonical; "" unless each names the other
// and both are ours.
func (a *ambit) worktree(dir string) (top, main string) {
	for top = dir; ; top = filepath.Dir(top) {
		if _, err := os.Lstat(filepath.Join(top, ".git")); err == nil {
			break
		}
		if top == "/" {
			return "", ""
		}
	}
	// gitrepository-layout(5): the worktree's .git is a file that names its
	// directory in the main repository, where a file gitdir names it back.
	pointer := filepath.Join(top, ".git")
	// Since git 2.48 either may be relative (worktree.useRelativePaths).
	private, ok := strings.CutPrefix(line(pointer), "gitdir: ")
	if !ok {
		return "", ""
	}
	private, err := filepath.EvalSymlinks(from(top, private))
	if err != nil || filepath.Base(filepath.Dir(private)) != "worktrees" {
		return "", ""
	}
	gitDir := filepath.Dir(filepath.Dir(private))
	back, err := filepath.EvalSymlinks(from(private, line(filepath.Join(private, "gitdir"))))
	if err != nil || back != pointer || filepath.Base(gitDir) != ".git" {
		return "", ""
	}
	main = filepath.Dir(gitDir)
	for _, path := range []string{top, pointer, main, gitDir, private, filepath.Join(private, "gitdir")} {
		info, err := os.Lstat(path)
		if err != nil {
			return "", ""
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != a.uid {
			return "", ""
		}
	}
	return top, main
}

// from is a path that may be relative to dir.
func from(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// line is the only line of a small file, or "".
func line(path string) string {
	b, err := safefile.Read(path)
	if err != nil {
		return ""
	}
	text, rest, _ := strings.Cut(string(b), "\n")
	if rest != "" {
		return ""
	}
	return text
}
