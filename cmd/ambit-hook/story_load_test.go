package main_test

import (
	"os"
	"strings"
	"testing"
)

var loadScenarios = []scenario{
	{"load, stay, reload, leave", []int{1, 2, 3, 4}, loadStayReloadLeave},
	{"an import is edited", []int{5}, importEdited},
	{"inner adds and removes", []int{9}, innerInherits},
	{"nearest wins", []int{23}, nearestWins},
	{"the user's own AMBIT variables", []int{10}, ownAmbitVariables},
	{"helper values are not exported", []int{16}, helperNotExported},
	{"a value that the user changed", []int{39}, usersChangeSurvives},
	{"straight into another project", nil, switchProjects},
}

func loadStayReloadLeave(t *testing.T, h *house, sh shell) {
	h.env["REPLACED"], h.env["REMOVED"] = "outside", "outside"
	h.environment("shop/dev", "values: {environmentVariables: {GREETING: hello, REPLACED: inside}}\n")
	dir := h.loaded("home/shop", "environment: shop/dev\npath: [bin]\nunset: [REMOVED]\n")
	must(t, os.MkdirAll(dir+"/a/b", 0o755))
	tm := h.open(sh)
	before := tm.env()

	tm.cd("home/shop", "ambit: shop/dev loaded (+1 ~2 -1)")
	loaded := tm.env()
	tm.holds(loaded, "GREETING", "hello", "REPLACED", "inside", "REMOVED", unset, "PATH", dir+"/bin:"+before["PATH"],
		"AMBIT_ENV", "shop/dev", "AMBIT_DIR", dir, "AMBIT_EXPIRES", unset)
	tm.want("")
	tm.want("echo again", "again")
	tm.cd("home/shop/a/b")
	tm.same("below", tm.env(), loaded)
	tm.cd("home/shop")

	h.environment("shop/dev", "values: {environmentVariables: {GREETING: good evening, SECOND: 2}}\n")
	tm.want("", "ambit: shop/dev reloaded (+2 ~1 -1)")
	tm.holds(tm.env(), "GREETING", "good evening", "SECOND", "2", "REPLACED", "outside", "REMOVED", unset)
	tm.want("")

	tm.cd("home", "ambit: shop/dev unloaded")
	tm.same("after leaving", tm.env(), before)
	tm.want("")
	tm.cd("home/shop/a", "ambit: shop/dev loaded (+2 ~1 -1)")
	tm.cd("home", "ambit: shop/dev unloaded")
	tm.same("after leaving again", tm.env(), before)
}

func importEdited(t *testing.T, h *house, sh shell) {
	h.environment("shop/base", "values: {environmentVariables: {BASE: 1}}\n")
	h.environment("shop/dev", "imports: [shop/base]\nvalues: {environmentVariables: {DEV: 1}}\n")
	h.loaded("home/shop", "environment: shop/dev\n")
	tm := h.open(sh)
	tm.cd("home/shop", "ambit: shop/dev loaded (+2)")
	h.environment("shop/base", "values: {environmentVariables: {BASE: 2, MORE: 3}}\n")
	tm.want("", "ambit: shop/dev reloaded (+3)")
	tm.holds(tm.env(), "BASE", "2", "MORE", "3", "DEV", "1")
	// An older file under the same name, as a backup restores it, is an edit too.
	path := h.environment("shop/base", "values: {environmentVariables: {BASE: 3}}\n")
	old := h.now.Add(-100 * 24 * 3600e9)
	must(t, os.Chtimes(path, old, old))
	tm.want("", "ambit: shop/dev reloaded (+2)")
	tm.holds(tm.env(), "BASE", "3", "MORE", unset)
}

func innerInherits(t *testing.T, h *house, sh shell) {
	h.loaded("home/outer", "values: {environmentVariables: {A: a, R: r}}\n")
	h.loaded("home/outer/inner", "inherit: true\nunset: [R]\nvalues: {environmentVariables: {B: b}}\n")
	tm := h.open(sh)
	before := tm.env()
	tm.cd("home/outer", "ambit: outer loaded (+2)")
	tm.holds(tm.env(), "A", "a", "R", "r", "B", unset)
	tm.cd("home/outer/inner", "ambit: inner loaded (+2)")
	tm.holds(tm.env(), "A", "a", "R", unset, "B", "b")
	tm.cd("home/outer", "ambit: outer loaded (+2)")
	tm.holds(tm.env(), "A", "a", "R", "r", "B", unset)
	tm.cd("home", "ambit: outer unloaded")
	tm.same("after leaving", tm.env(), before)
}

