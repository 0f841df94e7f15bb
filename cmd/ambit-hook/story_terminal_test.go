package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// shell is one of the shells that a story is played in.
type shell string

var shells = []shell{"bash", "zsh", "fish"}

// patience is how long a story waits for text that has to come. It is no
// measurement: the machine may be busy with other tests.
const patience = 60 * time.Second

// Every prompt is <NUMBER:STATUS>: a number that no other prompt of this terminal
// has, and the status that the user's own prompt functions see.
var prompt = regexp.MustCompile(`<(\d+):(\d+)>\$ `)

// rcFile is the user's startup file: a prompt, then the hook.
var rcFile = map[shell]struct{ name, text, hook string }{
	"bash": {"home/.bashrc", `
story_number=$((RANDOM * 1000))
PS1='<$((++story_number)):$?>$ '
HISTFILE=~/.bash_history
`, `eval "$(ambit hook bash)"
`},
	"zsh": {"home/.zshrc", `
setopt prompt_subst no_prompt_cr no_prompt_sp
story_number=$((RANDOM * 1000))
PS1='<$((++story_number)):%?>$ '
HISTFILE=~/.zsh_history SAVEHIST=1000 HISTSIZE=1000
`, `eval "$(ambit hook zsh)"
`},
	"fish": {"home/.config/fish/config.fish", `
set -g fish_greeting
set -g fish_autosuggestion_enabled 0
set -g story_number (math (random) x 1000)
function fish_prompt
    printf '<%s:%s>$ ' $story_number $status
end
function story_count --on-event fish_prompt
    set -l s $status
    set -g story_number (math $story_number + 1)
    return $s
end
`, `ambit hook fish | source
`},
}

// terminal is an interactive shell in a terminal of its own.
type terminal struct {
	t     testing.TB
	h     *house
	shell shell
	pty   *os.File
	cmd   *exec.Cmd

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when text arrives
	text    string        // all of it, as it came
	ended   bool
	read    int    // how much of text the story has seen
	number  string // of the last prompt
}

// open starts a shell whose startup file has the hook, and waits for its prompt.
func (h *house) open(sh shell) *terminal {
	h.t.Helper()
	return h.openWith(sh, rcFile[sh].hook)
}

// openWith starts a shell whose startup file goes on with the given lines.
func (h *house) openWith(sh shell, lines string) *terminal {
	h.t.Helper()
	rc := rcFile[sh]
	h.write(rc.name, rc.text+lines)
	if h.user != nil {
		h.chown()
	}
	tm := h.start(sh, need(h.t, string(sh)), "-i")
	tm.prompted()
	return tm
}

// start runs a program in a new terminal, in the home directory.
func (h *house) start(sh shell, argv ...string) *terminal {
	h.t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = h.home
	cmd.Env = h.environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: h.user}
	blocking, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 4000})
	must(h.t, err)
	// A read that blocks in the kernel would keep the terminal open when it is
	// closed, and the shell would never hear of it.
	syscall.ForkLock.RLock()
	fd, err := syscall.Dup(int(blocking.Fd()))
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	must(h.t, err)
	must(h.t, blocking.Close())
	must(h.t, syscall.SetNonblock(fd, true))
	f := os.NewFile(uintptr(fd), "terminal")
	tm := &terminal{t: h.t, h: h, shell: sh, pty: f, cmd: cmd, changed: make(chan struct{})}
	go tm.listen()
	h.t.Cleanup(tm.close)
	return tm
}

