package hook

import (
	"encoding/hex"
	"slices"
	"strings"

	"ambit/resolver/cache/wire"
)

// Session is what earlier runs did in this shell and those it came from: what
// was set, and what that replaced. It travels in [StateVar], sealed.
type Session struct {
	State   State
	Pending bool   // a change was begun: each variable is as it was before, or as it is to be
	Dir     string // canonical directory of the file
	Label   string
	Said    [8]byte // hash of the message said last, which is not said again

	// Definition is a hash of the files that the entry was made from. Refreshed
	// credentials do not change it, an edit does.
	Definition [16]byte
	Reloaded   int64  // [cache.Entry].Reloaded
	RetryAt    int64  // of a failure
	Unkept     bool   // that failure could not be written down: the disk may be full
	Files      string // the set of files that it exports, "" for none

	Held []Held // sorted by name
}

// State of a session.
type State uint8

// A session is made when there is something to say or to remember.
const (
	Blocked State = iota // not allowed, denied or edited since
	Loaded
	Failed
)

// Held is a variable that we set or unset.
type Held struct {
	Name  string
	Unset bool         // we unset it
	Hash  [16]byte     // keyed hash of the value we set; zero if we unset it
	Old   []([16]byte) // while Pending: what it may also still be from us
	Prior *string      // the value we replaced; nil: it was not set
	Added []string     // of a list: the entries that we put in
	Lost  bool         // the user changed it: it is theirs until they leave
}

const sessionForm = 3

func (s *Session) encode() []byte {
	var w wire.Encoder
	w.Grow(256 + 48*len(s.Held))
	w.Uint(sessionForm)
	w.Uint(uint64(s.State))
	w.String(s.Dir)
	w.String(s.Label)
	w.Fixed(s.Said[:])
	w.Fixed(s.Definition[:])
	w.Int(s.Reloaded)
	w.Int(s.RetryAt)
	w.Bool(s.Unkept)
	w.String(s.Files)
	w.Uint(uint64(len(s.Held)))
	for _, h := range s.Held {
		w.String(h.Name)
		w.Bool(h.Unset)
		if !h.Unset {
			w.Fixed(h.Hash[:])
		}
		w.Uint(uint64(len(h.Old)))
		for _, old := range h.Old {
			w.Fixed(old[:])
		}
		w.Bool(h.Prior != nil)
		if h.Prior != nil {
			w.String(*h.Prior)
		}
		w.Strings(h.Added)
		w.Bool(h.Lost)
	}
	return w.Bytes()
}

func decodeSession(b []byte) (*Session, error) {
	d := wire.NewDecoder(b)
	if d.Uint() != sessionForm {
		return nil, wire.ErrMalformed
	}
	s := &Session{State: State(d.Uint()), Dir: d.String(), Label: d.String()}
	d.Fixed(s.Said[:])
	d.Fixed(s.Definition[:])
	s.Reloaded, s.RetryAt, s.Unkept, s.Files = d.Int(), d.Int(), d.Bool(), d.String()
	for range d.Count() {
		h := Held{Name: d.String(), Unset: d.Bool()}
		if !h.Unset {
			d.Fixed(h.Hash[:])
		}
		for range d.Count() {
			var old [16]byte
			d.Fixed(old[:])
			h.Old = append(h.Old, old)
		}
		if d.Bool() {
			prior := d.String()
			h.Prior = &prior
		}
		h.Added, h.Lost = d.Strings(), d.Bool()
		s.Held = append(s.Held, h)
	}
	if err := d.End(); err != nil {
		return nil, err
	}
	// The seal proves that we made it; this holds the rest of the code to what
	// it may rely on all the same.
	sorted := slices.IsSortedFunc(s.Held, func(a, b Held) int { return strings.Compare(a.Name, b.Name) })
	if s.State > Failed || !sorted || slices.ContainsFunc(s.Held, func(h Held) bool { return !ValidName(h.Name) }) {
		return nil, wire.ErrMalformed
	}
	return s, nil
}

// unsealed is a [StateVar] for where there are no keys to seal one: it remembers a
// digest of what was said.
func unsealed(said [8]byte) string { return unsealedForm + hex.EncodeToString(said[:]) }

const unsealedForm = "0"

// IsUnsealed says whether a [StateVar] holds no session but what was said last, as it
// is where there are no keys.
func IsUnsealed(state string) bool {
	return len(state) == len(unsealed([8]byte{})) && strings.HasPrefix(state, unsealedForm)
}

// OpenSession reads a [StateVar]; "" is no session. The error says that the
// state is not one of ours.
func (k *Keys) OpenSession(state string) (*Session, error) {
	if state == "" || IsUnsealed(state) {
		return nil, nil
	}
	state, pending := strings.CutPrefix(state, pendingMark)
	plain, err := k.Unseal(state)
	if err != nil {
		return nil, err
	}
	s, err := decodeSession(plain)
	if err == nil {
		s.Pending = pending
	}
	return s, err
}

// pendingMark stands before the seal and not within: where nothing was held, a
// change that was begun and the same one that is complete differ in nothing else,
// and a thousand variables are sealed once.
const pendingMark = "p"

// ValidName says whether a shell can have a variable of this name. Others are
// never touched: `unset 'A[$(cmd)]'` runs cmd.
func ValidName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
