package doctor

import (
	"net/http"
	"strings"
	"testing"

	"ambit/resolver/aws/awstest"
)

// TestTwoCauses: what stays wrong once the other is mended is a cause of its own.
func TestTwoCauses(t *testing.T) {
	t.Parallel()
	wrong := strings.Replace(awstest.SecretKey, "w", "x", 1)
	off := func(w *world) {
		w.knobs(func(k *awstest.Knobs) { k.InactiveKeys = []string{awstest.KeyID} })
	}
	for name, c := range map[string]struct {
		check string // that fails as well
		set   func(*world)
	}{
		"no region": {"aws.region", func(w *world) {
			off(w)
			delete(w.Environ, "AWS_REGION")
			delete(w.Environ, "AWS_DEFAULT_REGION")
		}},
		"no region and a wrong secret": {"aws.region", func(w *world) {
			w.withKeys(awstest.KeyID, wrong, "")
			delete(w.Environ, "AWS_REGION")
			delete(w.Environ, "AWS_DEFAULT_REGION")
		}},
		"misspelt region": {"aws.region", func(w *world) {
			off(w)
			w.Environ["AWS_REGION"], w.Environ["AWS_DEFAULT_REGION"] = "eu-centrl-1", "eu-centrl-1"
		}},
		"clock": {"aws.clock", func(w *world) {
			off(w)
			w.knobs(func(k *awstest.Knobs) { k.Skew = 500 })
		}},
		"clock and a wrong secret": {"aws.clock", func(w *world) {
			w.withKeys(awstest.KeyID, wrong, "")
			w.knobs(func(k *awstest.Knobs) { k.Skew = -500 })
		}},
		"file that hides its first line": {"aws.files", func(w *world) {
			off(w)
			write(t, w.Home, ".aws/credentials", "\ufeff[default]\n"+baseKeys)
		}},
		"no such profile": {"aws.order", func(w *world) {
			off(w)
			w.Environ["AWS_PROFILE"] = "nope"
		}},
		"expiration of other keys": {"aws.token", func(w *world) {
			off(w)
			w.Environ["AWS_CREDENTIAL_EXPIRATION"] = "2020-01-01T00:00:00Z"
		}},
		"token that does not belong": {"aws.family", func(w *world) {
			off(w)
			w.Environ["AWS_SESSION_TOKEN"] = "abc"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.withKeys(awstest.KeyID, awstest.SecretKey, "")
			c.set(w)
			failed := map[string]bool{}
			found := w.examine()
			for _, f := range found {
				failed[f.Check] = failed[f.Check] || f.Status == Fail
			}
			if !failed["aws.keys"] || !failed[c.check] {
				t.Error(list(found))
			}
		})
	}
}

// TestOneCause: what is gone once the other is mended is its effect.
func TestOneCause(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		check string
		set   func(*world)
	}{
		"token that does not belong": {"aws.family", func(w *world) { w.Environ["AWS_SESSION_TOKEN"] = "abc" }},
		"secret cut short":           {"aws.keys", func(w *world) { w.withKeys(awstest.KeyID, awstest.SecretKey[:39], "") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.withKeys(awstest.KeyID, awstest.SecretKey, "")
			c.set(w)
			found := w.examine()
			failures := 0
			for _, f := range found {
				if f.Status == Fail {
					failures++
				}
			}
			if failures != 1 || found[0].Check != c.check || !strings.Contains(list(found), "because of "+c.check) {
				t.Error(list(found))
			}
		})
	}
}

// TestEndpointBelow: an endpoint that answers is not blamed for the one above it.
func TestEndpointBelow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withKeys(awstest.KeyID, awstest.SecretKey, "")
	w.Environ["AWS_ENDPOINT_URL_STS"] = "http://127.0.0.1:1"
	w.is(w.examine(), "aws.endpoint", Fail, "AWS_ENDPOINT_URL_STS does not lead to AWS", "unset AWS_ENDPOINT_URL_STS")
	w.Environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
	w.is(w.examine(), "aws.endpoint", Fail, "AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL do not lead to AWS", "unset AWS_ENDPOINT_URL_STS AWS_ENDPOINT_URL")
}

// TestProxyBeforeThisMachine: the AWS CLI asks a proxy for an endpoint on this
// machine as well, and Go does not.
func TestProxyBeforeThisMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withKeys(awstest.KeyID, awstest.SecretKey, "")
	w.Environ["HTTP_PROXY"] = proxyServer(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Proxy-Authenticate", "Basic realm=x")
		rw.WriteHeader(http.StatusProxyAuthRequired)
	})
	w.Environ["http_proxy"] = w.Environ["HTTP_PROXY"]
	w.is(w.examine(), "aws.network", Fail, "wants a password; straight, STS answers", "unset HTTP_PROXY http_proxy")
}
