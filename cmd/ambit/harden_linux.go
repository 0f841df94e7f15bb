package main

import "golang.org/x/sys/unix"

func hideMemory() {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // a kernel that refuses has nothing better
}
