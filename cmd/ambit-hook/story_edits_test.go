package main_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

var editScenarios = []scenario{
	{"an import is missing", []int{17}, importMissing},
	{"a failure is not tried again", []int{21}, failureNotRetried},
	{"allow pins imports", []int{25}, allowPinsImports},
	{"two edits in a second", []int{38}, twoEditsInASecond},
	{"deny", nil, denied},
}

func importMissing(t *testing.T, h *house, sh shell) {
	h.project("home/file", "imports:\n  - ./gone.yaml\n")
	r := h.ambit("allow", "-y", h.path("home/file"))
	if r.status == 0 || !strings.HasPrefix(r.stderr, "ambit: error: file/.envrc.yaml:2:5: ") || !strings.Contains(r.stderr, "gone.yaml") {
		t.Errorf("allow: status %d, %q", r.status, r.stderr)
	}
	// It goes after it was allowed.
	path := h.environment("shop/base", "values: {environmentVariables: {A: 1}}\n")
	h.loaded("home/shop", "environment: shop/base\n")
	tm := h.open(sh)
	before := tm.env()
	tm.cd("home/shop", "ambit: shop/base loaded (+1)")
	must(t, os.Remove(path))
	out, _ := tm.run("")
	if got := lines(out); len(got) < 2 || len(got) > 3 || got[0] != "ambit: shop/base unloaded" || !like(got[1], []string{`ambit: error: .envrc.yaml:1:14: …"shop/base"…`}) {
		t.Errorf("%s: %q", sh, got)
	}
	tm.want("")
	env := tm.env()
	delete(env, "AMBIT_STATE")
	tm.same("without the import", env, before)
	h.environment("shop/base", "values: {environmentVariables: {A: 2}}\n")
	tm.want("", "ambit: shop/base loaded (+1)")
	tm.holds(tm.env(), "A", "2")
}

func failureNotRetried(t *testing.T, h *house, sh shell) {
	log := h.path("calls")
	h.environment("shop/dev", `
values:
  environmentVariables:
    A:
      fn::open::command: {command: [sh, -c, "echo x >>`+log+`; exit 3"]}
`)
	h.loaded("home/shop", "environment: shop/dev\n")
	calls := func() int {
		b, err := os.ReadFile(log)
		must(t, err)
		return len(lines(string(b)))
	}
	tm := h.open(sh)
	out, status := tm.run("cd shop")
	if got := lines(out); len(got) != 2 || !like(got[0], []string{"ambit: error: ….config/ambit/environments/shop/dev.yaml:5:…"}) || status != 0 {
		t.Errorf("%s: %q, status %d", sh, got, status)
	}
	first := calls()
	for range 3 {
		tm.want("")
	}
	tm.cd("home")
	tm.run("cd shop")
	another := h.open(sh)
	another.run("cd shop")
	another.want("")
	if n := calls(); n != first || n != 1 {
		t.Errorf("%s: the command ran %d times at first and %d times in all, want once", sh, first, n)
	}
	h.environment("shop/dev", "values: {environmentVariables: {A: 1}}\n")
	tm.want("", "ambit: shop/dev loaded (+1)")
	another.want("", "ambit: shop/dev loaded (+1)")
}

func allowPinsImports(t *testing.T, h *house, sh shell) {
	h.write("home/shop/base.yaml", "values: {environmentVariables: {A: 1}}\n")
	h.loaded("home/shop", "imports: [./base.yaml]\n")
	tm := h.open(sh)
	tm.cd("home/shop", "ambit: shop loaded (+1)")
	h.write("home/shop/base.yaml", "values: {environmentVariables: {A: evil}}\n")
	tm.want("", "ambit: shop unloaded", "ambit: .envrc.yaml has changed since it was allowed", `ambit: hint: run "ambit allow" to see the difference`)
	tm.want("")
	tm.holds(tm.env(), "A", unset)
	h.allow("home/shop")
	tm.want("", "ambit: shop loaded (+1)")
	tm.holds(tm.env(), "A", "evil")
}

// The same time on a file that has another content: a coarse clock's doing.
func twoEditsInASecond(t *testing.T, h *house, sh shell) {
	path := h.environment("shop/dev", "values: {environmentVariables: {A: 0}}\n")
	h.loaded("home/shop", "environment: shop/dev\n")
	tm := h.open(sh)
	now := time.Now().Truncate(time.Second)
	must(t, os.Chtimes(path, now, now))
	tm.cd("home/shop", "ambit: shop/dev loaded (+1)")
	for i := 1; i <= 3 && time.Since(now) < 2*time.Second; i++ {
		must(t, os.WriteFile(path, []byte("values: {environmentVariables: {A: "+strconv.Itoa(i)+"}}\n"), 0o644))
		must(t, os.Chtimes(path, now, now))
		tm.want("", "ambit: shop/dev reloaded (+1)")
		tm.holds(tm.env(), "A", strconv.Itoa(i))
	}
}

func denied(t *testing.T, h *house, sh shell) {
	h.loaded("home/shop", "values: {environmentVariables: {A: 1}}\n")
	tm := h.open(sh)
	before := tm.env()
	tm.cd("home/shop", "ambit: shop loaded (+1)")
	out, _ := tm.run("ambit deny")
	if !strings.Contains(out, "ambit: shop unloaded\n") {
		t.Errorf("%s: after deny: %q", sh, out)
	}
	tm.want("")
	env := tm.env()
	delete(env, "AMBIT_STATE")
	tm.same("denied", env, before)
	// allow on the terminal asks, and lifts it.
	tm.typeLine("ambit allow")
	tm.expect("A")
	tm.expect("[y/N]")
	tm.typeLine("y")
	out, _ = tm.prompted()
	if !strings.Contains(out, "ambit: shop loaded (+1)\n") {
		t.Errorf("%s: after allow: %q", sh, out)
	}
}
