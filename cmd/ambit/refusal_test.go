package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

// Wherever an environment is resolved, what AWS refused is said in the same words:
// those of the table that `ambit explain` reads as well.
func TestARefusalIsSaidAlikeEverywhere(t *testing.T) {
	s, err := awstest.Start(awstest.Options{Addr: "127.0.0.1:0", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const role = "arn:aws:iam::123456789012:role/dev"
	for _, tt := range []struct {
		name     string
		keys     string // of the profile base
		next     awstest.Next
		line     string
		hint     string
		notFound string // in none of the lines
	}{
		{name: "unknown key", keys: "AKIARZPUZDIKF2FAKE77 " + awstest.SecretKey,
			line: "AWS refused role " + role + ": InvalidClientTokenId: AWS does not know the access key",
			hint: `it was signed with profile "base": run "ambit doctor"`, notFound: "security token included"},
		{name: "wrong secret", keys: awstest.KeyID + " canary/canary/canary/canary/canary/canary",
			line: "SignatureDoesNotMatch: AWS knows the access key id, and the secret access key is not the one that belongs to it",
			hint: "aws configure --profile base", notFound: "canary"},
		{name: "clock", keys: awstest.KeyID + " " + awstest.SecretKey,
			next: awstest.Next{Calls: 9, Status: 403, Code: "SignatureDoesNotMatch", Message: "Signature expired: 20261122T061231Z is now earlier than 20261122T062731Z (20261122T064231Z - 15 min.)"},
			line: "the clock of the machine that signed is wrong", hint: "sudo timedatectl set-ntp true"},
		{name: "role that is gone", keys: awstest.KeyID + " " + awstest.SecretKey,
			next: awstest.Next{Calls: 9, Status: 403, Code: "AccessDenied", Message: "User: arn:aws:iam::123456789012:user/demo is not authorized to perform: sts:AssumeRole on resource: " + role},
			line: "AccessDenied: User: arn:aws:iam::123456789012:user/demo is not authorized to perform: sts:AssumeRole",
			hint: "aws iam get-role --role-name dev --query Role.AssumeRolePolicyDocument"},
		{name: "policies too large", keys: awstest.KeyID + " " + awstest.SecretKey,
			next: awstest.Next{Calls: 9, Code: "PackedPolicyTooLarge", Message: "Packed policy consumes 130% of allotted space"},
			line: "PackedPolicyTooLarge", hint: "shorten policy, policyArns or sessionTags"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			home := t.TempDir()
			write := func(name, content string) {
				t.Helper()
				name = filepath.Join(home, name)
				if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			id, secret, _ := strings.Cut(tt.keys, " ")
			write(".aws/credentials", "[base]\naws_access_key_id = "+id+"\naws_secret_access_key = "+secret+"\n")
			write(".config/ambit/environments/shop/dev.yaml", `values:
  aws:
    fn::open::aws-login:
      assumeRole: {roleArn: `+role+`, source: {profile: base}}
  environmentVariables:
    AWS_ACCESS_KEY_ID: ${aws.accessKeyId}
    AWS_SECRET_ACCESS_KEY: ${aws.secretAccessKey}
    AWS_SESSION_TOKEN: ${aws.sessionToken}
`)
			write("shop/.envrc.yaml", "environment: shop/dev\n")
			for _, args := range [][]string{
				{"open", "shop/dev"}, {"run", "shop/dev", "--", "true"}, {"credential-process", "shop/dev"}, {"whoami", "shop/dev"},
			} {
				if err := s.Update(func(k *awstest.Knobs) { k.Next = tt.next }); err != nil {
					t.Fatal(err)
				}
				var stdout, stderr bytes.Buffer
				cmd := exec.Command("ambit", args...)
				cmd.Dir, cmd.Stdout, cmd.Stderr = filepath.Join(home, "shop"), &stdout, &stderr
				cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "AWS_ENDPOINT_URL=" + s.URL, "AWS_REGION=eu-central-1", "AWS_EC2_METADATA_DISABLED=true"}
				err := cmd.Run()
				said := stderr.String()
				if err == nil || stdout.Len() > 0 || !strings.Contains(said, tt.line) || !strings.Contains(said, "ambit: hint: ") || !strings.Contains(said, tt.hint) {
					t.Errorf("ambit %s: %v, stdout %q, %s", strings.Join(args, " "), err, stdout.String(), said)
				}
				if tt.notFound != "" && strings.Contains(said, tt.notFound) {
					t.Errorf("ambit %s: %q in %s", strings.Join(args, " "), tt.notFound, said)
				}
				if n := strings.Count(said, "ambit: error: "); n != 1 || strings.Count(said, "ambit: hint: ") != 1 {
					t.Errorf("ambit %s says %s", strings.Join(args, " "), said)
				}
			}
		})
	}
}
