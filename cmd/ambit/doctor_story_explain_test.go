package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

// printed is an error that some program printed, and what `ambit explain` has to
// say of it.
type printed struct {
	name string
	set  func(w *world) // "": a machine on which all is well
	text string         // of the error; "": the AWS CLI is asked for one
	says []string       // regular expressions
}

func well(w *world) { w.export(demo) }

var printedErrors = []printed{
	{"expired session of the AWS CLI", func(w *world) { w.beneath(); w.export(w.expired("dev")) }, "",
		[]string{"authentication", "aws\\.token", "expired", "unset .*AWS_ACCESS_KEY_ID"}},
	{"unknown key of the AWS CLI", func(w *world) {
		k := w.user(awstest.Account, "gone")
		w.aws.DeleteKey(k.id)
		w.export(k)
	}, "", []string{"authentication", "aws\\.keys", "InvalidClientTokenId"}},
	{"half a family of the AWS CLI", func(w *world) {
		k := w.session("dev", time.Hour)
		k.token = ""
		w.export(k)
	}, "", []string{"authentication", "aws\\.family", "AWS_SESSION_TOKEN"}},
	{"permission", well, "An error occurred (AccessDenied) when calling the ListBuckets operation: User: arn:aws:iam::123456789012:user/demo is not authorized to perform: s3:ListAllMyBuckets because no identity-based policy allows the s3:ListAllMyBuckets action",
		[]string{"permission", `aws iam simulate-principal-policy --policy-source-arn arn:aws:iam::123456789012:user/demo --action-names s3:ListAllMyBuckets`}},
	{"permission of EC2", well, "An error occurred (UnauthorizedOperation) when calling the DescribeInstances operation: You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/dev/me is not authorized to perform: ec2:DescribeInstances because no identity-based policy allows the ec2:DescribeInstances action",
		[]string{"permission", `--policy-source-arn .*role-name dev.* --action-names ec2:DescribeInstances`}},
	{"session revoked", func(w *world) { w.export(w.session("dev", time.Hour)) },
		"An error occurred (AccessDenied) when calling the ListBuckets operation: User: arn:aws:sts::123456789012:assumed-role/dev/story is not authorized to perform: s3:ListAllMyBuckets with an explicit deny in an identity-based policy",
		[]string{"explicit", "newer session|revoked"}},
	{"second factor absent", well, "botocore.exceptions.ClientError: An error occurred (AccessDenied) when calling the AssumeRole operation: MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.",
		[]string{"MFA|second factor"}},
	{"session without a second factor at IAM", func(w *world) { w.export(w.session("dev", time.Hour)) },
		"An error occurred (InvalidClientTokenId) when calling the ListUsers operation: The security token included in the request is invalid",
		[]string{"InvalidClientTokenId", "ListUsers"}},
	{"code used twice", well, "An error occurred (AccessDenied) when calling the AssumeRole operation: MultiFactorAuthentication failed with invalid MFA one time pass code.",
		[]string{"code", "once"}},
	{"duration of Terraform", well, "│ Error: Cannot assume IAM Role\n│ \n│   with provider[\"registry.terraform.io/hashicorp/aws\"],\n│ IAM Role (arn:aws:iam::123456789012:role/dev) cannot be assumed.\n│ Error: operation error STS: AssumeRole, https response error StatusCode: 400, RequestID: 0d0cb0a5-0000-4000-8000-000000000000, api error ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role.\n",
		[]string{"seconds", "hour"}},
	{"Go", well, "operation error S3: ListBuckets, https response error StatusCode: 403, RequestID: ABC, HostID: def=, api error InvalidAccessKeyId: The AWS Access Key Id you provided does not exist in our records.", []string{"authentication", "InvalidAccessKeyId"}},
	{"Java", well, "Exception in thread \"main\" software.amazon.awssdk.services.sts.model.StsException: The security token included in the request is invalid. (Service: Sts, Status Code: 403, Request ID: 0d0cb0a5-0000-4000-8000-000000000000) (SDK Attempt Count: 1)", []string{"authentication"}},
	{"JavaScript", well, "CredentialsProviderError: Could not load credentials from any providers\n    at /app/node_modules/@aws-sdk/credential-provider-node/dist-cjs/index.js:57:13", []string{"credentials"}},
	{"region of the AWS CLI", func(w *world) { w.export(demo); delete(w.env, "AWS_REGION"); delete(w.env, "AWS_DEFAULT_REGION") }, "", []string{"aws\\.region", "AWS_REGION"}},
	{"escapes", well, "\x1b]52;c;ZXZpbA==\a\x1b[2J\u202eAn error occurred (InvalidClientTokenId)\x9b31m when calling\x00 the GetCallerIdentity operation: \xff\xfeThe security token included in the request is invalid.\r\nambit: allowed", []string{"InvalidClientTokenId"}},
	{"a secret within", func(w *world) { w.export(demo) }, "An error occurred (SignatureDoesNotMatch) when calling the X operation: the secret " + awstest.SecretKey + " is wrong", []string{"SignatureDoesNotMatch"}},
	{"ten megabytes", well, strings.Repeat("\x1b[31mnoise ", 1<<20) + "\nAn error occurred (ExpiredToken) when calling the ListBuckets operation: The provided token has expired.\n", nil},
	{"ten megabytes on one line", well, "An error occurred (ExpiredToken) when calling the ListBuckets operation: " + strings.Repeat("\x1bx", 5<<20), nil},
	{"no error at all", well, "upload: ./a to s3://b/a\n", nil},
	{"nothing", well, "\n", nil},
}

func TestDoctorStoriesOfExplain(t *testing.T) {
	shared := &house{build(t), startMoto(t)}
	sideBySide(t, printedErrors, func(p printed) string { return p.name }, func(t *testing.T, p printed) { newWorld(t, shared).hear(p) })
}

func (w *world) hear(p printed) {
	w.t.Helper()
	p.set(w)
	w.open()
	if p.text == "" {
		text, status := w.run("aws sts get-caller-identity", "")
		if status == 0 {
			w.t.Fatal("the AWS CLI has no error")
		}
		p.text = text
	}
	file := filepath.Join(w.root, "error")
	must(w.t, os.WriteFile(file, []byte(p.text), 0o600))
	lines := []string{"ambit explain <" + file, "cat " + file + " | ambit explain"}
	if len(p.text) < 100_000 && !strings.Contains(p.text, "\x00") {
		lines = append(lines, `ambit explain "$(cat `+file+`)"`)
	}
	for _, line := range lines {
		begun := time.Now()
		stdout, stderr, status := w.step(line, "")
		if took := time.Since(begun); took > examinationLimit {
			w.t.Errorf("%s took %v", line, took)
		}
		if testing.Verbose() {
			w.t.Logf("%s: %d\n%s%s", line, status, stdout, stderr)
		}
		w.harmless(stdout)
		w.harmless(stderr)
		if len(stdout)+len(stderr) > 20_000 {
			w.t.Errorf("%s prints %d bytes", line, len(stdout)+len(stderr))
		}
		flat := strings.Join(strings.Fields(stdout+stderr), " ")
		for _, part := range p.says {
			if !regexp.MustCompile(part).MatchString(flat) {
				w.t.Errorf("%s does not say %q:\n%s%s", line, part, stdout, stderr)
			}
		}
	}
}
