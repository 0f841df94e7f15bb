package awstest_test

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"ambit/resolver/aws/awstest"
)

func start(t *testing.T) *awstest.Server {
	t.Helper()
	s, err := awstest.Start(awstest.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func update(t *testing.T, s *awstest.Server, change func(*awstest.Knobs)) {
	t.Helper()
	if err := s.Update(change); err != nil {
		t.Fatal(err)
	}
}

// client is the SDK as an independent judge: it signs, and reads the answers.
func client(s *awstest.Server, id, secret, token string) *sts.Client {
	return sts.New(sts.Options{
		Region: "eu-central-1", BaseEndpoint: &s.URL, Retryer: aws.NopRetryer{}, DisableClockSkewCorrection: true,
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
	})
}

func wantCode(t *testing.T, err error, code, text string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("no API error: %v", err)
	}
	if api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), text) {
		t.Errorf("got %s: %s; want %s: %s", api.ErrorCode(), api.ErrorMessage(), code, text)
	}
}

func role(name string) *string { return aws.String("arn:aws:iam::029608264753:role/" + name) }

// accountOf decodes a key id, as AWS has made them since 2019.
func accountOf(t *testing.T, id string) string {
	t.Helper()
	b, err := base32.StdEncoding.DecodeString(id[4:])
	if err != nil || len(b) != 10 {
		t.Fatalf("key id %q: %v", id, err)
	}
	var n uint64
	for _, c := range b[:6] {
		n = n<<8 | uint64(c)
	}
	return fmt.Sprintf("%012d", n&0x7fffffffff80>>7)
}

func TestKeyIDsHoldTheAccount(t *testing.T) {
	s := start(t)
	// The two that are known from outside this code: AWS's and the constant.
	for id, want := range map[string]string{"ASIAQNZGKIQY56JQ7WML": "029608264753", awstest.KeyID: awstest.Account} {
		if got := accountOf(t, id); got != want {
			t.Errorf("%s: account %s, want %s", id, got, want)
		}
	}
	id, _ := s.AddUser("000000000042", "u")
	if got := accountOf(t, id); got != "000000000042" || !strings.HasPrefix(id, "AKIA") || len(id) != 20 {
		t.Errorf("%s: account %s", id, got)
	}
	out, err := client(s, awstest.KeyID, awstest.SecretKey, "").AssumeRole(context.Background(),
		&sts.AssumeRoleInput{RoleArn: role("dev"), RoleSessionName: aws.String("me")})
	if err != nil {
		t.Fatal(err)
	}
	if got := accountOf(t, *out.Credentials.AccessKeyId); got != "029608264753" {
		t.Errorf("role's key id holds %s", got)
	}
	if got := *out.AssumedRoleUser.Arn; got != "arn:aws:sts::029608264753:assumed-role/dev/me" {
		t.Errorf("assumed %s", got)
	}
	if left := time.Until(*out.Credentials.Expiration); left < 59*time.Minute || left > time.Hour {
		t.Errorf("expires in %v", left)
	}
}

