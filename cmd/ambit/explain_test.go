package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

// explained runs `ambit explain` with a text on standard input; env has no HOME.
func explained(t *testing.T, text string, env []string, args ...string) (out, errs string, status int) {
	t.Helper()
	home := t.TempDir()
	var stdout, stderr bytes.Buffer
	status = run(process{
		args: append([]string{"explain"}, args...), name: "ambit", dir: home, now: time.Now, interrupt: listen,
		env:   append([]string{"HOME=" + home, "PATH=/bin", "AWS_EC2_METADATA_DISABLED=true"}, env...),
		stdin: strings.NewReader(text), stdout: &stdout, stderr: &stderr,
	})
	return stdout.String(), stderr.String(), status
}

const (
	expiredText = "An error occurred (ExpiredToken) when calling the ListBuckets operation: The provided token has expired."
	deniedText  = "An error occurred (AccessDenied) when calling the GetObject operation: User: arn:aws:sts::123456789012:assumed-role/dev/ada is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::b/k with an explicit deny in a service control policy"
)

func TestExplainUsage(t *testing.T) {
	for name, tt := range map[string]struct {
		text   string
		args   []string
		status int
		want   string
	}{
		"empty":          {args: []string{"--offline"}, status: 2, want: "the text is empty"},
		"nothing known":  {text: "all is well\n", status: 1, want: "ambit doctor looks at everything"},
		"only the end":   {text: strings.Repeat("all is well\n", 1<<20) + expiredText, status: 1, want: "in the first 10 MiB"},
		"unknown format": {args: []string{"--format", "yaml", expiredText}, status: 2, want: "unknown format"},
	} {
		out, errs, status := explained(t, tt.text, nil, tt.args...)
		if status != tt.status || out != "" || !strings.Contains(errs, tt.want) {
			t.Errorf("%s: status %d, %q, %q", name, status, out, errs)
		}
	}
	if _, errs, status := testAmbit(t, "explain"); status != 2 || !strings.Contains(errs, "there is no text to explain") {
		t.Errorf("without a text: status %d, %q", status, errs)
	}
}

func TestExplainSaysWhatItIs(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		args       []string
		env        []string
		status     int
		want       []string
	}{
		{"argument", "", []string{"--offline", expiredText}, nil, 0, []string{"ExpiredToken from AWS CLI (ListBuckets)\n  The provided token has expired\nauthentication: AWS knows these temporary keys"}},
		{"several arguments", "", append([]string{"--offline"}, strings.Fields(expiredText)...), nil, 0, []string{"authentication: "}},
		{"standard input", expiredText, []string{"--offline", "-"}, nil, 0, []string{"authentication: "}},
		{"a denial", deniedText, []string{"--offline"}, nil, 1, []string{"permission: ", "a service control", "--action-names s3:GetObject\n", "get-role --role-name dev"}},
		{"half a family", expiredText, []string{"--offline"}, []string{"AWS_ACCESS_KEY_ID=ASIARZPUZDIKFIFAKE77", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYFAKEAWSKEY"}, 1,
			[]string{"fail  aws.family", "ASIA…KE77", "fix: unset"}},
		{"a profile that there is not", "The config profile (dev) could not be found", []string{"--offline"}, nil, 1, []string{`the profile "dev"`, "fix: aws configure list-profiles"}},
		{"a bucket elsewhere", "An error occurred (AuthorizationHeaderMalformed) when calling the ListObjectsV2 operation: The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'", []string{"--offline"}, nil, 1,
			[]string{"fix: export AWS_REGION=eu-west-1 AWS_DEFAULT_REGION=eu-west-1\n"}},
		{"no region", "You must specify a region.", nil, nil, 1, []string{"fail  aws.region", "fix: export AWS_REGION="}},
		{"what is over", expiredText, []string{"--offline"}, nil, 0, []string{"nothing here explains it"}},
		{"a clock", "SignatureDoesNotMatch: Signature expired: 20261122T061231Z is now earlier than 20261122T062731Z (20261122T064231Z - 15 min.)", []string{"--offline"}, nil, 0,
			[]string{"clock: ", "30m0s", "behind that of AWS"}},
		{"a registry", "push to 123456789012.dkr.ecr.eu-west-1.amazonaws.com/app\ndenied: Your authorization token has expired. Reauthenticate and try again.", []string{"--offline"}, nil, 1,
			[]string{"fix: aws ecr get-login-password --region eu-west-1 | docker login --username AWS --password-stdin 123456789012.dkr.ecr.eu-west-1.amazonaws.com\n"}},
		{"two errors", deniedText + "\nthen\n" + expiredText, []string{"--offline"}, nil, 1, []string{"later in the text: ExpiredToken (authentication)"}},
		{"nothing to look for", "An error occurred (ThrottlingException) when calling the GetParameter operation (reached max retries: 4): Rate exceeded", nil, nil, 0, []string{"throttling: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, errs, status := explained(t, tt.text, append(tt.env, "AWS_ACCESS_KEY_ID=AKIARZPUZDIKFIFAKE77", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYFAKEAWSKEY"), tt.args...)
			if status != tt.status || errs != "" {
				t.Errorf("status %d, wanted %d; stderr %q; %s", status, tt.status, errs, out)
			}
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in\n%s", want, out)
				}
			}
			for line := range strings.Lines(out) {
				if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 && !strings.Contains(line, "fix: ") {
					t.Errorf("%d columns: %q", n, line)
				}
			}
		})
	}
}

