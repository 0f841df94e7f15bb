package main_test

import (
	"strings"
	"testing"

	"ambit/resolver/aws/awstest"
)

// Ctrl-\ while an environment is resolved is an interrupt: Go's own answer is a
// stack of every goroutine over the terminal.
func TestQuit(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		s := h.cloud()
		must(t, s.Update(func(k *awstest.Knobs) { k.Outage = awstest.Silent }))
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
