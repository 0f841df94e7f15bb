// Package safefile opens files that somebody else may have prepared: a FIFO
// must not hang a prompt, a sparse file must not fill the memory, and a file
// that another user can change must not count as ours.
//
// It reads by system calls: package os would set up its poller for each file
// that is opened without blocking, which a prompt would pay for.
package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// MaxSize is the size in bytes over which a file is refused.
const MaxSize = 1 << 20

// These are why a file that exists is refused.
var (
	ErrNotRegular = errors.New("is not a regular file")
	ErrTooLarge   = errors.New("is larger than 1 MiB")
	ErrForeign    = errors.New("can be changed by other users")
	ErrNotPrivate = errors.New("is not a private file")
	ErrNotOwn     = errors.New("belongs to another user")
	ErrOpenMode   = errors.New("can be read by other users")
)

// Read returns the content of a regular file of at most [MaxSize] bytes, read
// once from one descriptor. It follows symbolic links.
func Read(path string) ([]byte, error) {
	b, _, err := read(path, 0, func(*syscall.Stat_t) error { return nil })
	return b, err
}

// ReadPrivate reads a file that only the user can have written: not a symbolic
// link, one name, owned by uid, 0600. It returns the file's mtime in nanoseconds
// since the Unix epoch as well.
func ReadPrivate(path string, uid int) (b []byte, mtime int64, err error) {
	return read(path, syscall.O_NOFOLLOW, func(stat *syscall.Stat_t) error {
		if int(stat.Uid) != uid || stat.Nlink != 1 || stat.Mode&0o7777 != 0o600 {
			return ErrNotPrivate
		}
		return nil
	})
}

// ReadSecret reads a key of the user's own: owned by uid, and nobody else has
// any permission. It follows symbolic links.
func ReadSecret(path string, uid int) ([]byte, error) {
	b, _, err := read(path, 0, func(stat *syscall.Stat_t) error {
		switch {
		case int(stat.Uid) != uid:
			return ErrNotOwn
		case stat.Mode&0o077 != 0:
			return ErrOpenMode
		}
		return nil
	})
	return b, err
}

func read(path string, flag int, check func(*syscall.Stat_t) error) (b []byte, mtime int64, err error) {
	defer func() {
		if err != nil {
			b, err = nil, &fs.PathError{Op: "read", Path: path, Err: err}
		}
	}()
	// O_NONBLOCK: opening a FIFO without a writer would wait for one.
	flag |= syscall.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY | syscall.O_CLOEXEC
	fd, err := again(func() (int, error) { return syscall.Open(path, flag, 0) })
	if err != nil {
		return nil, 0, err
	}
	defer syscall.Close(fd)
	var stat syscall.Stat_t
	if _, err := again(func() (int, error) { return 0, syscall.Fstat(fd, &stat) }); err != nil {
		return nil, 0, err
	}
	switch {
	case stat.Mode&syscall.S_IFMT != syscall.S_IFREG:
		return nil, 0, ErrNotRegular
	case stat.Size > MaxSize:
		return nil, 0, ErrTooLarge
	}
	if err := check(&stat); err != nil {
		return nil, 0, err
	}
	// The size of a file that grows, or that /proc makes up, is no bound. Small
	// ones get the same room, for each size of an allocation has its price once.
	b = make([]byte, max(stat.Size+1, 1<<10))
	for n := 0; ; {
		got, err := again(func() (int, error) { return syscall.Read(fd, b[n:]) })
		switch {
		case err != nil:
			return nil, 0, err
		case got == 0:
			return b[:n], mtimeOf(&stat), nil
		}
		if n += got; n > MaxSize {
			return nil, 0, ErrTooLarge
		}
		if int64(n) == stat.Size {
			return b[:n], mtimeOf(&stat), nil // what is appended now comes too late
		}
		if n == len(b) {
			b = append(b, make([]byte, len(b))...)
		}
	}
}

// again repeats a system call that a signal interrupted.
func again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

// Owner is whose files count as ours: the effective user and primary group.
type Owner struct{ UID, GID int }

// Check returns an error that wraps [ErrForeign] unless the file and the
// directory it lies in belong to the owner or to root and only they can write
// to them. Links are followed: the directories of the link and of what it
// points to both count. The error does not name path.
func (o Owner) Check(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	dirs := []string{filepath.Dir(path)}
	if info.Mode()&fs.ModeSymlink != 0 {
		if info, err = os.Stat(path); err != nil {
			return err
		}
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			return err
		}
		dirs = append(dirs, filepath.Dir(real))
	}
	if !o.owns(info) {
		return ErrForeign
	}
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if !o.owns(info) {
			return fmt.Errorf("lies in %q, which %w", dir, ErrForeign)
		}
	}
	return nil
}

// owns says whether only the owner and root can change a file or directory. In a
// sticky directory others can do that to their own files alone.
func (o Owner) owns(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) != o.UID && stat.Uid != 0 {
		return false
	}
	others := fs.FileMode(0o002)
	if int(stat.Gid) != o.GID {
		others |= 0o020
	}
	sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0
	return info.Mode().Perm()&others == 0 || sticky
}
