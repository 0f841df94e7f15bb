//go:build !darwin

package safefile

import "syscall"

func mtimeOf(stat *syscall.Stat_t) int64 { return stat.Mtim.Nano() }