func TestCallerIdentityOfUserAndSession(t *testing.T) {
	s, ctx := start(t), context.Background()
	user := client(s, awstest.KeyID, awstest.SecretKey, "")
	who, err := user.GetCallerIdentity(ctx, nil)
	if err != nil || *who.Arn != "arn:aws:iam::123456789012:user/demo" || *who.Account != "123456789012" {
		t.Fatalf("%+v %v", who, err)
	}
	out, err := user.GetSessionToken(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	session := client(s, *c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
	if who, err = session.GetCallerIdentity(ctx, nil); err != nil || *who.Arn != "arn:aws:iam::123456789012:user/demo" {
		t.Errorf("%+v %v", who, err)
	}
	_, err = session.GetSessionToken(ctx, nil)
	wantCode(t, err, "AccessDenied", "Cannot call GetSessionToken with session credentials")
}

func TestRefusals(t *testing.T) {
	ctx := context.Background()
	assume := func(c *sts.Client, seconds int32) error {
		in := &sts.AssumeRoleInput{RoleArn: role("dev"), RoleSessionName: aws.String("me")}
		if seconds != 0 {
			in.DurationSeconds = &seconds
		}
		_, err := c.AssumeRole(ctx, in)
		return err
	}
	session := func(t *testing.T, s *awstest.Server) (id, secret, token string) {
		out, err := client(s, awstest.KeyID, awstest.SecretKey, "").AssumeRole(ctx,
			&sts.AssumeRoleInput{RoleArn: role("base"), RoleSessionName: aws.String("me")})
		if err != nil {
			t.Fatal(err)
		}
		return *out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken
	}
	for _, tt := range []struct {
		name, code, text string
		call             func(t *testing.T, s *awstest.Server) error
	}{
		{"unknown key", "InvalidClientTokenId", "security token included in the request is invalid", func(t *testing.T, s *awstest.Server) error {
			return assume(client(s, "AKIARZPUZDIKFIZZZZ77", awstest.SecretKey, ""), 0)
		}},
		{"wrong secret", "SignatureDoesNotMatch", "Check your AWS Secret Access Key", func(t *testing.T, s *awstest.Server) error {
			return assume(client(s, awstest.KeyID, "x"+awstest.SecretKey[1:], ""), 0)
		}},
		{"inactive key", "InvalidClientTokenId", "", func(t *testing.T, s *awstest.Server) error {
			update(t, s, func(k *awstest.Knobs) { k.InactiveKeys = []string{awstest.KeyID} })
			return assume(client(s, awstest.KeyID, awstest.SecretKey, ""), 0)
		}},
		{"deleted key", "InvalidClientTokenId", "", func(t *testing.T, s *awstest.Server) error {
			s.DeleteKey(awstest.KeyID)
			return assume(client(s, awstest.KeyID, awstest.SecretKey, ""), 0)
		}},
		{"session without its token", "InvalidClientTokenId", "", func(t *testing.T, s *awstest.Server) error {
			id, secret, _ := session(t, s)
			return assume(client(s, id, secret, ""), 0)
		}},
		{"user with a token", "InvalidClientTokenId", "", func(t *testing.T, s *awstest.Server) error {
			return assume(client(s, awstest.KeyID, awstest.SecretKey, "token"), 0)
		}},
		{"expired session", "ExpiredToken", "is expired", func(t *testing.T, s *awstest.Server) error {
			update(t, s, func(k *awstest.Knobs) { k.Lifetime = -1 })
			id, secret, token := session(t, s)
			return assume(client(s, id, secret, token), 0)
		}},
		{"server's clock ahead", "SignatureDoesNotMatch", "Signature expired: ", func(t *testing.T, s *awstest.Server) error {
			update(t, s, func(k *awstest.Knobs) { k.Skew = 16 * 60 })
			return assume(client(s, awstest.KeyID, awstest.SecretKey, ""), 0)
		}},
		{"server's clock behind", "SignatureDoesNotMatch", "Signature not yet current: ", func(t *testing.T, s *awstest.Server) error {
			update(t, s, func(k *awstest.Knobs) { k.Skew = -16 * 60 })
			return assume(client(s, awstest.KeyID, awstest.SecretKey, ""), 0)
		}},
		{"over the role's maximum", "ValidationError", "exceeds the MaxSessionDuration", func(t *testing.T, s *awstest.Server) error {
			return assume(client(s, awstest.KeyID, awstest.SecretKey, ""), 3601)
		}},
		{"over 1 h when chained", "ValidationError", "1 hour session limit", func(t *testing.T, s *awstest.Server) error {
			update(t, s, func(k *awstest.Knobs) { k.MaxDuration = 43200 })
			id, secret, token := session(t, s)
			return assume(client(s, id, secret, token), 7200)
		}},
		{"too short", "ValidationError", "greater than or equal to 900", func(t *testing.T, s *awstest.Server) error {
			return assume(client(s, awstest.KeyID, awstest.SecretKey, ""), 60)
		}},
		{"deleted role", "AccessDenied", "User: arn:aws:iam::123456789012:user/demo is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::029608264753:role/dev", func(t *testing.T, s *awstest.Server) error {
			update(t, s, func(k *awstest.Knobs) { k.Roles = map[string]awstest.Role{*role("dev"): {Deleted: true}} })
			return assume(client(s, awstest.KeyID, awstest.SecretKey, ""), 0)
		}},
		{"region switched off", "RegionDisabledException", "STS is not activated", func(t *testing.T, s *awstest.Server) error {
			update(t, s, func(k *awstest.Knobs) { k.DisabledRegions = []string{"eu-central-1"} })
			return assume(client(s, awstest.KeyID, awstest.SecretKey, ""), 0)
		}},
		{"broken policy", "MalformedPolicyDocument", "", func(t *testing.T, s *awstest.Server) error {
			_, err := client(s, awstest.KeyID, awstest.SecretKey, "").AssumeRole(ctx,
				&sts.AssumeRoleInput{RoleArn: role("dev"), RoleSessionName: aws.String("me"), Policy: aws.String("{")})
			return err
		}},
		{"ordered", "Throttling", "Rate exceeded", func(t *testing.T, s *awstest.Server) error {
			update(t, s, func(k *awstest.Knobs) {
				k.Next = awstest.Next{Calls: 1, Action: "AssumeRole", Code: "Throttling", Message: "Rate exceeded"}
			})
			c := client(s, awstest.KeyID, awstest.SecretKey, "")
			err := assume(c, 0)
			if again := assume(c, 0); again != nil {
				t.Errorf("the call after: %v", again)
			}
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) { wantCode(t, tt.call(t, start(t)), tt.code, tt.text) })
	}
}

func TestUnsignedCall(t *testing.T) {
	s := start(t)
	resp, err := http.Get(s.URL + "/?Action=GetCallerIdentity&Version=2011-06-15")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 403 || !strings.Contains(string(body), "<Code>MissingAuthenticationToken</Code>") ||
		resp.Header.Get("X-Amzn-Requestid") == "" || resp.Header.Get("Date") == "" {
		t.Errorf("%s %v\n%s", resp.Status, resp.Header, body)
	}
}

func jwt(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS256"}`)) + "." + enc([]byte(claims)) + "." + enc([]byte("signature"))
}

func TestWebIdentity(t *testing.T) {
	now := time.Now().Unix()
	for _, tt := range []struct{ name, token, code, text string }{
		{"any text", "opaque", "", ""},
		{"good", jwt(fmt.Sprintf(`{"iss":"https://i","sub":"s","aud":["x","sts"],"exp":%d}`, now+60)), "", ""},
		{"expired", jwt(fmt.Sprintf(`{"iss":"https://i","aud":"sts","exp":%d}`, now-1)), "ExpiredTokenException", "Token expired"},
		{"issuer", jwt(`{"iss":"https://other","aud":"sts"}`), "InvalidIdentityToken", "No OpenIDConnect provider found"},
		{"audience", jwt(`{"iss":"https://i","aud":"other"}`), "InvalidIdentityToken", "Incorrect token audience"},
		{"no JWT", "a.b.c", "InvalidIdentityToken", "not a valid JWT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t)
			if tt.name != "any text" {
				update(t, s, func(k *awstest.Knobs) { k.Issuers = map[string][]string{"https://i": {"sts"}} })
			}
			out, err := client(s, "", "", "").AssumeRoleWithWebIdentity(context.Background(), &sts.AssumeRoleWithWebIdentityInput{
				RoleArn: role("dev"), RoleSessionName: aws.String("me"), WebIdentityToken: &tt.token})
			if tt.code != "" {
				wantCode(t, err, tt.code, tt.text)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			c := out.Credentials
			who, err := client(s, *c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken).GetCallerIdentity(context.Background(), nil)
			if err != nil || *who.Arn != "arn:aws:sts::029608264753:assumed-role/dev/me" {
				t.Errorf("%+v %v", who, err)
			}
			if got := s.Calls(); got.ByAction["AssumeRoleWithWebIdentity"] != 1 || got.ByAction["GetCallerIdentity"] != 1 || got.ByKey[*c.AccessKeyId] != 1 || got.Total != 2 {
				t.Errorf("counted %+v", got)
			}
		})
	}
}

func TestOutagesAndRecovery(t *testing.T) {
	s := start(t)
	short := &http.Client{Timeout: 300 * time.Millisecond, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	get := func() (int, string, error) {
		resp, err := short.Get(s.URL + "/?Action=GetCallerIdentity&Version=2011-06-15")
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
		return resp.StatusCode, string(b), err
	}
	for o, want := range map[awstest.Outage]string{
		awstest.Refused: "refused", awstest.Reset: "EOF", awstest.Silent: "deadline exceeded",
		awstest.Unavailable: "503 <ServiceUnavailableException", awstest.HTML: "200 <!DOCTYPE html", awstest.Redirect: "307 ",
		awstest.ProxyAuth: "407 ", awstest.Truncated: "403 <ErrorResponse", awstest.Huge: "200 <AssumeRoleResponse", awstest.Garbage: "200 ",
	} {
		update(t, s, func(k *awstest.Knobs) { k.Outage = o })
		status, body, err := get()
		got := fmt.Sprintf("%d %s", status, body)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: got %.80q, want %q", o, got, want)
		}
		if o == awstest.Truncated && strings.Contains(body, "</ErrorResponse>") {
			t.Errorf("%s: is whole", o)
		}
		update(t, s, func(k *awstest.Knobs) { k.Outage = awstest.Up })
		if status, _, err := get(); status != 403 {
			t.Errorf("after %s: %d %v", o, status, err)
		}
	}
	if err := s.Update(func(k *awstest.Knobs) { k.Outage = "typo" }); err == nil {
		t.Error("an unknown outage was taken")
	}
}

func TestControl(t *testing.T) {
	s := start(t)
	post := func(path, body string) (int, string) {
		resp, err := http.Post(s.ControlURL+path, "", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	if code, body := post("/knobs", `{"lifetime": 20, "outage": "refused"}`); code != 200 {
		t.Fatal(code, body)
	}
	if k := s.Knobs(); k.Lifetime != 20 || k.Outage != awstest.Refused || k.MaxDuration != 3600 {
		t.Errorf("%+v", k)
	}
	for _, bad := range []string{`{"lifetimes": 20}`, `{`, `{"outage":"typo"}`} {
		if code, body := post("/knobs", bad); code != 400 {
			t.Errorf("%s: %d %s", bad, code, body)
		}
	}
	if code, body := post("/knobs", `{"outage": ""}`); code != 200 {
		t.Fatal(code, body)
	}
	code, body := post("/users", `{"account":"029608264753","name":"eve"}`)
	var keys struct{ AccessKeyID, SecretAccessKey string }
	if err := json.Unmarshal([]byte(body), &keys); err != nil || code != 200 {
		t.Fatal(code, body, err)
	}
	if who, err := client(s, keys.AccessKeyID, keys.SecretAccessKey, "").GetCallerIdentity(context.Background(), nil); err != nil || *who.Arn != "arn:aws:iam::029608264753:user/eve" {
		t.Errorf("%+v %v", who, err)
	}
	resp, err := http.Get(s.ControlURL + "/calls/GetCallerIdentity")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); string(b) != "1\n" {
		t.Errorf("count %q", b)
	}
}

// TestAWSCLI asks the real client, which signs and parses by code that is not
// Go's.
func TestAWSCLI(t *testing.T) {
	cli, err := exec.LookPath("aws")
	if err != nil {
		if os.Getenv("AMBIT_TEST_REQUIRE") == "all" {
			t.Fatal("aws is not installed")
		}
		t.Skip("aws is not installed: its signatures are not checked")
	}
	s := start(t)
	cmd := exec.Command(cli, "sts", "assume-role", "--role-arn", *role("dev"), "--role-session-name", "cli",
		"--query", "AssumedRoleUser.Arn", "--output", "text")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "AWS_ENDPOINT_URL=" + s.URL, "AWS_REGION=eu-central-1",
		"AWS_DEFAULT_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=" + awstest.KeyID, "AWS_SECRET_ACCESS_KEY=" + awstest.SecretKey}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "arn:aws:sts::029608264753:assumed-role/dev/cli" {
		t.Errorf("%v\n%s", err, out)
	}
}
