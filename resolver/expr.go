package resolver

import (
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

type exprKind uint8

const (
	exprScalar exprKind = iota // null, boolean, number, or a string without references
	exprText                   // a string with references
	exprRef                    // a reference alone
	exprObject
	exprList
	exprCall // a builtin
)

// expr is a value as it is written.
type expr struct {
	kind  exprKind
	final bool // it is a fn::final, or an object that contains one
	plain bool // a plain scalar: offsets in its text are columns
	line  int
	col   int
	id    int // index of its cell in an evaluation
	env   *environment

	scalar Kind // of exprScalar
	truth  bool
	text   string // of a string: as written. Of a number: its source text
	parts  []part
	keys   []property // of exprObject, sorted by name
	items  []*expr
	call   *call
}

type property struct {
	name      string
	line, col int
	value     *expr
}

// call is a builtin with its argument. Which fields are set depends on the
// builtin.
type call struct {
	name      string // such as "fn::toJSON"
	line, col int    // of the key
	builtin   *builtin
	arg       *expr // the whole argument, for those that take one value
	args      []*expr

	provider string // of fn::open
	ttl      *expr
	envelope string // of fn::secret: base64, "" for a plaintext
	schema   *jsonSchema
}

// get returns the property of an object expression, or nil.
func (e *expr) get(name string) *expr {
	if p := e.property(name); p != nil {
		return p.value
	}
	return nil
}

func (e *expr) property(name string) *property {
	i := sort.Search(len(e.keys), func(i int) bool { return e.keys[i].name >= name })
	if i < len(e.keys) && e.keys[i].name == name {
		return &e.keys[i]
	}
	return nil
}

func (e *expr) pos() Position { return e.env.at(e.line, e.col) }

// posAt is the place of a byte of the text: known in a plain scalar of one
// line, else the scalar's start.
func (e *expr) posAt(offset int) Position {
	col := e.col
	if e.plain && offset <= len(e.text) {
		line := e.env.line(e.line)
		for i := 1; i < e.col && line != ""; i++ {
			_, n := utf8.DecodeRuneInString(line)
			line = line[n:]
		}
		if strings.HasPrefix(line, e.text) {
			col += utf8.RuneCountInString(e.text[:offset])
		}
	}
	return e.env.at(e.line, col)
}

// compiler turns nodes into expressions.
type compiler struct {
	env     *environment
	program *Program
}

func (c *compiler) fault(n *yaml.Node, format string, args ...any) {
	c.faultHint(n, "", format, args...)
}

func (c *compiler) faultHint(n *yaml.Node, hint, format string, args ...any) {
	c.program.report(Diagnostic{Pos: c.env.at(n.Line, n.Column), Summary: fmt.Sprintf(format, args...),
		Hint: hint, Imports: c.env.imported()})
}

func (c *compiler) warn(n *yaml.Node, format string, args ...any) {
	c.program.report(Diagnostic{Severity: Warning, Pos: c.env.at(n.Line, n.Column),
		Summary: fmt.Sprintf(format, args...), Imports: c.env.imported()})
}

func (c *compiler) new(kind exprKind, n *yaml.Node) *expr {
	e := &expr{kind: kind, line: n.Line, col: n.Column, env: c.env, id: c.program.exprs}
	c.program.exprs++
	return e
}

// expr compiles any value.
func (c *compiler) expr(n *yaml.Node) *expr {
	switch n.Kind {
	case yaml.SequenceNode:
		e := c.new(exprList, n)
		e.items = make([]*expr, len(n.Content))
		for i, item := range n.Content {
			e.items[i] = c.expr(item)
		}
		return e
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			if isBuiltinKey(n.Content[i].Value) {
				return c.call(n, i)
			}
		}
		return c.object(n)
	}
	return c.scalar(n, true)
}

// object compiles a mapping that is no builtin.
func (c *compiler) object(n *yaml.Node) *expr {
	e := c.new(exprObject, n)
	e.keys = make([]property, 0, len(n.Content)/2)
	sorted := true
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		value := c.expr(n.Content[i+1])
		e.final = e.final || value.final
		if len(e.keys) > 0 && e.keys[len(e.keys)-1].name > key.Value {
			sorted = false
		}
		e.keys = append(e.keys, property{key.Value, key.Line, key.Column, value})
	}
	if !sorted {
		sort.Slice(e.keys, func(i, j int) bool { return e.keys[i].name < e.keys[j].name })
	}
	return e
}

// scalar compiles a scalar; its text is interpolated or taken as it is.
func (c *compiler) scalar(n *yaml.Node, interpolate bool) *expr {
	e := c.new(exprScalar, n)
	e.text = n.Value
	switch n.Tag {
	case "!!null":
		e.scalar, e.text = Null, ""
		return e
	case "!!bool":
		e.scalar, e.truth, e.text = Bool, strings.EqualFold(n.Value, "true"), ""
		return e
	case "!!int", "!!float":
		if isNumber(n) {
			e.scalar = Number
			return e
		}
	}
	e.scalar = String
	e.plain = n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0
	if !interpolate || !strings.Contains(n.Value, "$") {
		return e
	}
	parts, err := parseText(n.Value)
	switch {
	case err != nil:
		c.program.report(Diagnostic{Pos: e.posAt(err.offset), Summary: err.summary, Hint: err.hint, Imports: c.env.imported()})
		e.kind = exprText // without parts: unknown
		return e
	case len(parts) == 1 && parts[0].path != nil:
		e.kind, e.parts = exprRef, parts
	case len(parts) == 1:
		e.text, e.plain = parts[0].literal, false
		return e
	default:
		e.kind, e.parts = exprText, parts
	}
	for _, p := range parts {
		c.program.noteReference(e, p)
	}
	return e
}

// isNumber says whether a number of YAML is one of ours: not infinite, not NaN.
func isNumber(n *yaml.Node) bool {
	return !strings.HasSuffix(strings.ToLower(n.Value), ".inf") && !strings.EqualFold(n.Value, ".nan")
}

// failed stands for a value whose fault has been reported.
func (c *compiler) failed(n *yaml.Node) *expr { return c.new(exprText, n) }
