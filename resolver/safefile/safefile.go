// Package safefile opens files that somebody else may have prepared: a FIFO
// must not hang a prompt, a sparse file must not fill the memory, and a file
// that another user can change must not count as ours.
package safefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// MaxSize is the size in bytes over which a file is refused.
const MaxSize = 1 << 20

// ErrNotRegular, ErrTooLarge and ErrForeign are why a file that exists is
// refused.
var (
	ErrNotRegular = errors.New("is not a regular file")
	ErrTooLarge   = errors.New("is larger than 1 MiB")
	ErrForeign    = errors.New("can be changed by other users")
)

// Owner is whose files count as ours: the effective user and primary group.
type Owner struct{ UID, GID int }

// Read returns the content of a regular file of at most [MaxSize] bytes, read
// once from one descriptor. It follows symbolic links.
func Read(path string) ([]byte, fs.FileInfo, error) {
	// O_NONBLOCK: opening a FIFO without a writer would wait for one.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, nil, err
	case !info.Mode().IsRegular():
		return nil, nil, ErrNotRegular
	case info.Size() > MaxSize:
		return nil, nil, ErrTooLarge
	}
	// The size of a file that grows, or that /proc makes up, is no bound.
	b, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, nil, err
	}
	if len(b) > MaxSize {
		return nil, nil, ErrTooLarge
	}
	return b, info, nil
}

// Check returns an error that wraps [ErrForeign] unless the file and the
// directory it lies in belong to the owner or to root and only they can write
// to them. Links are followed: the directories of the link and of what it
// points to both count.
func (o Owner) Check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := o.ours(path, info); err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	for _, dir := range []string{filepath.Dir(path), filepath.Dir(real)} {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if err := o.ours(dir, info); err != nil {
			return err
		}
	}
	return nil
}

func (o Owner) ours(path string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%q %w", path, ErrForeign)
	}
	mode := info.Mode()
	switch {
	case int(stat.Uid) != o.UID && stat.Uid != 0:
	case mode.Perm()&0o002 != 0 && mode&fs.ModeSticky == 0:
	case mode.Perm()&0o020 != 0 && int(stat.Gid) != o.GID && mode&fs.ModeSticky == 0:
	default:
		return nil
	}
	return fmt.Errorf("%q %w", path, ErrForeign)
}
