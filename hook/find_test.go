package hook

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ambit/resolver/safefile"

	"github.com/adrg/xdg"
)

// The directories are those that every other program finds by adrg/xdg.
func TestPlacesAreXDG(t *testing.T) {
	home, runtime := t.TempDir(), t.TempDir()
	must(t, os.Chmod(runtime, 0o700))
	for name, vars := range map[string]Environ{
		"defaults": {},
		"set":      {"XDG_CONFIG_HOME": "/x/config", "XDG_STATE_HOME": "/x/state/", "XDG_CACHE_HOME": "/x/../cache"},
		"relative": {"XDG_CONFIG_HOME": "config", "XDG_STATE_HOME": "./state", "XDG_CACHE_HOME": "."},
		"empty":    {"XDG_CONFIG_HOME": "", "XDG_STATE_HOME": "", "XDG_CACHE_HOME": ""},
		"runtime":  {"XDG_RUNTIME_DIR": runtime},
	} {
		env := Environ{"HOME": home}
		for _, n := range []string{"XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"} {
			t.Setenv(n, "")
			os.Unsetenv(n)
			if v, ok := vars[n]; ok {
				env[n] = v
				t.Setenv(n, v)
			}
		}
		t.Setenv("HOME", home)
		xdg.Reload()
		want := Places{
			Home: home, Config: filepath.Join(xdg.ConfigHome, "ambit"), State: filepath.Join(xdg.StateHome, "ambit"),
			Cache: filepath.Join(xdg.CacheHome, "ambit"),
		}
		if name == "runtime" {
			want.Cache = filepath.Join(xdg.RuntimeDir, "ambit")
		}
		if got := NewPlaces(env, os.Geteuid()); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	must(t, os.Chmod(runtime, 0o755))
	if got := NewPlaces(Environ{"HOME": home, "XDG_RUNTIME_DIR": runtime}, os.Geteuid()); got.Cache != filepath.Join(home, ".cache/ambit") {
		t.Errorf("a runtime directory open to others was used: %q", got.Cache)
	}
	if got := NewPlaces(Environ{"HOME": home, "XDG_RUNTIME_DIR": runtime}, os.Geteuid()+1); got.Cache != filepath.Join(home, ".cache/ambit") {
		t.Errorf("another user's runtime directory was used: %q", got.Cache)
	}
	if got := NewPlaces(Environ{"HOME": "relative"}, os.Geteuid()); got != (Places{}) {
		t.Errorf("a relative HOME was used: %+v", got)
	}
	if got := NewPlaces(Environ{}, 0); os.Geteuid() == 0 && got.Home == "" {
		t.Error("without HOME the user database was not asked")
	}
}

func TestShort(t *testing.T) {
	p := Places{Home: "/home/me"}
	for _, c := range []struct{ path, dir, want string }{
		{"/home/me/p/.envrc.yaml", "/home/me/p", ".envrc.yaml"},
		{"/home/me/p/.envrc.yaml", "/home/me/p/sub", "../.envrc.yaml"},
		{"/home/me/p/.envrc.yaml", "/home/me/p/a/b/c", "~/p/.envrc.yaml"},
		{"/home/me/.config/x", "/srv", "~/.config/x"},
		{"/home/mean/x", "/srv/y/z", "/home/mean/x"},
		{"/home/me", "/srv", "~"},
		{"/etc/x", "", "/etc/x"},
	} {
		if got := p.Short(c.path, c.dir); got != c.want {
			t.Errorf("Short(%q, %q) = %q, want %q", c.path, c.dir, got, c.want)
		}
	}
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	me := safefile.Owner{UID: os.Geteuid(), GID: os.Getegid()}
	at := func(elem ...string) string { return filepath.Join(append([]string{root}, elem...)...) }
	file := func(dir string) string { return filepath.Join(dir, FileName) }
	deep := at("home", "p", "a", "b")
	must(t, os.MkdirAll(deep, 0o755))
	must(t, os.MkdirAll(at("home-evil"), 0o755))
	search := Search{Home: at("home"), Owner: me}

	find := func(s Search, dir, want string) Found {
		t.Helper()
		got := s.Find(dir)
		if got.File != want {
			t.Errorf("found %q, want %q", got.File, want)
		}
		return got
	}
	got := find(search, deep, "")
	want := []string{file(deep), file(at("home", "p", "a")), file(at("home", "p")), file(at("home"))}
	if !slices.Equal(got.Absent, want) {
		t.Errorf("looked for %q, want %q: home ends the walk", got.Absent, want)
	}

	must(t, os.WriteFile(file(root), nil, 0o644))
	find(search, deep, "")                    // above home, begun below it
	find(search, at("home-evil"), file(root)) // not below home, whatever its name begins with
	must(t, os.WriteFile(file(at("home")), nil, 0o644))
	find(search, deep, file(at("home")))
	must(t, os.WriteFile(file(at("home", "p")), nil, 0o644))
	got = find(search, deep, file(at("home", "p")))
	if len(got.Absent) != 2 || got.Dir != at("home", "p") {
		t.Errorf("got %+v", got)
	}
	for _, ceiling := range []string{at("home", "p", "a"), deep} {
		s := search
		s.Ceilings = []string{ceiling}
		find(s, deep, "")
		find(s, at("home", "p"), file(at("home", "p")))
	}
	if c := CeilingsOf(Environ{"AMBIT_CEILING_DIRECTORIES": "/a/:relative::/b"}); !slices.Equal(c, []string{"/a", "/b"}) {
		t.Errorf("ceilings %q", c)
	}

	// By a link the path is spelled as the shell spells it; the identity is not.
	link := at("link")
	must(t, os.Symlink(at("home", "p"), link))
	got = find(search, filepath.Join(link, "a"), file(link))
	if got.Dir != at("home", "p") {
		t.Errorf("identity %q", got.Dir)
	}
	// A dangling link counts: its error is to be seen.
	must(t, os.Symlink("/nowhere", file(deep)))
	find(search, deep, file(deep))
}

func TestForeignFilesAreAbsent(t *testing.T) {
	root := t.TempDir()
	outer, inner := filepath.Join(root, FileName), filepath.Join(root, "in", FileName)
	must(t, os.Mkdir(filepath.Dir(inner), 0o755))
	must(t, errors.Join(os.WriteFile(outer, nil, 0o644), os.WriteFile(inner, nil, 0o644)))
	me := safefile.Owner{UID: os.Geteuid(), GID: os.Getegid()}
	find := func(owner safefile.Owner, safe ...string) Found {
		return Search{Home: "/nowhere", Owner: owner, Safe: safe}.Find(filepath.Dir(inner))
	}
	check := func(what string, got Found, want string) {
		t.Helper()
		if got.File != want {
			t.Errorf("%s: found %q, want %q", what, got.File, want)
		}
		if want == outer && (len(got.Foreign) != 1 || !errors.Is(got.Foreign[0].Err, safefile.ErrForeign)) {
			t.Errorf("%s: foreign %v", what, got.Foreign)
		}
	}
	check("ours", find(me), inner)
	for _, path := range []string{inner, filepath.Dir(inner)} {
		info, err := os.Stat(path)
		must(t, err)
		must(t, os.Chmod(path, info.Mode()|0o002))
		check("writable by all: "+path, find(me), outer)
		check("but safe: "+path, find(me, root), inner)
		must(t, os.Chmod(path, info.Mode()|0o020))
		check("writable by our group: "+path, find(me), inner)
		check("writable by another group: "+path, find(safefile.Owner{UID: me.UID, GID: me.GID + 1}), outer)
		must(t, os.Chmod(path, info.Mode()))
	}
	must(t, os.Chmod(filepath.Dir(inner), 0o1777|os.ModeSticky))
	check("sticky directory", find(me), inner)
	if os.Geteuid() == 0 {
		must(t, os.Chown(inner, 12345, 0))
		check("another user's", find(me), outer)
		check("that user's own", find(safefile.Owner{UID: 12345}), inner) // the directory is root's
	}
}

func FuzzWithin(f *testing.F) {
	f.Add("/w", "/w-evil")
	f.Add("/", "/a")
	f.Fuzz(func(t *testing.T, dir, path string) {
		dir, path = filepath.Clean("/"+dir), filepath.Clean("/"+path)
		rel, err := filepath.Rel(dir, path)
		want := err == nil && rel != ".." && !(len(rel) > 2 && rel[:3] == "../")
		if got := within(dir, path); got != want {
			t.Errorf("within(%q, %q) = %v, want %v", dir, path, got, want)
		}
	})
}
