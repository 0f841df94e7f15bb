package exec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ambit/resolver"
)

// place is a directory with programs in it.
type place struct {
	t   *testing.T
	dir string
	env []string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir := t.TempDir()
	return &place{t: t, dir: dir, env: []string{"PATH=" + filepath.Join(dir, "bin") + ":/usr/bin:/bin", "CANARY=from-baseline", "PWD=/elsewhere"}}
}

func (p *place) script(name, body string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func (p *place) command(argv ...string) resolver.Command {
	return resolver.Command{Argv: argv, Dir: p.dir, Env: resolver.NewBaseline(p.env), Timeout: 5 * time.Second}
}

func TestRunPassesTheBaselineAndNoMore(t *testing.T) {
	p := newPlace(t)
	t.Setenv("LEAKED", "from the process")
	out, err := Run(context.Background(), p.command("sh", "-c", `printf '%s|%s|%s|%s' "$CANARY" "$LEAKED" "$PWD" "$(cat)"`))
	if err != nil || string(out) != "from-baseline||"+p.dir+"|" {
		t.Errorf("%q %v", out, err)
	}
}

func TestRunGivesStdinWhole(t *testing.T) {
	p := newPlace(t)
	c := p.command("cat")
	c.Stdin = []byte(strings.Repeat("x\x00\xff", 100_000))
	if out, err := Run(context.Background(), c); err != nil || string(out) != string(c.Stdin) {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	// A command that does not read it is no failure.
	c.Argv = []string{"true"}
	if _, err := Run(context.Background(), c); err != nil {
		t.Error(err)
	}
}

func TestNoTerminalAndASessionOfItsOwn(t *testing.T) {
	p := newPlace(t)
	out, err := Run(context.Background(), p.command("sh", "-c", `if (: </dev/tty) 2>/dev/null; then echo terminal; fi; cut -d' ' -f5,6 /proc/$$/stat; echo $$`))
	words := strings.Fields(string(out))
	if err != nil || len(words) != 3 || words[0] != words[2] || words[1] != words[2] {
		t.Errorf("%q %v", out, err)
	}
}

func TestLookUp(t *testing.T) {
	p := newPlace(t)
	p.script("evil", "echo evil")
	p.script("bin/tool", "echo tool")
	p.script("sub/rel", "echo rel")
	p.env[0] = "PATH=::.:sub:relative:" + p.env[0][len("PATH="):]
	t.Chdir(p.dir)
	for argv0, want := range map[string]string{
		"tool": "tool\n", "./evil": "evil\n", "sub/rel": "rel\n", filepath.Join(p.dir, "evil"): "evil\n",
		"evil": `command "evil" not found in PATH`, "rel": `command "rel" not found in PATH`,
		"./none": `command "./none": no such file or directory`, "./sub": `command "./sub": is a directory`, "": "the command is empty",
	} {
		out, err := Run(context.Background(), p.command(argv0))
		got := string(out)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", argv0, got, want)
		}
	}
	if err := os.WriteFile(filepath.Join(p.dir, "bin/plain"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(context.Background(), p.command("plain")); err == nil || !strings.Contains(err.Error(), "is not executable") {
		t.Errorf("got %v", err)
	}
}

func TestFailures(t *testing.T) {
	p := newPlace(t)
	noShebang := p.script("noshebang", "")
	if err := os.WriteFile(noShebang, []byte("echo x\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		argv []string
		want string
	}{
		{[]string{"sh", "-c", "echo first >&2; echo last >&2; exit 3"}, `command "sh" failed with exit status 3: last`},
		{[]string{"sh", "-xc", "echo token-1; exit 1"}, `command "sh" failed with exit status 1: + exit 1`},
		{[]string{"sh", "-c", "echo token-1; echo got token-1 >&2; exit 1"}, `exit status 1: got [secret]`},
		{[]string{"sh", "-c", "exit 1"}, `command "sh" failed with exit status 1`},
		{[]string{"sh", "-c", "kill -9 $$"}, `command "sh" was ended by signal 9 (killed)`},
		{[]string{noShebang}, "cannot start: exec format error"},
		{[]string{"sh", "-c", "yes"}, `command "sh" printed more than 1 MiB`},
	} {
		out, err := Run(context.Background(), p.command(tt.argv...))
		if err == nil || !strings.Contains(err.Error(), tt.want) || out != nil {
			t.Errorf("%q: %q %v", tt.argv, out, err)
		}
	}
	c := p.command("true")
	c.Dir = filepath.Join(p.dir, "gone")
	if _, err := Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), "working directory") {
		t.Errorf("got %v", err)
	}
	var exit *ExitError
	_, err := Run(context.Background(), p.command("sh", "-c", "yes long-line | head -c 1000000 >&2; echo end >&2; exit 2"))
	if !errors.As(err, &exit) || exit.Status != 2 || len(exit.Stderr) > maxStderr || !strings.HasSuffix(exit.Stderr, "end") {
		t.Errorf("%v", err)
	}
}

// alive says whether a process still runs; a zombie does not.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(b), ") Z ")
}

func TestDeadlineKillsTheWholeGroup(t *testing.T) {
	p := newPlace(t)
	c := p.command("sh", "-c", `trap '' TERM INT HUP; sleep 60 & echo $! >pid; sleep 60`)
	c.Timeout = 300 * time.Millisecond
	began := time.Now()
	_, err := Run(context.Background(), c)
	var late *TimeoutError
	if !errors.As(err, &late) || time.Since(began) > 2*time.Second || err.Error() != `command "sh" did not end within 300ms` {
		t.Fatalf("%v after %v", err, time.Since(began))
	}
	b, err := os.ReadFile(filepath.Join(p.dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Second); alive(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("a child survived the deadline")
		}
	}
}

func TestCancelAndTheCallersDeadline(t *testing.T) {
	p := newPlace(t)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	began := time.Now()
	if _, err := Run(ctx, p.command("sleep", "60")); !errors.Is(err, context.Canceled) || time.Since(began) > 2*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	ctx, cancel = context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	var late *TimeoutError
	if _, err := Run(ctx, p.command("sleep", "60")); !errors.As(err, &late) {
		t.Errorf("got %v", err)
	}
}

func TestDaemonThatKeepsStdoutOpen(t *testing.T) {
	p := newPlace(t)
	began := time.Now()
	out, err := Run(context.Background(), p.command("sh", "-c", `sleep 30 & echo $! >pid; echo value`))
	if err != nil || string(out) != "value\n" || time.Since(began) > 2*time.Second {
		t.Errorf("%q %v after %v", out, err, time.Since(began))
	}
	if b, err := os.ReadFile(filepath.Join(p.dir, "pid")); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // our own, left behind on purpose
		}
	}
}

