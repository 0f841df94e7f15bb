package resolver

import (
	"fmt"
	"sort"
	"strings"
	"unicode"
)

// Difference is a place at which two values differ.
type Difference struct {
	Path   string // as `ambit open` takes it
	Before *Value // nil: it is only in the second
	After  *Value // nil: it is only in the first
}

// Differences compares two values part by part: of objects the keys, of lists
// the elements. They come sorted by path.
func Differences(before, after Value) []Difference {
	a, b := map[string]Value{}, map[string]Value{}
	leaves(before, "", a)
	leaves(after, "", b)
	var out []Difference
	for path, v := range a {
		w, ok := b[path]
		switch {
		case !ok:
			out = append(out, Difference{Path: path, Before: &v})
		case !sameLeaf(v, w):
			out = append(out, Difference{Path: path, Before: &v, After: &w})
		}
	}
	for path, w := range b {
		if _, ok := a[path]; !ok {
			out = append(out, Difference{Path: path, After: &w})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out
}

// leaves collects the parts of a value that have none themselves.
func leaves(v Value, path string, into map[string]Value) {
	switch {
	case v.Unknown || v.Secret:
	case v.Kind == Object && len(v.Object) > 0:
		for key, item := range v.Object {
			leaves(item, joinPath(path, key), into)
		}
		return
	case v.Kind == List && len(v.List) > 0:
		for i, item := range v.List {
			leaves(item, fmt.Sprintf("%s[%d]", path, i), into)
		}
		return
	case path == "":
		return // an environment without values
	}
	into[path] = v
}

// joinPath adds a key to a path.
func joinPath(path, key string) string {
	if key == "" || strings.ContainsFunc(key, func(r rune) bool {
		return strings.ContainsRune(`.[]}"\`, r) || unicode.IsSpace(r) || !unicode.IsPrint(r)
	}) {
		return path + `["` + strings.ReplaceAll(key, `"`, `\"`) + `"]`
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func sameLeaf(a, b Value) bool {
	if a.Unknown || b.Unknown {
		// Of what was not opened the text tells what would be.
		return a.Unknown == b.Unknown && a.Secret == b.Secret && a.Text == b.Text
	}
	x, _ := appendJSON(nil, a, 1<<40)
	y, _ := appendJSON(nil, b, 1<<40)
	return a.Secret == b.Secret && a.Kind == b.Kind && string(x) == string(y) && (a.Kind != String || a.Text == b.Text)
}

// Shown is a value on one line, as JSON, redacted unless secrets are to be shown.
func Shown(v Value, showSecrets bool) string {
	b, _ := appendJSON(nil, Redact(v, showSecrets), 1<<40)
	return string(b)
}
