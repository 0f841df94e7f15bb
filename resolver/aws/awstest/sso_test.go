package awstest_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/smithy-go"

	"ambit/resolver/aws/awstest"
)

const (
	startURL = "https://example.awsapps.com/start"
	verifier = "a-verifier-of-forty-three-characters-or-more"
)

func oidcClient(s *awstest.Server) *ssooidc.Client {
	return ssooidc.New(ssooidc.Options{Region: "eu-central-1", BaseEndpoint: &s.URL, Retryer: aws.NopRetryer{}})
}

func portalClient(s *awstest.Server) *sso.Client {
	return sso.New(sso.Options{Region: "eu-central-1", BaseEndpoint: &s.URL, Retryer: aws.NopRetryer{}})
}

// register makes a client as the AWS CLI does.
func register(t *testing.T, s *awstest.Server, grants ...string) *ssooidc.RegisterClientOutput {
	t.Helper()
	in := &ssooidc.RegisterClientInput{ClientName: aws.String("test"), ClientType: aws.String("public"), Scopes: []string{"sso:account:access"}, GrantTypes: grants}
	if len(grants) > 0 {
		in.RedirectUris, in.IssuerUrl = []string{"http://127.0.0.1/oauth/callback"}, aws.String(startURL)
	}
	out, err := oidcClient(s).RegisterClient(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// browse is the person's browser: it opens /authorize and follows the redirect.
func browse(t *testing.T, s *awstest.Server, clientID string, change func(url.Values)) (callback url.Values, status int) {
	t.Helper()
	local := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { callback = r.URL.Query() }))
	defer local.Close()
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {local.URL + "/oauth/callback"}, "state": {"st&ate"},
		"code_challenge_method": {"S256"}, "scopes": {"sso:account:access"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}
	if change != nil {
		change(q)
	}
	resp, err := http.Get(s.URL + "/authorize?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if callback != nil {
		callback.Set("redirect_uri", q.Get("redirect_uri"))
	}
	return callback, resp.StatusCode
}

// logIn walks through the authorization code grant.
func logIn(t *testing.T, s *awstest.Server) (*ssooidc.RegisterClientOutput, *ssooidc.CreateTokenOutput) {
	t.Helper()
	c := register(t, s, "authorization_code", "refresh_token")
	q, _ := browse(t, s, *c.ClientId, nil)
	out, err := redeem(s, c, q, verifier)
	if err != nil {
		t.Fatal(err)
	}
	return c, out
}

func redeem(s *awstest.Server, c *ssooidc.RegisterClientOutput, callback url.Values, verifier string) (*ssooidc.CreateTokenOutput, error) {
	return oidcClient(s).CreateToken(context.Background(), &ssooidc.CreateTokenInput{
		ClientId: c.ClientId, ClientSecret: c.ClientSecret, GrantType: aws.String("authorization_code"),
		Code: aws.String(callback.Get("code")), RedirectUri: aws.String(callback.Get("redirect_uri")), CodeVerifier: &verifier})
}

func renew(s *awstest.Server, c *ssooidc.RegisterClientOutput, token *string) (*ssooidc.CreateTokenOutput, error) {
	return oidcClient(s).CreateToken(context.Background(), &ssooidc.CreateTokenInput{
		ClientId: c.ClientId, ClientSecret: c.ClientSecret, GrantType: aws.String("refresh_token"), RefreshToken: token})
}

func roleCredentials(s *awstest.Server, token *string, account, role string) (*sso.GetRoleCredentialsOutput, error) {
	return portalClient(s).GetRoleCredentials(context.Background(), &sso.GetRoleCredentialsInput{AccessToken: token, AccountId: &account, RoleName: &role})
}

