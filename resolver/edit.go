package resolver

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Written is a value as it is to stand in a definition.
type Written struct {
	text       string // YAML of one line that may stand anywhere
	ciphertext bool   // text is that of a `fn::secret: {ciphertext: …}`
}

// WrittenText writes a string that is interpolated when it is read. It fails for
// one that is not UTF-8.
func WrittenText(s string) (Written, error) {
	if !utf8.ValidString(s) {
		return Written{}, errNotText
	}
	return Written{text: quoteYAML(s)}, nil
}

// WrittenValue writes what a text means on a command line: null, a boolean or a
// number if it is one, what stands between [ ], { } or quotes as YAML, anything
// else as a string.
func WrittenValue(s string) (Written, error) {
	trimmed := strings.TrimSpace(s)
	if trimmed == "" || !utf8.ValidString(s) {
		return WrittenText(s)
	}
	if strings.ContainsAny(trimmed[:1], "[{\"'") {
		root, faults := parseYAML([]byte("v: " + strings.Join(strings.Fields(trimmed), " ")))
		if quoted := strings.ContainsAny(trimmed[:1], "\"'"); quoted || strings.ContainsAny(trimmed, "\n\r") {
			root, faults = parseYAML([]byte("v: " + trimmed))
		}
		for _, f := range faults {
			if f.severity == Error {
				return Written{}, fmt.Errorf("the value begins as YAML and is not: %s", strings.TrimPrefix(f.summary, "invalid YAML: "))
			}
		}
		if root == nil || len(root.Content) != 2 {
			return Written{}, fmt.Errorf("the value begins as YAML and is not")
		}
		return Written{text: flowYAML(root.Content[1])}, nil
	}
	if tag := plainTag(trimmed); tag == "!!int" || tag == "!!float" || tag == "!!bool" || tag == "!!null" {
		n := &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: trimmed}
		if isNumber(n) {
			return Written{text: trimmed}, nil
		}
	}
	return WrittenText(s)
}

// WrittenSecret writes a secret that is kept encrypted; the argument is what
// [Encrypt] returned.
func WrittenSecret(ciphertext string) Written { return Written{text: ciphertext, ciphertext: true} }

func (w Written) yaml() string {
	if w.ciphertext {
		return "{ " + secretName + ": { ciphertext: " + w.text + " } }"
	}
	return w.text
}

