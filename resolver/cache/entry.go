package cache

import (
	"crypto/sha256"
	"sort"

	"ambit/resolver/cache/wire"
	"ambit/resolver/secret"
)

const entrySchema = "ambit entry 2"

// Entry is what a directory's file means until something that it was made from
// changes. All instants are seconds since the Unix epoch on this machine's
// clock; zero means never. Texts may be foreign: whoever prints them makes them
// printable.
type Entry struct {
	Dir      string // canonical directory of the .envrc.yaml
	Label    string // what AMBIT_ENV and messages call it
	Created  int64
	Reloaded int64 // when a person last asked for everything anew

	Reads   []Read    // process variables that the result depends on, sorted
	Watched []Watched // files that the result depends on, in order of loading

	Variables []Variable     // to be set, sorted by name
	Unset     []string       // to be unset, sorted
	Unit      []string       // names that belong together: what the user does to one concerns all
	Path      []string       // absolute directories, to stand before PATH
	Files     []FileVariable // to be written to private files, sorted by name

	RefreshAt   int64 // from here on it is renewed in the background
	ExpiresAt   int64 // the earliest of its variables'
	Credentials []Credential
	Notices     []Message // said once, when it is loaded

	// Failure is set when the last attempt failed. The rest then is what an
	// earlier one found, or empty.
	Failure *Failure
}

// Variable is an environment variable to be set.
type Variable struct {
	Name      string
	Value     secret.Text
	Secret    bool  // not to be shown without being asked for
	List      bool  // holds directories separated by colons, such as MANPATH
	ExpiresAt int64 // never set from here on
}

// FileVariable is a variable that names a private file with this content.
type FileVariable struct {
	Name      string
	Content   secret.Text
	ExpiresAt int64
}

// Watched is a file that a result depends on: its content, or its absence.
type Watched struct {
	Path   string
	Absent bool
	Digest [sha256.Size]byte // SHA-256 of the content; zero if absent
}

// Digest is the digest of a [Watched] file's content.
func Digest(content []byte) [sha256.Size]byte { return sha256.Sum256(content) }

// Read is a process variable as it was when a result read it.
type Read struct {
	Name   string
	Set    bool
	Digest [16]byte // of the value; zero if it was not set
}

// NewRead notes a variable without keeping its value.
func NewRead(name, value string, set bool) Read {
	r := Read{Name: name, Set: set}
	if set {
		sum := sha256.Sum256([]byte(value))
		copy(r.Digest[:], sum[:])
	}
	return r
}

// SortReads sorts by name.
func SortReads(reads []Read) {
	sort.Slice(reads, func(i, j int) bool { return reads[i].Name < reads[j].Name })
}

// Credential tells about a login whose values an entry holds; nothing in it is
// secret.
type Credential struct {
	Account   string // 12 digits, or "" if AWS did not say
	ARN       string // of the assumed role, user or profile
	Source    string // such as `oidc`, `assumeRole from profile "base"`
	RefreshAt int64
	ExpiresAt int64
	Failing   string // why the last renewal failed, while older ones serve; "" if it did not
}

// Failure is an attempt that brought nothing, and when to make the next one.
type Failure struct {
	Kind     string    // "", "network", "refused", "login", "interrupted"
	Messages []Message // what a person is told, once
	RetryAt  int64     // zero: not before something changes
	Wait     int64     // seconds from the attempt to RetryAt, for doubling
}

// Message is one line to a person. Paths are absolute; whoever prints it makes
// them short.
type Message struct {
	Level   string // "error", "warning", "hint" or "" for a plain line
	Place   Place
	Text    string
	Imports []Place // the chain of imports, from Place.File outwards
}

// Place is a place in a file, counted from 1; without a File it is none.
type Place struct {
	File         string
	Line, Column int
}

// Matches says whether the process variables are what the entry was made from.
func (e *Entry) Matches(lookup func(name string) (string, bool)) bool {
	return matches(e.Reads, lookup)
}

func matches(reads []Read, lookup func(name string) (string, bool)) bool {
	for _, r := range reads {
		value, set := lookup(r.Name)
		if NewRead(r.Name, value, set) != r {
			return false
		}
	}
	return true
}

// Encode returns the entry's one byte form: what the cache holds and what
// `ambit resolve` prints.
func (e *Entry) Encode() []byte {
	var w wire.Encoder
	encodeReads(&w, e.Reads)
	encodeBody(&w, e)
	return wire.Frame(entrySchema, w.Bytes())
}

// MaxEntry is the size in bytes of the largest entry that the hook takes from
// `ambit resolve`. One that is larger than [MaxFile] loads and is not kept.
const MaxEntry = 8 << 20

// DecodeEntry reads what [Entry.Encode] made; it takes nothing else.
func DecodeEntry(b []byte) (*Entry, error) {
	body, err := wire.Unframe(entrySchema, b)
	if err != nil {
		return nil, err
	}
	d := wire.NewDecoder(body)
	e := &Entry{Reads: decodeReads(d)}
	decodeBody(d, e)
	if err := d.End(); err != nil {
		return nil, err
	}
	return e, nil
}

func encodeReads(w *wire.Encoder, reads []Read) {
	w.Uint(uint64(len(reads)))
	for _, r := range reads {
		w.String(r.Name)
		w.Bool(r.Set)
		w.Fixed(r.Digest[:])
	}
}

func decodeReads(d *wire.Decoder) []Read {
	return list(d, func(r *Read) {
		r.Name = d.String()
		r.Set = d.Bool()
		d.Fixed(r.Digest[:])
	})
}

