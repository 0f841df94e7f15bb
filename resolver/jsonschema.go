package resolver

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// jsonSchema is the part of JSON Schema that fn::validate knows.
type jsonSchema struct {
	never bool // `false`: nothing fits
	ref   string
	root  *jsonSchema // whose $defs the ref is looked up in

	defs       map[string]*jsonSchema
	anyOf      []*jsonSchema
	oneOf      []*jsonSchema
	types      string
	constant   *Value
	enum       []Value
	properties map[string]*jsonSchema
	additional *jsonSchema
	required   []string
	dependent  map[string][]string
	prefix     []*jsonSchema
	items      *jsonSchema
	unique     bool
	pattern    *regexp.Regexp
	bounds     map[string]*big.Rat // by keyword
}

var (
	schemaBounds = []string{
		"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
		"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
	}
	schemaAnnotations = []string{
		"$schema", "$id", "$comment", "title", "description", "default", "examples", "example", "deprecated",
		"readOnly", "writeOnly", "format", "contentEncoding", "contentMediaType", "secret",
	}
	schemaKeywords = append([]string{
		"$defs", "$ref", "anyOf", "oneOf", "type", "const", "enum", "properties", "additionalProperties", "required",
		"dependentRequired", "prefixItems", "items", "uniqueItems", "pattern",
	}, schemaBounds...)
	schemaTypes = []string{"null", "boolean", "number", "integer", "string", "array", "object"}
)

func compileValidate(c *compiler, call *call, arg *yaml.Node) bool {
	f, ok := c.fields(call, arg, []string{"schema", "value"}, nil)
	if n := f["value"]; n != nil {
		oneArgument(c, call, n)
	}
	if n := f["schema"]; n != nil && isComputed(n) {
		call.args = append(call.args, c.expr(n))
	} else if n != nil {
		s := schemaCompiler{compiler: c, ok: true}
		call.schema = s.schema(n, nil)
		ok = ok && s.ok
	}
	return ok
}

// isComputed says whether a node does not simply stand for itself.
func isComputed(n *yaml.Node) bool {
	if n.Kind == yaml.ScalarNode {
		return strings.Contains(n.Value, "${") || strings.Contains(n.Value, "$$")
	}
	for i, item := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if isBuiltinKey(item.Value) {
				return true
			}
		} else if isComputed(item) {
			return true
		}
	}
	return false
}

// computedSchema makes a schema of the value of an expression, and reports there what
// is wrong with it. It returns nil if there is none.
func (ev *evaluator) computedSchema(e *expr, v Value) *jsonSchema {
	if v.hasUnknown() {
		return nil
	}
	c := schemaCompiler{compiler: &compiler{env: &environment{}, program: &Program{}}, ok: true}
	b, ok := appendJSON(nil, v, maxComputed)
	node, faults := parseYAML(b) // which JSON is
	if !ok || node == nil || len(faults) > 0 {
		ev.report(e.env, e.pos(), "the value is no schema", "")
		return nil
	}
	s := c.schema(node, nil)
	for _, d := range c.program.diags {
		d.Pos, d.Imports = e.pos(), e.env.imported()
		if v.hasSecret() {
			d.Summary, d.Hint = "the value is no schema", ""
		}
		ev.diags = append(ev.diags, d)
	}
	if !c.ok {
		return nil
	}
	return s
}

// schemaCompiler reads a schema, which is literal.
type schemaCompiler struct {
	*compiler
	ok   bool
	refs []schemaRef
}

type schemaRef struct {
	node   *yaml.Node
	schema *jsonSchema
}

func (c *schemaCompiler) wrong(n *yaml.Node, format string, args ...any) {
	c.ok = false
	c.fault(n, "schema: "+format, args...)
}

func (c *schemaCompiler) schema(n *yaml.Node, root *jsonSchema) *jsonSchema {
	s := &jsonSchema{root: root}
	if root == nil {
		s.root = s
		defer func() { c.resolveRefs(s) }()
	}
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!bool":
		s.never = !strings.EqualFold(n.Value, "true")
		return s
	case n.Kind != yaml.MappingNode:
		c.wrong(n, "expected an object or a boolean, got %s", nodeKind(n))
		return s
	}
	for i := 0; i < len(n.Content); i += 2 {
		c.keyword(s, n.Content[i], n.Content[i+1])
	}
	return s
}

