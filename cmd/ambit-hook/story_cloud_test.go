package main_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

// shopDev is the environment of most stories with credentials: a role that an OIDC
// token assumes.
const shopDev = `values:
  aws:
    login:
      fn::open::aws-login:
        oidc:
          duration: 1h
          roleArn: arn:aws:iam::123456789012:role/dev
          sessionName: ambit-shop
          token: { file: %s }
  environmentVariables:
    AWS_ACCESS_KEY_ID: ${aws.login.accessKeyId}
    AWS_SECRET_ACCESS_KEY: ${aws.login.secretAccessKey}
    AWS_SESSION_TOKEN: ${aws.login.sessionToken}
    AWS_REGION: eu-central-1
`

// cloud gives the house a loopback AWS, a token, and the project home/shop whose
// file is allowed.
func (h *house) cloud() *awstest.Server {
	h.t.Helper()
	s, err := awstest.Start(awstest.Options{Now: time.Now})
	must(h.t, err)
	h.t.Cleanup(s.Close)
	h.env["AWS_ENDPOINT_URL_STS"] = s.URL
	h.shop()
	return s
}

// shop makes the project that shopDev is for.
func (h *house) shop() {
	h.t.Helper()
	token := h.write("secrets/oidc-token", "a-token-that-is-no-jwt\n")
	h.environment("shop/dev", fmt.Sprintf(shopDev, token))
	h.loaded("home/shop", "environment: shop/dev\n")
}

func assumed(s *awstest.Server) int { return s.Calls().ByAction["AssumeRoleWithWebIdentity"] }

