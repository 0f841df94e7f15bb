package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"ambit/resolver"
	"ambit/resolver/safefile"
	"ambit/resolver/store"
)

var owner = safefile.Owner{UID: os.Getuid(), GID: os.Getgid()}

// tree writes files into a new directory, whose path has no links in it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestNamed(t *testing.T) {
	dir := tree(t, map[string]string{
		"1/dev.yaml": "1 dev", "1/shop/dev.yaml": "1 shop/dev", "1/default/ops.yaml": "1 default/ops",
		"2/dev.yaml": "2 dev", "2/default/dev.yaml": "2 default/dev", "2/only.yaml": "2 only", "2/shop/two.yaml": "2 shop/two",
	})
	d := store.NewDirectories([]string{dir + "/1", dir + "/missing", dir + "/2", "relative"}, owner)
	for name, want := range map[string]struct {
		text  string
		tried []string
	}{
		"dev":         {"1 dev", nil},
		"default/dev": {"1 dev", []string{"1/default/dev.yaml"}},
		"shop/dev":    {"1 shop/dev", nil},
		"ops":         {"1 default/ops", []string{"1/ops.yaml"}},
		"only":        {"2 only", []string{"1/only.yaml", "1/default/only.yaml", "missing/only.yaml", "missing/default/only.yaml"}},
		"shop/two":    {"2 shop/two", []string{"1/shop/two.yaml", "missing/shop/two.yaml"}},
	} {
		src, tried, err := d.Named(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i := range tried {
			tried[i] = strings.TrimPrefix(tried[i], dir+"/")
		}
		if string(src.Bytes) != want.text || !reflect.DeepEqual(tried, want.tried) {
			t.Errorf("%s: got %q after %q", name, src.Bytes, tried)
		}
		if !strings.HasPrefix(src.Path, src.Store+"/") {
			t.Errorf("%s: %s does not lie in %s", name, src.Path, src.Store)
		}
	}
	for _, name := range []string{"nope", "shop/nope", "../1/dev", "shop/dev.yaml", "", "/etc/passwd", "a/b/c", ".."} {
		if _, _, err := d.Named(name); !errors.Is(err, resolver.ErrUnknownEnvironment) {
			t.Errorf("%q: got %v", name, err)
		}
	}
	want := []string{"default/dev", "default/only", "default/ops", "shop/dev", "shop/two"}
	if got := d.Names(); !reflect.DeepEqual(got, want) {
		t.Errorf("names: %q", got)
	}
}

