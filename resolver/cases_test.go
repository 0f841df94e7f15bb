package resolver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/cache"
	"ambit/resolver/safefile"
	"ambit/resolver/store"
)

var update = flag.Bool("update", false, "rewrite what the cases in testdata/resolve want")

const casesDir = "../testdata/resolve"

// now is when all cases are evaluated.
var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// TestCases evaluates every folder of testdata/resolve. A folder has
//
//	.envrc.yaml  the definition, or what the file "root" names: a path or an environment
//	store/       the user's store; stores/1, stores/2 … for several
//	home/        the user's home
//	environ      the process environment, NAME=VALUE a line
//	consent      the variables that the user lets the repository set
//	want.json    what it opens to, secrets hidden, and what it exports, in clear
//	want.err     what is reported when it is loaded and opened
//	want.check   what is reported when it is only checked; looked at if it exists
//	want.plan    what is shown before it is allowed; looked at if it exists
func TestCases(t *testing.T) {
	entries, err := os.ReadDir(casesDir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		n++
		t.Run(e.Name(), func(t *testing.T) { runCase(t, filepath.Join(casesDir, e.Name())) })
	}
	if n == 0 {
		t.Fatal("there are no cases")
	}
}

func runCase(t *testing.T, source string) {
	dir := filepath.Join(realDir(t, t.TempDir()), "case")
	copyCase(t, dir, source)
	c := newCase(t, dir)

	p, diags := resolver.Load(context.Background(), c.sources, c.root, resolver.LoadOptions{Home: filepath.Join(dir, "home"), Ceiling: []string{dir}})
	got := map[string]any{}
	if p != nil {
		v, more := p.Open(context.Background(), c.options(), "")
		diags = append(diags, more...)
		if !resolver.HasErrors(more) {
			got["open"] = json.RawMessage(resolver.EncodeJSON(v, false))
		}
		r, more := p.Evaluate(context.Background(), c.options())
		diags = append(diags, more...)
		if r != nil {
			if exports := exportsOf(r); len(exports) > 0 {
				got["exports"] = exports
			}
			agree(t, p, r)
		}
	}
	var want []byte
	if len(got) > 0 {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(got); err != nil {
			t.Fatal(err)
		}
		want = b.Bytes()
	}
	c.compare(source, "want.json", want, *update)
	c.compare(source, "want.err", []byte(printed(distinct(diags))), *update)
	if p == nil {
		return
	}
	check := []byte(printed(p.Check(context.Background(), c.options())))
	if wanted(source, "want.check") {
		c.compare(source, "want.check", check, *update)
	}
	plan := []byte(planned(p.Plan()))
	if wanted(source, "want.plan") {
		c.compare(source, "want.plan", plan, *update)
	}
}

func wanted(source, name string) bool {
	_, err := os.Stat(filepath.Join(source, name))
	return err == nil
}

// testCase is a folder as it is evaluated.
type testCase struct {
	t       *testing.T
	dir     string
	sources resolver.Sources
	root    resolver.Root
	environ []string
	consent map[string]bool
}

func newCase(t *testing.T, dir string) *testCase {
	c := &testCase{t: t, dir: dir, root: resolver.Root{File: filepath.Join(dir, resolver.FileName)}, consent: map[string]bool{}}
	var stores []string
	if several, err := os.ReadDir(filepath.Join(dir, "stores")); err == nil {
		for _, e := range several {
			stores = append(stores, filepath.Join(dir, "stores", e.Name()))
		}
	} else {
		stores = []string{filepath.Join(dir, "store")}
	}
	c.sources = store.NewDirectories(stores, safefile.Owner{UID: os.Getuid(), GID: os.Getgid()})
	if root := c.lines("root"); len(root) > 0 {
		c.root = resolver.Root{Name: root[0]}
		if strings.HasSuffix(root[0], ".yaml") {
			c.root = resolver.Root{File: filepath.Join(dir, root[0])}
		}
	}
	c.environ = c.lines("environ")
	for _, name := range c.lines("consent") {
		c.consent[name] = true
	}
	return c
}

