package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
	"ambit/resolver/oidc/oidctest"
)

// The provider has ended the login, and somebody else logs in: nothing that was made
// for whoever was there before serves them, here and in other shells.
func TestLoginAsSomebodyElse(t *testing.T) {
	t.Parallel()
	for _, login := range []string{"ambit login work", "ambit login"} {
		t.Run(login, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			s, p := h.office()
			h.environment("shop/prod", strings.Replace(workDev, "role/dev", "role/prod", 1))
			h.loaded("home/prod", "environment: shop/prod\n")
			h.loaded("home/new", strings.Replace(workDev, "role/dev", "role/new", 1))
			tm, other := h.open("bash"), h.open("bash")
			tm.cd("home/shop", notLoggedIn, hintLogin)
			tm.run("ambit login")
			other.run("cd " + quoted(h.path("home/prod")))
			alices := other.env()["AWS_ACCESS_KEY_ID"]
			if alices == "" {
				t.Fatal(other.transcript())
			}

			p.Set(t, oidctest.Knobs{Account: "bob"})
			records, err := filepath.Glob(h.path("home/.local/state/ambit/tokens/*.json"))
			if err != nil || len(records) != 1 {
				t.Fatalf("%q %v", records, err)
			}
			ended := regexp.MustCompile(`"refreshToken":"[^"]*"`).ReplaceAllString(h.read("home/.local/state/ambit/tokens/"+filepath.Base(records[0])), `"refreshToken":"ended"`)
			must(t, os.WriteFile(records[0], []byte(ended), 0o600))
			tokens, err := filepath.Glob(h.path("home/.cache/ambit/opens/login-*"))
			if err != nil || len(tokens) != 1 {
				t.Fatalf("%q %v", tokens, err)
			}
			must(t, os.Remove(tokens[0]))
			tm.run("cd " + quoted(h.path("home/new"))) // it needs the login
			if out, status := tm.run(login); status != 0 || !strings.Contains(out, "ambit: logged in; ") || h.tabs() != 2 {
				t.Fatalf("status %d, %d tabs, %q", status, h.tabs(), out)
			}
			other.run("true") // its next prompt
			if key := other.env()["AWS_ACCESS_KEY_ID"]; key == alices || key == "" {
				t.Errorf("the key is %q, and hers was %q\n%s", key, alices, other.transcript())
			}
			if n := assumed(s); n != 4 {
				t.Errorf("%d calls of STS, want two for each person", n)
			}
		})
	}
}

// Who gives up waiting for AWS at a logout has logged out here all the same.
func TestLogoutGivenUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.identityCenter()
	tm := h.open("bash")
	tm.cd("home/shop", "ambit: error: …", `ambit: hint: run "ambit login"`)
	if _, status := tm.run("ambit login"); status != 0 {
		t.Fatal(tm.transcript())
	}
	must(t, s.Update(func(k *awstest.Knobs) { k.Slow = 60_000 }))
	tm.typeLine("ambit logout --all")
	time.Sleep(time.Second) // it waits for the answer by now
	tm.interrupt()
	out, status := tm.prompted()
	if status != 130 || !strings.Contains(out, "ambit: error: interrupted") || !strings.Contains(out, "ambit: shop/dev unloaded") {
		t.Errorf("status %d, %q", status, out)
	}
}
