package hook

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ambit/resolver/cache"
	"ambit/resolver/secret"
)

func TestEnterStayLeave(t *testing.T) {
	s := newTerminal(t)
	s.env["REPLACED"], s.env["REMOVED"], s.env["AMBIT_MINE"] = "before", "before", "mine"
	before := s.plain()
	dir := s.project("shop", "values: {}\n")

	wantLines(t, "not allowed", s.prompt(dir),
		"ambit: .envrc.yaml is not allowed here", `ambit: hint: run "ambit allow" to see what it would load`)
	wantLines(t, "not allowed, again", s.prompt(dir))
	if !s.armed() || s.calls() != 0 {
		t.Errorf("armed %v, %d calls", s.armed(), s.calls())
	}

	s.allow(dir)
	s.resolves(dir, &cache.Entry{
		Label: "shop/dev", Path: []string{dir + "/bin"}, Unset: []string{"REMOVED"},
		Variables: variables("NEW", "canary-value", "REPLACED", "after"),
	})
	wantLines(t, "allowed", s.prompt(dir), "ambit: shop/dev loaded (+1 ~2 -1)")
	loaded := s.plain()
	want := Environ{
		"NEW": "canary-value", "REPLACED": "after", "PATH": dir + "/bin:/usr/bin:/bin", "HOME": s.env["HOME"], standIn: s.fake,
		"AMBIT_MINE": "mine", "AMBIT_ENV": "shop/dev", "AMBIT_DIR": dir, StateVar: s.env[StateVar],
	}
	wantEnv(t, "loaded", loaded, want)
	if !s.armed() {
		t.Error("not armed")
	}
	if strings.Contains(s.env[StateVar], "canary") || strings.Contains(s.env[StateVar], "before") {
		t.Error("the session shows a value")
	}

	first := s.answer
	wantLines(t, "again", s.prompt(dir))
	if len(s.lines) != 0 {
		t.Errorf("changes although nothing changed: %q", s.lines)
	}
	second := s.answer
	if s.prompt(dir); s.answer != second || !strings.HasSuffix(first, second) {
		t.Error("two answers to one question")
	}
	below := filepath.Join(dir, "a", "b")
	must(t, os.MkdirAll(below, 0o700))
	wantLines(t, "below", s.prompt(below))
	wantEnv(t, "below", s.plain(), want)
	if s.calls() != 1 {
		t.Errorf("%d calls, want 1", s.calls())
	}

	wantLines(t, "left", s.prompt(s.env["HOME"]), "ambit: shop/dev unloaded")
	wantEnv(t, "left", s.plain(), before)
	if last := s.lines[len(s.lines)-1]; last != "__ambit_unset AMBIT_STATE" {
		t.Errorf("leaving ends with %q", last)
	}
	wantLines(t, "outside, again", s.prompt(s.env["HOME"]))
}

func TestEditUnloadsOnce(t *testing.T) {
	s := newTerminal(t)
	before := s.plain()
	dir := s.project("shop", "a")
	s.allow(dir)
	s.resolves(dir, &cache.Entry{Label: "shop", Variables: variables("A", "1")})
	s.prompt(dir)
	s.write(filepath.Join(dir, FileName), "b")
	wantLines(t, "edited", s.prompt(dir), "ambit: shop unloaded",
		"ambit: .envrc.yaml has changed since it was allowed", `ambit: hint: run "ambit allow" to see the difference`)
	got := s.plain()
	delete(got, StateVar)
	wantEnv(t, "edited", got, before)
	wantLines(t, "edited, again", s.prompt(dir))
	s.write(filepath.Join(dir, FileName), "a")
	wantLines(t, "edited back", s.prompt(dir), "ambit: shop loaded (+1)")

	must(t, s.trust().Put(&Record{Dir: dir, Denied: true}))
	wantLines(t, "denied", s.prompt(dir), "ambit: shop unloaded", "ambit: .envrc.yaml is denied here", `ambit: hint: run "ambit allow" to lift that`)
}

