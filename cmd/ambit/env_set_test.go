package main

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

func TestLooksSecret(t *testing.T) {
	for _, value := range []string{
		"-----BEGIN OPENSSH PRIVATE KEY-----\nx", "ghp_0123456789", "github_pat_x", "xoxb-1-2", "AGE-SECRET-KEY-1X",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzKEAWSKEY9", "dGhpc0lzQVRva2VuV2l0aDEyMw==",
	} {
		if !looksSecret(value) {
			t.Errorf("%q passes for no secret", value)
		}
	}
	for _, value := range []string{
		"", "debug", "https://example.com/a?b=C1d2E3f4", "arn:aws:iam::123456789012:role/dev", "/usr/local/share/Thing2/lib64",
		"da39a3ee5e6b4b0d3255bfef95601890afd80709", "123e4567-e89b-12d3-a456-426614174000", "my-service-name-with-many-parts-2",
		"SOME_LONG_CONSTANT_NAME_1", "a sentence of Words, 1 or 2 of them", "${aws.login.secretAccessKey}", "1.10", "eu-central-1",
	} {
		if looksSecret(value) {
			t.Errorf("%q passes for a secret", value)
		}
	}
}

// What is typed for a value does not appear on the terminal, also not after
// Ctrl-C, which leaves the terminal as it was.
func TestAskedValueIsNotShown(t *testing.T) {
	ambit, err := exec.LookPath("ambit") // this program, under the name that testscript gave it
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(home+"/.config/ambit/environments/shop", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(home+"/.config/ambit/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("environments/shop/dev.yaml", "values:\n")
	for _, test := range []struct{ typed, want string }{{"c4n4ry\r", "shop/dev: a set"}, {"c4n\x03", "interrupted"}} {
		cmd := exec.Command(ambit, "env", "set", "shop/dev", "a", "--plaintext")
		cmd.Env = append(os.Environ(), "HOME="+home, "XDG_RUNTIME_DIR=")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		terminal, err := pty.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		screen := ""
		read := func(until string) {
			t.Helper()
			_ = terminal.SetReadDeadline(time.Now().Add(20 * time.Second))
			b := make([]byte, 1024)
			for !strings.Contains(screen, until) {
				n, err := terminal.Read(b)
				if screen += string(b[:n]); err != nil {
					if err != io.EOF && strings.Contains(screen, until) {
						return
					}
					t.Fatalf("%v, and %q did not come: %q", err, until, screen)
				}
			}
		}
		read("not shown): ")
		if _, err := terminal.WriteString(test.typed); err != nil {
			t.Fatal(err)
		}
		read(test.want)
		_ = cmd.Wait() // what it said tells how it ended
		_ = terminal.Close()
		if strings.Contains(screen, "c4n") {
			t.Errorf("it was shown: %q", screen)
		}
	}
	b, err := os.ReadFile(home + "/.config/ambit/environments/shop/dev.yaml")
	if err != nil || string(b) != "values:\n  a: c4n4ry\n" {
		t.Errorf("%q %v", b, err)
	}
}
