package resolver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ambit/resolver/safefile"
)

// Root is what is to be resolved: exactly one of the two is set.
type Root struct {
	File string // absolute path of a .envrc.yaml or another file
	Name string // an environment in the stores
}

// LoadOptions says what a closure depends on besides its files.
type LoadOptions struct {
	Home    string   // absolute path of the user's home, for paths that begin with ~/
	Ceiling []string // absolute directories in which the search for an inherited file ends
}

// Program is a definition with everything that it imports, parsed.
type Program struct {
	root     *environment
	envs     []*environment // in order of loading
	files    []ClosureFile
	diags    []Diagnostic
	exprs    int // number of expressions
	hasFinal bool
	bytes    int

	sources Sources
	options LoadOptions
	byPath  map[string]*environment
	byFile  map[string]int          // in files, by path
	byName  map[string]*environment // reached through environments.p.e
	dotenvs map[string]*dotenvFile  // by canonical path
	missing map[string]loadError    // by name reached through environments.p.e
	refs    []pendingReference      // environments.p.e to be loaded
	loading []*environment          // the chain that is being loaded
}

// ClosureFile is a file that was read, or looked for in vain, while loading.
type ClosureFile struct {
	Path   string // canonical, absolute
	Store  string // not empty: it lies, or would lie, in one of the user's stores
	Absent bool
	Bytes  []byte
}

// environment is one file of a closure.
type environment struct {
	name   string // PROJECT/NAME, or a path relative to the root's directory
	named  bool   // it is one of a store's
	root   string // the name that context.rootEnvironment.name has in it
	below  bool   // that is a named one: it, or one that imports it
	path   string
	store  string
	bytes  []byte
	order  int
	from   *environment // that first led here, or nil
	link   literal      // its import
	depth  int          // of imports
	doc    document
	failed bool // its bytes are not YAML

	imports   []link
	inherited *environment
	dotenvs   []*dotenvFile

	busy     bool           // its imports are being loaded
	searched bool           // for a file to inherit
	lines    []int          // where they begin, once a place within one was asked for
	layers   []*environment // itself and what it merges, the highest first; see layersOf
}

// link is an import as spelled, and what it led to.
type link struct {
	importDecl
	target *environment // nil: an error was reported
}

type loadError struct{ summary, hint string }

type pendingReference struct {
	name string
	from *environment
}

// at is a place in the file; line 0 is none.
func (env *environment) at(line, col int) Position {
	if line == 0 {
		return Position{}
	}
	return Position{File: env.path, Line: line, Column: col}
}

// line returns a line of the file without its end, "" past the last.
func (env *environment) line(n int) string {
	b := bytes.TrimPrefix(env.bytes, bom)
	if env.lines == nil {
		for rest := b; rest != nil; _, rest = cutLine(rest) {
			env.lines = append(env.lines, len(b)-len(rest))
		}
	}
	if n < 1 || n > len(env.lines) {
		return ""
	}
	text, _ := cutLine(b[env.lines[n-1]:])
	return string(text)
}

// imported is the chain of imports that first led here, the nearest first.
func (env *environment) imported() (chain []Position) {
	for ; env.from != nil; env = env.from {
		chain = append(chain, env.from.at(env.link.line, env.link.col))
	}
	return chain
}

func (env *environment) dir() string { return filepath.Dir(env.path) }

// Load reads and parses a definition and everything it imports, and reports all
// errors of parsing and importing. The program is usable, as far as it goes,
// even if there are some; it is nil only if there is no root.
func Load(ctx context.Context, s Sources, root Root, opt LoadOptions) (*Program, []Diagnostic) {
	p := &Program{
		sources: s, options: opt, byPath: map[string]*environment{}, byFile: map[string]int{},
		byName: map[string]*environment{}, dotenvs: map[string]*dotenvFile{}, missing: map[string]loadError{},
	}
	var src Source
	var err error
	switch {
	case root.File != "":
		if src, err = s.Read(root.File, ""); err != nil {
			p.report(Diagnostic{Pos: Position{File: root.File, Line: 1, Column: 1}, Summary: readSummary("the file", err)})
			return nil, p.sorted(p.diags)
		}
	default:
		if src, err = p.named(root.Name); err != nil {
			p.report(p.failure("environment", root.Name, err))
			return nil, p.sorted(p.diags)
		}
	}
	p.root = p.environment(ctx, src)
	for len(p.refs) > 0 && ctx.Err() == nil {
		ref := p.refs[0]
		p.refs = p.refs[1:]
		p.loadReference(ctx, ref)
	}
	if err := ctx.Err(); err != nil {
		p.report(Diagnostic{Pos: p.root.at(1, 1), Summary: "interrupted while loading"})
	}
	return p, p.Diagnostics()
}

