package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

func testAmbit(t *testing.T, args ...string) (out, errs string, status int) {
	t.Helper()
	home := t.TempDir()
	var stdout, stderr bytes.Buffer
	status = run(process{
		args: args, name: "ambit", env: []string{"HOME=" + home, "PATH=/bin"}, dir: home,
		now: time.Now, stdout: &stdout, stderr: &stderr, interrupt: listen,
	})
	return stdout.String(), stderr.String(), status
}

// every visits all commands.
func every(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, sub := range cmd.Commands() {
		every(sub, visit)
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	n := 0
	every(rootCommand(&ambit{}), func(cmd *cobra.Command) {
		n++
		path := cmd.CommandPath()
		switch {
		case cmd.Short == "" || cmd.Long == "" || cmd.Example == "":
			t.Errorf("%s: Short %q, Long of %d bytes, Example %q", path, cmd.Short, len(cmd.Long), cmd.Example)
		case strings.HasSuffix(cmd.Short, ".") || cmd.Short[0] >= 'A' && cmd.Short[0] <= 'Z':
			t.Errorf("%s: Short is not in ambit's voice: %q", path, cmd.Short)
		case !strings.Contains(cmd.Example, "ambit "):
			t.Errorf("%s: the example does not use ambit: %q", path, cmd.Example)
		}
		if cmd.Run == nil && cmd.RunE == nil {
			t.Errorf("%s does nothing", path)
		}
	})
	if n < 15 {
		t.Errorf("only %d commands", n)
	}
}

func TestHelpShowsTheExample(t *testing.T) {
	every(rootCommand(&ambit{}), func(cmd *cobra.Command) {
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		out, errs, status := testAmbit(t, args...)
		first, _, _ := strings.Cut(cmd.Example, "\n")
		if status != 0 || errs != "" || !strings.Contains(out, first) {
			t.Errorf("ambit %s: status %d, stderr %q, stdout %q", strings.Join(args, " "), status, errs, out)
		}
	})
}

func TestWrongUsage(t *testing.T) {
	for _, test := range []struct {
		args, want string
	}{
		{"alow", `did you mean "allow"?`},
		{"xyzzy", `run "ambit --help" for the list`},
		{"help xyzzy", `unknown command "xyzzy"`},
		{"cache", "ambit cache clear"},
		{"cache claer", `did you mean "clear"?`},
		{"completion", "name a shell"},
		{"completion tcsh", `unknown command "tcsh"`},
		{"hook", "name one shell"},
		{"hook tcsh", "unknown shell"},
		{"hook zhs", `did you mean "zsh"?`},
		{"hook bash zsh", "name one shell"},
		{"export", "name one shell"},
		{"status here", `unexpected argument "here"`},
		{"status --fromat json", `did you mean "--format"?`},
		{"status --format xml", `unknown format "xml"`},
		{"status --format jsno", `did you mean "json"?`},
		{"open --format toml", `unknown format "toml"`},
		{"open a/b x --format bash", "takes no PATH"},
		{"check --format yaml", `unknown format "yaml"`},
		{"run", `write "--" before it`},
		{"run make", `write "--" before it`},
		{"run --", `no command after "--"`},
		{"run a/b c/d -- x", `unexpected argument "c/d"`},
		{"allow --list --prune", "do not go together"},
		{"allow --list x", "no other argument"},
		{"deny a b", `unexpected argument "b"`},
		{"login a --profile b", "do not go together"},
		{"login --profile=", "names no profile"},
		{"resolve", "name one directory"},
		{"env", `run "ambit env --help" for the list`},
		{"env sett", `did you mean "set"?`},
		{"env get", "too few arguments"},
		{"env diff a/b", "too few arguments"},
		{"env set a/b c d e", `unexpected argument "e"`},
		{"env recipients ad", `did you mean "add"?`},
		{"env recipients add", "too few arguments"},
		{"schema envrcc", `did you mean "envrc"?`},
		{"schema envrc x", `unexpected argument "x"`},
		{"version now", `unexpected argument "now"`},
		{"-z", "-z"},
		{"\x1b]52;c;x\a", `\x1b]52`},
	} {
		out, errs, status := testAmbit(t, strings.Split(test.args, " ")...)
		lines := strings.Split(strings.TrimSuffix(errs, "\n"), "\n")
		switch {
		case status != 2:
			t.Errorf("ambit %s: status %d, wanted 2", test.args, status)
		case out != "":
			t.Errorf("ambit %s: stdout %q", test.args, out)
		case !strings.Contains(errs, test.want):
			t.Errorf("ambit %s: %q lacks %q", test.args, errs, test.want)
		case !strings.HasPrefix(lines[0], "ambit: error: ") || len(lines) > 2,
			len(lines) == 2 && !strings.HasPrefix(lines[1], "ambit: hint: "):
			t.Errorf("ambit %s: not one error and at most one hint: %q", test.args, errs)
		case strings.ContainsAny(errs, "\x1b\a"):
			t.Errorf("ambit %s: a raw control character in %q", test.args, errs)
		}
	}
}

func TestFullDiskIsNoSuccess(t *testing.T) {
	var stderr bytes.Buffer
	for _, arg := range []string{"version", "status", "--help"} {
		stderr.Reset()
		status := run(process{args: []string{arg}, env: []string{"HOME=" + t.TempDir()}, dir: "/", now: time.Now, stdout: full{}, stderr: &stderr, interrupt: listen})
		if status != 1 || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("ambit %s: status %d, stderr %q", arg, status, stderr.String())
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errNoSpace }

var errNoSpace = errors.New("no space left on device")

func TestPanicSaysOneLine(t *testing.T) {
	var stderr bytes.Buffer
	status := run(process{
		args: []string{"version"}, env: []string{"HOME=" + t.TempDir()}, dir: "/",
		now: time.Now, stdout: bomb{}, stderr: &stderr, interrupt: listen,
	})
	got := stderr.String()
	if status != 1 || !strings.Contains(got, "internal error in ") || strings.Contains(got, canary) || strings.Count(got, "\n") != 2 {
		t.Errorf("status %d, stderr %q", status, got)
	}
}

type bomb struct{}

func (bomb) Write([]byte) (int, error) { panic("a value: " + canary) }
