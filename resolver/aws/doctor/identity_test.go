package doctor

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"ambit/resolver/aws"
	"ambit/resolver/aws/awstest"
)

const devRole = "arn:aws:iam::123456789012:role/dev"

const baseKeys = "aws_access_key_id = " + awstest.KeyID + "\naws_secret_access_key = " + awstest.SecretKey + "\n"

// session are temporary keys of the server's.
func (w *world) session() aws.Keys {
	w.t.Helper()
	p := w.Patient
	p.Environ = map[string]string{"HOME": w.t.TempDir(), "AWS_ENDPOINT_URL": w.server.URL}
	write(w.t, p.Environ["HOME"], ".aws/config", "[profile base]\n"+baseKeys+"[profile dev]\nrole_arn = "+devRole+"\nsource_profile = base\n")
	x := &examination{Patient: p}
	got := aws.Try(context.Background(), x.baseline(), time.Now, nil, "dev")
	if got.Err != nil {
		w.t.Fatal(got.Err)
	}
	return got.Keys
}

func (w *world) withSession() {
	w.t.Helper()
	k := w.session()
	w.withKeys(k.AccessKeyID, k.SecretAccessKey.Reveal(), k.SessionToken.Reveal())
}

func TestIdentityIsWell(t *testing.T) {
	w := newWorld(t)
	w.withKeys(awstest.KeyID, awstest.SecretKey, "")
	found := w.examine("aws.keys", "aws.family", "aws.order", "aws.role", "aws.region", "aws.clock", "aws.network", "aws.runtime", "aws.token", "aws.files")
	w.healthy(found)
	if !strings.Contains(list(found), "AKIA…KE77 in the environment is arn:aws:iam::123456789012:user/demo") {
		t.Error(list(found))
	}
	w.withSession()
	w.healthy(w.examine("aws.keys", "aws.family", "aws.network"))
}

