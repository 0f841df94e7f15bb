package doctor

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/aws/awstest"
	"ambit/resolver/exec"
)

const hubAndDev = `
[profile hub]
role_arn = arn:aws:iam::123456789012:role/hub
source_profile = base
[profile dev]
role_arn = arn:aws:iam::123456789012:role/dev
source_profile = hub
`

// withChain has profile dev in force, a role of a role of the keys of base.
func (w *world) withChain(more string) {
	w.t.Helper()
	write(w.t, w.Home, ".aws/credentials", "[base]\n"+baseKeys)
	write(w.t, w.Home, ".aws/config", hubAndDev+more)
	w.Environ["AWS_PROFILE"] = "dev"
}

var all = []string{"aws.keys", "aws.family", "aws.order", "aws.role", "aws.region", "aws.endpoint", "aws.clock", "aws.network", "aws.runtime", "aws.token", "aws.files"}

// well wants no failure, and no warning but that of the stand-in.
func (w *world) well(says string) {
	w.t.Helper()
	found := w.examine(all...)
	for _, f := range found {
		if f.Status == Fail || f.Status == Warn && f.Check != "aws.endpoint" {
			w.t.Errorf("got %s", list(found))
		}
	}
	if !strings.Contains(list(found), says) {
		w.t.Errorf("%q is not in %s", says, list(found))
	}
}

// TestSourcesAsAWSKnowsThem: what was asked for shows who it is, and until when.
func TestSourcesAsAWSKnowsThem(t *testing.T) {
	w := newWorld(t)
	w.withChain("")
	s := Examine(context.Background(), w.Patient, all...).Sources[0]
	if s.Kind != "role" || !strings.HasPrefix(s.KeyID, "ASIA…") || s.Account != "123456789012" || time.Until(s.ExpiresAt) < 50*time.Minute || s.CLI1 != Wins {
		t.Errorf("%+v", s)
	}
	w = newWorld(t)
	w.onInstance()
	if s = Examine(context.Background(), w.Patient, all...).Sources[0]; s.Kind != "instance" || !strings.HasPrefix(s.KeyID, "ASIA…") || s.ExpiresAt.IsZero() {
		t.Errorf("%+v", s)
	}
}

func TestRoles(t *testing.T) {
	t.Run("well", func(t *testing.T) {
		w := newWorld(t)
		w.withChain("")
		w.well("assumed arn:aws:iam::123456789012:role/hub and then " + devRole)
	})
	t.Run("deleted", func(t *testing.T) {
		w := newWorld(t)
		w.withChain("")
		w.knobs(func(k *awstest.Knobs) {
			k.Roles = map[string]awstest.Role{"arn:aws:iam::123456789012:role/hub": {Deleted: true}}
		})
		found := w.examine(all...)
		w.is(found, "aws.role", Fail, "role arn:aws:iam::123456789012:role/hub is not given to arn:aws:iam::123456789012:user/demo (AccessDenied)",
			"aws iam get-role --role-name hub --query Role.AssumeRolePolicyDocument")
		w.knobs(func(k *awstest.Knobs) { k.Roles = map[string]awstest.Role{devRole: {Deleted: true}} })
		w.is(w.examine(all...), "aws.role", Fail, "is not given to arn:aws:sts::123456789012:assumed-role/hub/ambit", "--role-name dev ")
	})
	t.Run("too long", func(t *testing.T) {
		w := newWorld(t)
		w.withChain("duration_seconds = 7200\n")
		w.is(w.examine(all...), "aws.role", Fail, "lasts at most 3600", "aws configure set duration_seconds 3600 --profile dev")
		w.withChain("")
		w.Environ["AWS_PROFILE"] = "hub"
		write(t, w.Home, ".aws/config", strings.Replace(hubAndDev, "source_profile = base\n", "source_profile = base\nduration_seconds = 14400\n", 1))
		w.is(w.examine(all...), "aws.role", Fail, `duration_seconds 14400 of profile "hub" is more than role "hub" gives`, "aws configure set duration_seconds 3600 --profile hub")
	})
	t.Run("keys behind it", func(t *testing.T) {
		w := newWorld(t)
		w.withChain("")
		w.knobs(func(k *awstest.Knobs) { k.InactiveKeys = []string{awstest.KeyID} })
		w.Now = func() time.Time { return time.Now().Add(2 * time.Minute) } // the file is no new one
		w.is(w.examine("aws.role", "aws.keys"), "aws.keys", Fail, "AKIA…KE77 in ~/.aws/credentials [base]", "aws configure --profile base")
	})
	t.Run("mfa", func(t *testing.T) {
		w := newWorld(t)
		w.withChain("")
		write(t, w.Home, ".aws/config", strings.Replace(hubAndDev, "source_profile = base\n", "source_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/demo\n", 1))
		w.well("wants an MFA code of arn:aws:iam::123456789012:mfa/demo")
		w.knobs(func(k *awstest.Knobs) { k.InactiveKeys = []string{awstest.KeyID} })
		w.is(w.examine("aws.role", "aws.keys"), "aws.keys", Fail, "in ~/.aws/credentials [base]", "aws configure --profile base")
	})
	t.Run("mfa absent", func(t *testing.T) {
		w := newWorld(t)
		w.withChain("")
		w.knobs(func(k *awstest.Knobs) {
			k.Next = awstest.Next{Calls: 1, Action: "AssumeRole", Status: 403, Code: "AccessDenied",
				Message: "User: x is not authorized to perform: sts:AssumeRole with an explicit deny in an identity-based policy: aws:MultiFactorAuthPresent"}
		})
		w.is(w.examine("aws.role"), "aws.role", Fail, "only to who has shown an MFA code", "ambit login")
	})
	t.Run("session name", func(t *testing.T) {
		w := newWorld(t)
		w.withChain("role_session_name = a b\n")
		w.is(w.examine("aws.role"), "aws.role", Fail, `role_session_name of profile "dev"`, "aws configure set role_session_name session --profile dev")
	})
	t.Run("malformed", func(t *testing.T) {
		w := newWorld(t)
		w.withChain("")
		write(t, w.Home, ".aws/config", strings.ReplaceAll(hubAndDev, "arn:aws:iam::123456789012:role/hub", "arn:hub"))
		found := w.examine("aws.role")
		if len(found) == 0 || found[0].Check != "aws.role" || found[0].Status != Fail || len(found) > 1 && found[1].Status == Fail {
			t.Error(list(found))
		}
	})
}