func TestSSOLoginByCode(t *testing.T) {
	s := start(t)
	_, token := logIn(t, s)
	if token.ExpiresIn != 3600 || *token.TokenType != "Bearer" || token.RefreshToken == nil {
		t.Errorf("%d %s %v", token.ExpiresIn, *token.TokenType, token.RefreshToken)
	}
	out, err := roleCredentials(s, token.AccessToken, "029608264753", "dev")
	if err != nil {
		t.Fatal(err)
	}
	c := out.RoleCredentials
	if left := time.Until(time.UnixMilli(c.Expiration)); left < 59*time.Minute || left > time.Hour {
		t.Errorf("expires in %v", left)
	}
	if got := accountOf(t, *c.AccessKeyId); got != "029608264753" {
		t.Errorf("key id holds %s", got)
	}
	who, err := client(s, *c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken).GetCallerIdentity(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if *who.Arn != awstest.SSOSessionARN("029608264753", "dev") || !strings.HasPrefix(*who.Arn, "arn:aws:sts::029608264753:assumed-role/AWSReservedSSO_dev_") {
		t.Errorf("is %s", *who.Arn)
	}
	for _, action := range []string{"RegisterClient", "Authorize", "CreateToken", "GetRoleCredentials", "GetCallerIdentity"} {
		if n := s.Calls().ByAction[action]; n != 1 {
			t.Errorf("%s counted %d times", action, n)
		}
	}
	if r := s.Requests()[2]; r.Action != "CreateToken" || r.Form.Get("grantType") != "authorization_code" || time.Since(r.At) > time.Minute {
		t.Errorf("%s %v %v", r.Action, r.At, r.Form["grantType"])
	}
}

func TestSSOAuthorizeRefusals(t *testing.T) {
	s := start(t)
	c := register(t, s, "authorization_code", "refresh_token")
	for _, tt := range []struct {
		name   string
		change func(url.Values)
		status int
		want   string // the error that the callback gets; "": the browser is not sent there
	}{
		{"unknown client", func(q url.Values) { q.Set("client_id", "x") }, 400, ""},
		{"foreign redirect", func(q url.Values) { q.Set("redirect_uri", "http://192.0.2.1/oauth/callback") }, 400, ""},
		{"other path", func(q url.Values) { q.Set("redirect_uri", q.Get("redirect_uri")+"/x") }, 400, ""},
		{"no PKCE", func(q url.Values) { q.Del("code_challenge") }, 200, "invalid_request"},
		{"plain PKCE", func(q url.Values) { q.Set("code_challenge_method", "plain") }, 200, "invalid_request"},
		{"no state", func(q url.Values) { q.Del("state") }, 200, "invalid_request"},
		{"token", func(q url.Values) { q.Set("response_type", "token") }, 200, "unsupported_response_type"},
		{"scope", func(q url.Values) { q.Set("scopes", "codewhisperer:completions") }, 200, "invalid_scope"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q, status := browse(t, s, *c.ClientId, tt.change)
			if status != tt.status || q.Get("error") != tt.want || q.Get("code") != "" {
				t.Errorf("%d %v", status, q)
			}
		})
	}
	deviceOnly := register(t, s)
	if q, _ := browse(t, s, *deviceOnly.ClientId, func(q url.Values) {}); q != nil {
		t.Errorf("a client without a redirect URI was answered %v", q)
	}
}

func TestSSOPerson(t *testing.T) {
	s := start(t)
	c := register(t, s, "authorization_code", "refresh_token")
	update(t, s, func(k *awstest.Knobs) { k.SSO.Person = awstest.Refuses })
	if q, _ := browse(t, s, *c.ClientId, nil); q.Get("error") != "access_denied" || q.Get("state") != "st&ate" {
		t.Errorf("refused: %v", q)
	}
	update(t, s, func(k *awstest.Knobs) { k.SSO.Person = awstest.Away })
	if q, status := browse(t, s, *c.ClientId, nil); q != nil || status != 200 {
		t.Errorf("away: %d %v", status, q)
	}
	if err := s.Update(func(k *awstest.Knobs) { k.SSO.Person = "yes" }); err == nil {
		t.Error("an unknown person was taken")
	}
}

