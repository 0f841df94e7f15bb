package awstest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"ambit/resolver/aws/awstest"
)

// signinToken asks the federation endpoint; "" is a refusal.
func signinToken(t *testing.T, s *awstest.Server, id, secret, token, duration string) string {
	t.Helper()
	session, err := json.Marshal(map[string]string{"sessionId": id, "sessionKey": secret, "sessionToken": token})
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{"Action": {"getSigninToken"}, "Session": {string(session)}}
	if duration != "" {
		q.Set("SessionDuration", duration)
	}
	resp, err := http.Get(s.URL + "/federation?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ SigninToken string }
	err = json.NewDecoder(resp.Body).Decode(&answer)
	if (resp.StatusCode == 200) != (err == nil) || (err == nil) != (answer.SigninToken != "") {
		t.Errorf("%s, %v", resp.Status, err)
	}
	return answer.SigninToken
}

func TestSigninFederation(t *testing.T) {
	s, ctx := start(t), context.Background()
	user := client(s, awstest.KeyID, awstest.SecretKey, "")
	assume := func(c *sts.Client) *ststypes.Credentials {
		t.Helper()
		out, err := c.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: role("dev"), RoleSessionName: aws.String("me")})
		if err != nil {
			t.Fatal(err)
		}
		return out.Credentials
	}
	c := assume(user)
	id, secret, token := *c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken
	chained := assume(client(s, id, secret, token))
	plain, err := user.GetSessionToken(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{
		"long-lived keys": signinToken(t, s, awstest.KeyID, awstest.SecretKey, "", ""),
		"session token":   signinToken(t, s, *plain.Credentials.AccessKeyId, *plain.Credentials.SecretAccessKey, *plain.Credentials.SessionToken, ""),
		"wrong secret":    signinToken(t, s, id, secret+"x", token, ""),
		"no token":        signinToken(t, s, id, secret, "", ""),
		"short":           signinToken(t, s, id, secret, token, "899"),
		"chained":         signinToken(t, s, *chained.AccessKeyId, *chained.SecretAccessKey, *chained.SessionToken, "3600"),
	} {
		if got != "" {
			t.Errorf("%s: accepted", name)
		}
	}
	if signinToken(t, s, *chained.AccessKeyId, *chained.SecretAccessKey, *chained.SessionToken, "") == "" {
		t.Error("chained, without a duration: refused")
	}
	signin := signinToken(t, s, id, secret, token, "3600")
	if signin == "" {
		t.Fatal("refused")
	}
	noFollow := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	login := func(token, destination string) *http.Response {
		t.Helper()
		resp, err := noFollow.Get(s.URL + "/federation?" + url.Values{"Action": {"login"}, "Issuer": {"ambit"}, "Destination": {destination}, "SigninToken": {token}}.Encode())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	const console = "https://eu-central-1.console.aws.amazon.com/s3/home?region=eu-central-1"
	if resp := login(signin, console); resp.StatusCode != 302 || resp.Header.Get("Location") != console {
		t.Errorf("login: %s to %s", resp.Status, resp.Header.Get("Location"))
	}
	for name, resp := range map[string]*http.Response{"unknown token": login("x", console), "elsewhere": login(signin, "https://example.com/")} {
		if resp.StatusCode != 400 {
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
	update(t, s, func(k *awstest.Knobs) { k.Skew = 901 })
	if resp := login(signin, console); resp.StatusCode != 400 {
		t.Errorf("after 15 minutes: %s", resp.Status)
	}
	update(t, s, func(k *awstest.Knobs) { k.Skew = 3601 })
	if signinToken(t, s, id, secret, token, "") != "" {
		t.Error("expired: accepted")
	}
	if n := s.Calls().ByAction; n["getSigninToken"] != 9 || n["login"] != 4 {
		t.Errorf("counted %v", n)
	}
}
