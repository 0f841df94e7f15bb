package main_test

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"ambit/resolver/aws/awstest"
)

// assume gives the keys of a role.
func (w *world) assume(by keySet, role string, lifetime time.Duration) keySet {
	w.t.Helper()
	client := sts.New(sts.Options{Region: "eu-central-1", BaseEndpoint: aws.String(w.aws.URL),
		Credentials: credentials.NewStaticCredentialsProvider(by.id, by.secret, by.token)})
	out, err := client.AssumeRole(context.Background(), &sts.AssumeRoleInput{
		RoleArn: aws.String(role), RoleSessionName: aws.String("story"), DurationSeconds: aws.Int32(int32(max(lifetime, 15*time.Minute) / time.Second)),
	})
	must(w.t, err)
	return keySet{*out.Credentials.AccessKeyId, w.secret(*out.Credentials.SecretAccessKey), w.secret(*out.Credentials.SessionToken)}
}

// expired gives keys whose time is over.
func (w *world) expired(role string) keySet {
	w.t.Helper()
	w.knobs(func(k *awstest.Knobs) { k.Lifetime = -600 })
	k := w.assume(demo, "arn:aws:iam::"+awstest.Account+":role/"+role, time.Hour)
	w.knobs(func(k *awstest.Knobs) { k.Lifetime = 0 })
	return k
}

