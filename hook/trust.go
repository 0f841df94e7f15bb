package hook

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"ambit/resolver/cache"
	"ambit/resolver/cache/wire"
	"ambit/resolver/safefile"
)

const (
	recordSchema = "ambit trust 1"
	maxClosure   = 4 << 20 // bytes of all files together
)

// Record is what a person decided about a directory's file. It binds the bytes
// of the whole closure, so that the hook can check them without parsing.
type Record struct {
	Dir     string // canonical
	Denied  bool
	Closure string   // [ClosureHash] of what was allowed
	Files   []Link   // the closure outside the user's stores, in order of loading; first Dir's own file
	Consent []string // variables that need consent and got it
	Plan    []string // the lines that were shown, to tell the difference after an edit
	At      int64    // epoch seconds
	Auto    bool     // written because the user's settings trust the directory
}

// Link is one file of a closure: the path it was found at, and by what name.
type Link struct {
	Path   string // canonical
	Via    string // the path as it was spelled, if that is another one
	Absent bool   // was not there, and that counts
	Digest [sha256.Size]byte
}

// ErrUnreadable is why a file of a closure could not be compared.
var ErrUnreadable = errors.New("cannot be read")

// ClosureHash is SHA-256, in hexadecimal, over the canonical directory and the
// ordered (path, bytes) of its closure.
func ClosureHash(dir string, links []Link) string {
	var w wire.Encoder
	w.String(dir)
	for _, l := range links {
		w.String(l.Path)
		w.String(l.Via)
		w.Bool(l.Absent)
		w.Fixed(l.Digest[:])
	}
	sum := sha256.Sum256(w.Bytes())
	return hex.EncodeToString(sum[:])
}

// Verdict is how a directory's file stands.
type Verdict uint8

// The verdicts. Only Allowed lets anything happen.
const (
	Unknown Verdict = iota // nobody has decided
	Allowed
	Changed // allowed once, but a byte of the closure is another
	Denied
)

// Trust is the place where records are kept.
type Trust struct {
	dir string
	uid int
}

// NewTrust keeps records below the state directory.
func NewTrust(p Places, uid int) Trust {
	if p.State == "" {
		return Trust{}
	}
	return Trust{dir: p.State + "/trust", uid: uid}
}

func (t Trust) path(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return t.dir + "/" + hex.EncodeToString(sum[:])
}

// Record returns what was decided about a canonical directory, or nil. A record
// that others could have written does not count.
func (t Trust) Record(dir string) *Record {
	if t.dir == "" {
		return nil
	}
	r := t.read(t.path(dir))
	if r == nil || r.Dir != dir {
		return nil
	}
	return r
}

func (t Trust) read(path string) *Record {
	if info, err := os.Lstat(t.dir); err != nil || !info.IsDir() || info.Mode().Perm()&0o022 != 0 {
		return nil
	}
	b, _, err := safefile.ReadPrivate(path, t.uid)
	if err != nil {
		return nil
	}
	r, err := decodeRecord(b)
	if err != nil {
		return nil
	}
	return r
}

// Put replaces the record of its directory.
func (t Trust) Put(r *Record) error {
	if t.dir == "" {
		return errors.New("there is no home directory to keep it in")
	}
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return err
	}
	return safefile.WritePrivate(t.path(r.Dir), encodeRecord(r))
}

// Remove forgets what was decided about a directory.
func (t Trust) Remove(dir string) error {
	err := os.Remove(t.path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// List returns all records, in no order.
func (t Trust) List() ([]*Record, error) {
	names, err := os.ReadDir(t.dir)
	if errors.Is(err, fs.ErrNotExist) || t.dir == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []*Record
	for _, n := range names {
		path := filepath.Join(t.dir, n.Name())
		if r := t.read(path); r != nil && t.path(r.Dir) == path {
			out = append(out, r)
		}
	}
	return out, nil
}

// Content is a file of a closure as it was read.
type Content struct {
	Link
	Bytes []byte
}

// Check reads the files that r lists, once each, and compares them with what was
// allowed. The bytes it returns are the bytes it hashed.
func (r *Record) Check() (Verdict, []Content) {
	switch {
	case r == nil:
		return Unknown, nil
	case r.Denied:
		return Denied, nil
	}
	contents := make([]Content, 0, len(r.Files))
	links := make([]Link, 0, len(r.Files))
	total := 0
	for _, was := range r.Files {
		c, err := read(was)
		if total += len(c.Bytes); err != nil || total > maxClosure {
			return Changed, nil
		}
		contents, links = append(contents, c), append(links, c.Link)
	}
	if ClosureHash(r.Dir, links) != r.Closure {
		return Changed, nil
	}
	return Allowed, contents
}

func read(was Link) (Content, error) {
	c := Content{Link: Link{Path: was.Path, Via: was.Via}}
	if was.Via != "" {
		// A link on the way may have been turned elsewhere.
		if real, err := filepath.EvalSymlinks(was.Via); err != nil || real != was.Path {
			return c, ErrUnreadable
		}
	}
	b, err := safefile.Read(was.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.Absent = true
	case err != nil:
		return c, ErrUnreadable
	default:
		c.Bytes, c.Digest = b, cache.Digest(b)
	}
	return c, nil
}

func encodeRecord(r *Record) []byte {
	var w wire.Encoder
	w.String(r.Dir)
	w.Bool(r.Denied)
	w.String(r.Closure)
	w.Uint(uint64(len(r.Files)))
	for _, l := range r.Files {
		w.String(l.Path)
		w.String(l.Via)
		w.Bool(l.Absent)
		w.Fixed(l.Digest[:])
	}
	w.Strings(r.Consent)
	w.Strings(r.Plan)
	w.Int(r.At)
	w.Bool(r.Auto)
	return wire.Frame(recordSchema, w.Bytes())
}

func decodeRecord(b []byte) (*Record, error) {
	body, err := wire.Unframe(recordSchema, b)
	if err != nil {
		return nil, err
	}
	d := wire.NewDecoder(body)
	r := &Record{Dir: d.String(), Denied: d.Bool(), Closure: d.String()}
	for range d.Count() {
		l := Link{Path: d.String(), Via: d.String(), Absent: d.Bool()}
		d.Fixed(l.Digest[:])
		r.Files = append(r.Files, l)
	}
	r.Consent, r.Plan, r.At, r.Auto = d.Strings(), d.Strings(), d.Int(), d.Bool()
	if err := d.End(); err != nil {
		return nil, err
	}
	return r, nil
}
