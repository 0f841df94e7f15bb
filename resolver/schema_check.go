package resolver

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
)

// allows says whether a value of this type can fit.
func (s *Schema) allows(kind string) bool {
	return s == nil || len(s.Types) == 0 || slices.Contains(s.Types, kind)
}

// typeNames names types as messages do.
func typeNames(types ...string) string {
	out := slices.Clone(types)
	for i, name := range out {
		if name == "array" {
			out[i] = List.String()
		}
	}
	return strings.Join(out, " or ")
}

// keys are the names of the properties, sorted.
func (s *Schema) keys() []string {
	keys := make([]string, 0, len(s.Properties))
	for key := range s.Properties {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// misfit is where a value does not fit a schema. Its texts hold no values.
type misfit struct {
	path    []string // keys, and elements as digits
	key     bool     // the key itself is at fault, not its value
	summary string
	hint    string
}

// fit compares a value with a schema. Unknown parts fit everything.
func (s *Schema) fit(v Value, path []string) []misfit {
	if s == nil || v.Unknown {
		return nil
	}
	at := slices.Clip(path)
	one := func(hint, format string, args ...any) []misfit {
		return []misfit{{path: at, summary: fmt.Sprintf(format, args...), hint: hint}}
	}
	if !s.allows(v.Kind.schemaType()) {
		hint := ""
		if s.allows("string") && (v.Kind == Number || v.Kind == Bool) {
			hint = "quote it"
		}
		return one(hint, "expected %s, got %s", typeNames(s.Types...), v.Kind)
	}
	var out []misfit
	switch v.Kind {
	case String:
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, v.Text) {
			hint := ""
			if !v.Secret {
				hint = didYouMean(v.Text, s.Enum)
			}
			return one(hint, "expected one of %s", strings.Join(s.Enum, ", "))
		}
		if s.Pattern != "" && !compiled(s.Pattern).MatchString(v.Text) {
			say := s.PatternSay
			if say == "" {
				say = "a text that matches " + s.Pattern
			}
			return one("", "expected %s", say)
		}
	case List:
		if len(v.List) < s.MinItems {
			return one("", "expected at least %s, got %d", count(s.MinItems, "element"), len(v.List))
		}
		for i, item := range v.List {
			out = append(out, s.Items.fit(item, append(at, fmt.Sprint(i)))...)
		}
	case Object:
		return s.fitObject(v, at)
	}
	return out
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (s *Schema) fitObject(v Value, at []string) (out []misfit) {
	if len(v.Object) < s.MinKeys {
		out = append(out, misfit{path: at, summary: fmt.Sprintf("expected at least %s, got %d", count(s.MinKeys, "key"), len(v.Object))})
	}
	keys := sortedKeys(v.Object)
	for _, key := range keys {
		below := append(at, key)
		property, known := s.Properties[key] // nil accepts everything
		switch {
		case known:
			out = append(out, property.fit(v.Object[key], below)...)
		case s.Additional != nil:
			out = append(out, s.Additional.fit(v.Object[key], below)...)
		case s.Open:
		default:
			out = append(out, misfit{path: slices.Clone(below), key: true,
				summary: fmt.Sprintf("unknown input %q", key), hint: didYouMean(key, s.keys())})
		}
	}
	for _, key := range s.Required {
		if _, ok := v.Object[key]; !ok {
			out = append(out, misfit{path: at, summary: fmt.Sprintf("the input %q is missing", key)})
		}
	}
	if len(s.ExactlyOne) > 0 {
		var got []string
		for _, key := range s.ExactlyOne {
			if _, ok := v.Object[key]; ok {
				got = append(got, key)
			}
		}
		switch {
		case len(got) == 0 && len(out) == 0:
			out = append(out, misfit{path: at, summary: "one of " + strings.Join(s.ExactlyOne, ", ") + " is missing"})
		case len(got) > 1:
			out = append(out, misfit{path: append(slices.Clone(at), got[1]), key: true,
				summary: fmt.Sprintf("%q stands beside %q, and only one of them can be given", got[1], got[0])})
		}
	}
	return out
}

var patternCache sync.Map // of *regexp.Regexp, by pattern

// compiled returns the expression that matches all of a text.
func compiled(pattern string) *regexp.Regexp {
	if re, ok := patternCache.Load(pattern); ok {
		return re.(*regexp.Regexp)
	}
	re := regexp.MustCompile(`\A(?:` + pattern + `)\z`)
	patternCache.Store(pattern, re)
	return re
}

// placeOf finds where the part of a written value stands, as near as it is
// literal.
func placeOf(e *expr, path []string, key bool) Position {
	pos := e.pos()
	for i, name := range path {
		switch e.kind {
		case exprObject:
			p := e.property(name)
			if p == nil {
				return pos
			}
			if key && i == len(path)-1 {
				return e.env.at(p.line, p.col)
			}
			e = p.value
		case exprList:
			var n int
			if _, err := fmt.Sscan(name, &n); err != nil || n < 0 || n >= len(e.items) {
				return pos
			}
			e = e.items[n]
		default:
			return pos
		}
		pos = e.pos()
	}
	return pos
}