// Diagnostics returns what loading reported, in order.
func (p *Program) Diagnostics() []Diagnostic { return p.sorted(p.diags) }

// Closure lists the files in order of loading. Those with an empty Store are
// what trust hashes; all are what a prompt watches.
func (p *Program) Closure() []ClosureFile { return p.files }

// Path is the canonical path of the root's file.
func (p *Program) Path() string { return p.root.path }

// Store is the root of the store in which the root lies, or "".
func (p *Program) Store() string { return p.root.store }

// Label is what messages and AMBIT_ENV call the environment: the names of the
// `environment` key joined by commas, else the directory's base name; for an
// environment of a store its name.
func (p *Program) Label() string {
	switch {
	case p.root.named:
		return p.root.name
	case len(p.root.doc.environment) > 0:
		return strings.Join(p.root.doc.environment, ",")
	}
	return filepath.Base(p.root.dir())
}

func (p *Program) report(d Diagnostic) { p.diags = append(p.diags, d) }

// note adds a file to the closure, once.
func (p *Program) note(f ClosureFile) {
	if i, ok := p.byFile[f.Path]; ok {
		if f.Store == "" {
			p.files[i].Store = "" // reached from a repository too: trust counts it
		}
		return
	}
	p.byFile[f.Path] = len(p.files)
	p.files = append(p.files, f)
}

// named finds an environment in the stores and notes what was looked for.
func (p *Program) named(name string) (Source, error) {
	src, tried, err := p.sources.Named(name)
	for _, path := range tried {
		p.note(ClosureFile{Path: path, Store: filepath.Dir(path), Absent: true})
	}
	return src, err
}

// failure says why an import, or an environment that was asked for, cannot be had; the
// place is the caller's to add.
func (p *Program) failure(what, name string, err error) Diagnostic {
	switch {
	case errors.Is(err, ErrUnknownEnvironment) && !ValidEnvironmentName(name):
		summary, hint := invalidName(name)
		return Diagnostic{Summary: summary, Hint: hint}
	case errors.Is(err, ErrUnknownEnvironment):
		return Diagnostic{Summary: fmt.Sprintf("unknown environment %q", name), Hint: p.nearestEnvironment(name)}
	case errors.Is(err, ErrLeavesStore):
		help := "import it by its name"
		if !strings.HasPrefix(name, ".") {
			help = "it is a link: keep the file itself in the store"
		}
		return Diagnostic{Summary: fmt.Sprintf("the %s %q leaves the store", what, name), Hint: help}
	}
	d := Diagnostic{Summary: readSummary(fmt.Sprintf("the %s %q", what, name), err)}
	switch {
	case errors.Is(err, safefile.ErrForeign):
		d.Hint = "chmod go-w it and its directory"
	case errors.Is(err, safefile.ErrTooLarge):
		d.Hint = "make several files of it, and import them"
	}
	return d
}

func (p *Program) nearestEnvironment(name string) string {
	names := p.sources.Names()
	if hint := didYouMean(name, names); hint != "" {
		return hint
	}
	const list = "run \"ambit env ls\" to see which there are"
	if strings.Contains(name, "/") {
		return list
	}
	var bare []string
	for _, n := range names {
		if rest, ok := strings.CutPrefix(n, "default/"); ok {
			bare = append(bare, rest)
		}
	}
	if hint := didYouMean(name, bare); hint != "" {
		return hint
	}
	return list
}

// readSummary says why a file could not be read, without its path, which the
// place or the name tells.
func readSummary(what string, err error) string {
	var pathErr *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return what + " does not exist"
	case errors.Is(err, fs.ErrPermission):
		return what + " cannot be read: permission denied"
	case errors.As(err, &pathErr):
		return what + " cannot be read: " + pathErr.Err.Error()
	}
	return what + " " + err.Error()
}

