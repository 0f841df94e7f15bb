package doctor

import (
	"context"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain runs more tests beside each other than there are processors: those that
// are parallel wait for somebody who does not answer.
func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "16") // the flag is there; -parallel beats it
	os.Exit(m.Run())
}

// A disk that hangs takes neither the examination with it nor what was seen so far.
func TestHangingDisk(t *testing.T) {
	x := examinationOf(t, setup{})
	hangs := func(context.Context, *examination) []Finding { select {} }
	sees := func(context.Context, *examination) []Finding { return []Finding{{Check: "aws.keys", Status: OK}} }
	breaks := func(context.Context, *examination) []Finding { panic(someSecret) }
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	ok := x.atOnce(ctx, []check{{[]string{"aws.order"}, hangs}, {[]string{"aws.keys"}, sees}, {[]string{"aws.role"}, breaks}})
	if took := time.Since(begin); ok || took > 2*time.Second {
		t.Errorf("%v after %v", ok, took)
	}
	if len(x.found) != 3 || x.found[0].Check != "aws.keys" || x.found[1].Check != "aws.role" || x.found[2].Check != "aws.files" {
		t.Error(spelled(x.found))
	}
	if strings.Contains(spelled(x.found), someSecret) {
		t.Error("a secret is told")
	}
}

func TestExamineOfflineEndsThere(t *testing.T) {
	x := examinationOf(t, setup{credentials: good, env: env("AWS_REGION", "us-east-1", "AWS_DEFAULT_REGION", "us-east-1",
		"AWS_ENDPOINT_URL", "http://127.0.0.1:1")})
	report := Examine(context.Background(), x.Patient)
	if Failed(report.Findings) || len(report.Sources) != 1 || report.Sources[0].Go != Wins {
		t.Errorf("%s\n%+v", spelled(report.Findings), report.Sources)
	}
	only := Examine(context.Background(), x.Patient, "aws.region")
	if len(only.Findings) != 1 || only.Findings[0].Check != "aws.region" {
		t.Error(spelled(only.Findings))
	}
}

// A secret that stands where it does not belong is not told either.
func TestDiscreet(t *testing.T) {
	other := strings.Replace(someSecret, "w", "v", 1)
	x := examinationOf(t, setup{credentials: keysIn("default", idA) + strings.Replace(keysIn("b", idB), someSecret, other, 1), env: env(
		"AWS_REGION", someSecret, "AWS_DEFAULT_REGION", other, "AWS_PROFILE", other, "AWS_ENDPOINT_URL", "http://"+someSecret,
		"AWS_ROLE_ARN", token, "AWS_WEB_IDENTITY_TOKEN_FILE", "/"+token, "AWS_SESSION_TOKEN", token, "AWS_SECRET_ACCESS_KEY", someSecret)})
	found := Examine(context.Background(), x.Patient).Findings
	if !Failed(found) {
		t.Error("nothing failed")
	}
	for _, secret := range []string{someSecret, other, token} {
		if strings.Contains(spelled(found), secret) {
			t.Error(spelled(found))
		}
	}
}
