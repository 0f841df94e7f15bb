package resolver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

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
		for _, name := range []string{"A", "PATH", "AWS_PROFILE", "ABOVE"} {
			out += originText(p.Origin(name, testProviders))
		}
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

// FuzzText: whatever a text says, it is read as the grammar has it or refused with
// a place in it, and what is read says no more than it may.
func FuzzText(f *testing.F) {
	for _, text := range []string{
		"", "$", "$$", "${a}", "x ${o.b} $${a}", `${o["b"]}${l[0]}`, `${["a"]}`, "${a", "${l[99999999999999999999]}", "${context.rootEnvironment.name}",
		`${imports["./other.yaml"].a}`, "${environments.shop.base.region}", "${t}", "ä${a}\x00", "${o.\"b\"}", "${l[-1]}", `${o["\"q"]}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quoted, err := json.Marshal(text)
		if err != nil || !utf8.ValidString(text) {
			return
		}
		quoted = bytes.ReplaceAll(quoted, []byte("\u0085"), []byte(`\u0085`)) // a line break, for YAML
		m := memory{
			"/p/.envrc.yaml": "imports: [./other.yaml]\nvalues:\n  a: one\n  l: [x, y]\n  o: { b: 1.10, \"\\\"q\": z }\n  s: { fn::secret: canary }\n  t: " + string(quoted) +
				"\n  json: { fn::toJSON: \"${t}\" }\n",
			"/p/other.yaml":         "values: { a: two }",
			"/store/shop/base.yaml": "values: { region: eu }",
		}
		first := run(t, m)
		if !bytes.Equal(first, run(t, m)) {
			t.Errorf("two runs differ: %s", first)
		}
		p, diags := resolver.Load(context.Background(), m, resolver.Root{File: "/p/.envrc.yaml"}, resolver.LoadOptions{})
		v, more := p.Open(context.Background(), resolver.Options{Providers: testProviders, Now: func() time.Time { return now }}, "t")
		if resolver.HasErrors(diags) || resolver.HasErrors(more) {
			return
		}
		if !strings.Contains(text, "${") && v.Text != strings.ReplaceAll(text, "$$", "$") {
			t.Errorf("%q became %q", text, v.Text)
		}
		if !strings.Contains(text, "canary") && bytes.Contains(resolver.EncodeJSON(v, false), []byte("canary")) {
			t.Errorf("%q shows a secret: %s", text, resolver.EncodeJSON(v, false))
		}
	})
}

// FuzzData: whatever a file of data says, reading it does not panic or take long,
// and what was read can be written and read again.
func FuzzData(f *testing.F) {
	for _, text := range []string{
		"a: 1", "[1, x]", `{"a": [1.10, null, true]}`, "- &a x\n- *a", "A=1\nB=\"${A:-x}\"", "export A='x", "", "\ufeffa: b", "a: !!binary x", "1e999",
		`{"type":"object","properties":{"a":{"$ref":"#"}},"anyOf":[{"minimum":1}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		start := time.Now()
		if v, err := resolver.ParseYAML(b); err == nil {
			again(t, v)
			if s, err := resolver.ParseInputsSchema(v); err == nil {
				_ = s.Fit(v) // it may or may not
			}
		}
		if v, err := resolver.ParseJSON(b); err == nil {
			again(t, v)
		}
		if v, _, err := resolver.ParseDotenv(b, func(string) (string, bool) { return "set", true }); err == nil {
			for name := range v.Object {
				if !resolver.ValidName(name) {
					t.Errorf("the name %q", name)
				}
			}
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func again(t *testing.T, v resolver.Value) {
	first := resolver.EncodeJSON(v, true)
	second, err := resolver.ParseJSON(first)
	if err != nil {
		if strings.Contains(err.Error(), "nested") {
			return
		}
		t.Fatalf("%s: %v", first, err)
	}
	if out := resolver.EncodeJSON(second, true); !bytes.Equal(first, out) {
		t.Errorf("%s became %s", first, out)
	}
}
