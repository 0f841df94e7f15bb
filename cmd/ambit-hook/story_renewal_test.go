package main_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

const stop = syscall.SIGSTOP

// live checks that the end of the credentials that a child got is still to come.
func live(t *testing.T, sh shell, env map[string]string, when string) {
	t.Helper()
	end, err := time.Parse(time.RFC3339, env["AWS_CREDENTIAL_EXPIRATION"])
	if err != nil || !strings.HasPrefix(env["AWS_ACCESS_KEY_ID"], "ASIA") {
		t.Fatalf("%s: %s: the child got key %q that ends %q", sh, when, env["AWS_ACCESS_KEY_ID"], env["AWS_CREDENTIAL_EXPIRATION"])
	}
	if !time.Now().Before(end) {
		t.Errorf("%s: %s: the child got credentials that ended %s ago", sh, when, time.Since(end))
	}
}

// TestRenewal: with credentials that live 20 s every command that is typed gets
// live ones, renewals are silent, and after an idle time longer than their life
// the command that ends it gets fresh ones too.
func TestRenewal(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		s := h.cloud()
		must(t, s.Update(func(k *awstest.Knobs) { k.Lifetime = 20 }))
		tm := h.open(sh)
		before := tm.env()
		tm.cd("home/shop", "ambit: shop/dev loaded (+6) · credentials for 1…s")
		keys := map[string]bool{}
		start := time.Now()
		typed := 0
		for ; time.Since(start) < 25*time.Second; typed++ {
			env := tm.env()
			live(t, sh, env, "while typing")
			keys[env["AWS_ACCESS_KEY_ID"]] = true
			if out, status := tm.run(""); out != "" || status != 0 {
				t.Errorf("%s: a renewal says %q, status %d", sh, out, status)
			}
			time.Sleep(400 * time.Millisecond) // a person's pace
		}
		if n := assumed(s); n < 3 || n > 6 || len(keys) < 3 {
			t.Errorf("%s: %d calls of STS and %d keys in %s and %d commands", sh, n, len(keys), time.Since(start), typed)
		}

		// Idle until all is dead; what comes then dies soon.
		must(t, s.Update(func(k *awstest.Knobs) { k.Lifetime = 4 }))
		env := tm.env()
		tm.run("")
		end, err := time.Parse(time.RFC3339, env["AWS_CREDENTIAL_EXPIRATION"])
		must(t, err)
		time.Sleep(time.Until(end.Add(time.Second)))
		live(t, sh, tm.env(), "after an idle time")

		// And with STS gone: no keys rather than dead ones, and one line.
		must(t, s.Update(func(k *awstest.Knobs) { k.Outage = awstest.Refused }))
		end, err = time.Parse(time.RFC3339, tm.env()["AWS_CREDENTIAL_EXPIRATION"])
		must(t, err)
		time.Sleep(time.Until(end.Add(time.Second)))
		read := tm.read
		env = tm.env()
		tm.holds(env, "AWS_ACCESS_KEY_ID", unset, "AWS_SECRET_ACCESS_KEY", unset, "AWS_SESSION_TOKEN", unset)
		said := plain(tm.text[read:tm.read])
		if strings.Count(said, "ambit: error: ") != 1 || !strings.Contains(said, "refused") {
			t.Errorf("%s: without STS: %q", sh, said)
		}
		tm.want("")
		// What does not expire may have stayed until now.
		if out, _ := tm.run("cd ~"); strings.Count(said+out, "ambit: shop/dev unloaded\n") != 1 {
			t.Errorf("%s: without STS %q, and leaving %q", sh, said, out)
		}
		tm.same("after leaving", tm.env(), before)
	})
}
