package main

import (
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// harden lets a crash leave no core file and, where the system can, keeps other
// processes out of this one's memory. What it returns gives back what a command
// inherits that replaces this program.
func harden() (undo func()) {
	hideMemory()
	undo = func() { signal.Reset(syscall.SIGXFSZ) }
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &limit) != nil {
		return undo
	}
	// The soft limit alone, for a hard one cannot be raised again.
	if unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 0, Max: limit.Max}) != nil {
		return undo
	}
	return func() {
		signal.Reset(syscall.SIGXFSZ)
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &limit) // back to where it was
	}
}
