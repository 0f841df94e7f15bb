package aws

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/aws/awstest"
)

// elsewhere renews as another process would, and hands its answer on.
func (w *world) elsewhere(asked *int, change func(answer []byte) ([]byte, error)) func(context.Context, []byte) ([]byte, error) {
	return func(_ context.Context, question []byte) ([]byte, error) {
		*asked++
		return change(RenewSSO(context.Background(), Options{Cache: w.cache}, w.baseline(), time.Now, question))
	}
}

func same(answer []byte) ([]byte, error) { return answer, nil }

func TestRenewSSO(t *testing.T) {
	t.Parallel()
	w := newSSOWorld(t)
	w.mustOpen(ssoInput(), loggingIn(&person{t: t}))
	asked := 0
	p := New(Options{Cache: w.cache, RenewSSO: w.elsewhere(&asked, same)})
	open := func(c call) error {
		w.age(3600)
		_, err := w.openBy(p, ssoInput(), c)
		return err
	}
	wanted := func(when string, err error, asks, calls int) {
		t.Helper()
		if err != nil || asked != asks || w.calls("CreateToken") != calls {
			t.Errorf("%s: asked %d times, %d calls, %v", when, asked, w.calls("CreateToken"), err)
		}
	}
	wanted("it lives", open(call{}), 0, 1)
	w.change(testStartURL, expired)
	before := w.tokenFields(testStartURL)
	wanted("at a prompt", open(call{}), 1, 2)
	if after := w.tokenFields(testStartURL); after["refreshToken"] == before["refreshToken"] {
		t.Error("the file has the spent token")
	}
	w.change(testStartURL, expired)
	wanted("in the background", open(call{patience: resolver.Detached}), 1, 3)
	// Alive by our clock, and not by the portal's: the question says which.
	w.change(testStartURL, func(fields map[string]any) { fields["accessToken"] = "cAnArY" })
	wanted("refused", open(call{}), 2, 4)

	// Where the file could not be written the answer serves all the same.
	w.change(testStartURL, expired)
	old, err := os.ReadFile(w.tokenFile(testStartURL))
	if err != nil {
		t.Fatal(err)
	}
	p = New(Options{Cache: w.cache, RenewSSO: w.elsewhere(&asked, func(answer []byte) ([]byte, error) {
		return answer, os.WriteFile(w.tokenFile(testStartURL), old, 0o600)
	})})
	wanted("as if it was not written", open(call{}), 3, 5)
}

// The session of a profile is renewed where that profile says.
func TestRenewSSOOfAProfile(t *testing.T) {
	t.Parallel()
	w := newSSOWorld(t)
	delete(w.env, "AWS_ENDPOINT_URL")
	w.write(".aws/config", "[profile p]\nsso_session = org\nsso_account_id = 123456789012\nsso_role_name = dev\nendpoint_url = "+w.server.URL+
		"\n[sso-session org]\nsso_region = eu-west-1\nsso_start_url = "+testStartURL+"\n")
	in := obj{"profile": "p"}
	w.mustOpen(in, loggingIn(&person{t: t}))
	w.change("org", expired)
	w.age(3600)
	asked := 0
	p := New(Options{Cache: w.cache, RenewSSO: w.elsewhere(&asked, same)})
	if _, err := w.openBy(p, in, call{}); err != nil || asked != 1 || w.calls("CreateToken") != 2 {
		t.Errorf("asked %d times, %d calls, %v", asked, w.calls("CreateToken"), err)
	}
}

func TestRenewSSOFails(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func([]byte) ([]byte, error)
		knobs  func(*awstest.Knobs)
		want   string
		kind   resolver.FailureKind
	}{
		{"cannot be started", func([]byte) ([]byte, error) { return nil, errors.New("c4n4ry") }, nil, "could not be renewed in the background", resolver.KindNetwork},
		{"nothing", func([]byte) ([]byte, error) { return nil, nil }, nil, "could not be renewed in the background", resolver.KindNetwork},
		{"garbage", func([]byte) ([]byte, error) { return []byte("c4n4ry\x00{"), nil }, nil, "could not be renewed in the background", resolver.KindNetwork},
		{"no token", func([]byte) ([]byte, error) { return []byte("{}"), nil }, nil, "nobody is logged in to the SSO session", resolver.KindLogin},
		{"a token that is over", func(b []byte) ([]byte, error) {
			var a renewalAnswer
			if err := json.Unmarshal(b, &a); err != nil {
				return nil, err
			}
			token := parseSSOToken(a.Token)
			token.expires = time.Now().Add(-time.Hour)
			b, err := token.encode()
			if err != nil {
				return nil, err
			}
			return json.Marshal(renewalAnswer{Token: b})
		}, nil, "has ended", resolver.KindLogin},
		{"an outage", same, func(k *awstest.Knobs) { k.Outage = awstest.Unavailable }, "out of order: 503", resolver.KindNetwork},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newSSOWorld(t)
			w.mustOpen(ssoInput(), loggingIn(&person{t: t}))
			w.change(testStartURL, expired)
			w.age(3600)
			if test.knobs != nil {
				w.knobs(test.knobs)
			}
			asked := 0
			_, err := w.openBy(New(Options{Cache: w.cache, RenewSSO: w.elsewhere(&asked, test.change)}), ssoInput(), call{})
			var open *resolver.OpenError
			if !errors.As(err, &open) || open.Kind != test.kind || !strings.Contains(open.Summary, test.want) || asked != 1 || strings.Contains(err.Error(), "c4n4ry") {
				t.Errorf("asked %d times: %v", asked, err)
			}
		})
	}
}

// What cannot be read is answered, too.
func TestRenewSSOOddQuestions(t *testing.T) {
	w := newSSOWorld(t)
	for _, question := range []string{"", "null", "[]", `{"file": 5}`, "{}", `{"file":"/dev/zero","region":"eu-central-1"}`} {
		b := RenewSSO(context.Background(), Options{Cache: w.cache}, w.baseline(), time.Now, []byte(question))
		var a renewalAnswer
		if err := json.Unmarshal(bytes.TrimSpace(b), &a); err != nil || a.Summary == "" || a.Token != nil {
			t.Errorf("%q: %s", question, b)
		}
	}
}
