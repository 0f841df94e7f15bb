package doctor

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// An entry is a value in an INI file and the line that it begins on.
type entry struct {
	value string
	line  int
}

// longestValue bounds values that go on over many lines, in bytes.
const longestValue = 16 << 10

// and is the value with a further line.
func (e entry) and(line string) entry {
	if len(e.value)+len(line) < longestValue {
		e.value += "\n" + line
	}
	return e
}

// A section is one of an INI file, under the name as it stands between the brackets.
type section struct {
	name   string
	line   int
	values map[string]entry // by name in lower case
}

// A reading is what one kind of program takes an INI file for.
type reading struct {
	sections map[string]*section
	names    []string // of the sections, in the order of the file

	// Why this kind of program refuses all of the file, "" if it does not, and the
	// lines that it would have to do without. The reason quotes nothing.
	refusal refusal
	lines   []span
}

// A refusal is why a program reads nothing of a file.
type refusal string

const (
	notText       refusal = "is not UTF-8 text"
	secondSection refusal = "has a second section of that name"
	secondName    refusal = "has that name twice in a section"
	beforeSection refusal = "has a line before the first [section]"
	noProperty    refusal = "has a line that is not name = value"
)

// A span are lines of a file, from first to last; told is the one that a program
// complains about.
type span struct{ first, last, told int }

// mostSpans bounds the lines that are told of one file.
const mostSpans = 20

func (r *reading) section(name string, line int) *section {
	s := r.sections[name]
	if s == nil {
		s = &section{name: name, line: line, values: map[string]entry{}}
		r.sections[name] = s
		r.names = append(r.names, name)
	}
	return s
}

// refuse keeps the first reason, and all lines with it.
func (r *reading) refuse(why refusal, at span) {
	if r.refusal == "" {
		r.refusal = why
	}
	if r.refusal == why && len(r.lines) < mostSpans {
		r.lines = append(r.lines, at)
	}
}

// told is the line that the refusal names.
func (r *reading) told() int {
	if len(r.lines) == 0 {
		return 1
	}
	return r.lines[0].told
}

// readAsGo reads a file as the AWS SDK for Go does, which skips what it does not
// understand. Source: config/internal/ini of aws-sdk-go-v2 1.33.
func readAsGo(content []byte) *reading {
	r := &reading{sections: map[string]*section{}}
	var current *section
	key := ""
	for i, line := range strings.Split(string(content), "\n") {
		trimmed := strings.TrimLeft(line, " \t")
		if strings.TrimSpace(line) == "" || trimmed[0] == '#' || trimmed[0] == ';' {
			continue
		}
		if name, ok := goHeader(line); ok {
			current, key = nil, ""
			if name != "" {
				current = r.section(name, i+1)
			}
			continue
		}
		if current == nil {
			continue
		}
		indented := line[0] == ' ' || line[0] == '\t'
		text := trimmed
		if !indented {
			text = cutComment(line)
		}
		name, value, ok := goProperty(text)
		switch {
		case !ok && !indented:
		case !ok:
			// A further line of the value before.
			if e := current.values[key]; key != "" && e.value != "" {
				current.values[key] = e.and(trimmed)
			}
		case !indented || key == "" || current.values[key].value != "":
			if indented {
				value = strings.TrimSpace(cutComment(value))
			}
			current.values[name] = entry{value, i + 1}
			key = name
		default:
			current.values[key+"."+name] = entry{value, i + 1} // below a name without a value
		}
	}
	return r
}

// goHeader returns the name in a line such as "[profile  dev] ; mine", which the
// SDK writes with one space between its two words.
func goHeader(line string) (name string, ok bool) {
	line, _, _ = strings.Cut(line, "#")
	line, _, _ = strings.Cut(line, ";")
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "[") || !strings.HasSuffix(line, "]") || line == "]" || len(line) < 2 {
		return "", false
	}
	line = strings.TrimSpace(line[1 : len(line)-1])
	if at := strings.IndexAny(line, " \t"); at > 0 {
		return line[:at] + " " + strings.TrimLeft(line[at:], " \t"), true
	}
	return line, true
}

// cutComment ends a line before a comment, which needs white space before it.
func cutComment(line string) string {
	for _, mark := range []string{" #", " ;", "\t#", "\t;"} {
		line, _, _ = strings.Cut(line, mark)
	}
	return line
}

func goProperty(text string) (name, value string, ok bool) {
	at := strings.IndexAny(text, "=:")
	if at < 0 {
		return "", "", false
	}
	value = strings.TrimSpace(text[at+1:])
	for _, quote := range []string{"'", `"`} {
		if len(value) >= 2 && strings.HasPrefix(value, quote) && strings.HasSuffix(value, quote) {
			value = value[1 : len(value)-1]
			break
		}
	}
	return strings.ToLower(strings.TrimSpace(text[:at])), value, true
}

