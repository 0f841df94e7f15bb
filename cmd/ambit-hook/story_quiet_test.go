package main_test

import (
	"strings"
	"testing"
)

// TestPromptStartsNothing counts, in a terminal, what an idle prompt costs: with
// an environment of four watched files and a deadline loaded, and outside.
func TestPromptStartsNothing(t *testing.T) {
	t.Parallel()
	strace := need(t, "strace")
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		h.cloud()
		h.write("home/.config/ambit/config.yaml", "hook: {timeout: 5s}\n")
		log := h.path("strace")
		rc := rcFile[sh]
		h.write(rc.name, rc.text+rc.hook)
		tm := h.start(sh, strace, "-f", "-qq", "-s", "4096", "-e", "trace=clone,clone3,fork,vfork,execve", "-o", log, need(t, string(sh)), "-i")
		tm.prompted()
		mark := func(name string) { tm.run("dumpenv " + h.path(name)) }
		idle := func() {
			for range 20 {
				tm.want("")
			}
		}
		mark("one")
		idle()
		tm.want("cd /usr")
		tm.want("cd /usr/bin")
		mark("two")
		tm.cd("home/shop", "ambit: shop/dev loaded (+6) · credentials for 59m")
		mark("three")
		idle()
		tm.want("cd .")
		mark("four")
		tm.send("exit\r")
		tm.waitEnd()
		text := h.read("strace")
		for _, part := range [][2]string{{"one", "two"}, {"three", "four"}} {
			var calls []string
			between := false
			for line := range strings.Lines(text) {
				if strings.Contains(line, `"`+h.path(part[0])+`"]`) {
					between, calls = true, nil
				} else if strings.Contains(line, `"`+h.path(part[1])+`"]`) {
					break
				} else if between && started.MatchString(line) && !strings.Contains(line, "CLONE_THREAD") {
					calls = append(calls, line)
				}
			}
			// One process is the one that becomes the later mark.
			if !between || len(calls) != 1 || strings.Contains(calls[0], "execve") {
				t.Errorf("%s: between the marks %s and %s were started:\n%s", sh, part[0], part[1], strings.Join(calls, ""))
			}
		}
		if !strings.Contains(text, "/ambit-hook\", ") {
			t.Errorf("%s: the count does not even see the load", sh)
		}
	})
}