// ssoProfile has a profile of IAM Identity Center in force, with a token that lasts.
func (w *world) ssoProfile(token string) {
	w.t.Helper()
	write(w.t, w.Home, ".aws/config", "[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dev\n[sso-session corp]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-central-1\n")
	w.Environ["AWS_PROFILE"] = "dev"
	if token != "" {
		sum := sha1.Sum([]byte("corp"))
		write(w.t, w.Home, ".aws/sso/cache/"+hex.EncodeToString(sum[:])+".json", token)
	}
}

const lasting = `{"accessToken":"access-token-of-a-test","startUrl":"https://x.awsapps.com/start","region":"eu-central-1","expiresAt":"2099-01-01T00:00:00Z"}`

func TestIdentityCenter(t *testing.T) {
	t.Run("never", func(t *testing.T) {
		w := newWorld(t)
		w.ssoProfile("")
		w.is(w.examine("aws.role", "aws.token"), "aws.token", Fail, `profile "dev"`, "login --profile dev")
	})
	t.Run("401", func(t *testing.T) {
		w := newWorld(t)
		w.ssoProfile(lasting)
		w.is(w.examine("aws.role", "aws.token"), "aws.token", Fail, "no longer takes its token (401)", "ambit login --profile dev")
	})
	t.Run("403", func(t *testing.T) {
		w := newWorld(t)
		w.ssoProfile(lasting)
		w.knobs(func(k *awstest.Knobs) {
			k.Next = awstest.Next{Calls: 1, Action: "GetRoleCredentials", Status: 403, Code: "ForbiddenException", Message: "No access"}
		})
		w.is(w.examine("aws.role", "aws.token"), "aws.role", Fail, `permission set "dev" of account 123456789012 is not assigned`, "")
	})
	t.Run("to be renewed", func(t *testing.T) {
		w := newWorld(t)
		w.ssoProfile(`{"accessToken":"a","refreshToken":"r","clientId":"i","clientSecret":"s","expiresAt":"2020-01-01T00:00:00Z","registrationExpiresAt":"2099-01-01T00:00:00Z"}`)
		w.healthy(w.examine("aws.role", "aws.keys"))
		if n := w.server.Calls().ByAction["CreateToken"]; n != 0 {
			t.Errorf("%d renewals", n)
		}
	})
}

func (w *world) webIdentity(claims string) {
	w.t.Helper()
	w.Environ["AWS_WEB_IDENTITY_TOKEN_FILE"] = write(w.t, w.Home, "token", claims)
	w.Environ["AWS_ROLE_ARN"] = devRole
}

