package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

// byProfile gives the house a loopback AWS and settings by which no key reaches a
// shell.
func (h *house) byProfile() *awstest.Server {
	h.t.Helper()
	s := h.cloud()
	h.write("home/.config/ambit/config.yaml", "deliver: profile\n")
	return s
}

// A shell gets a profile and no keys; programs, and the user's own profiles, work;
// leaving gives back what was there.
func TestDeliveryByProfile(t *testing.T) {
	t.Parallel()
	need(t, "aws")
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		s := h.byProfile()
		h.env["AWS_PAGER"] = ""
		h.env["AWS_CONFIG_FILE"] = h.write("home/own config", "[profile mine]\nregion = us-east-1\n"+
			"[profile assumed]\nregion = us-east-1\nrole_arn = arn:aws:iam::123456789012:role/assumed\nrole_session_name = by-hand\nsource_profile = base\n")
		h.env["AWS_PROFILE"] = "mine"
		h.write("home/.aws/credentials", "[base]\naws_access_key_id = "+awstest.KeyID+"\naws_secret_access_key = "+awstest.SecretKey+"\n")
		own := h.read(h.env["AWS_CONFIG_FILE"])
		tm := h.open(sh)
		before := tm.env()
		tm.cd("home/shop", "ambit: shop/dev loaded (+2 ~2)")
		env := tm.env()
		tm.holds(env, "AWS_PROFILE", "ambit-shop-dev", "AWS_ACCESS_KEY_ID", unset, "AWS_SECRET_ACCESS_KEY", unset, "AWS_SESSION_TOKEN", unset, "AMBIT_EXPIRES", unset)
		copied := env["AWS_CONFIG_FILE"]
		if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 || !strings.HasPrefix(h.read(copied), own) {
			t.Errorf("%s: AWS_CONFIG_FILE is %q: %v", sh, copied, err)
		}
		identity := func(when, line, want string) {
			t.Helper()
			if out, status := tm.run(line); status != 0 || !strings.Contains(out, want) {
				t.Errorf("%s: %s: status %d, %s", sh, when, status, out)
			}
		}
		const dev = "arn:aws:sts::123456789012:assumed-role/dev/ambit-shop"
		identity("inside", "aws sts get-caller-identity", dev)
		identity("by another profile", "aws sts get-caller-identity --profile assumed", "assumed-role/assumed/by-hand")
		identity("whoami", "ambit whoami", dev)
		if n := assumed(s); n != 1 {
			t.Errorf("%s: %d calls of STS, want 1", sh, n)
		}

		// An edit of the user's own file is in the copy at the next prompt.
		h.write("home/own config", own+"[profile later]\nregion = us-east-1\n")
		tm.want("", "ambit: shop/dev reloaded (+2 ~2)")
		if now := tm.env()["AWS_CONFIG_FILE"]; now == copied || !strings.Contains(h.read(now), "[profile later]") {
			t.Errorf("%s: after an edit AWS_CONFIG_FILE is %q", sh, now)
		}
		h.write("home/.config/ambit/config.yaml", "deliver: variables\n")
		tm.want("", "ambit: shop/dev reloaded (+6 -1) · credentials for 5…m")
		tm.holds(tm.env(), "AWS_PROFILE", unset, "AWS_CONFIG_FILE", h.env["AWS_CONFIG_FILE"])

		tm.cd("home", "ambit: shop/dev unloaded")
		tm.same("after leaving", tm.env(), before)
		// What was started inside and outlives the shell's stay still works.
		identity("after leaving", "env AWS_PROFILE=ambit-shop-dev AWS_CONFIG_FILE="+copied+" aws sts get-caller-identity", dev)
		if h.read(h.env["AWS_CONFIG_FILE"]) != own+"[profile later]\nregion = us-east-1\n" {
			t.Errorf("%s: the user's own file has changed", sh)
		}
	})
}

// Programs that run longer than their credentials live go on with new ones, which
// all of them share.
func TestLongRunningPrograms(t *testing.T) {
	t.Parallel()
	python := need(t, "python3")
	if exec.Command(python, "-c", "import boto3").Run() != nil {
		missing(t, "boto3 is not installed")
	}
	h := newHouse(t)
	s := h.byProfile()
	program := filepath.Join(t.TempDir(), "longrun")
	if out, err := exec.Command("go", "build", "-o", program, "./testdata/longrun").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	script, err := filepath.Abs("testdata/longrun/longrun.py")
	must(t, err)
	must(t, s.Update(func(k *awstest.Knobs) { k.Lifetime = 8 }))
	var group sync.WaitGroup
	commands := [][]string{{program, "13"}, {python, script, "13"}}
	results := make([]result, len(commands))
	for i, argv := range commands {
		group.Go(func() {
			results[i] = h.run("home/shop", filepath.Join(built, "ambit"), append([]string{"run", "--"}, argv...)...)
		})
	}
	group.Wait()
	for i, r := range results {
		used := slices.Compact(strings.Fields(r.stdout))
		if r.status != 0 || len(used) < 2 || len(used) > 5 {
			t.Errorf("%q: status %d, keys %q\n%s", commands[i], r.status, used, r.stderr)
		}
	}
	if n := assumed(s); n < 2 || n > 7 {
		t.Errorf("%d calls of STS", n)
	}
}

// Fifty programs that ask at once get the same keys, for which STS was asked once;
// and again when these are to be renewed.
func TestParallelCredentialProcesses(t *testing.T) {
	h := newHouse(t)
	s := h.byProfile()
	ask := func() map[string]int {
		t.Helper()
		var group sync.WaitGroup
		var mu sync.Mutex
		said := map[string]int{}
		for range 50 {
			group.Go(func() {
				cmd := exec.Command(filepath.Join(built, "ambit"), "credential-process", "shop/dev")
				cmd.Dir, cmd.Env = h.home, h.environ()
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				out, err := cmd.Output()
				mu.Lock()
				defer mu.Unlock()
				if err != nil || stderr.Len() > 0 {
					t.Errorf("%v: %s", err, stderr.String())
				}
				said[string(out)]++
			})
		}
		group.Wait()
		return said
	}
	if said := ask(); len(said) != 1 || assumed(s) != 1 {
		t.Errorf("%d answers and %d calls of STS", len(said), assumed(s))
	}
	must(t, s.Update(func(k *awstest.Knobs) { k.Lifetime = 20 }))
	if r := h.ambit("cache", "clear"); r.status != 0 {
		t.Fatalf("%+v", r)
	}
	ask()
	must(t, s.Update(func(k *awstest.Knobs) { k.Lifetime = 0 }))
	s.ResetCalls()
	time.Sleep(11 * time.Second) // refreshAt
	if said := ask(); len(said) > 2 || assumed(s) != 1 {
		t.Errorf("renewing: %d answers and %d calls of STS", len(said), assumed(s))
	}
}