// list takes a list whose elements take themselves; an empty one is nil.
func list[T any](d *wire.Decoder, take func(*T)) []T {
	n := d.Count()
	if n == 0 {
		return nil
	}
	out := make([]T, 0, min(n, 4096)) // n is only bounded by the input's bytes
	for range n {
		var zero T
		out = append(out, zero)
		take(&out[len(out)-1])
	}
	return out
}

func encodeBody(w *wire.Encoder, e *Entry) {
	w.String(e.Dir)
	w.String(e.Label)
	w.Int(e.Created)
	w.Int(e.Reloaded)
	w.Uint(uint64(len(e.Watched)))
	for _, f := range e.Watched {
		w.String(f.Path)
		w.Bool(f.Absent)
		w.Fixed(f.Digest[:])
	}
	w.Uint(uint64(len(e.Variables)))
	for _, v := range e.Variables {
		w.String(v.Name)
		w.String(v.Value.Reveal())
		w.Bool(v.Secret)
		w.Bool(v.List)
		w.Int(v.ExpiresAt)
	}
	w.Strings(e.Unset)
	w.Strings(e.Unit)
	w.Strings(e.Path)
	w.Uint(uint64(len(e.Files)))
	for _, f := range e.Files {
		w.String(f.Name)
		w.String(f.Content.Reveal())
		w.Int(f.ExpiresAt)
	}
	w.Int(e.RefreshAt)
	w.Int(e.ExpiresAt)
	w.Uint(uint64(len(e.Credentials)))
	for _, c := range e.Credentials {
		encodeCredential(w, c)
	}
	EncodeMessages(w, e.Notices)
	encodeFailure(w, e.Failure)
}

func decodeBody(d *wire.Decoder, e *Entry) {
	e.Dir = d.String()
	e.Label = d.String()
	e.Created = d.Int()
	e.Reloaded = d.Int()
	e.Watched = list(d, func(f *Watched) {
		f.Path = d.String()
		f.Absent = d.Bool()
		d.Fixed(f.Digest[:])
	})
	e.Variables = list(d, func(v *Variable) {
		v.Name = d.String()
		v.Value = secret.New(d.String())
		v.Secret = d.Bool()
		v.List = d.Bool()
		v.ExpiresAt = d.Int()
	})
	e.Unset = d.Strings()
	e.Unit = d.Strings()
	e.Path = d.Strings()
	e.Files = list(d, func(f *FileVariable) {
		f.Name = d.String()
		f.Content = secret.New(d.String())
		f.ExpiresAt = d.Int()
	})
	e.RefreshAt = d.Int()
	e.ExpiresAt = d.Int()
	e.Credentials = list(d, func(c *Credential) { *c = decodeCredential(d) })
	e.Notices = DecodeMessages(d)
	e.Failure = decodeFailure(d)
}

func encodeCredential(w *wire.Encoder, c Credential) {
	w.String(c.Account)
	w.String(c.ARN)
	w.String(c.Source)
	w.Int(c.RefreshAt)
	w.Int(c.ExpiresAt)
	w.String(c.Failing)
}

func decodeCredential(d *wire.Decoder) Credential {
	return Credential{
		Account: d.String(), ARN: d.String(), Source: d.String(),
		RefreshAt: d.Int(), ExpiresAt: d.Int(), Failing: d.String(),
	}
}

func encodeFailure(w *wire.Encoder, f *Failure) {
	w.Bool(f != nil)
	if f == nil {
		return
	}
	w.String(f.Kind)
	EncodeMessages(w, f.Messages)
	w.Int(f.RetryAt)
	w.Int(f.Wait)
}

func decodeFailure(d *wire.Decoder) *Failure {
	if !d.Bool() {
		return nil
	}
	return &Failure{Kind: d.String(), Messages: DecodeMessages(d), RetryAt: d.Int(), Wait: d.Int()}
}

// EncodeMessages appends messages.
func EncodeMessages(w *wire.Encoder, messages []Message) {
	w.Uint(uint64(len(messages)))
	for _, m := range messages {
		w.String(m.Level)
		encodePlace(w, m.Place)
		w.String(m.Text)
		w.Uint(uint64(len(m.Imports)))
		for _, p := range m.Imports {
			encodePlace(w, p)
		}
	}
}

// DecodeMessages takes what [EncodeMessages] appended.
func DecodeMessages(d *wire.Decoder) []Message {
	return list(d, func(m *Message) {
		m.Level, m.Place, m.Text = d.String(), decodePlace(d), d.String()
		m.Imports = list(d, func(p *Place) { *p = decodePlace(d) })
	})
}

func encodePlace(w *wire.Encoder, p Place) {
	w.String(p.File)
	w.Int(int64(p.Line))
	w.Int(int64(p.Column))
}

func decodePlace(d *wire.Decoder) Place {
	return Place{File: d.String(), Line: int(d.Int()), Column: int(d.Int())}
}

// HasResult says whether the entry holds a result, and not only a failure.
func (e *Entry) HasResult() bool {
	return e.Failure == nil || len(e.Variables)+len(e.Unset)+len(e.Path)+len(e.Files) > 0
}

// Alive says whether its values may be served at this instant.
func (e *Entry) Alive(now int64) bool {
	return e.HasResult() && (e.ExpiresAt == 0 || now < e.ExpiresAt)
}

// Failed returns the entry with the failure of a later attempt.
func (e *Entry) Failed(f *Failure) *Entry {
	out := *e
	out.Failure = f
	return &out
}

// Backoff is how many seconds to wait after a failure that followed one which
// had waited so long: 30 s, doubling to 5 min.
func Backoff(waited int64) int64 { return min(max(30, 2*waited), 300) }
