package cache

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ambit/resolver/safefile"
)

// A file set is a private directory with the files that one load exports: 0600
// in 0700, each named after its variable. Its name begins with the process that
// it serves, usually the leader of a terminal's session: when that is gone, the
// set is swept.

// NewFileSet returns a name for a set that serves a process.
func NewFileSet(pid int) string { return fmt.Sprintf("%d-%016x", pid, rand.Uint64()) }

// FileSetServes says whether a set was made for a process.
func FileSetServes(set string, pid int) bool {
	serves, ok := servedBy(set)
	return ok && serves == pid
}

func servedBy(set string) (pid int, ok bool) {
	head, tail, found := strings.Cut(set, "-")
	pid, err := strconv.Atoi(head)
	return pid, found && err == nil && pid > 0 && len(tail) == 16 && !strings.ContainsAny(tail, "/.")
}

// PutFiles makes a set hold exactly these files and returns their paths in the
// same order. Those that already are as they should be are left alone. A file's
// mtime is at, so that a shell that watches it need not wait for it to age.
func (d *Dir) PutFiles(set string, files []FileVariable, at time.Time) ([]string, error) {
	if _, ok := servedBy(set); !ok {
		return nil, fmt.Errorf("%q does not name a set of files", set)
	}
	room, err := d.room("files")
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(room, set)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	info, err := os.Lstat(dir)
	if err == nil {
		err = private(info, d.uid)
	}
	if err != nil {
		return nil, err
	}
	d.sweepFiles(set) // nobody else may come by for long
	var paths []string
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		paths = append(paths, path)
		if b, _, err := safefile.ReadPrivate(path, d.uid); err == nil && string(b) == f.Content.Reveal() {
			continue
		}
		if err := safefile.WritePrivate(path, []byte(f.Content.Reveal())); err != nil {
			return nil, err
		}
		if err := os.Chtimes(path, at, at); err != nil {
			return nil, err
		}
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if !slices.Contains(paths, filepath.Join(dir, n.Name())) {
			_ = os.RemoveAll(filepath.Join(dir, n.Name())) // goes with the set
		}
	}
	return paths, nil
}

// DropFiles removes a set.
func (d *Dir) DropFiles(set string) error {
	if _, ok := servedBy(set); d == nil || !ok {
		return nil
	}
	return os.RemoveAll(filepath.Join(d.path, "files", set))
}

// sweepFiles removes the sets but keep that serve nobody any more. One that is swept too
// early, because its process is not to be seen from here, is made anew at that
// shell's next prompt.
func (d *Dir) sweepFiles(keep string) {
	names, err := os.ReadDir(filepath.Join(d.path, "files"))
	if err != nil {
		return
	}
	for _, n := range names {
		pid, ok := servedBy(n.Name())
		if n.Name() != keep && (!ok || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)) {
			_ = os.RemoveAll(filepath.Join(d.path, "files", n.Name())) // tried again the next time
		}
	}
}
