package hook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit/resolver/cache"
	"ambit/resolver/secret"
)

func TestFiles(t *testing.T) {
	s := newTerminal(t)
	before := s.plain()
	dir := s.project("shop", "a")
	s.allow(dir)
	entry := func(content string) *cache.Entry {
		return &cache.Entry{
			Label: "shop", ExpiresAt: s.now.Unix() + 3600, RefreshAt: s.now.Unix() + 3000,
			Files: []cache.FileVariable{
				{Name: "KUBECONFIG", Content: secret.New(content)},
				{Name: "SHORT", Content: secret.New("s"), ExpiresAt: s.now.Unix() + 3600},
			},
		}
	}
	s.resolves(dir, entry("one\x00\xff"))
	wantLines(t, "entered", s.prompt(dir), "ambit: shop loaded (+2)")
	path := s.env["KUBECONFIG"]
	read := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	set := filepath.Dir(path)
	info, err := os.Stat(path)
	must(t, err)
	private, err := os.Stat(set)
	must(t, err)
	if read(path) != "one\x00\xff" || info.Mode().Perm() != 0o600 || private.Mode().Perm() != 0o700 || within(dir, path) {
		t.Errorf("%s: %q, %v in %v", path, read(path), info.Mode(), private.Mode())
	}
	if !s.armed() {
		t.Error("not armed, though the files are as they should be")
	}
	wantLines(t, "again", s.prompt(dir))
	if len(s.lines) != 0 || s.env["KUBECONFIG"] != path {
		t.Errorf("changed without a change: %q", s.lines)
	}

	// What somebody else did to a file is mended; a shell watches it.
	if !strings.Contains(s.answer, path) {
		t.Error("the file is not watched")
	}
	must(t, os.WriteFile(path, []byte("harmed"), 0o600))
	s.prompt(dir)
	must(t, os.Remove(path))
	s.prompt(dir)
	if read(path) != "one\x00\xff" {
		t.Errorf("not mended: %q", read(path))
	}

	// A terminal that inherited the session has files of its own.
	other := *s
	other.env, other.sid = s.plain(), os.Getppid()
	other.prompt(dir)
	theirs := other.env["KUBECONFIG"]
	if filepath.Dir(theirs) == set || read(theirs) != "one\x00\xff" {
		t.Errorf("the other terminal has %s: %q", theirs, read(theirs))
	}
	other.prompt(s.env["HOME"])
	if _, err := os.Stat(filepath.Dir(theirs)); err == nil || read(path) != "one\x00\xff" {
		t.Error("leaving in one terminal did not remove its files, or removed another's")
	}

	// What has expired is removed, and its variable unset.
	s.now = s.now.Add(2 * time.Hour)
	late := entry("two").Failed(&cache.Failure{Kind: "network", RetryAt: s.now.Unix() + 30})
	late.ExpiresAt, late.RefreshAt = s.now.Unix()-1, s.now.Unix()-9
	late.Files[1].ExpiresAt = s.now.Unix() - 1
	s.resolves(dir, late)
	s.prompt(dir)
	if _, ok := s.env["SHORT"]; ok || read(path) != "two" || !strings.Contains(read(filepath.Join(set, "SHORT")), "no such file") {
		t.Errorf("expired: %v, %q", s.plain(), read(path))
	}
	s.prompt(s.env["HOME"])
	if _, err := os.Stat(set); err == nil {
		t.Error("the files stayed")
	}
	wantEnv(t, "left", s.plain(), before)
}

func TestFilesThatCannotBeWritten(t *testing.T) {
	s := newTerminal(t)
	before := s.plain()
	dir := s.project("shop", "a")
	s.allow(dir)
	s.resolves(dir, &cache.Entry{Label: "shop", Variables: variables("A", "1"), Files: []cache.FileVariable{{Name: "F", Content: secret.New("f")}}})
	places := s.places()
	must(t, os.MkdirAll(places.Cache, 0o700))
	must(t, os.WriteFile(filepath.Join(places.Cache, "files"), nil, 0o600)) // in the way, for root too
	said := s.prompt(dir)
	if !strings.HasPrefix(said, "ambit: error: shop cannot be loaded: ") || strings.Count(said, "\n") != 2 {
		t.Errorf("said %q", said)
	}
	got := s.plain()
	delete(got, StateVar)
	wantEnv(t, "refused", got, before)
	wantLines(t, "again", s.prompt(dir))
}

func TestFilesOfTheDeadAreSwept(t *testing.T) {
	s := newTerminal(t)
	d, err := cache.Open(s.places().Cache, s.uid)
	must(t, err)
	put := func(pid int) string {
		paths, err := d.PutFiles(cache.NewFileSet(pid), []cache.FileVariable{{Name: "F", Content: secret.New("f")}}, s.now)
		must(t, err)
		return paths[0]
	}
	alive, dead := put(os.Getpid()), put(1<<22+1) // beyond the largest process number
	d.Sweep(s.now)
	if _, err := os.Stat(alive); err != nil {
		t.Error("a living terminal's files were swept")
	}
	if _, err := os.Stat(dead); err == nil {
		t.Error("a dead terminal's files stayed")
	}
	for _, bad := range []string{"", "1", "1-../../x", "../1-0000000000000000", "-1-0000000000000000"} {
		if _, err := d.PutFiles(bad, nil, s.now); err == nil {
			t.Errorf("%q: taken for a set", bad)
		}
	}
}
