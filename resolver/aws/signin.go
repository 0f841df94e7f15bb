package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ambit/resolver"
	"ambit/resolver/secret"
)

// SigninURL returns an address that signs a browser in to the AWS console as whom
// these keys speak for. It holds for 15 minutes and lets in whoever has it.
// Destination is a page of the console; "" is its first one. The partition is that
// of the region in the environment or the active profile, else of the destination.
// Env must be the environment before loading; AWS_ENDPOINT_URL_SIGNIN or
// AWS_ENDPOINT_URL there replaces AWS's own endpoint. An error is an
// [*resolver.OpenError], or context.Canceled. Source: "Enable custom identity broker
// access to the AWS console" in the IAM User Guide.
func SigninURL(ctx context.Context, env *resolver.Baseline, now func() time.Time, k Keys, destination string) (string, error) {
	o := newOpening(&provider{}, &resolver.Call{Env: env, Now: now, Patience: resolver.Person})
	signer := keys{id: k.AccessKeyID, secret: k.SecretAccessKey, token: k.SessionToken}
	if err := signer.check(); err != nil {
		return "", &resolver.OpenError{Kind: resolver.KindRefused, Summary: err.Error(), Err: err}
	}
	if signer.token.Len() == 0 {
		return "", &resolver.OpenError{Kind: resolver.KindRefused,
			Summary: "the console takes temporary keys of a role only, and these are a user's own",
			Hint:    "use an environment that assumes a role: assumeRole, oidc, sso or profile"}
	}
	profile, err := o.activeProfile()
	if err != nil {
		return "", err
	}
	at, err := o.placeOf("Signin", profile, "")
	if err != nil {
		return "", err
	}
	host, console := signinHosts(at.region, destination)
	if at.endpoint == "" {
		at.endpoint = "https://" + host
	}
	if destination == "" {
		destination = "https://" + console + "/"
	}
	federation := strings.TrimRight(at.endpoint, "/") + "/federation"

	ctx, cancel := context.WithTimeout(ctx, o.limits.total)
	defer cancel()
	client := o.newHTTPClient(profile)
	token, err := getSigninToken(ctx, client, federation, signer)
	if err != nil {
		return "", signinError(ctx, err, client, signer)
	}
	return federation + "?" + url.Values{
		"Action": {"login"}, "Issuer": {"ambit"}, "Destination": {destination}, "SigninToken": {token},
	}.Encode(), nil
}

// signinHosts are the federation endpoint and the console of a partition.
func signinHosts(region, destination string) (signin, console string) {
	if u, err := url.Parse(destination); err == nil && u.Host != "" {
		switch {
		case strings.HasSuffix(u.Hostname(), ".amazonaws.cn"):
			region = "cn-"
		case strings.HasSuffix(u.Hostname(), ".amazonaws-us-gov.com"):
			region = "us-gov-"
		case strings.HasSuffix(u.Hostname(), ".aws.amazon.com"):
			region = ""
		}
	}
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "signin.amazonaws.cn", "console.amazonaws.cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "signin.amazonaws-us-gov.com", "console.amazonaws-us-gov.com"
	}
	return "signin.aws.amazon.com", "console.aws.amazon.com"
}

// getSigninToken trades the keys for a token. AWS documents GET alone, so they
// stand in the address: no error may repeat that.
func getSigninToken(ctx context.Context, client *httpClient, federation string, k keys) (string, error) {
	session, err := json.Marshal(map[string]string{
		"sessionId": k.id, "sessionKey": k.secret.Reveal(), "sessionToken": k.token.Reveal(),
	})
	if err != nil {
		panic(err) // texts
	}
	query := url.Values{"Action": {"getSigninToken"}, "Session": {string(session)}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, federation+"?"+query.Encode(), nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	var got struct{ SigninToken string }
	if resp.StatusCode != http.StatusOK || json.Unmarshal(b, &got) != nil || got.SigninToken == "" {
		return "", errNonsense
	}
	return got.SigninToken, nil
}

// signinError words a refusal, which AWS says in a web page.
func signinError(ctx context.Context, err error, client *httpClient, k keys) error {
	if _, a := client.answered(); a != nil && a.err == nil && (a.status == http.StatusBadRequest || a.status == http.StatusForbidden) {
		return &resolver.OpenError{Kind: resolver.KindRefused, Err: quiet{err},
			Summary: fmt.Sprintf("AWS signs nobody in with these credentials (status %d)", a.status),
			Hint:    "they must be a role's and alive: a session from GetSessionToken opens no console; ambit reload"}
	}
	return explain(ctx, err, client, trouble{
		service: "AWS sign-in", what: "a sign-in token", secrets: append(k.secrets(), secret.New(k.id)),
	})
}