func TestSSOCodeIsBound(t *testing.T) {
	s := start(t)
	c := register(t, s, "authorization_code", "refresh_token")
	q, _ := browse(t, s, *c.ClientId, nil)
	other := register(t, s, "authorization_code", "refresh_token")
	elsewhere := url.Values{"code": q["code"], "redirect_uri": {"http://127.0.0.1:1/oauth/callback"}}
	for name, try := range map[string]func() error{
		"other verifier": func() error { _, err := redeem(s, c, q, strings.ToUpper(verifier)); return err },
		"other client":   func() error { _, err := redeem(s, other, q, verifier); return err },
		"other redirect": func() error { _, err := redeem(s, c, elsewhere, verifier); return err },
	} {
		err := try()
		wantOAuth(t, name, err, "InvalidGrantException", "invalid_grant")
	}
	token, err := redeem(s, c, q, verifier)
	if err != nil {
		t.Fatal(err)
	}
	_, err = redeem(s, c, q, verifier)
	wantOAuth(t, "again", err, "InvalidGrantException", "invalid_grant")
	_, err = roleCredentials(s, token.AccessToken, awstest.Account, "dev")
	wantCode(t, err, "UnauthorizedException", "Session token not found or invalid")
}

// wantOAuth looks at both names of an error.
func wantOAuth(t *testing.T, what string, err error, code, oauth string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Errorf("%s: no API error: %v", what, err)
		return
	}
	if api.ErrorCode() != code {
		t.Errorf("%s: got %s, want %s", what, api.ErrorCode(), code)
	}
	// Each type keeps the OAuth name in a field of its own.
	name := reflect.ValueOf(api).Elem().FieldByName("Error_")
	if oauth != "" && (name.Kind() != reflect.Pointer || name.IsNil() || name.Elem().String() != oauth) {
		t.Errorf("%s: got %+v, want %s", what, api, oauth)
	}
}

