package awstest_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

	"ambit/resolver/aws/awstest"
)

func instanceCredentials(ctx context.Context, s *awstest.Server) (aws.Credentials, error) {
	c := imds.New(imds.Options{Endpoint: s.URL, Retryer: aws.NopRetryer{}, EnableFallback: aws.FalseTernary})
	return ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = c }).Retrieve(ctx)
}

func wantIdentity(t *testing.T, s *awstest.Server, c aws.Credentials, arn string) {
	t.Helper()
	who, err := client(s, c.AccessKeyID, c.SecretAccessKey, c.SessionToken).GetCallerIdentity(context.Background(), nil)
	if err != nil {
		t.Error(err)
	} else if *who.Arn != arn {
		t.Errorf("is %s, want %s", *who.Arn, arn)
	}
}

const instanceARN = "arn:aws:sts::123456789012:assumed-role/instance/i-0123456789abcdef0"

func TestIMDS(t *testing.T) {
	s, ctx := start(t), context.Background()
	first, err := instanceCredentials(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	wantIdentity(t, s, first, instanceARN)
	second, err := instanceCredentials(ctx, s)
	if err != nil || second.AccessKeyID != first.AccessKeyID {
		t.Errorf("long before the end: %v, new keys %v", err, second.AccessKeyID != first.AccessKeyID)
	}
	if n := s.Calls().ByAction; n["GetMetadataToken"] != 2 || n["ListMetadataRoles"] != 2 || n["GetMetadataCredentials"] != 2 {
		t.Errorf("counted %v", n)
	}
	update(t, s, func(k *awstest.Knobs) { k.Skew = 5*3600 + 54*60 })
	if second, err = instanceCredentials(ctx, s); err != nil || second.AccessKeyID != first.AccessKeyID {
		t.Errorf("6 minutes before the end: %v, new keys %v", err, second.AccessKeyID != first.AccessKeyID)
	}
	update(t, s, func(k *awstest.Knobs) { k.Skew += 2 * 60; k.Frozen = true })
	if second, err = instanceCredentials(ctx, s); err != nil || second.AccessKeyID != first.AccessKeyID {
		t.Errorf("frozen: %v, new keys %v", err, second.AccessKeyID != first.AccessKeyID)
	}
	update(t, s, func(k *awstest.Knobs) { k.Frozen = false })
	if second, err = instanceCredentials(ctx, s); err != nil || second.AccessKeyID == first.AccessKeyID {
		t.Errorf("4 minutes before the end: %v, new keys %v", err, second.AccessKeyID != first.AccessKeyID)
	}
	update(t, s, func(k *awstest.Knobs) { k.Skew = 0; k.IMDS.Role = "web"; k.Lifetime = 20 })
	if second, err = instanceCredentials(ctx, s); err != nil || time.Until(second.Expires) > 20*time.Second {
		t.Errorf("%v, expires in %v", err, time.Until(second.Expires))
	}
	wantIdentity(t, s, second, "arn:aws:sts::123456789012:assumed-role/web/i-0123456789abcdef0")
}

func TestIMDSFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*awstest.Knobs)
		want   string
	}{
		{"no role", func(k *awstest.Knobs) { k.IMDS.NoRole = true }, "StatusCode: 404"},
		{"role not to be assumed", func(k *awstest.Knobs) { k.IMDS.Code = "AssumeRoleUnauthorizedAccess" }, "AssumeRoleUnauthorizedAccess: EC2 cannot assume the role instance"},
		{"token refused", func(k *awstest.Knobs) { k.IMDS.Token = awstest.TokenRefused }, "StatusCode: 403"},
		{"hop limit", func(k *awstest.Knobs) { k.IMDS.Token = awstest.TokenHangs }, "deadline exceeded"},
		{"ordered", func(k *awstest.Knobs) {
			k.Next = awstest.Next{Calls: 1, Action: "GetMetadataCredentials", Status: 500, Code: "Internal Server Error"}
		}, "StatusCode: 500"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t)
			update(t, s, tt.change)
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			if _, err := instanceCredentials(ctx, s); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	if err := start(t).Update(func(k *awstest.Knobs) { k.IMDS.Token = "typo" }); err == nil {
		t.Error("an unknown way of a token request was taken")
	}
}

func TestIMDSWithoutSDK(t *testing.T) {
	s := start(t)
	do := func(method, path string, header ...string) *http.Response {
		t.Helper()
		req, err := http.NewRequest(method, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	const list, ttl = "/latest/meta-data/iam/security-credentials/", "X-aws-ec2-metadata-token-ttl-seconds"
	for _, tt := range []struct {
		name string
		got  *http.Response
		want int
	}{
		{"no token", do("GET", list), 401},
		{"unknown token", do("GET", list, "X-aws-ec2-metadata-token", "x"), 401},
		{"no TTL", do("PUT", "/latest/api/token"), 400},
		{"long TTL", do("PUT", "/latest/api/token", ttl, "21601"), 400},
		{"through a proxy", do("PUT", "/latest/api/token", ttl, "60", "X-Forwarded-For", "192.0.2.1"), 403},
		{"POST", do("POST", "/latest/api/token", ttl, "60"), 405},
		{"token", do("PUT", "/latest/api/token", ttl, "60"), 200},
	} {
		if tt.got.StatusCode != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, tt.got.StatusCode, tt.want)
		}
		if tt.want == 200 && tt.got.Header.Get(ttl) != "60" {
			t.Errorf("TTL %q", tt.got.Header.Get(ttl))
		}
	}
	update(t, s, func(k *awstest.Knobs) { k.IMDS.V1 = true })
	if got := do("GET", list); got.StatusCode != 200 {
		t.Errorf("version 1: %d", got.StatusCode)
	}
}

// TestInstanceAndPodWithAWSCLIAndBoto3 has the real clients find the credentials
// of an instance and of a pod.
func TestInstanceAndPodWithAWSCLIAndBoto3(t *testing.T) {
	cli := findAWSCLI(t)
	s, home := start(t), t.TempDir()
	tokenFile := filepath.Join(home, "token")
	if err := os.WriteFile(tokenFile, []byte(awstest.ContainerToken), 0o600); err != nil {
		t.Fatal(err)
	}
	clients := map[string]*exec.Cmd{
		"aws":   exec.Command(cli, "sts", "get-caller-identity", "--query", "Arn", "--output", "text"),
		"boto3": exec.Command("python3", "-c", "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"),
	}
	if exec.Command("python3", "-c", "import boto3").Run() != nil {
		if os.Getenv("AMBIT_TEST_REQUIRE") == "all" {
			t.Fatal("boto3 is not installed")
		}
		t.Log("boto3 is not installed: only the AWS CLI is asked")
		delete(clients, "boto3")
	}
	for name, env := range map[string][]string{
		instanceARN: {"AWS_EC2_METADATA_SERVICE_ENDPOINT=" + s.URL},
		"arn:aws:sts::123456789012:assumed-role/task/eks-demo-pod": {"AWS_EC2_METADATA_DISABLED=true",
			"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + s.URL + awstest.ContainerPath, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=" + tokenFile},
	} {
		for program, c := range clients {
			cmd := exec.Command(c.Args[0], c.Args[1:]...)
			cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "AWS_ENDPOINT_URL_STS=" + s.URL, "AWS_DEFAULT_REGION=eu-central-1"}, env...)
			if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != name {
				t.Errorf("%s: %v, want %s\n%s", program, err, name, out)
			}
		}
	}
}
