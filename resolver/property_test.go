package resolver_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"ambit/resolver"
)

// author writes random definitions over a few keys, so that they collide.
type author struct {
	*rand.Rand
	opens bool
}

func (a author) key() string { return string(rune('a' + a.IntN(5))) }

func (a author) value(depth int) string {
	n := 12
	if a.opens {
		n = 16
	}
	switch k := a.IntN(n); {
	case k < 3 && depth > 0:
		return a.object(depth)
	case k < 4 && depth > 0:
		return fmt.Sprintf("[%s, %s]", a.value(depth-1), a.value(depth-1))
	case k < 5:
		return "null"
	case k < 6:
		return fmt.Sprint(a.IntN(100))
	case k < 7:
		return fmt.Sprintf("{ fn::secret: s%d }", a.IntN(100))
	case k < 8:
		return fmt.Sprintf(`"${%s}"`, a.key())
	case k < 9:
		return fmt.Sprintf(`"${%s.%s}"`, a.key(), a.key())
	case k < 10:
		return fmt.Sprintf(`"x${%s}y"`, a.key())
	case k < 11:
		return fmt.Sprintf(`{ fn::toJSON: "${%s}" }`, a.key())
	case k < 12:
		return fmt.Sprintf("text%d", a.IntN(100))
	}
	return fmt.Sprintf(`{ fn::open::slow: { value: %s, wait: %ds } }`, a.value(depth-1), a.IntN(3))
}