func TestSSORefresh(t *testing.T) {
	s := start(t)
	c, first := logIn(t, s)
	second, err := renew(s, c, first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if *second.AccessToken == *first.AccessToken || *second.RefreshToken == *first.RefreshToken {
		t.Error("nothing new")
	}
	if _, err := roleCredentials(s, second.AccessToken, awstest.Account, "dev"); err != nil {
		t.Fatal(err)
	}
	other := register(t, s)
	_, err = renew(s, other, second.RefreshToken)
	wantOAuth(t, "other client", err, "InvalidGrantException", "invalid_grant")
	// A used one comes back: the whole session ends.
	_, err = renew(s, c, first.RefreshToken)
	wantOAuth(t, "used", err, "InvalidGrantException", "invalid_grant")
	_, err = renew(s, c, second.RefreshToken)
	wantOAuth(t, "its heir", err, "InvalidGrantException", "invalid_grant")
	_, err = roleCredentials(s, second.AccessToken, awstest.Account, "dev")
	wantCode(t, err, "UnauthorizedException", "")

	update(t, s, func(k *awstest.Knobs) { k.SSO.NoRotation = true })
	c, first = logIn(t, s)
	for range 2 {
		again, err := renew(s, c, first.RefreshToken)
		if err != nil || *again.RefreshToken != *first.RefreshToken {
			t.Fatalf("without rotation: %v", err)
		}
	}
}

func TestSSOEnds(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *awstest.Server, token *string){
		"administrator": func(t *testing.T, s *awstest.Server, _ *string) { s.EndSSOSessions() },
		"control path": func(t *testing.T, s *awstest.Server, _ *string) {
			resp, err := http.Post(s.ControlURL+"/sso/end", "", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		},
		"logout": func(t *testing.T, s *awstest.Server, token *string) {
			if _, err := portalClient(s).Logout(context.Background(), &sso.LogoutInput{AccessToken: token}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			c, token := logIn(t, s)
			creds, err := roleCredentials(s, token.AccessToken, awstest.Account, "dev")
			if err != nil {
				t.Fatal(err)
			}
			end(t, s, token.AccessToken)
			_, err = roleCredentials(s, token.AccessToken, awstest.Account, "dev")
			wantCode(t, err, "UnauthorizedException", "")
			_, err = renew(s, c, token.RefreshToken)
			wantOAuth(t, "renewal", err, "InvalidGrantException", "invalid_grant")
			_, err = portalClient(s).Logout(context.Background(), &sso.LogoutInput{AccessToken: token.AccessToken})
			wantCode(t, err, "UnauthorizedException", "")
			// AWS cannot recall what it handed out.
			r := creds.RoleCredentials
			if _, err := client(s, *r.AccessKeyId, *r.SecretAccessKey, *r.SessionToken).GetCallerIdentity(context.Background(), nil); err != nil {
				t.Error(err)
			}
			if _, token = logIn(t, s); true {
				if _, err := roleCredentials(s, token.AccessToken, awstest.Account, "dev"); err != nil {
					t.Errorf("after a new login: %v", err)
				}
			}
		})
	}
}

func TestSSOLifetimes(t *testing.T) {
	s := start(t)
	update(t, s, func(k *awstest.Knobs) { k.SSO.TokenLifetime = -1; k.Lifetime = 20 })
	c, token := logIn(t, s)
	_, err := roleCredentials(s, token.AccessToken, awstest.Account, "dev")
	wantCode(t, err, "UnauthorizedException", "")
	update(t, s, func(k *awstest.Knobs) { k.SSO.TokenLifetime = 30 })
	if token, err = renew(s, c, token.RefreshToken); err != nil || token.ExpiresIn != 30 {
		t.Fatalf("%+v %v", token, err)
	}
	out, err := roleCredentials(s, token.AccessToken, awstest.Account, "dev")
	if err != nil || time.Until(time.UnixMilli(out.RoleCredentials.Expiration)) > 20*time.Second {
		t.Errorf("%v", err)
	}
	for text, want := range map[string]int64{"absent": 0, "2001-02-03T04:05:06Z": 981173106000, "17": 17} {
		update(t, s, func(k *awstest.Knobs) { k.Expiration = text })
		if out, err := roleCredentials(s, token.AccessToken, awstest.Account, "dev"); err != nil || out.RoleCredentials.Expiration != want {
			t.Errorf("%s: %v %v", text, out, err)
		}
	}
	update(t, s, func(k *awstest.Knobs) { k.Skew = 9 * 3600; k.Expiration = "" })
	_, err = renew(s, c, token.RefreshToken)
	wantOAuth(t, "after the session", err, "InvalidGrantException", "invalid_grant")
	update(t, s, func(k *awstest.Knobs) { k.Skew = 91 * 24 * 3600 })
	_, err = renew(s, c, token.RefreshToken)
	wantOAuth(t, "after the registration", err, "InvalidClientException", "invalid_client")
}

func TestSSODevice(t *testing.T) {
	begin := func(t *testing.T, s *awstest.Server) (*ssooidc.StartDeviceAuthorizationOutput, func() (*ssooidc.CreateTokenOutput, error)) {
		c := register(t, s)
		d, err := oidcClient(s).StartDeviceAuthorization(context.Background(), &ssooidc.StartDeviceAuthorizationInput{
			ClientId: c.ClientId, ClientSecret: c.ClientSecret, StartUrl: aws.String(startURL)})
		if err != nil {
			t.Fatal(err)
		}
		return d, func() (*ssooidc.CreateTokenOutput, error) {
			return oidcClient(s).CreateToken(context.Background(), &ssooidc.CreateTokenInput{ClientId: c.ClientId, ClientSecret: c.ClientSecret,
				GrantType: aws.String("urn:ietf:params:oauth:grant-type:device_code"), DeviceCode: d.DeviceCode})
		}
	}
	open := func(t *testing.T, d *ssooidc.StartDeviceAuthorizationOutput) int {
		resp, err := http.Get(*d.VerificationUriComplete)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	t.Run("slow down, pending, done once", func(t *testing.T) {
		s := start(t)
		update(t, s, func(k *awstest.Knobs) { k.SSO.SlowDown, k.SSO.Pending = 1, 2 })
		d, poll := begin(t, s)
		if d.Interval != 1 || d.ExpiresIn != 600 || len(*d.UserCode) != 9 || !strings.HasSuffix(*d.VerificationUriComplete, *d.UserCode) {
			t.Errorf("%+v", d)
		}
		for _, want := range []string{"SlowDownException slow_down", "AuthorizationPendingException authorization_pending", "AuthorizationPendingException authorization_pending"} {
			_, err := poll()
			code, oauth, _ := strings.Cut(want, " ")
			wantOAuth(t, "poll", err, code, oauth)
		}
		token, err := poll()
		if err != nil || token.RefreshToken == nil {
			t.Fatalf("%+v %v", token, err)
		}
		if _, err := roleCredentials(s, token.AccessToken, awstest.Account, "dev"); err != nil {
			t.Error(err)
		}
		_, err = poll()
		wantOAuth(t, "again", err, "InvalidGrantException", "invalid_grant")
	})
	t.Run("by the page", func(t *testing.T) {
		s := start(t)
		update(t, s, func(k *awstest.Knobs) { k.SSO.Pending = -1 })
		d, poll := begin(t, s)
		_, err := poll()
		wantOAuth(t, "before", err, "AuthorizationPendingException", "authorization_pending")
		if status := open(t, d); status != 200 {
			t.Errorf("page: %d", status)
		}
		if _, err := poll(); err != nil {
			t.Error(err)
		}
		if status := open(t, d); status != 400 {
			t.Errorf("page of a used code: %d", status)
		}
	})
	t.Run("refused on the page", func(t *testing.T) {
		s := start(t)
		update(t, s, func(k *awstest.Knobs) { k.SSO.Pending, k.SSO.Person = -1, awstest.Refuses })
		d, poll := begin(t, s)
		_, err := poll()
		wantOAuth(t, "before", err, "AuthorizationPendingException", "")
		open(t, d)
		_, err = poll()
		wantOAuth(t, "after", err, "AccessDeniedException", "access_denied")
	})
	t.Run("away until it expires", func(t *testing.T) {
		s := start(t)
		update(t, s, func(k *awstest.Knobs) { k.SSO.Person = awstest.Away })
		d, poll := begin(t, s)
		open(t, d)
		_, err := poll()
		wantOAuth(t, "before", err, "AuthorizationPendingException", "")
		update(t, s, func(k *awstest.Knobs) { k.Skew = 601 })
		_, err = poll()
		wantOAuth(t, "after", err, "ExpiredTokenException", "expired_token")
	})
	t.Run("not registered for it", func(t *testing.T) {
		s := start(t)
		c := register(t, s, "authorization_code")
		_, err := oidcClient(s).StartDeviceAuthorization(context.Background(), &ssooidc.StartDeviceAuthorizationInput{
			ClientId: c.ClientId, ClientSecret: c.ClientSecret, StartUrl: aws.String(startURL)})
		wantOAuth(t, "start", err, "UnauthorizedClientException", "unauthorized_client")
	})
}

func TestSSORegisterRefusals(t *testing.T) {
	s := start(t)
	good := ssooidc.RegisterClientInput{ClientName: aws.String("n"), ClientType: aws.String("public"), Scopes: []string{"sso:account:access"},
		GrantTypes: []string{"authorization_code"}, RedirectUris: []string{"http://127.0.0.1/cb"}, IssuerUrl: aws.String(startURL)}
	for code, change := range map[string]func(*ssooidc.RegisterClientInput){
		"InvalidClientMetadataException": func(in *ssooidc.RegisterClientInput) { in.ClientType = aws.String("confidential") },
		"InvalidRedirectUriException":    func(in *ssooidc.RegisterClientInput) { in.RedirectUris = []string{"http://localhost/cb"} },
		"UnsupportedGrantTypeException":  func(in *ssooidc.RegisterClientInput) { in.GrantTypes = []string{"password"} },
		"InvalidScopeException":          func(in *ssooidc.RegisterClientInput) { in.Scopes = []string{"nonsense"} },
		"InvalidRequestException":        func(in *ssooidc.RegisterClientInput) { in.IssuerUrl = nil },
	} {
		in := good
		change(&in)
		_, err := oidcClient(s).RegisterClient(context.Background(), &in)
		wantOAuth(t, code, err, code, "")
	}
	resp, err := http.PostForm(s.URL+"/token", url.Values{"clientId": {"x"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 400 || !strings.Contains(string(b), `"error":"invalid_request"`) || !strings.HasPrefix(resp.Header.Get("X-Amzn-Errortype"), "InvalidRequestException:") {
		t.Errorf("%s %s %s", resp.Status, resp.Header.Get("X-Amzn-Errortype"), b)
	}
	if resp, err = http.Get(s.URL + "/token"); err != nil || resp.StatusCode != 405 {
		t.Errorf("GET: %v %v", resp, err)
	}
	resp.Body.Close()
}

func TestSSOAssignments(t *testing.T) {
	s, ctx := start(t), context.Background()
	_, token := logIn(t, s)
	update(t, s, func(k *awstest.Knobs) {
		k.SSO.Assignments = map[string][]string{"111122223333": {"a", "b", "c"}, "029608264753": {"dev"}}
	})
	_, err := roleCredentials(s, token.AccessToken, "029608264753", "admin")
	wantCode(t, err, "ForbiddenException", "No access")
	if _, err := roleCredentials(s, token.AccessToken, "029608264753", "dev"); err != nil {
		t.Error(err)
	}
	accounts, err := portalClient(s).ListAccounts(ctx, &sso.ListAccountsInput{AccessToken: token.AccessToken})
	if err != nil || len(accounts.AccountList) != 2 || *accounts.AccountList[0].AccountId != "029608264753" {
		t.Errorf("%+v %v", accounts, err)
	}
	var roles []string
	pages := sso.NewListAccountRolesPaginator(portalClient(s), &sso.ListAccountRolesInput{AccessToken: token.AccessToken,
		AccountId: aws.String("111122223333"), MaxResults: aws.Int32(2)})
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.RoleList {
			roles = append(roles, *r.RoleName)
		}
	}
	if strings.Join(roles, " ") != "a b c" || s.Calls().ByAction["ListAccountRoles"] != 2 {
		t.Errorf("%q in %v", roles, s.Calls().ByAction)
	}
	update(t, s, func(k *awstest.Knobs) {
		k.Next = awstest.Next{Calls: 1, Action: "ListAccounts", Status: 429, Code: "TooManyRequestsException", Message: "Rate exceeded"}
	})
	_, err = portalClient(s).ListAccounts(ctx, &sso.ListAccountsInput{AccessToken: token.AccessToken})
	wantCode(t, err, "TooManyRequestsException", "Rate exceeded")
}

func TestSSOOutages(t *testing.T) {
	s := start(t)
	c, token := logIn(t, s)
	for _, o := range []awstest.Outage{awstest.Reset, awstest.Unavailable, awstest.HTML, awstest.Truncated, awstest.Garbage} { // a redirect the SDK would follow for ever
		s.ResetCalls()
		update(t, s, func(k *awstest.Knobs) { k.Outage = o })
		if out, err := roleCredentials(s, token.AccessToken, awstest.Account, "dev"); err == nil && out.RoleCredentials != nil {
			t.Errorf("%s: answered", o)
		}
		if n := s.Calls().ByAction["GetRoleCredentials"]; n == 0 {
			t.Errorf("%s: not counted: %v", o, s.Calls())
		}
	}
	update(t, s, func(k *awstest.Knobs) { k.Outage = awstest.Truncated })
	if _, err := renew(s, c, token.RefreshToken); err == nil {
		t.Error("half an answer was read")
	}
	update(t, s, func(k *awstest.Knobs) { k.Outage = awstest.Up })
	_, err := renew(s, c, token.RefreshToken)
	wantOAuth(t, "an answer that was lost costs the token", err, "InvalidGrantException", "")

	update(t, s, func(k *awstest.Knobs) { k.Outage = awstest.Huge })
	resp, err := http.Post(s.URL+"/token", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	head := make([]byte, 16)
	if _, err := io.ReadFull(resp.Body, head); err != nil || resp.Header.Get("Content-Type") != "application/json" || head[0] != '{' {
		t.Errorf("%q %v", head, err)
	}
}

// writeSSOConfig makes a HOME whose profile p uses the login that token is.
func writeSSOConfig(t *testing.T, c *ssooidc.RegisterClientOutput, token *ssooidc.CreateTokenOutput, expires time.Time) (home string) {
	t.Helper()
	home = t.TempDir()
	file, err := ssocreds.StandardCachedTokenFilepath("work")
	if err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(home, ".aws", "sso", "cache")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]string{"startUrl": startURL, "region": "eu-central-1",
		"accessToken": *token.AccessToken, "expiresAt": expires.UTC().Format(time.RFC3339), "refreshToken": *token.RefreshToken,
		"clientId": *c.ClientId, "clientSecret": *c.ClientSecret, "registrationExpiresAt": time.Unix(c.ClientSecretExpiresAt, 0).UTC().Format(time.RFC3339)})
	if err != nil {
		t.Fatal(err)
	}
	// Version 1 of the CLI would fetch the start URL.
	config := "[default]\ncli_follow_urlparam = false\n[profile p]\nsso_session = work\nsso_account_id = 029608264753\nsso_role_name = dev\nregion = eu-central-1\n" +
		"[sso-session work]\nsso_start_url = " + startURL + "\nsso_region = eu-central-1\nsso_registration_scopes = sso:account:access\n"
	for path, data := range map[string][]byte{filepath.Join(cache, filepath.Base(file)): b, filepath.Join(home, ".aws", "config"): []byte(config)} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return home
}

// TestSSOWithAWSCLI has the real client use a login, renew it, and hold a whole
// device login call by call.
func TestSSOWithAWSCLI(t *testing.T) {
	cli := findAWSCLI(t)
	s := start(t)
	c, token := logIn(t, s)
	home := writeSSOConfig(t, c, token, time.Now().Add(-time.Minute)) // so that it has to renew
	out := runAWSCLI(t, s, cli, home, "sts", "get-caller-identity", "--profile", "p", "--query", "Arn", "--output", "text")
	if out != awstest.SSOSessionARN("029608264753", "dev") {
		t.Errorf("is %s", out)
	}
	grants := map[string]int{}
	for _, r := range s.Requests() {
		grants[r.Form.Get("grantType")]++
	}
	if grants["refresh_token"] != 1 {
		t.Errorf("renewed %d times", grants["refresh_token"])
	}

	var reg struct{ ClientID, ClientSecret string }
	if err := json.Unmarshal([]byte(runAWSCLI(t, s, cli, home, "sso-oidc", "register-client", "--client-name", "x", "--client-type", "public",
		"--scopes", "sso:account:access")), &reg); err != nil {
		t.Fatal(err)
	}
	var d struct{ DeviceCode string }
	if err := json.Unmarshal([]byte(runAWSCLI(t, s, cli, home, "sso-oidc", "start-device-authorization", "--client-id", reg.ClientID,
		"--client-secret", reg.ClientSecret, "--start-url", startURL)), &d); err != nil {
		t.Fatal(err)
	}
	access := runAWSCLI(t, s, cli, home, "sso-oidc", "create-token", "--client-id", reg.ClientID, "--client-secret", reg.ClientSecret,
		"--grant-type", "urn:ietf:params:oauth:grant-type:device_code", "--device-code", d.DeviceCode, "--query", "accessToken", "--output", "text")
	if got := runAWSCLI(t, s, cli, home, "sso", "list-account-roles", "--account-id", awstest.Account, "--access-token", access,
		"--query", "roleList[].roleName", "--output", "text"); got != "AdministratorAccess\tdev" {
		t.Errorf("roles %q", got)
	}
	s.EndSSOSessions()
	refused := awsCLI(s, cli, home, "sso", "list-accounts", "--access-token", access)
	if b, err := refused.CombinedOutput(); err == nil || !strings.Contains(string(b), "(UnauthorizedException)") || !strings.Contains(string(b), "Session token not found or invalid") {
		t.Errorf("%v %s", err, b)
	}
}

// findAWSCLI skips a test whose judge is not there.
func findAWSCLI(t *testing.T) string {
	t.Helper()
	cli, err := exec.LookPath("aws")
	if err != nil {
		if os.Getenv("AMBIT_TEST_REQUIRE") == "all" {
			t.Fatal("aws is not installed")
		}
		t.Skip("aws is not installed: what it makes of these answers is not checked")
	}
	return cli
}

func awsCLI(s *awstest.Server, cli, home string, args ...string) *exec.Cmd {
	cmd := exec.Command(cli, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "AWS_ENDPOINT_URL=" + s.URL, "AWS_DEFAULT_REGION=eu-central-1",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1"}
	return cmd
}

func runAWSCLI(t *testing.T, s *awstest.Server, cli, home string, args ...string) string {
	t.Helper()
	b, err := awsCLI(s, cli, home, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("aws %s: %v\n%s", strings.Join(args[:2], " "), err, b)
	}
	return strings.TrimSpace(string(b))
}
