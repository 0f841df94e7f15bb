package shells

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// terminal is a real interactive shell on a pseudo-terminal, with a startup file
// of the test's. What is typed is awaited by a marker in the output, never by time.
type terminal struct {
	t     *testing.T
	shell Shell
	fake  fake
	home  string
	pty   *os.File
	marks int

	startup string // what was shown up to the first prompt

	mu   sync.Mutex
	more *sync.Cond
	seen bytes.Buffer
	gone bool
}

// prompt is what the shells show when they wait for a line. No trace shows it: zsh
// begins traced lines with one that ends in "> ", and a start file may be echoed.
const prompt = "ready: "

// openTerminal starts the shell with a startup file of three parts: before, the
// hook, and after.
func openTerminal(t *testing.T, s Shell, before, after string, env ...string) *terminal {
	t.Helper()
	f := newFake(t)
	return openTerminalWith(t, s, f, before+"\n"+s.Hook([]string{f.program()})+"\n"+after, env...)
}

func openTerminalWith(t *testing.T, s Shell, f fake, startup string, env ...string) *terminal {
	t.Helper()
	program := need(t, string(s))
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, shell: s, fake: f, home: home}
	term.more = sync.NewCond(&term.mu)
	rc := filepath.Join(home, map[Shell]string{Bash: "rc", Zsh: ".zshrc", Fish: "rc"}[s])
	write(t, rc, map[Shell]string{Bash: "PS1='rea''dy: '\n", Zsh: "PS1='rea''dy: '; unsetopt zle\n", Fish: "function fish_prompt; printf '%s%s: ' rea dy; end; set -g fish_greeting\n"}[s]+startup)
	args := map[Shell][]string{
		Bash: {"--noprofile", "--rcfile", rc, "-i"}, Zsh: {"-d", "-i"}, Fish: {"--no-config", "-i", "-C", "source " + rc},
	}[s]
	cmd := exec.Command(program, args...)
	cmd.Dir = home
	cmd.Env = append([]string{"HOME=" + home, "ZDOTDIR=" + home, "PATH=" + os.Getenv("PATH"), "TERM=dumb", "LC_ALL=C.UTF-8", "TEST=" + os.Args[0]}, env...)
	if term.pty, err = pty.Start(cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := term.pty.Read(buffer)
			term.mu.Lock()
			term.seen.Write(buffer[:n])
			term.gone = err != nil
			term.more.Broadcast()
			term.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended already
		_ = cmd.Wait()
		term.pty.Close()
	})
	term.startup = term.expect(prompt)
	return term
}

// expect waits until text has been printed since the last call, and returns what
// came up to its end.
func (term *terminal) expect(text string) string {
	term.t.Helper()
	late := time.AfterFunc(20*time.Second, func() {
		term.mu.Lock()
		term.gone = true
		term.more.Broadcast()
		term.mu.Unlock()
	})
	defer late.Stop()
	term.mu.Lock()
	defer term.mu.Unlock()
	for {
		if before, _, found := strings.Cut(term.seen.String(), text); found {
			return string(term.seen.Next(len(before) + len(text)))
		}
		if term.gone {
			term.t.Fatalf("%s: waited for %q, saw\n%s", term.shell, text, term.seen.String())
		}
		term.more.Wait()
	}
}

// run types the lines, all at once, and returns what the terminal showed until
// they were done, echo included.
func (term *terminal) run(lines ...string) string {
	term.t.Helper()
	term.marks++
	mark := fmt.Sprintf("printf '<%%s>' %d", term.marks)
	if _, err := term.pty.WriteString(strings.Join(append(lines, mark), "\n") + "\n"); err != nil {
		term.t.Fatal(err)
	}
	shown := term.expect(fmt.Sprintf("<%d>", term.marks))
	return shown + term.expect(prompt) // the next prompt: its hook has run
}

// value types a command and returns what it writes to the file $OUT.
func (term *terminal) value(lines ...string) string {
	term.t.Helper()
	file := filepath.Join(term.home, "out")
	write(term.t, file, "")
	term.run(lines...)
	return read(term.t, file)
}

// environment is what a child of the shell inherits now.
func (term *terminal) environment() map[string]string {
	term.t.Helper()
	env := map[string]string{}
	for pair := range strings.SplitSeq(term.value("env AMBIT_TEST_ENVIRONMENT="+term.home+"/out $TEST"), "\x00") {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	return env
}

// says makes the fake command answer with these changes from now on, unarmed.
func (term *terminal) says(changes ...Change) {
	term.t.Helper()
	term.fake.answer(term.t, term.shell.Render(Update{Changes: changes}), 0)
}