func text(s string) resolver.Value { return resolver.Value{Kind: resolver.String, Text: s} }

func secretText(s string) resolver.Value {
	return resolver.Value{Kind: resolver.String, Text: s, Secret: true}
}

func list(words ...string) resolver.Value {
	v := resolver.Value{Kind: resolver.List}
	for _, w := range words {
		v.List = append(v.List, text(w))
	}
	return v
}

func (p *place) open(provider *resolver.Provider, inputs map[string]resolver.Value) (resolver.Opened, error) {
	return provider.Open(context.Background(), &resolver.Call{
		Inputs: resolver.Value{Kind: resolver.Object, Object: inputs}, File: filepath.Join(p.dir, ".envrc.yaml"),
		Root: "shop/dev", Current: "shop/base", Env: resolver.NewBaseline(p.env), Now: time.Now,
	})
}

func TestCommandProvider(t *testing.T) {
	p := newPlace(t)
	sh := func(script string) resolver.Value { return list("sh", "-c", script) }
	o, err := p.open(Command(), map[string]resolver.Value{"command": sh(`printf ' a\nb \n\n'`)})
	if err != nil || o.Value.Text != " a\nb " || !o.Value.Secret || !o.RefreshAt.IsZero() {
		t.Errorf("%+v %v", o, err)
	}
	o, err = p.open(Command(), map[string]resolver.Value{"command": sh(`echo '{"a":[1.10,true]}'`), "parse": text("json"), "secret": {Kind: resolver.Bool}, "ttl": text("10m")})
	if err != nil || o.Value.Object["a"].List[0].Text != "1.10" || o.Value.Secret || time.Until(o.RefreshAt) > 10*time.Minute || time.Until(o.ExpiresAt) < 23*time.Hour {
		t.Errorf("%+v %v", o, err)
	}
	if err := os.Mkdir(filepath.Join(p.dir, "there"), 0o755); err != nil {
		t.Fatal(err)
	}
	o, err = p.open(Command(), map[string]resolver.Value{"command": sh(`pwd; cat`), "cwd": text(filepath.Join(p.dir, "there")), "stdin": text("given")})
	if err != nil || o.Value.Text != filepath.Join(p.dir, "there")+"\ngiven" {
		t.Errorf("%+v %v", o, err)
	}
}

