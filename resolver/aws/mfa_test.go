package aws

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/aws/awstest"
)

const otherRole = "arn:aws:iam::123456789012:role/other"

// newMFAWorld has a user with an MFA device, and roles that want a code.
func newMFAWorld(t *testing.T) (*world, *person) {
	w := newWorld(t)
	w.withKeys()
	w.knobs(func(k *awstest.Knobs) {
		k.Roles = map[string]awstest.Role{devRole: {MFA: true, MaxDuration: 12 * 3600}, otherRole: {MFA: true, MaxDuration: 12 * 3600}}
	})
	return w, &person{t: t, codes: w.server.NextMFACode}
}

func withMFA(more obj) obj {
	in := obj{"roleArn": devRole, "mfaSerial": awstest.MFASerial}
	for key, v := range more {
		in[key] = v
	}
	return obj{"assumeRole": in}
}

func TestOneCodeForAllRoles(t *testing.T) {
	w, p := newMFAWorld(t)
	if err := w.fails(withMFA(nil), call{}); err.Kind != resolver.KindLogin || err.Hint != `run "ambit login"` || w.server.Calls().Total != 0 {
		t.Errorf("got %s", describe(err))
	}
	o := w.mustOpen(withMFA(obj{"duration": "12h"}), loggingIn(p)) // no chain, and so no limit of an hour
	if until := parseTime(t, o.Value.Object["expiration"].Text); time.Until(until) < 11*time.Hour {
		t.Errorf("until %v", until)
	}
	w.mustOpen(withMFA(obj{"roleArn": otherRole}), call{})
	w.write(".aws/config", "[profile base]\naws_access_key_id = "+awstest.KeyID+"\naws_secret_access_key = "+awstest.SecretKey+
		"\n[profile p]\nsource_profile = base\nrole_arn = "+otherRole+"\nrole_session_name = by-profile\nmfa_serial = "+awstest.MFASerial+"\n")
	w.mustOpen(obj{"profile": "p"}, call{})
	w.mustOpen(obj{"session": obj{"mfaSerial": awstest.MFASerial}}, loggingIn(p))
	if _, _, asked := p.count(); asked != 1 || p.asked[0] != awstest.MFASerial || w.calls("GetSessionToken") != 1 || w.calls("AssumeRole") != 3 {
		t.Errorf("asked for %q, %+v", p.asked, w.server.Calls())
	}
	for _, r := range w.server.Requests() {
		if r.Action == "AssumeRole" && (r.Form.Has("TokenCode") || r.Form.Has("SerialNumber") || r.KeyID == awstest.KeyID) {
			t.Errorf("a role was assumed with %v by %s", r.Form, r.KeyID)
		}
	}
	// Renewals ask nobody.
	w.age(11 * 3600)
	w.mustOpen(withMFA(nil), call{})
	// Its end does, and a prompt does not.
	w.age(3600)
	if err := w.fails(withMFA(nil), call{}); err.Kind != resolver.KindLogin {
		t.Errorf("got %s", describe(err))
	}
	w.mustOpen(withMFA(nil), loggingIn(p))
	if _, _, asked := p.count(); asked != 2 {
		t.Errorf("asked for %q", p.asked)
	}
}

// TestReloadAsksNobody: what a person gave stays, what comes of it is made anew.
func TestReloadAsksNobody(t *testing.T) {
	w, p := newMFAWorld(t)
	before := w.mustOpen(withMFA(nil), loggingIn(p))
	o := w.mustOpen(withMFA(nil), call{patience: resolver.Person, fresh: true})
	if id(o) == id(before) || len(o.Notices) != 0 || w.calls("GetSessionToken") != 1 || w.calls("AssumeRole") != 2 {
		t.Errorf("said %q, %+v", o.Notices, w.server.Calls())
	}
}

func TestMFASessionIsRenewedByLogin(t *testing.T) {
	w, p := newMFAWorld(t)
	in := obj{"session": obj{"mfaSerial": awstest.MFASerial}}
	before := w.mustOpen(in, loggingIn(p))
	w.age(10 * 3600) // past 9 h 36
	for _, patience := range []resolver.Patience{resolver.AtPrompt, resolver.Detached, resolver.Person} {
		if o := w.mustOpen(in, call{patience: patience}); id(o) != id(before) {
			t.Error("not the session that serves")
		}
	}
	if after := w.mustOpen(in, loggingIn(p)); id(after) == id(before) {
		t.Error("ambit login renewed nothing")
	}
}

