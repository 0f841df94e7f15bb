package safefile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
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
	temp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".new-%016x", rand.Uint64()))
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp) // the error that matters is the one before
		}
	}()
	_, err = f.Write(after)
	if err == nil && gid >= 0 {
		// One of our files may have a group that we are not in.
		if cerr := f.Chown(uid, gid); uid >= 0 {
			err = cerr
		}
	}
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if before == nil {
		// A link, and not a rename: it does not replace what appeared meanwhile.
		if err := os.Link(temp, path); err != nil {
			return err
		}
		_ = os.Remove(temp) // it has the other name
	} else {
		now, err := Read(path)
		if err != nil {
			return err
		}
		if !bytes.Equal(now, before) {
			return ErrChanged
		}
		if err := os.Rename(temp, path); err != nil {
			return err
		}
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync() // not every file system can; the rename itself holds
		_ = dir.Close()
	}
	return nil
}
