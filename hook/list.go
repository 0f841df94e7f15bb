package hook

import (
	"slices"
	"strings"
)

// A list variable, such as PATH, holds directories separated by colons. An
// empty one means the current directory, and fish writes it so: `a::b` becomes
// `a:.:b`. Both are the same list.

// tidy is a list as it is compared.
func tidy(list string) string {
	parts := strings.Split(list, ":")
	for i, p := range parts {
		if p == "" {
			parts[i] = "."
		}
	}
	return strings.Join(parts, ":")
}

// prepend puts entries before what is there, which may be nothing.
func prepend(entries []string, rest string, set bool) string {
	if set && rest != "" {
		return strings.Join(entries, ":") + ":" + rest
	}
	return strings.Join(entries, ":")
}

// added lists the entries of value that prior has not.
func added(value string, prior *string) []string {
	out := strings.Split(value, ":")
	if prior != nil {
		for _, p := range strings.Split(*prior, ":") {
			if i := slices.Index(out, p); i >= 0 {
				out = slices.Delete(out, i, i+1)
			}
		}
	}
	return out
}

// without removes the first of each of our entries from what the user made of
// the list. Where none of the entries that we had replaced is left, they are put
// back behind it.
func without(list string, ours []string, prior *string) *string {
	parts := strings.Split(list, ":")
	for _, entry := range ours {
		if i := slices.Index(parts, entry); i >= 0 {
			parts = slices.Delete(parts, i, i+1)
		}
	}
	if prior != nil {
		old := strings.Split(*prior, ":")
		if !slices.ContainsFunc(old, func(p string) bool { return slices.Contains(parts, p) }) {
			parts = append(parts, old...)
		}
	} else if len(parts) == 0 {
		return nil
	}
	out := strings.Join(parts, ":")
	return &out
}
