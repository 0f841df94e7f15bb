package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"ambit/resolver/cache/wire"
	"ambit/resolver/safefile"
)

const (
	variantsSchema = "ambit entries 2"
	maxVariants    = 4
	maxKeysPerDir  = 4
)

// EntryKey names the entry of a directory (canonical path) whose closure has
// this hash, under this list of stores. Keys of one directory share a prefix.
func EntryKey(dir, closure, stores string) string {
	var w wire.Encoder
	w.String(dir)
	w.String(closure)
	w.String(stores)
	place, all := sha256.Sum256([]byte(dir)), sha256.Sum256(w.Bytes())
	return hex.EncodeToString(place[:8]) + "-" + hex.EncodeToString(all[:])
}

// Entry returns the kept variant that was made from the process variables that
// lookup gives, or nil. Whether its files and times still hold is the caller's
// question.
func (d *Dir) Entry(key string, now time.Time, lookup func(name string) (string, bool)) *Entry {
	for _, v := range d.variants(key, now) {
		dec := wire.NewStringDecoder(v)
		reads := decodeReads(dec)
		if !matches(reads, lookup) {
			continue
		}
		e := &Entry{Reads: reads}
		decodeBody(dec, e)
		if dec.End() == nil {
			return e
		}
	}
	return nil
}

func (d *Dir) variants(key string, now time.Time) []string {
	if d == nil {
		return nil
	}
	b, err := d.read("entries", key, now)
	if err != nil {
		return nil
	}
	body, err := wire.Unframe(variantsSchema, b)
	if err != nil {
		return nil
	}
	dec := wire.NewDecoder(body)
	variants := dec.Strings()
	if dec.End() != nil {
		return nil
	}
	return variants
}

// PutEntry keeps e in front of the variants for other process variables; the
// one for the same variables is replaced. Hold the key's lock.
func (d *Dir) PutEntry(key string, e *Entry, now time.Time, lookup func(name string) (string, bool)) error {
	room, err := d.room("entries")
	if err != nil {
		return err
	}
	var body wire.Encoder
	encodeReads(&body, e.Reads)
	encodeBody(&body, e)
	variants := []string{string(body.Bytes())}
	for _, v := range d.variants(key, now) {
		if len(variants) < maxVariants && !matches(decodeReads(wire.NewStringDecoder(v)), lookup) {
			variants = append(variants, v)
		}
	}
	for ; ; variants = variants[:len(variants)-1] {
		var w wire.Encoder
		w.Strings(variants)
		framed := wire.Frame(variantsSchema, w.Bytes())
		if len(framed) > MaxFile && len(variants) > 1 {
			continue
		}
		if err := safefile.WritePrivate(filepath.Join(room, key), framed); err != nil {
			return err
		}
		d.trim(room, key)
		return nil
	}
}

// DropEntry forgets all variants.
func (d *Dir) DropEntry(key string) error {
	if d == nil || d.readOnly {
		return nil
	}
	return ignoreMissing(os.Remove(filepath.Join(d.path, "entries", key)))
}

// trim keeps the newest entries of a directory: after an edit the old closure's
// entry would stay for ever, and it may hold secrets.
func (d *Dir) trim(room, key string) {
	prefix, _, _ := strings.Cut(key, "-")
	type aged struct {
		name string
		mod  time.Time
	}
	var same []aged
	names, err := os.ReadDir(room)
	if err != nil {
		return
	}
	for _, n := range names {
		if info, err := n.Info(); err == nil && strings.HasPrefix(n.Name(), prefix+"-") {
			same = append(same, aged{n.Name(), info.ModTime()})
		}
	}
	sort.Slice(same, func(i, j int) bool { return same[i].mod.After(same[j].mod) })
	for _, old := range same[min(len(same), maxKeysPerDir):] {
		_ = os.Remove(filepath.Join(room, old.name)) // tried again at the next write
	}
}