func (tm *terminal) listen() {
	buffer := make([]byte, 64<<10)
	for {
		n, err := tm.pty.Read(buffer)
		tm.mu.Lock()
		tm.text += string(buffer[:n])
		tm.ended = err != nil
		close(tm.changed)
		tm.changed = make(chan struct{})
		tm.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// close ends the shell as closing its window does, and all that it left behind.
func (tm *terminal) close() {
	_ = tm.pty.Close() // closed before, by a story
	done := make(chan struct{})
	go func() {
		_ = tm.cmd.Wait() // ended by a signal or with the status of its last command
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		_ = tm.cmd.Process.Kill() // it ignores SIGHUP
		<-done
	}
}

// until waits until find returns how much of the unread text it took, which is
// then read.
func (tm *terminal) until(what string, find func(unread string) (end int)) string {
	tm.t.Helper()
	timeout := time.After(patience)
	for {
		tm.mu.Lock()
		unread, changed, ended := tm.text[tm.read:], tm.changed, tm.ended
		tm.mu.Unlock()
		if end := find(unread); end > 0 {
			tm.read += end
			return unread[:end]
		}
		if ended {
			tm.t.Fatalf("%s: the shell ended before %s\n%s", tm.shell, what, tm.transcript())
		}
		select {
		case <-changed:
		case <-timeout:
			tm.t.Fatalf("%s: no %s\n%s", tm.shell, what, tm.transcript())
		}
	}
}

// expect waits for text on the screen, and counts everything up to it as seen.
func (tm *terminal) expect(text string) string {
	tm.t.Helper()
	return tm.until(strconv.Quote(text), func(unread string) int {
		if i := strings.Index(unread, text); i >= 0 {
			return i + len(text)
		}
		return 0
	})
}

// prompted waits for the next prompt and returns what came before it, and the
// status that it shows.
func (tm *terminal) prompted() (string, int) {
	tm.t.Helper()
	var number, status string
	out := tm.until("prompt", func(unread string) int {
		for _, m := range prompt.FindAllStringSubmatchIndex(unread, -1) {
			// An editor draws a prompt again when it likes.
			if number, status = unread[m[2]:m[3]], unread[m[4]:m[5]]; number != tm.number {
				return m[1]
			}
		}
		return 0
	})
	tm.number = number
	n, err := strconv.Atoi(status)
	must(tm.t, err)
	return plain(out[:strings.LastIndex(out, "<")]), n
}

var controls = regexp.MustCompile("\x1b\\[[0-9;?>]*[A-Za-z]|\x1b\\][^\a\x1b]*(\a|\x1b\\\\)|\x1b[=>]|\x1b\\([B0]|⏎ *\r|\r")

// plain is text without what moves a cursor and colours.
func plain(s string) string { return controls.ReplaceAllString(s, "") }

func (tm *terminal) transcript() string {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	return "--- terminal:\n" + plain(tm.text) + "\n---"
}

func (tm *terminal) send(text string) {
	tm.t.Helper()
	_, err := tm.pty.WriteString(text)
	must(tm.t, err)
}

// typeLine types a line and Return, and does not wait.
func (tm *terminal) typeLine(line string) {
	tm.t.Helper()
	tm.send(line + "\r")
}

// run types a line, waits for the prompt, and returns what was printed between
// and the status that the prompt shows. That a prompt waits it says on a slow day
// anywhere, so that line is left out.
func (tm *terminal) run(line string) (string, int) {
	tm.t.Helper()
	tm.typeLine(line)
	out, status := tm.prompted()
	_, out, _ = strings.Cut(out, "\n") // the line itself
	return waits.ReplaceAllString(out, ""), status
}

var waits = regexp.MustCompile(`(?m)^ambit: resolving .* …\n`)

// want runs a line and compares all that it prints, line by line. A line that ends
// in … stands for any that begins so.
func (tm *terminal) want(line string, want ...string) {
	tm.t.Helper()
	out, _ := tm.run(line)
	if !like(out, want) {
		tm.t.Errorf("%s: %s\n got %q\nwant %q\n%s", tm.shell, line, lines(out), want, tm.transcript())
	}
}

// like compares lines, where … stands for any text.
func like(out string, want []string) bool {
	got := lines(out)
	if len(got) != len(want) {
		return false
	}
	for i := range want {
		parts := strings.Split(want[i], "…")
		for j, p := range parts {
			parts[j] = regexp.QuoteMeta(p)
		}
		if !regexp.MustCompile(`^` + strings.Join(parts, ".*") + `$`).MatchString(got[i]) {
			return false
		}
	}
	return true
}

func lines(text string) []string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// cd changes the directory and wants what that prints.
func (tm *terminal) cd(dir string, want ...string) {
	tm.t.Helper()
	tm.want("cd "+quoted(tm.h.path(dir)), want...)
}

// env is the environment that a program gets which is typed now.
func (tm *terminal) env() map[string]string {
	tm.t.Helper()
	return tm.envAfter("")
}

// envAfter types something before the program, on the same line.
func (tm *terminal) envAfter(before string) map[string]string {
	tm.t.Helper()
	file := filepath.Join(tm.h.root, "environ")
	if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
		tm.t.Fatal(err)
	}
	out, status := tm.run(before + "dumpenv " + file)
	b, err := os.ReadFile(file)
	if err != nil {
		tm.t.Fatalf("%s: %v\nstatus %d: %s\n%s", tm.shell, err, status, out, tm.transcript())
	}
	return parseEnviron(string(b))
}

func parseEnviron(text string) map[string]string {
	env := map[string]string{}
	for pair := range strings.SplitSeq(text, "\x00") {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	// What a shell itself changes at every command and every cd.
	for _, name := range []string{"_", "PWD", "OLDPWD", "SHLVL"} {
		delete(env, name)
	}
	return env
}

// holds compares some variables of an environment. The value of each name is the
// one after it; unset stands for none.
func (tm *terminal) holds(env map[string]string, pairs ...string) {
	tm.t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		name, want := pairs[i], pairs[i+1]
		got, ok := env[name]
		switch {
		case want == unset && ok:
			tm.t.Errorf("%s: %s is %.200q, want it unset\n%s", tm.shell, name, got, tm.transcript())
		case want != unset && (!ok || got != want):
			tm.t.Errorf("%s: %s is %.200q (set: %v), want %.200q\n%s", tm.shell, name, got, ok, want, tm.transcript())
		}
	}
}

const unset = "\x00unset"

// same compares two environments whole.
func (tm *terminal) same(what string, got, want map[string]string) {
	tm.t.Helper()
	for name := range got {
		if _, ok := want[name]; !ok {
			tm.t.Errorf("%s: %s: %s is set, to %.200q\n%s", tm.shell, what, name, got[name], tm.transcript())
		}
	}
	for name, value := range want {
		if g, ok := got[name]; !ok || g != value {
			tm.t.Errorf("%s: %s: %s is %.200q (set: %v), want %.200q\n%s", tm.shell, what, name, g, ok, value, tm.transcript())
		}
	}
}

// interrupt types Ctrl-C.
func (tm *terminal) interrupt() {
	tm.t.Helper()
	tm.send("\x03")
}

// pid of the shell.
func (tm *terminal) pid() int { return tm.cmd.Process.Pid }

// inShells plays a story in each shell.
func inShells(t *testing.T, story func(t *testing.T, sh shell)) {
	t.Helper()
	for _, sh := range shells {
		t.Run(string(sh), func(t *testing.T) {
			need(t, string(sh))
			story(t, sh)
		})
	}
}

// alive says whether a process runs and is no zombie.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// waitEnd waits until the shell has ended.
func (tm *terminal) waitEnd() {
	tm.t.Helper()
	timeout := time.After(patience)
	for {
		tm.mu.Lock()
		ended, changed := tm.ended, tm.changed
		tm.mu.Unlock()
		if ended {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			tm.t.Fatalf("%s: the shell does not end\n%s", tm.shell, tm.transcript())
		}
	}
}
