package cache

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ambit/resolver/cache/wire"
)

const (
	keepIdle   = 30 * 24 * time.Hour // what does not expire and was not renewed
	keepTemp   = 10 * time.Minute    // what a killed writer left
	keepStamps = 2000
)

// Sweep removes what has expired or was abandoned. Errors do not matter: what
// stays is swept the next time.
func (d *Dir) Sweep(now time.Time) {
	if d == nil {
		return
	}
	d.sweepRoom("entries", now, func(name string, age time.Duration) bool {
		return age > keepIdle || !d.entryLives(name, now)
	})
	d.sweepRoom("opens", now, func(name string, age time.Duration) bool {
		o := d.Opened(name, now)
		if o == nil {
			return true
		}
		waiting := o.Failure != nil && (o.Failure.RetryAt == 0 || o.Failure.RetryAt > now.Unix())
		return age > keepIdle || (o.ExpiresAt != 0 && o.ExpiresAt <= now.Unix() && !waiting)
	})
	d.sweepFiles("")
	// A stamp's age says nothing, it has another file's mtime. A shell whose
	// stamp is gone starts the binary once, which makes it anew.
	stamps := filepath.Join(d.path, "stamps")
	if names, err := os.ReadDir(stamps); err == nil && len(names) > keepStamps {
		_ = os.RemoveAll(stamps)
	}
}

func (d *Dir) sweepRoom(room string, now time.Time, stale func(name string, age time.Duration) bool) {
	names, err := os.ReadDir(filepath.Join(d.path, room))
	if err != nil {
		return
	}
	for _, n := range names {
		info, err := n.Info()
		if err != nil {
			continue
		}
		age := now.Sub(info.ModTime())
		gone := false
		if strings.HasPrefix(n.Name(), ".new-") {
			gone = age > keepTemp
		} else {
			gone = stale(n.Name(), age)
		}
		if gone {
			_ = os.Remove(filepath.Join(d.path, room, n.Name()))
		}
	}
}

// entryLives says whether a variant can still be of use: its values have not
// all expired, or its failure is remembered.
func (d *Dir) entryLives(key string, now time.Time) bool {
	for _, v := range d.variants(key, now) {
		dec := wire.NewStringDecoder(v)
		e := &Entry{Reads: decodeReads(dec)}
		decodeBody(dec, e)
		if dec.End() != nil {
			continue
		}
		if e.ExpiresAt == 0 || e.ExpiresAt > now.Unix() {
			return true
		}
		if f := e.Failure; f != nil && (f.RetryAt == 0 || f.RetryAt > now.Unix()) {
			return true
		}
	}
	return false
}

// spared is what a running program may still need.
var spared = map[string]string{
	"generation": "shells watch it; it is touched",
	"locks":      "others may hold them",
	"profiles":   "generated AWS configurations, which hold no keys of ours",
	"files":      "sets whose process is gone are swept",
}

// Clear removes everything but what running programs still need: the generation
// file, which it touches, locks, generated AWS configurations and the files of
// programs that are there.
func (d *Dir) Clear(now time.Time) error {
	if d == nil {
		return nil
	}
	names, err := os.ReadDir(d.path)
	if err != nil {
		return err
	}
	var errs []error
	for _, n := range names {
		if spared[n.Name()] == "" {
			errs = append(errs, os.RemoveAll(filepath.Join(d.path, n.Name())))
		}
	}
	d.sweepFiles("")
	return errors.Join(append(errs, d.Touch(now))...)
}
