package awstest_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"

	"ambit/resolver/aws/awstest"
)

func podCredentials(s *awstest.Server, token string) (aws.Credentials, error) {
	return endpointcreds.New(s.URL+awstest.ContainerPath, func(o *endpointcreds.Options) {
		o.AuthorizationToken, o.Retryer = token, aws.NopRetryer{}
	}).Retrieve(context.Background())
}

func TestPodCredentials(t *testing.T) {
	s := start(t)
	c, err := podCredentials(s, awstest.ContainerToken)
	if err != nil {
		t.Fatal(err)
	}
	wantIdentity(t, s, c, "arn:aws:sts::123456789012:assumed-role/task/eks-demo-pod")
	if left := time.Until(c.Expires); left < 5*time.Hour || left > 6*time.Hour {
		t.Errorf("expires in %v", left)
	}
	if again, err := podCredentials(s, awstest.ContainerToken); err != nil || again.AccessKeyID != c.AccessKeyID {
		t.Errorf("%v, new keys %v", err, again.AccessKeyID != c.AccessKeyID)
	}
	_, err = podCredentials(s, "wrong")
	wantCode(t, err, "AccessDeniedException", "")
	_, err = podCredentials(s, "")
	wantCode(t, err, "InvalidRequestException", "cannot be empty")
	update(t, s, func(k *awstest.Knobs) { k.Container.Authorization = "rotated" })
	_, err = podCredentials(s, awstest.ContainerToken)
	wantCode(t, err, "AccessDeniedException", "")
	if _, err := podCredentials(s, "rotated"); err != nil {
		t.Error(err)
	}
	if n := s.Calls().ByAction["GetPodCredentials"]; n != 6 {
		t.Errorf("counted %d", n)
	}
}

// TestDefaultChainInContainers goes the whole way of the SDK, through the
// variables that EKS and ECS set.
func TestDefaultChainInContainers(t *testing.T) {
	s := start(t)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(awstest.ContainerToken), 0o600); err != nil {
		t.Fatal(err)
	}
	// The address of ECS's endpoint is fixed, so the way to it leads here. The
	// SDK's general HTTP client has no part in this call.
	here := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
		tr.Proxy = nil
		tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "169.254.170.2:80" {
				addr = strings.TrimPrefix(s.URL, "http://")
			}
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}
	})
	for arn, env := range map[string]map[string]string{
		"arn:aws:sts::123456789012:assumed-role/task/ecs-demo-task": {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": awstest.ContainerRelativeURI},
		"arn:aws:sts::123456789012:assumed-role/task/eks-demo-pod": {
			"AWS_CONTAINER_CREDENTIALS_FULL_URI": s.URL + awstest.ContainerPath, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": file},
	} {
		t.Run(arn, func(t *testing.T) {
			for _, name := range []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
				t.Setenv(name, "")
			}
			t.Setenv("AWS_CONFIG_FILE", "/dev/null")
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
			for name, value := range env {
				t.Setenv(name, value)
			}
			cfg, err := config.LoadDefaultConfig(context.Background(), config.WithRegion("eu-central-1"),
				config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = here }))
			if err != nil {
				t.Fatal(err)
			}
			c, err := cfg.Credentials.Retrieve(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			wantIdentity(t, s, c, arn)
		})
	}
	resp, err := http.Get(s.URL + "/v2/credentials/other")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 400 {
		t.Errorf("another task's URI: %s", resp.Status)
	}
}
