package aws

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/aws/awstest"
	"ambit/resolver/secret"
)

func (w *world) try(profile string) Trial {
	return Try(context.Background(), w.baseline(), time.Now, w.run, profile)
}

const hubAndDev = `
[profile hub]
role_arn = arn:aws:iam::123456789012:role/hub
source_profile = base
[profile dev]
role_arn = arn:aws:iam::123456789012:role/dev
source_profile = hub
`

func TestTryWalksTheWholeChain(t *testing.T) {
	w := newWorld(t)
	w.write(".aws/credentials", "[base]\n"+baseKeys)
	w.write(".aws/config", hubAndDev)
	got := w.try("dev")
	if got.Err != nil || got.Keys.AccessKeyID == "" || got.Broken != (Link{}) || got.Expires.Before(time.Now()) {
		t.Fatalf("%+v", got)
	}
	var kinds []string
	for _, l := range got.Links {
		kinds = append(kinds, l.Kind+" "+l.Profile)
	}
	if !slices.Equal(kinds, []string{"keys base", "role hub", "role dev"}) {
		t.Errorf("%q", kinds)
	}
	w.try("dev")
	if n := w.calls("AssumeRole"); n != 4 {
		t.Errorf("%d calls: something was kept", n)
	}
}

func TestTryNamesTheFirstBrokenLink(t *testing.T) {
	w := newWorld(t)
	w.write(".aws/credentials", "[base]\n"+baseKeys)
	w.write(".aws/config", hubAndDev)
	w.knobs(func(k *awstest.Knobs) {
		k.Roles = map[string]awstest.Role{"arn:aws:iam::123456789012:role/hub": {Deleted: true}}
	})
	got := w.try("dev")
	if got.Broken.Profile != "hub" || got.Broken.Kind != "role" || got.Refusal.Code != "AccessDenied" || got.Base.AccessKeyID != awstest.KeyID || len(got.Links) != 1 {
		t.Errorf("%+v", got)
	}
	w.knobs(func(k *awstest.Knobs) { k.Roles = map[string]awstest.Role{devRole: {Deleted: true}} })
	if got = w.try("dev"); got.Broken.Profile != "dev" || !strings.HasPrefix(got.Base.AccessKeyID, "ASIA") {
		t.Errorf("%+v", got)
	}
}

// TestTryAsksForWhatTheProfileSays: `aws-login` is content with less.
func TestTryAsksForWhatTheProfileSays(t *testing.T) {
	w := newWorld(t)
	w.write(".aws/credentials", "[base]\n"+baseKeys)
	w.write(".aws/config", hubAndDev+"duration_seconds = 14400\n")
	got := w.try("dev")
	if got.Broken.Seconds != 14400 || !got.Broken.Chained || got.Refusal.Code != "ValidationError" || !strings.Contains(got.Refusal.Message, "role chaining") {
		t.Errorf("%+v", got)
	}
}

func TestTryChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.env["AWS_ENDPOINT_URL_SSO"], w.env["AWS_ENDPOINT_URL_SSO_OIDC"] = w.server.URL, w.server.URL
	w.write(".aws/config", "[profile dev]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = dev\n[sso-session s]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-central-1\n")
	var o opening
	o.call = &resolver.Call{Env: w.baseline()}
	path := filepath.Join(".aws/sso/cache", filepath.Base(o.ssoFile("s")))
	w.write(path, `{"accessToken":"a","refreshToken":"r","clientId":"i","clientSecret":"s","expiresAt":"2020-01-01T00:00:00Z","registrationExpiresAt":"2099-01-01T00:00:00Z"}`)
	got := w.try("dev")
	if !errors.Is(got.Err, ErrUntried) || got.Broken.Kind != "sso" || got.Broken.Account != "123456789012" || w.server.Calls().Total != 0 {
		t.Errorf("%+v after %d calls", got, w.server.Calls().Total)
	}
	w.write(path, `{"accessToken":"a","expiresAt":"2099-01-01T00:00:00Z"}`)
	if got = w.try("dev"); got.Err == nil || got.Refusal.Status != 401 || errors.Is(got.Err, ErrUntried) {
		t.Errorf("%+v", got)
	}

	w.write(".aws/credentials", "[base]\n"+baseKeys)
	w.write(".aws/config", hubAndDev+"mfa_serial = arn:aws:iam::123456789012:mfa/x\n")
	w.write(".aws/config", strings.Replace(hubAndDev, "source_profile = base\n", "source_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/x\n", 1))
	if got = w.try("hub"); !errors.Is(got.Err, ErrUntried) || got.Broken.Kind != "mfa" || got.Base.AccessKeyID != awstest.KeyID {
		t.Errorf("%+v", got)
	}
}

func TestAskTellsARefusal(t *testing.T) {
	w := newWorld(t)
	at, err := STSAddress(w.baseline(), "", "")
	if err != nil || !at.Override || at.URL != w.server.URL || at.Region != "eu-central-1" {
		t.Fatalf("%+v %v", at, err)
	}
	k := Keys{AccessKeyID: awstest.KeyID, SecretAccessKey: secret.New(awstest.SecretKey)}
	ask := func() (Identity, Refusal, error) { return Ask(context.Background(), w.baseline(), "", k, at) }
	if id, _, err := ask(); err != nil || id.Account != awstest.Account {
		t.Errorf("%+v %v", id, err)
	}
	// The SDK would correct it.
	w.knobs(func(k *awstest.Knobs) { k.Skew = 3600 })
	if _, r, err := ask(); err == nil || r.Code != "SignatureDoesNotMatch" || !strings.HasPrefix(r.Message, "Signature expired") || w.calls("GetCallerIdentity") != 2 {
		t.Errorf("%+v %v", r, err)
	}
	w.knobs(func(k *awstest.Knobs) { k.Skew, k.Outage = 0, awstest.HTML })
	if _, r, err := ask(); err == nil || !r.Page || r.Status != 200 {
		t.Errorf("%+v %v", r, err)
	}
	w.knobs(func(k *awstest.Knobs) { k.Outage = awstest.Refused })
	if _, r, err := ask(); err == nil || r.Status != 0 || r.Host == "" {
		t.Errorf("%+v %v", r, err)
	}
}

func TestSTSAddressOfAPartition(t *testing.T) {
	for region, want := range map[string]string{
		"eu-central-1": "https://sts.eu-central-1.amazonaws.com", "cn-north-1": "https://sts.cn-north-1.amazonaws.com.cn",
		"us-gov-west-1": "https://sts.us-gov-west-1.amazonaws.com", "": "https://sts.us-east-1.amazonaws.com",
		"eusc-de-east-1": "https://sts.eusc-de-east-1.amazonaws.eu",
	} {
		at, err := STSAddress(resolver.NewBaseline([]string{"HOME=" + t.TempDir()}), "", region)
		if err != nil || at.URL != want || at.Override {
			t.Errorf("%s: %+v %v", region, at, err)
		}
	}
	if _, err := STSAddress(resolver.NewBaseline([]string{"AWS_REGION=eu central"}), "", ""); err == nil {
		t.Error("taken")
	}
}
