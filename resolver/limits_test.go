package resolver_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"ambit/resolver"
)

// TestLimits holds each number of the language's limits: what is just within
// passes, and one more is an error that names the limit.
func TestLimits(t *testing.T) {
	chainOf := func(n int) memory {
		m := memory{}
		for i := range n + 1 {
			name := fmt.Sprintf("/p/f%d.yaml", i)
			if i == 0 {
				name = "/p/.envrc.yaml"
			}
			m[name] = fmt.Sprintf("imports: [./f%d.yaml]", i+1)
			if i == n {
				m[name] = "values: { a: 1 }"
			}
		}
		return m
	}
	wide := func(n, size int) memory {
		m := memory{}
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("./f%d.yaml", i))
			m[fmt.Sprintf("/p/f%d.yaml", i)] = "#" + strings.Repeat("x", max(0, size-1))
		}
		m["/p/.envrc.yaml"] = "imports: [" + strings.Join(names, ", ") + "]"
		return m
	}
	root := func(text string) memory { return memory{"/p/.envrc.yaml": text} }
	variable := func(n int) memory {
		return root("values: { environmentVariables: { A: " + strings.Repeat("x", n) + " } }")
	}
	several := func(n int) memory {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "    V%d: %s\n", i, strings.Repeat("x", 60_000))
		}
		return root("values:\n  environmentVariables:\n" + b.String())
	}
	refs := func(n int) memory {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "  v%03d: ${v%03d}\n", i, i+1)
		}
		return root("values:\n" + b.String() + fmt.Sprintf("  v%03d: end\n", n))
	}
	texts := func(n int) memory {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "  v%d: '${big}%d'\n", i, i)
		}
		return root("values:\n  big: " + strings.Repeat("x", 600_000) + "\n" + b.String())
	}
	files := func(n int) memory {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "    F%d: '${half}${half}'\n", i)
		}
		return root("values:\n  half: " + strings.Repeat("x", 1<<19) + "\n  files:\n" + b.String())
	}
	seq := func(n int) memory { return root("values:\n  a:\n" + strings.Repeat("  - 1\n", n)) }
	for name, c := range map[string]struct {
		good, bad memory
		want      string
	}{
		"a file":                {root("#" + strings.Repeat("x", 1<<20-1)), root("#" + strings.Repeat("x", 1<<20)), "the file is larger than 1 MiB"},
		"files of the closure":  {wide(255, 1), wide(256, 1), "more than 256 files are imported"},
		"bytes of the closure":  {wide(3, 1<<20), wide(4, 1<<20), "the imported files have more than 4 MiB"},
		"import depth":          {chainOf(128), chainOf(129), "imports are nested more than 128 levels"},
		"nodes":                 {seq(19_995), seq(19_996), "the file has more than 20000 YAML nodes"},
		"a variable":            {variable(64 << 10), variable(64<<10 + 1), `the variable "A" has 65537 bytes, more than 64 KiB`},
		"all variables":         {several(4), several(5), "the variables have 300015 bytes together, more than 256 KiB"},
		"references in a row":   {refs(256), refs(257), "more than 256 references in a row"},
		"all computed values":   {texts(20), texts(40), "all computed values together are larger than 16 MiB"},
		"a computed value":      {root("values:\n  a: " + strings.Repeat("x", 600_000) + "\n  b: 'x${a}'"), root("values:\n  a: " + strings.Repeat("x", 600_000) + "\n  b: '${a}${a}'"), "the computed value is larger than 1 MiB"},
		"a file of files":       {root("values: { files: { A: '" + strings.Repeat("x", 1<<20-60) + "' } }"), root("values:\n  a: '" + strings.Repeat("x", 600_000) + "'\n  files: { A: '${a}${a}' }"), "the computed value is larger than 1 MiB"},
		"all files":             {files(4), files(5), `the files have more than 4 MiB together, with "F4"`},
		"an environment's name": {root("imports: []"), root("imports: [" + strings.Repeat("x", 101) + "]"), `invalid environment name "` + strings.Repeat("x", 101) + `"`},
	} {
		t.Run(name, func(t *testing.T) {
			report := func(m memory) []resolver.Diagnostic {
				p, diags := resolver.Load(context.Background(), m, resolver.Root{File: "/p/.envrc.yaml"}, resolver.LoadOptions{})
				if p != nil && !resolver.HasErrors(diags) {
					opt := resolver.Options{Now: func() time.Time { return now }}
					_, diags = p.Open(context.Background(), opt, "")
					if !resolver.HasErrors(diags) {
						_, diags = p.Evaluate(context.Background(), opt)
					}
				}
				return diags
			}
			if diags := report(c.good); len(diags) > 0 {
				t.Errorf("within the limit: %.300s", printed(diags))
			}
			diags := report(c.bad)
			if len(diags) == 0 || !strings.HasPrefix(diags[0].Summary, c.want) || diags[0].Pos.Line < 1 {
				t.Errorf("over the limit: %.300s", printed(diags))
			}
		})
	}
}