func (a author) object(depth int) string {
	var parts []string
	for _, k := range a.Perm(5)[:a.IntN(4)] {
		parts = append(parts, fmt.Sprintf("%c: %s", 'a'+k, a.value(depth-1)))
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

func (a author) file(imports ...string) string {
	return fmt.Sprintf("imports: [%s]\nvalues: %s\n", strings.Join(imports, ", "), a.object(3))
}

// opened is the value of a path, as it would be shown with its secrets marked,
// or false if there was an error.
func opened(m memory, path string) (string, bool) {
	p, diags := resolver.Load(context.Background(), m, resolver.Root{File: "/p/.envrc.yaml"}, resolver.LoadOptions{})
	if p == nil || resolver.HasErrors(diags) {
		return "", false
	}
	v, diags := p.Open(context.Background(), resolver.Options{Providers: testProviders, Now: func() time.Time { return now }}, path)
	if resolver.HasErrors(diags) {
		return "", false
	}
	return string(resolver.EncodeJSON(v, false)) + string(resolver.EncodeJSON(v, true)), true
}

// Merging is associative over imports: how they are grouped does not matter.
func TestMergeAssociative(t *testing.T) {
	compared := 0
	for seed := range uint64(3000) {
		a := author{Rand: rand.New(rand.NewPCG(seed, 1))}
		m := memory{"/p/a.yaml": a.file(), "/p/b.yaml": a.file(), "/p/c.yaml": a.file(),
			"/p/ab.yaml": "imports: [./a.yaml, ./b.yaml]", "/p/bc.yaml": "imports: [./b.yaml, ./c.yaml]"}
		var results []string
		for _, imports := range []string{"./a.yaml, ./b.yaml, ./c.yaml", "./ab.yaml, ./c.yaml", "./a.yaml, ./bc.yaml"} {
			m["/p/.envrc.yaml"] = "imports: [" + imports + "]"
			got, ok := opened(m, "")
			results = append(results, fmt.Sprint(ok, got))
			if ok {
				compared++
			}
		}
		if results[0] != results[1] || results[0] != results[2] {
			t.Fatalf("seed %d:\n%v\n%s", seed, m, strings.Join(results, "\n"))
		}
	}
	if compared < 300 {
		t.Errorf("only %d definitions were without an error", compared)
	}
}

// Asking for one value gives what asking for all gives.
func TestLazinessChangesNothing(t *testing.T) {
	compared := 0
	for seed := range uint64(3000) {
		a := author{Rand: rand.New(rand.NewPCG(seed, 2))}
		m := memory{"/p/a.yaml": a.file(), "/p/b.yaml": a.file("./a.yaml"), "/p/.envrc.yaml": a.file("./b.yaml")}
		p, diags := resolver.Load(context.Background(), m, resolver.Root{File: "/p/.envrc.yaml"}, resolver.LoadOptions{})
		if resolver.HasErrors(diags) {
			continue
		}
		whole, diags := p.Open(context.Background(), resolver.Options{Providers: testProviders, Now: func() time.Time { return now }}, "")
		if resolver.HasErrors(diags) {
			continue
		}
		for key, v := range whole.Object {
			want := string(resolver.EncodeJSON(v, false)) + string(resolver.EncodeJSON(v, true))
			if got, ok := opened(m, key); !ok || got != want {
				t.Fatalf("seed %d, %s:\n%v\ngot  %s\nwant %s", seed, key, m, got, want)
			}
			compared++
			for below, v := range v.Object {
				want := string(resolver.EncodeJSON(v, false)) + string(resolver.EncodeJSON(v, true))
				if got, ok := opened(m, key+"."+below); !ok || got != want {
					t.Fatalf("seed %d, %s.%s:\n%v\ngot  %s\nwant %s", seed, key, below, m, got, want)
				}
				compared++
			}
		}
	}
	if compared < 300 {
		t.Errorf("only %d values were compared", compared)
	}
}

// How long opens take, and in which order they end, changes no value and no
// diagnostic.
func TestOrderOfOpensChangesNothing(t *testing.T) {
	for seed := range uint64(150) {
		a := author{Rand: rand.New(rand.NewPCG(seed, 3)), opens: true}
		base, root := a.file(), a.file("./a.yaml")
		var want string
		for _, wait := range []string{"0s", "1s", "2s", "mixed"} {
			change := func(s string) string {
				if wait == "mixed" {
					return s
				}
				for _, w := range []string{"0s", "1s", "2s"} {
					s = strings.ReplaceAll(s, "wait: "+w, "wait: "+wait)
				}
				return s
			}
			m := memory{"/p/a.yaml": change(base), "/p/.envrc.yaml": change(root)}
			p, diags := resolver.Load(context.Background(), m, resolver.Root{File: "/p/.envrc.yaml"}, resolver.LoadOptions{})
			v, more := p.Open(context.Background(), resolver.Options{Providers: testProviders, Now: func() time.Time { return now }}, "")
			got := printed(append(diags, more...)) + string(resolver.EncodeJSON(v, true))
			// Places move with the length of the text, so waits have one length.
			if want == "" {
				want = got
			}
			if got != want {
				t.Fatalf("seed %d, %s:\n%v\ngot  %s\nwant %s", seed, wait, m, got, want)
			}
		}
	}
}

// What --show-secrets marks is never shown without it.
func TestRedaction(t *testing.T) {
	for seed := range uint64(3000) {
		a := author{Rand: rand.New(rand.NewPCG(seed, 4))}
		text := strings.ReplaceAll(a.file(), "fn::secret: s", "fn::secret: canary")
		m := memory{"/p/.envrc.yaml": text}
		p, diags := resolver.Load(context.Background(), m, resolver.Root{File: "/p/.envrc.yaml"}, resolver.LoadOptions{})
		v, more := p.Open(context.Background(), resolver.Options{Providers: testProviders, Now: func() time.Time { return now }}, "")
		yaml, err := resolver.EncodeYAML(v, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, out := range [][]byte{
			resolver.EncodeJSON(v, false), yaml, p.EncodeDetailed(v, false), []byte(printed(append(diags, more...))),
		} {
			if bytes.Contains(out, []byte("canary")) {
				t.Fatalf("seed %d: %s\n%s", seed, text, out)
			}
		}
	}
}