func nearestWins(t *testing.T, h *house, sh shell) {
	h.loaded("home/outer", "values: {environmentVariables: {A: outer, ONLY_OUTER: 1}}\n")
	h.loaded("home/outer/x/inner", "values: {environmentVariables: {A: inner}}\n")
	tm := h.open(sh)
	tm.cd("home/outer/x", "ambit: outer loaded (+2)")
	tm.cd("home/outer/x/inner", "ambit: inner loaded (+1)")
	tm.holds(tm.env(), "A", "inner", "ONLY_OUTER", unset)
}

func ownAmbitVariables(t *testing.T, h *house, sh shell) {
	h.env["AMBIT_MINE"] = "kept"
	h.loaded("home/shop", "values: {environmentVariables: {A: 1}}\n")
	h.project("home/bad", "values:\n  environmentVariables:\n    AMBIT_MINE: taken\n")
	tm := h.open(sh)
	before := tm.env()
	tm.cd("home/shop", "ambit: shop loaded (+1)")
	tm.holds(tm.env(), "AMBIT_MINE", "kept")
	tm.cd("home", "ambit: shop unloaded")
	tm.same("after leaving", tm.env(), before)
	r := h.ambit("allow", "-y", h.path("home/bad"))
	if r.status == 0 || !strings.Contains(r.stderr, "bad/.envrc.yaml:3:5: ") || !strings.Contains(r.stderr, "AMBIT_MINE") {
		t.Errorf("allow of a file that sets AMBIT_MINE: status %d, %q", r.status, r.stderr)
	}
}

func helperNotExported(t *testing.T, h *house, sh shell) {
	h.loaded("home/shop", "values:\n  helper: part\n  environmentVariables: {WHOLE: \"${helper}s\"}\n")
	tm := h.open(sh)
	tm.cd("home/shop", "ambit: shop loaded (+1)")
	env := tm.env()
	tm.holds(env, "WHOLE", "parts")
	for name, value := range env {
		if strings.EqualFold(name, "helper") || value == "part" {
			t.Errorf("the helper value is exported as %s", name)
		}
	}
}

func usersChangeSurvives(t *testing.T, h *house, sh shell) {
	h.env["REPLACED"] = "outside"
	dir := h.loaded("home/shop", "path: [bin]\nvalues: {environmentVariables: {A: ours, B: ours, REPLACED: ours}}\n")
	tm := h.open(sh)
	path := tm.env()["PATH"]
	tm.cd("home/shop", "ambit: shop loaded (+2 ~2)")
	set := map[shell]string{"fish": "set -gx A mine; set -e B; set -gx PATH $PATH /added"}[sh]
	if set == "" {
		set = "A=mine; unset B; PATH=$PATH:/added"
	}
	tm.want(set)
	tm.want("")
	tm.holds(tm.env(), "A", "mine", "B", unset, "PATH", dir+"/bin:"+path+":/added")
	tm.cd("home", "ambit: shop unloaded")
	tm.holds(tm.env(), "A", "mine", "B", unset, "REPLACED", "outside", "PATH", path+":/added")
}

func switchProjects(t *testing.T, h *house, sh shell) {
	h.env["BOTH"] = "outside"
	h.loaded("home/a", "path: [bin]\nvalues: {environmentVariables: {BOTH: a, ONLY_A: a}}\n")
	b := h.loaded("home/b", "path: [bin]\nvalues: {environmentVariables: {BOTH: b, ONLY_B: b}}\n")
	tm := h.open(sh)
	before := tm.env()
	tm.cd("home/a", "ambit: a loaded (+1 ~2)")
	tm.cd("home/b", "ambit: b loaded (+1 ~2)")
	tm.holds(tm.env(), "BOTH", "b", "ONLY_A", unset, "ONLY_B", "b", "PATH", b+"/bin:"+before["PATH"], "AMBIT_ENV", "b")
	tm.cd("home", "ambit: b unloaded")
	tm.same("after leaving", tm.env(), before)
}
