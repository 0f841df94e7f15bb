package resolver_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"ambit/resolver"
)

// memory is files that exist nowhere; each lies at /NAME.
type memory map[string]string

func (m memory) Named(name string) (resolver.Source, []string, error) {
	path := "/store/" + name + ".yaml"
	if b, ok := m[path]; ok {
		return resolver.Source{Path: path, Bytes: []byte(b), Store: "/store"}, nil, nil
	}
	return resolver.Source{}, nil, fmt.Errorf("%w %q", resolver.ErrUnknownEnvironment, name)
}

func (m memory) Read(path, _ string) (resolver.Source, error) {
	path = filepath.Clean(path)
	if b, ok := m[path]; ok {
		return resolver.Source{Path: path, Bytes: []byte(b)}, nil
	}
	return resolver.Source{}, fs.ErrNotExist
}

func (m memory) Names() []string { return nil }

func thousand() memory {
	var b strings.Builder
	b.WriteString("values:\n  base: x\n  environmentVariables:\n")
	for i := range 1000 {
		switch i % 4 {
		case 0:
			fmt.Fprintf(&b, "    NAME_%d: value number %d\n", i, i)
		case 1:
			fmt.Fprintf(&b, "    NAME_%d: ${base}\n", i)
		case 2:
			fmt.Fprintf(&b, "    NAME_%d: https://${base}.example.com/%d\n", i, i)
		case 3:
			fmt.Fprintf(&b, "    NAME_%d: %d\n", i, i)
		}
	}
	return memory{"/p/.envrc.yaml": b.String()}
}

// chain is n files, each importing the next, each with five values.
func chain(n int) memory {
	m := memory{}
	for i := range n {
		var b strings.Builder
		if i < n-1 {
			fmt.Fprintf(&b, "imports: [./f%d.yaml]\n", i+1)
		}
		b.WriteString("values:\n  environmentVariables:\n")
		for j := range 5 {
			if i < n-1 && j == 0 {
				fmt.Fprintf(&b, "    F%d_%d: ${environmentVariables.F%d_%d}\n", i, j, i+1, j)
			} else {
				fmt.Fprintf(&b, "    F%d_%d: some value %d\n", i, j, j)
			}
		}
		name := fmt.Sprintf("/p/f%d.yaml", i)
		if i == 0 {
			name = "/p/.envrc.yaml"
		}
		m[name] = b.String()
	}
	return m
}

func load(tb testing.TB, m memory) *resolver.Result {
	tb.Helper()
	p, diags := resolver.Load(context.Background(), m, resolver.Root{File: "/p/.envrc.yaml"}, resolver.LoadOptions{})
	if len(diags) > 0 {
		tb.Fatal(printed(diags))
	}
	r, diags := p.Evaluate(context.Background(), resolver.Options{Now: func() time.Time { return now }})
	if len(diags) > 0 {
		tb.Fatal(printed(diags))
	}
	return r
}

func parse(tb testing.TB, m memory) {
	tb.Helper()
	for _, text := range m {
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(text), &n); err != nil {
			tb.Fatal(err)
		}
	}
}

// fastest is the least time of some runs: what the work costs when nothing else
// runs, and no garbage of earlier runs is collected meanwhile.
func fastest(runs int, f func()) time.Duration {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	best := time.Hour
	for range runs {
		runtime.GC()
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	return best
}

// TestSpeed holds the evaluation to ratios of what the YAML parser alone takes.
// Another program may take the processor at any moment, so each ratio has a few
// tries.
func TestSpeed(t *testing.T) {
	values, long, short := thousand(), chain(100), chain(10)
	if n := len(load(t, values).Variables); n != 1000 {
		t.Fatalf("%d variables", n)
	}
	if n := len(load(t, long).Variables); n != 500 {
		t.Fatalf("%d variables", n)
	}
	for _, c := range []struct {
		what        string
		ours, bound func()
		limit       float64
	}{
		{"1000 values, as a multiple of yaml.v3", func() { load(t, values) }, func() { parse(t, values) }, 2},
		{"100 imports, as a multiple of yaml.v3", func() { load(t, long) }, func() { parse(t, long) }, 3},
		{"100 imports, as a multiple of 10", func() { load(t, long) }, func() { load(t, short) }, 12},
	} {
		ratio := c.limit + 1
		for try := 0; try < 5 && ratio > c.limit; try++ {
			ratio = min(ratio, float64(fastest(15, c.ours))/float64(fastest(15, c.bound)))
		}
		t.Logf("%s: %.2f", c.what, ratio)
		if ratio > c.limit {
			t.Errorf("%s: %.2f, over %v", c.what, ratio, c.limit)
		}
	}
}

func TestMemory(t *testing.T) {
	values := thousand()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	load(t, values)
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 30<<20 {
		t.Errorf("1000 values allocate %d MiB", grown>>20)
	} else {
		t.Logf("1000 values allocate %d KiB, yaml.v3's share included", grown>>10)
	}
}

func BenchmarkEvaluate(b *testing.B) {
	m := thousand()
	b.ReportAllocs()
	for b.Loop() {
		load(b, m)
	}
}

func BenchmarkImports(b *testing.B) {
	for _, n := range []int{10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := chain(n)
			for b.Loop() {
				load(b, m)
			}
		})
	}
}

