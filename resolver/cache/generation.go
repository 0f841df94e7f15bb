package cache

import (
	"fmt"
	"os"
	"time"
)

// Generation returns the path and mtime of the file that every open shell
// watches, which it makes if it is missing. One from the future is touched: fish
// takes its age for a clock.
func (d *Dir) Generation(now time.Time) (path string, mtime time.Time, err error) {
	if d == nil {
		return "", time.Time{}, ErrUnusable
	}
	path = d.path + "/generation"
	info, err := os.Lstat(path)
	if err != nil || info.ModTime().After(now.Add(futureTolerance)) {
		if err := d.Touch(now); err != nil {
			return "", time.Time{}, err
		}
		info, err = os.Lstat(path)
	}
	if err != nil {
		return "", time.Time{}, err
	}
	return path, info.ModTime(), nil
}

// Touch gives the generation file an mtime that is strictly later than the one
// it has, so that every open shell looks again at its next prompt. Only one from
// the future, which a clock that was set back leaves, becomes an earlier one.
func (d *Dir) Touch(now time.Time) error {
	if d == nil {
		return ErrUnusable
	}
	path := d.path + "/generation"
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	var before time.Time
	if info, err := f.Stat(); err == nil && !info.ModTime().After(now.Add(futureTolerance)) {
		before = info.ModTime()
	}
	// Steps: a disk may round to microseconds, or to one or two seconds.
	for _, step := range []time.Duration{0, time.Millisecond, 2 * time.Second} {
		next := now
		if !next.After(before) {
			next = before.Add(step)
		}
		if err := os.Chtimes(path, next, next); err != nil {
			return err
		}
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if info.ModTime().After(before) {
			return nil
		}
	}
	return fmt.Errorf("%q: the disk keeps no times", path)
}
