package resolver

import (
	"bytes"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// spans finds where in the bytes of a file its YAML nodes begin and end.
// yaml.v3 tells only the line and the column in which a node begins.
type spans struct {
	b     []byte
	lines []int // where they begin
}

// errSpan is the error for YAML that is laid out in a way that cannot be edited
// in place.
var errSpan = errors.New("the layout at this place is not one that can be edited")

func newSpans(b []byte) *spans {
	s := &spans{b: b}
	rest := bytes.TrimPrefix(b, bom)
	for rest != nil {
		s.lines = append(s.lines, len(b)-len(rest))
		_, rest = cutLine(rest)
	}
	return s
}

// offset is the byte at which a line and a column, both from 1 and the column in
// code points, lie.
func (s *spans) offset(line, col int) (int, error) {
	if line < 1 || line > len(s.lines) {
		return 0, errSpan
	}
	at := s.lines[line-1]
	for ; col > 1; col-- {
		if at >= len(s.b) {
			return 0, errSpan
		}
		_, n := utf8.DecodeRune(s.b[at:])
		at += n
	}
	return at, nil
}

func (s *spans) start(n *yaml.Node) (int, error) { return s.offset(n.Line, n.Column) }

// lineEnd is the end of the line in which a byte lies, without its break.
func (s *spans) lineEnd(at int) int {
	line, _ := cutLine(s.b[at:])
	return at + len(line)
}

// eol is the line break of the file.
func (s *spans) eol() string {
	line, rest := cutLine(s.b)
	if rest != nil && bytes.HasPrefix(s.b[len(line):], []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// end is the byte after a node. Indent is the number of columns by which the
// collection is indented in which the node lies.
func (s *spans) end(n *yaml.Node, indent int) (int, error) {
	at, err := s.start(n)
	if err != nil {
		return 0, err
	}
	at = s.afterTag(n, at)
	flow := n.Style&yaml.FlowStyle != 0
	switch {
	case n.Kind == yaml.ScalarNode:
		return s.scalarEnd(n, at, indent)
	case n.Kind == yaml.MappingNode && flow:
		return s.flowEnd(n, at, '{', '}')
	case n.Kind == yaml.SequenceNode && flow:
		return s.flowEnd(n, at, '[', ']')
	case len(n.Content) == 0:
		return 0, errSpan
	}
	last := n.Content[len(n.Content)-1]
	return s.end(last, blockIndent(n))
}

// blockIndent is the number of columns by which a block collection is indented.
func blockIndent(n *yaml.Node) int {
	if n.Kind == yaml.MappingNode && len(n.Content) > 0 {
		return n.Content[0].Column - 1
	}
	return n.Column - 1
}

// afterTag skips the tag that stands before a node.
func (s *spans) afterTag(n *yaml.Node, at int) int {
	if n.Style&yaml.TaggedStyle == 0 || at >= len(s.b) || s.b[at] != '!' {
		return at
	}
	for at < len(s.b) && !isSpace(string(s.b[at:at+1]), 0) && !strings.ContainsRune(",[]{}", rune(s.b[at])) {
		at++
	}
	if n.Kind == yaml.ScalarNode && n.Value == "" && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		return at
	}
	return s.skipBlank(at)
}

// skipBlank skips white space, line breaks and comments.
func (s *spans) skipBlank(at int) int {
	for at < len(s.b) {
		switch c := s.b[at]; {
		case isSpace(string(c), 0):
			at++
		case c == '#' && (at == 0 || isSpace(string(s.b[at-1:at]), 0)):
			at = s.lineEnd(at)
		default:
			return at
		}
	}
	return at
}

func (s *spans) flowEnd(n *yaml.Node, at int, open, closing byte) (int, error) {
	if at >= len(s.b) || s.b[at] != open {
		return 0, errSpan // {a: b} may be written a: b between brackets
	}
	at++
	if len(n.Content) > 0 {
		end, err := s.end(n.Content[len(n.Content)-1], 0)
		if err != nil {
			return 0, err
		}
		at = end
	}
	for {
		at = s.skipBlank(at)
		switch {
		case at >= len(s.b):
			return 0, errSpan
		case s.b[at] == closing:
			return at + 1, nil
		case s.b[at] == ',' || s.b[at] == ':': // a key without a value may keep its colon
			at++
		default:
			return 0, errSpan
		}
	}
}

func (s *spans) scalarEnd(n *yaml.Node, at, indent int) (int, error) {
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return s.quotedEnd(at, '"')
	case n.Style&yaml.SingleQuotedStyle != 0:
		return s.quotedEnd(at, '\'')
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return s.blockScalarEnd(at, indent)
	}
	// Of a plain scalar over several lines only the white space differs.
	for _, r := range n.Value {
		if unicode.IsSpace(r) {
			continue
		}
		for at < len(s.b) && isSpace(string(s.b[at:at+1]), 0) {
			at++
		}
		got, size := utf8.DecodeRune(s.b[at:])
		if got != r {
			return 0, errSpan
		}
		at += size
	}
	return at, nil
}

func (s *spans) quotedEnd(at int, quote byte) (int, error) {
	if at >= len(s.b) || s.b[at] != quote {
		return 0, errSpan
	}
	for at++; at < len(s.b); at++ {
		switch {
		case quote == '"' && s.b[at] == '\\':
			at++
		case s.b[at] != quote:
		case quote == '\'' && at+1 < len(s.b) && s.b[at+1] == quote:
			at++
		default:
			return at + 1, nil
		}
	}
	return 0, errSpan
}

// blockScalarEnd is the end of the last line of a literal or folded scalar,
// without its break. Blank lines at the end belong to it if it keeps them.
func (s *spans) blockScalarEnd(at, indent int) (int, error) {
	if at >= len(s.b) || s.b[at] != '|' && s.b[at] != '>' {
		return 0, errSpan
	}
	end := s.lineEnd(at)
	header := string(s.b[at:end])
	if i := strings.IndexAny(header, " \t#"); i >= 0 {
		header = header[:i]
	}
	need := 0
	if i := strings.IndexAny(header, "123456789"); i >= 0 {
		need = max(indent, 0) + int(header[i]-'0')
	}
	keep := strings.Contains(header, "+")
	last := end
	for _, from := range s.lines {
		if from <= end {
			continue
		}
		to := s.lineEnd(from)
		line := s.b[from:to]
		text := bytes.TrimLeft(line, " ")
		depth := len(line) - len(text)
		switch {
		case len(text) == 0:
			if keep && from < len(s.b) {
				last = to
			}
			continue
		case need == 0 && depth > indent:
			need = depth
		}
		if need == 0 || depth < need {
			break
		}
		last = to
	}
	return last, nil
}
