package aws

import (
	"context"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/aws/awstest"
	"ambit/resolver/cache"
)

func (w *world) logout(name string) LoggedOut {
	w.t.Helper()
	out, err := Logout(context.Background(), LogoutOptions{Cache: w.cache, Env: w.baseline(), Now: time.Now}, name)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func TestLogout(t *testing.T) {
	w, p := newMFAWorld(t)
	w.env["AWS_ENDPOINT_URL"] = w.server.URL
	w.login = func(context.Context, string, resolver.Asker, resolver.Patience) ([]byte, error) {
		return []byte("token"), nil
	}
	work := oidc(obj{"login": "work"})
	open := func() {
		w.mustOpen(ssoInput(), loggingIn(p))
		w.mustOpen(withMFA(obj{"duration": "2h"}), loggingIn(p))
		w.mustOpen(work, loggingIn(p))
		w.mustOpen(assume(obj{"roleArn": "arn:aws:iam::123456789012:role/free"}), call{})
		if err := w.cache.PutOpened(strings.Repeat("ab", 32), &cache.Opened{Payload: []byte("a secret that was read"), Acquired: time.Now().Unix()}); err != nil {
			t.Fatal(err)
		}
		if err := w.cache.PutOpened("login-0123", &cache.Opened{Payload: []byte("an ID token"), Acquired: time.Now().Unix()}); err != nil {
			t.Fatal(err)
		}
	}
	open()
	hour := func(o LoggedOut, hours int) {
		t.Helper()
		if d := time.Until(o.Until) - time.Duration(hours)*time.Hour; d > 0 || d < -time.Minute {
			t.Errorf("%q until %v", o.Logins, o.Until)
		}
	}
	if o := w.logout("nobody"); len(o.Logins) != 0 || !o.Until.IsZero() || w.calls("Logout") != 0 {
		t.Errorf("%+v", o)
	}
	if w.cache.Opened(strings.Repeat("ab", 32), time.Now()) == nil {
		t.Error("nothing was ended, and something is forgotten")
	}

	o := w.logout(testStartURL + "/#/")
	if hour(o, 1); !reflect.DeepEqual(o.Logins, []string{"the SSO session of " + testStartURL}) || w.calls("Logout") != 1 {
		t.Errorf("%q, %+v", o.Logins, w.server.Calls())
	}
	if _, err := os.Stat(w.tokenFile(testStartURL)); err == nil {
		t.Error("the token is still there")
	}
	if w.cache.Opened(strings.Repeat("ab", 32), time.Now()) != nil || w.cache.Opened("login-0123", time.Now()) == nil {
		t.Error("what was read with the keys, and nothing else, is to be forgotten")
	}
	if err := w.fails(ssoInput(), call{}); err.Kind != resolver.KindLogin {
		t.Errorf("got %s", describe(err))
	}

	o = w.logout(awstest.MFASerial)
	if hour(o, 12); !reflect.DeepEqual(o.Logins, []string{"the MFA session of " + awstest.MFASerial}) {
		t.Errorf("%+v", o)
	}
	o = w.logout("work")
	if hour(o, 1); !reflect.DeepEqual(o.Logins, []string{"the login work"}) {
		t.Errorf("%+v", o)
	}

	calls := w.calls("AssumeRole")
	w.mustOpen(assume(obj{"roleArn": "arn:aws:iam::123456789012:role/free"}), call{})
	if w.calls("AssumeRole") != calls {
		t.Error("keys that need no login were forgotten")
	}
	open()
	if o = w.logout(""); len(o.Logins) != 3 || w.calls("Logout") != 2 {
		t.Errorf("%+v", o)
	}
	hour(o, 12)
}

// TestLogoutOfNothing: that a login was wanted is remembered, and is no login.
func TestLogoutOfNothing(t *testing.T) {
	t.Parallel()
	w := newSSOWorld(t)
	w.fails(ssoInput(), call{})
	if o := w.logout(""); len(o.Logins) != 0 {
		t.Errorf("logged out of %q", o.Logins)
	}
}

// TestForgetOthers: keys of whoever was logged in before serve nobody else.
func TestForgetOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	who := "alice"
	w.login = func(context.Context, string, resolver.Asker, resolver.Patience) ([]byte, error) {
		return []byte(jwt(`{"iss":"https://login.example.com","sub":"` + who + `"}`)), nil
	}
	read := strings.Repeat("ab", 32) // with those keys, perhaps
	if err := w.cache.PutOpened(read, &cache.Opened{Payload: []byte("a secret"), Acquired: time.Now().Unix()}); err != nil {
		t.Fatal(err)
	}
	// Two roles, of which one is assumed with the keys of the other.
	open := func() [2]string {
		t.Helper()
		p := New(Options{Cache: w.cache, LoginToken: w.login})
		base, err := w.openBy(p, oidc(obj{"login": "work"}), call{})
		if err != nil {
			t.Fatal(err)
		}
		role, err := w.openBy(p, assume(obj{"roleArn": devRole + "2", "source": obj{"login": base.Value}}), call{})
		if err != nil {
			t.Fatal(err)
		}
		return [2]string{id(base), id(role)}
	}
	play := oidc(obj{"login": "play"})
	alices, others := open(), id(w.mustOpen(play, call{}))
	forget := func(subject string) bool {
		t.Helper()
		forgot, err := ForgetOthers(t.Context(), w.cache, time.Now, "work", subject)
		if err != nil {
			t.Fatal(err)
		}
		return forgot
	}
	if forget("alice") || open() != alices || w.cache.Opened(read, time.Now()) == nil {
		t.Error("her own were forgotten")
	}
	who = "bob"
	if open() != alices {
		t.Error("the test shows nothing: her keys do not serve")
	}
	if !forget("bob") || w.cache.Opened(read, time.Now()) != nil {
		t.Error("hers were not forgotten")
	}
	if bobs := open(); bobs[0] == alices[0] || bobs[1] == alices[1] {
		t.Errorf("hers serve him: %q, %q", bobs, alices)
	}
	if forget("bob") {
		t.Error("his own were forgotten")
	}
	if id(w.mustOpen(play, call{})) != others {
		t.Error("those of another login were forgotten")
	}
}

