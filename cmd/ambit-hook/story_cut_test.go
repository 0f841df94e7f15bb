package main_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCutAtEveryByte: a binary that is killed while it writes changes nothing,
// wherever it was cut and although its status is 0.
func TestCutAtEveryByte(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		h.env["REPLACED"] = "outside"
		dir := h.loaded("home/shop", "path: [bin]\nunset: [REPLACED]\nvalues: {environmentVariables: {A: \"#ambit:ok\", B: \"x\\n#ambit:ok\\ny\"}}\n")
		bin := h.path("bin")
		must(t, os.Mkdir(bin, 0o755))
		must(t, os.Link(filepath.Join(built, "ambit"), filepath.Join(bin, "ambit")))
		must(t, os.Link(filepath.Join(built, "dumpenv"), filepath.Join(bin, "ambit-hook")))
		h.env["PATH"] = bin + ":" + h.env["PATH"]
		// The answer is the real one.
		h.run("home/shop", filepath.Join(built, "ambit-hook"), string(sh))
		real := h.run("home/shop", filepath.Join(built, "ambit-hook"), string(sh))
		if real.status != 0 || !strings.Contains(real.stdout, map[bool]string{true: "set -gx A ", false: "__ambit_set A "}[sh == "fish"]) || !strings.HasSuffix(real.stdout, "\n#ambit:ok\n") {
			t.Fatalf("the real answer: %+v", real)
		}
		answer := strings.TrimSuffix(real.stdout, "\n")
		h.write("bin/answer", answer)
		tm := h.open(sh)
		before := tm.env()
		must(t, os.RemoveAll(filepath.Join(bin, "calls")))

		tm.run("cd " + quoted(dir))
		calls := func() int {
			info, err := os.Stat(filepath.Join(bin, "calls"))
			must(t, err)
			return int(info.Size())
		}
		// A prompt that got no answer asks again: each Return is the next cut.
		for n := calls(); n < len(answer); n = calls() {
			batch := min(50, len(answer)-n)
			tm.send(strings.Repeat("\r", batch))
			for range batch {
				tm.prompted()
			}
			if now := calls(); now != n+batch {
				t.Fatalf("%s: %d calls at %d prompts", sh, now-n, batch)
			}
		}
		// And the whole answer is what changes it.
		tm.run("")
		for n := range len(answer) + 1 {
			env := parseEnviron(h.read(fmt.Sprint("bin/environ-", n)))
			if !maps.Equal(env, before) {
				t.Fatalf("%s: before call %d of %q: the environment is %q", sh, n, answer, env)
			}
		}
		tm.holds(tm.env(), "A", "#ambit:ok", "B", "x\n#ambit:ok\ny", "REPLACED", unset, "PATH", dir+"/bin:"+before["PATH"])
	})
}
