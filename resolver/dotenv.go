package resolver

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// dotenvFile is a file of assignments, parsed.
type dotenvFile struct {
	path        string       // canonical
	env         *environment // that named it first
	order       int
	chain       []Position
	src         []byte // as parsed
	assignments []assignment
	failed      bool
}

type assignment struct {
	name      string
	word      *syntax.Word // nil: empty
	line, col int
}

// dotenvFile loads a dotenv file of an environment. It belongs to the closure,
// there or not.
func (p *Program) dotenvFile(env *environment, decl dotenvDecl) {
	pos := env.at(decl.line, decl.col)
	fail := func(summary, hint string) {
		p.report(Diagnostic{Pos: pos, Summary: summary, Hint: hint, Imports: env.imported()})
	}
	path, err := p.absolute(env, decl.text)
	if err != nil {
		fail(err.Error(), "")
		return
	}
	src, err := p.sources.Read(path, env.store)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.note(ClosureFile{Path: path, Store: env.store, Absent: true})
		if !decl.optional {
			fail(fmt.Sprintf("the dotenv file %q does not exist", decl.text), "write {file: FILE, optional: true} if it may be missing")
		}
		return
	case errors.Is(err, ErrLeavesStore):
		fail(fmt.Sprintf("the dotenv file %q leaves the store", decl.text), "")
		return
	case err != nil:
		fail(readSummary(fmt.Sprintf("the dotenv file %q", decl.text), err), "")
		return
	}
	p.note(ClosureFile{Path: src.Path, Store: src.Store, Bytes: src.Bytes})
	file := p.dotenvs[src.Path]
	if file == nil {
		file = &dotenvFile{path: src.Path, env: env, order: len(p.dotenvs), chain: append([]Position{pos}, env.imported()...)}
		p.dotenvs[src.Path] = file
		if p.bytes += len(src.Bytes); p.bytes > maxClosureBytes {
			fail(fmt.Sprintf("the imported files have more than %d MiB", maxClosureBytes>>20), "")
			file.failed = true
		} else if bad := file.parse(src.Bytes); bad != nil {
			file.failed = true
			p.report(Diagnostic{Pos: Position{file.path, bad.line, bad.col}, Summary: bad.summary, Hint: bad.hint, Imports: file.chain})
		}
	}
	env.dotenvs = append(env.dotenvs, file)
}

const quoteValue = "quote the value"

// dotenvFault is an error at a place of a dotenv file.
func dotenvFault(b []byte, pos syntax.Pos, summary, hint string) *fault {
	line, col := int(pos.Line()), int(pos.Col())
	text := sourceLine(b, line)
	if col-1 <= len(text) && col > 0 {
		col = utf8.RuneCountInString(text[:col-1]) + 1
	}
	return &fault{line: max(line, 1), col: max(col, 1), summary: summary, hint: hint}
}

// parse reads the assignments of a file whose variables are to be exported.
func (f *dotenvFile) parse(b []byte) (bad *fault) {
	f.src = dotenvText(b)
	if f.assignments, bad = parseDotenv(f.src); bad != nil {
		return bad
	}
	for _, a := range f.assignments {
		if Forbidden(a.name) {
			return &fault{line: a.line, col: a.col, summary: fmt.Sprintf("the variable %q cannot be set", a.name), hint: forbiddenHint}
		}
	}
	return nil
}

// dotenvText is a file without what editors add.
func dotenvText(b []byte) []byte {
	return bytes.ReplaceAll(bytes.TrimPrefix(b, bom), []byte("\r\n"), []byte("\n"))
}

// parseDotenv reads assignments and refuses whatever a shell would run.
func parseDotenv(b []byte) (assignments []assignment, bad *fault) {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return nil, &fault{line: 1 + bytes.Count(b[:i], []byte("\n")), col: 1, summary: "the dotenv file contains a NUL"}
	}
	if !utf8.Valid(b) {
		line, col := badByte(b)
		return nil, &fault{line: line, col: col, summary: "the dotenv file is not UTF-8 text", hint: `write other bytes as in NAME=$'\377'`}
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(bytes.NewReader(b), "")
	if err != nil {
		var parse syntax.ParseError
		if errors.As(err, &parse) {
			summary, hint := "this is not a dotenv assignment", quoteValue
			if strings.Contains(parse.Text, "without closing quote") || strings.Contains(parse.Text, "reached EOF") {
				summary, hint = "the quote is not closed", ""
			}
			return nil, dotenvFault(b, parse.Pos, summary, hint)
		}
		return nil, &fault{line: 1, col: 1, summary: "the dotenv file cannot be read"}
	}
	lastLine := uint(0)
	for _, stmt := range file.Stmts {
		assigns, bad := assignsOf(stmt)
		if bad == nil && (len(assigns) != 1 || assigns[0].Pos().Line() == lastLine) {
			bad = stmt
			if len(assigns) > 1 {
				bad = assigns[1]
			}
		}
		if bad != nil {
			hint := quoteValue
			if bad.Pos() == stmt.Pos() {
				hint = "write NAME=VALUE"
			}
			return nil, dotenvFault(b, bad.Pos(), "this is not a dotenv assignment", hint)
		}
		a := assigns[0]
		lastLine = stmt.End().Line()
		assigned, fault := assign(b, a)
		if fault != nil {
			return nil, fault
		}
		assignments = append(assignments, assigned)
	}
	return assignments, nil
}