func TestWebIdentity(t *testing.T) {
	const issuer = "https://oidc.example.com/id/1"
	token := func(exp time.Time) string {
		part := base64.RawURLEncoding.EncodeToString
		return part([]byte(`{"alg":"RS256"}`)) + "." +
			part(fmt.Appendf(nil, `{"iss":%q,"sub":"system:serviceaccount:shop:api","aud":["sts.amazonaws.com"],"exp":%d}`, issuer, exp.Unix())) + ".c2lnbmF0dXJl"
	}
	soon := time.Now().Add(time.Hour)
	t.Run("well", func(t *testing.T) {
		w := newWorld(t)
		w.webIdentity(token(soon))
		w.well("assumed " + devRole)
	})
	t.Run("issuer", func(t *testing.T) {
		w := newWorld(t)
		w.webIdentity(token(soon))
		w.knobs(func(k *awstest.Knobs) {
			k.Issuers = map[string][]string{"https://other.example.com": {"sts.amazonaws.com"}}
		})
		found := w.examine("aws.token", "aws.role")
		w.is(found, "aws.token", Fail, "iss "+issuer+", sub system:serviceaccount:shop:api, aud sts.amazonaws.com, exp ", "aws iam list-open-id-connect-providers")
		if strings.Contains(list(found), strings.Split(token(soon), ".")[2]) {
			t.Error("tells the signature")
		}
	})
	t.Run("denied", func(t *testing.T) {
		w := newWorld(t)
		w.webIdentity(token(soon))
		w.knobs(func(k *awstest.Knobs) { k.Roles = map[string]awstest.Role{devRole: {Deleted: true}} })
		w.is(w.examine("aws.token", "aws.role"), "aws.token", Fail, "its trust policy names another issuer, audience or subject",
			"kubectl annotate sa api -n shop eks.amazonaws.com/role-arn="+devRole+" --overwrite")
	})
	t.Run("expired by AWS's clock", func(t *testing.T) {
		w := newWorld(t)
		w.webIdentity(token(time.Now().Add(2 * time.Minute)))
		w.knobs(func(k *awstest.Knobs) { k.Issuers = map[string][]string{issuer: {"sts.amazonaws.com"}}; k.Skew = 150 })
		w.is(w.examine("aws.token", "aws.role"), "aws.token", Fail, "AWS says that the web identity token has expired", "kubectl annotate")
	})
}

func TestCredentialProcess(t *testing.T) {
	t.Parallel()
	profile := func(w *world, command string) {
		w.Environ["AWS_PROFILE"] = "dev"
		write(w.t, w.Home, ".aws/config", "[profile dev]\ncredential_process = "+command+"\n")
		w.Run = exec.Run
	}
	t.Run("well", func(t *testing.T) {
		w := newWorld(t)
		profile(w, `echo '{"Version":1,"AccessKeyId":"`+awstest.KeyID+`","SecretAccessKey":"`+awstest.SecretKey+`"}'`)
		w.well("user/demo")
	})
	t.Run("missing program", func(t *testing.T) {
		w := newWorld(t)
		profile(w, "no-such-program-of-ambit --x")
		w.is(w.examine("aws.role", "aws.order", "aws.runtime"), "aws.order", Fail, `~/.aws/config:2 needs the program "no-such-program-of-ambit", which is not there`, "")
		write(t, w.Root, ".dockerenv", "")
		w.is(w.examine("aws.role", "aws.runtime"), "aws.runtime", Fail, "not in this container", "docker run -e AWS_ACCESS_KEY_ID")
	})
	t.Run("fails", func(t *testing.T) {
		w := newWorld(t)
		profile(w, `sh -c 'echo canary-of-a-secret >&2; exit 3'`)
		found := w.examine("aws.keys", "aws.role")
		w.is(found, "aws.keys", Fail, "gave no credentials", "aws sts get-caller-identity --profile dev")
		if strings.Contains(list(found), "canary") {
			t.Error("repeats what it said")
		}
	})
	t.Run("not run", func(t *testing.T) {
		w := newWorld(t)
		profile(w, "echo x")
		w.Run = nil
		w.healthy(w.examine("aws.role", "aws.keys"))
	})
	t.Run("hangs", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		profile(w, "sleep 60")
		w.is(w.examine("aws.keys", "aws.role"), "aws.keys", Warn, "gave no credentials in time", "aws sts get-caller-identity --profile dev")
	})
	t.Run("asks", func(t *testing.T) {
		w := newWorld(t)
		profile(w, `sh -c 'echo "cannot open /dev/tty for the passphrase canary" >&2; exit 1'`)
		found := w.examine("aws.keys", "aws.role")
		w.is(found, "aws.keys", Warn, "nobody whom it could ask", "aws sts get-caller-identity --profile dev")
		if strings.Contains(list(found), "canary") {
			t.Error("repeats what it said")
		}
	})
}

// TestEnds: whatever a program or a check does, the examination ends.
func TestEnds(t *testing.T) {
	w := newWorld(t)
	w.Environ["AWS_PROFILE"] = "dev"
	write(t, w.Home, ".aws/config", "[profile dev]\ncredential_process = x\n")
	release := make(chan struct{})
	defer close(release)
	w.Run = func(context.Context, resolver.Command) ([]byte, error) { <-release; return nil, errors.New("late") }
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	begun := time.Now()
	Examine(ctx, w.Patient, "aws.role")
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
}
