package resolver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// fault is what is wrong at a place of a file, before the file has a chain of
// imports.
type fault struct {
	severity  Severity
	line, col int
	summary   string
	hint      string
}

// parseYAML reads one YAML document into nodes and holds it to the limits. The
// node is the document's content, nil if it has none, and without whatever a
// fault was reported for.
func parseYAML(b []byte) (root *yaml.Node, faults []fault) {
	if len(b) > MaxFile {
		return nil, []fault{{line: 1, col: 1, summary: "the file is larger than 1 MiB"}}
	}
	b = bytes.TrimPrefix(b, bom)
	if !utf8.Valid(b) {
		line, col := badByte(b)
		return nil, []fault{{line: line, col: col, summary: "the file is not UTF-8 text", hint: "save it as UTF-8"}}
	}
	if len(b) > 0 && !plausible(b) {
		return nil, []fault{{line: 1, col: 1, summary: fmt.Sprintf("the file has more than %d YAML nodes", maxNodes)}}
	}
	var doc, second yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(b))
	if err := decodeYAML(dec, &doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, []fault{syntaxFault(b, err)}
	}
	if err := decodeYAML(dec, &second); err == nil {
		faults = append(faults, fault{line: second.Line, col: second.Column,
			summary: "the file has more than one YAML document", hint: "keep one, or make files of them"})
	} else if !errors.Is(err, io.EOF) {
		faults = append(faults, syntaxFault(b, err))
	}
	if len(doc.Content) == 0 {
		return nil, faults
	}
	c := checker{faults: faults}
	c.check(doc.Content[0], 1)
	if c.over {
		return nil, c.faults
	}
	return doc.Content[0], c.faults
}

var bom = []byte("\xef\xbb\xbf")

// errPanic is what becomes of a panic of the YAML parser.
var errPanic = errors.New("cannot be read as YAML")

func decodeYAML(dec *yaml.Decoder, into *yaml.Node) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	return dec.Decode(into)
}

// syntaxFault takes the line out of an error of yaml.v3. Its column is unknown.
// The text is kept only if it is one of the parser's own: some repeat what the
// file says.
func syntaxFault(b []byte, err error) fault {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if digits, after, ok := strings.Cut(rest, ": "); ok {
			if n, err := strconv.Atoi(digits); err == nil && n > 0 {
				line, text = n, after
			}
		}
	}
	switch {
	case strings.HasPrefix(text, "unknown anchor"):
		text = "aliases are not supported"
	case strings.HasPrefix(text, "exceeded max depth"):
		return fault{line: line, col: firstColumn(b, line), summary: fmt.Sprintf("nested more than %d levels", maxNesting)}
	case errors.Is(err, errPanic):
		text = "the file cannot be read"
	}
	f := fault{line: line, col: firstColumn(b, line), summary: "invalid YAML: " + text}
	switch {
	case strings.Contains(text, "cannot start any token"):
		f.hint = "indent with spaces, and quote a value that begins with @, ` or %"
	case strings.Contains(text, "expected ','") && bytes.Contains(b, []byte("${")):
		f.hint = `within { } and [ ] write "${…}" in quotes`
	}
	return f
}

// firstColumn is the first column of a line that is not blank.
func firstColumn(b []byte, line int) int {
	text := sourceLine(b, line)
	for i, r := range []rune(text) {
		if r != ' ' && r != '\t' && r != '\r' {
			return i + 1
		}
	}
	return 1
}

// sourceLine returns a line without its end, "" past the last. Lines end as
// yaml.v3 counts them.
func sourceLine(b []byte, line int) string {
	b = bytes.TrimPrefix(b, bom)
	for ; line > 1; line-- {
		_, after := cutLine(b)
		b = after
	}
	text, _ := cutLine(b)
	return string(text)
}

func cutLine(b []byte) (line, after []byte) {
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n':
			return b[:i], b[i+2:]
		case b[i] == '\n', b[i] == '\r':
			return b[:i], b[i+1:]
		case bytes.HasPrefix(b[i:], []byte("\u0085")):
			return b[:i], b[i+2:]
		case bytes.HasPrefix(b[i:], []byte("\u2028")), bytes.HasPrefix(b[i:], []byte("\u2029")):
			return b[:i], b[i+3:]
		}
	}
	return b, nil
}

func badByte(b []byte) (line, col int) {
	line, col = 1, 1
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return line, col
		}
		if r == '\n' {
			line, col = line+1, 0
		}
		col++
		b = b[n:]
	}
	return 1, 1
}

// plausible refuses, before the parser takes memory for them, files that are
// made of indicators: each of 20 000 nodes needs one of these bytes.
func plausible(b []byte) bool {
	const indicators = "[]{},?-:&*!"
	if len(b) < 4*maxNodes {
		return true
	}
	n := 0
	for _, c := range b {
		if strings.IndexByte(indicators, c) >= 0 {
			n++
		}
	}
	return n < len(b)/2 || n < 4*maxNodes
}