// assignsOf returns the assignments of a statement, or the node that makes it
// something else.
func assignsOf(stmt *syntax.Stmt) ([]*syntax.Assign, syntax.Node) {
	switch {
	case stmt.Negated:
		return nil, stmt
	case stmt.Background, stmt.Coprocess, stmt.Disown:
		return nil, operator{stmt.Semicolon}
	}
	if len(stmt.Redirs) > 0 {
		return nil, stmt.Redirs[0]
	}
	var assigns []*syntax.Assign
	switch cmd := stmt.Cmd.(type) {
	case *syntax.BinaryCmd:
		return nil, operator{cmd.OpPos}
	case *syntax.CallExpr:
		if len(cmd.Args) > 0 {
			return nil, cmd.Args[0]
		}
		assigns = cmd.Assigns
	case *syntax.DeclClause:
		if cmd.Variant.Value != "export" {
			return nil, cmd
		}
		assigns = cmd.Args
	default:
		return nil, stmt
	}
	if stmt.Semicolon.IsValid() {
		return nil, operator{stmt.Semicolon}
	}
	return assigns, nil
}

// operator is the place of one, such as a semicolon.
type operator struct{ pos syntax.Pos }

func (o operator) Pos() syntax.Pos { return o.pos }
func (o operator) End() syntax.Pos { return o.pos }

func assign(b []byte, a *syntax.Assign) (assignment, *fault) {
	if a.Array != nil && a.Name != nil && !a.Append {
		return assignment{}, dotenvFault(b, a.Array.Pos(), "a shell would run or expand this", quoteValue)
	}
	if a.Naked || a.Name == nil || a.Index != nil || a.Array != nil || a.Append {
		return assignment{}, dotenvFault(b, a.Pos(), "this is not a dotenv assignment", "write NAME=VALUE")
	}
	if !ValidName(a.Name.Value) {
		return assignment{}, dotenvFault(b, a.Pos(), fmt.Sprintf("invalid variable name %q", a.Name.Value), "a name has letters, digits and _, and no digit first")
	}
	if a.Value != nil {
		if bad := foreignPart(a.Value.Parts); bad != nil {
			return assignment{}, dotenvFault(b, bad.Pos(), "a shell would run or expand this", quoteValue)
		}
	}
	at := dotenvFault(b, a.Pos(), "", "")
	return assignment{a.Name.Value, a.Value, at.line, at.col}, nil
}

// foreignPart returns the first part that the dialect does not have.
func foreignPart(parts []syntax.WordPart) syntax.Node {
	for _, part := range parts {
		switch part := part.(type) {
		case *syntax.Lit, *syntax.SglQuoted:
		case *syntax.DblQuoted:
			if part.Dollar {
				return part
			}
			if bad := foreignPart(part.Parts); bad != nil {
				return bad
			}
		case *syntax.ParamExp:
			if part.Flags != nil || part.Excl || part.Length || part.Width || part.IsSet || part.NestedParam != nil ||
				part.Index != nil || len(part.Modifiers) > 0 || part.Slice != nil || part.Repl != nil ||
				part.Names != 0 || part.Param == nil || !ValidName(part.Param.Value) {
				return part
			}
			if part.Exp == nil {
				continue
			}
			switch part.Exp.Op {
			case syntax.DefaultUnsetOrNull, syntax.DefaultUnset, syntax.AlternateUnsetOrNull,
				syntax.AlternateUnset, syntax.ErrorUnsetOrNull:
			default:
				return part
			}
			if part.Exp.Word != nil {
				if bad := foreignPart(part.Exp.Word.Parts); bad != nil {
					return bad
				}
			}
		default:
			return part
		}
	}
	return nil
}

