package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ambit/hook"
)

func TestRowsFitTheScreen(t *testing.T) {
	var b bytes.Buffer
	a := &ambit{process: process{stdout: &b, now: time.Now}, environ: hook.Environ{}, out: &output{w: &b}}
	a.row("name", "%s", strings.Repeat("word ", 60)+"\x1b[31m\nend")
	a.row("", "  %s", strings.Repeat("indented ", 20))
	a.row("long", "%s", strings.Repeat("x", 100))
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for i, line := range lines {
		if n := utf8.RuneCountInString(line); n > 80 && i < len(lines)-1 {
			t.Errorf("%d columns: %q", n, line)
		}
		if i > 0 && !strings.HasPrefix(line, "             ") && !strings.HasPrefix(line, "long ") {
			t.Errorf("not below the text: %q", line)
		}
	}
	if strings.ContainsAny(b.String(), "\x1b") || !strings.Contains(b.String(), `\x1b[31m\x0aend`) {
		t.Errorf("%q", b.String())
	}
	if len(lines) < 8 || strings.Join(strings.Fields(b.String()), " ") != "name "+strings.Repeat("word ", 60)+`\x1b[31m\x0aend `+strings.Repeat("indented ", 20)+"long "+strings.Repeat("x", 100) {
		t.Errorf("%d lines: %q", len(lines), b.String())
	}
}

// However many variables there are, status fits one screen of 24 lines.
func TestStatusFitsTheScreen(t *testing.T) {
	var b bytes.Buffer
	a := &ambit{process: process{stdout: &b, now: time.Now}, environ: hook.Environ{}, out: &output{w: &b}}
	s := status{Directory: "/d", File: "/d/.envrc.yaml", State: "loaded", Environment: "shop/dev", Cache: &statusCache{}}
	for sign, name := range map[string]string{"+": "ADDED", "~": "CHANGED", "-": "REMOVED"} {
		for i := range 1000 {
			s.Variables = append(s.Variables, change{Name: name + strings.Repeat("X", i%60), Change: sign})
		}
	}
	start := time.Now()
	a.printStatus(s)
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) > 23 || strings.Count(b.String(), " more") != 4 {
		t.Errorf("%d lines:\n%s", len(lines), b.String())
	}
	for _, line := range lines {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("%q", line)
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}
