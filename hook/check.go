package hook

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ambit/resolver/cache"
	"ambit/shells"
)

// raceWindow is how long after a file was written a second edit might get the
// same time on a coarse clock; a check is not armed so soon.
const raceWindow = 2 * time.Second

// watch collects what the shell is to look at.
type watch struct {
	present  []string
	absent   []string
	dir      string // canonical directory of the file …
	spelled  string // … and how the shell spells it
	doubtful bool   // something may change that no shell sees: no check is armed
}

// spell turns a canonical path below the file's directory into the shell's
// spelling, by which a link that is turned elsewhere is noticed.
func (w *watch) spell(path string) string {
	if w.dir != w.spelled && w.dir != "" && within(w.dir, path) {
		return filepath.Join(w.spelled+"/", strings.TrimPrefix(path, w.dir))
	}
	return path
}

func (w *watch) add(path string, absent bool) {
	path = w.spell(path)
	list := &w.present
	if absent {
		list = &w.absent
	}
	if path != "" && !slices.Contains(*list, path) {
		*list = append(*list, path)
	}
}

// addNow adds a path as it is now: there or not.
func (w *watch) addNow(path string) {
	_, err := os.Stat(w.spell(path))
	w.add(path, err != nil)
}

// generation is the generation file as a prompt found it.
type generation struct {
	path  string // "" if there is none
	mtime time.Time
}

// check makes the shell's check after a prompt that lasted from begin to end. Where
// one cannot be had, it is not armed and the shell asks again at every prompt.
func (w *watch) check(d *cache.Dir, pwd string, held bool, until, dead int64, ask bool, seen []shells.Seen, g generation, begin, end time.Time) shells.Check {
	check := shells.Check{Held: held, Until: until, Dead: dead, Ask: ask, Since: begin.Unix(), Absent: w.absent, Seen: seen}
	if g.path == "" {
		return check
	}
	stamp, err := d.Stamp(g.mtime)
	if err != nil {
		return check
	}
	check.Generation, check.GenerationTime = shells.File{Path: g.path, Stamp: stamp}, g.mtime.Unix()
	for _, path := range w.present {
		info, err := os.Stat(path)
		if err != nil {
			return check
		}
		// What was written meanwhile may not be what was read.
		if at := info.ModTime(); at.After(begin.Add(-raceWindow)) && at.Before(end.Add(raceWindow)) {
			return check
		}
		stamp, err := d.Stamp(info.ModTime())
		if err != nil {
			return check
		}
		check.Watched = append(check.Watched, shells.File{Path: path, Stamp: stamp})
	}
	// What appeared meanwhile at a path that was absent, the shell sees itself.
	if !w.doubtful {
		check.Pwd = pwd
	}
	return check
}
