package main_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var valueScenarios = []scenario{
	{"values with a past", []int{11}, valuesWithAPast},
	{"every listed value", nil, listedValues},
	{"a provider that chatters", []int{12}, providerChatters},
	{"a provider that yields nothing", []int{13}, providerYieldsNothing},
	{"empty is not unset", []int{14, 15}, emptyIsNotUnset},
	{"100 kB and 1 MB", []int{45}, tooLarge},
}

// Values that broke other tools.
func valuesWithAPast(t *testing.T, h *house, sh shell) {
	values := map[string]string{
		"LS_COLORS": "*.ogg=38;5;45:*.wav=38;5;45:rs=0:di=01;34",
		"LESSOPEN":  "||/usr/bin/lesspipe.sh %s",
		"THREE":     `\\\`,
	}
	var b strings.Builder
	b.WriteString("values:\n  environmentVariables:\n")
	for name, value := range values {
		fmt.Fprintf(&b, "    %s: '%s'\n", name, value)
	}
	h.environment("shop/dev", b.String())
	h.loaded("home/shop", "environment: shop/dev\n")
	tm := h.open(sh)
	tm.cd("home/shop", "ambit: shop/dev loaded (+3)")
	env := tm.env()
	for name, value := range values {
		tm.holds(env, name, value)
	}
}

// Each file of testdata/values is a hostile value.
func listedValues(t *testing.T, h *house, sh shell) {
	files, err := filepath.Glob("../../testdata/values/*")
	if err != nil || len(files) < 40 {
		t.Fatalf("testdata/values has %d files, %v", len(files), err)
	}
	values := map[string]string{}
	var b strings.Builder
	b.WriteString("values:\n  environmentVariables:\n")
	for i, file := range files {
		value, err := os.ReadFile(file)
		must(t, err)
		if len(value) > 64<<10 {
			continue // refused: see tooLarge
		}
		name := fmt.Sprintf("V%d", i)
		values[name] = string(value)
		fmt.Fprintf(&b, "    %s: {fn::fromBase64: %q}\n", name, base64.StdEncoding.EncodeToString(value))
	}
	h.environment("values/all", b.String())
	h.loaded("home/values", "environment: values/all\n")
	for _, locale := range []string{"C", "C.UTF-8"} {
		h.env["LC_ALL"] = locale
		tm := h.open(sh)
		before := tm.env()
		tm.cd("home/values", fmt.Sprintf("ambit: values/all loaded (+%d)", len(values)))
		env := tm.env()
		for i, file := range files {
			name := fmt.Sprintf("V%d", i)
			want, ok := values[name]
			if got, set := env[name]; ok && (!set || got != want) {
				t.Errorf("%s, %s: %s arrived as %.100q (set: %v), want %.100q", sh, locale, filepath.Base(file), got, set, want)
			}
		}
		tm.want("")
		tm.cd("home", "ambit: values/all unloaded")
		tm.same("after leaving", tm.env(), before)
	}
}

func providerChatters(t *testing.T, h *house, sh shell) {
	h.environment("shop/dev", `
values:
  environmentVariables:
    A:
      fn::open::command:
        command: [sh, -c, "echo export EVIL=1 >&2; printf '\\033[31mred\\n' >&2; echo value"]
`)
	h.loaded("home/shop", "environment: shop/dev\n")
	tm := h.open(sh)
	out, _ := tm.run("cd shop")
	if !strings.HasSuffix(out, "ambit: shop/dev loaded (+1)\n") {
		t.Errorf("%s: %q", sh, out)
	}
	for _, line := range lines(out) {
		if !strings.HasPrefix(line, "ambit: ") {
			t.Errorf("%s: a provider's line on the terminal: %q", sh, line)
		}
	}
	tm.holds(tm.env(), "A", "value", "EVIL", unset)
}

func providerYieldsNothing(t *testing.T, h *house, sh shell) {
	h.environment("shop/text", "values:\n  environmentVariables:\n    A:\n      fn::open::command: {command: [\"true\"]}\n")
	h.environment("shop/json", "values:\n  environmentVariables:\n    A:\n      fn::open::command: {command: [\"true\"], parse: json}\n")
	h.loaded("home/text", "environment: shop/text\n")
	h.loaded("home/json", "environment: shop/json\n")
	tm := h.open(sh)
	tm.cd("home/text", "ambit: shop/text loaded (+1)")
	tm.holds(tm.env(), "A", "")
	out, _ := tm.run("cd ../json")
	got := lines(out)
	if len(got) < 2 || len(got) > 3 || got[0] != "ambit: shop/text unloaded" || !like(got[1], []string{"ambit: error: ….config/ambit/environments/shop/json.yaml:4:…"}) {
		t.Errorf("%s: no JSON: %q", sh, got)
	}
	tm.holds(tm.env(), "A", unset)
	tm.want("")
}

func emptyIsNotUnset(t *testing.T, h *house, sh shell) {
	h.env["EMPTY_OUTSIDE"], h.env["FULL_OUTSIDE"] = "", "full"
	h.loaded("home/shop", "unset: [EMPTY_OUTSIDE, NEVER_SET]\nvalues: {environmentVariables: {EMPTY: '', NOTHING: null, FULL_OUTSIDE: ''}}\n")
	tm := h.open(sh)
	before := tm.env()
	tm.holds(before, "EMPTY_OUTSIDE", "")
	tm.cd("home/shop", "ambit: shop loaded (+2 ~1 -1)")
	tm.holds(tm.env(), "EMPTY", "", "NOTHING", "", "FULL_OUTSIDE", "", "EMPTY_OUTSIDE", unset, "NEVER_SET", unset)
	tm.cd("home", "ambit: shop unloaded")
	tm.same("after leaving", tm.env(), before)
}

func tooLarge(t *testing.T, h *house, sh shell) {
	h.environment("big/kb", "values: {environmentVariables: {SMALL: 1, BIG: "+strings.Repeat("x", 100_000)+"}}\n")
	h.environment("big/mb", "values: {environmentVariables: {SMALL: 1, BIG: "+strings.Repeat("x", 1_000_000)+"}}\n")
	h.environment("big/limit", "values: {environmentVariables: {SMALL: 1, BIG: "+strings.Repeat("x", 64<<10)+"}}\n")
	h.environment("big/one_more", "values: {environmentVariables: {SMALL: 1, BIG: "+strings.Repeat("x", 64<<10+1)+"}}\n")
	var many strings.Builder
	many.WriteString("values:\n  environmentVariables:\n")
	for i := range 5 {
		fmt.Fprintf(&many, "    BIG%d: %s\n", i, strings.Repeat("x", 60_000))
	}
	h.environment("big/many", many.String())
	for _, name := range []string{"kb", "mb", "limit", "one_more", "many"} {
		h.project("home/"+name, "environment: big/"+name+"\n")
	}
	h.env["AMBIT_TRUST"] = h.home
	tm := h.open(sh)
	before := tm.env()
	for _, name := range []string{"kb", "mb", "one_more", "many"} {
		out, _ := tm.run("cd ~/" + name)
		got := lines(out)
		if len(got) == 0 || !like(got[0], []string{"ambit: error: …BIG…"}) || len(got) > 2 || len(out) > 1000 {
			t.Errorf("%s: %s: %.1000q", sh, name, out)
		}
		tm.want("")
		env := tm.env()
		delete(env, "AMBIT_STATE")
		tm.same(name, env, before)
	}
	tm.run("cd ~")
	tm.cd("home/limit", "ambit: big/limit loaded (+2)")
	tm.holds(tm.env(), "BIG", strings.Repeat("x", 64<<10))
}
