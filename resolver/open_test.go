package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/cache"
)

// provider is one whose opens are counted.
func provider(open func(ctx context.Context, call *resolver.Call) (resolver.Opened, error)) (map[string]*resolver.Provider, *atomic.Int32) {
	var n atomic.Int32
	return map[string]*resolver.Provider{"p": {
		Name: "p", Version: 1, Inputs: &resolver.Schema{Open: true},
		Open: func(ctx context.Context, call *resolver.Call) (resolver.Opened, error) {
			n.Add(1)
			return open(ctx, call)
		},
	}}, &n
}

func evaluate(t *testing.T, ctx context.Context, m memory, opt resolver.Options) (*resolver.Result, []resolver.Diagnostic) {
	t.Helper()
	p, diags := resolver.Load(ctx, m, resolver.Root{File: "/p/.envrc.yaml"}, resolver.LoadOptions{})
	if len(diags) > 0 {
		t.Fatal(printed(diags))
	}
	if opt.Now == nil {
		opt.Now = func() time.Time { return now }
	}
	return p.Evaluate(ctx, opt)
}

func text(s string) resolver.Value { return resolver.Value{Kind: resolver.String, Text: s} }

func define(format string, n int, variable func(int) string) memory {
	var b strings.Builder
	b.WriteString("values:\n  environmentVariables:\n")
	for i := range n {
		fmt.Fprintf(&b, "    V%d: %s\n", i, variable(i))
	}
	b.WriteString(format)
	return memory{"/p/.envrc.yaml": b.String()}
}

