package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
)

// WritePrivate replaces the file at path by one that [ReadPrivate] accepts, or
// leaves it as it is. The bytes are on the disk when it returns; more than
// [MaxSize] of them are an error that wraps [ErrTooLarge].
func WritePrivate(path string, b []byte) error {
	if len(b) > MaxSize {
		return &fs.PathError{Op: "write", Path: path, Err: ErrTooLarge}
	}
	return beside(path, b,
		func(f *os.File) error { return f.Chmod(0o600) }, // whatever the umask was
		func(temp string) error { return os.Rename(temp, path) })
}

// beside writes a new file in the directory of path, has it furnished with what
// is not bytes, syncs it and has it put in its place. If any of that fails nothing
// is left of it, and the error names path: a temporary name differs each time, and
// what differs is said again.
func beside(path string, b []byte, furnish func(*os.File) error, place func(temp string) error) (err error) {
	// O_EXCL makes it ours; chance only keeps two writers from meeting.
	temp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".new-%016x", rand.Uint64()))
	defer func() {
		if err != nil {
			err = &fs.PathError{Op: "write", Path: path, Err: cause(err)}
		}
	}()
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp) // the error that matters is the one before
		}
	}()
	_, err = f.Write(b)
	if err == nil {
		err = furnish(f)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = place(temp)
	}
	if err != nil {
		return err
	}
	if dir, derr := os.Open(filepath.Dir(path)); derr == nil {
		_ = dir.Sync() // not every file system can; the rename itself holds
		_ = dir.Close()
	}
	return nil
}

// cause is what a system call said, without the paths that it was about.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
