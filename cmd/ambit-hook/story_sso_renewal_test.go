package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

// A refresh token of an SSO session serves once. What comes in answer to it is not
// lost, though the prompt that wanted it has given up, or the person has.
func TestSSORenewalIsNotLost(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.identityCenter()
	tm := h.open("bash")
	tm.cd("home/shop", "ambit: error: …", `ambit: hint: run "ambit login"`)
	if out, status := tm.run("ambit login"); status != 0 {
		t.Fatalf("status %d, %q", status, out)
	}
	slow := func(ms int) { must(t, s.Update(func(k *awstest.Knobs) { k.Slow = ms })) }
	created := func() int { return s.Calls().ByAction["CreateToken"] }
	// The access token is over, and with it all that was made from it.
	expire := func() {
		t.Helper()
		files, err := filepath.Glob(h.path("home/.aws/sso/cache/*.json"))
		must(t, err)
		for _, file := range files {
			b, err := os.ReadFile(file)
			must(t, err)
			fields := map[string]any{}
			must(t, json.Unmarshal(b, &fields))
			if fields["accessToken"] == nil {
				continue
			}
			fields["expiresAt"] = "2020-01-01T00:00:00Z"
			b, err = json.Marshal(fields)
			must(t, err)
			must(t, os.WriteFile(file, b, 0o600))
		}
		for _, room := range []string{"opens", "entries"} {
			must(t, os.RemoveAll(h.path("home/.cache/ambit/"+room)))
		}
	}
	shells := []int{tm.pid()}
	for _, test := range []struct {
		name   string
		typed  string
		giveUp bool
		within time.Duration
	}{
		{"a prompt", "cd " + quoted(h.path("home/shop")), false, networkPrompt},
		{"Ctrl-C at a prompt", "cd " + quoted(h.path("home/shop")), true, 3 * time.Second},
		{"Ctrl-C in a run", "ambit run -C " + quoted(h.path("home/shop")) + " -- true", true, 3 * time.Second},
	} {
		expire()
		calls := created()
		other := h.open("bash")
		shells = append(shells, other.pid())
		slow(7000)
		start := time.Now()
		other.typeLine(test.typed)
		for created() == calls {
			if time.Since(start) > patience {
				t.Fatalf("%s: nobody renews\n%s", test.name, other.transcript())
			}
			time.Sleep(10 * time.Millisecond)
		}
		if test.giveUp {
			other.interrupt()
			start = time.Now()
		}
		out, _ := other.prompted()
		if took := time.Since(start); took > test.within {
			t.Errorf("%s: came back after %v: %q", test.name, took, out)
		}
		if !test.giveUp && !strings.Contains(out, "is still being renewed") {
			t.Errorf("%s: says %q", test.name, out)
		}
		slow(0)
		h.left(15*time.Second, shells...)
		if out, status := other.run("cd " + quoted(h.path("home/shop")) + "; ambit reload"); status != 0 || !strings.Contains(out, "ambit: shop/dev loaded (+6)") {
			t.Errorf("%s: the session is lost: status %d, %q\n%s", test.name, status, out, other.transcript())
		}
		if n := created() - calls; n != 1 || h.tabs() != 1 {
			t.Errorf("%s: %d calls, %d tabs", test.name, n, h.tabs())
		}
		for _, secret := range []string{"refreshToken", "clientSecret"} {
			if strings.Contains(other.transcript(), secret) {
				t.Errorf("%s: %s is on the terminal", test.name, secret)
			}
		}
	}
	h.unlocked()
}