// readAsPython reads a file as the AWS CLI and boto3 do, which refuse all of a
// file for one bad line. Source: configparser.RawConfigParser of Python 3.11 and
// botocore.configloader.
func readAsPython(content []byte) *reading {
	r := &reading{sections: map[string]*section{}}
	if at := firstInvalid(content); at >= 0 {
		line := 1 + bytes.Count(content[:at], []byte("\n"))
		r.refuse(notText, span{line, line, line})
		return r
	}
	// Python reads a lone carriage return as the end of a line as well.
	text := strings.ReplaceAll(strings.ReplaceAll(string(content), "\r\n", "\n"), "\r", "\n")
	var current *section
	defaults := &section{name: "DEFAULT", values: map[string]entry{}}
	seen := map[*section]map[string]int{} // the lines of the names so far, to refuse the second
	key, keyIndent := "", 0
	for i, line := range strings.Split(text, "\n") {
		value := strings.TrimSpace(line)
		if value == "" {
			if e, ok := current.get(key); ok {
				current.values[key] = e.and("")
			}
			continue
		}
		if value[0] == '#' || value[0] == ';' {
			continue
		}
		indent := len(line) - len(strings.TrimLeft(line, " \t\v\f"))
		if e, ok := current.get(key); ok && indent > keyIndent {
			current.values[key] = e.and(value)
			continue
		}
		keyIndent = indent
		if name, ok := pythonHeader(value); ok {
			key = ""
			switch {
			case name == defaults.name:
				current = defaults
			case r.sections[name] != nil:
				first := r.sections[name]
				r.refuse(secondSection, span{first.line, first.last(), i + 1})
				return r
			default:
				current = r.section(name, i+1)
			}
			continue
		}
		if current == nil {
			if r.refusal == "" {
				r.refuse(beforeSection, span{i + 1, i + 1, i + 1})
			}
			r.lines[0].last = i + 1 // it gives up here; the others would stop it again
			continue
		}
		at := strings.IndexAny(value, "=:")
		if at <= 0 {
			r.refuse(noProperty, span{i + 1, i + 1, i + 1})
			continue
		}
		key = strings.ToLower(strings.TrimSpace(value[:at]))
		if first := seen[current][key]; first > 0 {
			r.refuse(secondName, span{first, first + strings.Count(current.values[key].value, "\n"), i + 1})
			return r
		}
		if seen[current] == nil {
			seen[current] = map[string]int{}
		}
		seen[current][key] = i + 1
		current.values[key] = entry{strings.TrimSpace(value[at+1:]), i + 1}
	}
	defaults.trim()
	for _, name := range r.names {
		s := r.sections[name]
		s.trim()
		for name, e := range s.values {
			if strings.HasPrefix(e.value, "\n") {
				r.nest(s, name, e)
			}
		}
		slices.SortFunc(r.lines, func(a, b span) int { return a.told - b.told })
		for name, e := range defaults.values {
			if _, ok := s.values[name]; !ok {
				s.values[name] = e
			}
		}
	}
	return r
}

// trim takes away the empty lines behind values.
func (s *section) trim() {
	for name, e := range s.values {
		e.value = strings.TrimRight(e.value, " \t\n\v\f")
		s.values[name] = e
	}
}

// last is the line where the section ends, but for comments.
func (s *section) last() int {
	last := s.line
	for _, e := range s.values {
		last = max(last, e.line+strings.Count(e.value, "\n"))
	}
	return last
}

func (s *section) get(key string) (entry, bool) {
	if s == nil || key == "" {
		return entry{}, false
	}
	e, ok := s.values[key]
	return e, ok
}

// nest reads the indented lines below a name without a value.
func (r *reading) nest(s *section, key string, e entry) {
	s.values[key] = entry{"", e.line}
	var bad []span
	good := false
	for i, line := range strings.Split(e.value, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			bad = append(bad, span{e.line + i, e.line + i, e.line + i})
			continue
		}
		good = true
		s.values[key+"."+strings.TrimSpace(name)] = entry{strings.TrimSpace(value), e.line + i}
	}
	if len(bad) > 0 && !good {
		bad[0].first = e.line // the AWS CLI stumbles over a name with nothing below it as well
	}
	for _, at := range bad {
		r.refuse(noProperty, at)
	}
}

// pythonHeader returns what stands between the brackets, white space included:
// "[ dev ]" is not "[dev]" there.
func pythonHeader(value string) (name string, ok bool) {
	end := strings.LastIndexByte(value, ']')
	if value[0] != '[' || end < 2 {
		return "", false
	}
	return value[1:end], true
}

func firstInvalid(b []byte) int {
	for at := 0; at < len(b); {
		r, n := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && n == 1 {
			return at
		}
		at += n
	}
	return -1
}
