package resolver

import (
	"strconv"
	"strings"
)

// accessor is one step of a path: a property or, if index is not negative, an
// element.
type accessor struct {
	name   string
	index  int // -1: a property
	digits string
	offset int // of its first byte in the text
	quoted bool
}

func (a accessor) String() string {
	if a.index >= 0 || a.digits != "" {
		return "[" + a.digits + "]"
	}
	return strconv.Quote(a.name)
}

// part of an interpolated text: literal text, or a reference.
type part struct {
	literal string
	path    []accessor // nil: literal
	offset  int        // of "${"
}

// textError is what is wrong with a text, at a byte of it.
type textError struct {
	offset  int
	summary string
	hint    string
}

// parseText splits a text into literals and references:
//
//	text  = { "$$" | "${" path "}" | char }
//	path  = ( name | "[" quote "]" ) { "." name | "[" digits "]" | "[" quote "]" }
//	name  = one or more bytes other than . [ } and white space
//	quote = '"' { '\"' | not '"' } '"'
func parseText(s string) ([]part, *textError) {
	var parts []part
	var literal strings.Builder
	for i := 0; i < len(s); {
		next := strings.IndexByte(s[i:], '$')
		if next < 0 || i+next+1 >= len(s) {
			literal.WriteString(s[i:])
			break
		}
		literal.WriteString(s[i : i+next])
		i += next
		switch s[i+1] {
		case '$':
			literal.WriteByte('$')
			i += 2
		case '{':
			path, end, err := parsePath(s, i+2, true)
			if err != nil {
				return nil, err
			}
			if literal.Len() > 0 {
				parts = append(parts, part{literal: literal.String()})
				literal.Reset()
			}
			parts = append(parts, part{path: path, offset: i})
			i = end
		default:
			literal.WriteByte('$')
			i++
		}
	}
	if literal.Len() > 0 {
		parts = append(parts, part{literal: literal.String()})
	}
	return parts, nil
}

// parsePath reads a path from s[i:], up to and with the closing brace if it
// stands in a text, else to the end.
func parsePath(s string, i int, braced bool) (path []accessor, end int, err *textError) {
	closed := func() bool { return braced && i < len(s) && s[i] == '}' || !braced && i == len(s) }
	for first := true; ; first = false {
		switch {
		case !first && closed():
			if braced {
				i++
			}
			return path, i, nil
		case i >= len(s):
			return nil, 0, &textError{i, `the reference has no closing "}"`, `write "$${" for the text "${"`}
		case s[i] == '[':
			a, after, err := parseSubscript(s, i, first)
			if err != nil {
				return nil, 0, err
			}
			path, i = append(path, a), after
			continue
		case !first && s[i] != '.':
			return nil, 0, &textError{i, "the reference needs a \".\", \"[\" or \"}\" here", ""}
		}
		if !first {
			i++
		}
		start := i
		for i < len(s) && !strings.ContainsRune(".[}", rune(s[i])) && !isSpace(s, i) {
			i++
		}
		if i == start {
			summary := "the reference lacks a name here"
			if first && i < len(s) && s[i] == '}' {
				summary = "the reference is empty"
			}
			return nil, 0, &textError{start, summary, `write "$${" for the text "${"`}
		}
		path = append(path, accessor{name: s[start:i], index: -1, offset: start})
	}
}

func isSpace(s string, i int) bool {
	switch s[i] {
	case ' ', '\t', '\n', '\r', '\v', '\f':
		return true
	}
	return false
}

func parseSubscript(s string, i int, first bool) (a accessor, end int, err *textError) {
	start := i
	i++ // [
	if i < len(s) && s[i] == '"' {
		var name strings.Builder
		for i++; i < len(s) && s[i] != '"'; i++ {
			if s[i] == '\\' && i+1 < len(s) && s[i+1] == '"' {
				i++
			}
			name.WriteByte(s[i])
		}
		if i+1 >= len(s) || s[i+1] != ']' {
			return a, 0, &textError{start, `the subscript has no closing "]"`, ""}
		}
		return accessor{name: name.String(), index: -1, offset: start, quoted: true}, i + 2, nil
	}
	length := strings.IndexByte(s[i:], ']')
	if length < 0 {
		return a, 0, &textError{start, `the subscript has no closing "]"`, ""}
	}
	digits := s[i : i+length]
	end = i + length + 1
	if rest, ok := strings.CutPrefix(digits, "-"); ok && allDigits(rest) {
		return a, 0, &textError{start, "an index cannot be negative", ""}
	}
	if !allDigits(digits) {
		return a, 0, &textError{start, "a subscript is a number or a quoted name", `write ["name"]`}
	}
	if first {
		return a, 0, &textError{start, "a reference begins with a name", `write ["name"]`}
	}
	n, convErr := strconv.Atoi(digits)
	if convErr != nil {
		n = int(^uint(0) >> 1) // out of any range
	}
	return accessor{index: n, digits: digits, offset: start}, end, nil
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