// Opens that do not depend on each other run at once, but not more than eight.
func TestOpensRunAtOnce(t *testing.T) {
	var running, most atomic.Int32
	const wait = 100 * time.Millisecond
	providers, n := provider(func(context.Context, *resolver.Call) (resolver.Opened, error) {
		now := running.Add(1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		time.Sleep(wait)
		running.Add(-1)
		return resolver.Opened{Value: text("x")}, nil
	})
	for _, opens := range []int{5, 20} {
		m := define("", opens, func(i int) string { return fmt.Sprintf("{ fn::open::p: { i: %d } }", i) })
		rounds := time.Duration((opens + 7) / 8)
		took := fastest(3, func() {
			n.Store(0)
			_, diags := evaluate(t, context.Background(), m, resolver.Options{Providers: providers})
			if len(diags) > 0 || int(n.Load()) != opens {
				t.Fatalf("%d opens, %s", n.Load(), printed(diags))
			}
		})
		t.Logf("%d opens of %v took %v", opens, wait, took.Round(time.Millisecond))
		if took > rounds*wait*3/2 {
			t.Errorf("%d opens of %v took %v", opens, wait, took)
		}
	}
	if most.Load() != 8 {
		t.Errorf("%d ran at once", most.Load())
	}
}

// Equal opens are one, however they are written and wherever they stand.
func TestEqualOpensOnce(t *testing.T) {
	providers, n := provider(func(context.Context, *resolver.Call) (resolver.Opened, error) {
		return resolver.Opened{Value: text("x")}, nil
	})
	m := define("  one: 1\n", 6, func(i int) string {
		return []string{`{ fn::open::p: { a: 1, b: x } }`, `{ fn::open: { provider: p, inputs: { b: x, a: "${one}" } } }`}[i%2]
	})
	m["/p/.envrc.yaml"] = "imports: [./other.yaml]\n" + m["/p/.envrc.yaml"]
	m["/p/other.yaml"] = "values: { environmentVariables: { X: { fn::open::p: { a: 1, b: x } }, Y: { fn::open::p: { a: 2, b: x } } } }"
	if _, diags := evaluate(t, context.Background(), m, resolver.Options{Providers: providers}); len(diags) > 0 {
		t.Fatal(printed(diags))
	}
	if n.Load() != 2 {
		t.Errorf("%d opens", n.Load())
	}
}

// A provider that ignores its context is not waited for, one that panics is an
// error, and what a foreign error says is not repeated.
func TestOpensThatMisbehave(t *testing.T) {
	forever := make(chan struct{})
	t.Cleanup(func() { close(forever) })
	for name, c := range map[string]struct {
		open func(ctx context.Context, call *resolver.Call) (resolver.Opened, error)
		want string
		kind resolver.FailureKind
	}{
		"ignores its context": {func(context.Context, *resolver.Call) (resolver.Opened, error) {
			<-forever
			return resolver.Opened{}, nil
		}, "p did not answer in time", resolver.KindNetwork},
		"honours its context": {func(ctx context.Context, _ *resolver.Call) (resolver.Opened, error) {
			<-ctx.Done()
			return resolver.Opened{}, ctx.Err()
		}, "p: no answer in time", resolver.KindNetwork},
		"panics": {func(context.Context, *resolver.Call) (resolver.Opened, error) { panic("canary") },
			"p: the provider failed unexpectedly", ""},
		"foreign error": {func(context.Context, *resolver.Call) (resolver.Opened, error) {
			return resolver.Opened{}, errors.New("canary")
		}, "p: the provider failed", ""},
		"too much": {func(context.Context, *resolver.Call) (resolver.Opened, error) {
			return resolver.Opened{Value: text(strings.Repeat("canary", 1<<20))}, nil
		}, "p: the output is larger than 1 MiB", ""},
		"too deep": {func(context.Context, *resolver.Call) (resolver.Opened, error) {
			v := text("canary")
			for range 100 {
				v = resolver.Value{Kind: resolver.List, List: []resolver.Value{v}}
			}
			return resolver.Opened{Value: v}, nil
		}, "p: the output is nested more than 64 levels", ""},
	} {
		t.Run(name, func(t *testing.T) {
			providers, _ := provider(c.open)
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			m := define("", 1, func(int) string { return "{ fn::open::p: {} }" })
			start := time.Now()
			r, diags := evaluate(t, ctx, m, resolver.Options{Providers: providers})
			if r != nil || len(diags) != 1 || diags[0].Summary != c.want || diags[0].Kind != c.kind || diags[0].Pos.Line != 3 {
				t.Errorf("got %v, %s", r, printed(diags))
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	providers, _ := provider(func(ctx context.Context, _ *resolver.Call) (resolver.Opened, error) {
		cancel()
		<-ctx.Done()
		return resolver.Opened{}, ctx.Err()
	})
	m := define("", 1, func(int) string { return "{ fn::open::p: {} }" })
	if _, diags := evaluate(t, ctx, m, resolver.Options{Providers: providers}); len(diags) != 1 || diags[0].Summary != "p: interrupted" {
		t.Errorf("got %s", printed(diags))
	}
}

// keeper evaluates one open again and again, with a cache and a clock.
type keeper struct {
	t     *testing.T
	cache *cache.Dir
	at    time.Time
	env   []string
	fails bool
	fail  func(call *resolver.Call) (resolver.Opened, error)
	n     int
	open  func(call *resolver.Call) resolver.Opened
}

func newKeeper(t *testing.T) *keeper {
	dir, err := cache.Open(filepath.Join(t.TempDir(), "ambit"), os.Getuid())
	if err != nil {
		t.Fatal(err)
	}
	return &keeper{t: t, cache: dir, at: time.Now(), open: func(*resolver.Call) resolver.Opened {
		return resolver.Opened{Value: text("x")}
	}}
}

func (k *keeper) evaluate(inputs string, patience resolver.Patience, fresh bool) (*resolver.Result, []resolver.Diagnostic) {
	k.t.Helper()
	providers, _ := provider(func(_ context.Context, call *resolver.Call) (resolver.Opened, error) {
		k.n++
		if k.fail != nil {
			return k.fail(call)
		}
		if k.fails {
			return resolver.Opened{}, &resolver.OpenError{Summary: "no"}
		}
		return k.open(call), nil
	})
	m := define("", 1, func(int) string { return "{ fn::open: { provider: p, inputs: " + inputs + " } }" })
	return evaluate(k.t, context.Background(), m, resolver.Options{
		Providers: providers, Cache: k.cache, Patience: patience, Fresh: fresh, Env: resolver.NewBaseline(k.env),
		Now: func() time.Time { return k.at },
		Digest: func(path string) (cache.Watched, error) {
			b, err := os.ReadFile(path)
			if err != nil {
				return cache.Watched{Path: path, Absent: true}, nil
			}
			return cache.Watched{Path: path, Digest: cache.Digest(b)}, nil
		},
	})
}

// want evaluates and compares how many opens there were so far.
func (k *keeper) want(n int, inputs string, patience resolver.Patience) {
	k.t.Helper()
	r, diags := k.evaluate(inputs, patience, false)
	if r == nil || r.Variables[0].Value.Reveal() != "x" {
		k.t.Fatalf("got %+v, %s", r, printed(diags))
	}
	if k.n != n {
		k.t.Fatalf("%d opens, want %d", k.n, n)
	}
}

func TestKeptOpens(t *testing.T) {
	k := newKeeper(t)
	k.want(1, "{ a: 1 }", resolver.AtPrompt)
	k.want(1, "{ a: 1 }", resolver.AtPrompt)
	k.want(2, "{ a: 2 }", resolver.AtPrompt) // other inputs
	if _, diags := k.evaluate("{ a: 1 }", resolver.AtPrompt, true); len(diags) > 0 || k.n != 3 {
		t.Fatalf("%d opens after asking for a fresh one, %s", k.n, printed(diags))
	}
	k.at = k.at.Add(2 * time.Hour)           // past the default ttl of an hour
	k.want(3, "{ a: 1 }", resolver.AtPrompt) // a prompt is served
	k.want(4, "{ a: 1 }", resolver.Detached) // and renewed behind it
	k.want(4, "{ a: 1 }", resolver.Detached)
	k.at = k.at.Add(2 * time.Hour)
	k.fails = true
	r, diags := k.evaluate("{ a: 1 }", resolver.Detached, false)
	if r == nil || len(diags) > 0 || len(r.Notices) != 1 || k.n != 5 {
		t.Fatalf("while renewing fails: %+v, %s", r, printed(diags))
	}
	k.at = k.at.Add(23 * time.Hour) // 25 hours old
	if r, _ := k.evaluate("{ a: 1 }", resolver.AtPrompt, false); r != nil {
		t.Fatal("served after a day")
	}
}

func TestKeptWithTTL(t *testing.T) {
	k := newKeeper(t)
	k.want(1, "{}, ttl: 0s", resolver.AtPrompt)
	r, _ := k.evaluate("{}, ttl: 0s", resolver.AtPrompt, false)
	if k.n != 2 || !r.NoCache {
		t.Fatalf("%d opens, NoCache %v", k.n, r.NoCache)
	}
	k.want(3, "{}, ttl: 10m", resolver.Detached)
	k.at = k.at.Add(9 * time.Minute)
	k.want(3, "{}, ttl: 10m", resolver.Detached)
	k.at = k.at.Add(2 * time.Minute)
	k.want(4, "{}, ttl: 10m", resolver.Detached)
}

// What an open read counts: a change of it is a reason to open again.
func TestKeptByWhatWasRead(t *testing.T) {
	k := newKeeper(t)
	file := filepath.Join(t.TempDir(), "f")
	k.open = func(call *resolver.Call) resolver.Opened {
		call.Env.Lookup("READ")
		return resolver.Opened{Value: text("x"), Files: []string{file}}
	}
	k.want(1, "{}", resolver.AtPrompt)
	k.want(1, "{}", resolver.AtPrompt)
	k.env = []string{"OTHER=1"}
	k.want(1, "{}", resolver.AtPrompt)
	k.env = []string{"READ=1"}
	k.want(2, "{}", resolver.AtPrompt)
	k.want(2, "{}", resolver.AtPrompt)
	if err := os.WriteFile(file, []byte("there"), 0o600); err != nil {
		t.Fatal(err)
	}
	k.want(3, "{}", resolver.AtPrompt)
	r, _ := k.evaluate("{}", resolver.AtPrompt, false)
	if k.n != 3 || len(r.Watched) != 2 || r.Watched[1].Path != file || len(r.Reads) != 1 || r.Reads[0].Name != "READ" {
		t.Errorf("%d opens, watched %+v, read %+v", k.n, r.Watched, r.Reads)
	}
}

// That an open failed is remembered for all who ask for the same, for a while.
func TestKeptFailures(t *testing.T) {
	k := newKeeper(t)
	kind, files := resolver.KindNetwork, []string(nil)
	k.fail = func(call *resolver.Call) (resolver.Opened, error) {
		call.Env.Lookup("READ")
		return resolver.Opened{Files: files}, errors.Join(
			&resolver.OpenError{Kind: kind, Summary: "no a", Hint: "do", Path: []string{"a"}},
			&resolver.OpenError{Kind: kind, Summary: "no b", Path: []string{"b"}, Key: true})
	}
	const inputs = "{ a: 1, b: 2 }"
	fails := func(n int, patience resolver.Patience, fresh bool) {
		t.Helper()
		r, diags := k.evaluate(inputs, patience, fresh)
		want := "error: /p/.envrc.yaml:3:49: p: no a\nhint: do\nerror: /p/.envrc.yaml:3:52: p: no b\n"
		if got := printed(diags); r != nil || got != want || diags[0].Kind != kind {
			t.Fatalf("got %v\n%s", r, got)
		}
		if k.n != n {
			t.Fatalf("%d opens, want %d", k.n, n)
		}
	}
	fails(1, resolver.AtPrompt, false)
	fails(1, resolver.AtPrompt, false)
	fails(1, resolver.Detached, false)
	fails(2, resolver.Person, false) // who asks is not put off
	fails(3, resolver.AtPrompt, true)
	fails(3, resolver.AtPrompt, false)
	k.at = k.at.Add(3 * time.Minute) // 30 s, doubled twice
	fails(4, resolver.AtPrompt, false)
	for range 5 {
		k.at = k.at.Add(331 * time.Second) // never more than 5 min
		fails(k.n+1, resolver.AtPrompt, false)
	}
	n := k.n
	k.env = []string{"READ=1"} // what it read has changed
	fails(n+1, resolver.AtPrompt, false)

	kind = resolver.KindRefused
	file := filepath.Join(t.TempDir(), "f")
	files = []string{file}
	fails(n+2, resolver.AtPrompt, true)
	k.at = k.at.Add(4 * time.Minute)
	fails(n+2, resolver.AtPrompt, false)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fails(n+3, resolver.AtPrompt, false)
	k.at = k.at.Add(331 * time.Second)
	k.fail = nil
	k.want(n+4, inputs, resolver.AtPrompt)
	k.want(n+4, inputs, resolver.Person)

	// The old value serves while opening again fails, and is not asked for all
	// the time.
	k.fail = func(*resolver.Call) (resolver.Opened, error) {
		return resolver.Opened{}, &resolver.OpenError{Kind: resolver.KindNetwork, Summary: "no"}
	}
	k.at = k.at.Add(2 * time.Hour)
	r, diags := k.evaluate(inputs, resolver.Detached, false)
	if r == nil || len(diags) > 0 || len(r.Notices) != 1 || k.n != n+5 || !r.RefreshAt.After(k.at) {
		t.Fatalf("%d opens, %+v, %s", k.n, r, printed(diags))
	}
	if r, _ = k.evaluate(inputs, resolver.Detached, false); r == nil || k.n != n+5 {
		t.Fatalf("%d opens, %+v", k.n, r)
	}
	k.at = k.at.Add(25 * time.Hour)
	if r, _ = k.evaluate(inputs, resolver.AtPrompt, false); r != nil {
		t.Fatalf("served after a day: %+v", r)
	}
}

// Many that come together fail together: one of them asks.
func TestKeptFailureIsShared(t *testing.T) {
	k := newKeeper(t)
	var n atomic.Int32
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			providers := map[string]*resolver.Provider{"p": {Name: "p", Inputs: &resolver.Schema{Open: true},
				Open: func(context.Context, *resolver.Call) (resolver.Opened, error) {
					n.Add(1)
					time.Sleep(100 * time.Millisecond)
					return resolver.Opened{}, &resolver.OpenError{Kind: resolver.KindRefused, Summary: "no"}
				}}}
			m := define("", 1, func(int) string { return "{ fn::open::p: {} }" })
			if r, diags := evaluate(t, context.Background(), m, resolver.Options{Providers: providers, Cache: k.cache, Now: time.Now}); r != nil || len(diags) != 1 || diags[0].Summary != "p: no" {
				t.Errorf("got %+v, %s", r, printed(diags))
			}
		})
	}
	wait.Wait()
	if n.Load() != 1 {
		t.Errorf("%d opens", n.Load())
	}
}

// What is kept comes back as it was: kinds, bytes and flags.
func TestKeptValue(t *testing.T) {
	k := newKeeper(t)
	k.open = func(*resolver.Call) resolver.Opened {
		return resolver.Opened{Value: resolver.Value{Kind: resolver.Object, Object: map[string]resolver.Value{
			"s": {Kind: resolver.String, Text: "\xff\x00", Secret: true}, "n": {Kind: resolver.Number, Text: "1.10"},
			"b": {Kind: resolver.Bool, Bool: true}, "z": {}, "e": {Kind: resolver.Object}, "l": {Kind: resolver.List, List: []resolver.Value{text("x"), {}}},
		}}}
	}
	var shown []string
	for range 2 {
		p, _ := resolver.Load(context.Background(), memory{"/p/.envrc.yaml": "values: { v: { fn::open::p: {} } }"}, resolver.Root{File: "/p/.envrc.yaml"}, resolver.LoadOptions{})
		providers, _ := provider(func(_ context.Context, call *resolver.Call) (resolver.Opened, error) {
			k.n++
			return k.open(call), nil
		})
		v, diags := p.Open(context.Background(), resolver.Options{Providers: providers, Cache: k.cache, Now: func() time.Time { return k.at }}, "v")
		if len(diags) > 0 {
			t.Fatal(printed(diags))
		}
		shown = append(shown, string(resolver.EncodeJSON(v, true))+fmt.Sprintf("%q", v.Object["s"].Text)+fmt.Sprint(v.Object["s"].Secret))
	}
	if k.n != 1 || shown[0] != shown[1] {
		t.Errorf("%d opens\n%s\n%s", k.n, shown[0], shown[1])
	}
}
