package hook

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ambit/resolver/cache"
	"ambit/resolver/secret"
	"ambit/shells"
)

// The test binary stands in for `ambit resolve` when it finds itself started as
// one: what it answers lies in a directory that the test prepares.
const standIn = "HOOK_TEST_RESOLVER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(standIn); dir != "" {
		// Not os.Exit: with -race that sleeps for a second, and its environment is
		// the test's, without GORACE.
		syscall.Exit(resolve(dir, os.Args[1:]))
	}
	os.Exit(m.Run())
}

func resolve(dir string, args []string) int {
	calls, err := os.OpenFile(filepath.Join(dir, "calls"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 1
	}
	fmt.Fprintln(calls, strings.Join(args, " "))
	environ, _ := os.ReadFile("/proc/self/environ")
	_ = os.WriteFile(filepath.Join(dir, "environ"), environ, 0o600)
	if _, err := os.Stat(filepath.Join(dir, "hang")); err == nil {
		time.Sleep(time.Minute)
	}
	b, err := os.ReadFile(filepath.Join(dir, "entry"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "noise")
		return 1
	}
	e, err := cache.DecodeEntry(b)
	if err != nil {
		return 1
	}
	e.Dir = args[len(args)-1]
	env := NewEnviron(os.Environ())
	places := NewPlaces(env, os.Geteuid())
	record := NewTrust(places, os.Geteuid()).Record(e.Dir)
	if d, err := cache.Open(places.Cache, os.Geteuid()); err == nil && record != nil {
		if _, err := os.Stat(filepath.Join(dir, "diskfull")); err != nil {
			_ = d.PutEntry(cache.EntryKey(e.Dir, record.Closure, env[storesVar]), e, time.Now(), env.Lookup)
			_, touch := os.Stat(filepath.Join(dir, "touch"))
			if touch == nil || slices.Contains(args, "--detached") {
				_ = d.Touch(time.Now())
			}
		}
	}
	_, _ = os.Stdout.Write(e.Encode())
	return 0
}

// terminal is a shell as far as the hook can tell: an environment, a directory,
// and the changes of each prompt applied to it.
type terminal struct {
	t      *testing.T
	env    Environ
	now    time.Time
	uid    int
	sid    int
	typed  bool              // not a prompt
	check  map[string]string // the shell's own variables
	answer string            // what the last prompt printed
	lines  []string          // its changes
	fake   string
	ctrlC  chan os.Signal
}

func newTerminal(t *testing.T) *terminal {
	home := t.TempDir()
	fake := t.TempDir()
	return &terminal{
		t: t, now: time.Now(), uid: os.Geteuid(), sid: os.Getpid(), fake: fake, ctrlC: make(chan os.Signal, 1),
		env: Environ{"HOME": home, "PATH": "/usr/bin:/bin", standIn: fake},
	}
}

func (s *terminal) places() Places { return NewPlaces(s.env, s.uid) }
func (s *terminal) trust() Trust   { return NewTrust(s.places(), s.uid) }

// project makes a directory with a file that is old enough for a check.
func (s *terminal) project(name, content string) string {
	s.t.Helper()
	dir := filepath.Join(s.env["HOME"], name)
	must(s.t, os.MkdirAll(dir, 0o700))
	s.write(filepath.Join(dir, FileName), content)
	return dir
}

func (s *terminal) write(path, content string) {
	s.t.Helper()
	must(s.t, os.WriteFile(path, []byte(content), 0o600))
	old := s.now.Add(-time.Hour)
	must(s.t, os.Chtimes(path, old, old))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *terminal) allow(dir string, more ...Link) {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, FileName))
	must(s.t, err)
	links := append([]Link{{Path: filepath.Join(dir, FileName), Digest: cache.Digest(b)}}, more...)
	must(s.t, s.trust().Put(&Record{Dir: dir, Closure: ClosureHash(dir, links), Files: links}))
}

// resolves prepares the resolver's next answers. Watched is filled in.
func (s *terminal) resolves(dir string, e *cache.Entry) {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, FileName))
	must(s.t, err)
	e.Dir, e.Created = dir, s.now.Unix()
	e.Watched = append(e.Watched, cache.Watched{Path: filepath.Join(dir, FileName), Digest: cache.Digest(b)})
	must(s.t, os.WriteFile(filepath.Join(s.fake, "entry"), e.Encode(), 0o600))
}

