package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// maxMemory is what a process may have at most for 1000 values, in KiB.
const maxMemory = 30 << 10

// TestMemory measures the processes that resolve a definition of 1000 values.
func TestMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		missing(t, "the memory of a process is measured in KiB on Linux alone")
	}
	h := newHouse(t)
	var b strings.Builder
	b.WriteString("values:\n  base: x\n  environmentVariables:\n")
	for i := range 250 {
		fmt.Fprintf(&b, "    TEXT_%d: value number %d\n    COPY_%d: ${base}\n    URL_%d: https://${base}.example.com/%d\n    NUMBER_%d: %d\n", i, i, i, i, i, i, i)
	}
	h.environment("shop/large", b.String())
	dir := h.loaded("home/shop", b.String())
	maxrss := h.path("maxrss")
	must(t, os.Symlink(filepath.Join(built, "dumpenv"), maxrss))
	for _, args := range [][]string{{"open", "shop/large"}, {"open", "shop/large", "--format", "bash"}, {"check", "shop/large"}, {"resolve", dir}} {
		r := h.run("home", maxrss, append([]string{filepath.Join(built, "ambit")}, args...)...)
		kib, err := strconv.Atoi(strings.TrimSpace(r.stdout))
		if err != nil || r.status != 0 {
			t.Fatalf("ambit %q: status %d, %q %q", args, r.status, r.stdout, r.stderr)
		}
		t.Logf("ambit %s: %.1f MiB", args[0], float64(kib)/1024)
		if kib > maxMemory {
			t.Errorf("ambit %q takes %d KiB, more than %d", args, kib, maxMemory)
		}
	}
}
