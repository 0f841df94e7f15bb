package main_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// built is the directory with the programs under test, ambit and ambit-hook.
var built string

// TestMain builds both programs once. The test program is also what shells under
// test start: called dumpenv, it writes the variables it was given to the file that
// its argument names, with NUL between them; called ambit-hook, it is a cutter.
func TestMain(m *testing.M) {
	var err error
	switch filepath.Base(os.Args[0]) {
	case "dumpenv":
		err = dumpenv(os.Args[1:])
	case "ambit-hook":
		err = cutter()
	default:
		os.Exit(buildAndRun(m))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test program:", err)
		os.Exit(1)
	}
}

func dumpenv(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one file, got %q", args)
	}
	temp := fmt.Sprint(args[0], ".", os.Getpid())
	if err := os.WriteFile(temp, []byte(strings.Join(os.Environ(), "\x00")), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, args[0])
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ambit-stories-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built = dir
	// Another user has to reach them, in the stories that are not root's.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	build := exec.Command("go", "build", "-o", dir+"/", "ambit/cmd/ambit", "ambit/cmd/ambit-hook")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %v\n%s", build, err, out)
		return 1
	}
	if err := copySelf(filepath.Join(dir, "dumpenv")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// The stories wait most of the time, and not for the processor.
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// copySelf copies the test program, which lies where no other user gets.
func copySelf(path string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o755)
}

// need returns the path of a program, and skips the test without it, or fails it
// if AMBIT_TEST_REQUIRE=all.
func need(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, program+" is not installed")
	}
	return path
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("AMBIT_TEST_REQUIRE") == "all" {
		t.Fatal(what)
	}
	t.Skip("skipped: " + what)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// filesBelow lists the regular files below a directory that contain text.
func filesBelow(t testing.TB, dir, text string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(b), text) {
			found = append(found, path)
		}
		return err
	})
	must(t, err)
	slices.Sort(found)
	return found
}
