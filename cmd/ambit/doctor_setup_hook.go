package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ambit/hook"
	"ambit/resolver/aws"
	"ambit/resolver/aws/doctor"
	"ambit/resolver/safefile"
	"ambit/shells"
)

// hook checks that the shell in use has ambit's hook, and that what other shells have
// of it is in order. A hook that runs has left AMBIT_STATE where a file governs the
// directory, allowed or not; elsewhere nothing shows whether it runs.
func (p *setup) hook() {
	const check = "hook"
	p.program()
	shell := p.shellInUse()
	files := p.startupFiles(shell)
	for _, f := range files {
		p.oddities(shell, f)
	}
	for _, other := range []shells.Shell{shells.Bash, shells.Zsh, shells.Fish} {
		theirs := p.startupFiles(other)
		if other == shell || len(p.installs(theirs, other)) == 0 {
			continue // nobody wants it there
		}
		for _, f := range theirs {
			p.oddities(other, f)
		}
	}
	p.hijacked()
	governed := p.dir != "" && p.find(p.dir).File != "" && !p.sudo()
	at := p.installs(files, shell)
	switch {
	case governed && !p.hooked() && len(at) == 0:
		p.add(check, doctor.Fail, p.installing(shell), "%s does not load %s: no start-up file of %s installs ambit's hook",
			shell, p.tilde(p.find(p.dir).File), shell)
	case governed && !p.hooked():
		p.add(check, doctor.Warn, p.evaluating(shell), "ambit's hook has not run here, though %s installs it: the shell is older, runs a script, or has shown no prompt here yet", at[0])
	case len(at) > 0:
		p.well(check, "%s installs it", at[0])
	case p.hooked():
		p.well(check, "it runs in this shell")
	default:
		p.add(check, doctor.Warn, p.installing(shell), "no start-up file of %s installs ambit's hook: no directory is loaded", shell)
	}
	if dir := p.environ["DIRENV_DIR"]; governed && dir != "" {
		p.add(check, doctor.Warn, "", "direnv has loaded %s too; of what both set, the one whose hook runs last wins", p.tilde(strings.TrimPrefix(dir, "-")))
	}
}

// hooked says whether a hook runs in this shell, as far as that shows, or `ambit run`
// has loaded this directory.
func (p *setup) hooked() bool {
	dir := p.environ[hook.DirVar]
	return p.environ[hook.StateVar] != "" || dir != "" && dir == p.find(p.dir).Dir
}

// sudo says whether this is root in another user's directory, where the hook does
// nothing.
func (p *setup) sudo() bool {
	conf, _ := p.config() // a broken one accepts nothing
	return p.uid == 0 && p.environ["SUDO_UID"] != "" && !within(conf.settings.Safe, p.find(p.dir).Dir)
}

// program checks the small program that a prompt runs.
func (p *setup) program() {
	const check = "hook"
	command, err := p.promptCommand()
	if err != nil {
		return
	}
	if len(command) > 1 {
		p.add(check, doctor.Warn, "", "there is no ambit-hook beside %s: prompts run the larger program, and are slower", p.tilde(p.self))
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
	defer stop()
	cmd := exec.CommandContext(ctx, command[0], "--version")
	cmd.Env = []string{}
	out, err := cmd.Output()
	name, theirs, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	switch {
	case ctx.Err() != nil:
		p.add(check, doctor.Warn, "", "%s does not answer within 2s", p.tilde(command[0]))
	case err != nil || name != "ambit-hook":
		p.add(check, doctor.Warn, "", "%s is of an older version than ambit %s: install both anew", p.tilde(command[0]), versionName())
	case version != "" && theirs != version:
		p.add(check, doctor.Warn, "", "%s is of version %s and ambit of %s: install both anew", p.tilde(command[0]), bounded(theirs), version)
	}
}

// shellInUse is the nearest of the processes above this one that is a shell with a
// hook, else the user's login shell, else bash.
func (a *ambit) shellInUse() shells.Shell {
	pid := os.Getppid()
	for range 32 {
		comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err != nil {
			break // not Linux, or not ours to see
		}
		if s, err := shells.Parse(strings.TrimSpace(strings.TrimPrefix(string(comm), "-"))); err == nil {
			return s
		}
		if pid = parentOf(pid); pid <= 1 {
			break
		}
	}
	if s, err := shells.Parse(filepath.Base(a.environ["SHELL"])); err == nil {
		return s
	}
	return shells.Bash
}

// parentOf reads a process's parent from /proc/PID/stat; 0 if there is none. What
// stands before the last parenthesis may be anything.
func parentOf(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1]) // 0: none
	return parent
}

// installing is the command that puts the hook into a start-up file and into the
// shell in which it is typed.
func (p *setup) installing(shell shells.Shell) string {
	dir, name := p.places.Home, ".bashrc"
	switch shell {
	case shells.Zsh:
		name = ".zshrc"
		if z := p.environ["ZDOTDIR"]; filepath.IsAbs(z) {
			dir = z
		}
	case shells.Fish:
		dir, name = p.fishConfig(), "config.fish"
	}
	file, line := filepath.Join(dir, name), p.evaluating(shell)
	form := `'%s\n'`
	if b, err := safefile.Read(file); err == nil && len(b) > 0 && b[len(b)-1] != '\n' {
		form = `'\n%s\n'`
	}
	command := "printf " + form + " '" + line + "' >> " + p.word(file) + " && " + line
	if _, err := os.Stat(dir); err != nil {
		command = "mkdir -p " + p.word(dir) + " && " + command
	}
	return command
}

// evaluating is the command that gives its shell the hook.
func (p *setup) evaluating(shell shells.Shell) string {
	program := "ambit"
	if _, err := exec.LookPath("ambit"); err != nil {
		if word := aws.Word(p.self); word == p.self && word != "" { // it has to stand between quotes
			program = word
		}
	}
	if shell == shells.Fish {
		return program + " hook fish | source"
	}
	return `eval "$(` + program + ` hook ` + string(shell) + `)"`
}
