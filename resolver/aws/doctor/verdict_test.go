package doctor

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatATextShowsByItself(t *testing.T) {
	const said = "An error occurred (AccessDenied) when calling the X operation: "
	for _, tt := range []struct {
		name, text      string
		check           string // "" for none
		status          Status
		evidence, calls string // what the fix calls
	}{
		{"user", said + "User: arn:aws:iam::123456789012:user/team/ada is not authorized to perform: s3:ListBucket on resource: \"arn:aws:s3:::b\" because no identity-based policy allows the s3:ListBucket action",
			"aws.role", Fail, "arn:aws:iam::123456789012:user/team/ada may not s3:ListBucket on arn:aws:s3:::b: no policy of its own allows it",
			"iam simulate-principal-policy --policy-source-arn arn:aws:iam::123456789012:user/team/ada --action-names s3:ListBucket"},
		{"wrapped", wrappedAt(61, said+"User: arn:aws:iam::123456789012:user/ada is not authorized to perform: s3:ListBucket on resource: arn:aws:s3:::b with an explicit deny in an identity-based policy"),
			"aws.role", Fail, "on arn:aws:s3:::b: a policy denies it explicitly", "iam simulate-principal-policy --policy-source-arn arn:aws:iam::123456789012:user/ada --action-names s3:ListBucket"},
		{"role", said + "User: arn:aws-us-gov:sts::123456789012:assumed-role/AWSReservedSSO_ReadOnly_0123/ada@example.com is not authorized to perform: ec2:RunInstances on resource: arn:aws-us-gov:ec2:us-gov-west-1:123456789012:instance/* with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o/p",
			"aws.role", Fail, "a service control policy", "iam get-role --role-name AWSReservedSSO_ReadOnly_0123 --query Role.Arn --output text\niam simulate-principal-policy --policy-source-arn ROLE --action-names ec2:RunInstances"},
		{"boundary", said + "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: sns:Publish because no permissions boundary allows the sns:Publish action",
			"aws.role", Fail, "permissions boundary", "iam simulate-principal-policy --policy-source-arn arn:aws:iam::123456789012:user/ada --action-names sns:Publish"},
		{"assume role", said + "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::210987654321:role/ops/deploy",
			"aws.role", Fail, "there is no such role", "iam get-role --role-name deploy --query Role.AssumeRolePolicyDocument"},
		{"what others say below", said + "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::210987654321:role/deploy\nmake: *** [deploy] Error 254",
			"aws.role", Fail, "", "iam get-role --role-name deploy --query Role.AssumeRolePolicyDocument"},
		{"words behind", "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::210987654321:role/deploy retry later",
			"aws.role", Fail, "", "iam get-role --role-name deploy --query Role.AssumeRolePolicyDocument"},
		{"dots", said + "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: s3:ListBucket on resource: arn:aws:s3:::www.example.com. Ask somebody",
			"aws.role", Fail, "may not s3:ListBucket on arn:aws:s3:::www.example.com", ""},
		{"behind", "SignatureDoesNotMatch: Signature expired: 20261122T061231Z is now earlier than 20261122T062731Z (20261122T064231Z - 15 min.)", "aws.clock", Warn, "30m0s behind", ""},
		{"ahead", "SignatureDoesNotMatch: Signature not yet current: 20261122T061231Z is still later than 20261122T055731Z (20261122T054231Z + 15 min.)", "aws.clock", Warn, "30m0s ahead of", ""},
		{"bucket", "AuthorizationHeaderMalformed: The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'", "aws.region", Fail, "eu-west-1", ""},
		{"registry of China", "push 123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/app\nno basic auth credentials aws", "aws.token", Fail, "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", ""},
		{"no registry", "denied: Your authorization token has expired. Reauthenticate and try again.", "", "", "", ""},
		{"denied without a name", said + "Access Denied", "", "", "", ""},
		{"hostile ARN", said + "User: arn:aws:iam::123456789012:user/$(reboot) is not authorized to perform: s3:ListBucket", "", "", "", ""},
		{"hostile action", said + "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: s3:List;reboot", "aws.role", Fail, "", "iam simulate-principal-policy --policy-source-arn arn:aws:iam::123456789012:user/ada --action-names s3:List"},
		{"hostile region", "AuthorizationHeaderMalformed: the region is wrong; expecting '$(reboot)'", "", "", "", ""},
		{"profile", "The config profile (no; reboot) could not be found", "aws.order", Fail, `"no; reboot"`, "configure list-profiles"},
		{"profile of a variable", "The config profile (named) could not be found", "", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found := recognised(t, tt.text)
			if len(found) == 0 {
				t.Fatal("not recognised")
			}
			got := found[0].Findings(Patient{Environ: map[string]string{"AWS_PROFILE": "named"}, Home: t.TempDir()})
			if tt.check == "" {
				if len(got) != 0 {
					t.Errorf("%+v", got)
				}
				return
			}
			if len(got) != 1 || got[0].Check != tt.check || got[0].Status != tt.status || !strings.Contains(got[0].Evidence, tt.evidence) || got[0].Fix == "" {
				t.Fatalf("%+v", got)
			}
			if tt.calls == "" {
				return
			}
			if calls := callsOf(t, got[0].Fix); calls != tt.calls {
				t.Errorf("%s calls %q", got[0].Fix, calls)
			}
		})
	}
}

// callsOf has a shell follow a fix and returns what it calls the AWS CLI with, a
// line each. No other program is there.
func callsOf(t *testing.T, fix string) string {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"$*\" >>" + dir + "/calls\necho ROLE\n"
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", fix)
	cmd.Env = []string{"PATH=" + dir}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", fix, err, out)
	}
	calls, err := os.ReadFile(filepath.Join(dir, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(calls))
}

// wrappedAt is a text as a terminal shows it, and as people copy it from there.
func wrappedAt(columns int, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		for len(line) > columns {
			b.WriteString(line[:columns] + "\r\n")
			line = line[columns:]
		}
		b.WriteString(line)
	}
	return b.String()
}
