package cache

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Stamp returns the path of an empty file whose mtime is mtime to the
// nanosecond; shells compare watched files with it. All shells share it. It is
// an error if the disk rounds.
func (d *Dir) Stamp(mtime time.Time) (string, error) {
	if d == nil {
		return "", ErrUnusable
	}
	path := filepath.Join(d.path, "stamps", fmt.Sprintf("%d.%09d", mtime.Unix(), mtime.Nanosecond()))
	if info, err := os.Lstat(path); err == nil && info.ModTime().Equal(mtime) {
		return path, nil
	}
	if _, err := d.room("stamps"); err != nil {
		return "", err
	}
	// Whoever makes it at the same moment gives it the same mtime.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	if err := os.Chtimes(path, mtime, mtime); err != nil {
		return "", err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	if !info.ModTime().Equal(mtime) {
		return "", fmt.Errorf("%q: the disk rounds times", path)
	}
	return path, nil
}
