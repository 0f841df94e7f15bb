package aws

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/exec"
	"ambit/resolver/safefile"
	"ambit/resolver/store"
)

// evaluate resolves a .envrc.yaml with the real language and provider.
func (w *world) evaluate(definition string) (*resolver.Result, string) {
	w.t.Helper()
	file := w.write("repo/.envrc.yaml", definition)
	sources := store.NewDirectories(nil, safefile.Owner{UID: os.Getuid(), GID: os.Getgid()})
	ctx := context.Background()
	p, diags := resolver.Load(ctx, sources, resolver.Root{File: file}, resolver.LoadOptions{Home: w.dir, Ceiling: []string{w.dir}})
	var r *resolver.Result
	if p != nil && !resolver.HasErrors(diags) {
		var environ []string
		for name, value := range w.env {
			environ = append(environ, name+"="+value)
		}
		r, diags = p.Evaluate(ctx, resolver.Options{
			Providers: map[string]*resolver.Provider{"aws-login": New(Options{Cache: w.cache, RunCommand: exec.Run})},
			Env:       resolver.NewBaseline(environ), Now: time.Now, Cache: w.cache,
		})
	}
	var lines []string
	for _, d := range diags {
		lines = append(lines, strings.TrimSpace(strings.Join([]string{filepath.Base(d.Pos.File), d.Summary, d.Hint}, " | ")))
	}
	return r, strings.Join(lines, "\n")
}

func TestInTheLanguage(t *testing.T) {
	w := newWorld(t)
	w.write("token", "token\n")
	r, diags := w.evaluate(`
values:
  base:
    fn::open::aws-login:
      oidc: {duration: 1h, roleArn: "arn:aws:iam::123456789012:role/base", sessionName: ambit-shop, token: {file: "~/token"}}
  login:
    fn::open::aws-login:
      assumeRole: {roleArn: "arn:aws:iam::123456789012:role/dev", source: {login: "${base}"}}
  environmentVariables:
    AWS_ACCESS_KEY_ID: ${login.accessKeyId}
    AWS_SECRET_ACCESS_KEY: ${login.secretAccessKey}
    AWS_SESSION_TOKEN: ${login.sessionToken}
    AWS_REGION: eu-central-1
`)
	if r == nil || diags != "" {
		t.Fatal(diags)
	}
	got := map[string]string{}
	for _, v := range r.Variables {
		got[v.Name] = v.Value.Reveal()
		if v.Secret != (v.Name == "AWS_SECRET_ACCESS_KEY" || v.Name == "AWS_SESSION_TOKEN") {
			t.Errorf("%s: secret is %v", v.Name, v.Secret)
		}
	}
	if !strings.HasPrefix(got["AWS_ACCESS_KEY_ID"], "ASIA") || !strings.HasSuffix(got["AWS_CREDENTIAL_EXPIRATION"], "Z") || got["AWS_DEFAULT_REGION"] != "eu-central-1" {
		t.Errorf("variables %v", len(got))
	}
	if len(r.Credentials) == 0 || r.Credentials[0].ARN != "arn:aws:sts::123456789012:assumed-role/dev/ambit" || r.ExpiresAt.IsZero() || r.RefreshAt.IsZero() {
		t.Errorf("%+v %v", r.Credentials, r.ExpiresAt)
	}
	if w.calls("AssumeRole") != 1 || w.calls("AssumeRoleWithWebIdentity") != 1 {
		t.Errorf("calls %v", w.server.Calls().ByAction)
	}
}

func TestInputsAreChecked(t *testing.T) {
	for inputs, want := range map[string]string{
		`{}`: "one of",
		`{oidc: {roleArn: "arn:aws:iam::123456789012:role/x", sessionName: me}, static: {accessKeyId: a, secretAccessKey: b}}`: "one of",
		`{oidc: {rolearn: "arn:aws:iam::123456789012:role/x", sessionName: me}}`:                                               `did you mean "roleArn"`,
		`{oidc: {roleArn: dev, sessionName: me}}`:                                                                              "role ARN like",
		`{oidc: {roleArn: "arn:aws:iam::123456789012:role/x", sessionName: m}}`:                                                "2 to 64",
		`{oidc: {roleArn: "arn:aws:iam::123456789012:role/x", sessionName: me, duration: 1d}}`:                                 "duration like 1h30m",
		`{oidc: {roleArn: "arn:aws:iam::123456789012:role/x", sessionName: me, duration: ""}}`:                                 "duration like 1h30m",
		`{oidc: {roleArn: "arn:aws:iam::123456789012:role/x", sessionName: me, duration: 13h}}`:                                "between 15m and 12h",
		`{oidc: {roleArn: "arn:aws:iam::123456789012:role/x", sessionName: me, token: {file: a, env: B}}}`:                     "one of",
		`{static: {accessKeyId: a}}`:                       "secretAccessKey",
		`{profile: 12}`:                                    "expected string, got number",
		`{profile: p, region: Frankfurt}`:                  "region like eu-central-1",
		`{assumeRole: {roleArn: "arn:aws:iam::1:role/x"}}`: "role ARN like",
		`{session: {source: {profil: x}}}`:                 `did you mean "profile"`,
		`{sso: {startUrl: x, region: eu-west-1, accountId: "123456789012", roleName: r}}`: "a start URL like https://example.awsapps.com/start",
	} {
		w := newWorld(t)
		_, diags := w.evaluate("values:\n  environmentVariables:\n    X: {fn::toJSON: {fn::open::aws-login: " + inputs + "}}\n")
		if !strings.Contains(diags, want) {
			t.Errorf("%s:\n got %s\nwant %s", inputs, diags, want)
		}
		if w.server.Calls().Total != 0 {
			t.Errorf("%s: STS was asked", inputs)
		}
	}
}
