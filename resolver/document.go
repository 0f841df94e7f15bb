package resolver

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// FileName is the name of the file that governs a directory. Only files of this
// name have the directory keys.
const FileName = ".envrc.yaml"

var (
	topKeys       = []string{"description", "imports", "values"}
	directoryKeys = []string{"environment", "inherit", "path", "unset", "dotenv", "watch"}
	reservedRoots = []string{"imports", "context", "environments"}
)

// document is what a file says before anything is evaluated.
type document struct {
	environment []string // the names of the `environment` key
	imports     []importDecl
	values      *expr // an object, or nil
	inherit     *literal
	path        []literal
	unset       []literal
	dotenv      []dotenvDecl
	watch       []literal
}

// literal is a string that trust reads before evaluation.
type literal struct {
	text      string
	line, col int
}

type importDecl struct {
	literal
	merge bool
}

type dotenvDecl struct {
	literal
	optional bool
}

// document compiles a file's root node; nil is a file without content.
func (c *compiler) document(root *yaml.Node) {
	doc := &c.env.doc
	if root == nil || root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return
	}
	if root.Kind != yaml.MappingNode {
		c.faultHint(root, "write values: with the values under it", "an environment must be an object, not %s", nodeKind(root))
		return
	}
	governs := filepath.Base(c.env.path) == FileName
	seen := map[string]*yaml.Node{}
	var order []string
	for i := 0; i < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		name := strings.ToLower(key.Value)
		known := knownKey(name, topKeys)
		switch {
		case known, governs && knownKey(name, directoryKeys):
		case knownKey(name, directoryKeys):
			c.faultHint(key, "move it to "+FileName, "%q is only allowed in a file named %s", key.Value, FileName)
			continue
		default:
			names := topKeys
			if governs {
				names = append(append([]string{}, topKeys...), directoryKeys...)
			}
			d := Diagnostic{Pos: c.env.at(key.Line, key.Column), Summary: fmt.Sprintf("unknown key %q", key.Value),
				Hint: didYouMean(key.Value, names), Imports: c.env.imported()}
			if !governs {
				d.Severity = Warning
			}
			c.program.report(d)
			continue
		}
		if seen[name] != nil {
			c.warn(key, "repeated key %q: the last one counts", key.Value)
		} else {
			order = append(order, name)
		}
		seen[name] = value
	}
	for _, name := range order {
		c.key(doc, name, seen[name])
	}
	// `environment` is imported before `imports`, whichever is written first.
	if n := seen["environment"]; n != nil && governs {
		doc.imports = append(c.environmentKey(doc, n), doc.imports...)
	}
}

func knownKey(name string, keys []string) bool {
	for _, key := range keys {
		if key == name {
			return true
		}
	}
	return false
}

func (c *compiler) key(doc *document, name string, n *yaml.Node) {
	empty := n.Kind == yaml.ScalarNode && n.Tag == "!!null"
	switch name {
	case "description":
		if !empty && (n.Kind != yaml.ScalarNode || n.Tag != "!!str") {
			c.fault(n, "description must be a string, not %s", nodeKind(n))
		}
	case "imports":
		if !empty {
			doc.imports = c.importList(n)
		}
	case "values":
		switch {
		case empty:
		case n.Kind != yaml.MappingNode:
			c.fault(n, "values must be an object, not %s", nodeKind(n))
		default:
			doc.values = c.values(n)
		}
	case "inherit":
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
			c.fault(n, "inherit must be true or false, not %s", nodeKind(n))
		} else if strings.EqualFold(n.Value, "true") {
			doc.inherit = &literal{"true", n.Line, n.Column}
		}
	case "path":
		if !empty {
			doc.path = c.list(n, name, false)
		}
	case "unset":
		if !empty {
			doc.unset = c.list(n, name, false)
		}
	case "watch":
		if !empty {
			doc.watch = c.list(n, name, true)
		}
	case "dotenv":
		if !empty {
			doc.dotenv = c.dotenvList(n)
		}
	}
}

// values compiles the top of `values`, where some keys are reserved.
func (c *compiler) values(n *yaml.Node) *expr {
	kept := n.Content[:0:0]
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		if knownKey(key.Value, reservedRoots) || isBuiltinKey(key.Value) {
			c.fault(key, "%q is reserved at the top of values", key.Value)
			continue
		}
		kept = append(kept, key, n.Content[i+1])
	}
	n.Content = kept
	return c.object(n)
}

// literal reads a string that may not be interpolated.
func (c *compiler) literal(n *yaml.Node, what string) (literal, bool) {
	switch {
	case n.Kind != yaml.ScalarNode || n.Tag != "!!str":
		hint := ""
		if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
			hint = "quote it"
		}
		c.faultHint(n, hint, "%s must be a string, not %s", what, nodeKind(n))
	case strings.Contains(n.Value, "${"):
		c.fault(n, "%s must be literal: it is read before anything is evaluated", what)
	case n.Value == "":
		c.fault(n, "%s is empty", what)
	case strings.ContainsRune(n.Value, 0):
		c.fault(n, "%s contains a NUL", what)
	default:
		return literal{n.Value, n.Line, n.Column}, true
	}
	return literal{}, false
}

// list reads a list of literals, or where one is allowed a single one.
func (c *compiler) list(n *yaml.Node, key string, single bool) (out []literal) {
	items := n.Content
	if single && n.Kind == yaml.ScalarNode {
		items = []*yaml.Node{n}
	} else if n.Kind != yaml.SequenceNode {
		what := "a list"
		if single {
			what = "a string or a list"
		}
		c.fault(n, "%s must be %s, not %s", key, what, nodeKind(n))
		return nil
	}
	for _, item := range items {
		l, ok := c.literal(item, "an entry of "+key)
		switch {
		case !ok:
			continue
		case key == "path" && strings.ContainsAny(l.text, ":\n\r"):
			c.fault(item, "a directory of path contains a colon or a line break")
			continue
		case key == "unset" && Forbidden(l.text):
			c.fault(item, "the variable %q cannot be unset here", l.text)
			continue
		}
		out = append(out, l)
	}
	return out
}