func (c *schemaCompiler) keyword(s *jsonSchema, key, n *yaml.Node) {
	switch name := key.Value; name {
	case "$defs":
		s.defs = c.schemas(n, s.root)
	case "properties":
		s.properties = c.schemas(n, s.root)
	case "$ref":
		s.ref = c.text(n)
		c.refs = append(c.refs, schemaRef{n, s})
	case "anyOf":
		s.anyOf = c.schemaList(n, s.root)
	case "oneOf":
		s.oneOf = c.schemaList(n, s.root)
	case "prefixItems":
		s.prefix = c.schemaList(n, s.root)
	case "items":
		s.items = c.schema(n, s.root)
	case "additionalProperties":
		s.additional = c.schema(n, s.root)
	case "type":
		if s.types = c.text(n); s.types != "" && !slices.Contains(schemaTypes, s.types) {
			c.ok = false
			c.faultHint(n, didYouMean(s.types, schemaTypes), "schema: unknown type %q", s.types)
		}
	case "const":
		v := literalValue(n)
		s.constant = &v
	case "enum":
		if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
			c.wrong(n, "enum must be a list of values")
			return
		}
		s.enum = literalValue(n).List
	case "required":
		s.required = c.texts(n)
	case "dependentRequired":
		if n.Kind != yaml.MappingNode {
			c.wrong(n, "expected an object, got %s", nodeKind(n))
			return
		}
		s.dependent = map[string][]string{}
		for i := 0; i < len(n.Content); i += 2 {
			s.dependent[n.Content[i].Value] = c.texts(n.Content[i+1])
		}
	case "uniqueItems":
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
			c.wrong(n, "expected true or false, got %s", nodeKind(n))
		}
		s.unique = strings.EqualFold(n.Value, "true")
	case "pattern":
		re, err := regexp.Compile(c.text(n))
		if err != nil {
			c.wrong(n, "the pattern is not a regular expression")
			return
		}
		s.pattern = re
	default:
		switch {
		case slices.Contains(schemaBounds, name):
			c.bound(s, name, n)
		case !slices.Contains(schemaAnnotations, name):
			c.program.report(Diagnostic{Severity: Warning, Pos: c.env.at(key.Line, key.Column),
				Summary: fmt.Sprintf("schema: the keyword %q is not known and is ignored", name),
				Hint:    didYouMean(name, schemaKeywords), Imports: c.env.imported()})
		}
	}
}

func (c *schemaCompiler) bound(s *jsonSchema, name string, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" && n.Tag != "!!float" {
		c.wrong(n, "%s must be a number, not %s", name, nodeKind(n))
		return
	}
	r, ok := rational(n.Value)
	if !ok || name == "multipleOf" && r.Sign() <= 0 {
		c.wrong(n, "%s is out of range", name)
		return
	}
	if s.bounds == nil {
		s.bounds = map[string]*big.Rat{}
	}
	s.bounds[name] = r
}

// rational reads a number; one with a huge exponent is refused, its digits
// would fill the memory.
func rational(text string) (*big.Rat, bool) {
	text = decimal(text)
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		if n, err := strconv.Atoi(text[i+1:]); err != nil || n > 1000 || n < -1000 {
			return nil, false
		}
	}
	return new(big.Rat).SetString(text)
}

func (c *schemaCompiler) text(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		c.wrong(n, "expected a string, got %s", nodeKind(n))
		return ""
	}
	return n.Value
}

func (c *schemaCompiler) texts(n *yaml.Node) (out []string) {
	if n.Kind != yaml.SequenceNode {
		c.wrong(n, "expected a list of names, got %s", nodeKind(n))
		return nil
	}
	for _, item := range n.Content {
		out = append(out, c.text(item))
	}
	return out
}

func (c *schemaCompiler) schemas(n *yaml.Node, root *jsonSchema) map[string]*jsonSchema {
	if n.Kind != yaml.MappingNode {
		c.wrong(n, "expected an object of schemas, got %s", nodeKind(n))
		return nil
	}
	out := map[string]*jsonSchema{}
	for i := 0; i < len(n.Content); i += 2 {
		out[n.Content[i].Value] = c.schema(n.Content[i+1], root)
	}
	return out
}

func (c *schemaCompiler) schemaList(n *yaml.Node, root *jsonSchema) (out []*jsonSchema) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		c.wrong(n, "expected a list of schemas, got %s", nodeKind(n))
		return nil
	}
	for _, item := range n.Content {
		out = append(out, c.schema(item, root))
	}
	return out
}

// resolveRefs reports references that lead nowhere.
func (c *schemaCompiler) resolveRefs(root *jsonSchema) {
	for _, ref := range c.refs {
		if ref.schema.ref != "" && root.find(ref.schema.ref) == nil {
			names := make([]string, 0, len(root.defs))
			for name := range root.defs {
				names = append(names, "#/$defs/"+name)
			}
			c.ok = false
			c.faultHint(ref.node, didYouMean(ref.schema.ref, names), "schema: nothing is defined at %q", ref.schema.ref)
		}
	}
}

