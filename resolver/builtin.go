package resolver

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"
)

// builtin is one fn:: function: how its argument is written and what it means.
type builtin struct {
	name string

	// compile reads the argument into the call; it reports what does not fit
	// and then returns false.
	compile func(c *compiler, call *call, arg *yaml.Node) bool

	// apply computes the value from the evaluated argument; nil for those that
	// the evaluator knows itself.
	apply func(ev *evaluator, e *expr, args []Value) (Value, bool)
}

const (
	openName   = "fn::open"
	rotateName = "fn::rotate"
	secretName = "fn::secret"
	finalName  = "fn::final"

	concatName   = "fn::concat"
	validateName = "fn::validate"
)

var builtins map[string]*builtin

func init() {
	builtins = map[string]*builtin{}
	for _, b := range []*builtin{
		{name: openName, compile: compileOpen},
		{name: rotateName, compile: compileRotate},
		{name: secretName, compile: compileSecret},
		{name: finalName, compile: oneArgument},
		{name: "fn::toJSON", compile: oneArgument, apply: toJSON},
		{name: "fn::toYAML", compile: oneArgument, apply: toYAML},
		{name: "fn::fromJSON", compile: oneArgument, apply: fromJSON},
		{name: "fn::toString", compile: oneArgument, apply: toString},
		{name: "fn::toBase64", compile: oneArgument, apply: toBase64},
		{name: "fn::fromBase64", compile: oneArgument, apply: fromBase64},
		{name: "fn::join", compile: pairArgument(`[delimiter, [strings]]`), apply: join},
		{name: "fn::split", compile: pairArgument(`[delimiter, string]`), apply: split},
		{name: concatName, compile: listArgument, apply: concat},
		{name: validateName, compile: compileValidate, apply: validate},
	} {
		builtins[b.name] = b
	}
}

// isBuiltinKey says whether a key is reserved for builtins.
func isBuiltinKey(key string) bool {
	return len(key) >= len(prefix) && strings.EqualFold(key[:len(prefix)], prefix)
}

// call compiles a mapping whose key at index i is reserved.
func (c *compiler) call(n *yaml.Node, i int) *expr {
	key, arg := n.Content[i], n.Content[i+1]
	e := c.new(exprCall, n)
	e.call = &call{name: key.Value, line: key.Line, col: key.Column}
	ok := true
	for j := 0; j < len(n.Content); j += 2 {
		if j != i {
			c.faultHint(n.Content[j], "a builtin is the only key of its object",
				"%q stands beside %q", n.Content[j].Value, key.Value)
			ok = false
		}
	}
	name, provider := key.Value, ""
	for _, short := range []string{openName, rotateName} {
		if rest, found := strings.CutPrefix(name, short+"::"); found {
			name, provider = short, rest
			if provider == "" {
				c.faultHint(key, "write "+short+"::NAME", "%q lacks the name of a provider", key.Value)
				return c.failed(n)
			}
		}
	}
	e.call.builtin, e.call.provider = builtins[name], provider
	if e.call.builtin == nil {
		hint := ""
		near := name[len(prefix):]
		if builtins[prefix+near] == nil {
			near = Nearest(near, builtinNames())
		}
		if near != "" {
			hint = fmt.Sprintf("did you mean %q?", prefix+near)
		}
		c.faultHint(key, hint, "unknown builtin %q", key.Value)
		return c.failed(n)
	}
	e.final = name == finalName
	if e.final {
		c.program.hasFinal = true
	}
	if !e.call.builtin.compile(c, e.call, arg) || !ok {
		failed := c.failed(n)
		failed.final = e.final
		return failed
	}
	return e
}

// prefix begins the keys that are reserved for builtins, in any case.
const prefix = "fn::"

// builtinNames are the names without their prefix.
func builtinNames() []string {
	names := make([]string, 0, len(builtins))
	for name := range builtins {
		names = append(names, name[len(prefix):])
	}
	sort.Strings(names)
	return names
}

func oneArgument(c *compiler, call *call, arg *yaml.Node) bool {
	call.arg = c.expr(arg)
	call.args = []*expr{call.arg}
	return true
}

