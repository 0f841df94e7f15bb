// Package secret holds text that must not be shown. A [Text] prints as
// "[secret]" for every formatting verb, as JSON and in slog records, so that a
// value cannot reach a message, a log or a failing test by accident. Only
// [Text.Reveal] gives it away, and it can be searched for.
package secret

import (
	"fmt"
	"io"
)

// Redacted is what stands for a secret wherever one would be shown.
const Redacted = "[secret]"

// Text is a string of any bytes that does not show itself. The zero value is
// the empty string. Compare what Reveal returns: == compares identities.
type Text struct {
	// Behind a pointer, because fmt calls no methods of what an unexported
	// field holds or of an operand of %p, and prints its fields instead.
	p *string
}

// New wraps s.
func New(s string) Text { return Text{&s} }

// Reveal returns the bytes. Call it only where they are handed over: to a
// shell, a child, the cache, a hash.
func (t Text) Reveal() string {
	if t.p == nil {
		return ""
	}
	return *t.p
}

// Len is the number of bytes.
func (t Text) Len() int { return len(t.Reveal()) }

// Format implements [fmt.Formatter] for every verb and flag.
func (t Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Redacted) }

// String implements [fmt.Stringer].
func (t Text) String() string { return Redacted }

// GoString implements [fmt.GoStringer].
func (t Text) GoString() string { return Redacted }

// MarshalJSON implements json.Marshaler; it never fails.
func (t Text) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler; it never fails. With
// MarshalJSON it also serves slog, whose import every prompt would pay for.
func (t Text) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