func TestSwitch(t *testing.T) {
	s := newTerminal(t)
	s.env["BOTH"] = "before"
	before := s.plain()
	a, b := s.project("a", "a"), s.project("b", "b")
	s.allow(a)
	s.allow(b)
	s.resolves(a, &cache.Entry{Label: "A", Variables: variables("BOTH", "a", "ONLY_A", "a"), Path: []string{a}})
	s.prompt(a)
	s.resolves(b, &cache.Entry{Label: "B", Variables: variables("BOTH", "b", "ONLY_B", "b"), Path: []string{b}})
	wantLines(t, "A to B", s.prompt(b), "ambit: B loaded (+1 ~2)")
	wantEnv(t, "B", s.plain(), Environ{
		"HOME": s.env["HOME"], standIn: s.fake, "PATH": b + ":/usr/bin:/bin", "BOTH": "b", "ONLY_B": "b",
		"AMBIT_ENV": "B", "AMBIT_DIR": b, StateVar: s.env[StateVar],
	})
	// What the resolver of B saw has nothing of A.
	environ, err := os.ReadFile(filepath.Join(s.fake, "environ"))
	must(t, err)
	for _, leak := range []string{"ONLY_A", "BOTH=a", StateVar, EnvVar, a + ":"} {
		if strings.Contains(string(environ), leak) {
			t.Errorf("the resolver of B saw %q", leak)
		}
	}
	s.prompt(s.env["HOME"])
	wantEnv(t, "left", s.plain(), before)
}

// Ctrl-C may fall between any two lines of a change: the next prompt completes
// it, and leaving restores everything.
func TestHalfApplied(t *testing.T) {
	prepare := func(t *testing.T) (s *terminal, a, b string) {
		s = newTerminal(t)
		s.env["BOTH"], s.env["GONE"] = "before", "before"
		a, b = s.project("a", "a"), s.project("b", "b")
		s.allow(a)
		s.allow(b)
		s.resolves(a, &cache.Entry{Label: "A", Variables: variables("BOTH", "a", "ONLY_A", "a"), Unset: []string{"GONE"}, Path: []string{a}})
		return s, a, b
	}
	entryB := &cache.Entry{Label: "B", Variables: variables("BOTH", "b", "ONLY_B", "b", "GONE", "b"), Path: []string{b0}}
	for n := 0; ; n++ {
		s, a, b := prepare(t)
		before := s.plain()
		s.ask(a)
		enter := s.lines
		cut := min(n, len(enter))
		s.apply(enter[:cut])
		s.prompt(a)
		if s.env["BOTH"] != "a" || s.env["ONLY_A"] != "a" || s.env["PATH"] != a+":/usr/bin:/bin" || s.env["GONE"] != "" {
			t.Fatalf("entering, %d lines: not completed: %v", cut, s.plain())
		}
		s.resolves(b, entryB)
		s.ask(b)
		change := s.lines
		s.apply(change[:min(n, len(change))])
		s.prompt(b)
		if s.env["BOTH"] != "b" || s.env["ONLY_B"] != "b" || s.env["PATH"] != b0+":/usr/bin:/bin" || s.env["GONE"] != "b" {
			t.Fatalf("switching, %d lines: not completed: %v", n, s.plain())
		}
		if _, ok := s.env["ONLY_A"]; ok {
			t.Fatalf("switching, %d lines: ONLY_A stayed", n)
		}
		s.ask(s.env["HOME"])
		leave := s.lines
		s.apply(leave[:min(n, len(leave))])
		s.prompt(s.env["HOME"])
		wantEnv(t, fmt.Sprintf("left after %d lines", n), s.plain(), before)
		if t.Failed() {
			t.FailNow()
		}
		if n > len(enter) && n > len(change) && n > len(leave) {
			if n < 6 {
				t.Fatalf("only %d lines", n)
			}
			return
		}
	}
}

const b0 = "/opt/b/bin"

