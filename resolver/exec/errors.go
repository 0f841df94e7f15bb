package exec

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"ambit/resolver"
)

// The errors name a command by its first word alone: its arguments may be
// anything. What it said on standard error is foreign text, to be made
// printable by whoever prints it.

// NotFoundError is a program that is not there or cannot be run.
type NotFoundError struct {
	Name string
	err  error // why a file of that name is none, or nil
}

func (e *NotFoundError) Error() string {
	switch {
	case e.Name == "":
		return "the command is empty"
	case e.err != nil && strings.ContainsRune(e.Name, '/'):
		return fmt.Sprintf("command %q: %v", e.Name, e.err)
	case e.err != nil:
		return fmt.Sprintf("command %q not found in PATH; %v", e.Name, e.err)
	}
	return fmt.Sprintf("command %q not found in PATH", e.Name)
}

// Unwrap returns why a file of that name is no program, or nil.
func (e *NotFoundError) Unwrap() error { return e.err }

// StartError is a program that the system did not start.
type StartError struct {
	Name string
	Err  error
}

func (e *StartError) Error() string { return fmt.Sprintf("command %q cannot start: %v", e.Name, e.Err) }

// Unwrap returns the system's reason.
func (e *StartError) Unwrap() error { return e.Err }

// ExitError is a command that ended and said no.
type ExitError struct {
	Name   string
	Status int            // exit status; -1 if a signal ended it
	Signal syscall.Signal // 0 if it exited
	Stderr string         // the end of what it said, foreign, perhaps of many lines
}

func (e *ExitError) Error() string {
	text := fmt.Sprintf("command %q failed with exit status %d", e.Name, e.Status)
	if e.Signal != 0 {
		text = fmt.Sprintf("command %q was ended by signal %d (%v)", e.Name, e.Signal, e.Signal)
	}
	if line := lastLine(e.Stderr); line != "" {
		text += ": " + clip(line, 300)
	}
	return text
}

// TimeoutError is a command that was killed at its deadline.
type TimeoutError struct {
	Name  string
	After time.Duration // zero: the deadline was that of the whole open
}

func (e *TimeoutError) Error() string {
	if e.After == 0 {
		return fmt.Sprintf("command %q did not end in time", e.Name)
	}
	return fmt.Sprintf("command %q did not end within %v", e.Name, e.After)
}

// Timeout tells that it is one.
func (e *TimeoutError) Timeout() bool { return true }

// OutputError is a command that printed more than is read of it.
type OutputError struct{ Name string }

func (e *OutputError) Error() string {
	return fmt.Sprintf("command %q printed more than %d MiB", e.Name, maxOutput>>20)
}

func exitError(name string, cmd *exec.Cmd, stderr string) error {
	e := &ExitError{Name: name, Status: cmd.ProcessState.ExitCode(), Stderr: stderr}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		e.Signal = ws.Signal()
	}
	return e
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return strings.TrimSpace(s[strings.LastIndexAny(s, "\r\n")+1:])
}

// failed words an error of run for the provider that asked, without the secrets
// that the command was given.
func failed(err error, secrets []string, path ...string) error {
	var said *ExitError
	if errors.As(err, &said) {
		said.Stderr = hide(said.Stderr, secrets)
	}
	open := &resolver.OpenError{Kind: resolver.KindRefused, Summary: err.Error(), Path: path, Err: err}
	var missing *NotFoundError
	var exit *ExitError
	var start *StartError
	var late *TimeoutError
	var large *OutputError
	switch {
	case errors.As(err, &missing):
		open.Hint = "install it, or write its path; relative and empty entries of PATH do not count"
	case errors.As(err, &exit):
		open.Hint = "run it by hand; here it has no shell, no terminal and no input but stdin"
	case errors.As(err, &start):
		if errors.Is(err, syscall.ENOEXEC) {
			open.Hint = "a script begins with a line like #!/bin/sh"
		}
	case errors.As(err, &late):
		open.Kind = resolver.KindNetwork
		open.Hint = "make it faster, or give it a longer timeout"
	case errors.As(err, &large):
		open.Hint = "print only the value"
	default:
		return err // a person interrupted
	}
	return open
}