// flowYAML writes a node on one line.
func flowYAML(n *yaml.Node) string {
	var parts []string
	switch n.Kind {
	case yaml.MappingNode:
		if len(n.Content) == 0 {
			return "{}"
		}
		for i := 0; i < len(n.Content); i += 2 {
			parts = append(parts, quoteKey(n.Content[i].Value)+": "+flowYAML(n.Content[i+1]))
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	case yaml.SequenceNode:
		for _, item := range n.Content {
			parts = append(parts, flowYAML(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	switch {
	case n.Tag == "!!null":
		return "null"
	case n.Tag != "!!str" && isNumber(n):
		return n.Value
	}
	return quoteYAML(n.Value)
}

// quoteYAML writes a string as a scalar of one line: plain where that reads back
// as the same string everywhere, else between double quotes.
func quoteYAML(s string) string {
	plain := s != "" && plainTag(s) == "!!str" && strings.Trim(s, " ") == s &&
		!strings.ContainsAny(s[:1], "-?:.~!&*|>%@`#=+") && !strings.Contains(s, " #") && !strings.HasPrefix(s, "<<")
	for i, r := range s {
		if r > unicode.MaxASCII || r < ' ' || strings.ContainsRune("{}[],\"'\\\x7f", r) ||
			r == ':' && (i+1 == len(s) || s[i+1] == ' ') {
			plain = false
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == ' ' || unicode.IsPrint(r) && r != 0xfeff:
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// quoteKey writes a key.
func quoteKey(s string) string {
	if strings.HasPrefix(s, prefix) && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-") == "" && !strings.HasSuffix(s, ":") {
		return s
	}
	return quoteYAML(s)
}

// EditError says why a definition cannot be edited at a place.
type EditError struct{ Diagnostic }

func (e *EditError) Error() string { return e.Summary }

// editor changes the text of one definition. Comments, order and layout stay.
type editor struct {
	path  string
	b     []byte
	root  *yaml.Node // nil: the file has no content
	spans *spans
	cuts  []cut
	made  int // the highest index of a list that is to be made
}

// cut replaces some bytes by a text.
type cut struct {
	from, to int
	text     string
}

func newEditor(path string, b []byte) (*editor, error) {
	root, faults := parseYAML(b)
	for _, f := range faults {
		if f.severity == Error {
			return nil, &EditError{Diagnostic{Pos: Position{path, f.line, f.col}, Summary: f.summary, Hint: f.hint}}
		}
	}
	e := &editor{path: path, b: b, root: root, spans: newSpans(b)}
	if root != nil && root.Kind == yaml.ScalarNode && root.Tag == "!!null" && root.Value == "" {
		e.root = nil
	}
	if e.root != nil && e.root.Kind != yaml.MappingNode {
		return nil, e.fail(e.root, "an environment must be an object, not "+nodeKind(e.root), "")
	}
	return e, nil
}

func (e *editor) fail(n *yaml.Node, summary, hint string) error {
	d := Diagnostic{Pos: Position{File: e.path, Line: 1, Column: 1}, Summary: summary, Hint: hint}
	if n != nil {
		d.Pos.Line, d.Pos.Column = n.Line, n.Column
	}
	return &EditError{d}
}

// SetValue writes a value at a path below `values` of the definition with these
// bytes, and returns the new ones. What the path lacks is made. The path of the
// file is for messages; an error is an [*EditError].
func SetValue(file string, b []byte, path string, v Written) ([]byte, error) {
	e, err := newEditor(file, b)
	if err != nil {
		return nil, err
	}
	steps, err := e.steps(path)
	if err != nil {
		return nil, err
	}
	if err := e.set(steps, v); err != nil {
		return nil, e.place(err)
	}
	out := e.apply()
	if e.made > 0 {
		return nil, e.fail(nil, fmt.Sprintf("the index [%d] is out of range: there is no such list yet", e.made), "write [0] to begin one")
	}
	want := setNode(e.root, steps, v)
	if !e.same(out, want) {
		return nil, e.fail(nil, errSpan.Error(), `use "ambit env edit"`)
	}
	return out, nil
}

// place makes an error one with a place.
func (e *editor) place(err error) error {
	if _, ok := err.(*EditError); ok {
		return err
	}
	return e.fail(nil, err.Error(), `use "ambit env edit"`)
}

// steps is a path below `values`, with that key in front.
func (e *editor) steps(path string) ([]accessor, error) {
	steps, _, bad := parsePath(path, 0, false)
	if bad != nil {
		return nil, e.fail(nil, "invalid path: "+bad.summary, bad.hint)
	}
	if first := steps[0].name; knownKey(first, reservedRoots) || isBuiltinKey(first) {
		return nil, e.fail(nil, fmt.Sprintf("%q is reserved at the top of values", first), `use "ambit env edit" for what is not a value`)
	}
	for _, s := range steps {
		if !utf8.ValidString(s.name) || strings.ContainsRune(s.name, 0) {
			return nil, e.fail(nil, "invalid path: a name is not text", "")
		}
	}
	name := "values"
	if e.root != nil {
		for i := 0; i < len(e.root.Content); i += 2 {
			if strings.EqualFold(e.root.Content[i].Value, "values") {
				name = e.root.Content[i].Value // the last one counts
			}
		}
	}
	return append([]accessor{{name: name, index: -1}}, steps...), nil
}

// spot is a node with what it lies in.
type spot struct {
	node   *yaml.Node
	key    *yaml.Node // nil in a list
	parent *yaml.Node // nil: the root
}

// below finds the node one step further down; nil if there is none yet.
func (e *editor) below(at spot, step accessor) (spot, error) {
	n := at.node
	switch {
	case n.Kind == yaml.MappingNode && step.index < 0:
		for i := len(n.Content) - 2; i >= 0; i -= 2 {
			if n.Content[i].Value == step.name {
				return spot{n.Content[i+1], n.Content[i], n}, nil
			}
		}
		if name := builtinOf(n); name != "" {
			return spot{}, e.fail(n, fmt.Sprintf("the value here is computed by %s, and has no key %q to set", name, step.name), "")
		}
		return spot{parent: n}, nil
	case n.Kind == yaml.SequenceNode && step.index >= 0:
		switch {
		case step.index < len(n.Content):
			return spot{n.Content[step.index], nil, n}, nil
		case step.index > len(n.Content):
			return spot{}, e.fail(n, fmt.Sprintf("the index %s is out of range: the list has %d", step.digits, len(n.Content)),
				fmt.Sprintf("write [%d] to add to it", len(n.Content)))
		}
		return spot{parent: n}, nil
	case step.index >= 0:
		return spot{}, e.fail(n, fmt.Sprintf("the value here is %s, not a list", nodeKind(n)), "")
	}
	return spot{}, e.fail(n, fmt.Sprintf("the value here is %s, not an object", nodeKind(n)), "")
}

// builtinOf is the fn:: key of a builtin.
func builtinOf(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 && isBuiltinKey(n.Content[0].Value) {
		return n.Content[0].Value
	}
	return ""
}

func isEmptyNode(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null" ||
		n.Kind == yaml.MappingNode && len(n.Content) == 0
}

func (e *editor) set(steps []accessor, v Written) error {
	if e.root == nil {
		for _, s := range steps {
			e.made = max(e.made, s.index)
		}
		return e.setEmptyFile(steps, v)
	}
	at := spot{node: e.root}
	for i, step := range steps {
		e.made = 0
		for _, s := range steps[i+1:] {
			e.made = max(e.made, s.index)
		}
		if i > 0 && isEmptyNode(at.node) && at.parent != nil && step.index < 0 {
			return e.fill(at, steps[i:], v)
		}
		if at.node.Kind == yaml.ScalarNode && at.node.Tag == "!!null" && at.parent != nil {
			e.made = max(e.made, step.index)
			return e.replace(at, nested(steps[i:], v))
		}
		next, err := e.below(at, step)
		if err != nil {
			return err
		}
		if next.node == nil {
			return e.insert(next.parent, steps[i:], v)
		}
		at = next
	}
	e.made = 0
	if name := builtinOf(at.node); name == secretName && v.ciphertext {
		arg := at.node.Content[1]
		inner := spot{arg, at.node.Content[0], at.node}
		if arg.Kind == yaml.MappingNode && len(arg.Content) == 2 && arg.Content[0].Value == "ciphertext" && arg.Content[1].Kind == yaml.ScalarNode {
			return e.replace(spot{arg.Content[1], arg.Content[0], arg}, v.text)
		}
		return e.replace(inner, "{ ciphertext: "+v.text+" }")
	}
	return e.replace(at, v.yaml())
}

// nested writes what is below a place on one line.
func nested(steps []accessor, v Written) string {
	out := v.yaml()
	for _, s := range slices.Backward(steps) {
		if s.index >= 0 {
			out = "[" + out + "]"
		} else {
			out = "{ " + quoteKey(s.name) + ": " + out + " }"
		}
	}
	return out
}

// block writes what is below a place on lines of their own, without the first
// indentation.
func (e *editor) block(steps []accessor, v Written, indent int) string {
	name := quoteKey(steps[0].name) + ":"
	if len(steps) == 1 {
		return name + " " + v.yaml()
	}
	if steps[1].index >= 0 {
		return name + " " + nested(steps[1:], v)
	}
	indent += e.step()
	return name + e.spans.eol() + strings.Repeat(" ", indent) + e.block(steps[1:], v, indent)
}

// step is by how much the file indents.
func (e *editor) step() int {
	if e.root != nil && e.root.Style&yaml.FlowStyle == 0 {
		for i := 0; i < len(e.root.Content); i += 2 {
			key, value := e.root.Content[i], e.root.Content[i+1]
			if value.Kind == yaml.MappingNode && value.Style&yaml.FlowStyle == 0 && value.Line > key.Line && value.Column > key.Column {
				return min(value.Column-key.Column, 8)
			}
		}
	}
	return 2
}

func (e *editor) cut(from, to int, text string) { e.cuts = append(e.cuts, cut{from, to, text}) }

// setEmptyFile appends to a file without content.
func (e *editor) setEmptyFile(steps []accessor, v Written) error {
	if root, _ := parseYAML(e.b); root != nil && root.Kind != yaml.ScalarNode {
		return errSpan
	}
	text := e.block(steps, v, 0) + e.spans.eol()
	if n := len(e.b); n > len(bom) && e.b[n-1] != '\n' && e.b[n-1] != '\r' {
		text = e.spans.eol() + text
	}
	e.cut(len(e.b), len(e.b), text)
	return nil
}

// insert adds a property or an element at the end of a collection.
func (e *editor) insert(n *yaml.Node, steps []accessor, v Written) error {
	end, err := e.spans.end(n, 0)
	if err != nil {
		return err
	}
	rest := quoteKey(steps[0].name) + ": "
	if n.Kind == yaml.SequenceNode {
		rest = ""
	}
	rest += nested(steps[1:], v)
	if n.Style&yaml.FlowStyle != 0 {
		if len(n.Content) == 0 {
			if n.Kind == yaml.MappingNode {
				rest = " " + rest + " "
			}
			e.cut(end-1, end-1, rest)
			return nil
		}
		last, err := e.spans.end(n.Content[len(n.Content)-1], 0)
		if err != nil {
			return err
		}
		e.cut(last, last, ", "+rest)
		return nil
	}
	indent := blockIndent(n)
	if n.Kind == yaml.SequenceNode {
		rest = "- " + rest
	} else {
		rest = e.block(steps, v, indent)
	}
	if indent < 0 || len(n.Content) == 0 {
		return errSpan
	}
	end = e.spans.lineEnd(end)
	e.cut(end, end, e.spans.eol()+strings.Repeat(" ", indent)+rest)
	return nil
}

// fill puts a property into an object that is null or empty.
func (e *editor) fill(at spot, steps []accessor, v Written) error {
	if at.key == nil || at.parent.Style&yaml.FlowStyle != 0 || at.node.Line != at.key.Line || at.node.Style&yaml.TaggedStyle != 0 {
		return e.replace(at, nested(steps, v))
	}
	from, err := e.spans.start(at.node)
	if err != nil {
		return err
	}
	end, err := e.spans.end(at.node, 0)
	if err != nil {
		return err
	}
	for from > 0 && (e.b[from-1] == ' ' || e.b[from-1] == '\t') {
		from--
	}
	indent := at.key.Column - 1 + e.step()
	line := e.spans.lineEnd(end)
	if end > from {
		e.cut(from, end, "")
	}
	e.cut(line, line, e.spans.eol()+strings.Repeat(" ", indent)+e.block(steps, v, indent))
	return nil
}

// replace writes a text in the place of a node.
func (e *editor) replace(at spot, text string) error {
	from, err := e.spans.start(at.node)
	if err != nil {
		return err
	}
	indent := 0
	if at.parent != nil {
		indent = blockIndent(at.parent)
	}
	to, err := e.spans.end(at.node, indent)
	if err != nil {
		return err
	}
	if at.key == nil {
		if from == to && from > 0 && !isSpace(string(e.b[from-1:from]), 0) {
			text = " " + text
		}
		e.cut(from, to, text)
		return nil
	}
	keyEnd, err := e.spans.end(at.key, 0)
	if err != nil {
		return err
	}
	colon := bytes.IndexByte(e.b[keyEnd:], ':')
	switch {
	case from == to && (colon < 0 || keyEnd+colon >= from): // {key}
		e.cut(from, to, ": "+text)
	case from == to:
		if !isSpace(string(e.b[from-1:from]), 0) {
			text = " " + text
		}
		e.cut(from, to, text)
	case colon >= 0 && e.lineBreak(keyEnd+colon, from) && at.parent.Style&yaml.FlowStyle == 0:
		// It stands on lines of its own: the new one goes behind the key.
		after := keyEnd + colon + 1
		e.cut(after, after, " "+text)
		e.cut(e.breakBefore(from), e.spans.lineEnd(to), "")
	default:
		e.cut(from, to, text)
	}
	return nil
}

// lineBreak says whether there is one between two bytes.
func (e *editor) lineBreak(from, to int) bool { return from < to && e.spans.lineEnd(from) < to }

// breakBefore is where the line break begins that ends the line before a byte's.
func (e *editor) breakBefore(at int) int {
	for _, start := range slices.Backward(e.spans.lines) {
		if start > at {
			continue
		}
		at = start - 1
		if at > 0 && e.b[at] == '\n' && e.b[at-1] == '\r' {
			at--
		}
		for at > 0 && !utf8.RuneStart(e.b[at]) {
			at--
		}
		return at
	}
	return at
}

// apply makes the cuts.
func (e *editor) apply() []byte {
	slices.SortStableFunc(e.cuts, func(a, b cut) int { return a.from - b.from })
	var out []byte
	at := 0
	for _, c := range e.cuts {
		if c.from < at || c.to < c.from {
			return nil // nothing that reads as the edit was to read
		}
		out = append(append(out, e.b[at:c.from]...), c.text...)
		at = c.to
	}
	return append(out, e.b[at:]...)
}

// same says whether an edited text is what the edit was to make of the nodes.
// Whatever in a layout was not foreseen ends here, and not in a broken file.
func (e *editor) same(out []byte, want *yaml.Node) bool {
	got, faults := parseYAML(out)
	for _, f := range faults {
		if f.severity == Error {
			return false
		}
	}
	return equalNodes(got, want)
}

func equalNodes(a, b *yaml.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Kind == b.Kind && a.Tag == b.Tag && a.Value == b.Value &&
		slices.EqualFunc(a.Content, b.Content, equalNodes)
}

// RemoveValue removes what stands at a path below `values`, as [SetValue] writes
// it. Found is false, and the bytes are the same, if there is nothing.
func RemoveValue(file string, b []byte, path string) (out []byte, found bool, err error) {
	e, err := newEditor(file, b)
	if err != nil {
		return nil, false, err
	}
	steps, err := e.steps(path)
	if err != nil || e.root == nil {
		return b, false, err
	}
	at, before := spot{node: e.root}, spot{}
	for _, step := range steps {
		next, err := e.below(at, step)
		if err != nil || next.node == nil {
			return b, false, nil
		}
		at, before = next, at
	}
	i := slices.Index(at.parent.Content, at.node)
	from := i
	if at.key != nil {
		from--
	}
	if len(at.parent.Content) == i-from+1 {
		empty := "{}"
		if at.key == nil {
			empty = "[]"
		}
		err = e.replace(before, empty)
	} else {
		err = e.remove(at, from, i)
	}
	if err != nil {
		return nil, false, e.place(err)
	}
	at.parent.Content = slices.Delete(at.parent.Content, from, i+1)
	if out = e.apply(); !e.same(out, e.root) {
		return nil, false, e.fail(nil, errSpan.Error(), `use "ambit env edit"`)
	}
	return out, true, nil
}

// remove cuts the nodes from..last out of a collection that keeps others.
func (e *editor) remove(at spot, from, last int) error {
	parent := at.parent
	start, err := e.spans.start(parent.Content[from])
	if err != nil {
		return err
	}
	end, err := e.spans.end(at.node, blockIndent(parent))
	if err != nil {
		return err
	}
	if parent.Style&yaml.FlowStyle == 0 {
		first := e.spans.lines[parent.Content[from].Line-1]
		if at.key == nil {
			dash := bytes.LastIndexByte(e.b[:start], '-')
			if dash < first {
				return errSpan
			}
			start = dash
		}
		if strings.TrimSpace(string(e.b[first:start])) != "" {
			// It shares its line with the dash of a list: what follows moves up.
			next, err := e.spans.start(parent.Content[last+1])
			if err != nil {
				return err
			}
			e.cut(start, next, "")
			return nil
		}
		e.cut(e.breakBefore(first), e.spans.lineEnd(end), "")
		return nil
	}
	if last+1 < len(parent.Content) {
		next, err := e.spans.start(parent.Content[last+1])
		if err != nil {
			return err
		}
		e.cut(start, next, "")
		return nil
	}
	previous, err := e.spans.end(parent.Content[from-1], 0)
	if err != nil {
		return err
	}
	e.cut(previous, end, "")
	return nil
}

// setNode is a copy of a tree in which the value stands at a path.
func setNode(n *yaml.Node, steps []accessor, v Written) *yaml.Node {
	if len(steps) == 0 {
		if old := n; old != nil && builtinOf(old) == secretName && v.ciphertext {
			v.text = "{ " + secretName + ": { ciphertext: " + v.text + " } }"
			v.ciphertext = false
		}
		root, _ := parseYAML([]byte("v: " + v.yaml()))
		if root == nil || len(root.Content) != 2 {
			return nil
		}
		return root.Content[1]
	}
	out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if steps[0].index >= 0 {
		out = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	}
	if n != nil && n.Kind == out.Kind {
		c := *n
		c.Content = slices.Clone(n.Content)
		out = &c
	}
	if i := steps[0].index; i >= 0 {
		if i < len(out.Content) {
			out.Content[i] = setNode(out.Content[i], steps[1:], v)
		} else {
			out.Content = append(out.Content, setNode(nil, steps[1:], v))
		}
		return out
	}
	for i := len(out.Content) - 2; i >= 0; i -= 2 {
		if out.Content[i].Value == steps[0].name {
			out.Content[i+1] = setNode(out.Content[i+1], steps[1:], v)
			return out
		}
	}
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: steps[0].name}
	out.Content = append(out.Content, key, setNode(nil, steps[1:], v))
	return out
}

// KeptSecret says whether a path below `values` holds a `fn::secret`.
func KeptSecret(file string, b []byte, path string) bool {
	e, err := newEditor(file, b)
	if err != nil || e.root == nil {
		return false
	}
	steps, err := e.steps(path)
	if err != nil {
		return false
	}
	at := spot{node: e.root}
	for _, step := range steps {
		if at, err = e.below(at, step); err != nil || at.node == nil {
			return false
		}
	}
	return builtinOf(at.node) == secretName
}

// Reencrypt returns the bytes of a definition with each ciphertext replaced by
// what renew makes of it, and how many there are. The error of renew comes back
// with the place of the ciphertext.
func Reencrypt(file string, b []byte, renew func(ciphertext string) (string, error)) ([]byte, int, error) {
	e, err := newEditor(file, b)
	if err != nil || e.root == nil {
		return b, 0, err
	}
	n := 0
	var visit func(node *yaml.Node) error
	visit = func(node *yaml.Node) error {
		if builtinOf(node) == secretName {
			arg := node.Content[1]
			if arg.Kind == yaml.MappingNode && len(arg.Content) == 2 && arg.Content[0].Value == "ciphertext" && arg.Content[1].Tag == "!!str" {
				text, err := renew(arg.Content[1].Value)
				if err != nil {
					return e.fail(arg.Content[1], err.Error(), "")
				}
				n++
				if err := e.replace(spot{arg.Content[1], arg.Content[0], arg}, text); err != nil {
					return e.fail(arg.Content[1], err.Error(), `use "ambit env edit"`)
				}
				arg.Content[1].Value = text // what the nodes are to be, for the comparison
				return nil
			}
		}
		for _, item := range node.Content {
			if err := visit(item); err != nil {
				return err
			}
		}
		return nil
	}
	if err := visit(e.root); err != nil {
		return nil, 0, err
	}
	out := e.apply()
	if !e.same(out, e.root) {
		return nil, 0, e.fail(nil, errSpan.Error(), `use "ambit env edit"`)
	}
	return out, n, nil
}