// TestLogoutBySessionOrURL: both name one login, whichever its keys were made by.
func TestLogoutBySessionOrURL(t *testing.T) {
	for _, name := range []string{"my org", testStartURL, testStartURL + "/#/"} {
		w := newSSOWorld(t)
		w.write(".aws/config", "[profile p]\nsso_session = my org\nsso_account_id = 123456789012\nsso_role_name = dev\n[sso-session my org]\nsso_region = eu-west-1\nsso_start_url = "+testStartURL+"\n")
		w.mustOpen(obj{"profile": "p"}, loggingIn(&person{t: t}))
		o := w.logout(name)
		if !reflect.DeepEqual(o.Logins, []string{"the SSO session of " + testStartURL}) || o.Until.IsZero() {
			t.Errorf("%s: %+v", name, o)
		}
		if err := w.fails(obj{"profile": "p"}, call{}); err.Kind != resolver.KindLogin {
			t.Errorf("%s: got %s", name, describe(err))
		}
	}
}

// TestLogoutOfAnIdleSession: its access token has expired, and the session has not.
func TestLogoutOfAnIdleSession(t *testing.T) {
	w := newSSOWorld(t)
	w.mustOpen(ssoInput(), loggingIn(&person{t: t}))
	w.change(testStartURL, expired)
	refresh := w.tokenFields(testStartURL)
	w.logout("")
	if w.calls("Logout") != 1 || w.calls("CreateToken") != 2 {
		t.Errorf("%+v", w.server.Calls())
	}
	if refresh["refreshToken"] == nil {
		t.Error("no refresh token")
	}
}

func TestLogoutDuringAnOutage(t *testing.T) {
	t.Parallel()
	w := newSSOWorld(t)
	w.mustOpen(ssoInput(), loggingIn(&person{t: t}))
	w.knobs(func(k *awstest.Knobs) { k.Outage = awstest.Refused })
	o, err := Logout(context.Background(), LogoutOptions{Cache: w.cache, Env: w.baseline(), Now: time.Now}, "")
	if err == nil || !strings.Contains(err.Error(), "connection refused") || len(o.Logins) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := os.Stat(w.tokenFile(testStartURL)); err == nil {
		t.Error("the token is still there")
	}
}