func TestCodesAreNeverSentTwice(t *testing.T) {
	for _, tt := range []struct {
		name  string
		codes []string // "": a good one
		knobs func(*awstest.Knobs)
		calls int
		asked int
		want  string
		kind  resolver.FailureKind
	}{
		{name: "mistyped", codes: []string{"000000", ""}, calls: 2, asked: 2},
		{name: "always wrong", codes: []string{"000000", "000001", "000002"}, calls: 3, asked: 3, want: "AWS refused the MFA code", kind: resolver.KindLogin},
		{name: "the same again", codes: []string{"000000", "000000"}, calls: 1, asked: 2, want: "AWS has refused this MFA code already", kind: resolver.KindLogin},
		{name: "503", codes: []string{""}, knobs: func(k *awstest.Knobs) { k.Outage = awstest.Unavailable }, calls: 1, asked: 1, want: "out of order", kind: resolver.KindNetwork},
		{name: "cut off", codes: []string{""}, knobs: func(k *awstest.Knobs) { k.Outage = awstest.Reset }, calls: 1, asked: 1, want: "closed the connection", kind: resolver.KindNetwork},
		{name: "throttled", codes: []string{""}, knobs: func(k *awstest.Knobs) {
			k.Next = awstest.Next{Calls: 9, Code: "Throttling", Message: "Rate exceeded"}
		}, calls: 1, asked: 1, want: "too many requests", kind: resolver.KindNetwork},
		{name: "refused for another reason", codes: []string{""}, knobs: func(k *awstest.Knobs) { k.InactiveKeys = []string{awstest.KeyID} }, calls: 1, asked: 1, want: "InvalidClientTokenId", kind: resolver.KindRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, p := newMFAWorld(t)
			if tt.knobs != nil {
				w.knobs(tt.knobs)
			}
			codes := tt.codes
			p.codes = func(serial string) string {
				code := codes[0]
				if codes = codes[1:]; code == "" {
					code = w.server.NextMFACode(serial)
				}
				return code
			}
			_, err := w.open(withMFA(nil), loggingIn(p))
			var open *resolver.OpenError
			if errors.As(err, &open) != (tt.want != "") || open != nil && (open.Kind != tt.kind || !strings.Contains(open.Summary, tt.want)) {
				t.Errorf("got %v", err)
			}
			if _, _, asked := p.count(); asked != tt.asked || w.calls("GetSessionToken") != tt.calls {
				t.Errorf("asked %d times, sent %d times", asked, w.calls("GetSessionToken"))
			}
		})
	}
}

func TestTwoTerminalsWantOneCode(t *testing.T) {
	w, p := newMFAWorld(t)
	code := make(chan string)
	p.codes = func(string) string { return <-code }
	var wait sync.WaitGroup
	wait.Go(func() {
		if _, err := w.open(withMFA(nil), loggingIn(p)); err != nil {
			t.Error(describe(err))
		}
	})
	until(t, func() bool { _, _, asked := p.count(); return asked == 1 })
	second := &person{t: t}
	wait.Go(func() {
		if _, err := w.open(withMFA(obj{"roleArn": otherRole}), loggingIn(second)); err != nil {
			t.Error(describe(err))
		}
	})
	until(t, func() bool { second.mu.Lock(); defer second.mu.Unlock(); return len(second.said) == 1 })
	code <- w.server.NextMFACode(awstest.MFASerial)
	wait.Wait()
	if len(second.asked) != 0 || w.calls("GetSessionToken") != 1 {
		t.Errorf("the second was asked for %q, %+v", second.asked, w.server.Calls())
	}
}

func TestAbandonedCode(t *testing.T) {
	w, p := newMFAWorld(t)
	p.codes, p.blocked = nil, make(chan struct{})
	quietly(t, func() {
		ctx, interrupt := context.WithCancel(context.Background())
		go func() { <-p.blocked; interrupt() }()
		if _, err := w.open(withMFA(nil), call{patience: resolver.Person, asker: p, ctx: ctx}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	again := &person{t: t, codes: w.server.NextMFACode}
	w.mustOpen(withMFA(nil), loggingIn(again))
	if len(again.said) != 0 {
		t.Errorf("said %q", again.said)
	}
}

func TestMFAWithoutACache(t *testing.T) {
	w, p := newMFAWorld(t)
	w.cache = nil
	w.mustOpen(withMFA(nil), loggingIn(p))
	if _, _, asked := p.count(); asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

func TestMFAWantsAUser(t *testing.T) {
	w, p := newMFAWorld(t)
	base := w.mustOpen(assume(obj{"roleArn": "arn:aws:iam::123456789012:role/base"}), call{})
	w.env["AWS_ACCESS_KEY_ID"], w.env["AWS_SECRET_ACCESS_KEY"] = id(base), base.Value.Object["secretAccessKey"].Text
	w.env["AWS_SESSION_TOKEN"] = base.Value.Object["sessionToken"].Text
	err := w.fails(withMFA(nil), loggingIn(p), w.env["AWS_SESSION_TOKEN"], w.env["AWS_SECRET_ACCESS_KEY"])
	if !strings.Contains(err.Summary, "an MFA code counts only with a user's own") || len(p.asked) != 0 {
		t.Errorf("got %s", describe(err))
	}
}

// TestRevokedBase: an administrator ends the session that roles are assumed with.
func TestRevokedBase(t *testing.T) {
	w, p := newMFAWorld(t)
	session := obj{"session": obj{"mfaSerial": awstest.MFASerial}}
	base := w.mustOpen(session, loggingIn(p))
	w.server.DeleteKey(id(base))
	if err := w.fails(withMFA(nil), call{}); err.Kind != resolver.KindLogin {
		t.Errorf("got %s", describe(err))
	}
	w.mustOpen(withMFA(nil), loggingIn(p))
	if _, _, asked := p.count(); asked != 2 {
		t.Errorf("asked %d times", asked)
	}

	// One that needs nobody is made anew at once.
	w.write(".aws/config", "[profile base]\nrole_arn = arn:aws:iam::123456789012:role/base\nsource_profile = keys\n[profile keys]\naws_access_key_id = "+
		awstest.KeyID+"\naws_secret_access_key = "+awstest.SecretKey+"\n")
	base = w.mustOpen(obj{"profile": "base"}, call{})
	w.server.DeleteKey(id(base))
	w.server.ResetCalls()
	in := assume(obj{"roleArn": "arn:aws:iam::123456789012:role/third", "source": obj{"profile": "base"}})
	w.mustOpen(in, call{})
	if w.calls("AssumeRole") != 3 { // in vain, the base, the role
		t.Errorf("%+v", w.server.Calls())
	}
	if now := w.mustOpen(obj{"profile": "base"}, call{}); id(now) == id(base) {
		t.Error("the session that has ended still serves")
	}
}
