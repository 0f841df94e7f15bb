package main

import "golang.org/x/sys/unix"

// harden lets a crash leave no core file and, where the system can, keeps other
// processes out of this one's memory. What it returns gives back the limit that a
// command inherits which replaces this program.
func harden() (undo func()) {
	hideMemory()
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &limit) != nil {
		return func() {}
	}
	// The soft limit alone, for a hard one cannot be raised again. If it cannot
	// be set, it stays what it is.
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 0, Max: limit.Max})
	return func() { _ = unix.Setrlimit(unix.RLIMIT_CORE, &limit) }
}