func TestUsersChangesSurvive(t *testing.T) {
	s := newTerminal(t)
	dir := s.project("shop", "a")
	s.allow(dir)
	key := "AWS_ACCESS_KEY_ID"
	entry := func(id string) *cache.Entry {
		return &cache.Entry{
			Label: "shop", Path: []string{dir}, Unset: []string{"AWS_PROFILE"},
			Variables: variables("A", "1", "B", "1", key, id, "AWS_SECRET_ACCESS_KEY", id),
			Unit:      []string{key, "AWS_PROFILE", "AWS_SECRET_ACCESS_KEY"},
		}
	}
	s.resolves(dir, entry("one"))
	s.prompt(dir)
	s.env["A"] = "mine"
	s.env[key] = "mine"
	s.env["PATH"] = "/venv:" + s.env["PATH"] + ":/late"
	delete(s.env, "B")

	// Fresh credentials come: the user's stay, and so does the rest of the unit.
	record := s.trust().Record(dir)
	d, err := cache.Open(s.places().Cache, s.uid)
	must(t, err)
	fresh := entry("two")
	s.resolves(dir, fresh)
	k := cache.EntryKey(dir, record.Closure, "")
	must(t, d.PutEntry(k, fresh, s.now, s.env.Lookup))
	wantLines(t, "refreshed", s.prompt(dir))
	if s.env["A"] != "mine" || s.env[key] != "mine" || s.env["AWS_SECRET_ACCESS_KEY"] != "one" || s.env["PATH"] != "/venv:"+dir+":/usr/bin:/bin:/late" {
		t.Errorf("refreshed: %v", s.plain())
	}
	if _, ok := s.env["B"]; ok {
		t.Error("B came back")
	}
	// A reload that was asked for takes everything back.
	reloaded := entry("three")
	reloaded.Reloaded = s.now.Unix()
	s.resolves(dir, reloaded)
	must(t, d.PutEntry(k, reloaded, s.now, s.env.Lookup))
	s.prompt(dir)
	if s.env["A"] != "1" || s.env[key] != "three" || s.env["B"] != "1" {
		t.Errorf("reloaded: %v", s.plain())
	}
	// Leaving keeps what was changed after that, and restores what it replaced.
	s.env["A"] = "again"
	s.prompt(s.env["HOME"])
	if s.env["A"] != "again" || s.env["PATH"] != "/venv:/usr/bin:/bin:/late" || s.env[key] != "mine" {
		t.Errorf("left: %v", s.plain())
	}
	if _, ok := s.env["AWS_SECRET_ACCESS_KEY"]; ok {
		t.Error("our secret stayed")
	}
}

func TestExpiry(t *testing.T) {
	s := newTerminal(t)
	s.env["AWS_PROFILE"] = "outside"
	dir := s.project("shop", "a")
	s.allow(dir)
	now := s.now.Unix()
	entry := func(value string, born int64) *cache.Entry {
		return &cache.Entry{
			Label: "shop", Unset: []string{"AWS_PROFILE"}, RefreshAt: born + 600, ExpiresAt: born + 3540,
			Variables: []cache.Variable{
				{Name: "AWS_ACCESS_KEY_ID", Value: secret.New(value), ExpiresAt: born + 3540},
				{Name: "PLAIN", Value: secret.New("p")},
			},
			Credentials: []cache.Credential{{ExpiresAt: born + 3540}},
		}
	}
	s.resolves(dir, entry("one", now))
	wantLines(t, "entered", s.prompt(dir), "ambit: shop loaded (+2 -1) · credentials for 59m")
	if s.until() != now+600 || s.env[ExpiresVar] != fmt.Sprint(now+3540) {
		t.Errorf("until %d, expires %s", s.until()-now, s.env[ExpiresVar])
	}
	// From refreshAt on a detached run renews, while the old ones serve.
	s.now = s.now.Add(11 * time.Minute)
	s.resolves(dir, entry("two", now+660))
	wantLines(t, "refresh begins", s.prompt(dir))
	if s.env["AWS_ACCESS_KEY_ID"] != "one" || s.until() != now+660+(3540-660)/2 {
		t.Errorf("%q until %d", s.env["AWS_ACCESS_KEY_ID"], s.until()-now)
	}
	for end := time.Now().Add(10 * time.Second); s.env["AWS_ACCESS_KEY_ID"] != "two"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the refresh never came")
		}
		wantLines(t, "refreshed", s.prompt(dir))
	}
	// A night later they are dead and the resolver cannot help: unset, one line,
	// and not the profile from outside instead.
	s.now = s.now.Add(9 * time.Hour)
	failed := entry("two", now+660).Failed(&cache.Failure{
		Kind: "network", RetryAt: s.now.Unix() + 30, Wait: 30,
		Messages: []cache.Message{{Level: "error", Text: "STS is down"}},
	})
	s.resolves(dir, failed)
	wantLines(t, "dead", s.prompt(dir), "ambit: error: STS is down")
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_PROFILE"} {
		if v, ok := s.env[name]; ok {
			t.Errorf("%s is %q", name, v)
		}
	}
	if s.env[ExpiresVar] != fmt.Sprint(now+660+3540) {
		t.Errorf("%s is %q", ExpiresVar, s.env[ExpiresVar])
	}
	if s.env["PLAIN"] != "p" || s.until() != s.now.Unix()+30 {
		t.Errorf("PLAIN %q, until +%d", s.env["PLAIN"], s.until()-s.now.Unix())
	}
	calls := s.calls()
	wantLines(t, "dead, again", s.prompt(dir))
	if s.calls() != calls {
		t.Error("a second prompt paid")
	}
	s.prompt(s.env["HOME"])
	if s.env["AWS_PROFILE"] != "outside" {
		t.Error("AWS_PROFILE was not restored")
	}
}

