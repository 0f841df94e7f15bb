package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// cutter stands in for ambit-hook: call number N prints the first N bytes of an
// answer, and notes if the environment it was called in is not the one before.
// Its files lie in the directory in which it is called.
func cutter() error {
	dir := filepath.Dir(os.Args[0])
	answer, err := os.ReadFile(filepath.Join(dir, "answer"))
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(dir, "calls"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	info, err := log.Stat()
	if err != nil {
		return err
	}
	n := int(info.Size()) // a byte for each call
	want, err := os.ReadFile(filepath.Join(dir, "before"))
	if err != nil {
		return err
	}
	if got := environText(parseEnviron(strings.Join(os.Environ(), "\x00"))); got != string(want) {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("changed-", n)), []byte(got), 0o600); err != nil {
			return err
		}
	}
	if _, err := log.WriteString("x"); err != nil {
		return err
	}
	_, err = os.Stdout.Write(answer[:min(n, len(answer))])
	return err
}

// environText is an environment as sorted lines, quoted.
func environText(env map[string]string) string {
	var list []string
	for name, value := range env {
		list = append(list, fmt.Sprintf("%s=%q\n", name, value))
	}
	slices.Sort(list)
	return strings.Join(list, "")
}

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
		h.write("bin/before", environText(before))
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
		if changed, err := filepath.Glob(filepath.Join(bin, "changed-*")); err != nil || len(changed) > 0 {
			t.Fatalf("%s: the environment changed after %d cuts: %s: %s\n%s", sh, len(changed), filepath.Base(changed[0]), strconv.Quote(answer), h.read(changed[0]))
		}
		// And the whole answer is what changes it.
		tm.run("")
		tm.holds(tm.env(), "A", "#ambit:ok", "B", "x\n#ambit:ok\ny", "REPLACED", unset, "PATH", dir+"/bin:"+before["PATH"])
	})
}
