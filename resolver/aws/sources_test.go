package aws

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/aws/awstest"
)

// TestSources has a row for every source of keys: what is called with which
// parameters, by whom the keys are taken, and that the next open calls nobody.
func TestSources(t *testing.T) {
	const web, instance, task = "arn:aws:sts::123456789012:assumed-role/dev/", "arn:aws:sts::123456789012:assumed-role/instance/", "arn:aws:sts::123456789012:assumed-role/task/"
	const demo = "arn:aws:iam::123456789012:user/demo"
	const keys = "aws_access_key_id = " + awstest.KeyID + "\naws_secret_access_key = " + awstest.SecretKey + "\n"
	const ssoKeys = "sso_account_id = 123456789012\nsso_role_name = dev\n"
	sso := awstest.SSOSessionARN(awstest.Account, "dev")
	role := "role_arn = " + devRole + "\n"
	userKeys := map[string]string{"AWS_ACCESS_KEY_ID": awstest.KeyID, "AWS_SECRET_ACCESS_KEY": awstest.SecretKey}
	for _, tt := range []struct {
		name   string
		config string // "~" is the home directory
		env    map[string]string
		in     obj
		calls  map[string]int
		arn    string // a prefix
		login  bool   // a person is needed
		lasts  time.Duration
	}{
		{name: "oidc", in: oidc(obj{"file": "token"}), calls: map[string]int{"AssumeRoleWithWebIdentity": 1}, arn: web, lasts: time.Hour},
		{name: "oidc by the environment", env: map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "~/token"}, in: obj{"oidc": obj{"roleArn": devRole, "sessionName": "me", "duration": "15m"}},
			calls: map[string]int{"AssumeRoleWithWebIdentity": 1}, arn: web, lasts: 15 * time.Minute},
		{name: "assumeRole", env: userKeys, in: assume(obj{"duration": "30m"}), calls: map[string]int{"AssumeRole": 1}, arn: web, lasts: 30 * time.Minute},
		{name: "assumeRole with MFA", env: userKeys, in: withMFA(nil), login: true, calls: map[string]int{"GetSessionToken": 1, "AssumeRole": 1}, arn: web, lasts: time.Hour},
		{name: "session", env: userKeys, in: obj{"session": obj{}}, calls: map[string]int{"GetSessionToken": 1}, arn: demo, lasts: 12 * time.Hour},
		{name: "session with MFA", env: userKeys, in: obj{"session": obj{"mfaSerial": awstest.MFASerial, "duration": "36h"}}, login: true, calls: map[string]int{"GetSessionToken": 1}, arn: demo, lasts: 36 * time.Hour},
		{name: "static", in: obj{"static": obj{"accessKeyId": awstest.KeyID, "secretAccessKey": awstest.SecretKey}}, arn: demo},
		{name: "sso", in: ssoInput(), login: true, calls: map[string]int{"RegisterClient": 1, "CreateToken": 1, "GetRoleCredentials": 1}, arn: sso, lasts: time.Hour},

		{name: "profile with keys", config: keys, arn: demo},
		{name: "profile with a role", config: role + "source_profile = q\n[profile q]\n" + keys, calls: map[string]int{"AssumeRole": 1}, arn: web, lasts: time.Hour},
		{name: "profile with a role and its own keys", config: role + "source_profile = p\n" + keys, calls: map[string]int{"AssumeRole": 1}, arn: web, lasts: time.Hour},
		{name: "profile with roles in a row", config: role + "source_profile = q\n[profile q]\nrole_arn = " + otherRole + "\nsource_profile = r\n[profile r]\n" + keys,
			calls: map[string]int{"AssumeRole": 2}, arn: web, lasts: time.Hour},
		{name: "profile with MFA", config: role + "source_profile = q\nmfa_serial = " + awstest.MFASerial + "\n[profile q]\n" + keys, login: true,
			calls: map[string]int{"GetSessionToken": 1, "AssumeRole": 1}, arn: web, lasts: time.Hour},
		{name: "profile by the environment", config: role + "credential_source = Environment\n", env: userKeys, calls: map[string]int{"AssumeRole": 1}, arn: web, lasts: time.Hour},
		{name: "profile with a web identity", config: role + "web_identity_token_file = ~/token\n", calls: map[string]int{"AssumeRoleWithWebIdentity": 1}, arn: web, lasts: time.Hour},
		{name: "profile with an SSO session", config: ssoKeys + "sso_session = s\n[sso-session s]\nsso_region = eu-west-1\nsso_start_url = " + testStartURL + "\n", login: true,
			calls: map[string]int{"RegisterClient": 1, "CreateToken": 1, "GetRoleCredentials": 1}, arn: sso, lasts: time.Hour},
		{name: "profile with SSO of old", config: ssoKeys + "sso_region = eu-west-1\nsso_start_url = " + testStartURL + "\n", login: true,
			calls: map[string]int{"RegisterClient": 1, "CreateToken": 1, "GetRoleCredentials": 1}, arn: sso, lasts: time.Hour},
		{name: "profile with a role over SSO", config: role + "source_profile = q\n[profile q]\n" + ssoKeys + "sso_region = eu-west-1\nsso_start_url = " + testStartURL + "\n", login: true,
			calls: map[string]int{"RegisterClient": 1, "CreateToken": 1, "GetRoleCredentials": 1, "AssumeRole": 1}, arn: web, lasts: time.Hour},
		{name: "profile with a program", config: "credential_process = ~/get-keys\n", arn: demo},
		{name: "profile with a container", config: "region = eu-west-1\n", env: map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "URL/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN": awstest.ContainerToken},
			calls: map[string]int{"GetPodCredentials": 1}, arn: task, lasts: 6 * time.Hour},
		{name: "profile with a role over a container", config: role + "credential_source = EcsContainer\n", env: map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "URL/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN": awstest.ContainerToken},
			calls: map[string]int{"GetPodCredentials": 1, "AssumeRole": 1}, arn: web, lasts: time.Hour},
		{name: "profile with an instance", config: "ec2_metadata_service_endpoint = URL\n", calls: map[string]int{"GetMetadataToken": 1, "ListMetadataRoles": 1, "GetMetadataCredentials": 1}, arn: instance, lasts: 6 * time.Hour},
		{name: "profile with a role over an instance", config: role + "credential_source = Ec2InstanceMetadata\nec2_metadata_service_endpoint = URL\n",
			calls: map[string]int{"GetMetadataToken": 1, "ListMetadataRoles": 1, "GetMetadataCredentials": 1, "AssumeRole": 1}, arn: web, lasts: time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newSSOWorld(t)
			local := strings.NewReplacer("~", w.dir, "URL", w.server.URL)
			w.write("token", jwt(fmt.Sprintf(`{"iss":"https://i","sub":"s","aud":"sts.amazonaws.com","exp":%d}`, time.Now().Add(time.Hour).Unix())))
			program := w.write("get-keys", "#!/bin/sh\necho '{\"Version\":1,\"AccessKeyId\":\""+awstest.KeyID+"\",\"SecretAccessKey\":\""+awstest.SecretKey+"\"}'\n")
			if err := os.Chmod(program, 0o700); err != nil {
				t.Fatal(err)
			}
			for name, value := range tt.env {
				w.env[name] = local.Replace(value)
			}
			in := tt.in
			if in == nil {
				in = obj{"profile": "p"}
				w.write(".aws/config", "[profile p]\n"+local.Replace(tt.config))
			}
			if tt.login {
				if err := w.fails(in, call{}, awstest.SecretKey); err.Kind != resolver.KindLogin || err.Hint != runLogin {
					t.Errorf("without a person: %s", describe(err))
				}
				if w.server.Calls().Total != 0 {
					t.Errorf("without a person: %+v", w.server.Calls())
				}
			}
			p := &person{t: t, codes: w.server.NextMFACode}
			o := w.mustOpen(in, loggingIn(p))
			for action, n := range w.server.Calls().ByAction {
				if action != "Authorize" && n != tt.calls[action] {
					t.Errorf("%s: called %d times, want %d", action, n, tt.calls[action])
				}
			}
			for action, n := range tt.calls {
				if w.calls(action) == 0 {
					t.Errorf("%s: never called, want %d", action, n)
				}
			}
			if visits, _, asked := p.count(); (visits+asked > 0) != tt.login {
				t.Errorf("a person was sent away %d times and asked %d times", visits, asked)
			}
			if who := w.whoIs(o); !strings.HasPrefix(who, tt.arn) {
				t.Errorf("the keys are those of %s", who)
			}
			if expiration := o.Value.Object["expiration"].Text; tt.lasts == 0 {
				if expiration != "" || !o.ExpiresAt.IsZero() {
					t.Errorf("ends %s", expiration)
				}
			} else if lasts := time.Until(parseTime(t, expiration)); lasts > tt.lasts || lasts < tt.lasts-10*time.Second {
				t.Errorf("lasts %v, want %v", lasts, tt.lasts)
			}
			calls := w.server.Calls().Total
			if again := w.mustOpen(in, call{}); id(again) != id(o) || w.server.Calls().Total != calls {
				t.Error("the second open did not serve what the first kept")
			}
		})
	}
}

