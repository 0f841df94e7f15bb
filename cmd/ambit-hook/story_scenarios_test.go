package main_test

import "testing"

func TestFirst(t *testing.T) {
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		h.project("home/shop", "values: {environmentVariables: {A: 1}}\n")
		tm := h.open(sh)
		before := tm.env()
		tm.cd("home/shop", "ambit: .envrc.yaml is not allowed here", `ambit: hint: run "ambit allow" to see what it would load`)
		tm.want("")
		tm.want("echo hi", "hi")
		tm.cd("home")
		tm.same("after", tm.env(), before)
		_, status := tm.run("false")
		if status != 1 {
			t.Error(status)
		}
		t.Log(tm.transcript())
	})
}