// pairArgument compiles a literal list of two.
func pairArgument(form string) func(*compiler, *call, *yaml.Node) bool {
	return func(c *compiler, call *call, arg *yaml.Node) bool {
		if arg.Kind != yaml.SequenceNode || len(arg.Content) != 2 {
			c.faultHint(arg, "write "+call.name+": "+form, "%s needs a list of two", call.name)
			return false
		}
		call.args = []*expr{c.expr(arg.Content[0]), c.expr(arg.Content[1])}
		return true
	}
}

// listArgument compiles a literal list of any length.
func listArgument(c *compiler, call *call, arg *yaml.Node) bool {
	if arg.Kind != yaml.SequenceNode {
		c.faultHint(arg, "write "+call.name+": [list, …]", "%s needs a list of lists", call.name)
		return false
	}
	for _, item := range arg.Content {
		call.args = append(call.args, c.expr(item))
	}
	return true
}

// fields takes a literal object apart: known keys only, those required present.
func (c *compiler) fields(call *call, arg *yaml.Node, required, optional []string) (map[string]*yaml.Node, bool) {
	known := append(slices.Clone(required), optional...)
	if arg.Kind != yaml.MappingNode {
		c.fault(arg, "%s needs an object with %s", call.name, strings.Join(known, ", "))
		return nil, false
	}
	ok := true
	out := map[string]*yaml.Node{}
	for i := 0; i < len(arg.Content); i += 2 {
		key := arg.Content[i]
		if !slices.Contains(known, key.Value) {
			c.faultHint(key, didYouMean(key.Value, known), "unknown key %q of %s", key.Value, call.name)
			ok = false
			continue
		}
		out[key.Value] = arg.Content[i+1]
	}
	for _, name := range required {
		if out[name] == nil {
			c.program.report(Diagnostic{Pos: c.env.at(call.line, call.col),
				Summary: fmt.Sprintf("%s lacks %q", call.name, name), Imports: c.env.imported()})
			ok = false
		}
	}
	return out, ok
}

func compileOpen(c *compiler, call *call, arg *yaml.Node) bool {
	if call.provider != "" {
		return oneArgument(c, call, arg)
	}
	f, ok := c.fields(call, arg, []string{"provider", "inputs"}, []string{"ttl"})
	if n := f["provider"]; n != nil {
		if n.Kind != yaml.ScalarNode || n.Tag != "!!str" || n.Value == "" || strings.Contains(n.Value, "${") {
			c.fault(n, "the provider must be a literal name")
			ok = false
		}
		call.provider = n.Value
	}
	if n := f["ttl"]; n != nil {
		call.ttl = c.expr(n)
	}
	if n := f["inputs"]; n != nil {
		oneArgument(c, call, n)
	}
	return ok
}

func compileRotate(c *compiler, call *call, arg *yaml.Node) bool {
	required, optional := []string{"inputs"}, []string{"state"}
	if call.provider == "" {
		required = append(required, "provider")
	} else {
		optional = append(optional, "provider")
	}
	_, ok := c.fields(call, arg, required, optional)
	return ok
}

func compileSecret(c *compiler, call *call, arg *yaml.Node) bool {
	if arg.Kind == yaml.MappingNode {
		f, ok := c.fields(call, arg, []string{"ciphertext"}, nil)
		if n := f["ciphertext"]; n != nil {
			if n.Kind != yaml.ScalarNode || n.Tag != "!!str" || n.Value == "" {
				c.fault(n, "the ciphertext must be a literal string")
				return false
			}
			call.envelope = n.Value
			call.arg = c.scalar(n, false)
		}
		return ok
	}
	if arg.Kind != yaml.ScalarNode || arg.Tag != "!!str" {
		c.faultHint(arg, "quote it", "fn::secret needs a literal string, not %s", nodeKind(arg))
		return false
	}
	call.arg = c.scalar(arg, false)
	return true
}

// nodeKind names what a node holds, for messages.
func nodeKind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "an object"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "null"
	case n.Tag == "!!bool":
		return "a boolean"
	case n.Tag == "!!int" || n.Tag == "!!float":
		return "a number"
	}
	return "a string"
}
