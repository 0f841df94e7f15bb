package main

import (
	"fmt"
	"strings"
	"time"

	"ambit/hook"
)

// rowIndent is where the text of a row begins, in `status` and `why`.
const rowIndent = 13

// row prints a name and beside it text, which is wrapped to fit the screen; with the
// name "" it belongs to the row above. Texts are foreign.
func (a *ambit) row(name, format string, args ...any) {
	text := printableWhole(fmt.Sprintf(format, args...))
	margin := rowIndent
	for strings.HasPrefix(text, " ") {
		text, margin = text[1:], margin+1
	}
	for i, line := range wrapped(text, a.screen().columns-margin-2) {
		if i == 1 {
			name, margin = "", margin+2
		}
		fmt.Fprintf(a.out, "%-*s%s\n", margin, name, line)
	}
}

// left is how long it is until an instant, such as "42m"; "" if it is past.
func (a *ambit) left(at int64) string {
	d := time.Unix(at, 0).Sub(a.now())
	if d <= 0 {
		return ""
	}
	return hook.Life(d)
}

// ago is how long ago an instant was, such as "12m ago".
func (a *ambit) ago(at int64) string {
	d := a.now().Sub(time.Unix(at, 0))
	switch {
	case d < time.Second:
		return "just now"
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days ago", d/(24*time.Hour))
	}
	return hook.Life(d) + " ago"
}

// lives says how long what the cache holds is fresh and serves.
func (a *ambit) lives(refreshAt, expiresAt int64) string {
	var parts []string
	if refreshAt != 0 {
		if left := a.left(refreshAt); left != "" {
			parts = append(parts, "fresh for "+left)
		} else {
			parts = append(parts, "due to be renewed")
		}
	}
	if expiresAt != 0 {
		if left := a.left(expiresAt); left != "" {
			parts = append(parts, "serves for "+left)
		} else {
			parts = append(parts, "expired")
		}
	}
	if len(parts) == 0 {
		return "does not expire"
	}
	return strings.Join(parts, ", ")
}