func TestExplainHasNoDoubtsAboutAPermission(t *testing.T) {
	const text = "An error occurred (AccessDenied) when calling the ListBuckets operation: Access Denied"
	if out, _, status := explained(t, text, nil, "--offline"); status != 0 || !strings.Contains(out, "permission: ") || strings.Contains(out, "nothing here explains it") {
		t.Errorf("status %d, %s", status, out)
	}
}

func TestExplainForAProfileThatThereIsNot(t *testing.T) {
	out, _, status := explained(t, expiredText, nil, "--offline", "--profile", "gone")
	if status != 1 || !strings.Contains(out, `--profile names "gone"`) || strings.Contains(out, "AWS_PROFILE") || !strings.Contains(out, "fix: aws configure list-profiles") {
		t.Errorf("status %d, %s", status, out)
	}
}

func TestExplainAsJSON(t *testing.T) {
	out, errs, status := explained(t, deniedText, nil, "--offline", "--format", "json")
	var got struct {
		Version  int
		Errors   []struct{ Code, Kind, Program, Operation string }
		Findings []map[string]string
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != 1 || errs != "" {
		t.Fatalf("%v, status %d, %q, %s", err, status, errs, out)
	}
	if got.Version != 1 || len(got.Errors) != 1 || got.Errors[0].Code != "AccessDenied" || got.Errors[0].Kind != "permission" || got.Errors[0].Operation != "GetObject" {
		t.Errorf("%+v", got)
	}
	for _, f := range got.Findings {
		if len(f) != 4 || f["check"] == "" || f["status"] == "" || f["evidence"] == "" {
			t.Errorf("%v", f)
		}
	}
	out, _, status = explained(t, "An error occurred (SlowDown) when calling the GetObject operation: Please reduce your request rate.", nil, "--format", "json")
	if !strings.Contains(out, `"findings": []`) && !strings.Contains(out, `"findings":[]`) || status != 0 {
		t.Errorf("status %d, %s", status, out)
	}
}

// A text may be hostile: neither its escapes nor its secrets come out again.
func TestExplainPrintsNothingRaw(t *testing.T) {
	secrets := []string{"wJalrXUtnFEMI/K7MDENG/bPxRfiCYFAKEAWSKEY", "IQoJb3JpZ2luX2VjCANARYCANARYCANARY==", canary}
	for _, format := range []string{"text", "json"} {
		for _, frame := range []string{
			"An error occurred (\x1b]52;c;aGk=\aAccessDenied) when calling the \x1b[2JX operation: SECRET \u202e\u200b \x9b1m \xff User: SECRET is not authorized to perform: s3:SECRET",
			"The config profile (SECRET\x1b[31m) could not be found\nambit: error: forged",
			"An error occurred (SECRET) when calling the SECRET operation: SECRET aws",
			"https://SECRET:SECRET@proxy/ operation error STS: X, https response error StatusCode: 403, api error ExpiredToken: SECRET",
			"<Error><Code>InvalidAccessKeyId</Code><Message>SECRET</Message><AWSAccessKeyId>AKIARZPUZDIKFIFAKE77</AWSAccessKeyId></Error>",
			"InvalidHeader: Invalid header value b'AWS4-HMAC-SHA256 Credential=SECRET' aws",
		} {
			for _, secret := range secrets {
				out, errs, _ := explained(t, strings.ReplaceAll(frame, "SECRET", secret), nil, "--offline", "--format", format)
				profile := strings.Contains(frame, "config profile") // a profile's name is told
				if !profile && strings.Contains(out+errs, secret) {
					t.Errorf("%q comes out of %q: %s%s", secret, frame, out, errs)
				}
				for _, c := range out + errs {
					if c < ' ' && c != '\n' || c == 0x7f || c >= 0x80 && c < 0xa0 || c == 0x202e || c == 0x200b || c == 0xfffd {
						t.Errorf("%q comes out of %q", c, frame)
					}
				}
			}
		}
	}
}

// Where AWS was not asked, it is not asked now.
func TestExplainLooksOnlyWhereTheCauseCanBe(t *testing.T) {
	s, err := awstest.Start(awstest.Options{Addr: "127.0.0.1:0", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	env := []string{"AWS_ACCESS_KEY_ID=" + awstest.KeyID, "AWS_SECRET_ACCESS_KEY=" + awstest.SecretKey, "AWS_REGION=eu-central-1", "AWS_ENDPOINT_URL=" + s.URL}
	for text, want := range map[string]bool{
		"The config profile (dev) could not be found":                                  false,
		"Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY":             false,
		"You must specify a region.":                                                   false,
		"botocore.exceptions.ConfigParseError: Unable to parse config file: /home/x":   false,
		"An error occurred (ThrottlingException) when calling the X operation: slowly": false,
		"An error occurred (InvalidClientTokenId) when calling the GetCallerIdentity operation: The security token included in the request is invalid.": true,
	} {
		before := s.Calls().Total
		explained(t, text, env)
		if asked := s.Calls().Total > before; asked != want {
			t.Errorf("%q: AWS asked: %v", text, asked)
		}
	}
}

// The whole way: the AWS CLI is refused, and its error leads to the cause.
func TestExplainWhatTheCLIPrinted(t *testing.T) {
	cli, err := exec.LookPath("aws")
	if err != nil {
		if os.Getenv("AMBIT_TEST_REQUIRE") == "all" {
			t.Fatal("no AWS CLI")
		}
		t.Skip("no AWS CLI")
	}
	s, err := awstest.Start(awstest.Options{Addr: "127.0.0.1:0", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	id, secret := s.AddUser(awstest.Account, "ada")
	s.DeleteKey(id)
	home := t.TempDir()
	env := []string{"AWS_ACCESS_KEY_ID=" + id, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_REGION=eu-central-1", "AWS_DEFAULT_REGION=eu-central-1",
		"AWS_ENDPOINT_URL=" + s.URL, "AWS_MAX_ATTEMPTS=1"}
	cmd := exec.Command(cli, "sts", "get-caller-identity")
	cmd.Env = append([]string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "PYENV_ROOT=" + os.Getenv("PYENV_ROOT"), "AWS_CONFIG_FILE=" + filepath.Join(home, "none")}, env...)
	text, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("the CLI succeeded: %s", text)
	}
	out, errs, status := explained(t, string(text), env)
	if status != 1 || errs != "" || !strings.Contains(out, "InvalidClientTokenId from AWS CLI (GetCallerIdentity)") || !strings.Contains(out, "fail  aws.keys") {
		t.Errorf("%s\nstatus %d, %q, %s", text, status, errs, out)
	}
}
