package safefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	if err := Replace(path, nil, []byte("one"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, nil, []byte("other"), 0o640); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made again: %v", err)
	}
	link := filepath.Join(dir, "link.yaml")
	if err := os.Symlink("a.yaml", link); err != nil {
		t.Fatal(err)
	}
	if err := Replace(link, []byte("one"), []byte("two"), 0); err != nil {
		t.Fatal(err)
	}
	if err := Replace(link, []byte("one"), []byte("three"), 0); !errors.Is(err, ErrChanged) {
		t.Errorf("changed meanwhile: %v", err)
	}
	if err := os.Chmod(path, 0o440); err != nil {
		t.Fatal(err)
	}
	if err := Replace(link, []byte("two"), []byte("three"), 0); !errors.Is(err, ErrReadOnly) {
		t.Errorf("read-only: %v", err)
	}
	if err := Replace(filepath.Join(dir, "gone.yaml"), []byte("x"), []byte("y"), 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("gone: %v", err)
	}
	b, err := os.ReadFile(path)
	info, serr := os.Lstat(path)
	if err != nil || serr != nil || string(b) != "two" || info.Mode().Perm() != 0o440 {
		t.Errorf("%q %v %v %v", b, info, err, serr)
	}
	if target, err := os.Readlink(link); err != nil || target != "a.yaml" {
		t.Errorf("the link: %q %v", target, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// An error reads the same at every attempt.
func TestErrorsNameTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gone", "file")
	const want = ": no such file or directory"
	if err := WritePrivate(path, nil); err == nil || err.Error() != "write "+path+want {
		t.Errorf("%v", err)
	}
	if err := Replace(path, nil, nil, 0o600); err == nil || err.Error() != "write "+path+want {
		t.Errorf("%v", err)
	}
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WritePrivate(path, nil); err == nil || strings.Contains(err.Error(), ".new-") {
		t.Errorf("%v", err)
	}
}

func TestReadSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("k"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[fs.FileMode]error{0o600: nil, 0o400: nil, 0o640: ErrOpenMode, 0o604: ErrOpenMode} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSecret(path, os.Getuid()); !errors.Is(err, want) {
			t.Errorf("%o: %v", mode, err)
		}
	}
	if _, err := ReadSecret(path, os.Getuid()+1); !errors.Is(err, ErrNotOwn) {
		t.Errorf("of somebody else: %v", err)
	}
}
