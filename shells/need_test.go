package shells

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

var all = []Shell{Bash, Zsh, Fish}

// TestMain makes the test program a child of the shells under test: with
// AMBIT_TEST_ENVIRONMENT=FILE it writes its environment there, NUL between the
// variables, as no tool of every system does.
func TestMain(m *testing.M) {
	if file := os.Getenv("AMBIT_TEST_ENVIRONMENT"); file != "" {
		if err := os.WriteFile(file, []byte(strings.Join(os.Environ(), "\x00")), 0o600); err != nil {
			panic(err)
		}
		// Not os.Exit: with -race that sleeps for a second.
		syscall.Exit(0)
	}
	os.Exit(m.Run())
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

// interactive are the arguments that start a shell as an interactive one, without
// the user's files, on the commands of the argument that follows.
func (s Shell) interactive() []string {
	switch s {
	case Bash:
		return []string{"--norc", "--noprofile", "-i", "-c"}
	case Zsh:
		return []string{"-f", "-i", "-c"}
	}
	return []string{"--no-config", "-i", "-c"}
}
