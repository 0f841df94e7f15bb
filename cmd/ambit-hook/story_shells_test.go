package main_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var shellScenarios = []scenario{
	{"a nested shell", []int{26}, nestedShell},
	{"a shell replaced by another", nil, execShell},
	{"a pane that opens elsewhere", nil, paneElsewhere},
	{"nothing is left open", nil, nothingLeftOpen},
	{"a trap on INT", []int{31}, trapOnInt},
	{"status and PIPESTATUS", []int{32}, statusAndPipestatus},
	{"installed twice", []int{33}, installedTwice},
	{"options", []int{34}, options},
	{"a subshell changes directory", []int{35}, subshell},
	{"readonly and bad names", []int{40}, readonlyAndBadNames},
	{"no escapes", []int{41}, noEscapes},
}

func nestedShell(t *testing.T, h *house, sh shell) {
	h.loaded("home/shop", "path: [bin]\nvalues: {environmentVariables: {A: 1}}\n")
	tm := h.open(sh)
	before := tm.env()
	tm.cd("home/shop", "ambit: shop loaded (+1 ~1)")
	loaded := tm.env()
	tm.want(string(sh))
	tm.same("nested", tm.env(), loaded)
	tm.cd("home", "ambit: shop unloaded")
	tm.same("nested, outside", tm.env(), before)
	tm.want("exit", map[shell][]string{"bash": {"exit"}}[sh]...)
	tm.want("")
	tm.same("back", tm.env(), loaded)
	tm.cd("home", "ambit: shop unloaded")
	tm.same("after leaving", tm.env(), before)
}

func execShell(t *testing.T, h *house, sh shell) {
	h.loaded("home/shop", "values: {environmentVariables: {A: 1}}\n")
	tm := h.open(sh)
	before := tm.env()
	tm.cd("home/shop", "ambit: shop loaded (+1)")
	loaded := tm.env()
	tm.want("exec " + string(sh))
	tm.same("the new shell", tm.env(), loaded)
	tm.cd("home", "ambit: shop unloaded")
	tm.same("after leaving", tm.env(), before)
}

// A terminal multiplexer's server has the environment of where it was started, and
// so has every shell that it opens.
func paneElsewhere(t *testing.T, h *house, sh shell) {
	h.loaded("home/shop", "path: [bin]\nvalues: {environmentVariables: {A: 1}}\n")
	h.loaded("home/b", "values: {environmentVariables: {B: 1}}\n")
	tm := h.open(sh)
	before := tm.env()
	tm.cd("home/shop", "ambit: shop loaded (+1 ~1)")
	loaded := tm.env()
	open := func(dir string, want ...string) {
		t.Helper()
		tm.want("sh -c 'cd "+h.path(dir)+" && exec "+string(sh)+"'", want...)
	}
	open("home", "ambit: shop unloaded")
	tm.same("a pane outside", tm.env(), before)
	tm.run("exit")
	open("home/b", "ambit: b loaded (+1)")
	tm.holds(tm.env(), "A", unset, "B", "1", "PATH", before["PATH"])
	tm.run("exit")
	tm.same("back", tm.env(), loaded)
}

func nothingLeftOpen(t *testing.T, h *house, sh shell) {
	h.environment("shop/dev", "values: {environmentVariables: {A: 1}}\n")
	h.loaded("home/shop", "environment: shop/dev\n")
	tm := h.open(sh)
	open := func() int {
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", tm.pid()))
		if err != nil {
			missing(t, "there is no /proc")
		}
		return len(files)
	}
	tm.cd("home/shop", "ambit: shop/dev loaded (+1)")
	tm.cd("home", "ambit: shop/dev unloaded")
	first := open()
	for i := range 20 {
		h.environment("shop/dev", fmt.Sprintf("values: {environmentVariables: {A: %d}}\n", i))
		tm.cd("home/shop", "ambit: shop/dev loaded (+1)")
		tm.want("")
		tm.cd("home", "ambit: shop/dev unloaded")
	}
	if last := open(); last != first {
		t.Errorf("%s: %d files are open, were %d", sh, last, first)
	}
	if out, _ := tm.run("jobs"); strings.TrimSpace(strings.ReplaceAll(out, "jobs: There are no jobs", "")) != "" {
		t.Errorf("%s: jobs: %q", sh, out)
	}
	h.left(2*time.Second, tm.pid())
}