// environment loads a file that was read and all that it imports, unless that
// was done before. It keeps its own stack: a chain of imports may be long.
func (p *Program) environment(ctx context.Context, src Source) *environment {
	first, fresh := p.enter(src, nil, literal{})
	if !fresh {
		return first
	}
	for len(p.loading) > 0 {
		env := p.loading[len(p.loading)-1]
		if !env.searched {
			env.searched = true
			p.inherit(env)
			continue
		}
		if n := len(env.imports); n < len(env.doc.imports) {
			decl := env.doc.imports[n]
			env.imports = append(env.imports, link{importDecl: decl})
			env.imports[n].target = p.follow(ctx, env, decl)
			continue
		}
		for _, decl := range env.doc.dotenv {
			p.dotenvFile(env, decl)
		}
		env.busy, p.loading = false, p.loading[:len(p.loading)-1]
	}
	return first
}

// enter takes a file into the closure and parses it. It is fresh if that had
// not been done, and then what it imports is loaded next.
func (p *Program) enter(src Source, from *environment, by literal) (env *environment, fresh bool) {
	if env := p.byPath[src.Path]; env != nil {
		p.note(ClosureFile{Path: src.Path, Store: src.Store})
		return env, false
	}
	env = &environment{path: src.Path, store: src.Store, bytes: src.Bytes, order: len(p.envs), from: from, link: by}
	if from != nil {
		env.depth = from.depth + 1
	}
	p.byPath[src.Path] = env
	p.envs = append(p.envs, env)
	p.note(ClosureFile{Path: src.Path, Store: src.Store, Bytes: src.Bytes})
	p.nameOf(env, from)
	p.bytes += len(src.Bytes)
	if !p.withinClosure(env) {
		env.failed = true
		return env, false
	}
	env.busy, p.loading = true, append(p.loading, env)
	p.parse(env)
	return env, true
}

// withinClosure reports a closure that has grown too large.
func (p *Program) withinClosure(env *environment) bool {
	d := Diagnostic{Pos: env.at(1, 1)}
	switch {
	case len(p.envs) > maxClosureFiles:
		d.Summary = fmt.Sprintf("more than %d files are imported", maxClosureFiles)
	case p.bytes > maxClosureBytes:
		d.Summary = fmt.Sprintf("the imported files have more than %d MiB", maxClosureBytes>>20)
	case env.depth > maxImportDepth:
		d.Summary = fmt.Sprintf("imports are nested more than %d levels", maxImportDepth)
	default:
		return true
	}
	if chain := env.imported(); len(chain) > 0 {
		d.Pos, d.Imports = chain[0], chain[1:]
	}
	p.report(d)
	return false
}

func (p *Program) parse(env *environment) {
	root, faults := parseYAML(env.bytes)
	for _, f := range faults {
		p.report(Diagnostic{Severity: f.severity, Pos: env.at(f.line, f.col), Summary: f.summary, Hint: f.hint, Imports: env.imported()})
	}
	if root == nil && len(faults) > 0 {
		env.failed = true
		return
	}
	c := &compiler{env: env, program: p}
	c.document(root)
}

// nameOf gives an environment its name and that of its root environment.
func (p *Program) nameOf(env, from *environment) {
	if env.store != "" {
		if rel, err := filepath.Rel(env.store, env.path); err == nil {
			name := strings.TrimSuffix(filepath.ToSlash(rel), ".yaml")
			if !strings.Contains(name, "/") {
				name = "default/" + name
			}
			env.name, env.named = name, ValidEnvironmentName(name)
			if !env.named {
				env.name = filepath.ToSlash(rel)
			}
		}
	}
	if env.name == "" {
		env.name = filepath.Base(env.path)
		if rel, err := filepath.Rel(p.envs[0].dir(), env.path); err == nil {
			env.name = filepath.ToSlash(rel)
		}
	}
	switch {
	case from != nil && from.below:
		env.root, env.below = from.root, true
	case env.named:
		env.root, env.below = env.name, true
	default:
		env.root = p.envs[0].name
	}
}

