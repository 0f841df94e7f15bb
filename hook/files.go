package hook

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"ambit/resolver/cache"

	"golang.org/x/sys/unix"
)

// The files that an entry exports lie in a set that belongs to the terminal's
// session, not to one shell: a shell inside this one uses the same. If that one
// leaves first and removes them, this one finds out at its next prompt, for it
// watches them, and makes them anew.

// files writes what e exports as files and wishes for the variables that name
// them. What has expired is neither there nor set.
func (r *run) files(a *answer, e *cache.Entry) error {
	if len(e.Files) == 0 {
		return nil
	}
	var set string
	if s := r.session; s != nil && s.Dir == a.session.Dir && cache.FileSetServes(s.Files, r.p.Terminal()) {
		set = s.Files
	} else {
		set = cache.NewFileSet(r.p.Terminal())
	}
	now := r.now.Unix()
	var live []cache.FileVariable
	for _, f := range e.Files {
		if f.ExpiresAt == 0 || now < f.ExpiresAt {
			live = append(live, f)
		} else {
			a.want.vars = append(a.want.vars, want{name: f.Name})
		}
	}
	paths, err := r.cache.PutFiles(set, live, r.now.Add(-time.Minute))
	if err != nil {
		_ = r.cache.DropFiles(set) // half of them is none
		// Without the path, which is another one at each attempt: a message that
		// differs would be said again.
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return fmt.Errorf("its files cannot be written: %w", err)
	}
	for i, f := range live {
		a.want.vars = append(a.want.vars, want{name: f.Name, value: &paths[i]})
		a.watch.add(paths[i], false)
	}
	a.want.sort()
	a.session.Files, r.made = set, set
	return nil
}

// dropFiles removes the sets of files that this prompt made superfluous. Another
// terminal's are its own.
func (r *run) dropFiles(is *Session) {
	keep := ""
	if is != nil {
		keep = is.Files
	}
	before := ""
	if r.session != nil && r.session.Files != "" && cache.FileSetServes(r.session.Files, r.p.Terminal()) {
		before = r.session.Files
	}
	for _, set := range []string{before, r.made} {
		if set != "" && set != keep {
			_ = r.cache.DropFiles(set) // swept when the terminal is gone
		}
	}
}

// Terminal is the process that exported files are kept for: the leader of this
// terminal's session; without one, who started us.
func Terminal() int {
	if sid, err := unix.Getsid(0); err == nil && sid > 0 {
		return sid
	}
	return os.Getppid()
}
