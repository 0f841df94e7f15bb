package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/cache"
	"ambit/resolver/safefile"
)

// process is what the program was started with.
type process struct {
	args     []string // without the program's name
	name     string   // as it was called
	self     string   // absolute path of the running program, "" if unknown
	env      []string // as os.Environ gives it
	dir      string   // current directory as the shell spells it, "" if it was deleted
	now      func() time.Time
	stdin    io.Reader
	stdout   io.Writer // what was asked for, or what a shell evaluates
	stderr   io.Writer // what people read, each line beginning with "ambit:"
	uid, gid int       // effective user and group
	terminal int       // see [hook.Terminal]

	interrupt func() chan os.Signal // begins to listen for Ctrl-C and a closed terminal
}

// ambit is one run of the program: what every command works with.
type ambit struct {
	process
	environ hook.Environ
	places  hook.Places
	owner   safefile.Owner
	trust   hook.Trust
	out     *output

	cacheDir *cache.Dir     // nil if there is no usable one
	conf     *config        // nil until it is asked for
	shell    *shellSession  // nil until it is asked for
	unharden func()         // set by enterBaseline
	asker    resolver.Asker // nil but in `ambit login`
}

// run does what the arguments say and returns the exit status: 0, 1 for an error
// that was said, 2 for wrong usage, 130 when interrupted; of `ambit run` also
// 125 to 127 and what its command returns.
func run(p process) (status int) {
	a := &ambit{process: p, environ: hook.NewEnviron(p.env), out: &output{w: p.stdout}}
	a.places = hook.NewPlaces(a.environ, p.uid)
	a.owner = safefile.Owner{UID: p.uid, GID: p.gid}
	a.trust = hook.NewTrust(a.places, p.uid)
	a.cacheDir, _ = cache.Open(a.places.Cache, p.uid) // without one all is a miss
	defer func() {
		if v := recover(); v != nil {
			// What it says might hold a value, and so might a stack.
			a.say(errorMessage("internal error"+panicPlace()), hint("please report it with the command that you ran"))
			status = 1
		}
	}()
	root := rootCommand(a)
	root.SetArgs(p.args)
	root.SetOut(a.out)
	root.SetErr(p.stderr)
	err := root.Execute()
	if failed := a.out.failure(); failed != nil {
		err = failed
	}
	return a.sayError(err)
}

// interruptible is a context that ends with errInterrupted at Ctrl-C. A second
// one ends the program as it would end any.
func (a *ambit) interruptible() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	interrupt := a.interrupt()
	go func() {
		select {
		case <-interrupt:
			signal.Stop(interrupt)
			cancel(errInterrupted)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

var errInterrupted = errors.New("interrupted")

// output remembers that something could not be written, so that a full disk
// does not pass for success.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.w.Write(b)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

func (o *output) failure() error {
	if o.err == nil {
		return nil
	}
	var path *os.PathError
	if errors.As(o.err, &path) {
		return fmt.Errorf("cannot write the output: %w", path.Err)
	}
	return fmt.Errorf("cannot write the output: %w", o.err)
}
