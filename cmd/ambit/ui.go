package main

// How ambit speaks. Stdout is what was asked for, or what a shell evaluates;
// everything else goes to stderr, and each of its lines begins with "ambit:".
// No capitals at the start and no full stop at the end. One error, then at most
// one hint, and only one that the reader can act on. Foreign text is made
// printable where it is printed, here and in hook.Voice, which ambit-hook uses
// as well.

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/cache"
)

func errorMessage(text string) cache.Message { return cache.Message{Level: "error", Text: text} }
func warning(text string) cache.Message      { return cache.Message{Level: "warning", Text: text} }
func hint(text string) cache.Message         { return cache.Message{Level: "hint", Text: text} }
func plain(text string) cache.Message        { return cache.Message{Text: text} }

func (a *ambit) say(messages ...cache.Message) {
	v := hook.Voice{W: a.stderr, Places: a.places, Dir: a.dir}
	for _, m := range messages {
		v.Say(m)
	}
}

// short writes a path as messages do, not yet printable.
func (a *ambit) short(path string) string { return a.places.Short(path, a.dir) }

// hinted is an error with something to do about it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

func withHint(err error, hint string) error { return hinted{err, hint} }

// usageError is a command line that ambit does not understand: exit status 2.
type usageError struct {
	text string
	hint string
}

func (u usageError) Error() string { return u.text }

// said is the exit status of an error that was said already.
type said int

func (s said) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// broken is an error that has its messages ready.
type broken []cache.Message

func (b broken) Error() string {
	for _, m := range b {
		if m.Level == "error" {
			return m.Text
		}
	}
	return "failed"
}

// sayError says an error, unless it was said, and returns the exit status.
func (a *ambit) sayError(err error) int {
	var (
		status said
		usage  usageError
		h      hinted
		b      broken
	)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		a.say(errorMessage("interrupted"))
		return 130
	case errors.As(err, &usage):
		a.say(errorMessage(usage.text))
		if usage.hint != "" {
			a.say(hint(usage.hint))
		}
		return 2
	case errors.As(err, &b):
		a.say(b...)
		return 1
	case errors.As(err, &h):
		a.say(errorMessage(err.Error()), hint(h.hint))
		return 1
	}
	a.say(errorMessage(err.Error()))
	return 1
}

// messages turns diagnostics into lines: errors first, for a person reads from
// the top, and each hint after what it is about.
func messages(diags []resolver.Diagnostic) []cache.Message {
	var errs, warns []cache.Message
	for _, d := range diags {
		m := cache.Message{Level: "error", Place: cache.Place(d.Pos), Text: d.Summary}
		for _, p := range d.Imports {
			m.Imports = append(m.Imports, cache.Place(p))
		}
		lines := []cache.Message{m}
		if d.Hint != "" {
			lines = append(lines, hint(d.Hint))
		}
		if d.Severity == resolver.Warning {
			lines[0].Level = "warning"
			warns = append(warns, lines...)
		} else {
			errs = append(errs, lines...)
		}
	}
	return append(errs, warns...)
}

// didYouMean is the hint for a word that none of the names is, or "".
func didYouMean(word string, names []string) string {
	if name := resolver.Nearest(word, names); name != "" {
		return fmt.Sprintf("did you mean %q?", name)
	}
	return ""
}

// panicPlace names the line of ours that panicked.
func panicPlace() string {
	pc := make([]uintptr, 32)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)])
	for {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, "ambit/") || strings.HasPrefix(f.Function, "main.") {
			if f.Function != "main.run.func1" {
				return fmt.Sprintf(" in %s:%d", filepath.Base(f.File), f.Line)
			}
		}
		if !more {
			return ""
		}
	}
}