// processes are those that were started in this house, by their environment.
func (h *house) processes() []int {
	h.t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		missing(h.t, "there is no /proc")
	}
	var pids []int
	for _, entry := range entries {
		var pid int
		if _, err := fmt.Sscan(entry.Name(), &pid); err != nil {
			continue
		}
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err == nil && strings.Contains("\x00"+string(environ), "\x00HOME="+h.home+"\x00") && alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// left waits until no process of the house is left but those that are named.
func (h *house) left(within time.Duration, but ...int) {
	h.t.Helper()
	deadline := time.Now().Add(within)
	for {
		var more []string
		for _, pid := range h.processes() {
			known := false
			for _, p := range but {
				known = known || p == pid
			}
			if !known {
				cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				if err == nil {
					more = append(more, fmt.Sprintf("%d %q", pid, cmdline))
				}
			}
		}
		if len(more) == 0 {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("processes are left behind: %s", more)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// The issue of this program in one story, against moto and the real AWS CLI.
func TestTranscript(t *testing.T) {
	t.Parallel()
	need(t, "aws")
	endpoint := startMoto(t)
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		h.env["AWS_ENDPOINT_URL"] = endpoint
		h.env["AWS_PAGER"] = ""
		token := h.write("secrets/oidc-token", "a-token\n")
		h.environment("shop/dev", fmt.Sprintf(shopDev, token))
		h.project("home/shop", "environment: shop/dev\n")
		h.write("home/shop/test.txt", "hello from "+string(sh)+"\n")
		tm := h.open(sh)
		before := tm.env()
		bucket := "s3://bucket-" + string(sh)

		tm.cd("home/shop", "ambit: .envrc.yaml is not allowed here", `ambit: hint: run "ambit allow" to see what it would load`)
		tm.typeLine("ambit allow")
		plan := tm.expect("[y/N]")
		for _, part := range []string{"shop/dev", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_REGION", "aws-login", "oidc", "arn:aws:iam::123456789012:role/dev"} {
			if !strings.Contains(plan, part) {
				t.Errorf("%s: the plan lacks %q:\n%s", sh, part, plan)
			}
		}
		tm.typeLine("y")
		out, status := tm.prompted()
		if !strings.HasSuffix(out, "ambit: shop/dev loaded (+6) · credentials for 59m\n") || status != 0 {
			t.Errorf("%s: after allow: status %d, %q", sh, status, out)
		}
		out, status = tm.run("aws sts get-caller-identity")
		if status != 0 || !strings.Contains(out, `"Account": "123456789012"`) || !strings.Contains(out, `"Arn": "arn:aws:sts::123456789012:assumed-role/dev/ambit-shop"`) {
			t.Errorf("%s: get-caller-identity: status %d, %s", sh, status, out)
		}
		if out, status = tm.run("ambit whoami"); status != 0 || !strings.Contains(out, "arn:aws:sts::123456789012:assumed-role/dev/ambit-shop") {
			t.Errorf("%s: whoami: status %d, %s", sh, status, out)
		}
		if out, status = tm.run("aws s3 mb " + bucket); status != 0 || !strings.Contains(out, "make_bucket") {
			t.Errorf("%s: mb: status %d, %s", sh, status, out)
		}
		if out, status = tm.run("aws s3 cp test.txt " + bucket + "/copied-file.txt"); status != 0 || !strings.Contains(out, "upload: ./test.txt to "+bucket+"/copied-file.txt") {
			t.Errorf("%s: cp: status %d, %s", sh, status, out)
		}
		if out, status = tm.run("aws s3 ls " + bucket); status != 0 || !strings.HasSuffix(out, " copied-file.txt\n") {
			t.Errorf("%s: ls: status %d, %s", sh, status, out)
		}
		tm.cd("home", "ambit: shop/dev unloaded")
		// The region is gone too, and the CLI asks for that first.
		out, status = tm.run("AWS_DEFAULT_REGION=eu-central-1 aws sts get-caller-identity")
		if status == 0 || !strings.Contains(strings.ToLower(out), "unable to locate credentials") {
			t.Errorf("%s: get-caller-identity after leaving: status %d, %s", sh, status, out)
		}
		tm.same("after leaving", tm.env(), before)
	})
}

// A role's login sets a family of variables, and unsets what must not stand beside
// them.
func TestCredentialFamily(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		s := h.cloud()
		old := map[string]string{"AWS_PROFILE": "nobody", "AWS_SECURITY_TOKEN": "old", "AWS_SESSION_TOKEN": "old", "AWS_ACCESS_KEY_ID": "AKIAOLD",
			"AWS_SECRET_ACCESS_KEY": "old", "AWS_DEFAULT_PROFILE": "nobody", "AWS_DEFAULT_REGION": "us-west-1", "AWS_CREDENTIAL_EXPIRATION": "2000-01-01T00:00:00Z"}
		for name, value := range old {
			h.env[name] = value
		}
		tm := h.open(sh)
		before := tm.env()
		tm.cd("home/shop", "ambit: shop/dev loaded (+1 ~5 -3) · credentials for 59m")
		env := tm.env()
		tm.holds(env, "AWS_PROFILE", unset, "AWS_DEFAULT_PROFILE", unset, "AWS_SECURITY_TOKEN", unset, "AWS_REGION", "eu-central-1", "AWS_DEFAULT_REGION", "eu-central-1")
		expiration, err := time.Parse(time.RFC3339, env["AWS_CREDENTIAL_EXPIRATION"])
		if left := time.Until(expiration); err != nil || left < 55*time.Minute || left > time.Hour {
			t.Errorf("AWS_CREDENTIAL_EXPIRATION is %q: %v", env["AWS_CREDENTIAL_EXPIRATION"], err)
		}
		if !strings.HasPrefix(env["AWS_ACCESS_KEY_ID"], "ASIA") {
			t.Errorf("AWS_ACCESS_KEY_ID is %q", env["AWS_ACCESS_KEY_ID"])
		}
		tm.cd("home", "ambit: shop/dev unloaded")
		tm.same("after leaving", tm.env(), before)
		// Again, and in another shell: from the cache.
		tm.cd("home/shop", "ambit: shop/dev loaded (+1 ~5 -3) · credentials for 59m")
		another := h.open(sh)
		another.cd("home/shop", "ambit: shop/dev loaded (+1 ~5 -3) · credentials for 59m")
		if n := assumed(s); n != 1 {
			t.Errorf("%s: %d calls of STS, want 1", sh, n)
		}
	})
}
