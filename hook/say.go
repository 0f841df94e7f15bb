package hook

import (
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"ambit/resolver/cache"
	"ambit/shells"
)

// Voice prints to people: every line begins with "ambit:", errors name their
// place, and nothing foreign reaches the terminal as it is. Both programs speak
// with it.
type Voice struct {
	W      io.Writer
	Places Places
	Dir    string // paths are relative to it
}

// Say prints one message.
func (v Voice) Say(m cache.Message) {
	_, _ = io.WriteString(v.W, v.line(m)+"\n") // there is nobody to tell
}

func (v Voice) line(m cache.Message) string {
	var b strings.Builder
	b.WriteString("ambit: ")
	if m.Level != "" {
		b.WriteString(m.Level + ": ")
	}
	if m.Place.File != "" {
		b.WriteString(v.place(m.Place) + ": ")
	}
	b.WriteString(shells.Printable(m.Text))
	for _, p := range m.Imports {
		b.WriteString("; imported from " + v.place(p))
	}
	return b.String()
}

func (v Voice) place(p cache.Place) string {
	s := shells.Printable(v.Places.Short(p.File, v.Dir))
	if p.Line > 0 {
		s += ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
	}
	return s
}

func errorMessage(text string) cache.Message { return cache.Message{Level: "error", Text: text} }
func warning(text string) cache.Message      { return cache.Message{Level: "warning", Text: text} }
func hint(text string) cache.Message         { return cache.Message{Level: "hint", Text: text} }
func plain(text string) cache.Message        { return cache.Message{Text: text} }

// firstError is what a prompt says of a failure: one error, what belongs to it,
// and where the others are.
func firstError(messages []cache.Message) []cache.Message {
	seen := false
	for i, m := range messages {
		if m.Level == "error" && seen {
			return append(messages[:i:i], plain(`there are more errors: run "ambit reload"`))
		}
		seen = seen || m.Level == "error"
	}
	return messages
}

// digest tells messages apart, so that none is said twice.
func digest(messages []cache.Message) (sum [8]byte) {
	if len(messages) == 0 {
		return sum
	}
	h := sha256.New()
	for _, m := range messages {
		_, _ = fmt.Fprintf(h, "%q %q %v %v\n", m.Level, m.Text, m.Place, m.Imports) // never fails
	}
	copy(sum[:], h.Sum(nil))
	return sum
}

// String is the tally as a load shows it, such as "(+6 ~1)".
func (t Tally) String() string {
	var parts []string
	for _, p := range []struct {
		sign string
		n    int
	}{{"+", t.Added}, {"~", t.Changed}, {"-", t.Removed}} {
		if p.n > 0 {
			parts = append(parts, p.sign+strconv.Itoa(p.n))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, " ") + ")"
}

// Life is how long something still lives, as people say it: 45s, 59m, 11h59m.
func Life(d time.Duration) string {
	switch {
	case d < 90*time.Second:
		return strconv.Itoa(int(d.Round(time.Second)/time.Second)) + "s"
	case d < time.Hour+30*time.Second:
		return strconv.Itoa(int(d.Round(time.Minute)/time.Minute)) + "m"
	}
	d = d.Round(time.Minute)
	if m := int(d/time.Minute) % 60; m != 0 {
		return strconv.Itoa(int(d/time.Hour)) + "h" + strconv.Itoa(m) + "m"
	}
	return strconv.Itoa(int(d/time.Hour)) + "h"
}