func trapOnInt(t *testing.T, h *house, sh shell) {
	h.loaded("home/shop", "values: {environmentVariables: {A: 1}}\n")
	tm := h.openWith(sh, map[shell]string{
		"bash": "trap 'echo caught' INT\n",
		"zsh":  "trap 'echo caught' INT\n",
		"fish": "function caught --on-signal INT; echo caught; end\n",
	}[sh]+rcFile[sh].hook)
	show := map[shell]string{"bash": "trap -p", "zsh": "trap", "fish": "functions --handlers-type signal"}[sh]
	before, _ := tm.run(show)
	if !strings.Contains(before, "INT") {
		t.Fatalf("%s: no trap to keep: %q", sh, before)
	}
	tm.cd("home/shop", "ambit: shop loaded (+1)")
	if after, _ := tm.run(show); after != before {
		t.Errorf("%s: the traps are %q, were %q", sh, after, before)
	}
	kill := map[shell]string{"bash": "kill -INT $$", "zsh": "kill -INT $$", "fish": "kill -INT $fish_pid"}[sh]
	tm.typeLine(kill)
	tm.expect("caught")
	tm.prompted()
	tm.send("\r") // fish draws a prompt of its own after the signal; this one is after it
	tm.prompted()
	if after, _ := tm.run(show); after != before {
		t.Errorf("%s: the traps are %q, were %q", sh, after, before)
	}
}

func statusAndPipestatus(t *testing.T, h *house, sh shell) {
	h.environment("shop/dev", "values: {environmentVariables: {A: 1}}\n")
	h.loaded("home/shop", "environment: shop/dev\n")
	exit := map[shell]string{"fish": "sh -c 'exit 7'"}[sh]
	pipe, show := "true | true | sh -c 'exit 3'", "echo $pipestatus"
	switch sh {
	case "bash":
		exit, pipe, show = "(exit 7)", "false | true | (exit 3)", `echo "${PIPESTATUS[@]}"`
	case "zsh":
		exit, pipe = "(exit 7)", "false | true | (exit 3)"
	}
	want := map[bool]string{true: "0 0 3", false: "1 0 3"}[sh == "fish"]
	tm := h.open(sh)
	check := func(when string, edit func(), said ...string) {
		t.Helper()
		edit()
		if out, status := tm.run(exit); status != 7 || !like(out, said) {
			t.Errorf("%s: %s: status %d, %q\n%s", sh, when, status, out, tm.transcript())
		}
		edit()
		status := map[shell]string{"fish": "echo $status"}[sh]
		if status == "" {
			status = "echo $?"
		}
		tm.run(exit)
		if out, _ := tm.run(status); strings.TrimSpace(out) != "7" {
			t.Errorf("%s: %s: the status at the next command is %q", sh, when, out)
		}
		edit()
		if out, status := tm.run(pipe); status != 3 || !like(out, said) {
			t.Errorf("%s: %s: status of the pipe %d, %q", sh, when, status, out)
		}
		if out, _ := tm.run(show); strings.TrimSpace(out) != want {
			t.Errorf("%s: %s: PIPESTATUS is %q, want %q", sh, when, out, want)
		}
	}
	check("outside", func() {})
	tm.cd("home/shop", "ambit: shop/dev loaded (+1)")
	check("loaded", func() {})
	n := 0
	check("at a reload", func() {
		n++
		h.environment("shop/dev", "values: {environmentVariables: {A: "+strings.Repeat("x", n)+"}}\n")
	}, "ambit: shop/dev reloaded (+1)")
	// A directory is left by a command that fails.
	leave := map[shell]string{"fish": "cd; sh -c 'exit 7'"}[sh]
	if leave == "" {
		leave = "cd; (exit 7)"
	}
	if out, status := tm.run(leave); status != 7 || out != "ambit: shop/dev unloaded\n" {
		t.Errorf("%s: leaving: status %d, %q", sh, status, out)
	}
}