// checker holds nodes to what §6 allows in YAML.
type checker struct {
	faults []fault
	nodes  int
	over   bool
}

func (c *checker) fault(n *yaml.Node, summary, hint string) {
	c.faults = append(c.faults, fault{line: n.Line, col: n.Column, summary: summary, hint: hint})
}

func (c *checker) check(n *yaml.Node, depth int) {
	if c.over {
		return
	}
	if len(c.faults) > maxFaults {
		c.over = true
		return
	}
	if c.nodes++; c.nodes > maxNodes {
		c.over = true
		c.fault(n, fmt.Sprintf("the file has more than %d YAML nodes", maxNodes), "")
		return
	}
	if n.Anchor != "" {
		c.fault(n, "anchors are not supported", "refer to a value with ${…}")
	}
	switch n.Kind {
	case yaml.AliasNode:
		c.fault(n, "aliases are not supported", "refer to a value with ${…}")
		n.Kind, n.Tag, n.Alias = yaml.ScalarNode, "!!null", nil
		return
	case yaml.MappingNode, yaml.SequenceNode:
		if depth > maxNesting {
			c.over = true
			c.fault(n, fmt.Sprintf("nested more than %d levels", maxNesting), "")
			return
		}
	}
	c.tag(n)
	if n.Kind != yaml.MappingNode {
		for _, item := range n.Content {
			c.check(item, depth+1)
		}
		return
	}
	var seen map[string]bool
	if len(n.Content) > 32 {
		seen = make(map[string]bool, len(n.Content)/2)
	}
	kept := n.Content[:0]
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Anchor != "" || key.Kind == yaml.AliasNode {
			c.fault(key, "anchors and aliases are not supported", "refer to a value with ${…}")
		}
		c.nodes++
		good := false
		switch {
		case key.Kind == yaml.AliasNode:
		case key.Kind == yaml.ScalarNode && key.Tag == "!!merge":
			c.fault(key, "the merge key << is not supported", "use imports, or refer to a value with ${…}")
		case key.Kind != yaml.ScalarNode || !isText(key.Tag):
			c.fault(key, "a key must be a string", "quote it")
		case seen[key.Value] || seen == nil && hasKey(kept, key.Value):
			c.fault(key, fmt.Sprintf("duplicate key %q", key.Value), "")
		default:
			good = true
			if key.Style&yaml.TaggedStyle != 0 {
				c.tag(key)
			}
			if seen != nil {
				seen[key.Value] = true
			}
		}
		c.check(value, depth+1)
		if good {
			kept = append(kept, key, value)
		}
	}
	n.Content = kept
}

func hasKey(content []*yaml.Node, name string) bool {
	for i := 0; i < len(content); i += 2 {
		if content[i].Value == name {
			return true
		}
	}
	return false
}

// isText says whether a scalar with this tag is a string for us: yaml.v3 also
// knows dates.
func isText(tag string) bool { return tag == "!!str" || tag == "!!timestamp" }

func (c *checker) tag(n *yaml.Node) {
	switch n.Tag {
	case "!!str", "!!seq", "!!map", "!!null":
	case "!!int", "!!float", "!!bool":
	case "!!merge": // a plain << as a value
		n.Tag = "!!str"
	case "!!timestamp":
		if n.Style&yaml.TaggedStyle == 0 {
			n.Tag = "!!str"
			break
		}
		fallthrough
	default:
		c.fault(n, fmt.Sprintf("the tag %q is not supported", n.Tag), "")
		n.Tag = map[yaml.Kind]string{yaml.MappingNode: "!!map", yaml.SequenceNode: "!!seq"}[n.Kind]
		if n.Tag == "" {
			n.Tag = "!!str"
		}
	}
	if n.Style&yaml.TaggedStyle == 0 {
		return
	}
	fits := true
	switch {
	case n.Kind == yaml.MappingNode:
		fits = n.Tag == "!!map"
	case n.Kind == yaml.SequenceNode:
		fits = n.Tag == "!!seq"
	case n.Tag == "!!null":
		fits = n.Value == "" || plainTag(n.Value) == "!!null"
	case n.Tag == "!!float":
		got := plainTag(n.Value)
		fits = got == "!!float" || got == "!!int"
	case n.Tag == "!!int", n.Tag == "!!bool":
		fits = plainTag(n.Value) == n.Tag
	default:
		fits = n.Tag == "!!str"
	}
	if !fits {
		c.fault(n, fmt.Sprintf("the value does not fit its tag %q", n.Tag), "")
		n.Tag = "!!null"
	}
}

// plainTag is the tag that the text would have as a plain scalar.
func plainTag(text string) string {
	n := yaml.Node{Kind: yaml.ScalarNode, Value: text}
	return n.ShortTag()
}
