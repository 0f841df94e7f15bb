package cache

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// Stamp returns the path of an empty file whose mtime is mtime to the
// nanosecond; shells compare watched files with it. All shells share it. It is
// an error if the disk rounds.
func (d *Dir) Stamp(mtime time.Time) (string, error) {
	if d == nil {
		return "", ErrUnusable
	}
	path := d.path + "/stamps/" + stampName(mtime)
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

// stampName is the time in seconds since the Unix epoch with nine decimals.
func stampName(mtime time.Time) string {
	b := strconv.AppendInt(make([]byte, 0, 32), mtime.Unix(), 10)
	nano := strconv.Itoa(1_000_000_000 + mtime.Nanosecond()) // the 1 keeps leading zeros
	return string(append(append(b, '.'), nano[1:]...))
}
