package exec

import (
	"context"
	"fmt"
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

// evaluate evaluates a file as a new process would and returns its variables, or
// what was reported.
func (p *place) evaluate(file string, fresh, check bool) string {
	p.t.Helper()
	dir, err := filepath.EvalSymlinks(p.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	path := filepath.Join(dir, ".envrc.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	kept, err := cache.Open(filepath.Join(dir, "cache"), os.Getuid())
	if err != nil {
		p.t.Fatal(err)
	}
	sources := store.NewDirectories(nil, safefile.Owner{UID: os.Getuid(), GID: os.Getgid()})
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	program, diags := resolver.Load(ctx, sources, resolver.Root{File: path}, resolver.LoadOptions{})
	env := resolver.NewBaseline(p.env)
	opt := resolver.Options{
		Env: env, Now: time.Now, Fresh: fresh, Cache: kept, External: External(env, kept, time.Now), Patience: resolver.Person,
	}
	var out strings.Builder
	if check {
		diags = append(diags, program.Check(ctx, opt)...)
	} else if !resolver.HasErrors(diags) {
		r, more := program.Evaluate(ctx, opt)
		diags = append(diags, more...)
		if r != nil {
			for _, v := range r.Variables {
				fmt.Fprintf(&out, "%s=%s\n", v.Name, v.Value.Reveal())
			}
		}
	}
	for _, d := range diags {
		fmt.Fprintf(&out, "%d:%d: %s", d.Pos.Line, d.Pos.Column, d.Summary)
		if d.Hint != "" {
			fmt.Fprintf(&out, " (%s)", d.Hint)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// asked counts what the program was asked.
func (p *place) asked() (schema, open int) {
	b, err := os.ReadFile(filepath.Join(p.dir, "asked"))
	if err != nil && !os.IsNotExist(err) {
		p.t.Fatal(err)
	}
	return strings.Count(string(b), `{"version":1,"schema":true}`), strings.Count(string(b), `"provider":`)
}

const twoOpens = `values:
  environmentVariables:
    A: { fn::open::vault: { path: kv/a } }
    B: { fn::open::vault: { path: kv/b, ttl: 5 } }
`

// program answers the question about its schema, and with the path otherwise.
func withSchema(schema string) string {
	return `q=$(cat); printf '%s\n' "$q" >>asked
case $q in
*'"schema":true'*) printf '%s' '` + schema + `' ;;
*) printf '{"value":"opened"}' ;;
esac`
}

func TestSchemaIsAskedOnce(t *testing.T) {
	p := newPlace(t)
	p.script("bin/ambit-provider-vault", withSchema(`{"inputs":{"type":"object","properties":{"path":{"type":"string"},"ttl":{"type":"integer"}},"required":["path"]}}`))
	if got := p.evaluate(twoOpens, false, true); got != "" {
		t.Errorf("check says %s", got)
	}
	if schema, open := p.asked(); schema+open != 0 {
		t.Errorf("check asked %d and %d times", schema, open)
	}
	for range 2 {
		if got := p.evaluate(twoOpens, false, false); got != "A=opened\nB=opened\n" {
			t.Fatal(got)
		}
		if schema, open := p.asked(); schema != 1 || open != 2 {
			t.Fatalf("asked %d and %d times", schema, open)
		}
	}
	// Another program is asked anew, for its values too.
	p.script("bin/ambit-provider-vault", withSchema(`{"inputs":{"type":"object","properties":{"path":{"type":"string"},"ttl":{"type":"integer"}}}} `))
	if got := p.evaluate(twoOpens, false, false); got != "A=opened\nB=opened\n" {
		t.Fatal(got)
	}
	if schema, open := p.asked(); schema != 2 || open != 4 {
		t.Errorf("asked %d and %d times", schema, open)
	}
	p.evaluate(twoOpens, true, false)
	if schema, open := p.asked(); schema != 3 || open != 6 {
		t.Errorf("reload asked %d and %d times", schema, open)
	}
}

func TestSchemaHoldsInputsAndOutputs(t *testing.T) {
	const bad = `values:
  environmentVariables:
    A: { fn::open::vault: { pth: kv/a, n: [1, x], o: { k: 1 } } }
`
	for _, tt := range []struct{ schema, file, want string }{
		{`{"inputs":{"type":"object","properties":{"path":{"type":"string"},"n":{"type":"array","items":{"type":"integer"}},"o":{"type":"object","properties":{"key":{}}}},"required":["path"]}}`, bad,
			`3:27: vault: the property "path" is missing
3:29: vault: unknown property "pth" (did you mean "path"?)
3:47: vault: expected integer, got string
3:56: vault: unknown property "k"
`},
		{`{"inputs":{"type":"object","properties":{"path":{"type":"string"}},"additionalProperties":true}}`, bad, "A=opened\n"},
		{`{"inputs":{"anyOf":[{"properties":{"path":{}},"required":["path"]},{"properties":{"pth":{},"n":{},"o":{}}}]}}`, bad, "A=opened\n"},
		{`{"outputs":{"type":"object"}}`, bad, `3:10: vault: command "ambit-provider-vault": its answer: the value is not what the program's own schema says (it must print one object with "value" or "error")` + "\n"},
		// What is no schema declares nothing.
		{`{"inputs":{"type":"strin"}}`, bad, "A=opened\n"},
		{`{"inputs":[]}`, bad, "A=opened\n"},
		{`{"error":{"message":"what?"}}`, bad, "A=opened\n"},
		{`nonsense`, bad, "A=opened\n"},
		{``, bad, "A=opened\n"},
	} {
		p := newPlace(t)
		p.script("bin/ambit-provider-vault", withSchema(tt.schema))
		if got := p.evaluate(tt.file, false, false); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.schema, got, tt.want)
		}
		if _, open := p.asked(); strings.HasPrefix(tt.want, "3:27") && open != 0 {
			t.Error("opened with inputs that do not fit")
		}
	}
}

// Whatever a program does, the error has its place and no secret, and does not take
// for ever.
func TestExternalMisbehaves(t *testing.T) {
	const file = `values:
  environmentVariables:
    A:
      fn::open::vault: { path: kv/a, token: { fn::secret: cAnArY } }
`
	for name, tt := range map[string]struct{ script, want string }{
		"noise first":     {`cat >/dev/null; echo hello; echo '{"value":1}'`, `its answer: the text is not JSON`},
		"garbage":         {`head -c 1000 /dev/urandom`, `its answer: the text is not JSON`},
		"a secret echoed": {`cat; exit 3`, `failed with exit status 3`},
		"on stderr":       {`cat >&2; exit 3`, `failed with exit status 3`},
		"nothing":         {`exit 0`, `its answer: the text is not JSON`},
		"1 GB":            {`exec head -c 1000000000 /dev/zero`, `printed more than 1 MiB`},
		"1 GB of words":   {`exec yes`, `printed more than 1 MiB`},
		"deep":            {`printf '{"value":'; i=0; while [ $i -lt 1000 ]; do printf '['; i=$((i+1)); done`, `nested more than 64 levels`},
		"signal":          {`kill -9 $$`, `ended by signal 9`},
		"not a program":   {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			if name == "not a program" {
				path := p.script("bin/ambit-provider-vault", "")
				if err := os.WriteFile(path, []byte("\x7fELF nonsense"), 0o755); err != nil {
					t.Fatal(err)
				}
				tt.want = "cannot start"
			} else {
				p.script("bin/ambit-provider-vault", tt.script)
			}
			got := p.evaluate(file, false, false)
			if !strings.HasPrefix(got, `4:7: vault: command "ambit-provider-vault"`) || !strings.Contains(got, tt.want) || strings.Count(got, "\n") != 1 || strings.Contains(got, "cAnArY") {
				t.Errorf("got %q", got)
			}
			if !strings.Contains(got, "(") {
				t.Errorf("no hint: %q", got)
			}
		})
	}
}

// A program that hangs is ended, and its schema is given up sooner.
func TestSchemaHangs(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.script("bin/ambit-provider-vault", `q=$(cat); printf '%s\n' "$q" >>asked
case $q in *'"schema":true'*) sleep 60 ;; *) printf '{"value":"opened"}' ;; esac`)
	start := time.Now()
	if got := p.evaluate(twoOpens, false, false); got != "A=opened\nB=opened\n" {
		t.Error(got)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if schema, open := p.asked(); schema != 1 || open != 2 {
		t.Errorf("asked %d and %d times", schema, open)
	}
}
