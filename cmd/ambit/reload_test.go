package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"ambit/resolver/cache"
)

// A process that was stopped while it resolves keeps its lock: reload says what it
// waits for, and not for ever.
func TestReloadWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, err := cache.Open(filepath.Join(t.TempDir(), "ambit"), os.Geteuid())
		if err != nil {
			t.Fatal(err)
		}
		unlock, held := dir.TryLock("key")
		if !held {
			t.Fatal("a lock that nobody has is not to be had")
		}
		var said strings.Builder
		a := &ambit{process: process{stderr: &said}, cacheDir: dir}
		if _, err := a.lockEntry(t.Context(), "key"); err == nil || hintOf(err) == "" {
			t.Errorf("%v", err)
		}
		if n := strings.Count(said.String(), "ambit: waiting for another process"); n != 1 {
			t.Errorf("said %d times that it waits: %q", n, said.String())
		}
		unlock()
		mine, err := a.lockEntry(t.Context(), "key")
		if err != nil {
			t.Fatal(err)
		}
		mine()
	})
}
