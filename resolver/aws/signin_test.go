package aws

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/aws/awstest"
	"ambit/resolver/secret"
)

func (w *world) baseline() *resolver.Baseline {
	var environ []string
	for name, value := range w.env {
		environ = append(environ, name+"="+value)
	}
	return resolver.NewBaseline(environ)
}

func TestSigninURL(t *testing.T) {
	w := newWorld(t)
	w.withKeys()
	w.env["AWS_ENDPOINT_URL_SIGNIN"] = w.server.URL + "/"
	k := keysOf(w.mustOpen(assume(nil), call{}))
	const page = "https://eu-central-1.console.aws.amazon.com/s3/home?region=eu-central-1&x=a b"
	address, err := SigninURL(context.Background(), w.baseline(), time.Now, k, page)
	if err != nil {
		t.Fatal(describe(err))
	}
	for _, s := range []secret.Text{k.SecretAccessKey, k.SessionToken} {
		if strings.Contains(address, url.QueryEscape(s.Reveal())) {
			t.Error("the address holds a key")
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if to, err := resp.Location(); err != nil || to.Host != "eu-central-1.console.aws.amazon.com" || to.Query().Get("x") != "a b" {
		t.Errorf("%d leads to %v, %v", resp.StatusCode, to, err)
	}
}

func TestSigninRefused(t *testing.T) {
	w := newWorld(t)
	w.withKeys()
	w.env["AWS_ENDPOINT_URL_SIGNIN"] = w.server.URL
	role := keysOf(w.mustOpen(assume(nil), call{}))
	session := keysOf(w.mustOpen(obj{"session": obj{}}, call{}))
	for _, tt := range []struct {
		name       string
		keys       Keys
		outage     awstest.Outage
		want, hint string
		kind       resolver.FailureKind
	}{
		{"a user's own", Keys{AccessKeyID: awstest.KeyID, SecretAccessKey: secret.New(awstest.SecretKey)}, "", "temporary keys of a role only", "assumeRole", resolver.KindRefused},
		{"GetSessionToken", session, "", "signs nobody in", "GetSessionToken", resolver.KindRefused},
		{"refused port", role, awstest.Refused, "connection refused", "", resolver.KindNetwork},
		{"503", role, awstest.Unavailable, "out of order", "", resolver.KindNetwork},
		{"html", role, awstest.HTML, "web page", "", resolver.KindNetwork},
		{"garbage", role, awstest.Garbage, "not an answer of it", "", resolver.KindNetwork},
		{"reset", role, awstest.Reset, "without an answer", "", resolver.KindNetwork},
	} {
		w.knobs(func(k *awstest.Knobs) { k.Outage = tt.outage })
		_, err := SigninURL(context.Background(), w.baseline(), time.Now, tt.keys, "")
		var open *resolver.OpenError
		if !errors.As(err, &open) || open.Kind != tt.kind || !strings.Contains(open.Summary, tt.want) || !strings.Contains(open.Hint, tt.hint) {
			t.Errorf("%s: got %v", tt.name, err)
			continue
		}
		for _, s := range []secret.Text{tt.keys.SecretAccessKey, tt.keys.SessionToken} {
			for _, text := range []string{s.Reveal(), url.QueryEscape(s.Reveal())} {
				if text != "" && strings.Contains(open.Summary+open.Hint, text) {
					t.Errorf("%s: a key shows", tt.name)
				}
			}
		}
	}
}

func TestSigninHosts(t *testing.T) {
	for _, tt := range []struct{ region, destination, signin, console string }{
		{"eu-central-1", "", "signin.aws.amazon.com", "console.aws.amazon.com"},
		{"cn-north-1", "", "signin.amazonaws.cn", "console.amazonaws.cn"},
		{"us-gov-west-1", "", "signin.amazonaws-us-gov.com", "console.amazonaws-us-gov.com"},
		{"us-east-1", "https://console.amazonaws-us-gov.com/s3/home", "signin.amazonaws-us-gov.com", "console.amazonaws-us-gov.com"},
		{"cn-north-1", "https://console.aws.amazon.com/s3/home", "signin.aws.amazon.com", "console.aws.amazon.com"},
	} {
		if signin, console := signinHosts(tt.region, tt.destination); signin != tt.signin || console != tt.console {
			t.Errorf("%v: %s, %s", tt, signin, console)
		}
	}
}
