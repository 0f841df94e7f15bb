package safefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, content string) string {
		if err := os.WriteFile(at(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return at(name)
	}
	full := strings.Repeat("x", MaxSize)
	good := write("good", full)
	for name, err := range map[string]error{
		"fifo":  syscall.Mkfifo(at("fifo"), 0o600),
		"large": os.Truncate(write("large", full+"x"), 4<<30),
		"link":  os.Symlink(good, at("link")),
		"loop":  os.Symlink("loop", at("loop")),
		"zero":  os.Symlink("/dev/zero", at("zero")),
	} {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for _, c := range []struct {
		name string
		want error
	}{
		{"good", nil}, {"link", nil}, {"fifo", ErrNotRegular}, {".", ErrNotRegular}, {"zero", ErrNotRegular},
		{"large", ErrTooLarge}, {"missing", fs.ErrNotExist}, {"loop", syscall.ELOOP},
	} {
		b, err := Read(at(c.name))
		if !errors.Is(err, c.want) || (c.want == nil && string(b) != full) {
			t.Errorf("%s: %d bytes, %v; want %v", c.name, len(b), err, c.want)
		}
	}
	// /proc makes sizes up: what is read counts.
	if b, err := Read("/proc/self/status"); err == nil && len(b) == 0 {
		t.Error("a file without a size was read as empty")
	}
}

func TestOwner(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	us := Owner{UID: os.Geteuid(), GID: os.Getegid()}
	for _, c := range []struct {
		file, dir fs.FileMode
		foreign   bool
	}{
		{0o600, 0o700, false}, {0o660, 0o770, false}, {0o644, 0o777 | fs.ModeSticky, false},
		{0o602, 0o700, true}, {0o602 | fs.ModeSticky, 0o700, true}, {0o600, 0o702, true},
	} {
		if err := errors.Join(os.Chmod(path, c.file), os.Chmod(dir, c.dir)); err != nil {
			t.Fatal(err)
		}
		err := us.Check(path)
		if errors.Is(err, ErrForeign) != c.foreign || !c.foreign && err != nil {
			t.Errorf("%v in %v: %v", c.file, c.dir, err)
		}
		if err != nil && strings.Contains(err.Error(), path) {
			t.Errorf("the path, which callers name, is in %v", err)
		}
	}
}
