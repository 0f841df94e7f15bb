package aws

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"ambit/resolver"
	"ambit/resolver/aws/awstest"
	"ambit/resolver/secret"
)

const baseKeys = "aws_access_key_id = " + awstest.KeyID + "\naws_secret_access_key = " + awstest.SecretKey + "\n"

func assume(more obj) obj {
	in := obj{"roleArn": devRole, "sessionName": "me"}
	for key, v := range more {
		in[key] = v
	}
	return obj{"assumeRole": in}
}

func (w *world) withKeys() {
	w.env["AWS_ACCESS_KEY_ID"], w.env["AWS_SECRET_ACCESS_KEY"] = awstest.KeyID, awstest.SecretKey
}

func TestAssumeRoleSendsWhatTheFileSays(t *testing.T) {
	w := newWorld(t)
	w.withKeys()
	o := w.mustOpen(assume(obj{
		"externalId": "ext-1", "sourceIdentity": "alice", "duration": "30m",
		"sessionTags": obj{"b": "2", "a": "1"}, "transitiveTagKeys": []any{"a"},
		"policy":     obj{"Version": "2012-10-17", "Statement": []any{obj{"Effect": "Allow", "Action": "*", "Resource": "*"}}},
		"policyArns": []any{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
	}), call{})
	form := w.server.Requests()[0].Form
	for name, want := range map[string]string{
		"Action": "AssumeRole", "RoleArn": devRole, "RoleSessionName": "me", "DurationSeconds": "1800", "ExternalId": "ext-1",
		"SourceIdentity": "alice", "Tags.member.1.Key": "a", "Tags.member.2.Value": "2", "TransitiveTagKeys.member.1": "a",
		"Policy":                  `{"Statement":[{"Action":"*","Effect":"Allow","Resource":"*"}],"Version":"2012-10-17"}`,
		"PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/ReadOnlyAccess",
	} {
		if got := form.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if o.Credential.ARN != "arn:aws:sts::123456789012:assumed-role/dev/me" || o.Credential.Source != "assumeRole from the environment's keys" {
		t.Errorf("%+v", o.Credential)
	}
}

// TestKeysOfTheCache: every input is part of the question, a name is not.
func TestKeysOfTheCache(t *testing.T) {
	w := newWorld(t)
	w.withKeys()
	w.write(".aws/config", "[profile a]\n"+baseKeys+"[profile b]\n"+baseKeys)
	n := 0
	for _, in := range []obj{
		assume(nil), assume(obj{"externalId": "x"}), assume(obj{"sessionName": "you"}), assume(obj{"duration": "20m"}),
		assume(obj{"sessionTags": obj{"a": "1"}}), assume(obj{"policyArns": []any{"arn:aws:iam::aws:policy/X"}}), assume(obj{"sourceIdentity": "me"}),
		assume(obj{"roleArn": devRole + "2"}), {"assumeRole": obj{"roleArn": devRole, "sessionName": "me"}, "region": "eu-west-1"},
	} {
		n++
		w.mustOpen(in, call{})
		w.mustOpen(in, call{})
		if got := w.server.Calls().Total; got != n {
			t.Errorf("%v: %d calls, want %d", in, got, n)
		}
	}
	// Two names of the same keys are one question.
	a := w.mustOpen(assume(obj{"source": obj{"profile": "a"}}), call{})
	b := w.mustOpen(assume(obj{"source": obj{"profile": "b"}}), call{})
	if id(a) != id(b) {
		t.Error("asked by name")
	}
	// An edit is another question at once.
	key, secretKey := w.server.AddUser(awstest.Account, "new")
	w.write(".aws/config", fmt.Sprintf("[profile a]\naws_access_key_id=%s\naws_secret_access_key=%s\n", key, secretKey))
	if c := w.mustOpen(assume(obj{"source": obj{"profile": "a"}}), call{}); id(c) == id(a) {
		t.Error("served the old profile's role")
	}
}

func TestProfileChainSharesItsBase(t *testing.T) {
	w := newWorld(t)
	w.write(".aws/credentials", "[base]\n"+baseKeys)
	w.write(".aws/config", `
[profile hub]
role_arn = arn:aws:iam::123456789012:role/hub
source_profile = base
region = eu-west-2
[profile dev]
role_arn = arn:aws:iam::029608264753:role/dev
source_profile = hub
role_session_name = alice
external_id = ext
`)
	o := w.mustOpen(obj{"profile": "dev"}, call{})
	if o.Credential.ARN != "arn:aws:sts::029608264753:assumed-role/dev/alice" || o.Credential.Account != "029608264753" || o.Credential.Source != `profile "dev"` {
		t.Errorf("%+v", o.Credential)
	}
	if n := w.calls("AssumeRole"); n != 2 {
		t.Fatalf("%d calls", n)
	}
	if got := w.server.Requests()[1].Form.Get("ExternalId"); got != "ext" {
		t.Errorf("external id %q", got)
	}
	// Another role through the same hub: the hub's session is shared.
	w.mustOpen(assume(obj{"source": obj{"profile": "hub"}}), call{})
	if n := w.calls("AssumeRole"); n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
}

func TestChainedRolesLastAnHour(t *testing.T) {
	w := newWorld(t)
	w.write(".aws/credentials", "[base]\n"+baseKeys)
	w.write(".aws/config", "[profile hub]\nrole_arn = arn:aws:iam::123456789012:role/hub\nsource_profile = base\n")
	err := w.fails(assume(obj{"duration": "2h", "source": obj{"profile": "hub"}}), call{}, awstest.SecretKey)
	if !strings.Contains(err.Summary, "lasts at most 1h; asked for 2h") || w.server.Calls().Total != 0 {
		t.Errorf("%s after %d calls", describe(err), w.server.Calls().Total)
	}
}

func TestDurationIsCutOnce(t *testing.T) {
	w := newWorld(t)
	w.withKeys()
	in := assume(obj{"duration": "4h"})
	o := w.mustOpen(in, call{})
	if len(o.Notices) != 1 || o.Notices[0] != `role "dev" grants at most 1h; asked for 4h` || w.calls("AssumeRole") != 2 {
		t.Errorf("%d calls, notices %q", w.calls("AssumeRole"), o.Notices)
	}
	if o = w.mustOpen(in, call{}); len(o.Notices) != 0 {
		t.Errorf("it is said again: %q", o.Notices)
	}
	w.age(3600)
	if o = w.mustOpen(in, call{}); w.calls("AssumeRole") != 3 || len(o.Notices) != 0 {
		t.Errorf("the limit was forgotten: %d calls, notices %q", w.calls("AssumeRole"), o.Notices)
	}
	w.knobs(func(k *awstest.Knobs) { k.MaxDuration = 4 * 3600 })
	if o = w.mustOpen(in, call{fresh: true}); time.Until(o.ExpiresAt) < 3*time.Hour || len(o.Notices) != 0 {
		t.Errorf("after a reload it lasts %v", time.Until(o.ExpiresAt))
	}

	// A profile asks, too; of a chain of roles no call asks for more than there is.
	w = newWorld(t)
	w.withKeys()
	w.write(".aws/config", "[profile one]\nrole_arn = "+devRole+"\ncredential_source = Environment\nduration_seconds = 14400\n"+
		"[profile two]\nrole_arn = "+devRole+"2\nsource_profile = one\nduration_seconds = 14400\n")
	for _, test := range []struct {
		profile, notice string
		calls           int
	}{
		{"one", `role "dev" grants at most 1h; asked for 4h`, 2},
		{"two", `a role assumed with the keys of another role lasts at most 1h; for role "dev2" 4h were asked for`, 3},
	} {
		in = obj{"profile": test.profile}
		if o = w.mustOpen(in, call{}); len(o.Notices) != 1 || o.Notices[0] != test.notice || w.calls("AssumeRole") != test.calls {
			t.Errorf("profile %s: %d calls, notices %q", test.profile, w.calls("AssumeRole"), o.Notices)
		}
		if o = w.mustOpen(in, call{}); len(o.Notices) != 0 {
			t.Errorf("profile %s: it is said again: %q", test.profile, o.Notices)
		}
	}

	// What the file did not ask for is no news.
	w = newWorld(t)
	w.write("token", "token")
	in = oidc(obj{"file": "token"})
	delete(in["oidc"].(obj), "duration")
	if o = w.mustOpen(in, call{}); len(o.Notices) != 0 || w.server.Requests()[0].Form.Get("DurationSeconds") != "7200" {
		t.Errorf("notices %q", o.Notices)
	}
}

func TestLoginAsSource(t *testing.T) {
	w := newWorld(t)
	w.write("token", "token")
	p := New(Options{Cache: w.cache})
	base, err := w.openBy(p, oidc(obj{"file": "token"}), call{})
	if err != nil {
		t.Fatal(err)
	}
	in := assume(obj{"roleArn": devRole + "2", "source": obj{"login": base.Value}})
	role, err := w.openBy(p, in, call{})
	if err != nil {
		t.Fatal(describe(err))
	}
	// The base's keys change, its question does not.
	fresh, err := w.openBy(p, oidc(obj{"file": "token"}), call{fresh: true})
	if err != nil || id(fresh) == id(base) {
		t.Fatal(err)
	}
	again, err := w.openBy(p, assume(obj{"roleArn": devRole + "2", "source": obj{"login": fresh.Value}}), call{})
	if err != nil || id(again) != id(role) {
		t.Errorf("fresh keys of the same login were another question: %v", err)
	}
	_, err = w.openBy(p, assume(obj{"duration": "2h", "source": obj{"login": base.Value}}), call{})
	if err == nil || !strings.Contains(err.Error(), "at most 1h") {
		t.Errorf("got %v", err)
	}
}

func TestSession(t *testing.T) {
	w := newWorld(t)
	w.withKeys()
	o := w.mustOpen(obj{"session": obj{}}, call{})
	if got := w.server.Requests()[0].Form.Get("DurationSeconds"); got != "43200" {
		t.Errorf("asked for %s s", got)
	}
	if o.Credential.Account != awstest.Account || time.Until(o.ExpiresAt) < 11*time.Hour {
		t.Errorf("%+v", o.Credential)
	}
	w.env["AWS_SESSION_TOKEN"] = "cAnArY"
	if err := w.fails(obj{"session": obj{}}, call{}, "cAnArY"); !strings.Contains(err.Summary, "only from a user's own") {
		t.Errorf("got %s", describe(err))
	}
}

func TestStatic(t *testing.T) {
	w := newWorld(t)
	o := w.mustOpen(obj{"static": obj{"accessKeyId": awstest.KeyID, "secretAccessKey": awstest.SecretKey}}, call{})
	if id(o) != awstest.KeyID || !o.ExpiresAt.IsZero() || !o.RefreshAt.IsZero() || o.Credential.Account != awstest.Account || len(o.Notices) != 0 {
		t.Errorf("%+v %+v", o.Credential, o.Notices)
	}
	if _, there := o.Value.Object["sessionToken"]; there {
		t.Error("an empty session token")
	}
	if _, there := o.Value.Object["expiration"]; there {
		t.Error("an expiration")
	}
	o = w.mustOpen(obj{"static": obj{"accessKeyId": "ASIAQNZGKIQY56JQ7WML", "secretAccessKey": "s", "sessionToken": "t"}}, call{})
	if len(o.Notices) != 1 || o.Credential.Account != "029608264753" {
		t.Errorf("%+v %q", o.Credential, o.Notices)
	}
	for _, bad := range []obj{
		{"accessKeyId": "AKIA\n", "secretAccessKey": "cAnArY"}, {"accessKeyId": "AKIA", "secretAccessKey": "cAnArY x"},
		{"accessKeyId": "AKIA", "secretAccessKey": "cAnArY\x00"}, {"accessKeyId": "AKIA", "secretAccessKey": "cAnArY", "sessionToken": "ü"},
	} {
		w.fails(obj{"static": bad}, call{}, "cAnArY")
	}
	if w.server.Calls().Total != 0 {
		t.Error("static keys asked somebody")
	}
}

func TestSourcesThatDoNotWork(t *testing.T) {
	for _, tt := range []struct {
		name, config string
		env          map[string]string
		in           obj
		want, hint   string
		kind         resolver.FailureKind
	}{
		{name: "no such profile", in: obj{"profile": "nope"}, want: `there is no AWS profile "nope"`, hint: "list-profiles", kind: resolver.KindRefused},
		{name: "no keys anywhere", in: assume(nil), want: "no AWS keys to start from", hint: "source: {profile: NAME}", kind: resolver.KindRefused},
		{name: "half a pair", env: map[string]string{"AWS_ACCESS_KEY_ID": awstest.KeyID}, in: assume(nil), want: "only one of", kind: resolver.KindRefused},
		{name: "profile without keys", config: "[profile p]\nregion = eu-west-1\n", in: obj{"profile": "p"}, want: `profile "p" has no credentials`, kind: resolver.KindRefused},
		{name: "source without keys", config: "[profile p]\nrole_arn = " + devRole + "\nsource_profile = q\n[profile q]\nregion = eu-west-1\n", in: obj{"profile": "p"}, want: `takes its keys from profile "q", which has none`, kind: resolver.KindRefused},
		{name: "MFA in a profile", config: "[profile p]\nrole_arn = " + devRole + "\nsource_profile = q\nmfa_serial = arn:aws:iam::1:mfa/x\n[profile q]\n" + baseKeys, in: obj{"profile": "p"}, want: "an MFA code of arn:aws:iam::1:mfa/x is wanted", hint: `run "ambit login"`, kind: resolver.KindLogin},
		{name: "MFA in the file", env: map[string]string{"AWS_ACCESS_KEY_ID": awstest.KeyID, "AWS_SECRET_ACCESS_KEY": awstest.SecretKey}, in: assume(obj{"mfaSerial": "arn:aws:iam::123456789012:mfa/x"}), want: "an MFA code of arn:aws:iam::123456789012:mfa/x is wanted", hint: `run "ambit login"`, kind: resolver.KindLogin},
		{name: "SSO of ours", in: ssoInput(), want: "nobody is logged in to the SSO session of https://example.awsapps.com/start", hint: `run "ambit login"`, kind: resolver.KindLogin},
		{name: "SSO session ended", config: "[profile p]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = dev\n[sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://example.awsapps.com/start\n", in: obj{"profile": "p"}, want: `nobody is logged in to the SSO session of profile "p"`, hint: `run "ambit login"`, kind: resolver.KindLogin},
		{name: "program prints nonsense", config: "[profile p]\ncredential_process = echo cAnArY\n", in: obj{"profile": "p"}, want: `its output is not what a credential_process prints`, kind: resolver.KindRefused},
		{name: "program fails", config: "[profile p]\ncredential_process = sh -c 'echo cAnArY >&2; exit 3'\n", in: obj{"profile": "p"}, want: `credential_process of profile "p" gave no credentials`, kind: resolver.KindRefused},
		{name: "wrong secret", env: map[string]string{"AWS_ACCESS_KEY_ID": awstest.KeyID, "AWS_SECRET_ACCESS_KEY": "cAnArYcAnArY"}, in: assume(nil), want: "AWS refused role " + devRole + ": SignatureDoesNotMatch: AWS knows the access key id, and the secret access key is not the one", hint: `the environment's keys: run "ambit doctor"`, kind: resolver.KindRefused},
		{name: "unknown key", env: map[string]string{"AWS_ACCESS_KEY_ID": "AKIARZPUZDIKFIZZZZ77", "AWS_SECRET_ACCESS_KEY": "cAnArYcAnArY"}, in: assume(nil), want: "InvalidClientTokenId: AWS does not know the access key: it is mistyped, deleted, switched off", hint: `the environment's keys: run "ambit doctor"`, kind: resolver.KindRefused},
		{name: "newline in a key", env: map[string]string{"AWS_ACCESS_KEY_ID": awstest.KeyID, "AWS_SECRET_ACCESS_KEY": "cAnArY\n"}, in: assume(nil), want: "secretAccessKey holds white space", kind: resolver.KindRefused},
		{name: "no region", env: map[string]string{"AWS_REGION": "x.evil.example/#"}, in: obj{"session": obj{}}, want: "AWS_REGION is not the name of a region"},
		{name: "no URL", env: map[string]string{"AWS_ENDPOINT_URL_STS": "cAnArY@nowhere"}, in: obj{"session": obj{}}, want: "the endpoint in AWS_ENDPOINT_URL_STS is not an http or https URL"},
		{name: "too short", in: assume(obj{"duration": "1m"}), want: "between 15m and 12h"},
		{name: "too long", in: obj{"session": obj{"duration": "37h"}}, want: "between 15m and 36h"},
		{name: "broken policy", env: map[string]string{"AWS_ACCESS_KEY_ID": awstest.KeyID, "AWS_SECRET_ACCESS_KEY": awstest.SecretKey}, in: assume(obj{"policy": "{"}), want: "MalformedPolicyDocument", hint: "input policy", kind: resolver.KindRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			if strings.Contains(tt.want, "region") || strings.Contains(tt.want, "endpoint") {
				w.withKeys()
			}
			for name, value := range tt.env {
				w.env[name] = value
			}
			w.write(".aws/config", tt.config)
			t.Setenv("HOME", w.dir) // the SDK looks for SSO's cache by itself
			err := w.fails(tt.in, call{}, "cAnArY", awstest.SecretKey)
			if !strings.Contains(err.Summary, tt.want) || !strings.Contains(err.Hint, tt.hint) || err.Kind != tt.kind {
				t.Errorf("got %s", describe(err))
			}
		})
	}
}

func TestDeletedRole(t *testing.T) {
	w := newWorld(t)
	w.withKeys()
	w.knobs(func(k *awstest.Knobs) { k.Roles = map[string]awstest.Role{devRole: {Deleted: true}} })
	err := w.fails(assume(nil), call{}, awstest.SecretKey)
	if !strings.HasPrefix(err.Summary, "AWS refused role "+devRole+": AccessDenied: User: arn:aws:iam::123456789012:user/demo is not authorized") ||
		!strings.Contains(err.Hint, "aws iam get-role --role-name dev") {
		t.Errorf("got %s", describe(err))
	}
}

func TestCredentialProcess(t *testing.T) {
	w := newWorld(t)
	t.Setenv("HOME", w.dir)
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	log := filepath.Join(w.dir, "log")
	program := w.write("get-keys", fmt.Sprintf("#!/bin/sh\necho x >>%s\necho '{\"Version\":1,\"AccessKeyId\":%q,\"SecretAccessKey\":%q,\"SessionToken\":\"t\",\"Expiration\":%q}'\n",
		log, "ASIAQNZGKIQY56JQ7WML", "secret-key", until))
	if err := os.Chmod(program, 0o700); err != nil {
		t.Fatal(err)
	}
	w.write(".aws/config", "[profile p]\ncredential_process = "+program+"\n")
	o := w.mustOpen(obj{"profile": "p"}, call{})
	w.mustOpen(obj{"profile": "p"}, call{})
	if runs, err := os.ReadFile(log); err != nil || len(runs) != 2 {
		t.Errorf("ran %d times: %v", len(runs)/2, err)
	}
	if id(o) != "ASIAQNZGKIQY56JQ7WML" || o.Value.Object["expiration"].Text != until || o.Credential.Account != "029608264753" || o.Credential.Source != `profile "p"` {
		t.Errorf("%+v", o.Credential)
	}
	// The same keys until late: asked again after half of what is left.
	w.age(50 * 60)
	o = w.mustOpen(obj{"profile": "p"}, call{patience: resolver.Detached})
	if o.RefreshAt.Before(time.Now().Add(29 * time.Second)) {
		t.Errorf("asks again at %v", o.RefreshAt)
	}
}

func TestSSOProfile(t *testing.T) {
	w := newWorld(t)
	t.Setenv("HOME", w.dir)
	status := http.StatusOK
	portal := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("X-Amz-Sso_bearer_token"); got != "cAnArY-sso-token" || r.URL.Query().Get("role_name") != "dev" {
			t.Errorf("asked %s with %q", r.URL, got)
		}
		switch status {
		case http.StatusTemporaryRedirect:
			rw.Header().Set("Location", "http://localhost:1/stolen")
			rw.WriteHeader(status)
		case http.StatusForbidden:
			rw.Header().Set("X-Amzn-Errortype", "ForbiddenException")
			rw.WriteHeader(status)
			fmt.Fprint(rw, `{"message":"No access"}`)
		case http.StatusOK:
			fmt.Fprintf(rw, `{"roleCredentials":{"accessKeyId":"ASIAQNZGKIQY56JQ7WML","secretAccessKey":"s","sessionToken":"t","expiration":%d}}`, time.Now().Add(8*time.Hour).UnixMilli())
		default:
			rw.WriteHeader(status)
		}
	}))
	w.write(".aws/config", `
[profile p]
sso_session = s
sso_account_id = 123456789012
sso_role_name = dev
services = local
[sso-session s]
sso_region = eu-west-1
sso_start_url = https://example.awsapps.com/start
[services local]
sso =
  endpoint_url = `+portal.URL+"\n")
	w.write(".aws/sso/cache/a0f1490a20d0211c997b44bc357e1972deab8ae3.json", // SHA-1 of "s"
		fmt.Sprintf(`{"accessToken":"cAnArY-sso-token","expiresAt":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
	o := w.mustOpen(obj{"profile": "p"}, call{})
	if id(o) != "ASIAQNZGKIQY56JQ7WML" || o.Credential.Account != "029608264753" || time.Until(o.ExpiresAt) < 7*time.Hour {
		t.Errorf("%+v", o.Credential)
	}
	for _, tt := range []struct {
		status int
		want   string
		kind   resolver.FailureKind
	}{
		{http.StatusForbidden, `AWS refused role dev of account 123456789012: ForbiddenException: No access`, resolver.KindRefused},
		{http.StatusTemporaryRedirect, `answered with a redirect, which is not followed`, resolver.KindNetwork},
		{http.StatusServiceUnavailable, `is out of order: 503`, resolver.KindNetwork},
		{0, "connection refused", resolver.KindNetwork},
	} {
		w.cache = nil
		if status = tt.status; status == 0 {
			portal.Close()
		}
		if err := w.fails(obj{"profile": "p"}, call{}, "cAnArY"); !strings.Contains(err.Summary, tt.want) || err.Kind != tt.kind {
			t.Errorf("%d: got %s", tt.status, describe(err))
		}
	}
}

func TestContainerCredentials(t *testing.T) {
	w := newWorld(t)
	t.Setenv("HOME", w.dir)
	calls := 0
	agent := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		calls++
		fmt.Fprintf(rw, `{"AccessKeyId":"ASIAQNZGKIQY56JQ7WML","SecretAccessKey":"s","Token":"t","Expiration":%q}`, time.Now().Add(6*time.Hour).UTC().Format(time.RFC3339))
	}))
	defer agent.Close()
	w.write(".aws/config", "[profile p]\ncredential_source = EcsContainer\nrole_arn = "+devRole+"\n[profile q]\nregion = eu-west-1\n")
	w.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = agent.URL
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.URL) // the SDK reads the process environment
	o := w.mustOpen(obj{"profile": "q"}, call{})
	w.mustOpen(obj{"profile": "q"}, call{})
	if id(o) != "ASIAQNZGKIQY56JQ7WML" || calls != 1 {
		t.Errorf("%s after %d calls", id(o), calls)
	}
}

func TestMetadataServiceIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	calls := 0
	imds := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls++ }))
	defer imds.Close()
	w.write(".aws/config", "[default]\nregion = eu-west-1\n")
	// Not configured before loading: a value of the process does not count.
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.URL)
	began := time.Now()
	w.fails(assume(nil), call{})
	if calls != 0 || time.Since(began) > time.Second {
		t.Errorf("%d calls in %v", calls, time.Since(began))
	}
}

func TestPlaces(t *testing.T) {
	for _, tt := range []struct {
		name         string
		env          map[string]string
		config       string
		input, arn   string
		region, host string
	}{
		{name: "input first", input: "eu-west-3", env: map[string]string{"AWS_REGION": "eu-west-1"}, region: "eu-west-3"},
		{name: "process", env: map[string]string{"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, region: "eu-west-1"},
		{name: "old name", env: map[string]string{"AWS_DEFAULT_REGION": "eu-west-2"}, region: "eu-west-2"},
		{name: "profile", config: "[default]\nregion = ap-south-1\n", region: "ap-south-1"},
		{name: "chosen profile", env: map[string]string{"AWS_PROFILE": "p"}, config: "[profile p]\nregion = ap-south-2\n", region: "ap-south-2"},
		{name: "nothing", region: "us-east-1"},
		{name: "China", arn: "arn:aws-cn:iam::1:role/x", region: "cn-north-1"},
		{name: "GovCloud", arn: "arn:aws-us-gov:iam::1:role/x", region: "us-gov-west-1"},
		{name: "endpoint of STS", env: map[string]string{"AWS_ENDPOINT_URL_STS": "http://a", "AWS_ENDPOINT_URL": "http://b"}, region: "us-east-1", host: "http://a"},
		{name: "endpoint of all", env: map[string]string{"AWS_ENDPOINT_URL": "http://b"}, config: "[default]\nendpoint_url = http://c\n", region: "us-east-1", host: "http://b"},
		{name: "profile's endpoint", config: "[default]\nendpoint_url = http://c\n", region: "us-east-1", host: "http://c"},
		{name: "profile's service", config: "[default]\nendpoint_url = http://c\nservices = s\n[services s]\nsts =\n  endpoint_url = http://d\n", region: "us-east-1", host: "http://d"},
		{name: "ignored", env: map[string]string{"AWS_ENDPOINT_URL": "http://b", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "TRUE"}, region: "us-east-1"},
		{name: "profile ignores", config: "[default]\nendpoint_url = http://c\nignore_configured_endpoint_urls = true\n", region: "us-east-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.write(".aws/config", tt.config)
			environ := []string{"HOME=" + w.dir}
			for name, value := range tt.env {
				environ = append(environ, name+"="+value)
			}
			o := &opening{provider: &provider{}, region: tt.input, shared: map[string]*sharedProfile{},
				call: &resolver.Call{Env: resolver.NewBaseline(environ)}}
			profile, err := o.activeProfile()
			if err != nil {
				t.Fatal(err)
			}
			p, err := o.placeFor(profile, tt.arn)
			if err != nil || p.region != tt.region || p.endpoint != tt.host {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
}

// TestRegionalHost: without a configured endpoint the regional one is asked,
// never the global one; and a proxy that refuses is named.
func TestRegionalHostAndProxy(t *testing.T) {
	var seen string
	status := http.StatusForbidden
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen = r.Method + " " + r.Host
		rw.WriteHeader(status)
	}))
	ask := func() error {
		client := &httpClient{limits: limitsOf(resolver.AtPrompt)}
		client.once.Do(client.build)
		client.client.Transport.(*http.Transport).Proxy = func(*http.Request) (*url.URL, error) {
			u, err := url.Parse(proxy.URL)
			u.User = url.UserPassword("me", "cAnArY")
			return u, err
		}
		ctx := context.Background()
		_, err := newSTS(place{region: "eu-south-2"}, client.limits, client, keys{id: "A", secret: secret.New("s")}.provide()).GetCallerIdentity(ctx, nil)
		return explain(ctx, err, client, trouble{service: "STS"})
	}
	for _, tt := range []struct {
		status int
		want   string
	}{
		{http.StatusForbidden, "STS at sts.eu-south-2.amazonaws.com cannot be reached: proxy 127.0.0.1"},
		{http.StatusProxyAuthRequired, "wants a password"},
		{0, "the proxy on the way to STS at sts.eu-south-2.amazonaws.com cannot be reached"},
	} {
		if status = tt.status; status == 0 {
			proxy.Close()
		}
		err := ask()
		if !strings.Contains(err.Error(), tt.want) || strings.Contains(describe(err), "cAnArY") {
			t.Errorf("got %s", describe(err))
		}
	}
	if seen != "CONNECT sts.eu-south-2.amazonaws.com:443" {
		t.Errorf("asked %q", seen)
	}
}

func TestWhoAmI(t *testing.T) {
	w := newWorld(t)
	env := resolver.NewBaseline([]string{"HOME=" + w.dir, "AWS_ENDPOINT_URL_STS=" + w.server.URL})
	who, err := WhoAmI(context.Background(), env, time.Now, Keys{awstest.KeyID, secret.New(awstest.SecretKey), secret.Text{}}, "eu-central-1")
	if err != nil || who.Account != awstest.Account || who.ARN != "arn:aws:iam::123456789012:user/demo" || who.UserID == "" {
		t.Errorf("%+v %v", who, err)
	}
	_, err = WhoAmI(context.Background(), env, time.Now, Keys{awstest.KeyID, secret.New("cAnArYcAnArY"), secret.Text{}}, "")
	if err == nil || !strings.HasPrefix(err.Error(), "AWS refused these credentials: SignatureDoesNotMatch") || strings.Contains(describe(err), "cAnArY") {
		t.Errorf("%v", err)
	}
	w.knobs(func(k *awstest.Knobs) { k.Outage = awstest.HTML })
	if _, err = WhoAmI(context.Background(), env, time.Now, Keys{awstest.KeyID, secret.New("s"), secret.Text{}}, ""); err == nil || !strings.Contains(err.Error(), "web page") {
		t.Errorf("%v", err)
	}
}

func TestGitHubActions(t *testing.T) {
	w := newWorld(t)
	runner := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "bearer job-secret" && r.Header.Get("Authorization") != "Bearer job-secret" {
			rw.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(rw, "job-secret")
			return
		}
		fmt.Fprintf(rw, `{"value":"token for %s and %s"}`, r.URL.Query().Get("audience"), r.URL.Query().Get("x"))
	}))
	defer runner.Close()
	w.env["ACTIONS_ID_TOKEN_REQUEST_URL"] = runner.URL + "/?x=1"
	w.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "job-secret"
	w.mustOpen(oidc(obj{"githubActions": obj{}}), call{})
	if got := w.server.Requests()[0].Form.Get("WebIdentityToken"); got != "token for sts.amazonaws.com and 1" {
		t.Errorf("STS got %q", got)
	}
	w.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "wrong-secret"
	if err := w.fails(oidc(obj{"githubActions": obj{"audience": "other"}}), call{}, "wrong-secret", "job-secret"); !strings.Contains(err.Summary, "GitHub's token service refused: 401") || !strings.Contains(err.Hint, "id-token: write") {
		t.Errorf("got %s", describe(err))
	}
}

// TestMoto asks a second server that nobody here wrote.
func TestMoto(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withMoto()
	w.env["AWS_ACCESS_KEY_ID"], w.env["AWS_SECRET_ACCESS_KEY"] = "test", "test"
	w.write("token", "token")
	for _, in := range []obj{oidc(obj{"file": "token"}), assume(nil)} {
		o := w.mustOpen(in, call{})
		if !strings.HasPrefix(o.Credential.ARN, "arn:aws:sts::123456789012:assumed-role/dev/") || o.Credential.Account != "123456789012" {
			t.Errorf("%+v", o.Credential)
		}
	}
}

// withMoto starts a moto_server and makes it the endpoint of all services.
func (w *world) withMoto() {
	t := w.t
	t.Helper()
	moto, err := exec.LookPath("moto_server")
	if err != nil {
		if os.Getenv("AMBIT_TEST_REQUIRE") == "all" {
			t.Fatal("moto_server is not installed")
		}
		t.Skip("moto_server is not installed: only our own server was asked")
	}
	port := freePort(t)
	cmd := exec.Command(moto, "-p", port)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	delete(w.env, "AWS_ENDPOINT_URL_STS")
	w.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:" + port
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if resp, err := http.Get(w.env["AWS_ENDPOINT_URL"] + "/moto-api/data.json"); err == nil {
			resp.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("moto_server does not answer")
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// The SDK opens the user's files by itself, and reads them to their end.
func TestOddConfigurationFiles(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(path string) error
		want string // "" where it counts as empty
	}{
		{"a FIFO", func(path string) error { return syscall.Mkfifo(path, 0o600) }, "is not a regular file"},
		{"a directory", func(path string) error { return os.Mkdir(path, 0o700) }, "is not a regular file"},
		{"endless", func(path string) error { return os.Symlink("/dev/zero", path) }, "is not a regular file"},
		{"huge", func(path string) error {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return err
			}
			return os.Truncate(path, 4<<30)
		}, "is larger than 1 MiB"},
		{"none", func(path string) error { return nil }, ""},
		{"a link to nothing", func(path string) error { return os.Symlink("none", path) }, ""},
	} {
		for _, file := range []string{"config", "credentials"} {
			t.Run(tt.name+" as "+file, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.withKeys()
				if err := os.Mkdir(filepath.Join(w.dir, ".aws"), 0o700); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(w.dir, ".aws", file)
				if err := tt.make(path); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				if tt.want == "" {
					w.mustOpen(assume(nil), call{})
					return
				}
				for _, in := range []obj{{"profile": "p"}, assume(nil)} {
					err := w.fails(in, call{patience: resolver.Person}, awstest.SecretKey)
					if want := fmt.Sprintf("cannot read the AWS configuration %q: %s", path, tt.want); err.Summary != want || err.Kind != resolver.KindRefused {
						t.Errorf("%s, want %s", describe(err), want)
					}
				}
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("took %v", took)
				}
			})
		}
	}
	// Empty files, as people write them where they want none.
	w := newWorld(t)
	w.withKeys()
	w.env["AWS_CONFIG_FILE"], w.env["AWS_SHARED_CREDENTIALS_FILE"] = os.DevNull, os.DevNull
	w.mustOpen(assume(nil), call{})
	w.env["AWS_SHARED_CREDENTIALS_FILE"] = w.write("mine", "[p]\n"+baseKeys)
	if o := w.mustOpen(obj{"profile": "p"}, call{}); !slices.Equal(o.Files, []string{filepath.Join(w.dir, "mine")}) {
		t.Errorf("watches %q", o.Files)
	}
}

// What the SDK cannot open counts as empty for it; for whoever asks for a profile
// that would be a riddle.
func TestUnreadableConfigurationIsNamed(t *testing.T) {
	w := newWorld(t)
	w.withKeys()
	path := filepath.Join(w.dir, ".aws", "config")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("config", path); err != nil {
		t.Fatal(err)
	}
	w.mustOpen(assume(nil), call{})
	if err := w.fails(obj{"profile": "p"}, call{}); err.Summary != fmt.Sprintf("cannot read the AWS configuration %q: too many levels of symbolic links", path) {
		t.Error(describe(err))
	}
}

func TestContainerFollowsNoRedirect(t *testing.T) {
	w := newWorld(t)
	w.write(".aws/config", "[profile c]\nregion = eu-west-1\n")
	w.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"], w.env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = w.server.URL+"/v1/credentials", awstest.ContainerToken
	w.knobs(func(k *awstest.Knobs) { k.Outage = awstest.Redirect })
	err := w.fails(obj{"profile": "c"}, call{}, awstest.ContainerToken)
	if !strings.HasSuffix(err.Summary, "answered with a redirect, which is not followed") || err.Kind != resolver.KindNetwork {
		t.Error(describe(err))
	}
	if n := w.server.Calls().Total; n != 1 {
		t.Errorf("%d calls", n)
	}
}

// The profile may ask for FIPS and dual-stack endpoints; the environment is heard
// first.
func TestEndpointSwitches(t *testing.T) {
	w := newWorld(t)
	delete(w.env, "AWS_ENDPOINT_URL_STS")
	w.write(".aws/config", "[profile f]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = true\n")
	for _, tt := range []struct {
		profile, fips, dualStack string
		want                     place
	}{
		{"", "", "", place{}},
		{"", "true", "", place{fips: true}},
		{"f", "", "", place{fips: true, dualStack: true}},
		{"f", "false", "", place{dualStack: true}},
		{"f", "", "FALSE", place{fips: true}},
	} {
		env := []string{"HOME=" + w.dir, "AWS_USE_FIPS_ENDPOINT=" + tt.fips, "AWS_USE_DUALSTACK_ENDPOINT=" + tt.dualStack}
		o := newOpening(&provider{}, &resolver.Call{Env: resolver.NewBaseline(env), Now: time.Now})
		var p *config.SharedConfig
		if tt.profile != "" {
			var err error
			if p, err = o.profileNamed(tt.profile); err != nil {
				t.Fatal(err)
			}
		}
		got, err := o.placeFor(p, devRole)
		if err != nil {
			t.Fatal(err)
		}
		tt.want.region = "us-east-1"
		if got != tt.want {
			t.Errorf("%+v: %+v", tt, got)
		}
	}
}

// A program that comes back to us for its own keys would wait for itself.
func TestProcessDoesNotAskItself(t *testing.T) {
	w := newWorld(t)
	w.write(".aws/config", "[profile p]\ncredential_process = printf %s \"$"+ProcessVar+"\" >chain; false\n")
	w.fails(obj{"profile": "p"}, call{})
	chain, err := os.ReadFile(filepath.Join(w.dir, "chain"))
	if err != nil {
		t.Fatal(err)
	}
	const loop = `the credential_process of profile "p" asks for its own credentials`
	for _, before := range []string{string(chain), "not ours"} {
		w.env[ProcessVar] = before
		began := time.Now()
		if err := w.fails(obj{"profile": "p"}, call{patience: resolver.Person}); err.Summary != loop || time.Since(began) > time.Second {
			t.Errorf("after %q: %s in %v", before, describe(err), time.Since(began))
		}
	}
	w.env[ProcessVar] = `["shop/dev"]`
	if err := w.fails(obj{"profile": "p"}, call{patience: resolver.Person}); err.Summary == loop {
		t.Error("somebody else's question is taken for this one")
	}
}