// jwt is a token as an OpenID provider makes it, with a signature that nobody may
// see.
func (w *world) jwt(claims map[string]any) string {
	w.t.Helper()
	body, err := json.Marshal(claims)
	must(w.t, err)
	text := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	return text([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + text(body) + "." + w.secret(text([]byte(strings.Repeat("c4n4ry-signature", 8))))
}

// webIdentity gives the shell a token file and a role for it, as in an EKS pod.
func (w *world) webIdentity(token string) {
	w.env["KUBERNETES_SERVICE_HOST"] = "10.0.0.1"
	w.env["AWS_ROLE_ARN"] = devRole
	w.env["AWS_WEB_IDENTITY_TOKEN_FILE"] = w.write("token", token)
}

const (
	issuer   = "https://oidc.example/id/C0FFEE"
	audience = "sts.amazonaws.com"
)

func claims(change map[string]any) map[string]any {
	c := map[string]any{"iss": issuer, "sub": "system:serviceaccount:shop:web", "aud": []string{audience},
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range change {
		c[name] = value
	}
	return c
}

// webIdentityStories: temporary keys, and the tokens that roles are assumed with.
var webIdentityStories = []story{
	{"session expired", func(w *world) want {
		w.beneath()
		k := w.expired("dev")
		w.export(k)
		return want{check: "aws.token", evidence: []string{k.masked(), "expired|ended"}, fix: unsetKeys}
	}},
	{"session expired and its end is known", func(w *world) want {
		w.beneath()
		k := w.expired("dev")
		w.export(k)
		w.env["AWS_CREDENTIAL_EXPIRATION"] = time.Now().Add(-10 * time.Minute).UTC().Format(time.RFC3339)
		return want{check: "aws.token", evidence: []string{k.masked(), "expired|ended"}, fix: unsetKeys}
	}},
	{"session expired in a file", func(w *world) want {
		k := w.expired("dev")
		w.write(".aws/credentials", k.section("default")+demo.section("work"))
		return want{check: "aws.token", evidence: []string{k.masked(), ".aws/credentials"}, fix: `.+`, answers: demo.entered(), also: []string{"export AWS_PROFILE=work"}}
	}},
	{"unknown session", func(w *world) want {
		w.beneath()
		k := w.session("dev", time.Hour)
		w.aws.DeleteKey(k.id)
		w.export(k)
		return want{check: "aws.token|aws.keys", evidence: []string{k.masked(), "InvalidClientTokenId"}, fix: unsetKeys}
	}},
	{"end of an earlier session", func(w *world) want {
		w.export(w.session("dev", time.Hour))
		w.env["AWS_CREDENTIAL_EXPIRATION"] = time.Now().Add(-10 * time.Hour).UTC().Format(time.RFC3339)
		return want{check: "aws.token", evidence: []string{"AWS_CREDENTIAL_EXPIRATION"}, fix: `unset AWS_CREDENTIAL_EXPIRATION`, who: "/dev/"}
	}},
	{"end of a session in seconds", func(w *world) want {
		w.export(w.session("dev", time.Hour))
		w.env["AWS_CREDENTIAL_EXPIRATION"] = fmt.Sprint(time.Now().Add(time.Hour).Unix())
		return want{check: "aws.token", evidence: []string{"AWS_CREDENTIAL_EXPIRATION"}, fix: `unset AWS_CREDENTIAL_EXPIRATION`, who: "/dev/"}
	}},
	{"token file not there", func(w *world) want {
		w.webIdentity("x")
		must(w.t, os.Remove(w.env["AWS_WEB_IDENTITY_TOKEN_FILE"]))
		w.admin("kubectl delete pod", func([]string) string { w.write("token", w.jwt(claims(nil))); return "" })
		return want{check: "aws.token|aws.runtime", evidence: []string{"/token"}, fix: `kubectl .+`, who: "/dev/"}
	}},
	{"token file with a token gone by", func(w *world) want {
		w.webIdentity(w.jwt(claims(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})))
		w.admin("kubectl delete pod", func([]string) string { w.write("token", w.jwt(claims(nil))); return "" })
		return want{check: "aws.token|aws.runtime", evidence: []string{"expired|ended"}, fix: `kubectl .+`, who: "/dev/"}
	}},
	{"role for the token not named", func(w *world) want {
		w.webIdentity(w.jwt(claims(nil)))
		delete(w.env, "AWS_ROLE_ARN")
		w.admin("kubectl annotate sa", func([]string) string { return "" })
		return want{check: "aws.token|aws.runtime", evidence: []string{"AWS_ROLE_ARN"}, fix: `kubectl annotate sa .+`, also: []string{"export AWS_ROLE_ARN=" + devRole}, who: "/dev/"}
	}},
	{"token with a newline", func(w *world) want {
		w.knobs(func(k *awstest.Knobs) { k.Issuers = map[string][]string{issuer: {audience}} })
		w.webIdentity(w.jwt(claims(nil)) + "\n")
		return want{check: "aws.token", status: "warn", evidence: []string{"newline"}, fix: `.+`, who: "/dev/", works: true}
	}},
	{"issuer unknown", func(w *world) want {
		w.webIdentity(w.jwt(claims(nil)))
		w.knobs(func(k *awstest.Knobs) { k.Issuers = map[string][]string{"https://else.example": {audience}} })
		w.adminKnobs("aws iam list-open-id-connect-providers", func(k *awstest.Knobs) { k.Issuers = nil })
		return want{check: "aws.token", evidence: []string{issuer, "InvalidIdentityToken"}, fix: `aws iam list-open-id-connect-providers`, who: "/dev/"}
	}},
	{"audience wrong", func(w *world) want {
		w.webIdentity(w.jwt(claims(map[string]any{"aud": "vault"})))
		w.knobs(func(k *awstest.Knobs) { k.Issuers = map[string][]string{issuer: {audience}} })
		w.adminKnobs("aws iam list-open-id-connect-providers", func(k *awstest.Knobs) { k.Issuers = nil })
		return want{check: "aws.token", evidence: []string{"vault", "audience"}, fix: `aws iam list-open-id-connect-providers`, who: "/dev/"}
	}},
	{"token that the role does not trust", func(w *world) want {
		w.webIdentity(w.jwt(claims(nil)))
		w.knobs(func(k *awstest.Knobs) { k.Roles = map[string]awstest.Role{devRole: {Deleted: true}} })
		w.adminKnobs("kubectl", func(k *awstest.Knobs) { k.Roles = nil })
		w.adminKnobs("aws iam get-role --role-name dev", func(k *awstest.Knobs) { k.Roles = nil })
		return want{check: "aws.token|aws.role", evidence: []string{"dev", "system:serviceaccount:shop:web"}, fix: `(aws iam|kubectl) .+`, who: "/dev/"}
	}},
}

const startURL = "https://org.example/start"

// ssoProfile gives the home a profile of IAM Identity Center, as `aws configure sso`
// writes it, and chooses it.
func (w *world) ssoProfile() {
	w.write(".aws/config", "[profile work]\nsso_session = org\nsso_account_id = "+awstest.Account+"\nsso_role_name = dev\nregion = eu-central-1\n"+
		"[sso-session org]\nsso_region = eu-central-1\nsso_start_url = "+startURL+"\nsso_registration_scopes = sso:account:access\n")
	w.env["AWS_PROFILE"] = "work"
	for _, service := range []string{"SSO", "SSO_OIDC"} {
		w.env["AWS_ENDPOINT_URL_"+service] = w.aws.URL
	}
	// A person who agrees at once.
	w.env["BROWSER"] = "curl -sSfL -o /dev/null %s"
}

// post calls a JSON operation of the stand-in.
func (w *world) post(path string, in map[string]any) map[string]any {
	w.t.Helper()
	body, err := json.Marshal(in)
	must(w.t, err)
	resp, err := http.Post(w.aws.URL+path, "application/json", strings.NewReader(string(body)))
	must(w.t, err)
	defer resp.Body.Close()
	var out map[string]any
	must(w.t, json.NewDecoder(resp.Body).Decode(&out))
	if resp.StatusCode != 200 {
		w.t.Fatalf("%s: %v", path, out)
	}
	return out
}

// ssoLogin leaves the login of a person, as the AWS CLI keeps it.
func (w *world) ssoLogin() {
	w.t.Helper()
	client := w.post("/client/register", map[string]any{"clientName": "story", "clientType": "public", "scopes": []string{"sso:account:access"},
		"grantTypes": []string{"urn:ietf:params:oauth:grant-type:device_code", "refresh_token"}})
	id := map[string]any{"clientId": client["clientId"], "clientSecret": client["clientSecret"]}
	device := w.post("/device_authorization", map[string]any{"clientId": id["clientId"], "clientSecret": id["clientSecret"], "startUrl": startURL})
	page, err := http.Get(w.aws.URL + "/device?user_code=" + url.QueryEscape(device["userCode"].(string)))
	must(w.t, err)
	_, err = io.Copy(io.Discard, page.Body)
	must(w.t, err)
	must(w.t, page.Body.Close())
	token := w.post("/token", map[string]any{"clientId": id["clientId"], "clientSecret": id["clientSecret"],
		"grantType": "urn:ietf:params:oauth:grant-type:device_code", "deviceCode": device["deviceCode"]})
	kept, err := json.Marshal(map[string]any{
		"startUrl": startURL, "region": "eu-central-1", "clientId": id["clientId"], "clientSecret": w.secret(id["clientSecret"].(string)),
		"registrationExpiresAt": time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339),
		"accessToken":           w.secret(token["accessToken"].(string)), "refreshToken": w.secret(token["refreshToken"].(string)),
		"expiresAt": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	})
	must(w.t, err)
	w.write(w.ssoFile(), string(kept))
}

// ssoFile is where the AWS CLI keeps the login of the session org.
func (w *world) ssoFile() string {
	sum := sha1.Sum([]byte("org"))
	return ".aws/sso/cache/" + hex.EncodeToString(sum[:]) + ".json"
}

const ssoWho = ":assumed-role/AWSReservedSSO_dev_"

// ssoStories: IAM Identity Center.
var ssoStories = []story{
	{"never logged in", func(w *world) want {
		w.ssoProfile()
		return want{check: "aws.token", evidence: []string{"work"}, fix: `ambit login --profile work`, who: ssoWho}
	}},
	{"login ended", func(w *world) want {
		w.ssoProfile()
		w.ssoLogin()
		w.aws.EndSSOSessions()
		return want{check: "aws.token", evidence: []string{"work"}, fix: `ambit login --profile work`, who: ssoWho}
	}},
	{"login gone by", func(w *world) want {
		w.ssoProfile()
		w.ssoLogin()
		path := w.home + "/" + w.ssoFile()
		var fields map[string]any
		must(w.t, json.Unmarshal([]byte(w.read(path)), &fields))
		delete(fields, "refreshToken")
		fields["expiresAt"] = time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
		b, err := json.Marshal(fields)
		must(w.t, err)
		w.write(w.ssoFile(), string(b))
		return want{check: "aws.token", evidence: []string{"work"}, fix: `ambit login --profile work`, who: ssoWho}
	}},
	{"role not assigned", func(w *world) want {
		w.ssoProfile()
		w.ssoLogin()
		w.knobs(func(k *awstest.Knobs) { k.SSO.Assignments = map[string][]string{awstest.Account: {"reader"}} })
		return want{check: "aws.token|aws.role", evidence: []string{"dev", awstest.Account}, fix: `.*`,
			also: []string{"sed -i 's/= dev/= reader/' ~/.aws/config"}, who: ":assumed-role/AWSReservedSSO_reader_"}
	}},
}
