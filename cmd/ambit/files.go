package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/cache"
	"ambit/resolver/secret"
)

// deliver writes the files that a result exports into a set, and adds the
// variables that name them.
func (a *ambit) deliver(r *resolver.Result, set string) error {
	if len(r.Files) == 0 {
		return nil
	}
	var files []cache.FileVariable
	for _, f := range r.Files {
		files = append(files, cache.FileVariable{Name: f.Name, Content: f.Content})
	}
	paths, err := a.cacheDir.PutFiles(set, files, a.now().Add(-time.Minute))
	if err != nil {
		_ = a.cacheDir.DropFiles(set) // half of them is none
		return withHint(fmt.Errorf("files cannot be written: %s", reason(err)), "see that there is room, and that ambit's cache directory is yours alone")
	}
	for i, f := range files {
		r.Variables = append(r.Variables, resolver.Variable{Name: f.Name, Value: secret.New(paths[i]), Pos: r.Files[i].Pos, Credential: -1})
	}
	slices.SortFunc(r.Variables, func(x, y resolver.Variable) int { return strings.Compare(x.Name, y.Name) })
	return nil
}

// attend runs a command as a child, for something has to be done after it. It
// has this program's terminal and process group, so that Ctrl-C and Ctrl-Z reach
// it as they would without us.
func (a *ambit) attend(argv []string, env hook.Environ) error {
	path, err := a.command(argv[0], env)
	if err != nil {
		return err
	}
	a.unharden()
	cmd := &exec.Cmd{Path: path, Args: argv, Env: env.List(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	// For good: a window that is closed may say so once more when the command has
	// ended, and there is something left to do.
	signals := make(chan os.Signal, 8)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2} {
		if !signal.Ignored(s) { // nohup(1): the command ignores it as well
			signal.Notify(signals, s)
		}
	}
	err = cmd.Start()
	if errors.Is(err, syscall.ENOEXEC) {
		cmd = &exec.Cmd{Path: "/bin/sh", Args: append([]string{"sh", path}, argv[1:]...), Env: cmd.Env, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
		err = cmd.Start()
	}
	if err != nil {
		a.say(errorMessage(fmt.Sprintf("%s: cannot be run: %s", argv[0], reason(err))))
		return said(notExecutable)
	}
	go func() {
		for s := range signals {
			// The terminal's own have reached it already.
			if s != os.Interrupt && s != syscall.SIGQUIT {
				_ = cmd.Process.Signal(s) // it may just have ended
			}
		}
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return said(128 + int(status.Signal()))
		}
		return said(exit.ExitCode())
	}
	return err
}
