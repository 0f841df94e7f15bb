package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var pathScenarios = []scenario{
	{"odd names of directories", []int{6, 7, 8, 20}, oddDirectories},
	{"a link is turned elsewhere", []int{18}, linkRetargeted},
	{"allow by a link", []int{19}, allowByLink},
	{"a file appears", []int{22}, fileAppears},
	{"the directory is deleted", []int{28}, directoryDeleted},
	{"the loaded file is gone", []int{37}, fileGone},
	{"a neighbour of a trusted directory", []int{42}, trustedNeighbour},
	{"an odd path of the program", []int{43}, oddProgramPath},
}

func oddDirectories(t *testing.T, h *house, sh shell) {
	for _, locale := range []string{"C", "C.UTF-8"} {
		h.env["LC_ALL"] = locale
		for _, name := range []string{"a b", "$test", `back\sl\\ash\`, "♀♂", "'", `"`, "`id`", "$(id)", "-x", "*", "~", " ", "a=b", "!!", "esc\x1b[31m", "bad\xff"} {
			if sh == "fish" && locale == "C" && strings.IndexFunc(name, func(r rune) bool { return r > '~' }) >= 0 {
				continue // where fish 3.6 itself cannot go
			}
			dir := h.project("home/odd/"+name, "path: [bin]\nvalues: {environmentVariables: {A: 1}}\n")
			h.allow(dir)
			h.env["HERE"] = dir
			tm := h.open(sh)
			before := tm.env()
			tm.want(`cd -- "$HERE"`, "ambit: … loaded (+1 ~1)")
			tm.holds(tm.env(), "A", "1", "AMBIT_DIR", dir, "PATH", dir+"/bin:"+before["PATH"])
			tm.want("")
			if strings.Contains(tm.transcript(), "\x1b[31m") {
				t.Errorf("%s: the terminal got the name as it is: %q", sh, name)
			}
			tm.cd("home", "ambit: … unloaded")
			tm.same("after leaving", tm.env(), before)
			if t.Failed() {
				t.Fatalf("%s, %s: %q", sh, locale, name)
			}
		}
	}
}

func linkRetargeted(t *testing.T, h *house, sh shell) {
	// The file is a link.
	dir := h.path("home/shop")
	h.write("home/shop/one.yaml", "values: {environmentVariables: {A: one}}\n")
	h.write("home/shop/two.yaml", "values: {environmentVariables: {A: two}}\n")
	must(t, os.Symlink("one.yaml", dir+"/.envrc.yaml"))
	h.allow(dir)
	tm := h.open(sh)
	tm.cd("home/shop", "ambit: shop loaded (+1)")
	h.relink("two.yaml", dir+"/.envrc.yaml")
	tm.want("", "ambit: shop unloaded", "ambit: .envrc.yaml has changed since it was allowed", `ambit: hint: run "ambit allow" to see the difference`)
	tm.holds(tm.env(), "A", unset)
	h.relink("one.yaml", dir+"/.envrc.yaml")
	tm.want("", "ambit: shop loaded (+1)")
	tm.holds(tm.env(), "A", "one")
	tm.cd("home", "ambit: shop unloaded")

	// The directory is one: the shell stays where it is, until it goes there again.
	h.loaded("home/a", "values: {environmentVariables: {A: a}}\n")
	h.loaded("home/b", "values: {environmentVariables: {A: b}}\n")
	link := h.path("home/link")
	must(t, os.Symlink("a", link))
	tm.cd("home/link", "ambit: a loaded (+1)")
	h.relink("b", link)
	tm.want("")
	tm.holds(tm.env(), "A", "a")
	tm.cd("home/link", "ambit: b loaded (+1)")
	tm.holds(tm.env(), "A", "b")
}

// relink turns a link elsewhere in one step.
func (h *house) relink(to, link string) {
	h.t.Helper()
	must(h.t, os.Symlink(to, link+".new"))
	must(h.t, os.Rename(link+".new", link))
}

func allowByLink(t *testing.T, h *house, sh shell) {
	h.project("home/real", "values: {environmentVariables: {A: 1}}\n")
	must(t, os.Symlink("real", h.path("home/link")))
	h.allow("home/link")
	tm := h.open(sh)
	tm.cd("home/real", "ambit: real loaded (+1)")
	tm.cd("home/link")
	tm.holds(tm.env(), "A", "1", "AMBIT_DIR", h.path("home/real"))
	tm.cd("home", "ambit: real unloaded")
	tm.cd("home/link", "ambit: real loaded (+1)")
}

func fileAppears(t *testing.T, h *house, sh shell) {
	must(t, os.MkdirAll(h.path("home/shop/deep/er"), 0o755))
	tm := h.open(sh)
	tm.cd("home/shop/deep/er")
	h.project("home/shop", "values: {environmentVariables: {A: outer}}\n")
	notAllowed := []string{"ambit: ../../.envrc.yaml is not allowed here", `ambit: hint: run "ambit allow" to see what it would load`}
	tm.want("", notAllowed...)
	tm.want("")
	h.allow("home/shop")
	tm.want("", "ambit: shop loaded (+1)")
	h.project("home/shop/deep", "values: {environmentVariables: {A: inner}}\n")
	tm.want("", "ambit: shop unloaded", "ambit: ../.envrc.yaml is not allowed here", notAllowed[1])
	h.allow("home/shop/deep")
	tm.want("", "ambit: deep loaded (+1)")
	tm.holds(tm.env(), "A", "inner")
	must(t, os.Remove(h.path("home/shop/deep/.envrc.yaml")))
	tm.want("", "ambit: shop loaded (+1)")
	tm.holds(tm.env(), "A", "outer")

	// An environment of an earlier store would win.
	h.env["AMBIT_STORES"] = h.path("home/first") + ":" + h.path("home/second")
	h.write("home/second/app/dev.yaml", "values: {environmentVariables: {A: second}}\n")
	h.loaded("home/app", "environment: app/dev\n")
	tm = h.open(sh)
	tm.cd("home/app", "ambit: app/dev loaded (+1)")
	tm.holds(tm.env(), "A", "second")
	h.write("home/first/app/dev.yaml", "values: {environmentVariables: {A: first}}\n")
	tm.want("", "ambit: app/dev reloaded (+1)")
	tm.holds(tm.env(), "A", "first")
}

func directoryDeleted(t *testing.T, h *house, sh shell) {
	dir := h.loaded("home/shop", "values: {environmentVariables: {A: 1}}\n")
	tm := h.open(sh)
	before := tm.env()
	tm.cd("home/shop", "ambit: shop loaded (+1)")
	must(t, os.RemoveAll(dir))
	out, status := tm.run("")
	if !strings.Contains(out, "ambit: shop unloaded\n") || status != 0 {
		t.Errorf("%s: %q, status %d", sh, out, status)
	}
	tm.want("")
	tm.want("echo alive", "alive")
	tm.cd("home")
	tm.same("after leaving", tm.env(), before)
}

func fileGone(t *testing.T, h *house, sh shell) {
	dir := h.loaded("home/shop", "values: {environmentVariables: {A: 1}}\n")
	tm := h.open(sh)
	before := tm.env()
	tm.cd("home/shop", "ambit: shop loaded (+1)")
	must(t, os.Remove(dir+"/.envrc.yaml"))
	tm.want("", "ambit: shop unloaded")
	tm.same("after the file went", tm.env(), before)
	h.project("home/shop", "values: {environmentVariables: {A: 1}}\n")
	tm.want("", "ambit: shop loaded (+1)")
}

func trustedNeighbour(t *testing.T, h *house, sh shell) {
	h.env["AMBIT_TRUST"] = h.path("home/code")
	h.project("home/code/shop", "values: {environmentVariables: {A: 1}}\n")
	h.project("home/code-evil/shop", "values: {environmentVariables: {A: evil}}\n")
	tm := h.open(sh)
	tm.cd("home/code/shop", "ambit: shop loaded (+1)")
	tm.cd("home/code-evil/shop", "ambit: shop unloaded", "ambit: .envrc.yaml is not allowed here", `ambit: hint: run "ambit allow" to see what it would load`)
	tm.holds(tm.env(), "A", unset)
}

func oddProgramPath(t *testing.T, h *house, sh shell) {
	dir := h.path(`bin "a" $b 'c' \d`)
	must(t, os.Mkdir(dir, 0o755))
	for _, program := range []string{"ambit", "ambit-hook"} {
		must(t, os.Link(filepath.Join(built, program), filepath.Join(dir, program)))
	}
	h.env["PATH"] = strings.Replace(h.env["PATH"], built, dir, 1) + ":" + built // the second for dumpenv
	h.loaded("home/shop", "values: {environmentVariables: {A: 1}}\n")
	tm := h.open(sh)
	before := tm.env()
	tm.cd("home/shop", "ambit: shop loaded (+1)")
	tm.holds(tm.env(), "A", "1")
	// The program is found where it was, also when PATH is another.
	if sh == "fish" {
		tm.want("set -gx PATH " + quoted(built))
	} else {
		tm.want("PATH=" + quoted(built))
	}
	tm.cd("home", "ambit: shop unloaded")
	env := tm.env()
	env["PATH"] = before["PATH"]
	tm.same("after leaving", env, before)
	// And where it is gone: silence.
	must(t, os.RemoveAll(dir))
	tm.cd("home/shop")
	tm.want("echo alive", "alive")
}
