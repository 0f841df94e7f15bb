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