func (s *terminal) calls() int {
	b, _ := os.ReadFile(filepath.Join(s.fake, "calls"))
	return bytes.Count(b, []byte("\n"))
}

// prompt goes to dir and asks; it returns what the person reads.
func (s *terminal) prompt(dir string) string {
	s.t.Helper()
	status, stderr := s.ask(dir)
	if status != 0 {
		s.t.Fatalf("status %d: %s", status, stderr)
	}
	if !strings.HasSuffix(s.answer, "\n#ambit:ok\n") {
		s.t.Fatalf("no last line in %q", s.answer)
	}
	s.apply(s.lines)
	return stderr
}

func (s *terminal) ask(dir string) (status int, stderr string) {
	s.t.Helper()
	s.t.Chdir(dir)
	s.env["PWD"] = dir
	return s.askHere()
}

func (s *terminal) askHere() (status int, stderr string) {
	var out, errs bytes.Buffer
	status = Run(Process{
		Shell: shells.Bash, Typed: s.typed, Env: s.env.List(), UID: s.uid, GID: os.Getegid(), Terminal: func() int { return s.sid }, Now: func() time.Time { return s.now },
		Stdout: &out, Stderr: &errs, Resolver: func() []string { return []string{os.Args[0]} }, Interrupt: func() <-chan os.Signal { return s.ctrlC },
	})
	s.answer = out.String()
	s.lines, s.check = nil, map[string]string{}
	for line := range strings.Lines(s.answer) {
		line = strings.TrimSuffix(line, "\n")
		if name, value, ok := strings.Cut(line, "="); ok && strings.HasPrefix(name, "__ambit_") {
			s.check[name] = value
		} else if strings.HasPrefix(line, "__ambit_") {
			s.lines = append(s.lines, line)
		}
	}
	return status, errs.String()
}

func (s *terminal) armed() bool { return s.check["__ambit_pwd"] != "$''" }

// until is the deadline of the check, 0 if there is none.
func (s *terminal) until() int64 {
	n, _ := strconv.ParseInt(unquote(s.check["__ambit_until"]), 10, 64)
	return n
}

func (s *terminal) apply(lines []string) {
	for _, line := range lines {
		f := strings.SplitN(line, " ", 3)
		switch f[0] {
		case "__ambit_set":
			s.env[f[1]] = unquote(f[2])
		case "__ambit_unset":
			delete(s.env, f[1])
		default:
			s.t.Fatalf("unknown line %q", line)
		}
	}
}

var octal = regexp.MustCompile(`\\[0-7]{3}`)

func unquote(word string) string {
	word = strings.TrimSuffix(strings.TrimPrefix(word, "$'"), "'")
	return octal.ReplaceAllStringFunc(word, func(o string) string {
		n, _ := strconv.ParseUint(o[1:], 8, 8)
		return string([]byte{byte(n)})
	})
}

// without copies the environment less the variables that move with the shell.
func (s *terminal) plain() Environ {
	out := Environ{}
	for k, v := range s.env {
		if k != "PWD" {
			out[k] = v
		}
	}
	return out
}

func wantEnv(t *testing.T, what string, got, want Environ) {
	t.Helper()
	names := map[string]bool{}
	for n := range got {
		names[n] = true
	}
	for n := range want {
		names[n] = true
	}
	for n := range names {
		g, gok := got[n]
		w, wok := want[n]
		if g != w || gok != wok {
			t.Errorf("%s: %s is %q (set %v), want %q (set %v)", what, n, g, gok, w, wok)
		}
	}
}

func variables(pairs ...string) []cache.Variable {
	var out []cache.Variable
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, cache.Variable{Name: pairs[i], Value: secret.New(pairs[i+1])})
	}
	slices.SortFunc(out, func(a, b cache.Variable) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func wantLines(t *testing.T, what, got string, want ...string) {
	t.Helper()
	if w := strings.Join(want, "\n"); strings.TrimSuffix(got, "\n") != w {
		t.Errorf("%s: said\n%s\nwant\n%s", what, got, w)
	}
}