// dotenvValue is a file as {environmentVariables: …}, every value secret. When
// nothing is opened the values are unknown: they depend on the process.
func (ev *evaluator) dotenvValue(env *environment, f *dotenvFile) *Value {
	if v := ev.dotenv[f]; v != nil {
		return v
	}
	x := expansion{src: f.src, vars: map[string]string{}, lookup: ev.opt.Env.Lookup,
		say: func(severity Severity, line, col int, summary string) {
			ev.diags = append(ev.diags, Diagnostic{Severity: severity, Pos: Position{f.path, line, col}, Summary: summary, Imports: f.chain})
		}}
	variables := map[string]Value{}
	for _, a := range f.assignments {
		v := Value{Kind: String, Secret: true, Pos: Position{f.path, a.line, a.col}}
		if ev.mode == modePlan || f.failed {
			v.Unknown = true
		} else if text, ok := x.word(a.word); !ok {
			v.Unknown = true
		} else {
			v.Text = text
			x.vars[a.name] = text
		}
		variables[a.name] = v
	}
	out := &Value{Kind: Object, Object: map[string]Value{
		variablesKey: {Kind: Object, Object: variables, Pos: Position{f.path, 1, 1}},
	}, Pos: Position{f.path, 1, 1}}
	ev.dotenv[f] = out
	return out
}

// expansion expands the words of a dotenv file.
type expansion struct {
	src    []byte
	vars   map[string]string // assigned so far
	lookup func(name string) (string, bool)
	say    func(severity Severity, line, col int, summary string)
	size   int
}

func (x *expansion) word(w *syntax.Word) (string, bool) {
	if w == nil {
		return "", true
	}
	return x.parts(w.Parts, false)
}

func (x *expansion) parts(parts []syntax.WordPart, quoted bool) (string, bool) {
	var b strings.Builder
	for _, part := range parts {
		var text string
		ok := true
		switch part := part.(type) {
		case *syntax.Lit:
			text = unescape(part.Value, quoted)
		case *syntax.SglQuoted:
			text = part.Value
			if part.Dollar {
				var err error
				text, err = expand.Literal(&expand.Config{}, &syntax.Word{Parts: []syntax.WordPart{part}})
				ok = err == nil
			}
		case *syntax.DblQuoted:
			text, ok = x.parts(part.Parts, true)
		case *syntax.ParamExp:
			text, ok = x.param(part, quoted)
		}
		if !ok {
			return "", false
		}
		b.WriteString(text)
		if x.size += len(text); x.size > maxAllComputed || b.Len() > maxComputed {
			x.report(part.Pos(), Error, "the computed value is larger than 1 MiB")
			return "", false
		}
	}
	return b.String(), true
}

// unescape removes the backslashes of a literal.
func unescape(s string, quoted bool) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; {
		case c == '\n':
		case !quoted, c == '\\', c == '"', c == '$', c == '`':
			b.WriteByte(c)
		case c == 'n':
			b.WriteByte('\n')
		case c == 'r':
			b.WriteByte('\r')
		case c == 't':
			b.WriteByte('\t')
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (x *expansion) param(p *syntax.ParamExp, quoted bool) (string, bool) {
	name := p.Param.Value
	value, set := x.vars[name]
	if !set {
		value, set = x.lookup(name)
	}
	if p.Exp == nil {
		if !set {
			x.report(p.Pos(), Warning, fmt.Sprintf("%q is not set", name))
		}
		return value, true
	}
	other := func() (string, bool) {
		if p.Exp.Word == nil {
			return "", true
		}
		return x.parts(p.Exp.Word.Parts, quoted)
	}
	switch p.Exp.Op {
	case syntax.DefaultUnsetOrNull:
		if value == "" {
			return other()
		}
	case syntax.DefaultUnset:
		if !set {
			return other()
		}
	case syntax.AlternateUnsetOrNull:
		if value == "" {
			return "", true
		}
		return other()
	case syntax.AlternateUnset:
		if !set {
			return "", true
		}
		return other()
	case syntax.ErrorUnsetOrNull:
		if value == "" {
			x.report(p.Pos(), Error, fmt.Sprintf("%q is not set or empty", name))
			return "", false
		}
	}
	return value, true
}

func (x *expansion) report(pos syntax.Pos, severity Severity, summary string) {
	at := dotenvFault(x.src, pos, "", "")
	x.say(severity, at.line, at.col, summary)
}