func (c *compiler) environmentKey(doc *document, n *yaml.Node) (out []importDecl) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	for _, l := range c.list(n, "environment", true) {
		if isRelative(l.text) {
			c.program.report(Diagnostic{Pos: c.env.at(l.line, l.col),
				Summary: fmt.Sprintf("environment takes names, not the file %q", l.text),
				Hint:    "put it under imports", Imports: c.env.imported()})
			continue
		}
		if c.importable(l) {
			out = append(out, importDecl{l, true})
			doc.environment = append(doc.environment, l.text)
		}
	}
	return out
}

func (c *compiler) importList(n *yaml.Node) (out []importDecl) {
	if n.Kind != yaml.SequenceNode {
		c.faultHint(n, "write imports: [NAME]", "imports must be a list, not %s", nodeKind(n))
		return nil
	}
	for _, item := range n.Content {
		decl := importDecl{merge: true}
		name := item
		if item.Kind == yaml.MappingNode {
			if len(item.Content) != 2 {
				c.faultHint(item, "write NAME or {NAME: {merge: false}}", "an import names one environment")
				continue
			}
			name = item.Content[0]
			if !c.importOptions(item.Content[1], &decl) {
				continue
			}
		}
		l, ok := c.literal(name, "an import")
		if !ok || !c.importable(l) {
			continue
		}
		decl.literal = l
		out = append(out, decl)
	}
	return out
}

func (c *compiler) importOptions(n *yaml.Node, decl *importDecl) bool {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return true
	}
	if n.Kind != yaml.MappingNode {
		c.faultHint(n, "write {merge: false}", "the options of an import must be an object, not %s", nodeKind(n))
		return false
	}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Value != "merge":
			c.program.report(Diagnostic{Severity: Warning, Pos: c.env.at(key.Line, key.Column),
				Summary: fmt.Sprintf("unknown import option %q", key.Value),
				Hint:    didYouMean(key.Value, []string{"merge"}), Imports: c.env.imported()})
		case value.Kind != yaml.ScalarNode || value.Tag != "!!bool":
			c.fault(value, "merge must be true or false, not %s", nodeKind(value))
			return false
		default:
			decl.merge = strings.EqualFold(value.Value, "true")
		}
	}
	return true
}

func (c *compiler) dotenvList(n *yaml.Node) (out []dotenvDecl) {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	for _, item := range items {
		decl, file := dotenvDecl{}, item
		if item.Kind == yaml.MappingNode {
			file = nil
			ok := true
			for i := 0; i < len(item.Content); i += 2 {
				key, value := item.Content[i], item.Content[i+1]
				switch {
				case key.Value == "file":
					file = value
				case key.Value == "optional" && value.Kind == yaml.ScalarNode && value.Tag == "!!bool":
					decl.optional = strings.EqualFold(value.Value, "true")
				case key.Value == "optional":
					c.fault(value, "optional must be true or false, not %s", nodeKind(value))
					ok = false
				default:
					c.faultHint(key, didYouMean(key.Value, []string{"file", "optional"}), "unknown key %q of dotenv", key.Value)
					ok = false
				}
			}
			if file == nil {
				c.fault(item, `dotenv lacks "file"`)
				ok = false
			}
			if !ok {
				continue
			}
		}
		l, ok := c.literal(file, "a dotenv file")
		if !ok {
			continue
		}
		decl.literal = l
		out = append(out, decl)
	}
	return out
}

// isRelative says whether an import is a file relative to the importing one.
func isRelative(name string) bool {
	return strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../")
}

var namePart = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$`)

// ValidEnvironmentName says whether a name is `[PROJECT/]NAME`.
func ValidEnvironmentName(name string) bool {
	parts := strings.Split(name, "/")
	if len(parts) > 2 {
		return false
	}
	for _, part := range parts {
		if !namePart.MatchString(part) || strings.HasSuffix(part, ".yaml") {
			return false
		}
	}
	return true
}

// importable reports a name that no environment and no file can have.
func (c *compiler) importable(l literal) bool {
	d := Diagnostic{Pos: c.env.at(l.line, l.col)}
	switch {
	case isRelative(l.text):
		if strings.HasSuffix(l.text, ".yaml") {
			return true
		}
		d.Summary, d.Hint = fmt.Sprintf("the imported file %q does not end in .yaml", l.text), "rename it"
	case ValidEnvironmentName(l.text):
		return true
	default:
		d.Summary, d.Hint = invalidName(l.text)
	}
	d.Imports = c.env.imported()
	c.program.report(d)
	return false
}

// invalidName says what is wrong with a name that no environment can have.
func invalidName(name string) (summary, hint string) {
	switch {
	case strings.Contains(name, "@"):
		return fmt.Sprintf("%q asks for a version, and directory stores keep none", name), "leave out what follows @"
	case strings.HasPrefix(name, "/") || strings.HasPrefix(name, "~"):
		return fmt.Sprintf("the import %q is neither a name nor a relative path", name), "begin a file with ./ or ../"
	case strings.HasSuffix(name, ".yaml"):
		return fmt.Sprintf("invalid environment name %q", name), "leave out .yaml, or begin a file with ./ or ../"
	}
	return fmt.Sprintf("invalid environment name %q", name), "a name is [PROJECT/]NAME of letters, digits, _ . and -"
}
