package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/creack/pty"
)

// shell is a bash of a story that stays open, so that what one step unsets is unset
// for the next.
type shell struct {
	stdin io.WriteCloser
	tty   *os.File      // what a person types there is read by programs that ask
	ends  *bufio.Reader // the exit status of each step, one a line
	steps int
	noise *bytes.Buffer // what is none of a step's; read it only after the end
}

// stepLimit is for a step that hangs.
const stepLimit = 60 * time.Second

// open starts the shell. It is an interactive one that has read ~/.bashrc, with a
// hook of ambit unless the story says otherwise. A story that needs it before the
// examination opens it itself.
func (w *world) open() {
	w.t.Helper()
	if w.shell != nil {
		return
	}
	w.write(".bashrc", w.rc)
	w.stage()
	if w.env["PATH"] == "" {
		w.env["PATH"] = strings.Join(w.path, ":")
	}
	for name, value := range w.env {
		// What is shorter is no secret but a mistake.
		if strings.HasPrefix(name, "AWS_SE") && len(strings.TrimSpace(value)) > 16 {
			w.secret(strings.TrimSpace(value))
		}
	}
	argv := []string{"bash", "-i"}
	if w.land != nil {
		argv = w.land.command(argv)
	}
	if len(w.without) > 0 {
		need(w.t, "setpriv")
		argv = append([]string{"setpriv", "--bounding-set", "-" + strings.Join(w.without, ",-"), "--inh-caps", "-" + strings.Join(w.without, ",-")}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = w.home
	for _, name := range slices.Sorted(maps.Keys(w.env)) {
		cmd.Env = append(cmd.Env, name+"="+w.env[name])
	}
	// A terminal of its own, on which programs ask. The session holds whatever a story
	// started.
	tty, slave, err := pty.Open()
	must(w.t, err)
	defer slave.Close()
	cmd.ExtraFiles = []*os.File{slave}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	stdin, err := cmd.StdinPipe()
	must(w.t, err)
	stdout, err := cmd.StdoutPipe()
	must(w.t, err)
	w.shell = &shell{stdin: stdin, tty: tty, ends: bufio.NewReader(stdout), noise: &bytes.Buffer{}}
	go func() { _, _ = io.Copy(io.Discard, tty) }() // until it is closed
	cmd.Stderr = w.shell.noise
	cmd.WaitDelay = time.Second
	start := cmd.Start
	if w.land != nil {
		start = func() (err error) { w.land.inside(func() { err = cmd.Start() }); return err }
	}
	must(w.t, start())
	w.t.Cleanup(func() {
		_ = stdin.Close()
		_ = tty.Close()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended
		_ = cmd.Wait()                                      // killed
		w.harmless(strings.ReplaceAll(w.shell.noise.String(), "\r", ""))
	})
	// History would write what is typed to a file, and job control wants a terminal.
	if _, stderr, status := w.step("set +o history +m", ""); status != 0 {
		w.t.Fatalf("the shell does not start: %s", stderr)
	}
}

// step types one line into the shell, with stdin for what it runs, and returns what
// was printed and the exit status.
func (w *world) step(line, stdin string) (stdout, stderr string, status int) {
	w.t.Helper()
	w.shell.steps++
	at := filepath.Join(w.root, fmt.Sprintf("step%d", w.shell.steps))
	must(w.t, os.WriteFile(at, []byte(line+"\n"), 0o600))
	must(w.t, os.WriteFile(at+".in", []byte(stdin), 0o600))
	// Sourced, it is typed as it is, and what it exports stays.
	_, err := fmt.Fprintf(w.shell.stdin, ". %s <%s.in >%s.out 2>%s.err; printf '%%d\\n' \"$?\"\n", at, at, at, at)
	must(w.t, err)
	ended := make(chan error, 1)
	go func() {
		_, err := fmt.Fscanln(w.shell.ends, &status)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			w.t.Fatalf("the shell ended in %q: %v", line, err)
		}
	case <-time.After(stepLimit):
		w.t.Fatalf("%q hangs", line)
	}
	return w.read(at + ".out"), w.read(at + ".err"), status
}

// run is step with all that was printed in one text.
func (w *world) run(line, stdin string) (string, int) {
	w.t.Helper()
	stdout, stderr, status := w.step(line, stdin)
	return stdout + stderr, status
}

func (w *world) read(path string) string {
	w.t.Helper()
	b, err := os.ReadFile(path)
	must(w.t, err)
	return string(b)
}

// stage puts programs into the PATH that stand in for what only an administrator or
// root may do: they tell the story what they were called with.
func (w *world) stage() {
	w.t.Helper()
	socket := filepath.Join(w.root, "stage")
	l, err := net.Listen("unix", socket)
	must(w.t, err)
	server := &http.Server{Handler: http.HandlerFunc(w.perform)}
	go func() { _ = server.Serve(l) }() // ends with Close
	w.t.Cleanup(func() { _ = server.Close() })
	tell := fmt.Sprintf("printf '%%s\\0' \"${0##*/}\" \"$@\" | curl -sS --fail --noproxy '*' --unix-socket %s --data-binary @- http://stage/\n", socket)
	programs := map[string]string{}
	for begins := range w.plays {
		programs[strings.Fields(begins)[0]] = tell
	}
	if _, ok := programs["sudo"]; ok {
		programs["sudo"] = "exec \"$@\"\n"
	}
	programs["edit"] = fmt.Sprintf("exec cp %s \"$1\"\n", filepath.Join(w.root, "edited"))
	programs["aws"] = fmt.Sprintf("case ${1-} in iam|ec2|account|ecs|eks|lambda) ;; *) exec %s \"$@\" ;; esac\n%s", awsProgram(w.t), tell)
	for name, text := range programs {
		must(w.t, os.WriteFile(filepath.Join(w.root, "bin", name), []byte("#!/bin/bash\n"+text), 0o700))
	}
}

// perform does what the story says such a command does.
func (w *world) perform(answer http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	args := strings.Split(strings.TrimSuffix(string(body), "\x00"), "\x00")
	line := strings.Join(args, " ")
	begins := ""
	for candidate := range w.plays {
		if strings.HasPrefix(line, candidate) && len(candidate) > len(begins) {
			begins = candidate
		}
	}
	if begins == "" {
		http.Error(answer, "nobody plays "+line, http.StatusNotImplemented)
		return
	}
	_, _ = io.WriteString(answer, w.plays[begins](args)) // to curl, which waits
}
