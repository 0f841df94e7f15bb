package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// install runs install.sh in a house whose Go has the caches of this test's.
func (h *house) install(args ...string) result {
	h.t.Helper()
	script, err := filepath.Abs("../../install.sh")
	must(h.t, err)
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH"} {
		out, err := exec.Command("go", "env", name).Output()
		must(h.t, err)
		h.env[name] = strings.TrimSpace(string(out))
	}
	return h.run("home", script, args...)
}

func TestInstall(t *testing.T) {
	h := newHouse(t)
	h.env["SHELL"] = "/bin/zsh"
	prefix := h.path(`home/it's "here"`)
	bin := filepath.Join(prefix, "bin")

	r := h.install("--prefix", prefix)
	if r.status != 0 || !strings.Contains(r.stdout, "\n  eval \"$(ambit hook zsh)\"\n") || !strings.Contains(r.stderr, "is not on PATH") {
		t.Fatalf("%d\n%s%s", r.status, r.stdout, r.stderr)
	}
	version := h.run("home", filepath.Join(bin, "ambit"), "version")
	if version.status != 0 || !strings.HasPrefix(version.stdout, "ambit ") {
		t.Errorf("%+v", version)
	}
	// The hook runs the program that was installed beside it.
	if hook := h.run("home", filepath.Join(bin, "ambit"), "hook", "bash"); !strings.Contains(hook.stdout, "ambit-hook") {
		t.Error("the hook does not name ambit-hook")
	}
	mine := filepath.Join(bin, "mine")
	must(t, os.WriteFile(mine, nil, 0o755))

	// Again, with the directory on PATH behind another ambit.
	h.env["PATH"] = built + ":" + bin + ":" + os.Getenv("PATH")
	r = h.install("--prefix=" + prefix + "/")
	if r.status != 0 || !strings.Contains(r.stderr, "comes before it on PATH") {
		t.Errorf("again: %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	h.env["PATH"] = bin + ":" + os.Getenv("PATH")
	if r = h.install("--prefix", prefix); r.status != 0 || r.stderr != "" {
		t.Errorf("a third time: %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	names, err := os.ReadDir(bin)
	must(t, err)
	if len(names) != 3 {
		t.Errorf("in bin: %v", names)
	}

	h.write("home/.config/ambit/config.yaml", "")
	r = h.install("--uninstall", "--prefix", prefix)
	if r.status != 0 || !strings.Contains(r.stdout, "\n  "+h.path("home/.config/ambit")+"\n") {
		t.Errorf("uninstall: %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	names, err = os.ReadDir(bin)
	must(t, err)
	if len(names) != 1 || names[0].Name() != "mine" {
		t.Errorf("left in bin: %v", names)
	}
	if r = h.install("--uninstall", "--prefix", prefix); r.status != 0 || !strings.Contains(r.stdout, "nothing of ambit") {
		t.Errorf("uninstall again: %d\n%s%s", r.status, r.stdout, r.stderr)
	}
}

func TestInstallRefuses(t *testing.T) {
	h := newHouse(t)
	foreign := h.write("home/taken/bin/ambit", "#!/bin/sh\necho mine\n")
	h.write("home/file", "")
	old := h.write("home/old/go", "#!/bin/sh\necho go1.21.5\n")
	must(t, os.Chmod(old, 0o755))
	path := h.env["PATH"]
	for _, c := range []struct {
		path   string
		args   []string
		status int
		says   string
	}{
		{path, []string{"--prefx", "x"}, 2, `ambit: error: unknown option "--prefx"`},
		{path, []string{"--prefix"}, 2, "ambit: error: --prefix needs a directory"},
		{path, []string{"--demo", "--prefix", "x"}, 2, "takes no --prefix"},
		{path, []string{"--prefix", h.path("home/file")}, 1, "cannot make the directory"},
		{path, []string{"--prefix", h.path("home/taken")}, 1, "is another program"},
		{path, []string{"--uninstall", "--prefix", h.path("home/taken")}, 1, "is not ours"},
		{h.path("home/old") + ":" + path, []string{"--prefix", h.path("home/x")}, 1, "Go is too old: this is go1.21.5"},
		{"/usr/bin:/bin", []string{"--prefix", h.path("home/x")}, 1, "Go is not installed"},
	} {
		h.env["PATH"] = c.path
		if _, err := os.Stat("/usr/bin/go"); err == nil && c.path == "/usr/bin:/bin" {
			continue // here Go stands beside the shell
		}
		r := h.install(c.args...)
		if r.status != c.status || !strings.Contains(r.stderr, c.says) || strings.Count(r.stderr, "\n") != 2 || r.stdout != "" {
			t.Errorf("%q: %d\n%s%s", c.args, r.status, r.stdout, r.stderr)
		}
	}
	if b, err := os.ReadFile(foreign); err != nil || !strings.Contains(string(b), "echo mine") {
		t.Error("a foreign program was touched")
	}
	if _, err := os.Stat(h.path("home/x")); err == nil {
		t.Error("something was made without Go")
	}
}
