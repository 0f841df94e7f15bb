// Package exec runs programs for the resolver: the provider `command`, the
// external providers `ambit-provider-NAME`, and what prints a token for
// another provider.
//
// A command gets the environment from before loading, no shell, no terminal and
// a session of its own; at its deadline the whole process group is killed. What
// it prints is bounded, and so is the time it can hold on to its output after
// it has ended. [Run] is all that others need.
package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"ambit/resolver"
)

const (
	maxOutput = 1 << 20 // bytes of standard output over which a command is ended
	maxStderr = 8 << 10 // bytes of standard error that are kept, the last ones

	// lingering is how long output may stay open after the command has ended: a
	// daemon that it left behind may hold it for ever.
	lingering = 200 * time.Millisecond
)

// Run runs a command and returns its standard output. An error is a
// [*NotFoundError], a [*StartError], a [*ExitError], a [*TimeoutError], a
// [*OutputError] or that of ctx.
func Run(ctx context.Context, c resolver.Command) ([]byte, error) {
	out, _, err := run(ctx, c)
	return out, err
}

// run also returns what a command that succeeded said on standard error.
func run(ctx context.Context, c resolver.Command) (stdout []byte, stderr string, err error) {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return nil, "", &NotFoundError{}
	}
	name := c.Argv[0]
	if info, err := os.Stat(c.Dir); err != nil || !info.IsDir() {
		if err == nil {
			err = errors.New("not a directory")
		}
		return nil, "", &StartError{name, fmt.Errorf("working directory %q: %w", c.Dir, reason(err))}
	}
	path, err := lookPath(name, c.Dir, c.Env)
	if err != nil {
		return nil, "", err
	}

	parent := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if c.Timeout > 0 {
		late := time.AfterFunc(c.Timeout, func() { cancel(&TimeoutError{name, c.Timeout}) })
		defer late.Stop()
	}
	out := &capped{limit: maxOutput, over: func() { cancel(&OutputError{name}) }}
	said := &tail{limit: maxStderr}
	cmd := exec.CommandContext(ctx, path, c.Argv[1:]...)
	cmd.Args[0] = name
	cmd.Dir, cmd.Env = c.Dir, environ(c.Env, c.Dir)
	cmd.Stdout, cmd.Stderr = out, said
	if c.Stdin != nil {
		cmd.Stdin = bytes.NewReader(c.Stdin)
	}
	// A session of its own: no terminal to ask on, and one group to kill.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = lingering

	if err := cmd.Start(); err != nil {
		return nil, "", &StartError{name, reason(err)}
	}
	err = cmd.Wait()
	if ctx.Err() != nil && !succeeded(cmd, err) {
		if cause := parent.Err(); cause != nil {
			if errors.Is(cause, context.DeadlineExceeded) {
				cause = &TimeoutError{Name: name}
			}
			return nil, "", cause
		}
		return nil, "", context.Cause(ctx)
	}
	if out.full() {
		return nil, "", &OutputError{name}
	}
	if !succeeded(cmd, err) {
		// With `set -x` it repeats there what it would have printed.
		return nil, "", exitError(name, cmd, hide(said.String(), []string{string(out.bytes())}))
	}
	return out.bytes(), said.String(), nil
}

// succeeded also holds for a command that ended well and left its output open.
func succeeded(cmd *exec.Cmd, err error) bool {
	return err == nil || cmd.ProcessState != nil && cmd.ProcessState.Success()
}

// lookPath finds a program as a shell would, but never in an empty or relative
// entry of PATH: those mean the directory that a repository controls.
func lookPath(name, dir string, env *resolver.Baseline) (string, error) {
	if strings.ContainsRune(name, '/') {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		if err := executable(path); err != nil {
			return "", &NotFoundError{Name: name, err: err}
		}
		return path, nil
	}
	list, _ := env.Lookup("PATH")
	var denied error
	for _, entry := range filepath.SplitList(list) {
		if !filepath.IsAbs(entry) {
			continue
		}
		path := filepath.Join(entry, name)
		err := executable(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) && denied == nil {
			denied = fmt.Errorf("%q: %w", path, err)
		}
	}
	return "", &NotFoundError{Name: name, err: denied}
}

func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return reason(err)
	case info.IsDir():
		return errors.New("is a directory")
	case !info.Mode().IsRegular():
		return errors.New("is not a regular file")
	case info.Mode().Perm()&0o111 == 0:
		return errors.New("is not executable")
	}
	return nil
}

// environ is the baseline in a fixed order, with the PWD that is true.
func environ(env *resolver.Baseline, dir string) []string {
	out := slices.DeleteFunc(env.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "PWD=") })
	slices.Sort(out)
	return append(out, "PWD="+dir)
}

// reason is an error without the path and the operation, which the caller names.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// capped keeps output up to a limit and calls over once it is passed.
type capped struct {
	limit int
	over  func()

	mu   sync.Mutex
	buf  bytes.Buffer
	past bool
}

func (c *capped) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.past || c.buf.Len()+len(p) > c.limit {
		if !c.past {
			c.past = true
			c.over()
		}
		return 0, errors.New("too much output")
	}
	return c.buf.Write(p)
}

func (c *capped) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.past
}

// bytes returns a copy: a daemon may still be writing.
func (c *capped) bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.buf.Bytes())
}

// tail keeps the last bytes of what is written.
type tail struct {
	limit int

	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p[max(0, len(p)-t.limit):]...)
	if n := len(t.buf) - t.limit; n > 0 {
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}

// clip bounds foreign text to n bytes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}
