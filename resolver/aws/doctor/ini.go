package doctor

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// An entry is a value in an INI file and the line that it begins on.
type entry struct {
	value string
	line  int
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

	// The place where this kind of program gives up, and why: it then reads
	// nothing at all. The reason quotes nothing of the file but a section's name.
	refusal string
	line    int
}

func (r *reading) section(name string, line int) *section {
	s := r.sections[name]
	if s == nil {
		s = &section{name: name, line: line, values: map[string]entry{}}
		r.sections[name] = s
		r.names = append(r.names, name)
	}
	return s
}

// refuse keeps the first place.
func (r *reading) refuse(line int, reason string) {
	if r.refusal == "" || line < r.line {
		r.refusal, r.line = reason, line
	}
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
				e.value += "\n" + trimmed
				current.values[key] = e
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
		r.refuse(1+bytes.Count(content[:at], []byte("\n")), "is not UTF-8 text")
		return r
	}
	// Python reads a lone carriage return as the end of a line as well.
	text := strings.ReplaceAll(strings.ReplaceAll(string(content), "\r\n", "\n"), "\r", "\n")
	var current *section
	defaults := &section{name: "DEFAULT", values: map[string]entry{}}
	seen := map[*section]map[string]bool{} // names given so far, to refuse the second
	key, keyIndent := "", 0
	for i, line := range strings.Split(text, "\n") {
		value := strings.TrimSpace(line)
		if value == "" {
			if e, ok := current.get(key); ok {
				e.value += "\n"
				current.values[key] = e
			}
			continue
		}
		if value[0] == '#' || value[0] == ';' {
			continue
		}
		indent := len(line) - len(strings.TrimLeft(line, " \t\v\f"))
		if e, ok := current.get(key); ok && indent > keyIndent {
			e.value += "\n" + value
			current.values[key] = e
			continue
		}
		keyIndent = indent
		if name, ok := pythonHeader(value); ok {
			key = ""
			switch {
			case name == defaults.name:
				current = defaults
			case r.sections[name] != nil:
				r.refuse(i+1, "has a second section of that name")
				return r
			default:
				current = r.section(name, i+1)
			}
			continue
		}
		if current == nil {
			r.refuse(i+1, "has a line before the first [section]")
			return r
		}
		at := strings.IndexAny(value, "=:")
		if at <= 0 {
			r.refuse(i+1, "has a line that is not name = value")
			continue
		}
		key = strings.ToLower(strings.TrimSpace(value[:at]))
		if seen[current][key] {
			r.refuse(i+1, "has that name twice in a section")
			return r
		}
		if seen[current] == nil {
			seen[current] = map[string]bool{}
		}
		seen[current][key] = true
		current.values[key] = entry{strings.TrimSpace(value[at+1:]), i + 1}
	}
	for _, name := range r.names {
		s := r.sections[name]
		for name, e := range s.values {
			e.value = strings.TrimRight(e.value, " \t\n\v\f")
			s.values[name] = e
			if strings.HasPrefix(e.value, "\n") {
				r.nest(s, name, e)
			}
		}
		for name, e := range defaults.values {
			if _, ok := s.values[name]; !ok {
				s.values[name] = e
			}
		}
	}
	return r
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
	for i, line := range strings.Split(e.value, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			r.refuse(e.line+i, "has a line that is not name = value")
			return
		}
		s.values[key+"."+strings.TrimSpace(name)] = entry{strings.TrimSpace(value), e.line + i}
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