// follow loads one import.
func (p *Program) follow(ctx context.Context, env *environment, decl importDecl) *environment {
	if ctx.Err() != nil || len(p.envs) > maxClosureFiles || p.bytes > maxClosureBytes {
		return nil
	}
	var src Source
	var err error
	if isRelative(decl.text) {
		src, err = p.sources.Read(filepath.Join(env.dir(), filepath.FromSlash(decl.text)), env.store)
	} else {
		src, err = p.named(decl.text)
	}
	pos := env.at(decl.line, decl.col)
	if err != nil {
		d := p.failure("import", decl.text, err)
		d.Pos, d.Imports = pos, env.imported()
		p.report(d)
		return nil
	}
	target, fresh := p.enter(src, env, decl.literal)
	if target.busy && !fresh {
		p.report(Diagnostic{Pos: pos, Summary: p.cycle(target), Imports: env.imported()})
		return nil
	}
	return target
}

// cycle names the environments of the cycle that the import of target closes.
func (p *Program) cycle(target *environment) string {
	var names []string
	for i := slices.Index(p.loading, target); i < len(p.loading); i++ {
		names = append(names, strconv.Quote(p.loading[i].name))
	}
	return "import cycle: " + strings.Join(append(names, strconv.Quote(target.name)), " → ")
}

// inherit loads the nearest file of the same name above.
func (p *Program) inherit(env *environment) {
	l := env.doc.inherit
	if l == nil {
		return
	}
	pos := env.at(l.line, l.col)
	for dir := env.dir(); ; {
		parent := filepath.Dir(dir)
		if parent == dir || slices.Contains(p.options.Ceiling, dir) {
			return
		}
		dir = parent
		path := filepath.Join(dir, FileName)
		src, err := p.sources.Read(path, env.store)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			p.note(ClosureFile{Path: path, Store: env.store, Absent: true})
			continue
		case err != nil:
			p.report(Diagnostic{Pos: pos, Summary: readSummary(fmt.Sprintf("the inherited %q", path), err), Imports: env.imported()})
			return
		}
		target, fresh := p.enter(src, env, *l)
		if target.busy && !fresh {
			p.report(Diagnostic{Pos: pos, Summary: p.cycle(target), Imports: env.imported()})
			return
		}
		env.inherited = target
		return
	}
}

// noteReference remembers environments that a text refers to without importing
// them, so that they are loaded before anything is evaluated.
func (p *Program) noteReference(e *expr, part part) {
	if name, ok := environmentPath(part.path); ok {
		p.refs = append(p.refs, pendingReference{name, e.env})
	}
}

// environmentPath returns the name in environments.PROJECT.NAME.
func environmentPath(path []accessor) (string, bool) {
	if len(path) < 3 || path[0].name != "environments" || path[1].index >= 0 || path[2].index >= 0 {
		return "", false
	}
	name := path[1].name + "/" + path[2].name
	return name, ValidEnvironmentName(name)
}

func (p *Program) loadReference(ctx context.Context, ref pendingReference) {
	if _, failed := p.missing[ref.name]; failed || p.byName[ref.name] != nil {
		return
	}
	src, err := p.named(ref.name)
	if err != nil {
		// Reported where the value is needed.
		d := p.failure("environment", ref.name, err)
		p.missing[ref.name] = loadError{d.Summary, d.Hint}
		return
	}
	p.byName[ref.name] = p.environment(ctx, src)
}

// layersOf returns the environments whose values an environment merges, itself
// first, each once and in the place where it counts most: merging something
// again lower down changes nothing.
func layersOf(env *environment) []*environment {
	if env.layers != nil {
		return env.layers
	}
	seen := map[*environment]bool{}
	var visit func(env *environment)
	visit = func(e *environment) {
		if seen[e] {
			return
		}
		seen[e] = true
		env.layers = append(env.layers, e)
		for _, target := range targetsOf(e) {
			visit(target)
		}
	}
	visit(env)
	return env.layers
}

// targetsOf are the environments that an environment merges directly, the
// highest first, each once.
func targetsOf(env *environment) (targets []*environment) {
	add := func(target *environment) {
		if target != nil && !slices.Contains(targets, target) {
			targets = append(targets, target)
		}
	}
	for i := len(env.imports) - 1; i >= 0; i-- {
		if env.imports[i].merge {
			add(env.imports[i].target)
		}
	}
	add(env.inherited)
	return targets
}
