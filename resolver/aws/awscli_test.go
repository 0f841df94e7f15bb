package aws

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"ambit/resolver"
	"ambit/resolver/aws/awstest"
)

// awsCLI runs the AWS CLI in the world's environment and returns what it prints.
func (w *world) awsCLI(args ...string) string {
	w.t.Helper()
	program, err := exec.LookPath("aws")
	if err != nil {
		if os.Getenv("AMBIT_TEST_REQUIRE") == "all" {
			w.t.Fatal("the AWS CLI is not installed")
		}
		w.t.Skip("the AWS CLI is not installed: that it takes our tokens, and we its, was not seen")
	}
	cmd := exec.Command(program, args...)
	for name, value := range w.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=")
	out, err := cmd.Output()
	if err != nil {
		said := ""
		if exit, ok := err.(*exec.ExitError); ok {
			said = string(exit.Stderr)
		}
		w.t.Fatalf("aws %s: %v: %s", strings.Join(args, " "), err, said)
	}
	return string(out)
}

// TestSSOSharedWithTheAWSCLI: one login serves both, and each lives with what the
// other renewed.
func TestSSOSharedWithTheAWSCLI(t *testing.T) {
	t.Parallel()
	w := newSSOWorld(t)
	w.write(".aws/config", "[profile p]\nsso_session = org\nsso_account_id = 123456789012\nsso_role_name = dev\nregion = eu-central-1\n"+
		"[sso-session org]\nsso_region = eu-west-1\nsso_start_url = "+testStartURL+"\nsso_registration_scopes = sso:account:access\n")
	w.mustOpen(obj{"profile": "p"}, loggingIn(&person{t: t}))
	identity := func() {
		t.Helper()
		var who struct{ Arn string }
		if err := json.Unmarshal([]byte(w.awsCLI("sts", "get-caller-identity", "--profile", "p")), &who); err != nil || who.Arn != awstest.SSOSessionARN(awstest.Account, "dev") {
			t.Errorf("the CLI is %q, %v", who.Arn, err)
		}
	}
	identity()
	if w.calls("CreateToken") != 1 {
		t.Errorf("%+v", w.server.Calls())
	}

	w.change("org", expired)
	identity()
	if w.calls("CreateToken") != 2 {
		t.Fatalf("the CLI did not renew: %+v", w.server.Calls())
	}
	w.age(3600)
	w.mustOpen(obj{"profile": "p"}, call{})
	if w.calls("CreateToken") != 2 || w.calls("GetRoleCredentials") != 4 {
		t.Errorf("not with what the CLI renewed: %+v", w.server.Calls())
	}

	w.change("org", expired)
	w.age(3600)
	w.mustOpen(obj{"profile": "p"}, call{})
	identity()
	if w.calls("CreateToken") != 3 {
		t.Errorf("not with what we renewed: %+v", w.server.Calls())
	}

	// Nor does it live on with what we ended.
	fields := w.tokenFields("org")
	w.logout("")
	if w.calls("Logout") != 1 {
		t.Errorf("%+v", w.server.Calls())
	}
	if err := w.fails(obj{"profile": "p"}, call{}, fields["accessToken"].(string)); err.Kind != resolver.KindLogin {
		t.Errorf("got %s", describe(err))
	}
}