func TestFailureIsRemembered(t *testing.T) {
	for _, disk := range []string{"disk", "full disk"} {
		s := newTerminal(t)
		before := s.plain()
		dir := s.project("shop", "a")
		s.allow(dir)
		if disk == "full disk" {
			must(t, os.WriteFile(filepath.Join(s.fake, "diskfull"), nil, 0o600))
		}
		s.resolves(dir, &cache.Entry{Label: "shop", Failure: &cache.Failure{
			Kind: "network", RetryAt: s.now.Unix() + 30, Wait: 30,
			Messages: []cache.Message{
				{Level: "error", Place: cache.Place{File: dir + "/x.yaml", Line: 3, Column: 9}, Text: "no\x1b answer"},
				{Level: "hint", Text: "wait"},
			},
		}})
		wantLines(t, disk, s.prompt(dir), `ambit: error: x.yaml:3:9: no\x1b answer`, "ambit: hint: wait")
		if s.until() != s.now.Unix()+30 {
			t.Errorf("%s: until +%d", disk, s.until()-s.now.Unix())
		}
		s.prompt(dir)
		s.prompt(dir)
		if s.calls() != 1 {
			t.Errorf("%s: %d calls", disk, s.calls())
		}
		got := s.plain()
		delete(got, StateVar)
		wantEnv(t, disk, got, before)
		// After the back-off the next attempt is made behind the prompt's back.
		s.now = s.now.Add(31 * time.Second)
		start := time.Now()
		must(t, os.WriteFile(filepath.Join(s.fake, "hang"), nil, 0o600))
		if disk == "disk" {
			wantLines(t, disk+", later", s.prompt(dir))
			if time.Since(start) > 4*time.Second {
				t.Error("the prompt waited")
			}
		}
	}
}

// An error in a file has no back-off: the entry holds until an edit. Where none can
// be written the session sees to it that not every prompt resolves.
func TestFailureOnAFullDisk(t *testing.T) {
	s := newTerminal(t)
	dir := s.project("shop", "a")
	s.allow(dir)
	must(t, os.WriteFile(filepath.Join(s.fake, "diskfull"), nil, 0o600))
	s.resolves(dir, &cache.Entry{Label: "shop", Failure: &cache.Failure{Messages: []cache.Message{{Level: "error", Text: "no"}}}})
	wantLines(t, "full disk", s.prompt(dir), "ambit: error: no")
	for _, later := range []time.Duration{time.Second, time.Second, 30 * time.Second} {
		s.now = s.now.Add(later)
		wantLines(t, "later", s.prompt(dir))
	}
	if s.calls() != 2 {
		t.Errorf("%d calls, want one at first and one after 30 s", s.calls())
	}
}

// Whoever mends a file that a remembered failure is about does not wait for the
// end of its back-off.
func TestFailureEndsWithAnEdit(t *testing.T) {
	s := newTerminal(t)
	dir := s.project("shop", "a")
	store := filepath.Join(s.env["HOME"], "dev.yaml")
	s.write(store, "broken")
	s.allow(dir)
	s.resolves(dir, &cache.Entry{
		Label: "shop", Watched: []cache.Watched{{Path: store, Digest: cache.Digest([]byte("broken"))}},
		Failure: &cache.Failure{Kind: "refused", RetryAt: s.now.Unix() + 300, Messages: []cache.Message{{Level: "error", Text: "no"}}},
	})
	wantLines(t, "broken", s.prompt(dir), "ambit: error: no")
	wantLines(t, "broken, again", s.prompt(dir))
	s.write(store, "mended")
	s.resolves(dir, &cache.Entry{Label: "shop", Variables: variables("A", "1")})
	wantLines(t, "mended", s.prompt(dir), "ambit: shop loaded (+1)")
	if s.calls() != 2 {
		t.Errorf("%d calls, want 2", s.calls())
	}
}

