package main_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ambit/resolver/oidc/oidctest"
)

// built is the directory with the programs under test, ambit and ambit-hook.
var built string

// TestMain builds the programs once, and the child that shells under test start.
func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ambit-stories-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built = dir
	if signal.Ignored(syscall.SIGHUP) {
		// nohup is not for the shells of the stories: what is caught here, and not
		// ignored, is the default to them.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	// Another user has to reach them, in the stories that are not root's.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, args := range [][]string{
		{"-o", dir + "/", "ambit/cmd/ambit", "ambit/cmd/ambit-hook"},
		{"-o", filepath.Join(dir, "dumpenv"), "./testdata/child"},
	} {
		build := exec.Command("go", append([]string{"build"}, args...)...)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v: %v\n%s", build, err, out)
			return 1
		}
	}
	// The stories wait most of the time, and not for the processor.
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer oidctest.Remove()
	return m.Run()
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
