package main_test

import (
	"os"
	"strings"
	"testing"
)

var commandScenarios = []scenario{
	{"run in another directory", []int{27}, runElsewhere},
	{"the same bytes twice", []int{44}, sameBytesTwice},
	{"status exits 0", nil, statusAnswers},
}

func runElsewhere(t *testing.T, h *house, sh shell) {
	h.loaded("home/a", "path: [bin]\nvalues: {environmentVariables: {BOTH: a, ONLY_A: a}}\n")
	b := h.loaded("home/b", "path: [bin]\nvalues: {environmentVariables: {BOTH: b, ONLY_B: b}}\n")
	h.env["BOTH"] = "outside"
	tm := h.open(sh)
	path := tm.env()["PATH"]
	tm.cd("home/a", "ambit: a loaded (+1 ~2)")
	loaded := tm.env()
	env := tm.envAfter("ambit run -C " + b + " -- ")
	tm.holds(env, "BOTH", "b", "ONLY_A", unset, "ONLY_B", "b", "PATH", b+"/bin:"+path, "AMBIT_ENV", "b", "AMBIT_DIR", b)
	tm.same("after run", tm.env(), loaded)
	if _, status := tm.run("ambit run -C " + b + " -- sh -c 'exit 42'"); status != 42 {
		t.Errorf("%s: the status of the command is %d, want 42", sh, status)
	}
	if _, status := tm.run("ambit run -C " + b + " -- sh -c 'kill -TERM $$'"); status != 128+15 {
		t.Errorf("%s: the status of a killed command is %d, want 143", sh, status)
	}
	if _, status := tm.run("ambit run -C " + b + " -- no-such-command"); status != 127 {
		t.Errorf("%s: the status without a command is %d, want 127", sh, status)
	}
	if _, status := tm.run("ambit run -C " + h.path("home") + " -- true"); status != 125 {
		t.Errorf("%s: the status without an environment is %d, want 125", sh, status)
	}
	// The command has the terminal, and Ctrl-C is its own.
	tm.typeLine("ambit run -C " + b + ` -- sh -c 'trap "echo got INT; exit 9" INT; test -t 0 && test -t 1 && echo at the ter""minal; read x'`)
	tm.expect("at the terminal")
	tm.interrupt()
	tm.expect("got INT")
	if _, status := tm.prompted(); status != 9 {
		t.Errorf("%s: status %d after Ctrl-C, want 9", sh, status)
	}
}

func sameBytesTwice(t *testing.T, h *house, sh shell) {
	h.env["REPLACED"] = "outside"
	dir := h.loaded("home/shop", "path: [bin]\nunset: [GONE]\nvalues: {environmentVariables: {A: 1, B: 2, C: 3, REPLACED: x}}\n")
	ask := func() string {
		r := h.run(dir, built+"/ambit-hook", string(sh))
		if r.status != 0 || !strings.HasSuffix(r.stdout, "\n#ambit:ok\n") {
			t.Fatalf("status %d, %q", r.status, r.stdout)
		}
		return r.stdout
	}
	ask() // resolves
	first := ask()
	for range 5 {
		if again := ask(); again != first {
			t.Fatalf("%s: two answers to one question:\n%s\n%s", sh, first, again)
		}
	}
	for _, c := range []byte(first) {
		if c != '\n' && (c < ' ' || c > '~') {
			t.Fatalf("%s: byte %#x in the answer", sh, c)
		}
	}
}

func statusAnswers(t *testing.T, h *house, sh shell) {
	h.loaded("home/shop", "values: {environmentVariables: {A: 1}}\n")
	h.project("home/blocked", "values: {environmentVariables: {A: 1}}\n")
	tm := h.open(sh)
	for _, dir := range []string{"home", "home/shop", "home/blocked"} {
		tm.run("cd " + quoted(h.path(dir)))
		file := h.path("status.json")
		if out, status := tm.run("ambit status --format json >" + file); status != 0 || out != "" {
			t.Errorf("%s: status in %s: %d, %q", sh, dir, status, out)
		}
		b, err := os.ReadFile(file)
		must(t, err)
		want := map[string]string{"home": `"none"`, "home/shop": `"loaded"`, "home/blocked": `"blocked"`}[dir]
		if !strings.Contains(string(b), want) {
			t.Errorf("%s: status in %s is %s, want state %s", sh, dir, b, want)
		}
	}
}
