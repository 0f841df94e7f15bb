// Package wire is the byte form of everything that the two programs keep or
// hand to each other: numbers as minimal varints, strings of any bytes behind
// their length. JSON cannot hold them: a path or a value need not be UTF-8.
//
// There is one encoding of each value and [Decoder] takes no other, so what is
// accepted encodes to the same bytes again. A decoder never allocates more than
// a small multiple of its input.
package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
)

// ErrMalformed is the error of all input that no [Encoder] made.
var ErrMalformed = errors.New("malformed")

// Encoder appends values to a buffer. The zero Encoder is ready for use.
type Encoder struct{ buf []byte }

// Bytes returns what was encoded so far.
func (e *Encoder) Bytes() []byte { return e.buf }

// Grow makes room for n more bytes, for callers that know about how many follow.
func (e *Encoder) Grow(n int) { e.buf = slices.Grow(e.buf, n) }

// Uint appends a number.
func (e *Encoder) Uint(u uint64) { e.buf = binary.AppendUvarint(e.buf, u) }

// Int appends a number that may be negative.
func (e *Encoder) Int(i int64) { e.buf = binary.AppendVarint(e.buf, i) }

// Bool appends a truth value.
func (e *Encoder) Bool(b bool) {
	if b {
		e.buf = append(e.buf, 1)
	} else {
		e.buf = append(e.buf, 0)
	}
}

// String appends bytes and their number.
func (e *Encoder) String(s string) {
	e.Uint(uint64(len(s)))
	e.buf = append(e.buf, s...)
}

// Strings appends a list.
func (e *Encoder) Strings(list []string) {
	e.Uint(uint64(len(list)))
	for _, s := range list {
		e.String(s)
	}
}

// Fixed appends bytes whose number the reader knows.
func (e *Encoder) Fixed(b []byte) { e.buf = append(e.buf, b...) }

// Decoder takes values from a buffer. After the first malformed one every
// method returns a zero value; [Decoder.End] tells.
type Decoder struct {
	s   string
	err error
}

// NewDecoder reads a copy of b. The strings that are taken share it.
func NewDecoder(b []byte) *Decoder { return &Decoder{s: string(b)} }

// NewStringDecoder reads s, such as a string that another decoder took.
func NewStringDecoder(s string) *Decoder { return &Decoder{s: s} }

func (d *Decoder) fail() {
	d.err, d.s = ErrMalformed, ""
}

// Uint takes a number.
func (d *Decoder) Uint() uint64 {
	var u uint64
	for i := 0; i < len(d.s) && i < binary.MaxVarintLen64; i++ {
		c := d.s[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break // more than 64 bits
		}
		u |= uint64(c&0x7f) << (7 * i)
		if c >= 0x80 {
			continue
		}
		if i > 0 && c == 0 {
			break // a longer way to write a smaller number
		}
		d.s = d.s[i+1:]
		return u
	}
	d.fail()
	return 0
}

// Int takes a number that may be negative.
func (d *Decoder) Int() int64 {
	u := d.Uint()
	i := int64(u >> 1)
	if u&1 != 0 {
		i = ^i
	}
	return i
}

// Bool takes a truth value.
func (d *Decoder) Bool() bool {
	if len(d.s) == 0 || d.s[0] > 1 {
		d.fail()
		return false
	}
	v := d.s[0] == 1
	d.s = d.s[1:]
	return v
}

// String takes a string.
func (d *Decoder) String() string {
	n := d.Uint()
	if n > uint64(len(d.s)) {
		d.fail()
		return ""
	}
	s := d.s[:n]
	d.s = d.s[n:]
	return s
}

// Strings takes a list; an empty one is nil.
func (d *Decoder) Strings() []string {
	n := d.Count()
	if n == 0 {
		return nil
	}
	list := make([]string, 0, n)
	for range n {
		list = append(list, d.String())
	}
	return list
}

// Count takes the length of a list, whose elements have at least a byte each.
func (d *Decoder) Count() int {
	n := d.Uint()
	if n > uint64(len(d.s)) {
		d.fail()
		return 0
	}
	return int(n)
}

// Fixed fills b.
func (d *Decoder) Fixed(b []byte) {
	if len(d.s) < len(b) {
		d.fail()
		clear(b)
		return
	}
	copy(b, d.s)
	d.s = d.s[len(b):]
}

// End returns [ErrMalformed] unless exactly the whole input was taken.
func (d *Decoder) End() error {
	if d.err == nil && len(d.s) != 0 {
		d.fail()
	}
	return d.err
}

// Frame wraps a body that is kept on disk: a schema line that names what it is
// and a SHA-256 over all, so that a short, damaged or foreign file is seen.
func Frame(schema string, body []byte) []byte {
	out := make([]byte, 0, len(schema)+1+len(body)+sha256.Size)
	out = append(out, schema...)
	out = append(out, '\n')
	out = append(out, body...)
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}

// Unframe returns the body of what [Frame] made with the same schema.
func Unframe(schema string, b []byte) ([]byte, error) {
	n := len(b) - sha256.Size
	if n < len(schema)+1 || string(b[:len(schema)]) != schema || b[len(schema)] != '\n' {
		return nil, ErrMalformed
	}
	if sha256.Sum256(b[:n]) != [sha256.Size]byte(b[n:]) {
		return nil, ErrMalformed
	}
	return b[len(schema)+1 : n], nil
}
