package resolver

import (
	"fmt"
	"regexp"
)

// DataError is what is wrong in a file of data. Its texts repeat nothing of the
// file but the names of variables.
type DataError struct {
	Line, Column int // from 1, columns in code points
	Summary      string
	Hint         string
}

func (e *DataError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Summary)
}

// ParseYAML reads one YAML document as data: nothing in it is interpolated, and
// it is held to the same limits as a definition. An empty one is null. An error
// is a [*DataError].
func ParseYAML(b []byte) (Value, error) {
	root, faults := parseYAML(b)
	for _, f := range faults {
		if f.severity == Error {
			// What is quoted is the file's own, and it may be a secret.
			return Value{}, &DataError{f.line, f.col, quotedPart.ReplaceAllString(f.summary, ""), ""}
		}
	}
	if root == nil {
		return Value{}, nil
	}
	return literalValue(root), nil
}

var quotedPart = regexp.MustCompile(` "(?:[^"\\]|\\.)*"`)

// ParseDotenv reads a dotenv file as an object of strings. Expansions see what
// was assigned before, then what lookup gives. A warning has its place. An error
// is a [*DataError].
func ParseDotenv(b []byte, lookup func(name string) (string, bool)) (v Value, warnings []string, err error) {
	src := dotenvText(b)
	assignments, bad := parseDotenv(src)
	if bad != nil {
		return Value{}, nil, &DataError{bad.line, bad.col, bad.summary, bad.hint}
	}
	x := expansion{src: src, vars: map[string]string{}, lookup: lookup,
		say: func(severity Severity, line, col int, summary string) {
			said := &DataError{Line: line, Column: col, Summary: summary}
			switch {
			case severity == Warning:
				warnings = append(warnings, said.Error())
			case err == nil:
				err = said
			}
		}}
	v = Value{Kind: Object, Object: map[string]Value{}}
	for _, a := range assignments {
		text, ok := x.word(a.word)
		if !ok {
			if err == nil {
				err = &DataError{Line: a.line, Column: a.col, Summary: "the value cannot be read"}
			}
			return Value{}, nil, err
		}
		x.vars[a.name] = text
		v.Object[a.name] = Value{Kind: String, Text: text}
	}
	return v, warnings, nil
}
