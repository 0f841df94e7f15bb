package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// program writes an executable file.
func program(t *testing.T, path string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPromptCommand(t *testing.T) {
	dir := t.TempDir()
	odd := filepath.Join(dir, `a "b" $c 'd'`)
	beside := program(t, filepath.Join(odd, "ambit"), 0o755)
	hook := program(t, filepath.Join(odd, "ambit-hook"), 0o755)
	alone := program(t, filepath.Join(dir, "alone", "ambit"), 0o755)
	unfit := program(t, filepath.Join(dir, "unfit", "ambit"), 0o755)
	program(t, filepath.Join(dir, "unfit", "ambit-hook"), 0o644)
	// A link beside which the other link stands: that pair outlives an upgrade.
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"ambit": beside, "ambit-hook": hook} {
		if err := os.Symlink(to, filepath.Join(bin, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name, called, self string
		want               []string
	}{
		{"beside", beside, beside, []string{hook}},
		{"alone", alone, alone, []string{alone, "export"}},
		{"not executable", unfit, unfit, []string{unfit, "export"}},
		{"by a link", filepath.Join(bin, "ambit"), beside, []string{filepath.Join(bin, "ambit-hook")}},
		{"called by another's name", alone, beside, []string{hook}},
		{"not to be found", "no such name", beside, []string{hook}},
	} {
		a := &ambit{process: process{name: test.called, self: test.self}}
		if got, err := a.promptCommand(); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, %v, wanted %q", test.name, got, err, test.want)
		}
	}
	if got, err := (&ambit{}).promptCommand(); err == nil {
		t.Errorf("a program that does not know its path: %q", got)
	}
}

func TestHookQuotesItsCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's \"$x\"")
	self := program(t, filepath.Join(dir, "ambit"), 0o755)
	program(t, filepath.Join(dir, "ambit-hook"), 0o755)
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var stdout, stderr bytes.Buffer
		status := run(process{args: []string{"hook", shell}, name: self, self: self, env: []string{"HOME=" + dir}, dir: dir,
			now: time.Now, stdout: &stdout, stderr: &stderr, interrupt: listen})
		first, _, _ := strings.Cut(stdout.String(), "\n")
		if status != 0 || !strings.Contains(first, "__ambit_bin") || strings.Contains(first, `"$x"`) {
			t.Errorf("%s: status %d, first line %q, stderr %q", shell, status, first, stderr.String())
		}
	}
}
