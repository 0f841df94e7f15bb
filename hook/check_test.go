package hook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit/resolver/cache"
)

// A file that was written while the prompt waited, for five seconds perhaps, may
// have other bytes than those that were read.
func TestCheckIsNotArmedAfterAnEditMeanwhile(t *testing.T) {
	d, err := cache.Open(filepath.Join(t.TempDir(), "cache"), os.Geteuid())
	must(t, err)
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	begin := time.Now().Add(-time.Hour)
	end := begin.Add(5 * time.Second)
	path, at, err := d.Generation(begin)
	must(t, err)
	for after, armed := range map[time.Duration]bool{
		-time.Minute: true, -3 * time.Second: true, -time.Second: false, 0: false, 500 * time.Millisecond: false,
		3 * time.Second: false, 6 * time.Second: false, time.Minute: true,
	} {
		must(t, os.Chtimes(file, begin.Add(after), begin.Add(after)))
		w := watch{present: []string{file}}
		check := w.check(d, "/dir", true, 0, 0, false, nil, generation{path, at}, begin, end)
		if (check.Pwd != "") != armed {
			t.Errorf("written %v after the beginning: armed is %v", after, !armed)
		}
	}
}

// What other commands touch while a prompt is at work is news at the next one.
func TestGenerationIsThatOfTheBeginning(t *testing.T) {
	s := newTerminal(t)
	dir := s.project("shop", "a")
	s.allow(dir)
	s.resolves(dir, &cache.Entry{Label: "shop", Variables: variables("A", "1")})
	must(t, os.WriteFile(filepath.Join(s.fake, "touch"), nil, 0o600))
	s.prompt(dir)
	same := func() bool {
		file, err := os.Stat(unquote(s.check["__ambit_f1"]))
		must(t, err)
		stamp, err := os.Stat(unquote(s.check["__ambit_s1"]))
		must(t, err)
		return file.ModTime().Equal(stamp.ModTime())
	}
	if same() {
		t.Error("the shell will not see that the generation file was touched")
	}
	if s.prompt(dir); !same() {
		t.Error("the shell will ask for ever")
	}
}

func TestPathsOfTheRootAreAbsolute(t *testing.T) {
	for _, c := range []struct{ dir, spelled, path, want string }{
		{"/", "", "/.envrc.yaml", "/.envrc.yaml"},
		{"/", "", "/a/b.yaml", "/a/b.yaml"},
		{"/data/shop", "/home/u/shop", "/data/shop/a.yaml", "/home/u/shop/a.yaml"},
		{"/data/shop", "/home/u/shop", "/data/shop-evil/a.yaml", "/data/shop-evil/a.yaml"},
	} {
		w := watch{dir: c.dir, spelled: c.spelled}
		if got := w.spell(c.path); got != c.want {
			t.Errorf("%s in %s: %q, want %q", c.path, c.dir, got, c.want)
		}
	}
}

func TestTrustByVariableIsWatched(t *testing.T) {
	s := newTerminal(t)
	dir := s.project("shop", "a")
	s.prompt(dir)
	if seen := s.check["__ambit_seen"]; !strings.Contains(seen, "AMBIT_TRUST") {
		t.Errorf("blocked: compares %s", seen)
	}
	s.allow(dir)
	s.resolves(dir, &cache.Entry{Label: "shop", Variables: variables("A", "1")})
	s.prompt(dir)
	if seen := s.check["__ambit_seen"]; seen != "()" {
		t.Errorf("allowed by a person: compares %s", seen)
	}
}

// What was said in a directory is not said again below it, though the file's name
// reads otherwise there.
func TestBlockedIsSaidOnceBelow(t *testing.T) {
	s := newTerminal(t)
	dir := s.project("shop", "a")
	below := filepath.Join(dir, "a/b")
	must(t, os.MkdirAll(below, 0o700))
	if said := s.prompt(dir); !strings.Contains(said, "ambit: .envrc.yaml is not allowed here") {
		t.Errorf("said %q", said)
	}
	wantLines(t, "below", s.prompt(below))
	wantLines(t, "and back", s.prompt(dir))
	s.prompt(s.env["HOME"])
	if said := s.prompt(below); !strings.Contains(said, "ambit: ../../.envrc.yaml is not allowed here") {
		t.Errorf("entered below: said %q", said)
	}
	wantLines(t, "above", s.prompt(dir))
	// A file that others can change is told once as well.
	must(t, os.Chmod(filepath.Join(dir, FileName), 0o606))
	if said := s.prompt(dir); !strings.Contains(said, "is ignored") {
		t.Errorf("foreign: said %q", said)
	}
	wantLines(t, "foreign, below", s.prompt(below))
	if s.armed() {
		t.Error("foreign: no shell sees when the permission is taken away")
	}
	must(t, os.Chmod(filepath.Join(dir, FileName), 0o600))
	wantLines(t, "mended", s.prompt(below), "ambit: ../../.envrc.yaml is not allowed here", `ambit: hint: run "ambit allow" to see what it would load`)
}

func TestFileOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root can make a file of another user's")
	}
	s := newTerminal(t)
	dir := s.project("shop", "a")
	must(t, os.Chown(filepath.Join(dir, FileName), 12345, -1))
	if said := s.prompt(dir); !strings.Contains(said, "ambit: warning: .envrc.yaml is ignored: it can be changed by other users") {
		t.Errorf("said %q", said)
	}
	if !s.armed() || !strings.Contains(s.answer, "config.yaml") {
		t.Error("config.yaml is not watched, which may say that it is safe")
	}
}

// A link that leads nowhere is said, and costs no process while it does.
func TestDanglingLink(t *testing.T) {
	s := newTerminal(t)
	dir := s.project("shop", "a")
	file := filepath.Join(dir, FileName)
	must(t, os.Remove(file))
	must(t, os.Symlink("../config", file))
	wantLines(t, "nowhere", s.prompt(dir), "ambit: error: .envrc.yaml cannot be used: is a link that leads nowhere",
		"ambit: hint: it has to be a readable, regular file of at most 1 MiB")
	wantLines(t, "again", s.prompt(dir))
	if !s.armed() || !strings.Contains(s.check["__ambit_a1"]+s.check["__ambit_a2"], "/shop/.envrc.yaml") {
		t.Errorf("does not wait for what it leads to: %q", s.check)
	}
	s.write(filepath.Join(dir, "../config"), "a")
	wantLines(t, "somewhere", s.prompt(dir), "ambit: .envrc.yaml is not allowed here", `ambit: hint: run "ambit allow" to see what it would load`)
}

// A cache directory that others can read is not used. That every prompt then asks
// anew is said once.
func TestUnusableCacheIsSaidOnce(t *testing.T) {
	s := newTerminal(t)
	dir := s.project("shop", "a")
	s.allow(dir)
	s.resolves(dir, &cache.Entry{Label: "shop", Variables: variables("A", "1")})
	must(t, os.MkdirAll(s.places().Cache, 0o700))
	must(t, os.Chmod(s.places().Cache, 0o755))
	if said := s.prompt(dir); !strings.Contains(said, "ambit: warning: nothing is kept, and every prompt resolves anew: ") || !strings.Contains(said, "ambit: shop loaded (+1)") {
		t.Errorf("said %q", said)
	}
	wantLines(t, "again", s.prompt(dir))
}

// Nor is one in which nothing can be made any more, such as that of a disk that is
// mounted read-only.
func TestReadOnlyCacheIsSaidOnce(t *testing.T) {
	s := newTerminal(t)
	dir := s.project("shop", "a")
	s.allow(dir)
	s.resolves(dir, &cache.Entry{Label: "shop", Variables: variables("A", "1")})
	must(t, os.MkdirAll(s.places().Cache, 0o700))
	for _, room := range []string{"entries", "stamps"} { // a mode would not stop root
		must(t, os.WriteFile(filepath.Join(s.places().Cache, room), nil, 0o600))
	}
	if said := s.prompt(dir); !strings.Contains(said, "ambit: warning: nothing is kept, and every prompt resolves anew: ") || !strings.Contains(said, "ambit: shop loaded (+1)") {
		t.Errorf("said %q", said)
	}
	wantLines(t, "again", s.prompt(dir))
	must(t, os.RemoveAll(s.places().Cache))
	wantLines(t, "healed", s.prompt(dir))
}

// Where there is no place for a key and none for a cache, every prompt asks; it
// says so once all the same.
func TestNoPlaceIsSaidOnce(t *testing.T) {
	s := newTerminal(t)
	dir := s.project("shop", "a")
	s.env["HOME"] = "/proc/self" // nobody can make a directory there
	before := s.plain()
	if said := s.prompt(dir); !strings.Contains(said, "ambit: error: no session can be kept") {
		t.Errorf("said %q", said)
	}
	wantLines(t, "again", s.prompt(dir))
	wantLines(t, "again", s.prompt(dir))
	wantLines(t, "left", s.prompt("/"))
	wantEnv(t, "left", s.plain(), before)
}

// The keys are another user's (sudo -E, su), damaged or gone: the session is
// dropped, with one warning that says what that means.
func TestSessionOfOtherKeys(t *testing.T) {
	for name, spoil := range map[string]func(key string) error{
		"damaged":  func(key string) error { return os.WriteFile(key, []byte("x"), 0o600) },
		"not ours": func(key string) error { return os.Chmod(key, 0o644) },
		"gone":     os.Remove,
		"other":    func(key string) error { return os.WriteFile(key, []byte(strings.Repeat("k", 64)), 0o600) },
	} {
		s := newTerminal(t)
		dir := s.project("shop", "a")
		s.allow(dir)
		s.resolves(dir, &cache.Entry{Label: "shop", Variables: variables("A", "1")})
		s.prompt(dir)
		must(t, spoil(filepath.Join(s.places().State, "key")))
		said := s.prompt(s.env["HOME"])
		wantLines(t, name, said, "ambit: warning: this shell's session cannot be read; what it had set stays", "ambit: hint: open a new shell")
		if state, set := s.env[StateVar]; set {
			t.Errorf("%s: the state is still there: %q", name, state)
		}
		wantLines(t, name+", again", s.prompt(s.env["HOME"]))
		if !s.armed() {
			t.Errorf("%s: not armed", name)
		}
	}
}