func installedTwice(t *testing.T, h *house, sh shell) {
	h.environment("shop/dev", "values: {environmentVariables: {A: 1}}\n")
	h.loaded("home/shop", "environment: shop/dev\n")
	forms := map[shell][]string{
		"bash": {
			"", "PROMPT_COMMAND='seen=$?:$A'\n", "PROMPT_COMMAND='seen=$?:$A;'\n", "PROMPT_COMMAND='seen=$?:$A ; '\n", "PROMPT_COMMAND=$'seen=$?:$A\\n'\n",
			"PROMPT_COMMAND=('seen=$?:$A' 'other=$?')\n", "PROMPT_COMMAND=(); PROMPT_COMMAND[3]='seen=$?:$A'\n", "declare -a PROMPT_COMMAND\n",
			"export PROMPT_COMMAND='seen=$?:$A'\n", "PROMPT_COMMAND='seen=$?:$A # a comment'\n",
		},
		"zsh":  {"", "precmd() { seen=$?:$A }\n", "precmd_functions+=(f); f() { seen=$?:$A }\n", "typeset -a precmd_functions; autoload -Uz add-zsh-hook; add-zsh-hook precmd f; f() { seen=$?:$A }\n"},
		"fish": {"", "function f --on-event fish_prompt; set -g seen $status:$A; end\n"},
	}[sh]
	for _, form := range forms {
		hook := rcFile[sh].hook
		tm := h.openWith(sh, form+hook+hook)
		tm.run(hook[:len(hook)-1])
		tm.want("cd shop", "ambit: shop/dev loaded (+1)")
		exit := "(exit 7)"
		if sh == "fish" {
			exit = "sh -c 'exit 7'"
		}
		h.environment("shop/dev", "values: {environmentVariables: {A: 2}}\n")
		if out, status := tm.run(exit); status != 7 || out != "ambit: shop/dev reloaded (+1)\n" {
			t.Errorf("%s: %q: status %d, %q", sh, form, status, out)
		}
		// The user's own function sees the status, and the new environment: but
		// not a precmd of zsh, which runs before the list of functions, nor what
		// fish was told earlier.
		want := "7:2"
		if sh == "fish" || strings.HasPrefix(form, "precmd()") {
			want = "7:1"
		}
		if out, _ := tm.run("echo $seen"); form != "" && form != "declare -a PROMPT_COMMAND\n" && strings.TrimSpace(out) != want {
			t.Errorf("%s: %q: the user's own function saw %q, want %s", sh, form, out, want)
		}
		tm.want("cd ~", "ambit: shop/dev unloaded")
		h.environment("shop/dev", "values: {environmentVariables: {A: 1}}\n")
		tm.close()
	}
	if sh == "bash" {
		tm := h.openWith(sh, "readonly PROMPT_COMMAND='seen=1'\n"+rcFile[sh].hook)
		if !strings.Contains(tm.transcript(), "ambit: warning: PROMPT_COMMAND is read-only here") {
			t.Errorf("a readonly PROMPT_COMMAND: %s", tm.transcript())
		}
		tm.want("echo $seen", "1")
	}
}

func options(t *testing.T, h *house, sh shell) {
	h.env["REPLACED"] = "out side"
	h.loaded("home/shop", "path: ['b in']\nvalues: {environmentVariables: {A: 'a * b:c', REPLACED: inside}}\n")
	for _, set := range map[shell][]string{
		"bash": {"set -eu", "set -f", "set -k", "set -a", "set -T -E", "set -x", "set -v", "set -o posix", "IFS=:", "IFS=", "IFS=ambit_0123456789",
			"shopt -s nullglob failglob extglob", "set -euo pipefail", "alias export=false eval=false unset=false test=false local=false", "export() { false; }; eval() { false; }; unset() { false; }; printf() { false; }"},
		"zsh": {"setopt err_exit no_unset", "setopt ksh_arrays", "setopt sh_word_split", "setopt xtrace", "setopt verbose", "setopt glob_subst null_glob", "setopt all_export",
			"setopt csh_junkie_quotes", "setopt warn_create_global", "emulate sh", "emulate ksh", "IFS=:", "IFS=", "setopt no_multibyte", "alias export=false eval=false unset=false builtin=false", "export() { false }; eval() { false }; unset() { false }"},
		"fish": {"set -g IFS :", "set -g IFS", "set -g fish_trace 1", "function set; end", "function test; false; end", "function string; end; function source; end; function path; end"},
	}[sh] {
		tm := h.open(sh)
		before := tm.env()
		tm.run(set)
		traced := strings.Contains(set, "trace") || strings.HasSuffix(set, " -x") || strings.HasSuffix(set, " -v") || strings.Contains(set, "verbose")
		out, _ := tm.run("cd shop")
		if got := lines(out); traced && (len(got) == 0 || !strings.Contains(out, "ambit: shop loaded (+1 ~2)")) || !traced && !like(out, []string{"ambit: shop loaded (+1 ~2)"}) {
			t.Errorf("%s: %s: %q", sh, set, out)
		}
		if strings.Contains(out, "a * b:c") || strings.Contains(out, "AMBIT_STATE=") {
			t.Errorf("%s: %s: the trace shows a value: %q", sh, set, out)
		}
		tm.holds(tm.env(), "A", "a * b:c", "REPLACED", "inside", "PATH", h.path("home/shop/b in")+":"+before["PATH"])
		tm.run("")
		out, _ = tm.run("cd ..")
		if !strings.Contains(out, "ambit: shop unloaded") || strings.Contains(out, "AMBIT_STATE=") {
			t.Errorf("%s: %s: leaving: %q", sh, set, out)
		}
		tm.holds(tm.env(), "A", unset, "REPLACED", "out side", "PATH", before["PATH"], "AMBIT_STATE", unset)
		tm.close()
		if t.Failed() {
			t.Fatalf("%s: %s\n%s", sh, set, tm.transcript())
		}
	}
}

