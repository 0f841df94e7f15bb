package hook

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"ambit/resolver/cache"
)

func TestTrustCoversEveryByte(t *testing.T) {
	s := newTerminal(t)
	dir := s.project("shop", "root")
	base, sub := filepath.Join(dir, "base.yaml"), filepath.Join(dir, "sub")
	must(t, os.Mkdir(sub, 0o700))
	s.write(base, "base")
	s.write(filepath.Join(sub, "real.yaml"), "real")
	link := filepath.Join(dir, "link.yaml")
	must(t, os.Symlink("sub/real.yaml", link))
	optional := filepath.Join(dir, "optional.yaml")
	allow := func() *Record {
		s.allow(dir,
			Link{Path: base, Digest: cache.Digest([]byte("base"))},
			Link{Path: filepath.Join(sub, "real.yaml"), Via: link, Digest: cache.Digest([]byte("real"))},
			Link{Path: optional, Absent: true})
		return s.trust().Record(dir)
	}
	record := allow()
	verdict, contents := record.Check()
	if verdict != Allowed || len(contents) != 4 || string(contents[1].Bytes) != "base" {
		t.Fatalf("got %v, %v", verdict, contents)
	}
	for name, harm := range map[string]func() error{
		"a byte of the file":      func() error { return os.WriteFile(filepath.Join(dir, FileName), []byte("rooT"), 0o600) },
		"a byte of an import":     func() error { return os.WriteFile(base, []byte("Base"), 0o600) },
		"an import by a link":     func() error { return os.WriteFile(filepath.Join(sub, "real.yaml"), []byte("reaL"), 0o600) },
		"a link turned elsewhere": func() error { return errors.Join(os.Remove(link), os.Symlink("base.yaml", link)) },
		"an optional file came":   func() error { return os.WriteFile(optional, nil, 0o600) },
		"an import is gone":       func() error { return os.Remove(base) },
		"an import is a FIFO":     func() error { return errors.Join(os.Remove(base), syscall.Mkfifo(base, 0o600)) },
		"an import is sparse":     func() error { return os.Truncate(base, 4<<30) },
		"an import is a device":   func() error { return errors.Join(os.Remove(base), os.Symlink("/dev/zero", base)) },
		"an import is a loop":     func() error { return errors.Join(os.Remove(base), os.Symlink(base, base)) },
	} {
		must(t, harm())
		if verdict, contents := record.Check(); verdict != Changed || contents != nil {
			t.Errorf("%s: %v", name, verdict)
		}
		_ = os.Remove(base)
		_ = os.Remove(link)
		_ = os.Remove(optional)
		must(t, os.Symlink("sub/real.yaml", link))
		s.write(base, "base")
		s.write(filepath.Join(sub, "real.yaml"), "real")
		s.write(filepath.Join(dir, FileName), "root")
		if verdict, _ := record.Check(); verdict != Allowed {
			t.Fatalf("%s: not as before: %v", name, verdict)
		}
	}
}