func BenchmarkYAML(b *testing.B) {
	m := thousand()
	b.ReportAllocs()
	for b.Loop() {
		parse(b, m)
	}
}

// TestBombs: what is made to be expensive is refused quickly, with a place.
func TestBombs(t *testing.T) {
	double := func(form string) string {
		var b strings.Builder
		b.WriteString("values:\n  v0: aaaaaaaaaa\n")
		for i := 1; i <= 60; i++ {
			fmt.Fprintf(&b, "  v%d: "+form+"\n", i, i-1, i-1)
		}
		fmt.Fprintf(&b, "  environmentVariables: { X: '${v60}' }\n")
		return b.String()
	}
	below := double("{ a: '${v%d}', b: '${v%d}' }")
	for name, text := range map[string]string{
		"flow depth":       "values: " + strings.Repeat("[", 500_000),
		"flow map depth":   "values: " + strings.Repeat("{a: ", 200_000),
		"block depth":      "values: " + strings.Repeat("- ", 500_000),
		"question marks":   "values: " + strings.Repeat("? ", 500_000),
		"nested 65":        "values:\n  a: " + strings.Repeat("[", 64) + strings.Repeat("]", 64),
		"many flow nodes":  "values: {a: [" + strings.Repeat("a,", 500_000) + "]}",
		"many block nodes": "values:\n  a:\n" + strings.Repeat("  -\n", 200_000),
		"many keys": "values:\n" + func() string {
			var b strings.Builder
			for i := range 60_000 {
				fmt.Fprintf(&b, "  k%d: 1\n", i)
			}
			return b.String()
		}(),
		"empty flow lists":  "values: {a: [" + strings.Repeat("[],", 300_000) + "]}",
		"aliases":           "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nvalues: {d: [*c,*c]}",
		"comments":          strings.Repeat("#\n", 500_000) + "x",
		"trailing comments": "values:\n" + strings.Repeat("  a: 1 # c\n", 80_000),
		"indented comments": "values:\n" + strings.Repeat("      # c\n", 80_000) + "  x: ${",
		"anchors":           "values:\n  a: " + strings.Repeat("&a ", 300_000),
		"tags":              "values:\n  a: " + strings.Repeat("!a ", 300_000),
		"one long line":     "values: { a: '" + strings.Repeat("x", 1<<20-30) + "', b: ${c} }",
		"too large":         strings.Repeat("# x\n", 1<<18) + "# y",
		"long key":          "? " + strings.Repeat("k", 900_000) + "\n: v\nvalues: [",
		"many errors":       "values:\n  a:\n" + strings.Repeat("  - ${nope} and some more text to fill the line\n", 19_900),
		"interpolation":     double("${v%d}${v%d}"),
		"lists":             double("[ '${v%d}', '${v%d}' ]"),
		"objects":           double("{ a: '${v%d}', b: '${v%d}' }"),
		"json":              double("{ 'fn::toJSON': [ '${v%d}', '${v%d}' ] }"),
		"concat":            double("{ 'fn::concat': [ [ '${v%d}' ], [ '${v%d}' ] ] }"),
		"merged":            "imports: [./below.yaml]\n" + below,
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			m := memory{"/p/.envrc.yaml": text, "/p/below.yaml": below}
			p, diags := resolver.Load(context.Background(), m, resolver.Root{File: "/p/.envrc.yaml"}, resolver.LoadOptions{})
			if p != nil {
				_, more := p.Evaluate(context.Background(), resolver.Options{Now: func() time.Time { return now }})
				diags = append(diags, more...)
				if !resolver.HasErrors(diags) {
					_, more = p.Open(context.Background(), resolver.Options{Now: func() time.Time { return now }}, "")
					diags = append(diags, more...)
				}
			}
			runtime.ReadMemStats(&after)
			took, used := time.Since(start), (after.TotalAlloc-before.TotalAlloc)>>20
			out := printed(distinct(diags))
			t.Logf("%v, %d MiB allocated: %s", took.Round(time.Millisecond), used, out[:min(len(out), 300)])
			if !resolver.HasErrors(diags) {
				t.Error("no error")
			}
			if len(diags) > 0 && (diags[0].Pos.Line < 1 || diags[0].Pos.Column < 1) {
				t.Error("no place")
			}
			// Without its limit a bomb takes minutes; a busy machine, seconds.
			if took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			if bytes.Contains([]byte(out), []byte("aaaaaaaaaa")) {
				t.Error("a value is shown")
			}
		})
	}
}