func TestRefusedKeys(t *testing.T) {
	t.Parallel()
	t.Run("expired", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.knobs(func(k *awstest.Knobs) { k.Lifetime = 2 })
		w.withSession()
		time.Sleep(2100 * time.Millisecond)
		w.Ours = func(string) bool { return true }
		w.is(w.examine("aws.keys", "aws.token", "aws.network", "aws.clock"), "aws.token", Fail, "has expired, says AWS (ExpiredToken)", "ambit reload")
	})
	t.Run("expired and known", func(t *testing.T) {
		w := newWorld(t)
		w.withSession()
		w.knobs(func(k *awstest.Knobs) {
			k.Next = awstest.Next{Calls: 1, Action: "GetCallerIdentity", Status: 403, Code: "ExpiredToken", Message: "The security token included in the request is expired"}
		})
		w.is(w.examine("aws.keys", "aws.token"), "aws.token", Fail, "in the environment has expired, says AWS", "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN")
	})
	t.Run("expired in a file", func(t *testing.T) {
		w := newWorld(t)
		k := w.session()
		write(t, w.Home, ".aws/credentials", "[a]\n"+baseKeys+"[default]\naws_access_key_id = "+k.AccessKeyID+"\naws_secret_access_key = "+k.SecretAccessKey.Reveal()+"\naws_session_token = "+k.SessionToken.Reveal()+"\n[b]\n")
		w.knobs(func(k *awstest.Knobs) {
			k.Next = awstest.Next{Calls: 1, Action: "GetCallerIdentity", Status: 403, Code: "ExpiredToken"}
		})
		found := w.examine("aws.keys", "aws.token")
		w.is(found, "aws.token", Fail, "in ~/.aws/credentials [default] has expired", "sed -i '4,7d' ~/.aws/credentials && aws configure --profile default")
	})
	t.Run("wrong secret", func(t *testing.T) {
		w := newWorld(t)
		w.withKeys(awstest.KeyID, strings.Replace(awstest.SecretKey, "w", "x", 1), "")
		w.is(w.examine("aws.keys", "aws.clock"), "aws.keys", Fail, "its secret access key is another one (SignatureDoesNotMatch)", "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY")
		delete(w.Environ, "AWS_ACCESS_KEY_ID")
		delete(w.Environ, "AWS_SECRET_ACCESS_KEY")
		w.Environ["AWS_PROFILE"] = "it's"
		write(t, w.Home, ".aws/config", "[profile \"it's\"]\naws_access_key_id = "+awstest.KeyID+"\naws_secret_access_key = "+strings.Replace(awstest.SecretKey, "w", "x", 1)+"\n")
		w.is(w.examine("aws.keys"), "aws.keys", Fail, "its secret access key is another one", `aws configure --profile 'it'\''s'`)
	})
	t.Run("inactive", func(t *testing.T) {
		w := newWorld(t)
		path := write(t, w.Home, ".aws/credentials", "[default]\n"+baseKeys)
		w.knobs(func(k *awstest.Knobs) { k.InactiveKeys = []string{awstest.KeyID} })
		w.is(w.examine("aws.keys"), "aws.keys", Fail, "made just now", "aws configure --profile default")
		long := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
		w.is(w.examine("aws.keys"), "aws.keys", Fail, "(InvalidClientTokenId): it is mistyped, deleted or switched off", "aws configure --profile default")
	})
	t.Run("token of other keys", func(t *testing.T) {
		w := newWorld(t)
		k, other := w.session(), w.session()
		w.withKeys(k.AccessKeyID, k.SecretAccessKey.Reveal(), other.SessionToken.Reveal())
		w.is(w.examine("aws.keys"), "aws.keys", Fail, "do not belong together", "unset AWS_ACCESS_KEY_ID")
	})
	t.Run("clock", func(t *testing.T) {
		w := newWorld(t)
		w.withKeys(awstest.KeyID, awstest.SecretKey, "")
		w.knobs(func(k *awstest.Knobs) { k.Skew = -3600 })
		found := w.examine("aws.keys", "aws.clock", "aws.network")
		w.is(found, "aws.clock", Fail, "1h ahead", "sudo")
		for _, f := range found[1:] {
			if f.Status == Fail {
				t.Error(list(found))
			}
		}
		// By what AWS says alone.
		if ahead, ok := skewIn("Signature not yet current: 20300101T020000Z is still later than 20300101T011500Z (20300101T010000Z + 15 min.)"); !ok || ahead != time.Hour {
			t.Error(ahead, ok)
		}
	})
	t.Run("too many requests", func(t *testing.T) {
		w := newWorld(t)
		w.withKeys(awstest.KeyID, awstest.SecretKey, "")
		w.knobs(func(k *awstest.Knobs) {
			k.Next = awstest.Next{Calls: 1, Action: "GetCallerIdentity", Code: "Throttling", Message: "Rate exceeded"}
		})
		x := Examine(context.Background(), w.Patient, "aws.keys")
		if Failed(x.Findings) || !strings.Contains(list(x.Findings), "too many requests") {
			t.Error(list(x.Findings))
		}
	})
	t.Run("switched off region", func(t *testing.T) {
		w := newWorld(t)
		w.withKeys(awstest.KeyID, awstest.SecretKey, "")
		w.Environ["AWS_REGION"], w.Environ["AWS_DEFAULT_REGION"] = "ap-east-1", "ap-east-1"
		w.knobs(func(k *awstest.Knobs) { k.DisabledRegions = []string{"ap-east-1"} })
		w.is(w.examine("aws.keys", "aws.region"), "aws.region", Fail, "STS is switched off in ap-east-1", "aws account enable-region --region-name ap-east-1")
	})
	t.Run("region of its own", func(t *testing.T) {
		for _, c := range []struct {
			region, unknown string
			temporary       bool
			says, fix       string
		}{
			{"me-south-1", "me-south-1", false, "the account has to enable that region", "aws account enable-region --region-name me-south-1"},
			{"me-south-1", "me-south-1", true, "the token is one of the global endpoint", "global-endpoint-token-version v2Token"},
			{"cn-north-1", "cn-north-1", false, "belongs to the partition aws, and the region cn-north-1 to aws-cn", "export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1"},
			{"eu-central-1", "eu-central-1 us-east-1 cn-north-1 eusc-de-east-1", false, "belongs to the partition aws-us-gov", "export AWS_REGION=us-gov-west-1 AWS_DEFAULT_REGION=us-gov-west-1"},
		} {
			w := newWorld(t)
			w.withKeys(awstest.KeyID, awstest.SecretKey, "")
			if c.temporary {
				w.withSession()
			}
			w.Environ["AWS_REGION"], w.Environ["AWS_DEFAULT_REGION"] = c.region, c.region
			w.knobs(func(k *awstest.Knobs) { k.UnknownIn = strings.Fields(c.unknown) })
			w.is(w.examine("aws.keys", "aws.region"), "aws.region", Fail, c.says, c.fix)
		}
	})
	t.Run("revoked", func(t *testing.T) {
		w := newWorld(t)
		w.withSession()
		w.Ours = func(string) bool { return true }
		w.knobs(func(k *awstest.Knobs) { k.Revoked = []string{"arn:aws:sts::123456789012:assumed-role/dev/ambit"} })
		w.is(w.examine("aws.keys", "aws.role"), "aws.role", Warn, "its sessions were revoked", "ambit reload")
	})
	t.Run("VPC endpoint", func(t *testing.T) {
		w := newWorld(t)
		w.withKeys(awstest.KeyID, awstest.SecretKey, "")
		w.knobs(func(k *awstest.Knobs) {
			k.Next = awstest.Next{Calls: 1, Action: "GetCallerIdentity", Status: 403, Code: "AccessDenied",
				Message: "User: arn:aws:iam::123456789012:user/demo is not authorized to perform: sts:GetCallerIdentity because no VPC endpoint policy allows the sts:GetCallerIdentity action"}
		})
		w.is(w.examine("aws.keys"), "aws.network", Fail, "policy of the VPC endpoint", "com.amazonaws.eu-central-1.sts")
	})
}

// TestNoFalseBlame: where nobody of AWS answered, nothing is known of the keys.
func TestNoFalseBlame(t *testing.T) {
	for _, outage := range []awstest.Outage{awstest.Refused, awstest.HTML, awstest.Unavailable, awstest.Garbage, awstest.ProxyAuth, awstest.Redirect, awstest.Truncated} {
		w := newWorld(t)
		w.withKeys(awstest.KeyID, awstest.SecretKey, "")
		w.knobs(func(k *awstest.Knobs) { k.Outage = outage })
		report := Examine(context.Background(), w.Patient, "aws.keys")
		for _, f := range report.Findings {
			if f.Status == Fail {
				t.Errorf("%s: %s", outage, list(report.Findings))
			}
		}
	}
}
