package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
	syntax "ambit/shells"
)

// stage is a HOME in which the real programs are measured and counted: directories
// that are allowed and resolved, so that nothing has to be asked for.
type stage struct {
	t       testing.TB
	dir     string // of everything, canonical
	home    string
	program string   // ambit-hook
	base    []string // the environment outside of all
}

func newStage(t testing.TB) *stage {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	server, err := awstest.Start(awstest.Options{Now: time.Now})
	must(t, err)
	t.Cleanup(server.Close)
	s := &stage{t: t, dir: dir, home: filepath.Join(dir, "home"), program: filepath.Join(built, "ambit-hook")}
	must(t, os.MkdirAll(s.home, 0o700))
	s.base = []string{
		"HOME=" + s.home, "PATH=/usr/local/bin:/usr/bin:/bin", "USER=demo", "LOGNAME=demo", "SHELL=/bin/bash",
		"LANG=C.UTF-8", "TERM=xterm-256color", "EDITOR=vi", "PAGER=less",
		"AWS_ENDPOINT_URL=" + server.URL,
	}
	s.write(filepath.Join(s.home, ".config/ambit/config.yaml"), "hook: { timeout: 5s }\n")
	s.write(filepath.Join(s.home, "token"), "token")
	return s
}

// write makes a file that is old enough for a check.
func (s *stage) write(path, text string) {
	s.t.Helper()
	must(s.t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(s.t, os.WriteFile(path, []byte(text), 0o600))
	old := time.Now().Add(-time.Hour)
	must(s.t, os.Chtimes(path, old, old))
}

// credentials are the six variables of a login, which dies in an hour.
const credentials = `  login:
    fn::open::aws-login:
      oidc: { roleArn: "arn:aws:iam::123456789012:role/dev", sessionName: demo, duration: 1h, token: { file: ~/token } }
  environmentVariables:
    AWS_ACCESS_KEY_ID: ${login.accessKeyId}
    AWS_SECRET_ACCESS_KEY: ${login.secretAccessKey}
    AWS_SESSION_TOKEN: ${login.sessionToken}
    AWS_REGION: eu-central-1
`

// project makes a directory whose environment has credentials and as many further
// variables, allows it and resolves it. A prompt in it watches four files, the
// generation file, .envrc.yaml, the environment and config.yaml, and a deadline.
func (s *stage) project(name string, variables int) (dir string) {
	s.t.Helper()
	dir = filepath.Join(s.home, name)
	definition := "values:\n" + credentials
	for i := range variables {
		definition += "    " + variable(i) + ": " + value(i) + "\n"
	}
	s.write(filepath.Join(dir, ".envrc.yaml"), "environment: "+name+"/dev\n")
	s.write(filepath.Join(s.home, ".config/ambit/environments", name, "dev.yaml"), definition)
	for _, argv := range [][]string{{filepath.Join(built, "ambit"), "allow", "-y"}, {s.program, "bash"}} {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir, cmd.Env = dir, in(dir, s.base)
		if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "ambit: error") {
			s.t.Fatalf("%v: %v\n%s", argv, err, out)
		}
	}
	return dir
}

func variable(i int) string { return fmt.Sprintf("VARIABLE_%04d", i) }
func value(i int) string    { return fmt.Sprintf("the value of variable %d, not long", i) }

// in is an environment as a shell in dir has it.
func in(dir string, env []string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool { return strings.HasPrefix(kv, "PWD=") })
	return append(env, "PWD="+dir)
}

// after is the environment that bash has once it has evaluated what a command says.
func (s *stage) after(dir string, env []string, command ...string) []string {
	s.t.Helper()
	const script = `__ambit_set() { export "$1=$2"; }; __ambit_unset() { unset -v "$1"; }
o=$("$@") || exit; eval "$o"; unset -v o; exec env -0`
	cmd := exec.Command(need(s.t, "bash"), append([]string{"-c", script, "bash"}, command...)...)
	cmd.Dir, cmd.Env = dir, in(dir, env)
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%v: %v", command, err)
	}
	var list []string
	for kv := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if name, _, _ := strings.Cut(kv, "="); name != "_" && name != "SHLVL" && name != "OLDPWD" {
			list = append(list, kv)
		}
	}
	return list
}

// shell runs a script in an interactive shell that has the hook, and returns what
// it prints.
func (s *stage) shell(shell syntax.Shell, script string, wrapper ...string) string {
	s.t.Helper()
	var args []string
	switch shell {
	case syntax.Bash:
		args = []string{"--norc", "--noprofile", "-i", "-c"}
	case syntax.Zsh:
		args = []string{"-f", "-i", "-c"}
	case syntax.Fish:
		args = []string{"--no-config", "-i", "-c"}
	}
	argv := append(slices.Clone(wrapper), need(s.t, string(shell)))
	argv = append(append(argv, args...), shell.Hook([]string{s.program})+script+"\nexit 0\n")
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = s.home, in(s.home, s.base)
	// An interactive shell would take the terminal of whoever runs the test.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s%s", shell, err, out, said.String())
	}
	return string(out)
}

// enter is script that goes to a project, loads it and ends the shell if that is
// not what happened.
func enter(shell syntax.Shell, dir string) string {
	script := "cd " + shell.Quote(dir) + "\n__ambit_hook\n"
	if shell == syntax.Fish {
		return script + "test -n \"$AMBIT_DIR\" -a -n \"$__ambit_pwd\" -a -n \"$__ambit_life\"; or exit 9\n"
	}
	return script + "[[ -n $AMBIT_DIR && -n $__ambit_pwd && -n $__ambit_until ]] || exit 9\n"
}