func TestForgedRecords(t *testing.T) {
	s := newTerminal(t)
	dir, other := s.project("shop", "a"), s.project("shop-evil", "a")
	s.allow(dir)
	path := s.trust().path(dir)
	good, err := os.ReadFile(path)
	must(t, err)
	if s.trust().Record(other) != nil {
		t.Error("another directory's record was taken")
	}
	must(t, os.WriteFile(s.trust().path(other), good, 0o600))
	if s.trust().Record(other) != nil {
		t.Error("a copied record was taken")
	}
	for name, harm := range map[string]func() error{
		"readable by others": func() error { return os.Chmod(path, 0o644) },
		"a second link":      func() error { return os.Link(path, path+"x") },
		"a symbolic link":    func() error { return errors.Join(os.Rename(path, path+"y"), os.Symlink(path+"y", path)) },
		"cut":                func() error { return os.Truncate(path, int64(len(good)-1)) },
		"open directory":     func() error { return os.Chmod(filepath.Dir(path), 0o777) },
	} {
		must(t, harm())
		if s.trust().Record(dir) != nil {
			t.Errorf("%s: taken", name)
		}
		must(t, os.Chmod(filepath.Dir(path), 0o700))
		_, _, _ = os.Remove(path+"x"), os.Remove(path+"y"), os.Remove(path)
		must(t, os.WriteFile(path, good, 0o600))
		must(t, os.Chmod(path, 0o600))
		if s.trust().Record(dir) == nil {
			t.Fatalf("%s: not as before", name)
		}
	}
	if os.Geteuid() == 0 {
		must(t, os.Chown(path, 12345, -1))
		if s.trust().Record(dir) != nil {
			t.Error("another user's record was taken")
		}
		must(t, os.Chown(path, 0, -1))
	}
	list, err := s.trust().List()
	if err != nil || len(list) != 1 || list[0].Dir != dir {
		t.Errorf("listed %v, %v", list, err)
	}
	must(t, s.trust().Remove(dir))
	must(t, s.trust().Remove(dir))
	if v, _ := s.trust().Record(dir).Check(); v != Unknown {
		t.Errorf("after removing: %v", v)
	}
}

// A trusted directory is asked about once: the resolver writes the record.
func TestTrustedDirectories(t *testing.T) {
	s := newTerminal(t)
	dir := s.project("w/shop", "a")
	evil := s.project("w-evil", "a")
	s.env["CI"] = "true"
	wantLines(t, "CI trusts nothing", s.prompt(dir),
		"ambit: .envrc.yaml is not allowed here", `ambit: hint: run "ambit allow" to see what it would load`)
	s.env["AMBIT_TRUST"] = "relative:" + filepath.Dir(dir)
	s.prompt(evil)
	if s.calls() != 0 {
		t.Errorf("the resolver was asked about %q", evil)
	}
	s.prompt(dir)
	if s.calls() != 1 {
		t.Errorf("%d calls about a trusted directory", s.calls())
	}
	s.allow(dir)
	record := s.trust().Record(dir)
	record.Auto = true
	must(t, s.trust().Put(record))
	s.resolves(dir, &cache.Entry{Label: "shop", Variables: variables("A", "1")})
	wantLines(t, "trusted", s.prompt(dir), "ambit: shop loaded (+1)")
	delete(s.env, "AMBIT_TRUST")
	wantLines(t, "trusted no more", s.prompt(dir), "ambit: shop unloaded",
		"ambit: .envrc.yaml is not allowed here", `ambit: hint: run "ambit allow" to see what it would load`)
}

func TestSettings(t *testing.T) {
	s := newTerminal(t)
	places := s.places()
	d, err := cache.Open(places.Cache, s.uid)
	must(t, err)
	if got, stale := LoadSettings(d, places, s.uid); stale || got.Timeout != 0 {
		t.Errorf("without a file: %+v, stale %v", got, stale)
	}
	must(t, os.MkdirAll(places.Config, 0o700))
	s.write(places.ConfigFile(), "hook: {}\n")
	if _, stale := LoadSettings(d, places, s.uid); !stale {
		t.Error("a new file is not stale")
	}
	info, err := os.Stat(places.ConfigFile())
	must(t, err)
	want := Settings{Trusted: []string{"/w"}, Timeout: 7, Quiet: true, OneFilesystem: true, SameContent: true, Failure: []cache.Message{{Text: "x"}}}
	must(t, SaveSettings(d, places.ConfigFile(), info, want))
	got, stale := LoadSettings(d, places, s.uid)
	if stale || got.Timeout != 7 || !got.Quiet || len(got.Trusted) != 1 || len(got.Failure) != 1 {
		t.Errorf("got %+v, stale %v", got, stale)
	}
	s.write(places.ConfigFile(), "hook: { }\n")
	if got, stale := LoadSettings(d, places, s.uid); !stale || got.Timeout != 7 {
		t.Errorf("edited: got %+v, stale %v", got, stale)
	}
}