func TestResolverHangsOrFails(t *testing.T) {
	s := newTerminal(t)
	dir := s.project("shop", "a")
	s.allow(dir)
	s.write(filepath.Join(s.env["HOME"], "config.yaml"), "")
	wantLines(t, "fails", s.prompt(dir), `ambit: error: cannot resolve .envrc.yaml: exit status 1`, `ambit: hint: run "ambit reload" to see why`)
	wantLines(t, "fails, again", s.prompt(dir))
	if s.calls() != 1 || !s.armed() {
		t.Errorf("%d calls, armed %v", s.calls(), s.armed())
	}

	s = newTerminal(t)
	dir = s.project("shop", "a")
	s.allow(dir)
	must(t, os.WriteFile(filepath.Join(s.fake, "hang"), nil, 0o600))
	go func() {
		for s.calls() == 0 {
			time.Sleep(5 * time.Millisecond)
		}
		s.ctrlC <- os.Interrupt
	}()
	start := time.Now()
	status, _ := s.ask(dir)
	if status != 130 || s.answer != "" || time.Since(start) > 3*time.Second {
		t.Errorf("Ctrl-C: status %d, answer %q, after %v", status, s.answer, time.Since(start))
	}
	wantLines(t, "after Ctrl-C", s.prompt(dir), "ambit: resolving .envrc.yaml was interrupted", `ambit: hint: run "ambit reload" to try again`)
	if s.calls() != 1 || s.until() != s.now.Unix()+30 {
		t.Errorf("%d calls, until +%d", s.calls(), s.until()-s.now.Unix())
	}
}

func TestForeignState(t *testing.T) {
	s := newTerminal(t)
	dir := s.project("shop", "a")
	s.allow(dir)
	s.resolves(dir, &cache.Entry{Label: "shop", Variables: variables("A", "1")})
	s.prompt(dir)
	good := s.env[StateVar]
	for _, state := range []string{"x", "1", good[:len(good)-1], good + "A", "1" + strings.Repeat("A", 70000), "2" + good[1:], "1\xff" + good[2:]} {
		s.env[StateVar] = state
		said := s.prompt(s.env["HOME"])
		if !strings.HasPrefix(said, "ambit: warning: this shell's session cannot be read") {
			t.Errorf("said %q", said)
		}
		if _, ok := s.env[StateVar]; ok || s.env["A"] != "1" {
			t.Error("the state stayed, or a variable was touched on its word")
		}
		wantLines(t, "again", s.prompt(s.env["HOME"]))
	}
}

func TestTooMuch(t *testing.T) {
	s := newTerminal(t)
	before := s.plain()
	dir := s.project("shop", "a")
	s.allow(dir)
	var many []string
	for i := range 5 {
		many = append(many, fmt.Sprintf("BIG_%d", i), strings.Repeat("x", 60000+i))
	}
	s.resolves(dir, &cache.Entry{Label: "shop", Variables: variables(many...)})
	said := s.prompt(dir)
	if !strings.Contains(said, "300") || !strings.Contains(said, "BIG_4 with 60004 bytes") {
		t.Errorf("said %q", said)
	}
	got := s.plain()
	delete(got, StateVar)
	wantEnv(t, "too large a change", got, before)

	s.env["BIG_0"] = strings.Repeat("y", 70000)
	before = s.plain()
	delete(before, StateVar)
	s.resolves(dir, &cache.Entry{Label: "shop", Variables: variables("BIG_0", "1")})
	d, err := cache.Open(s.places().Cache, s.uid)
	must(t, err)
	must(t, d.Clear(s.now))
	said = s.prompt(dir)
	if !strings.Contains(said, "the value of BIG_0 that was there before") {
		t.Errorf("said %q", said)
	}
	got = s.plain()
	delete(got, StateVar)
	wantEnv(t, "too much to remember", got, before)
	wantLines(t, "again", s.prompt(dir))
}

func TestGoneDirectory(t *testing.T) {
	s := newTerminal(t)
	before := s.plain()
	dir := s.project("shop", "a")
	s.allow(dir)
	s.resolves(dir, &cache.Entry{Label: "shop", Variables: variables("A", "1")})
	s.prompt(dir)
	must(t, os.RemoveAll(dir))
	status, said := s.askHere()
	if status != 0 {
		t.Errorf("status %d", status)
	}
	s.apply(s.lines)
	wantLines(t, "gone", said, "ambit: shop unloaded")
	wantEnv(t, "gone", s.plain(), before)
}