func (c *testCase) lines(name string) []string {
	b, err := os.ReadFile(filepath.Join(c.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func (c *testCase) options() resolver.Options {
	return resolver.Options{
		Providers: testProviders, Env: resolver.NewBaseline(c.environ), Now: func() time.Time { return now },
		Identities: resolver.NewIdentities(filepath.Join(c.dir, "home/.config/ambit/identities"), filepath.Join(c.dir, "home/.ssh/id_ed25519"), os.Getuid()),
		Consent:    c.consent, Digest: func(path string) (cache.Watched, error) {
			b, err := safefile.Read(path)
			if errors.Is(err, fs.ErrNotExist) {
				return cache.Watched{Path: path, Absent: true}, nil
			}
			return cache.Watched{Path: path, Digest: cache.Digest(b)}, err
		},
	}
}

// compare looks at one wanted file; a missing one wants nothing.
func (c *testCase) compare(source, name string, got []byte, update bool) {
	c.t.Helper()
	path := filepath.Join(source, name)
	text := strings.ReplaceAll(string(got), c.dir+"/", "/case/")
	text = strings.ReplaceAll(text, c.dir, "/case")
	if update {
		if text == "" {
			_ = os.Remove(path)
		} else if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			c.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.t.Fatal(err)
	}
	if text != string(want) {
		c.t.Errorf("%s: got\n%s\nwant\n%s", name, text, want)
	}
}

func copyCase(t *testing.T, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	// The checkout's modes are not ours to rely on.
	err := filepath.WalkDir(to, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Type()&fs.ModeSymlink != 0 {
			return err
		}
		mode := fs.FileMode(0o600)
		if e.IsDir() {
			mode = 0o700
		}
		return os.Chmod(path, mode)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func realDir(t *testing.T, dir string) string {
	t.Helper()
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	return real
}

// exportsOf writes a result for people: parts that are empty are left out.
func exportsOf(r *resolver.Result) map[string]any {
	out := map[string]any{}
	put := func(name string, v any, empty bool) {
		if !empty {
			out[name] = v
		}
	}
	variables, secrets := map[string]string{}, []string{}
	for _, v := range r.Variables {
		variables[v.Name] = v.Value.Reveal()
		if v.Secret {
			secrets = append(secrets, v.Name)
		}
	}
	files := map[string]string{}
	for _, f := range r.Files {
		files[f.Name] = f.Content.Reveal()
	}
	put("variables", variables, len(variables) == 0)
	put("secret", secrets, len(secrets) == 0)
	put("files", files, len(files) == 0)
	put("unset", r.Unset, len(r.Unset) == 0)
	put("path", r.Path, len(r.Path) == 0)
	var notices []string
	for _, n := range r.Notices {
		notices = append(notices, n.Text)
	}
	put("notices", notices, len(notices) == 0)
	var reads []string
	for _, read := range r.Reads {
		reads = append(reads, read.Name)
	}
	put("reads", reads, len(reads) == 0)
	var watched []string
	for _, w := range r.Watched {
		if w.Absent {
			watched = append(watched, w.Path+" (absent)")
		} else {
			watched = append(watched, w.Path)
		}
	}
	put("watched", watched, len(watched) < 2)
	if !r.RefreshAt.IsZero() {
		out["refreshAt"] = r.RefreshAt.Sub(now).String()
	}
	if !r.ExpiresAt.IsZero() {
		out["expiresAt"] = r.ExpiresAt.Sub(now).String()
	}
	return out
}

func printed(diags []resolver.Diagnostic) string {
	var b strings.Builder
	for _, d := range diags {
		severity := "error"
		if d.Severity == resolver.Warning {
			severity = "warning"
		}
		fmt.Fprintf(&b, "%s: ", severity)
		if d.Pos.File != "" {
			fmt.Fprintf(&b, "%s:%d:%d: ", d.Pos.File, d.Pos.Line, d.Pos.Column)
		}
		b.WriteString(d.Summary)
		for i, pos := range d.Imports {
			word := ", from"
			if i == 0 {
				word = "; imported from"
			}
			fmt.Fprintf(&b, "%s %s:%d:%d", word, pos.File, pos.Line, pos.Column)
		}
		b.WriteByte('\n')
		if d.Hint != "" {
			fmt.Fprintf(&b, "hint: %s\n", d.Hint)
		}
	}
	return b.String()
}

func distinct(diags []resolver.Diagnostic) (out []resolver.Diagnostic) {
	seen := map[string]bool{}
	for _, d := range diags {
		if line := printed([]resolver.Diagnostic{d}); !seen[line] {
			seen[line] = true
			out = append(out, d)
		}
	}
	return out
}

func planned(p resolver.Plan) string {
	var b strings.Builder
	file := func(what string, list []resolver.PlannedFile) {
		for _, f := range list {
			where := "repository"
			if f.Store != "" {
				where = "store"
			}
			fmt.Fprintf(&b, "%s %s (%s)\n", what, f.Name, where)
		}
	}
	name := func(what string, list []resolver.PlannedName) {
		for _, n := range list {
			fmt.Fprintf(&b, "%s %s %s:%d:%d", what, n.Name, n.Pos.File, n.Pos.Line, n.Pos.Column)
			if n.Store != "" {
				b.WriteString(" (store)")
			}
			b.WriteByte('\n')
		}
	}
	fmt.Fprintf(&b, "label %s\n", p.Label)
	file("environment", p.Environments)
	file("dotenv", p.Dotenv)
	file("beyond", p.Beyond)
	name("variable", p.Variables)
	name("file", p.Files)
	name("unset", p.Unset)
	name("consent", p.Consent)
	for _, pos := range p.Open {
		fmt.Fprintf(&b, "open output %s:%d:%d\n", pos.File, pos.Line, pos.Column)
	}
	for _, dir := range p.Path {
		fmt.Fprintf(&b, "path %s\n", dir)
	}
	for _, path := range p.Watch {
		fmt.Fprintf(&b, "watch %s\n", path)
	}
	for _, o := range p.Opens {
		fmt.Fprintf(&b, "open %s %s:%d:%d", o.Provider, o.Pos.File, o.Pos.Line, o.Pos.Column)
		for _, part := range [][2]string{{"kind", o.Kind}, {"role", o.Role}, {"profile", o.Profile}, {"reads", o.Reads}} {
			if part[1] != "" {
				fmt.Fprintf(&b, " %s=%s", part[0], part[1])
			}
		}
		if len(o.Argv) > 0 {
			fmt.Fprintf(&b, " argv=%q", o.Argv)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
