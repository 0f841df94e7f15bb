package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	syntax "ambit/shells"
)

// started is a line of strace that starts a process or a program.
var started = regexp.MustCompile(`^\d+ +(clone3?|v?fork|execve)\(`)

// TestSteadyPromptStartsNothing counts what the kernel sees: a prompt at which
// nothing has changed starts no process, and so does a change of directory where
// there is nothing to load. A shell that does so a hundred times starts exactly as
// many as one that does not.
func TestSteadyPromptStartsNothing(t *testing.T) {
	strace := need(t, "strace")
	s := newStage(t)
	dir := s.project("shop", 4)
	for _, shell := range []syntax.Shell{syntax.Bash, syntax.Zsh, syntax.Fish} {
		t.Run(string(shell), func(t *testing.T) {
			s := *s
			s.t = t
			count := func(script string) int {
				log := filepath.Join(t.TempDir(), "calls")
				s.shell(shell, script, strace, "-f", "-qq", "-e", "trace=clone,clone3,fork,vfork,execve", "-o", log)
				b, err := os.ReadFile(log)
				must(t, err)
				n := 0
				for line := range strings.Lines(string(b)) {
					if started.MatchString(line) && !strings.Contains(line, "CLONE_THREAD") {
						n++
					}
				}
				return n
			}
			steady := "__ambit_hook"
			outside := "cd " + shell.Quote(s.home) + "; __ambit_hook; cd /usr/bin; __ambit_hook"
			for _, c := range []struct{ name, before, step string }{
				{"steady", enter(shell, dir), steady},
				{"outside", "", outside},
			} {
				// Once is not counted: it loads what the shell loads late.
				once := count(c.before + loop(shell, 1, c.step))
				if many := count(c.before + loop(shell, 100, c.step)); many != once {
					t.Errorf("%s: %d processes and programs instead of %d", c.name, many, once)
				}
				if forks := count(c.before + loop(shell, 2, c.step) + "/bin/true; /bin/true\n"); forks <= once {
					t.Errorf("%s: the count does not see /bin/true", c.name)
				}
			}
		})
	}
}

// loop is script that does a step n times.
func loop(shell syntax.Shell, n int, step string) string {
	if shell == syntax.Fish {
		// No seq: it is a program.
		return "set -g i 0; while test $i -lt " + strconv.Itoa(n) + "; set i (math $i + 1); " + step + "; end\n"
	}
	return "for ((i = 0; i < " + strconv.Itoa(n) + "; i++)); do " + step + "; done\n"
}
