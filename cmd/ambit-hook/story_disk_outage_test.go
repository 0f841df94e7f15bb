package main_test

import (
	"strings"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

// TestDiskFullInAnOutage: a renewal meets a full disk and an STS that is away, in the
// same moment. What lives serves; what is dead is gone with one line; that it is dead
// can be remembered nowhere but in the shell, which pays for it once all the same.
func TestDiskFullInAnOutage(t *testing.T) {
	t.Parallel()
	for i, o := range []awstest.Outage{awstest.Refused, awstest.Silent} {
		t.Run(string(o), func(t *testing.T) {
			t.Parallel()
			sh := shells[i%len(shells)]
			need(t, string(sh))
			full := diskFaults[0]
			f := &faultStory{fault: fault{name: full.name, wrapper: full.wrapper, says: map[awstest.Outage]string{
				awstest.Refused: "connection refused", awstest.Silent: "did not answer in time",
			}[o]}, t: t, table: new(faultTable)}
			f.h = newHouse(t)
			f.server = f.h.cloud()
			f.h.write("secrets/oidc-token", tokenCanary+"\n")
			f.open(sh)
			before := f.keys()
			f.prompt("cd shop", 0, networkPrompt)
			old := f.alive("loaded")

			// Due.
			f.h.soften()
			full.begin(f)
			outage(o)(f)
			out, calls, took := f.prompt("sh -c 'exit 7'", 7, freePrompt)
			f.nothing("due", out)
			f.table.add(f, "due", out, calls, took)
			f.unchanged("due", f.keys(), old)
			f.quietly("due")
			f.unchanged("due, later", f.keys(), old)
			healthy(f)
			full.end(f)
			f.h.left(patience, f.tm.pid())

			// Expired.
			f.settle()
			f.h.shift(2 * time.Hour)
			full.begin(f)
			outage(o)(f)
			out, calls, took = f.prompt("sh -c 'exit 7'", 7, networkPrompt)
			f.wantError(out)
			f.table.add(f, "expired", out, calls, took)
			f.dead("expired")
			for range 3 {
				out, calls, took = f.prompt("sh -c 'exit 7'", 7, freePrompt)
				f.nothing("expired, later", out)
				f.table.add(f, "expired, later", out, calls, took)
			}
			f.dead("expired, later")
			if r := f.h.run("home/shop", built+"/ambit", "status"); r.status != 0 {
				t.Errorf("%s: status: %+v", sh, r)
			}

			// Over: it comes back by itself, when the shell's own half minute has passed.
			healthy(f)
			full.end(f)
			all, came := "", time.Now().Add(35*time.Second)
			for f.keys()["AWS_ACCESS_KEY_ID"] == "" && time.Now().Before(came) {
				time.Sleep(time.Second)
				out, _, _ = f.prompt("", -1, networkPrompt)
				f.h.left(patience, f.tm.pid())
				all += out
			}
			if strings.Count(all, "ambit: ") > 1 || strings.Contains(all, "ambit: error") {
				t.Errorf("%s: it comes back with %q\n%s", sh, all, f.tm.transcript())
			}
			f.alive("back")
			f.prompt("cd ~", 0, freePrompt)
			f.tm.same("after leaving", f.keys(), before)
			for i, secret := range append(f.secrets, tokenCanary) {
				if strings.Contains(f.tm.transcript(), secret) {
					t.Errorf("%s: secret %d is on the terminal", sh, i)
				}
			}
			f.h.left(patience, f.tm.pid())
			f.h.unlocked()
			t.Log(f.table)
		})
	}
}