// find returns what a $ref points to: the root or one of its definitions.
func (s *jsonSchema) find(ref string) *jsonSchema {
	if ref == "#" {
		return s
	}
	if name, ok := strings.CutPrefix(ref, "#/$defs/"); ok {
		return s.defs[strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")]
	}
	return nil
}

// literalValue is what a node says, nothing in it interpolated.
func literalValue(n *yaml.Node) Value {
	switch n.Kind {
	case yaml.MappingNode:
		v := Value{Kind: Object, Object: map[string]Value{}}
		for i := 0; i < len(n.Content); i += 2 {
			v.Object[n.Content[i].Value] = literalValue(n.Content[i+1])
		}
		return v
	case yaml.SequenceNode:
		v := Value{Kind: List}
		for _, item := range n.Content {
			v.List = append(v.List, literalValue(item))
		}
		return v
	}
	switch n.Tag {
	case "!!null":
		return Value{}
	case "!!bool":
		return Value{Kind: Bool, Bool: strings.EqualFold(n.Value, "true")}
	case "!!int", "!!float":
		if isNumber(n) {
			return Value{Kind: Number, Text: n.Value}
		}
	}
	return Value{Kind: String, Text: n.Value}
}

// maxSchemaDepth and maxSchemaSteps bound what a schema that refers to itself
// can cost.
const (
	maxSchemaDepth = 4 * maxNesting
	maxSchemaSteps = 200_000
)

func (s *jsonSchema) fit(v Value, path []string, depth int, left *int) []misfit {
	if v.Unknown {
		return nil
	}
	at := slices.Clip(path)
	var out []misfit
	say := func(format string, args ...any) {
		out = append(out, misfit{path: at, summary: fmt.Sprintf(format, args...)})
	}
	if depth > maxSchemaDepth {
		say("the schema refers to itself more than %d times", maxSchemaDepth)
		return out
	}
	if *left--; *left <= 0 {
		return nil // validate tells
	}
	if s.never {
		say("nothing is allowed here")
		return out
	}
	if s.ref != "" {
		out = append(out, s.root.find(s.ref).fit(v, at, depth+1, left)...)
	}
	if s.types != "" && !hasType(v, s.types) {
		say("expected %s, got %s", typeNames(s.types), v.Kind)
		return out
	}
	if s.constant != nil && !equal(v, *s.constant) {
		say("the value is not the one that is required")
	}
	if s.enum != nil && !slices.ContainsFunc(s.enum, func(e Value) bool { return equal(v, e) }) {
		say("the value is none of those allowed")
	}
	if s.anyOf != nil && s.fitting(s.anyOf, v, at, depth, left) == 0 {
		say("the value fits none of the schemas of anyOf")
	}
	if s.oneOf != nil {
		if n := s.fitting(s.oneOf, v, at, depth, left); n != 1 {
			say("the value fits %d of the schemas of oneOf, not one", n)
		}
	}
	switch v.Kind {
	case Number:
		s.fitNumber(v, say)
	case String:
		s.within("Length", utf8.RuneCountInString(v.Text), "characters", say)
		if s.pattern != nil && !s.pattern.MatchString(v.Text) {
			say("the text does not match the pattern")
		}
	case List:
		s.within("Items", len(v.List), "elements", say)
		out = append(out, s.fitList(v, at, depth, left)...)
	case Object:
		s.within("Properties", len(v.Object), "properties", say)
		out = append(out, s.fitObject(v, at, depth, left)...)
	}
	return out
}

// fitting counts the schemas that a value fits.
func (s *jsonSchema) fitting(schemas []*jsonSchema, v Value, at []string, depth int, left *int) (n int) {
	for _, option := range schemas {
		if len(option.fit(v, at, depth+1, left)) == 0 {
			n++
		}
	}
	return n
}

func (s *jsonSchema) within(what string, n int, unit string, say func(string, ...any)) {
	count := big.NewRat(int64(n), 1)
	if low := s.bounds["min"+what]; low != nil && count.Cmp(low) < 0 {
		say("expected at least %s %s, got %d", low.RatString(), unit, n)
	}
	if high := s.bounds["max"+what]; high != nil && count.Cmp(high) > 0 {
		say("expected at most %s %s, got %d", high.RatString(), unit, n)
	}
}

func (s *jsonSchema) fitNumber(v Value, say func(string, ...any)) {
	if s.bounds == nil {
		return
	}
	r, ok := rational(v.Text)
	if !ok {
		say("the number is out of range")
		return
	}
	for _, check := range []struct {
		keyword, say string
		fails        func(int) bool
	}{
		{"minimum", "at least", func(c int) bool { return c < 0 }},
		{"maximum", "at most", func(c int) bool { return c > 0 }},
		{"exclusiveMinimum", "more than", func(c int) bool { return c <= 0 }},
		{"exclusiveMaximum", "less than", func(c int) bool { return c >= 0 }},
	} {
		if b := s.bounds[check.keyword]; b != nil && check.fails(r.Cmp(b)) {
			say("expected a number of %s %s", check.say, b.RatString())
		}
	}
	if m := s.bounds["multipleOf"]; m != nil && !new(big.Rat).Quo(r, m).IsInt() {
		say("expected a multiple of %s", m.RatString())
	}
}

func (s *jsonSchema) fitList(v Value, at []string, depth int, left *int) (out []misfit) {
	for i, item := range v.List {
		below := append(at, strconv.Itoa(i))
		switch {
		case i < len(s.prefix):
			out = append(out, s.prefix[i].fit(item, below, depth+1, left)...)
		case s.items != nil:
			out = append(out, s.items.fit(item, below, depth+1, left)...)
		}
	}
	if s.unique {
		seen := map[string]bool{}
		for i, item := range v.List {
			key := canonical(item)
			if seen[key] {
				out = append(out, misfit{path: append(slices.Clone(at), strconv.Itoa(i)), summary: "the element is there already"})
			}
			seen[key] = true
		}
	}
	return out
}

func (s *jsonSchema) fitObject(v Value, at []string, depth int, left *int) (out []misfit) {
	for _, key := range sortedKeys(v.Object) {
		below := append(slices.Clone(at), key)
		switch property := s.properties[key]; {
		case property != nil:
			out = append(out, property.fit(v.Object[key], below, depth+1, left)...)
		case s.additional != nil && s.additional.never:
			names := make([]string, 0, len(s.properties))
			for name := range s.properties {
				names = append(names, name)
			}
			out = append(out, misfit{path: below, key: true, summary: fmt.Sprintf("unknown property %q", key), hint: didYouMean(key, names)})
		case s.additional != nil:
			out = append(out, s.additional.fit(v.Object[key], below, depth+1, left)...)
		}
		for _, name := range s.dependent[key] {
			if _, ok := v.Object[name]; !ok {
				out = append(out, misfit{path: below, key: true, summary: fmt.Sprintf("%q needs %q beside it", key, name)})
			}
		}
	}
	for _, name := range s.required {
		if _, ok := v.Object[name]; !ok {
			out = append(out, misfit{path: at, summary: fmt.Sprintf("the property %q is missing", name)})
		}
	}
	return out
}

func hasType(v Value, name string) bool {
	if name == "integer" {
		r, ok := rational(v.Text)
		return v.Kind == Number && ok && r.IsInt()
	}
	return v.Kind.schemaType() == name
}

// equal compares values as JSON Schema does: numbers by what they are worth.
func equal(a, b Value) bool { return canonical(a) == canonical(b) }

func canonical(v Value) string {
	var b strings.Builder
	var write func(v Value)
	write = func(v Value) {
		switch v.Kind {
		case Number:
			if r, ok := rational(v.Text); ok {
				b.WriteString(r.RatString())
			} else {
				b.WriteString(v.Text)
			}
		case String:
			fmt.Fprintf(&b, "%q", v.Text)
		case List:
			b.WriteByte('[')
			for _, item := range v.List {
				write(item)
				b.WriteByte(',')
			}
			b.WriteByte(']')
		case Object:
			b.WriteByte('{')
			for _, key := range sortedKeys(v.Object) {
				fmt.Fprintf(&b, "%q:", key)
				write(v.Object[key])
				b.WriteByte(',')
			}
			b.WriteByte('}')
		case Bool:
			b.WriteString(strconv.FormatBool(v.Bool))
		default:
			b.WriteString("null")
		}
	}
	write(v)
	return b.String()
}

// validate reports each violation at its place.
func validate(ev *evaluator, e *expr, args []Value) (Value, bool) {
	schema := e.call.schema
	if len(args) > 1 {
		if schema = ev.computedSchema(e.call.args[1], args[1]); schema == nil {
			return checked(args[0]), true
		}
	}
	left := maxSchemaSteps
	misfits := schema.fit(args[0], nil, 0, &left)
	if left <= 0 {
		misfits = []misfit{{summary: fmt.Sprintf("the schema takes more than %d steps to compare", maxSchemaSteps)}}
	}
	for _, m := range misfits {
		ev.report(e.env, placeOf(e.call.arg, m.path, m.key), m.summary, m.hint)
	}
	return checked(args[0]), len(misfits) == 0
}

// checked is the value of a fn::validate: as of what every builtin computes, a secret
// in it makes it secret.
func checked(v Value) Value {
	v.Secret = v.hasSecret()
	return v
}