// A shell compares AMBIT_STORES whether anything is loaded or not.
func TestStoresAreAlwaysCompared(t *testing.T) {
	s := newTerminal(t)
	s.env[storesVar] = "/stores"
	dir := s.project("shop", "a")
	for _, at := range []string{s.env["HOME"], dir} {
		s.prompt(at)
		if got, _, _ := strings.Cut(unquote(s.check["__ambit_usual"]), ","); got != "/stores" {
			t.Errorf("%s: compares with %q", at, got)
		}
	}
}

func TestFileGone(t *testing.T) {
	s := newTerminal(t)
	before := s.plain()
	dir := s.project("shop", "a")
	s.allow(dir)
	s.resolves(dir, &cache.Entry{Label: "shop", Variables: variables("A", "1")})
	s.prompt(dir)
	must(t, os.Remove(filepath.Join(dir, FileName)))
	wantLines(t, "file gone", s.prompt(dir), "ambit: shop unloaded")
	wantEnv(t, "file gone", s.plain(), before)
}

func TestUnusableFile(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(path string) error
		want  string
	}{
		"FIFO":      {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "is not a regular file"},
		"directory": {func(path string) error { return os.Mkdir(path, 0o700) }, "is not a regular file"},
		"sparse": {func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 4<<30))
		}, "is larger than 1 MiB"},
	} {
		s := newTerminal(t)
		dir := s.project("shop", "a")
		must(t, os.Remove(filepath.Join(dir, FileName)))
		must(t, c.spoil(filepath.Join(dir, FileName)))
		old := s.now.Add(-time.Hour)
		must(t, os.Chtimes(filepath.Join(dir, FileName), old, old))
		wantLines(t, name, s.prompt(dir), "ambit: error: .envrc.yaml cannot be used: "+c.want,
			"ambit: hint: it has to be a readable, regular file of at most 1 MiB")
		wantLines(t, name+", again", s.prompt(dir))
		if !s.armed() || s.calls() != 0 {
			t.Errorf("%s: armed %v, %d calls", name, s.armed(), s.calls())
		}
	}
}

func TestPromptSaysOneError(t *testing.T) {
	s := newTerminal(t)
	dir := s.project("shop", "a")
	s.allow(dir)
	s.resolves(dir, &cache.Entry{Label: "shop", Failure: &cache.Failure{Kind: "definition", Messages: []cache.Message{
		errorMessage("first"), hint("mend it"), errorMessage("second"), errorMessage("third"), warning("fourth"),
	}}})
	wantLines(t, "three errors", s.prompt(dir), "ambit: error: first", "ambit: hint: mend it", `ambit: there are more errors: run "ambit reload"`)
	wantLines(t, "again", s.prompt(dir))
}

// Once a failure may be tried again, a prompt leaves that to the background, and a
// typed command waits for it, but not for long.
func TestTypedCommandWaitsForARetry(t *testing.T) {
	s := newTerminal(t)
	dir := s.project("shop", "a")
	s.allow(dir)
	fail := func() {
		s.resolves(dir, &cache.Entry{Label: "shop", Failure: &cache.Failure{
			Kind: "network", RetryAt: s.now.Unix() + 30, Wait: 30, Messages: []cache.Message{{Level: "error", Text: "STS is down"}},
		}})
	}
	fail()
	wantLines(t, "down", s.prompt(dir), "ambit: error: STS is down")
	if s.check["__ambit_dead"] != "$'ask'" {
		t.Errorf("a typed command is not told to ask: %s", s.check["__ambit_dead"])
	}
	s.typed = true
	wantLines(t, "typed at once", s.prompt(dir))
	if n := s.calls(); n != 1 {
		t.Errorf("%d calls before the back-off has passed", n)
	}

	s.now = s.now.Add(31 * time.Second)
	must(t, os.WriteFile(filepath.Join(s.fake, "hang"), nil, 0o600))
	start := time.Now()
	wantLines(t, "typed, no answer", s.prompt(dir))
	if took := time.Since(start); took < moment || took > moment+5*time.Second {
		t.Errorf("waited for %s", took)
	}
	must(t, os.Remove(filepath.Join(s.fake, "hang")))

	s.resolves(dir, &cache.Entry{Label: "shop", Variables: []cache.Variable{{Name: "PLAIN", Value: secret.New("p")}}})
	s.now = s.now.Add(31 * time.Second)
	wantLines(t, "typed, up", s.prompt(dir), "ambit: shop loaded (+1)")
	if s.env["PLAIN"] != "p" || s.check["__ambit_dead"] != "$''" {
		t.Errorf("PLAIN is %q, and a typed command is told %s", s.env["PLAIN"], s.check["__ambit_dead"])
	}
}
