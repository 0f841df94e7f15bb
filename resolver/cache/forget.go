package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ambit/resolver/cache/wire"
)

// forgetTime is how long forgetting waits for whoever is making an entry anew.
const forgetTime = 3 * time.Second

// ForgetFailures forgets that attempts failed for a reason of one kind, so that the
// next ask is an attempt. Values that still serve stay.
func (d *Dir) ForgetFailures(ctx context.Context, kind string, now time.Time) error {
	if d == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, forgetTime)
	defer cancel()
	return errors.Join(
		d.each("opens", func(key string) error {
			failed := func() *Opened {
				if o := d.Opened(key, now); o != nil && o.Failure != nil && o.Failure.Kind == kind {
					return o
				}
				return nil
			}
			if failed() == nil {
				return nil
			}
			unlock, err := d.Lock(ctx, key, func() bool { return failed() == nil })
			if err != nil || unlock == nil {
				return err
			}
			defer unlock()
			o := failed()
			if o == nil || o.ExpiresAt <= now.Unix() {
				return d.DropOpened(key)
			}
			o.Failure = nil
			return d.PutOpened(key, o)
		}),
		d.each("entries", func(key string) error {
			if !d.entryFailed(key, kind, now) {
				return nil
			}
			unlock, err := d.Lock(ctx, key, func() bool { return !d.entryFailed(key, kind, now) })
			if err != nil || unlock == nil {
				return err
			}
			defer unlock()
			return d.DropEntry(key) // what its opens found is kept with them
		}),
	)
}

// entryFailed says whether a variant remembers a failure of a kind.
func (d *Dir) entryFailed(key, kind string, now time.Time) bool {
	for _, v := range d.variants(key, now) {
		dec := wire.NewStringDecoder(v)
		e := &Entry{Reads: decodeReads(dec)}
		decodeBody(dec, e)
		if dec.End() == nil && e.Failure != nil && e.Failure.Kind == kind {
			return true
		}
	}
	return false
}

// DropEntries forgets all resolved entries. What their opens found stays.
func (d *Dir) DropEntries() error {
	if d == nil {
		return nil
	}
	return d.each("entries", d.DropEntry)
}

// each calls do for every key of a room.
func (d *Dir) each(room string, do func(key string) error) error {
	names, err := os.ReadDir(filepath.Join(d.path, room))
	if err != nil {
		return ignoreMissing(err)
	}
	var errs []error
	for _, n := range names {
		if !strings.HasPrefix(n.Name(), ".") { // a writer's
			errs = append(errs, do(n.Name()))
		}
	}
	return errors.Join(errs...)
}
