package doctor

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	temp  = "ASIAQNZGKIQY56JQ7WML" // of account 029608264753
	token = "IQoJb3JpZ2luX2VjEXAMPLETOKEN1234567890abcd=="
)

// offlineFindings are what the checks without a network see.
func offlineFindings(x *examination) (found []Finding) {
	for _, c := range offline {
		found = append(found, c.run(context.Background(), x)...)
	}
	return found
}

func spelled(found []Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "\n  %s %s: %s\n    fix: %s", f.Status, f.Check, f.Evidence, f.Fix)
	}
	return b.String()
}

// A fault is a setup, what is told of it first, and what the fix leads to.
type fault struct {
	setup
	check    string
	status   Status // Fail if empty
	evidence string // a part of it
	fix      string // all of it; "-" if there is none; ~ stands for the home directory
	prepare  func(t *testing.T, home string)
	input    string // what a person types when the fix asks
	stays    bool   // the fix alone does not mend it: a person has to log in, or it is a guess
}

func env(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

var good = keysIn("default", idB)

func jwt(exp int64) string {
	return "eyJhbGciOiJSUzI1NiJ9." + strings.TrimRight(b64(fmt.Sprintf(`{"iss":"https://oidc.example","sub":"system:serviceaccount:a:b","aud":["sts.amazonaws.com"],"exp":%d}`, exp)), "=") + ".c2ln"
}

func ssoFile(home, key, content string) func(*testing.T, string) {
	return func(t *testing.T, home string) {
		sum := sha1.Sum([]byte(key))
		put(t, filepath.Join(home, ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json"), content, 0o600)
	}
}

func put(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

const ssoProfile = "[profile a]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = dev\nregion = us-east-1\n[sso-session s]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\n"

var faults = []fault{
	// The form of keys.
	{setup: setup{name: "typo in the id", env: env("AWS_ACCESS_KEY_ID", idA[:19], "AWS_SECRET_ACCESS_KEY", someSecret), credentials: good}, check: "aws.keys", evidence: "AWS_ACCESS_KEY_ID has 19 characters", fix: "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY"},
	{setup: setup{name: "lower case", env: env("AWS_ACCESS_KEY_ID", strings.ToLower(idA), "AWS_SECRET_ACCESS_KEY", someSecret), credentials: good}, check: "aws.keys", evidence: "lower-case"},
	{setup: setup{name: "user id", env: env("AWS_ACCESS_KEY_ID", "AIDAQNZGKIQY56JQ7WMA7", "AWS_SECRET_ACCESS_KEY", someSecret), credentials: good}, check: "aws.keys", evidence: "unique id of a user"},
	{setup: setup{name: "role id", env: env("AWS_ACCESS_KEY_ID", "AROAQNZGKIQY56JQ7WMA7", "AWS_SECRET_ACCESS_KEY", someSecret), credentials: good}, check: "aws.keys", evidence: "unique id of a role"},
	{setup: setup{name: "example", env: env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY", someSecret), credentials: good}, check: "aws.keys", evidence: "example of the AWS documentation"},
	{setup: setup{name: "variable not expanded", env: env("AWS_ACCESS_KEY_ID", "$AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "$AWS_SECRET_ACCESS_KEY"), credentials: good}, check: "aws.keys", evidence: "which nothing expanded", fix: "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY"},
	{setup: setup{name: "secret too short", env: env("AWS_ACCESS_KEY_ID", idA, "AWS_SECRET_ACCESS_KEY", someSecret[:39]), credentials: good}, check: "aws.keys", evidence: "AWS_SECRET_ACCESS_KEY has 39 characters"},
	{setup: setup{name: "swapped", env: env("AWS_ACCESS_KEY_ID", someSecret, "AWS_SECRET_ACCESS_KEY", idA)}, check: "aws.keys", evidence: "swapped", fix: `export AWS_ACCESS_KEY_ID="$AWS_SECRET_ACCESS_KEY" AWS_SECRET_ACCESS_KEY="$AWS_ACCESS_KEY_ID"`},
	{setup: setup{name: "carriage return", env: env("AWS_ACCESS_KEY_ID", idA+"\r", "AWS_SECRET_ACCESS_KEY", someSecret+"\r")}, check: "aws.keys", evidence: "AWS_ACCESS_KEY_ID ends with a carriage return; AWS_SECRET_ACCESS_KEY ends with a carriage return"},
	{setup: setup{name: "newline", env: env("AWS_ACCESS_KEY_ID", idA+"\n", "AWS_SECRET_ACCESS_KEY", someSecret)}, check: "aws.keys", evidence: "ends with a newline"},
	{setup: setup{name: "quotes of an env-file", env: env("AWS_ACCESS_KEY_ID", `"`+idA+`"`, "AWS_SECRET_ACCESS_KEY", `"`+someSecret+`"`)}, check: "aws.keys", evidence: "stands in quotes"},
	{setup: setup{name: "byte order mark", env: env("AWS_ACCESS_KEY_ID", "\ufeff"+idA, "AWS_SECRET_ACCESS_KEY", someSecret)}, check: "aws.keys", evidence: "begins with a byte order mark"},
	{setup: setup{name: "space within", env: env("AWS_ACCESS_KEY_ID", idA, "AWS_SECRET_ACCESS_KEY", someSecret[:7]+" "+someSecret[7:])}, check: "aws.keys", evidence: "a space as character 8 of 41"},
	{setup: setup{name: "zero-width space", env: env("AWS_ACCESS_KEY_ID", idA, "AWS_SECRET_ACCESS_KEY", someSecret+"\u200b")}, check: "aws.keys", evidence: "ends with an invisible character"},
	{setup: setup{name: "token in quotes", env: env("AWS_ACCESS_KEY_ID", temp, "AWS_SECRET_ACCESS_KEY", someSecret, "AWS_SESSION_TOKEN", `'`+token+`'`)}, check: "aws.keys", evidence: "AWS_SESSION_TOKEN stands in quotes"},
	{setup: setup{name: "quotes in a file", credentials: "[default]\naws_access_key_id = \"" + idA + "\"\naws_secret_access_key = '" + someSecret + "'\n"}, check: "aws.keys", evidence: "~/.aws/credentials:2 aws_access_key_id stands in quotes"},
	{setup: setup{name: "comment in a file", credentials: "[default]\naws_access_key_id = " + idA + "  # work\naws_secret_access_key = " + someSecret + "\n"}, check: "aws.keys", evidence: "followed by a comment", fix: "sed -i '2s/[[:space:]][#;].*//' ~/.aws/credentials"},
	{setup: setup{name: "space in a file", credentials: "[default]\naws_access_key_id = " + idA[:4] + " " + idA[4:] + "\naws_secret_access_key = " + someSecret + "\n"}, check: "aws.keys", evidence: "has a space as character 5 of 21"},
	{setup: setup{name: "dash in a file", credentials: "[default]\naws_access_key_id = " + idA + "\u00a0\naws_secret_access_key = " + someSecret + "\u2013\n"}, check: "aws.keys", evidence: "not ASCII"},
	{setup: setup{name: "typo in a file", credentials: "[default]\naws_access_key_id = " + idA + "7\naws_secret_access_key = " + someSecret + "\naws_session_token = x\n"}, check: "aws.keys", evidence: "21 characters", fix: "sed -i '4d' ~/.aws/credentials && aws configure --profile default", input: idB + "\n" + someSecret + "\n\n\n"},
	{setup: setup{name: "typo in the source of a role", config: "[profile a]\n" + aRole + "source_profile = base\nregion = us-east-1\n", credentials: keysIn("base", idA+"7"), env: env("AWS_PROFILE", "a")}, check: "aws.keys", evidence: "~/.aws/credentials:2", fix: "aws configure --profile base", input: idB + "\n" + someSecret + "\n\n\n"},

	// Half a family.
	{setup: setup{name: "temporary without token", env: env("AWS_ACCESS_KEY_ID", temp, "AWS_SECRET_ACCESS_KEY", someSecret, "AWS_SESSION_TOKEN", ""), credentials: good}, check: "aws.family", evidence: "ASIA…7WML is temporary, AWS_SESSION_TOKEN is empty", fix: "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"},
	{setup: setup{name: "long-term with token", env: env("AWS_ACCESS_KEY_ID", idA, "AWS_SECRET_ACCESS_KEY", someSecret, "AWS_SESSION_TOKEN", token)}, check: "aws.family", evidence: "AKIA…7WMA is a long-term key", fix: "unset AWS_SESSION_TOKEN"},
	{setup: setup{name: "long-term with old token", env: env("AWS_ACCESS_KEY_ID", idA, "AWS_SECRET_ACCESS_KEY", someSecret, "AWS_SECURITY_TOKEN", token)}, check: "aws.family", evidence: "AWS_SECURITY_TOKEN gives it", fix: "unset AWS_SECURITY_TOKEN"},
	{setup: setup{name: "two tokens", env: env("AWS_ACCESS_KEY_ID", temp, "AWS_SECRET_ACCESS_KEY", someSecret, "AWS_SESSION_TOKEN", token, "AWS_SECURITY_TOKEN", token[1:]+"=")}, check: "aws.family", evidence: "beats it", fix: "unset AWS_SECURITY_TOKEN"},
	{setup: setup{name: "id only", env: env("AWS_ACCESS_KEY_ID", idA), credentials: good}, check: "aws.family", evidence: "AWS_SECRET_ACCESS_KEY is not set", fix: "unset AWS_ACCESS_KEY_ID"},
	{setup: setup{name: "secret only", env: env("AWS_SECRET_ACCESS_KEY", someSecret)}, check: "aws.family", evidence: "AWS_ACCESS_KEY_ID is not set", fix: "unset AWS_SECRET_ACCESS_KEY", stays: true},
	{setup: setup{name: "secret only, with a file", env: env("AWS_SECRET_ACCESS_KEY", someSecret), credentials: good}, check: "aws.family", status: Warn, evidence: "AWS_ACCESS_KEY_ID is not set"},
	{setup: setup{name: "old names", env: env("AWS_ACCESS_KEY", idA, "AWS_SECRET_KEY", someSecret)}, check: "aws.family", evidence: "do not read", fix: `export AWS_ACCESS_KEY_ID="$AWS_ACCESS_KEY" AWS_SECRET_ACCESS_KEY="$AWS_SECRET_KEY"`},
	{setup: setup{name: "old name of the secret", env: env("AWS_ACCESS_KEY_ID", idA, "AWS_SECRET_KEY", someSecret)}, check: "aws.family", evidence: "AWS_SECRET_KEY", fix: `export AWS_SECRET_ACCESS_KEY="$AWS_SECRET_KEY"`},
	{setup: setup{name: "temporary without token in a file", credentials: keysIn("default", temp)}, check: "aws.family", evidence: "aws_session_token is missing", fix: "aws configure --profile default", input: idB + "\n" + someSecret + "\n\n\n"},
	{setup: setup{name: "long-term with token in a file", credentials: good + "aws_session_token = " + token + "\n"}, check: "aws.family", evidence: "~/.aws/credentials:4", fix: "sed -i '4d' ~/.aws/credentials"},
	{setup: setup{name: "no secret in a file", credentials: "[default]\naws_access_key_id = " + idA + "\n"}, check: "aws.family", evidence: "aws_secret_access_key is missing", fix: "aws configure --profile default", input: idB + "\n" + someSecret + "\n\n\n"},
	{setup: setup{name: "no id in a file", credentials: "[default]\naws_secret_access_key = " + someSecret + "\n"}, check: "aws.family", evidence: "aws_access_key_id is missing", fix: "aws configure --profile default", input: idB + "\n" + someSecret + "\n\n\n"},
	{setup: setup{name: "misspelt setting", credentials: "[default]\naws_access_key_id = " + idA + "\naws_secret_key = " + someSecret + "\n"}, check: "aws.family", evidence: `line 3 has "aws_secret_key" instead`, fix: "sed -i '3s/aws_secret_key/aws_secret_access_key/I' ~/.aws/credentials"},

	// Order.
	{setup: setup{name: "no such profile", env: env("AWS_PROFILE", "dvelop"), credentials: keysIn("develop", idB)}, check: "aws.order", evidence: `AWS_PROFILE names "dvelop", and there is no such profile; "develop" is`, fix: "export AWS_PROFILE=develop"},
	{setup: setup{name: "no such profile, good keys", env: envKeys("AWS_PROFILE", "qqqqqq"), credentials: good}, check: "aws.order", evidence: "no such profile", fix: "unset AWS_PROFILE"},
	{setup: setup{name: "no profile prefix", env: env("AWS_PROFILE", "dev"), config: keysIn("dev", idB)}, check: "aws.order", evidence: "~/.aws/config:1 has [dev], which needs to be [profile dev]", fix: `sed -i '1s/\[.*\]/[profile dev]/' ~/.aws/config`},
	{setup: setup{name: "profile prefix in credentials", env: env("AWS_PROFILE", "dev"), credentials: keysIn("profile dev", idB)}, check: "aws.order", evidence: "needs to be [dev]", fix: `sed -i '1s/\[.*\]/[dev]/' ~/.aws/credentials`},
	{setup: setup{name: "empty profile", env: env("AWS_PROFILE", ""), credentials: good}, check: "aws.order", evidence: "AWS_PROFILE is empty", fix: "unset AWS_PROFILE"},
	{setup: setup{name: "no such default profile", env: env("AWS_DEFAULT_PROFILE", "zzz"), credentials: good}, check: "aws.order", evidence: "AWS_DEFAULT_PROFILE", fix: "unset AWS_DEFAULT_PROFILE"},
	{setup: setup{name: "wrong account", env: env("AWS_PROFILE", "dev", "AWS_ACCESS_KEY_ID", "AKIARZPUZDIKFIFAKE77", "AWS_SECRET_ACCESS_KEY", someSecret), credentials: keysIn("dev", idB)}, check: "aws.order", evidence: "account 123456789012 instead of 029608264753", fix: "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY"},
	{setup: setup{name: "profile ignored", env: envKeys("AWS_PROFILE", "dev"), credentials: keysIn("dev", idB)}, check: "aws.order", status: Warn, evidence: "the environment wins with AKIA…7WMA", fix: "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY"},
	{setup: setup{name: "two profiles", env: env("AWS_PROFILE", "a", "AWS_DEFAULT_PROFILE", "b"), credentials: keysIn("a", idA) + keysIn("b", idB)}, check: "aws.order", status: Warn, evidence: "take the second", fix: "unset AWS_DEFAULT_PROFILE"},
	{setup: setup{name: "no source profile", env: env("AWS_PROFILE", "a"), config: "[profile a]\nregion = us-east-1\n" + aRole + "source_profile = bsae\n", credentials: keysIn("base", idB)}, check: "aws.order", evidence: `names "bsae", which is not there`, fix: "aws configure set source_profile base --profile a"},
	{setup: setup{name: "loop", env: env("AWS_PROFILE", "a"), config: "[profile a]\nregion = us-east-1\n" + aRole + "source_profile = b\n[profile b]\n" + aRole + "source_profile = a\n", credentials: keysIn("base", idB)}, check: "aws.order", evidence: "leads back to", fix: "aws configure set source_profile base --profile b"},
	{setup: setup{name: "role without source", env: env("AWS_PROFILE", "a"), config: "[profile a]\nregion = us-east-1\n" + aRole, credentials: good}, check: "aws.order", evidence: "neither source_profile nor credential_source", fix: "aws configure set source_profile default --profile a"},
	{setup: setup{name: "nothing", config: "[default]\nregion = us-east-1\n", credentials: keysIn("dev", idB)}, check: "aws.order", evidence: `profile "dev" would have some`, fix: "export AWS_PROFILE=dev"},
	{setup: setup{name: "nothing at all"}, check: "aws.order", evidence: "no place holds credentials", fix: "aws configure --profile default", input: idB + "\n" + someSecret + "\nus-east-1\n\n"},

	// Roles.
	{setup: setup{name: "role in quotes", env: env("AWS_PROFILE", "a"), config: "[profile a]\nregion = us-east-1\nrole_arn = \"arn:aws:iam::123456789012:role/dev\"\nsource_profile = default\n", credentials: good}, check: "aws.role", evidence: "~/.aws/config:3 role_arn stands in quotes"},
	{setup: setup{name: "session as role", env: env("AWS_PROFILE", "a"), config: "[profile a]\nregion = us-east-1\nrole_arn = arn:aws:sts::123456789012:assumed-role/dev/me\nsource_profile = default\n", credentials: good}, check: "aws.role", evidence: "the ARN of a session", fix: "aws configure set role_arn arn:aws:iam::123456789012:role/dev --profile a"},
	{setup: setup{name: "no ARN of a role", env: env("AWS_PROFILE", "a"), config: "[profile a]\nregion = us-east-1\nrole_arn = dev\nsource_profile = default\n", credentials: good}, check: "aws.role", evidence: `is "dev"`, stays: true},
	{setup: setup{name: "role with a carriage return", env: env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/dev\r", "AWS_WEB_IDENTITY_TOKEN_FILE", "$HOME/token"), credentials: good}, check: "aws.role", evidence: "AWS_ROLE_ARN ends with a carriage return", prepare: func(t *testing.T, home string) { put(t, filepath.Join(home, "token"), jwt(4000000000), 0o600) }},

	// Region.
	{setup: setup{name: "zone", env: envKeys("AWS_REGION", "us-east-1a", "AWS_DEFAULT_REGION", "us-east-1a")}, check: "aws.region", evidence: "AWS_DEFAULT_REGION and AWS_REGION are \"us-east-1a\", which is an availability zone", fix: "export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1"},
	{setup: setup{name: "region misspelt", env: envKeys("AWS_REGION", "eu-centrl-1", "AWS_DEFAULT_REGION", "eu-centrl-1")}, check: "aws.region", evidence: "probably eu-central-1", fix: "export AWS_REGION=eu-central-1 AWS_DEFAULT_REGION=eu-central-1"},
	{setup: setup{name: "region misspelt in a profile", config: "[default]\nregion = us-esat-1\n", credentials: good}, check: "aws.region", evidence: `~/.aws/config:2 is "us-esat-1"`, fix: "aws configure set region us-east-1 --profile default"},
	{setup: setup{name: "region with a blank", env: envKeys("AWS_REGION", "us-east-1 ", "AWS_DEFAULT_REGION", "us-east-1 ")}, check: "aws.region", evidence: "ends with a space"},
	{setup: setup{name: "region conflict", env: envKeys("AWS_REGION", "us-east-1", "AWS_DEFAULT_REGION", "eu-west-1")}, check: "aws.region", status: Warn, evidence: "take eu-west-1, others us-east-1", fix: "export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1"},
	{setup: setup{name: "region absent", env: envKeys("AWS_REGION", "")}, check: "aws.region", status: Warn, evidence: "no region is set", fix: "export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1"},
	{setup: setup{name: "region absent with an endpoint", env: envKeys("AWS_REGION", "", "AWS_ENDPOINT_URL", "http://127.0.0.1:1")}, check: "aws.region", evidence: "no region is set"},
	{setup: setup{name: "partition", config: "[profile a]\nregion = us-east-1\nrole_arn = arn:aws-cn:iam::123456789012:role/x\nsource_profile = default\n", credentials: good, env: env("AWS_PROFILE", "a")}, check: "aws.region", evidence: "partition aws-cn", fix: "aws configure set region cn-north-1 --profile a"},

	// Endpoints.
	{setup: setup{name: "stand-in", env: envKeys("AWS_ENDPOINT_URL", "http://localhost:4566", "AWS_ENDPOINT_URL_STS", "http://localhost:4566")}, check: "aws.endpoint", status: Warn, evidence: "localhost, which is this machine", fix: "unset AWS_ENDPOINT_URL AWS_ENDPOINT_URL_STS"},
	{setup: setup{name: "no URL", env: envKeys("AWS_ENDPOINT_URL", "localhost:4566")}, check: "aws.endpoint", evidence: "not an http or https URL", fix: "unset AWS_ENDPOINT_URL"},
	{setup: setup{name: "endpoint in a file", config: "[default]\nregion = us-east-1\nendpoint_url = http://10.0.0.1:4566\n", credentials: good}, check: "aws.endpoint", status: Warn, evidence: "~/.aws/config:3 sends all services to 10.0.0.1", fix: "sed -i '3d' ~/.aws/config"},

	// What ends.
	{setup: setup{name: "epoch seconds", env: envKeys("AWS_CREDENTIAL_EXPIRATION", "1893456000")}, check: "aws.token", evidence: "no instant with its time zone", fix: "unset AWS_CREDENTIAL_EXPIRATION"},
	{setup: setup{name: "no time zone", env: envKeys("AWS_CREDENTIAL_EXPIRATION", "2030-01-01T00:00:00")}, check: "aws.token", evidence: "no instant with its time zone"},
	{setup: setup{name: "stale for a long-term key", env: envKeys("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z")}, check: "aws.token", evidence: "long-term key", fix: "unset AWS_CREDENTIAL_EXPIRATION"},
	{setup: setup{name: "expired", env: env("AWS_ACCESS_KEY_ID", temp, "AWS_SECRET_ACCESS_KEY", someSecret, "AWS_SESSION_TOKEN", token, "AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z"), credentials: good}, check: "aws.token", evidence: "ASIA…7WML ended", fix: "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_CREDENTIAL_EXPIRATION"},
	{setup: setup{name: "expired in a file", config: keysIn("default", idB), credentials: keysIn("default", temp) + "aws_session_token = " + token + "\nx_security_token_expires = 2020-01-01T00:00:00+00:00\n"}, check: "aws.token", evidence: "ended", fix: "sed -i '1,5d' ~/.aws/credentials"},
	{setup: setup{name: "token file absent", env: env("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token", "AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/dev"), credentials: good}, check: "aws.token", evidence: "names /nowhere/token, which does not exist", fix: "unset AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_ARN"},
	{setup: setup{name: "token without role", env: env("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token"), credentials: good}, check: "aws.token", evidence: "AWS_ROLE_ARN is missing", fix: "unset AWS_WEB_IDENTITY_TOKEN_FILE"},
	{setup: setup{name: "token ended", env: env("AWS_WEB_IDENTITY_TOKEN_FILE", "$HOME/token", "AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/dev"), credentials: good}, check: "aws.token", evidence: "sub system:serviceaccount:a:b, aud sts.amazonaws.com", prepare: func(t *testing.T, home string) { put(t, filepath.Join(home, "token"), jwt(1500000000), 0o600) }},
	{setup: setup{name: "token empty", env: env("AWS_WEB_IDENTITY_TOKEN_FILE", "$HOME/token", "AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/dev"), credentials: good}, check: "aws.token", evidence: "which is empty", prepare: func(t *testing.T, home string) { put(t, filepath.Join(home, "token"), "\n", 0o600) }},
	{setup: setup{name: "token with a newline", env: env("AWS_WEB_IDENTITY_TOKEN_FILE", "$HOME/token", "AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/dev")}, check: "aws.token", status: Warn, evidence: "has a newline around it", prepare: func(t *testing.T, home string) { put(t, filepath.Join(home, "token"), jwt(4000000000)+"\n", 0o600) }},
	{setup: setup{name: "nobody logged in", env: env("AWS_PROFILE", "a"), config: ssoProfile}, check: "aws.token", evidence: "nobody is logged in", fix: "ambit login --profile a", stays: true},
	{setup: setup{name: "login ended", env: env("AWS_PROFILE", "a"), config: ssoProfile}, check: "aws.token", evidence: "ended", fix: "ambit login --profile a", stays: true, prepare: ssoFile("", "s", `{"accessToken":"x","expiresAt":"2020-01-01T00:00:00Z"}`)},
	{setup: setup{name: "login damaged", env: env("AWS_PROFILE", "a"), config: ssoProfile}, check: "aws.files", evidence: "IAM Identity Center, is damaged", stays: true, prepare: ssoFile("", "s", `{"accessToken":"x","exp`)},
	{setup: setup{name: "session misspelt", env: env("AWS_PROFILE", "a"), config: strings.Replace(ssoProfile, "[sso-session s]", "[sso-session other]", 1)}, check: "aws.token", evidence: `names "s", which is not there`, fix: "aws configure set sso_session other --profile a", stays: true},

	// Files.
	{setup: setup{name: "half-written", credentials: good + "[ot"}, check: "aws.files", evidence: "~/.aws/credentials:4 has a line that is not name = value", fix: "sed -i '4s/^/# /' ~/.aws/credentials"},
	{setup: setup{name: "several bad lines", credentials: "[default]\nnonsense\n" + strings.TrimPrefix(good, "[default]\n") + "more\n"}, check: "aws.files", evidence: "~/.aws/credentials:2", fix: "sed -i '2s/^/# /;5s/^/# /' ~/.aws/credentials"},
	{setup: setup{name: "no header", credentials: strings.TrimPrefix(good, "[default]\n")}, check: "aws.files", evidence: "before the first [section]", fix: "sed -i '1i [default]' ~/.aws/credentials"},
	{setup: setup{name: "line before the header", credentials: "hello\nhallo\n" + good}, check: "aws.files", evidence: "before the first [section]", fix: "sed -i '1,2s/^/# /' ~/.aws/credentials"},
	{setup: setup{name: "section twice", credentials: keysIn("default", idA) + good}, check: "aws.files", evidence: "~/.aws/credentials:4 has a second section", fix: "sed -i '1,3s/^/# /' ~/.aws/credentials"},
	{setup: setup{name: "setting twice", credentials: good + "aws_access_key_id = " + idA + "\n"}, check: "aws.files", evidence: "~/.aws/credentials:4", fix: "sed -i '2s/^/# /' ~/.aws/credentials"},
	{setup: setup{name: "BOM", credentials: "\ufeff" + good}, check: "aws.files", evidence: "byte order mark", fix: `sed -i '1s/^\xEF\xBB\xBF//' ~/.aws/credentials`},
	{setup: setup{name: "UTF-16", credentials: utf16le("\ufeff" + good)}, check: "aws.files", evidence: "UTF-16"},
	{setup: setup{name: "UTF-16 without a mark", credentials: utf16le(good)}, check: "aws.files", evidence: "UTF-16"},
	{setup: setup{name: "Latin-1", credentials: "# M\xfcller\n" + good}, check: "aws.files", evidence: "~/.aws/credentials:1 is not UTF-8"},
	{setup: setup{name: "binary", config: keysIn("default", idA), credentials: "\x7fELF\x02\x01\x01\x00\x00\x00\xff\xfe\x00"}, check: "aws.files", evidence: "zero byte", fix: "mv ~/.aws/credentials ~/.aws/credentials.bad"},
	{setup: setup{name: "CRLF", credentials: strings.ReplaceAll(good, "\n", "\r\n")}, check: "aws.files", status: Warn, evidence: "3 lines with the line end of Windows", fix: `sed -i 's/\r$//' ~/.aws/credentials`},
	{setup: setup{name: "nested nonsense", config: "[default]\nregion = us-east-1\ns3 =\n  max\n", credentials: good}, check: "aws.files", evidence: "~/.aws/config:4", fix: "sed -i '3,4s/^/# /' ~/.aws/config"},
	{setup: setup{name: "symlink loop"}, check: "aws.files", evidence: "loop of symbolic links", fix: "rm ~/.aws/credentials", stays: true, prepare: func(t *testing.T, home string) { link(t, "credentials", filepath.Join(home, ".aws", "credentials")) }},
	{setup: setup{name: "half-written behind a link"}, check: "aws.files", evidence: "~/.aws/credentials:4", fix: "sed -i '4s/^/# /' ~/dotfiles/aws", prepare: func(t *testing.T, home string) {
		put(t, filepath.Join(home, "dotfiles", "aws"), good+"[ot", 0o600)
		link(t, "../dotfiles/aws", filepath.Join(home, ".aws", "credentials"))
	}},
	{setup: setup{name: "dangling link", config: good}, check: "aws.files", status: Warn, evidence: "leads nowhere", fix: "rm ~/.aws/credentials", prepare: func(t *testing.T, home string) { link(t, "not-there", filepath.Join(home, ".aws", "credentials")) }},
	{setup: setup{name: "directory", config: good}, check: "aws.files", status: Warn, evidence: "is a directory", prepare: func(t *testing.T, home string) {
		if err := os.Mkdir(filepath.Join(home, ".aws", "credentials"), 0o700); err != nil {
			t.Fatal(err)
		}
	}},
	{setup: setup{name: "pipe", config: good}, check: "aws.files", status: Warn, evidence: "a named pipe", prepare: func(t *testing.T, home string) { pipe(t, filepath.Join(home, ".aws", "credentials")) }},
	{setup: setup{name: "file of no name", env: env("AWS_SHARED_CREDENTIALS_FILE", ""), credentials: good}, check: "aws.files", evidence: "AWS_SHARED_CREDENTIALS_FILE is empty", fix: "unset AWS_SHARED_CREDENTIALS_FILE"},
	{setup: setup{name: "file not there", env: env("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials"), credentials: good}, check: "aws.files", evidence: "AWS_SHARED_CREDENTIALS_FILE names /nowhere/credentials", fix: "unset AWS_SHARED_CREDENTIALS_FILE"},
	{setup: setup{name: "readable by others", credentials: good}, check: "aws.files", status: Warn, evidence: "can be read by others: its mode is 0644", fix: "chmod 600 ~/.aws/credentials", prepare: func(t *testing.T, home string) {
		if err := os.Chmod(filepath.Join(home, ".aws", "credentials"), 0o644); err != nil {
			t.Fatal(err)
		}
	}},
	{setup: setup{name: "damaged cache of the role", env: env("AWS_PROFILE", "dev"), config: "[profile dev]\nregion = us-east-1\n" + aRole + "source_profile = default\n", credentials: good}, check: "aws.files", evidence: "credentials of a role, is damaged", fix: "rm ~/.aws/cli/cache/af854889538ac1a069a8274d5ee4dc500f8b1f91.json", prepare: func(t *testing.T, home string) {
		put(t, filepath.Join(home, ".aws", "cli", "cache", "af854889538ac1a069a8274d5ee4dc500f8b1f91.json"), `{"Creden`, 0o600)
	}},
	{setup: setup{name: "damaged cache of another", credentials: good}, check: "aws.files", status: Warn, evidence: "1 file is damaged", fix: "rm ~/.aws/cli/cache/abc.json", prepare: func(t *testing.T, home string) {
		put(t, filepath.Join(home, ".aws", "cli", "cache", "abc.json"), "", 0o600)
	}},
	{setup: setup{name: "open cache", credentials: good}, check: "aws.files", status: Warn, evidence: "1 file holds kept credentials", fix: "chmod 600 ~/.aws/cli/cache/abc.json", prepare: func(t *testing.T, home string) {
		put(t, filepath.Join(home, ".aws", "cli", "cache", "abc.json"), "{}", 0o644)
	}},
}

// What the checks say of a fault, and that following the fix in a shell mends it.
func TestFaults(t *testing.T) {
	_, err := exec.LookPath("aws")
	noCLI := err != nil
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(f.fix, "aws configure") && noCLI {
				if os.Getenv("AMBIT_TEST_REQUIRE") == "all" {
					t.Fatal("the AWS CLI is missing")
				}
				t.Skip("skipped: the AWS CLI is missing")
			}
			if f.env["AWS_REGION"] == "" && !strings.HasPrefix(f.name, "region absent") && !strings.Contains(f.config, "region =") {
				f.env = merge(f.env, env("AWS_REGION", "us-east-1", "AWS_DEFAULT_REGION", "us-east-1"))
			}
			x := examinationOf(t, f.setup)
			for name, value := range x.Environ {
				if rest, ok := strings.CutPrefix(value, "$HOME/"); ok {
					x.Environ[name] = filepath.Join(x.Home, rest)
				}
			}
			if f.prepare != nil {
				f.prepare(t, x.Home)
			}
			found := Settle(offlineFindings(x))
			first := found[0]
			status := f.status
			if status == "" {
				status = Fail
			}
			if first.Check != f.check || first.Status != status || !strings.Contains(first.Evidence, f.evidence) || f.fix != "" && first.Fix != f.fix {
				t.Fatalf("told first: want %s %s …%s… fix %s%s", status, f.check, f.evidence, f.fix, spelled(found))
			}
			for _, told := range found {
				for _, hidden := range []string{someSecret, token, someSecret[:20], token[:20]} {
					if strings.Contains(told.Evidence+told.Fix, hidden) {
						t.Errorf("a secret is told: %s", told.Check)
					}
				}
			}
			after := follow(t, x, first.Fix, f.input)
			if f.stays {
				return
			}
			for _, left := range Settle(offlineFindings(after)) {
				if left.Status == Fail || left.Check == first.Check && left.Evidence == first.Evidence {
					t.Errorf("after %s:%s", first.Fix, spelled([]Finding{left}))
				}
			}
		})
	}
}

// What ambit set it mends itself, and no unset would last.
func TestOurs(t *testing.T) {
	region := env("AWS_REGION", "us-east-1", "AWS_DEFAULT_REGION", "us-east-1")
	for check, s := range map[string]setup{
		"aws.family":   {env: merge(region, env("AWS_ACCESS_KEY_ID", temp, "AWS_SECRET_ACCESS_KEY", someSecret))},
		"aws.keys":     {env: merge(region, env("AWS_ACCESS_KEY_ID", temp+"\r", "AWS_SECRET_ACCESS_KEY", someSecret, "AWS_SESSION_TOKEN", token))},
		"aws.token":    {env: merge(region, env("AWS_ACCESS_KEY_ID", temp, "AWS_SECRET_ACCESS_KEY", someSecret, "AWS_SESSION_TOKEN", token, "AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z"))},
		"aws.order":    {env: merge(region, env("AWS_PROFILE", "nope")), credentials: good},
		"aws.region":   {env: envKeys("AWS_REGION", "us-east-1a", "AWS_DEFAULT_REGION", "us-east-1a")},
		"aws.endpoint": {env: merge(region, envKeys("AWS_ENDPOINT_URL", "nonsense"))},
	} {
		x := examinationOf(t, s)
		x.Ours = func(name string) bool { return strings.HasPrefix(name, "AWS_") }
		found := Settle(offlineFindings(x))
		if found[0].Check != check || found[0].Fix != "ambit reload" {
			t.Errorf("%s:%s", check, spelled(found))
		}
	}
}

// Keys that only looked wrong are no failure once AWS took them.
func TestAccepted(t *testing.T) {
	x := examinationOf(t, setup{env: env("AWS_ACCESS_KEY_ID", "A3TAQNZGKIQY56JQ7WMA", "AWS_SECRET_ACCESS_KEY", someSecret)})
	for _, f := range checkKeys(context.Background(), x) {
		if f.Status != Fail || f.ifAccepted == nil || f.ifAccepted.Status != Warn || f.ifAccepted.Fix != "" {
			t.Errorf("%+v", f)
		}
	}
}

func merge(maps ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range maps {
		for name, value := range m {
			out[name] = value
		}
	}
	return out
}

// follow runs a fix in a shell and looks at what it then exports.
func follow(t *testing.T, x *examination, fix, input string) *examination {
	t.Helper()
	if strings.Contains(fix, "ambit login") {
		return x // only the AWS CLI v2 has it
	}
	bin := t.TempDir()
	put(t, filepath.Join(bin, "ambit"), "#!/bin/sh\n", 0o700)
	cmd := exec.Command("bash", "--norc", "-c", fix+"\ns=$?; env -0 >&3; exit $s")
	for name, value := range x.Environ {
		if name == "PATH" {
			value = bin + ":" + value
		}
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := os.Create(filepath.Join(bin, "environment"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.ExtraFiles = []*os.File{out}
	cmd.Stdin = strings.NewReader(input)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", fix, err, text)
	}
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	after := map[string]string{}
	for _, line := range strings.Split(string(b), "\x00") {
		if name, value, ok := strings.Cut(line, "="); ok && name != "PATH" {
			after[name] = value
		}
	}
	after["PATH"] = x.env("PATH")
	return &examination{Patient: Patient{Environ: after, Home: x.Home, UID: x.UID, Now: x.Now, Root: x.Root, Offline: true, Ours: x.Ours}}
}

// What needs no mending is called well: an alarm that is false costs more than one
// that is missing.
func TestHealthy(t *testing.T) {
	region := env("AWS_REGION", "eu-central-1", "AWS_DEFAULT_REGION", "eu-central-1")
	for _, s := range []setup{
		{name: "keys", env: merge(region, envKeys())},
		{name: "session", env: merge(region, env("AWS_ACCESS_KEY_ID", temp, "AWS_SECRET_ACCESS_KEY", someSecret, "AWS_SESSION_TOKEN", token,
			"AWS_CREDENTIAL_EXPIRATION", time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))},
		{name: "session with both tokens", env: merge(region, env("AWS_ACCESS_KEY_ID", temp, "AWS_SECRET_ACCESS_KEY", someSecret, "AWS_SESSION_TOKEN", token, "AWS_SECURITY_TOKEN", token))},
		{name: "default profile", config: "[default]\nregion = us-east-1\noutput = json\n", credentials: good},
		{name: "profile", config: "[profile dev]\nregion = us-east-1\n", credentials: good + keysIn("dev", idA), env: env("AWS_PROFILE", "dev")},
		{name: "role", config: "[profile dev]\nregion = us-east-1\n" + aRole + "source_profile = default\n", credentials: good, env: env("AWS_PROFILE", "dev")},
		{name: "chain", config: "[profile dev]\nregion = us-east-1\n" + aRole + "source_profile = mid\n[profile mid]\n" + aRole + "source_profile = default\n", credentials: good, env: env("AWS_PROFILE", "dev")},
		{name: "GovCloud", config: "[profile gov]\nregion = us-gov-west-1\nrole_arn = arn:aws-us-gov:iam::123456789012:role/dev\nsource_profile = default\n", credentials: good, env: env("AWS_PROFILE", "gov")},
		{name: "China", config: "[profile cn]\nregion = cn-north-1\nrole_arn = arn:aws-cn:iam::123456789012:role/dev\nsource_profile = default\n", credentials: good, env: env("AWS_PROFILE", "cn")},
		{name: "container", env: merge(region, env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"))},
		{name: "task", env: merge(region, env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/x"))},
		{name: "process", config: "[profile p]\nregion = us-east-1\ncredential_process = /bin/true\n", env: env("AWS_PROFILE", "p")},
		{name: "stand-in with its own keys", env: merge(region, env("AWS_ACCESS_KEY_ID", "test", "AWS_SECRET_ACCESS_KEY", "test", "AWS_ENDPOINT_URL", "http://localhost:4566"))},
		{name: "another cloud's storage", env: merge(region, env("AWS_ACCESS_KEY_ID", "0123456789abcdef0123456789abcdef", "AWS_SECRET_ACCESS_KEY", strings.Repeat("0123456789abcdef", 4), "AWS_ENDPOINT_URL_S3", "https://x.r2.cloudflarestorage.com"))},
		{name: "comments and blanks", config: "# mine\n\n[default]\n; x\nregion=us-east-1\ns3 =\n  addressing_style = path\n\n[profile x]\n\nregion = eu-west-1\n", credentials: "\n# k\n" + good + "\n"},
		{name: "new region", env: merge(envKeys(), env("AWS_REGION", "us-east-2", "AWS_DEFAULT_REGION", "us-east-2"))},
		{name: "no file is meant", env: merge(region, envKeys(), env("AWS_CONFIG_FILE", "/dev/null", "AWS_SHARED_CREDENTIALS_FILE", "/dev/null"))},
	} {
		t.Run(s.name, func(t *testing.T) {
			x := examinationOf(t, s)
			found := offlineFindings(x)
			for _, f := range found {
				endpoint := f.Check == "aws.endpoint" && s.env["AWS_ENDPOINT_URL"]+s.env["AWS_ENDPOINT_URL_S3"] != "" // worth knowing
				if f.Status == Fail || f.Status == Warn && !endpoint {
					t.Error(spelled([]Finding{f}))
				}
			}
		})
	}
}