// TestLoops: a source that leads back to itself is an error, at once.
func TestLoops(t *testing.T) {
	for _, config := range []string{
		"[profile p]\nrole_arn = " + devRole + "\nsource_profile = p\n",
		"[profile p]\nrole_arn = " + devRole + "\nsource_profile = q\n[profile q]\nrole_arn = " + otherRole + "\nsource_profile = p\n",
	} {
		w := newWorld(t)
		w.write(".aws/config", config)
		if err := w.fails(obj{"profile": "p"}, loggingIn(&person{t: t})); err.Kind != resolver.KindRefused || err.Hint == "" || w.server.Calls().Total != 0 {
			t.Errorf("got %s", describe(err))
		}
	}
}

// TestLoginTakesTooLong: nobody comes back from the browser.
func TestLoginTakesTooLong(t *testing.T) {
	w := newSSOWorld(t)
	addresses := make(chan string, 1)
	p := &person{t: t, visit: func(address string) { addresses <- address }}
	quietly(t, func() {
		o := newOpening(&provider{Options: Options{Cache: w.cache}}, &resolver.Call{
			Inputs: value(ssoInput()), Env: w.baseline(), Now: time.Now, Patience: resolver.Person, Asker: p,
		})
		o.limits.login = 300 * time.Millisecond
		_, err := o.within(context.Background(), "x", o.run)
		var open *resolver.OpenError
		if !errors.As(err, &open) || open.Kind != resolver.KindLogin || !strings.Contains(open.Summary, "the login was not finished within") || open.Hint != runLogin {
			t.Errorf("got %v", err)
		}
	})
	u, err := url.Parse(<-addresses)
	if err != nil {
		t.Fatal(err)
	}
	nobodyListens(t, u.Query().Get("redirect_uri"))
	w.mustOpen(ssoInput(), loggingIn(&person{t: t}))
}