func subshell(t *testing.T, h *house, sh shell) {
	h.loaded("home/shop", "values: {environmentVariables: {A: 1}}\n")
	tm := h.open(sh)
	tm.cd("home/shop", "ambit: shop loaded (+1)")
	loaded := tm.env()
	if sh == "fish" {
		// In fish this is no subshell: the directory changes, and so does all else.
		tm.want("set x (cd /)", "ambit: shop unloaded")
		tm.cd("home/shop", "ambit: shop loaded (+1)")
		tm.want("fish -c 'cd /'")
	} else {
		tm.want("x=$(cd /)")
		tm.want("(cd / && cd .. )")
		tm.want(`echo "<$x>"`, "<>")
	}
	tm.same("after a subshell", tm.env(), loaded)
}

func readonlyAndBadNames(t *testing.T, h *house, sh shell) {
	h.loaded("home/shop", "values: {environmentVariables: {A: 1, LOCKED: ours, Z: 1}}\n")
	if sh == "fish" {
		// Only fish's own variables are read-only there, and those are refused.
		r := h.run("home", "sh", "-c", `mkdir ro && printf 'values:\n  environmentVariables:\n    fish_pid: 1\n' >ro/.envrc.yaml && ambit allow -y ro`)
		if r.status == 0 || !strings.Contains(r.stderr, "ro/.envrc.yaml:3:5: ") {
			t.Errorf("a read-only name of fish: %+v", r)
		}
	} else {
		tm := h.open(sh)
		tm.run("LOCKED=mine; readonly LOCKED")
		out, status := tm.run("cd shop")
		if n := strings.Count(out, "ambit: warning: LOCKED is read-only here\n"); n != 1 || status != 0 {
			t.Errorf("%s: %d warnings, status %d: %q", sh, n, status, out)
		}
		tm.holds(tm.env(), "A", "1", "Z", "1")
		tm.want("echo $LOCKED", "mine")
		tm.want("")
		tm.run("cd ..")
		tm.holds(tm.env(), "A", unset, "Z", unset)
		tm.want("echo $LOCKED", "mine")
	}
	canary := h.path("canary")
	for _, name := range []string{"A[$(touch " + canary + ")]", "1A", "A B", "", "A;touch " + canary, "a-b", "é", "PATH]", "IFS", "PROMPT_COMMAND", "BASH_ENV", "fish_trace", "__ambit_bin", "AMBIT_STATE"} {
		h.write("home/bad/.envrc.yaml", "values:\n  environmentVariables:\n    '"+name+"': x\n")
		if r := h.ambit("allow", "-y", h.path("home/bad")); r.status != 1 || !strings.Contains(r.stderr, "bad/.envrc.yaml:3:5: ") {
			t.Errorf("the name %q: status %d, %q", name, r.status, r.stderr)
		}
		h.write("home/bad/.envrc.yaml", "unset:\n  - '"+name+"'\n")
		if r := h.ambit("allow", "-y", h.path("home/bad")); r.status != 1 || !strings.Contains(r.stderr, "bad/.envrc.yaml:2:5: ") {
			t.Errorf("unset of the name %q: status %d, %q", name, r.status, r.stderr)
		}
	}
	if _, err := os.Stat(canary); err == nil {
		t.Error("a name was run")
	}
}

func noEscapes(t *testing.T, h *house, sh shell) {
	name := "a\x1b[31mb\x1b]52;c;eA==\a"
	dir := h.project("home/"+name, "values: {environmentVariables: {A: 1}}\n")
	ask := func() result { return h.run(dir, built+"/ambit-hook", string(sh)) }
	blocked := ask()
	if blocked.stderr == "" {
		t.Error("nothing was said")
	}
	allowed := h.ambit("allow", "-y", dir)
	loaded := ask()
	if !strings.Contains(loaded.stderr, "loaded (+1)") {
		t.Errorf("%q", loaded.stderr)
	}
	h.write("home/"+name+"/.envrc.yaml", "values: {environmentVariables: {A: ${gone}}}\n")
	broken := h.ambit("allow", "-y", dir)
	for _, r := range []result{blocked, allowed, loaded, broken} {
		if strings.ContainsAny(r.stdout+r.stderr, "\x1b\a") {
			t.Errorf("escapes off a terminal: %q", r.stdout+r.stderr)
		}
	}
}
