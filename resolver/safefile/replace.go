package safefile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrChanged and ErrReadOnly are why a file is not replaced.
var (
	ErrChanged  = errors.New("was changed meanwhile by somebody else")
	ErrReadOnly = errors.New("is read-only")
)

// Replace gives the file at path new bytes, or leaves it as it is: it is written
// beside it, synced and renamed. Mode and owner stay; a symbolic link stays, and
// what it leads to is replaced. Before is what the caller has read: if the file
// holds anything else by now the error wraps [ErrChanged]. Nil stands for a file
// that is not there yet; it is made with mode.
func Replace(path string, before, after []byte, mode fs.FileMode) (err error) {
	defer func() {
		var placed *fs.PathError
		if err != nil && !errors.As(err, &placed) {
			err = &fs.PathError{Op: "write", Path: path, Err: err}
		}
	}()
	if before != nil {
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	}
	uid, gid := -1, -1 // to be kept, where they are not ours
	if before != nil {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		mode = info.Mode().Perm()
		if mode&0o200 == 0 {
			return ErrReadOnly // a rename would not ask
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			gid = int(stat.Gid)
			if int(stat.Uid) != os.Geteuid() {
				uid = int(stat.Uid)
			}
		}
	}
	return beside(path, after, func(f *os.File) error {
		if gid >= 0 {
			// One of our files may have a group that we are not in.
			if err := f.Chown(uid, gid); err != nil && uid >= 0 {
				return err
			}
		}
		return f.Chmod(mode)
	}, func(temp string) error {
		if before == nil {
			// A link, and not a rename: it does not replace what appeared meanwhile.
			err := os.Link(temp, path)
			if err == nil {
				_ = os.Remove(temp) // it has the other name
			}
			return err
		}
		now, err := Read(path)
		if err != nil {
			return err
		}
		if !bytes.Equal(now, before) {
			return ErrChanged
		}
		return os.Rename(temp, path)
	})
}
