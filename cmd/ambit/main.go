// Command ambit makes the environment follow the directory: a .envrc.yaml names
// an environment, entering its directory loads it, leaving unloads it.
//
// This is the program for people: one file per command, named after it. What a
// prompt runs is the small program ambit-hook, which starts this one only where
// something has to be resolved ("ambit resolve").
package main

import (
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"ambit/hook"
)

func main() {
	// net/http logs what a server says unasked, byte for byte.
	log.SetOutput(io.Discard)
	os.Exit(run(gather(time.Now)))
}

// gather takes what the process was started with.
func gather(now func() time.Time) process {
	// A file size limit is an error like a full disk, not a death. Caught and not
	// ignored: what is ignored stays so in the command of `ambit run`.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGXFSZ)
	dir, _ := os.Getwd() // a directory that was deleted is none
	self, _ := os.Executable()
	return process{
		args: os.Args[1:], name: os.Args[0], self: self, env: os.Environ(), dir: dir,
		now: now, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		uid: os.Geteuid(), gid: os.Getegid(), terminal: hook.Terminal(), interrupt: listen,
	}
}

// listen begins to take signals, for commands that wait for something: the
// others may end as any program does.
func listen() chan os.Signal {
	c := make(chan os.Signal, 1)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // nohup(1), and `ambit run` below it
			signal.Notify(c, s)
		}
	}
	return c
}
