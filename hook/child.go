package hook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"syscall"
	"time"

	"ambit/resolver/cache"
)

// errInterrupted is returned when the user pressed Ctrl-C.
var errInterrupted = errors.New("interrupted")

// noticeAfter is how long a prompt waits before it says what it waits for.
const noticeAfter = 300 * time.Millisecond

// stopWithin is how long a resolver that was asked to end may take for it.
const stopWithin = 200 * time.Millisecond

// resolve runs `ambit resolve DIR` and returns the entry it prints. The child
// has a session of its own: Ctrl-C reaches us, and we stop it with all it
// started.
func (r *run) resolve(dir string) (*cache.Entry, error) {
	ctx := r.patience()
	cmd := r.command("resolve", dir)
	if cmd == nil {
		return nil, errors.New(`"ambit" is not installed beside "ambit-hook"`)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	kill := func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // gone is as good as killed
	done := make(chan error, 1)
	var b bytes.Buffer
	go func() {
		_, err := io.Copy(&b, io.LimitReader(out, cache.MaxEntry+1))
		kill() // what else it started has nothing more to say
		done <- errors.Join(err, ignoreKilled(cmd.Wait()))
	}()
	notice := time.NewTimer(noticeAfter)
	defer notice.Stop()
	for {
		select {
		case err := <-done:
			e, derr := cache.DecodeEntry(b.Bytes())
			if derr == nil {
				return e, nil
			}
			if err == nil {
				err = derr
			}
			return nil, err
		case <-notice.C:
			r.say(cache.Message{Text: "resolving " + r.places.Short(dir, r.pwd) + " …"})
		case <-ctx.Done():
			// Asked to end, it ends the commands that it runs: each has a
			// session of its own, which our signal to its group would miss.
			_ = syscall.Kill(cmd.Process.Pid, syscall.SIGTERM)
			select {
			case <-done:
			case <-time.After(stopWithin):
			}
			kill()
			return nil, context.Cause(ctx)
		}
	}
}

// ignoreKilled drops the error of a child that had closed its output before we
// ended it.
func ignoreKilled(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && !exit.Exited() {
		return nil
	}
	return err
}

// refresh starts `ambit resolve --detached DIR` and does not wait: the old
// values serve until it has touched the generation file.
func (r *run) refresh(dir string) {
	cmd := r.command("resolve", "--detached", dir)
	if cmd == nil {
		return
	}
	if err := cmd.Start(); err == nil {
		_ = cmd.Process.Release() // it is nobody's child to wait for
	}
}

// command is `ambit` with arguments; nil if there is none.
func (r *run) command(args ...string) *exec.Cmd {
	argv := append(r.p.Resolver(), args...)
	if len(argv) == len(args) {
		return nil
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = r.baseline.List()
	// A directory that may vanish or be unmounted is no place for a process
	// that outlives the prompt.
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// patience is a context that ends when this prompt has waited long enough, or
// with errInterrupted when the user has. All of a prompt's waiting shares it; a
// prompt that need not wait does not pay for it.
func (r *run) patience() context.Context {
	if r.waiting != nil {
		return r.waiting
	}
	timeout := r.settings.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	r.waiting = ctx
	interrupt := r.p.Interrupt()
	time.AfterFunc(timeout, func() { cancel(context.DeadlineExceeded) })
	go func() {
		<-interrupt
		cancel(errInterrupted)
	}()
	return ctx
}
