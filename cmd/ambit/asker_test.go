package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit/hook"
	"ambit/resolver"
)

func testAsker(t *testing.T, env map[string]string, conf *config) (*asker, *bytes.Buffer) {
	t.Helper()
	var said bytes.Buffer
	a := &ambit{process: process{stderr: &said}}
	ask, _ := a.newAsker(t.Context(), hook.Environ(env), conf, false, false)
	return ask, &said
}

func TestAskerDevice(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, false},
		{map[string]string{"DISPLAY": ":0"}, false},
		{map[string]string{"SSH_CONNECTION": "x"}, true},
		{map[string]string{"SSH_TTY": "/dev/pts/1"}, true},
		{map[string]string{"SSH_TTY": "/dev/pts/1", "DISPLAY": "localhost:10.0"}, false},
		{map[string]string{"SSH_TTY": "/dev/pts/1", "WAYLAND_DISPLAY": "wayland-0"}, false},
	} {
		ask, _ := testAsker(t, test.env, &config{})
		if got := ask.Device(); got != test.want {
			t.Errorf("%v: %v", test.env, got)
		}
		ask.noBrowser = true
		if ask.Device() {
			t.Errorf("%v: --no-browser is not heard", test.env)
		}
		ask.device = true
		if !ask.Device() {
			t.Errorf("%v: --device is not heard", test.env)
		}
	}
}

// The address is shown whole and printable, whatever the browser does.
func TestAskerVisit(t *testing.T) {
	dir := t.TempDir()
	note := filepath.Join(dir, "note")
	program := filepath.Join(dir, "browser")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho noise; echo noise >&2\nprintf '%s\\n' \"$@\" > "+note+".new; mv "+note+".new "+note+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	const address = "https://login.example.com/auth?state=x"
	long := address + strings.Repeat("y", 1000)
	for name, test := range map[string]struct{ browser, address, want string }{
		"last":     {program, address, address},
		"in place": {program + " --new %s --there", address, "--new\n" + address + "\n--there"},
		"second":   {"/nowhere/browser::" + program, address, address},
		"long":     {program, long, long},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("BROWSER", test.browser)
			_ = os.Remove(note) // of the one before
			ask, said := testAsker(t, nil, &config{})
			if err := ask.Visit(t.Context(), `"work"`, test.address); err != nil {
				t.Fatal(err)
			}
			var b []byte
			for range 500 {
				if b, _ = os.ReadFile(note); b != nil {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			if got := strings.TrimSpace(string(b)); got != test.want {
				t.Errorf("the browser got %q", got)
			}
			if got := said.String(); !strings.HasPrefix(got, `ambit: log in to "work" in the browser; `) || !strings.HasSuffix(got, test.address+"\n") {
				t.Errorf("said %q", got)
			}
			if !ask.asked.Load() {
				t.Error("the person was not asked")
			}
		})
	}
	// No browser, and none is wanted.
	for _, browser := range []string{"", program} {
		t.Setenv("BROWSER", browser)
		t.Setenv("DISPLAY", "")
		t.Setenv("WAYLAND_DISPLAY", "")
		_ = os.Remove(note)
		ask, said := testAsker(t, nil, &config{})
		ask.noBrowser = browser != ""
		if err := ask.Visit(t.Context(), "an\x1b[2Jother", address); err != nil {
			t.Fatal(err)
		}
		if got := said.String(); got != `ambit: log in to an\x1b[2Jother at `+address+"\n" {
			t.Errorf("said %q", got)
		}
	}
	t.Setenv("BROWSER", "/nowhere/browser")
	if err := browse(address); err == nil {
		t.Error("a browser that is not there was started")
	}
	if _, err := os.Stat(note); err == nil {
		t.Error("a browser was started")
	}
}

func TestMFACode(t *testing.T) {
	for text, want := range map[string]string{
		"123456": "123456", " 123 456\n": "123456", "12345": "", "1234567": "", "12345a": "", "": "", "１２３４５６": "", "123456\x00": "",
	} {
		code, ok := mfaCode(text)
		if ok != (want != "") || ok && code != want {
			t.Errorf("%q: %q, %v", text, code, ok)
		}
	}
}

func TestMFACommand(t *testing.T) {
	for script, want := range map[string]string{
		"echo 123456": "123456", "printf '123 456'": "123456",
		"echo 12345": "", "exit 3": "", "echo 123456; exit 1": "", "echo 123456 >&2": "", "echo 123456 >&2; exit 1": "",
	} {
		ask, said := testAsker(t, map[string]string{"PATH": os.Getenv("PATH")}, &config{mfaCommand: []string{"sh", "-c", script}})
		code, err := ask.MFA(t.Context(), "arn:aws:iam::123456789012:mfa/me")
		if got := said.String(); got != "ambit: mfaCommand is asked for an MFA code\n" {
			t.Errorf("%s: said %q", script, got)
		}
		var open *resolver.OpenError
		switch {
		case want != "" && (err != nil || code != want):
			t.Errorf("%s: %q, %v", script, code, err)
		case want == "" && (!errors.As(err, &open) || open.Kind != resolver.KindLogin || open.Hint == "" || strings.Contains(open.Summary, "123456")):
			t.Errorf("%s: %q, %v", script, code, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupted)
	ask, _ := testAsker(t, map[string]string{"PATH": os.Getenv("PATH")}, &config{mfaCommand: []string{"sleep", "60"}})
	if _, err := ask.MFA(ctx, "x"); !errors.Is(err, errInterrupted) {
		t.Errorf("interrupted: %v", err)
	}
}
