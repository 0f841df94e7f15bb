package cache

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"ambit/resolver/cache/wire"
	"ambit/resolver/safefile"
)

const openedSchema = "ambit opened 1"

// Opened is what a provider found, or that it found nothing. Instants as in
// [Entry].
type Opened struct {
	Payload   []byte // the provider's own form; may hold secrets
	Acquired  int64
	RefreshAt int64
	ExpiresAt int64
	Failure   *Failure // the last attempt's, if it failed; Payload is then an older one or empty
}

// Opened returns what is kept under key, a hexadecimal hash, or nil. Whether
// its times still hold is the caller's question.
func (d *Dir) Opened(key string, now time.Time) *Opened {
	if d == nil {
		return nil
	}
	b, err := d.read("opens", key, now)
	if err != nil {
		return nil
	}
	o, err := decodeOpened(b)
	if err != nil {
		return nil
	}
	return o
}

// PutOpened replaces what is kept under key. Hold the key's lock.
func (d *Dir) PutOpened(key string, o *Opened) error {
	room, err := d.room("opens")
	if err != nil {
		return err
	}
	return safefile.WritePrivate(filepath.Join(room, key), o.encode())
}

// OpenedKeys lists the keys under which something is kept, in byte order.
func (d *Dir) OpenedKeys() []string {
	if d == nil {
		return nil
	}
	names, err := os.ReadDir(filepath.Join(d.path, "opens"))
	if err != nil {
		return nil // nothing is kept
	}
	var keys []string
	for _, n := range names {
		if !strings.HasPrefix(n.Name(), ".") { // what is being written
			keys = append(keys, n.Name())
		}
	}
	return keys
}

// DropOpened forgets what is kept under key.
func (d *Dir) DropOpened(key string) error {
	if d == nil || d.readOnly {
		return nil
	}
	return ignoreMissing(os.Remove(filepath.Join(d.path, "opens", key)))
}

func (o *Opened) encode() []byte {
	var w wire.Encoder
	w.String(string(o.Payload))
	w.Int(o.Acquired)
	w.Int(o.RefreshAt)
	w.Int(o.ExpiresAt)
	encodeFailure(&w, o.Failure)
	return wire.Frame(openedSchema, w.Bytes())
}

func decodeOpened(b []byte) (*Opened, error) {
	body, err := wire.Unframe(openedSchema, b)
	if err != nil {
		return nil, err
	}
	d := wire.NewDecoder(body)
	o := &Opened{
		Payload: []byte(d.String()), Acquired: d.Int(), RefreshAt: d.Int(), ExpiresAt: d.Int(),
		Failure: decodeFailure(d),
	}
	if err := d.End(); err != nil {
		return nil, err
	}
	return o, nil
}