// What is no ordinary file of ours is refused, and says why; nothing waits.
func TestReadRefuses(t *testing.T) {
	dir := tree(t, map[string]string{"s/good.yaml": "x", "s/loose.yaml": "x", "s/link/x": "", "out/other.yaml": "x"})
	s := dir + "/s"
	sparse, err := os.Create(s + "/sparse.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sparse.Truncate(4<<30), sparse.Close(), os.Chmod(s+"/loose.yaml", 0o606),
		syscall.Mkfifo(s+"/fifo.yaml", 0o600), os.Mkdir(s+"/dir.yaml", 0o700),
		os.Symlink("/dev/zero", s+"/zero.yaml"), os.Symlink("loop.yaml", s+"/loop.yaml"),
		os.Symlink("../out/other.yaml", s+"/outside.yaml"), os.Symlink("good.yaml", s+"/inside.yaml")); err != nil {
		t.Fatal(err)
	}
	d := store.NewDirectories([]string{s}, owner)
	for name, want := range map[string]error{
		"fifo": safefile.ErrNotRegular, "dir": safefile.ErrNotRegular, "sparse": safefile.ErrTooLarge,
		"loose": safefile.ErrForeign, "zero": resolver.ErrLeavesStore, "outside": resolver.ErrLeavesStore,
		"missing": fs.ErrNotExist, "good": nil, "inside": nil,
	} {
		if _, err := d.Read(s+"/"+name+".yaml", s); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	if _, err := d.Read(s+"/loop.yaml", s); err == nil {
		t.Error("a link to itself was read")
	}
	if _, err := d.Read(s+"/zero.yaml", ""); !errors.Is(err, safefile.ErrNotRegular) {
		t.Errorf("a device: got %v", err)
	}
}

func TestReadUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("skipped a file without permissions: root can read it")
	}
	dir := tree(t, map[string]string{"x.yaml": ""})
	if err := os.Chmod(dir+"/x.yaml", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := store.NewDirectories(nil, owner).Read(dir+"/x.yaml", ""); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

// A path is read once: what changes meanwhile is not seen.
func TestReadOnce(t *testing.T) {
	dir := tree(t, map[string]string{"a.yaml": "before"})
	d := store.NewDirectories(nil, owner)
	for range 2 {
		src, err := d.Read(dir+"/a.yaml", "")
		if err != nil || string(src.Bytes) != "before" {
			t.Fatalf("got %q, %v", src.Bytes, err)
		}
		if err := os.WriteFile(dir+"/a.yaml", []byte("after"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A directory has one identity, however it is reached, and its file may be a
// link; other files are where their links lead.
func TestCanonical(t *testing.T) {
	dir := tree(t, map[string]string{"real/x.yaml": "", "real/shared": "", "project/f": ""})
	if err := errors.Join(os.Symlink("real", dir+"/alias"), os.Symlink("../real/shared", dir+"/project/.envrc.yaml"),
		os.Symlink("real/x.yaml", dir+"/y.yaml")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"alias/x.yaml": "real/x.yaml", "y.yaml": "real/x.yaml", "project/.envrc.yaml": "project/.envrc.yaml",
	} {
		if got, err := store.Canonical(filepath.Join(dir, path)); err != nil || got != filepath.Join(dir, want) {
			t.Errorf("%s: got %s, %v", path, got, err)
		}
	}
	if _, err := store.Canonical(dir + "/alias/.envrc.yaml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: got %v", err)
	}
}

// Of a repository only what was allowed is read, by what it is, not by what it
// is called; the disk no longer counts.
func TestPinned(t *testing.T) {
	dir := tree(t, map[string]string{"p/.envrc.yaml": "changed", "p/other.yaml": "new", "s/dev.yaml": "store"})
	if err := os.Symlink("other.yaml", dir+"/p/link.yaml"); err != nil {
		t.Fatal(err)
	}
	p := store.NewPinned(store.NewDirectories([]string{dir + "/s"}, owner), map[string][]byte{
		dir + "/p/.envrc.yaml": []byte("allowed"), dir + "/p/.env": nil, dir + "/p/gone.yaml": []byte("gone"), dir + "/p/empty.yaml": {},
	})
	for path, want := range map[string]string{".envrc.yaml": "allowed", "gone.yaml": "gone", "empty.yaml": ""} {
		if src, err := p.Read(dir+"/p/"+path, ""); err != nil || string(src.Bytes) != want {
			t.Errorf("%s: got %q, %v", path, src.Bytes, err)
		}
	}
	for path, want := range map[string]error{
		"other.yaml": store.ErrNotPinned, "link.yaml": store.ErrNotPinned, "../s/dev.yaml": store.ErrNotPinned,
		".env": fs.ErrNotExist, "nothing.yaml": fs.ErrNotExist,
	} {
		if _, err := p.Read(filepath.Join(dir, "p", path), ""); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
	}
	if src, _, err := p.Named("dev"); err != nil || string(src.Bytes) != "store" || src.Store != dir+"/s" {
		t.Errorf("dev: got %+v, %v", src, err)
	}
	if err := os.WriteFile(dir+"/p/.env", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(dir+"/p/.env", ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that appeared: got %v", err)
	}
}

// What cannot be read is said with what to do about it, of what was asked for and of
// what is imported.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		make          func(path string) error
		summary, hint string
	}{
		"open to others": {
			func(path string) error {
				return errors.Join(os.WriteFile(path, []byte("values: {}"), 0o600), os.Chmod(path, 0o666))
			},
			"can be changed by other users", "chmod go-w it and its directory",
		},
		"too large":        {func(path string) error { return os.WriteFile(path, make([]byte, 1<<20+1), 0o600) }, "cannot be read: is larger than 1 MiB", "make several files of it, and import them"},
		"a circle":         {func(path string) error { return os.Symlink(filepath.Base(path), path) }, "cannot be read: too many levels of symbolic links", ""},
		"a pipe":           {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "cannot be read: is not a regular file", ""},
		"a directory":      {func(path string) error { return os.Mkdir(path, 0o700) }, "cannot be read: is not a regular file", ""},
		"out of the store": {func(path string) error { return os.Symlink("/etc/passwd", path) }, "leaves the store", "it is a link: keep the file itself in the store"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, map[string]string{"shop/importer.yaml": "imports: [shop/bad]"})
			if err := c.make(filepath.Join(dir, "shop/bad.yaml")); err != nil {
				t.Fatal(err)
			}
			for root, what := range map[string]string{"shop/bad": "environment", "shop/importer": "import"} {
				d := store.NewDirectories([]string{dir}, owner)
				_, diags := resolver.Load(t.Context(), d, resolver.Root{Name: root}, resolver.LoadOptions{})
				want := "the " + what + ` "shop/bad" ` + c.summary
				if len(diags) != 1 || diags[0].Summary != want || diags[0].Hint != c.hint {
					t.Errorf("%s: %+v, want %s, hint %q", root, diags, want, c.hint)
				}
				if what == "import" && diags[0].Pos.Line != 1 {
					t.Errorf("%s: no place: %+v", root, diags)
				}
			}
		})
	}
}