func TestCommandProviderShowsNoSecret(t *testing.T) {
	const canary = "cAnArY-secret"
	p := newPlace(t)
	for name, in := range map[string]map[string]resolver.Value{
		"argument": {"command": {Kind: resolver.List, List: []resolver.Value{text("echo"), secretText(canary)}}},
		"failure":  {"command": list("sh", "-c", `cat >&2; exit 1`), "stdin": secretText(canary)},
		"no JSON":  {"command": list("sh", "-c", `cat`), "stdin": secretText(canary), "parse": text("json")},
		"late":     {"command": list("sh", "-c", `cat >&2; sleep 9`), "stdin": secretText(canary), "timeout": text("1s")},
	} {
		_, err := p.open(Command(), in)
		var open *resolver.OpenError
		if !errors.As(err, &open) || open.Hint == "" {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error()+open.Hint, canary) {
				t.Errorf("%s: %v", name, e)
			}
		}
	}
	o, err := p.open(Command(), map[string]resolver.Value{"command": list("sh", "-c", `echo "note: using key"; echo "debug: `+canary+`" >&2; echo plain >&2`)})
	if err != nil || strings.Join(o.Notices, "|") != "sh: debug: "+canary+"|sh: plain" {
		t.Errorf("%q %v", o.Notices, err) // not the value, so not known to be secret
	}
	o, err = p.open(Command(), map[string]resolver.Value{"command": list("sh", "-xc", `echo `+canary)})
	if err != nil || strings.Contains(strings.Join(o.Notices, "|"), canary) || len(o.Notices) != 1 {
		t.Errorf("%q %v", o.Notices, err)
	}
}

func TestExternalProvider(t *testing.T) {
	p := newPlace(t)
	const canary = "cAnArY-secret"
	find := External(resolver.NewBaseline(p.env), nil, time.Now)
	if find("vault") != nil {
		t.Error("found a provider without a program")
	}
	p.script("bin/ambit-provider-../x", "")
	for _, name := range []string{"../x", "", "-x", "A", "a b"} {
		if find(name) != nil {
			t.Errorf("found %q", name)
		}
	}
	inputs := map[string]resolver.Value{"path": text("kv/x"), "token": secretText(canary)}
	for _, tt := range []struct {
		script string
		want   string // of the value as JSON and its secretness, or the error
	}{
		{`cat >question; echo '{"value":{"a":"1"},"more":1}'`, "{\n  \"a\": \"1\"\n} true"},
		{`echo '{"value":"plain","secret":false}'`, `"plain" false`},
		{`echo '{"value":null}'`, `null true`},
		{`printf '%s' '{"error":{"message":"no\nsuch path for ` + canary + `","hint":"look"}}'`, `no such path for [secret]`},
		{`echo '{"error":{}}'`, "did not say why"},
		{`echo '{}'`, `neither "value" nor "error"`},
		{`echo '{"value":1} {"value":2}'`, "something follows"},
		{`echo '[1]'`, "expected object, got "},
		{`echo nonsense`, "is not JSON"},
		{`echo '{"value":1,"secret":"no"}'`, `"secret": expected boolean, got string`},
		{`echo '{"value":1,"expiresAt":"soon"}'`, `expected an instant`},
		{`echo '{"value":1,"expiresAt":"2001-01-01T00:00:00Z"}'`, `already expired`},
		{`cat >&2; exit 4`, `command "ambit-provider-vault" failed with exit status 4`},
	} {
		p.script("bin/ambit-provider-vault", tt.script)
		provider := find("vault")
		if provider == nil || !provider.Context {
			t.Fatal("not found")
		}
		o, err := p.open(provider, inputs)
		got := ""
		if err != nil {
			got = err.Error()
			if strings.Contains(got, canary) {
				t.Errorf("shows a secret: %s", got)
			}
		} else {
			got = strings.TrimSpace(string(resolver.EncodeJSON(o.Value, true))) + fmt.Sprintf(" %v", o.Value.Secret)
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s:\n got %s\nwant %s", tt.script, got, tt.want)
		}
	}
	question, err := os.ReadFile(filepath.Join(p.dir, "question"))
	if err != nil {
		t.Fatal(err)
	}
	asked, err := resolver.ParseJSON(question)
	if err != nil || asked.Object["version"].Text != "1" || asked.Object["provider"].Text != "vault" || asked.Object["inputs"].Object["token"].Text != canary ||
		asked.Object["context"].Object["rootEnvironment"].Text != "shop/dev" || asked.Object["context"].Object["currentEnvironment"].Text != "shop/base" {
		t.Errorf("asked %s: %v", question, err)
	}
	p.script("bin/ambit-provider-vault", `echo '{"value":1,"expiresAt":"'"$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%SZ)"'"}'`)
	o, err := p.open(find("vault"), inputs)
	if d := time.Until(o.RefreshAt); err != nil || d < 47*time.Minute || d > 48*time.Minute {
		t.Errorf("refresh in %v: %v", d, err)
	}
}
