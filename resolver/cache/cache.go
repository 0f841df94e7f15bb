// Package cache keeps what was resolved: entries, which say what a directory's
// environment is, and opened providers, such as the credentials of a role. The
// resolver makes both; a prompt reads entries and nothing else.
//
// Everything lies in one private directory, 0600 in 0700, and is replaced whole
// by a rename. Whatever cannot be read as it was written (short, damaged,
// foreign, wrong owner or mode, from the future) is a miss and then replaced.
// Nothing here is needed: without a usable directory every read is a miss and
// every write an error that the caller may ignore.
//
// Most callers want [Open], [Dir.Entry] and [Dir.PutEntry].
package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"ambit/resolver/safefile"
)

// MaxFile is the size in bytes over which nothing is read or written.
const MaxFile = safefile.MaxSize

// futureTolerance is how far ahead of the clock a file may have been made: more
// means that a clock was set back, and then no instant in it can be believed.
const futureTolerance = 5 * time.Minute

// ErrUnusable is wrapped by all errors about the directory itself.
var ErrUnusable = errors.New("cache directory is not usable")

// Dir is a cache directory. A nil *Dir is one that cannot be used.
type Dir struct {
	path     string
	uid      int
	readOnly bool
}

// ReadOnly is the same directory, of which this process changes nothing: what is
// kept is read, every write is an error that the caller may ignore, and no lock is
// held.
func (d *Dir) ReadOnly() *Dir {
	if d == nil {
		return nil
	}
	out := *d
	out.readOnly = true
	return &out
}

// Open makes path and its rooms where they are missing and checks that the
// directory is ours alone: a real directory, owned by uid, no permission for
// anybody else. Path must be absolute.
func Open(path string, uid int) (*Dir, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("%w: %q is not an absolute path", ErrUnusable, path)
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnusable, err)
		}
		info, err = os.Lstat(path)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	if err := private(info, uid); err != nil {
		return nil, fmt.Errorf("%w: %q %w", ErrUnusable, path, err)
	}
	return &Dir{path: path, uid: uid}, nil
}

// private says what is wrong with a directory that should be ours alone.
func private(info fs.FileInfo, uid int) error {
	switch stat, ok := info.Sys().(*syscall.Stat_t); {
	case !info.IsDir():
		return errors.New("is not a directory")
	case !ok || int(stat.Uid) != uid:
		return errors.New("belongs to another user")
	case info.Mode().Perm()&0o077 != 0:
		return errors.New("is open to other users")
	}
	return nil
}

// Path is the directory's path, "" for a nil Dir.
func (d *Dir) Path() string {
	if d == nil {
		return ""
	}
	return d.path
}

// room returns the path of a subdirectory, which it makes if it is missing.
func (d *Dir) room(name string) (string, error) {
	if d == nil || d.readOnly {
		return "", ErrUnusable
	}
	path := d.path + "/" + name
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	return path, nil
}

// read reads a file of a room; one that was made in the future is an error.
func (d *Dir) read(room, name string, now time.Time) ([]byte, error) {
	path := d.path + "/" + room + "/" + name
	b, mtime, err := safefile.ReadPrivate(path, d.uid)
	if err != nil {
		return nil, err
	}
	if mtime > now.Add(futureTolerance).UnixNano() {
		return nil, fmt.Errorf("%q was made in the future", path)
	}
	return b, nil
}
