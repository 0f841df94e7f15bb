package main_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

// TestCanary: after a whole day of loading, editing, renewing, failing and leaving
// a secret is in the cache and nowhere else: in no other file, no state, no message,
// no history and no argument of any program. Scenario 46.
func TestCanary(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		canaries := []string{"canary-1-of-the-file", "canary-2-of-the-token", "canary-3-of-the-user", "canary-4-of-the-command"}
		h.env["REPLACED"] = canaries[2]
		s := h.cloud()
		must(t, s.Update(func(k *awstest.Knobs) { k.Lifetime = 4 }))
		h.write("secrets/oidc-token", canaries[1]+"\n")
		// The definitions with the secret lie outside the home directory: they are
		// the user's own, and this story is about all other places.
		h.env["AMBIT_STORES"] = h.path("stores")
		define := func(more string) {
			h.write("stores/shop/dev.yaml", fmt.Sprintf(shopDev, h.path("secrets/oidc-token"))+`
    REPLACED: {fn::secret: canary-1-of-the-file}
    BY_COMMAND:
      fn::open::command: {command: [cat, `+h.write("secrets/four", canaries[3])+`]}
`+more)
		}
		define("")
		h.project("home/shop", "description: a new one\nenvironment: shop/dev\n")
		tm := h.open(sh)
		watching := h.watchArguments(canaries)

		tm.run("cd shop")
		tm.typeLine("ambit allow")
		tm.expect("[y/N]")
		tm.typeLine("y")
		if out, _ := tm.prompted(); !strings.Contains(out, "ambit: shop/dev loaded (+7 ~1)") {
			t.Fatalf("%s: %s\n%s", sh, out, tm.transcript())
		}
		env := tm.env()
		tm.holds(env, "REPLACED", canaries[0], "BY_COMMAND", canaries[3])
		secrets := append(canaries, env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"])
		states := []string{env["AMBIT_STATE"]}
		for _, line := range []string{
			"ambit status", "ambit status --format json", "ambit open", "ambit open --format yaml", "ambit open --format detailed", "ambit check", "ambit whoami",
			"ambit allow --list", "ambit reload", "ambit run -- true", "cd .", "ambit open shop/dev aws.login", "ambit allow -y",
		} {
			if out, status := tm.run(line); status != 0 {
				t.Errorf("%s: %s: status %d, %q", sh, line, status, out)
			}
		}
		define("    MORE: 1\n")
		tm.want("", "ambit: shop/dev reloaded (+8 ~1) · credentials for …")
		// Over a renewal, and past the end.
		for start := time.Now(); time.Since(start) < 5*time.Second; time.Sleep(200 * time.Millisecond) {
			tm.run("")
		}
		env = tm.env()
		secrets = append(secrets, env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"])
		states = append(states, env["AMBIT_STATE"])
		// All that can go wrong.
		define("    BROKEN: ${aws.login.secretAccessKey.x}\n")
		tm.run("")
		define("    BROKEN: {fn::fromJSON: {fn::secret: canary-1-of-the-file}}\n")
		tm.run("")
		define("    BROKEN: {fn::secret: canary-1-of-the-file\n")
		tm.run("")
		define("")
		must(t, s.Update(func(k *awstest.Knobs) {
			k.Next = awstest.Next{Calls: 3, Status: 403, Code: "AccessDenied", Message: "no: " + canaries[1]}
		}))
		tm.run("ambit cache clear")
		tm.run("")
		states = append(states, tm.env()["AMBIT_STATE"])
		tm.run("ambit deny")
		tm.run("cd ~")
		tm.send("exit\r")
		tm.waitEnd()
		h.left(5 * time.Second) // a last renewal

		for _, argument := range watching() {
			t.Errorf("%s: an argument shows a secret: %s", sh, argument)
		}
		for i, secret := range secrets {
			if secret == "" {
				t.Fatalf("%s: secret %d was never there", sh, i)
			}
			for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret))} {
				if strings.Contains(tm.transcript(), form) {
					t.Errorf("%s: secret %d is on the terminal\n%s", sh, i, tm.transcript())
				}
				for _, state := range states {
					raw, err := base64.RawURLEncoding.DecodeString(state[min(1, len(state)):])
					if err != nil || strings.Contains(state, form) || strings.Contains(string(raw), form) {
						t.Errorf("%s: AMBIT_STATE shows secret %d: %v", sh, i, err)
					}
				}
				for _, dir := range []string{h.home, h.path("tmp")} {
					for _, file := range filesBelow(t, dir, form) {
						if !strings.HasPrefix(file, h.path("home/.cache/ambit")+"/") {
							t.Errorf("%s: secret %d is in %s", sh, i, file)
						}
					}
				}
			}
		}
		// The search finds what is there: what was typed is in the history.
		history := map[shell]string{"bash": "home/.bash_history", "zsh": "home/.zsh_history", "fish": "home/.local/share/fish/fish_history"}[sh]
		if files := filesBelow(t, h.home, "ambit whoami"); len(files) != 1 || files[0] != h.path(history) {
			t.Errorf("%s: the history is in %q", sh, files)
		}
		// And the cache is private.
		must(t, filepath.Walk(h.path("home/.cache/ambit"), func(path string, info os.FileInfo, err error) error {
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %s has mode %v", sh, path, info.Mode())
			}
			return err
		}))
	})
}

// watchArguments looks at the arguments of every process until it is told to
// stop; it returns those that contain one of the texts.
func (h *house) watchArguments(texts []string) (stop func() []string) {
	var group sync.WaitGroup
	done := make(chan struct{})
	end := sync.OnceFunc(func() {
		close(done)
		group.Wait()
	})
	h.t.Cleanup(end)
	var found []string
	looks := 0
	group.Go(func() {
		for {
			files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, file := range files {
				b, err := os.ReadFile(file)
				if err != nil {
					continue // it has ended
				}
				for _, text := range texts {
					if strings.Contains(string(b), text) {
						found = append(found, strings.ReplaceAll(string(b), "\x00", " "))
					}
				}
			}
			looks++
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	return func() []string {
		end()
		if looks < 10 {
			h.t.Errorf("the arguments were looked at %d times only", looks)
		}
		return found
	}
}
