package resolver_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ambit/resolver"
)

// FuzzProgram: whatever a file says, there is no panic, it does not take long,
// every diagnostic has a place, and equal input gives equal output.
func FuzzProgram(f *testing.F) {
	files, err := filepath.Glob(casesDir + "/*/.envrc.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal("no cases to start from", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := memory{
			"/p/.envrc.yaml":        string(b),
			"/p/other.yaml":         string(b),
			"/.envrc.yaml":          "values: { environmentVariables: { ABOVE: x }, o: { a: { fn::final: 1 } } }",
			"/p/.env":               string(b),
			"/store/shop/base.yaml": "values: { region: eu, o: { a: 1, b: '${region}' } }",
		}
		start := time.Now()
		first := run(t, m)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if second := run(t, m); !bytes.Equal(first, second) {
			t.Errorf("two runs differ:\n%s\n%s", first, second)
		}
	})
}

func run(t *testing.T, m memory) []byte {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	opt := resolver.Options{Providers: testProviders, Now: func() time.Time { return now }}
	p, diags := resolver.Load(ctx, m, resolver.Root{File: "/p/.envrc.yaml"}, resolver.LoadOptions{Home: "/home/me"})
	out := printed(diags)
	if p != nil {
		check := p.Check(ctx, opt)
		diags = append(diags, check...)
		out += printed(check) + planned(p.Plan())
		if !resolver.HasErrors(check) {
			v, more := p.Open(ctx, opt, "")
			out += printed(more) + string(resolver.EncodeJSON(v, true))
			_, more = p.Evaluate(ctx, opt)
			out += printed(more)
			diags = append(diags, more...)
		}
	}
	for _, d := range diags {
		if d.Pos.Line < 1 || d.Pos.Column < 1 || d.Pos.File == "" || d.Summary == "" {
			t.Errorf("no place: %+v", d)
		}
	}
	return []byte(out)
}

// FuzzDotenv: whatever a dotenv file says, there is no panic and nothing runs.
func FuzzDotenv(f *testing.F) {
	files, err := filepath.Glob(casesDir + "/dotenv*/.env")
	if err != nil || len(files) == 0 {
		f.Fatal("no cases to start from", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		run(t, memory{"/p/.envrc.yaml": "dotenv: .env", "/p/.env": string(b)})
	})
}
