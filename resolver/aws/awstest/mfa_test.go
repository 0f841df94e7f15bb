package awstest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"ambit/resolver/aws/awstest"
)

func sessionWithMFA(s *awstest.Server, serial, code string) (*sts.Client, error) {
	out, err := client(s, awstest.KeyID, awstest.SecretKey, "").GetSessionToken(context.Background(),
		&sts.GetSessionTokenInput{SerialNumber: &serial, TokenCode: &code})
	if err != nil {
		return nil, err
	}
	c := out.Credentials
	return client(s, *c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken), nil
}

func TestMFASession(t *testing.T) {
	s, ctx := start(t), context.Background()
	update(t, s, func(k *awstest.Knobs) { k.Roles = map[string]awstest.Role{*role("dev"): {MFA: true}} })
	assume := func(c *sts.Client) error {
		_, err := c.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: role("dev"), RoleSessionName: aws.String("me")})
		return err
	}
	user := client(s, awstest.KeyID, awstest.SecretKey, "")
	wantCode(t, assume(user), "AccessDenied", "not authorized to perform: sts:AssumeRole")

	plain, err := user.GetSessionToken(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := plain.Credentials
	wantCode(t, assume(client(s, *p.AccessKeyId, *p.SecretAccessKey, *p.SessionToken)), "AccessDenied", "not authorized")

	code := s.NextMFACode(awstest.MFASerial)
	session, err := sessionWithMFA(s, awstest.MFASerial, code)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := assume(session); err != nil {
			t.Error(err)
		}
	}
	_, err = sessionWithMFA(s, awstest.MFASerial, code)
	wantCode(t, err, "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.")

	code = s.NextMFACode(awstest.MFASerial)
	if _, err := user.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: role("dev"), RoleSessionName: aws.String("me"),
		SerialNumber: aws.String(awstest.MFASerial), TokenCode: &code}); err != nil {
		t.Errorf("AssumeRole with a code: %v", err)
	}
}

func TestMFARefusals(t *testing.T) {
	s := start(t)
	good := s.NextMFACode(awstest.MFASerial)
	wrong := "000000"
	if wrong == good {
		wrong = "000001"
	}
	other := "arn:aws:iam::029608264753:mfa/demo"
	for _, tt := range []struct{ name, serial, code, want, text string }{
		{"wrong", awstest.MFASerial, wrong, "AccessDenied", "invalid MFA one time pass code."},
		{"another device's", "arn:aws:iam::123456789012:mfa/other", good, "AccessDenied", "invalid MFA one time pass code."},
		{"another account's", other, s.NextMFACode(other), "AccessDenied", "verify your MFA serial number"},
		{"no serial", "", good, "AccessDenied", "must provide both"},
		{"no code", awstest.MFASerial, "", "AccessDenied", "must provide both"},
		{"broken serial", "arn:aws:iam::123456789012:mfa/a b", good, "ValidationError", "serialNumber"},
	} {
		_, err := sessionWithMFA(s, tt.serial, tt.code)
		t.Run(tt.name, func(t *testing.T) { wantCode(t, err, tt.want, tt.text) })
	}
	update(t, s, func(k *awstest.Knobs) { k.Skew = 120 })
	_, err := sessionWithMFA(s, awstest.MFASerial, good)
	wantCode(t, err, "AccessDenied", "invalid MFA one time pass code.")
	update(t, s, func(k *awstest.Knobs) { k.Skew = 0 })
	if _, err := sessionWithMFA(s, awstest.MFASerial, good); err != nil {
		t.Errorf("the code was lost to refusals: %v", err)
	}
	resp, err := http.Get(s.ControlURL + "/mfa")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if _, err := sessionWithMFA(s, awstest.MFASerial, strings.TrimSpace(string(b))); err != nil {
		t.Errorf("code %q of the control path: %v", b, err)
	}
}
