package main_test

import (
	"strings"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

// muteHouse is a house with a cloud environment whose STS does not answer.
func muteHouse(t *testing.T) (*house, *awstest.Server) {
	t.Helper()
	h := newHouse(t)
	s := h.cloud()
	must(t, s.Update(func(k *awstest.Knobs) { k.Outage = awstest.Silent }))
	return h, s
}

// TestInterrupt: Ctrl-C while an environment is resolved. Scenario 36.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h, s := muteHouse(t)
		tm := h.open(sh)
		before := tm.env()
		for _, times := range []int{1, 2} {
			calls := assumed(s)
			tm.typeLine("cd " + quoted(h.path("home/shop")))
			tm.expect("ambit: resolving . …")
			start := time.Now()
			for range times {
				tm.interrupt()
			}
			out, _ := tm.prompted()
			if took := time.Since(start); took > time.Second {
				t.Errorf("%s: the prompt came %s after Ctrl-C", sh, took)
			}
			if n := assumed(s) - calls; n != 1 {
				t.Errorf("%s: %d calls of STS for one interrupted load", sh, n)
			}
			// What it says comes with this prompt or, where the shell draws it
			// before it asks again, with the next.
			again, _ := tm.run("")
			if n := strings.Count(out+again, "ambit: resolving .envrc.yaml was interrupted\n"); n > 1 {
				t.Errorf("%s: said %d times that it was interrupted: %q", sh, n, out+again)
			}
			tm.want("")
			tm.want("echo alive", "alive")
			env := tm.env()
			delete(env, "AMBIT_STATE")
			tm.same("interrupted", env, before)
			h.left(2*time.Second, tm.pid())
			if n := assumed(s) - calls; n != 1 {
				t.Errorf("%s: %d calls of STS after an interrupted load", sh, n)
			}
			tm.run("cd " + quoted(h.home))
			tm.same("after leaving", tm.env(), before)
			if r := h.ambit("cache", "clear"); r.status != 0 {
				t.Fatalf("%+v", r)
			}
		}
		// STS is back: a reload does not wait for the end of the back-off.
		must(t, s.Update(func(k *awstest.Knobs) { k.Outage = awstest.Silent }))
		tm.typeLine("cd " + quoted(h.path("home/shop")))
		tm.expect("ambit: resolving . …")
		tm.interrupt()
		tm.prompted()
		must(t, s.Update(func(k *awstest.Knobs) { k.Outage = awstest.Up }))
		out, _ := tm.run("ambit reload")
		if !strings.Contains(out, "ambit: shop/dev loaded (+6) · credentials for 59m\n") {
			t.Errorf("%s: after reload: %q", sh, out)
		}
	})
}

// From one environment into another that does not come: the old one does not
// pretend to be the new one's, and nothing is lost.
func TestInterruptedSwitch(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h, _ := muteHouse(t)
		h.env["BOTH"] = "outside"
		h.loaded("home/a", "values: {environmentVariables: {BOTH: a, ONLY_A: a}}\n")
		tm := h.open(sh)
		before := tm.env()
		tm.cd("home/a", "ambit: a loaded (+1 ~1)")
		tm.typeLine("cd ../shop")
		tm.expect("ambit: resolving . …")
		tm.interrupt()
		tm.prompted()
		tm.run("")
		tm.holds(tm.env(), "AWS_ACCESS_KEY_ID", unset)
		tm.cd("home/a", "ambit: a loaded (+1 ~1)")
		tm.holds(tm.env(), "BOTH", "a", "ONLY_A", "a")
		tm.cd("home", "ambit: a unloaded")
		tm.same("after leaving", tm.env(), before)
		h.left(2*time.Second, tm.pid())
	})
}

// A terminal that is closed while an environment is resolved leaves nothing that
// still runs.
func TestTerminalClosed(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h, _ := muteHouse(t)
		tm := h.open(sh)
		tm.typeLine("cd shop")
		tm.expect("ambit: resolving . …")
		must(t, tm.pty.Close())
		h.left(2 * time.Second)
	})
}

// Ctrl-\ while an environment is resolved is an interrupt: Go's own answer is a
// stack of every goroutine over the terminal.
func TestQuit(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h, _ := muteHouse(t)
		tm := h.open(sh)
		tm.typeLine("cd " + quoted(h.path("home/shop")))
		tm.expect("ambit: resolving . …")
		tm.send("\x1c")
		out, _ := tm.prompted()
		again, _ := tm.run("")
		if strings.Contains(out+again, "goroutine") || strings.Contains(out+again, "SIGQUIT") {
			t.Errorf("%s: %.300q", sh, out+again)
		}
		tm.want("echo alive", "alive")
	})
}
