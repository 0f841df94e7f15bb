package aws

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/aws/awstest"
)

// faultCanary is a token that must never be shown, not even when a server sends
// it back.
const faultCanary = "cAnArY-web-identity-token"

func TestFaultsAtAPrompt(t *testing.T) {
	for _, tt := range []struct {
		outage awstest.Outage
		want   string
		most   time.Duration
		calls  int
	}{
		{awstest.Refused, "cannot be reached: connection refused", time.Second, 0},
		{awstest.Reset, "closed the connection without an answer", time.Second, 1},
		{awstest.Silent, "did not answer in time", 3500 * time.Millisecond, 1},
		{awstest.Unavailable, "is out of order: 503 Service Unavailable", time.Second, 1},
		{awstest.HTML, "answered with a web page (status 200)", time.Second, 1},
		{awstest.Truncated, "answer", time.Second, 1},
		{awstest.Garbage, "answered something that is not an answer of it (status 200)", time.Second, 1},
		{awstest.Huge, "answered with more than 1 MiB", 2 * time.Second, 1},
		{awstest.Redirect, "answered with a redirect, which is not followed", time.Second, 1},
		{awstest.ProxyAuth, "wants a password", time.Second, 1},
	} {
		t.Run(string(tt.outage), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.write("token", faultCanary)
			w.knobs(func(k *awstest.Knobs) { k.Outage = tt.outage })
			began := time.Now()
			err := w.fails(oidc(obj{"file": "token"}), call{}, faultCanary)
			if took := time.Since(began); took > tt.most {
				t.Errorf("took %v", took)
			}
			if !strings.Contains(err.Summary, tt.want) || !strings.Contains(err.Summary, "127.0.0.1") || err.Kind != resolver.KindNetwork || err.Hint == "" {
				t.Errorf("got %s", describe(err))
			}
			c := w.server.Calls()
			if c.Total != tt.calls {
				t.Errorf("%d calls, want %d", c.Total, tt.calls)
			}
			if c.Sent > 64<<20 {
				t.Errorf("took %d bytes of an endless answer", c.Sent)
			}

			// Nobody pays again: the next prompt has the same line and no call.
			began = time.Now()
			again := w.fails(oidc(obj{"file": "token"}), call{}, faultCanary)
			if again.Summary != err.Summary || again.Hint != err.Hint || again.Kind != err.Kind || time.Since(began) > 200*time.Millisecond {
				t.Errorf("remembered as %s after %v", describe(again), time.Since(began))
			}
			if n := w.server.Calls().Total; n != tt.calls {
				t.Errorf("%d more calls", n-tt.calls)
			}
			// A person who asks is heard, and the failure is over.
			w.knobs(func(k *awstest.Knobs) { k.Outage = awstest.Up })
			w.mustOpen(oidc(obj{"file": "token"}), call{patience: resolver.Person})
			w.mustOpen(oidc(obj{"file": "token"}), call{})
		})
	}
}

func TestTrickleEndsInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("token", faultCanary)
	w.knobs(func(k *awstest.Knobs) { k.Trickle = true })
	began := time.Now()
	err := w.fails(oidc(obj{"file": "token"}), call{}, faultCanary)
	if took := time.Since(began); took > 3500*time.Millisecond || !strings.Contains(err.Summary, "did not finish its answer in time") {
		t.Errorf("after %v: %s", took, describe(err))
	}
}

func TestAttemptsByPatience(t *testing.T) {
	for _, tt := range []struct {
		patience resolver.Patience
		next     awstest.Next
		outage   awstest.Outage
		calls    int
	}{
		{patience: resolver.AtPrompt, outage: awstest.Unavailable, calls: 1},
		{patience: resolver.Detached, outage: awstest.Unavailable, calls: 3},
		{patience: resolver.Person, outage: awstest.Unavailable, calls: 3},
		{patience: resolver.AtPrompt, outage: awstest.Reset, calls: 1},
		{patience: resolver.Person, outage: awstest.Reset, calls: 3},
		{patience: resolver.AtPrompt, next: awstest.Next{Calls: 9, Code: "Throttling", Message: "Rate exceeded"}, calls: 1},
		{patience: resolver.Detached, next: awstest.Next{Calls: 9, Code: "Throttling", Message: "Rate exceeded"}, calls: 3},
		{patience: resolver.Person, next: awstest.Next{Calls: 9, Code: "AccessDenied", Status: 403, Message: "no"}, calls: 1},
	} {
		t.Run(fmt.Sprintf("%d/%s%s", tt.patience, tt.outage, tt.next.Code), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.write("token", faultCanary)
			w.knobs(func(k *awstest.Knobs) { k.Outage, k.Next = tt.outage, tt.next })
			err := w.fails(oidc(obj{"file": "token"}), call{patience: tt.patience}, faultCanary)
			if n := w.server.Calls().Total; n != tt.calls {
				t.Errorf("%d calls, want %d: %s", n, tt.calls, describe(err))
			}
		})
	}
}

func TestVerificationKeyIsAskedForTwice(t *testing.T) {
	w := newWorld(t)
	w.write("token", "token")
	next := awstest.Next{Calls: 1, Code: "InvalidIdentityToken", Message: "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"}
	w.knobs(func(k *awstest.Knobs) { k.Next = next })
	w.mustOpen(oidc(obj{"file": "token"}), call{})
	if n := w.server.Calls().Total; n != 2 {
		t.Errorf("%d calls", n)
	}
	next.Calls = 9
	w.knobs(func(k *awstest.Knobs) { k.Next = next })
	w.cache = nil
	w.fails(oidc(obj{"file": "token"}), call{})
	if n := w.server.Calls().Total; n != 4 {
		t.Errorf("%d calls", n)
	}
}

func TestRefusalsOfATokenAreExplained(t *testing.T) {
	for _, tt := range []struct {
		next       awstest.Next
		want, hint string
	}{
		{awstest.Next{Code: "AccessDenied", Status: 403, Message: "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
			"AWS refused role " + devRole + ": AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity", `role "dev" does not exist, or its trust policy`},
		{awstest.Next{Code: "InvalidIdentityToken", Message: "Incorrect token audience"}, "InvalidIdentityToken: Incorrect token audience", "list-open-id-connect-providers"},
		{awstest.Next{Code: "ExpiredTokenException", Message: "Token expired: current date"}, "ExpiredTokenException", "get a new OIDC token"},
		{awstest.Next{Code: "RegionDisabledException", Status: 403, Message: "STS is not activated"}, "RegionDisabledException", "--region-name eu-central-1"},
		{awstest.Next{Code: "Odd", Message: "the token " + faultCanary + "\nis\x00 bad " + strings.Repeat("long ", 200)}, "Odd: the token [secret] is", ""},
	} {
		t.Run(tt.next.Code, func(t *testing.T) {
			w := newWorld(t)
			w.write("token", faultCanary)
			tt.next.Calls = 9
			w.knobs(func(k *awstest.Knobs) { k.Next = tt.next })
			err := w.fails(oidc(obj{"file": "token"}), call{}, faultCanary)
			if !strings.Contains(err.Summary, tt.want) || !strings.Contains(err.Hint, tt.hint) || err.Kind != resolver.KindRefused {
				t.Errorf("got %s", describe(err))
			}
			// Refused is refused, until the token is another one.
			before := w.server.Calls().Total
			w.fails(oidc(obj{"file": "token"}), call{}, faultCanary)
			if n := w.server.Calls().Total; n != before {
				t.Errorf("asked again")
			}
			w.knobs(func(k *awstest.Knobs) { k.Next = awstest.Next{} })
			w.write("token", "another-token")
			w.mustOpen(oidc(obj{"file": "token"}), call{})
		})
	}
}

func TestAnotherTokensKeysAreAMiss(t *testing.T) {
	w := newWorld(t)
	w.write("token", jwt(`{"iss":"https://i","sub":"alice"}`))
	alice := w.mustOpen(oidc(obj{"file": "token"}), call{})
	w.write("token", jwt(`{"iss":"https://i","sub":"alice","jti":"rotated"}`))
	if again := w.mustOpen(oidc(obj{"file": "token"}), call{}); id(again) != id(alice) {
		t.Error("a rotated token is no reason to ask again")
	}
	w.write("token", jwt(`{"iss":"https://i","sub":"bob"}`))
	if bob := w.mustOpen(oidc(obj{"file": "token"}), call{}); id(bob) == id(alice) {
		t.Error("bob got alice's keys")
	}
	w.write("token", jwt(`{"iss":"https://i","sub":"alice"}`))
	w.knobs(func(k *awstest.Knobs) { k.Outage = awstest.Unavailable })
	w.fails(oidc(obj{"file": "token"}), call{}) // bob's keys still live, and are not alice's
	if err := os.Remove(filepath.Join(w.dir, "token")); err != nil {
		t.Fatal(err)
	}
}

func TestExpirationThatMakesNoSense(t *testing.T) {
	for name, knobs := range map[string]func(*awstest.Knobs){
		"past":    func(k *awstest.Knobs) { k.Lifetime = -5 },
		"absent":  func(k *awstest.Knobs) { k.Expiration = "absent" },
		"garbage": func(k *awstest.Knobs) { k.Expiration = "tomorrow" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.write("token", faultCanary)
			w.knobs(knobs)
			err := w.fails(oidc(obj{"file": "token"}), call{}, faultCanary)
			if !strings.Contains(err.Summary, "already expired") && !strings.Contains(err.Summary, "not an answer of it") {
				t.Errorf("got %s", describe(err))
			}
		})
	}
}

func TestWrongClock(t *testing.T) {
	for _, skew := range []int{50 * 60, -50 * 60, 24 * 3600} {
		t.Run(fmt.Sprint(skew), func(t *testing.T) {
			w := newWorld(t)
			w.env["AWS_ACCESS_KEY_ID"], w.env["AWS_SECRET_ACCESS_KEY"] = awstest.KeyID, awstest.SecretKey
			w.knobs(func(k *awstest.Knobs) { k.Skew = skew })
			o := w.mustOpen(obj{"assumeRole": obj{"roleArn": devRole}}, call{})
			if n := w.server.Calls().Total; n != 2 {
				t.Errorf("%d calls, want the first and one signed anew", n)
			}
			// Stored by this machine's clock, whatever AWS's says.
			if d := time.Until(o.ExpiresAt); d < 58*time.Minute || d > 60*time.Minute {
				t.Errorf("serves for %v", d)
			}
		})
	}
}

func TestRefreshWindows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := oidc(obj{"file": "token"})
	w.write("token", "token")
	first := w.mustOpen(in, call{})
	w.age(49 * 60) // past the soft end of an hour
	if o := w.mustOpen(in, call{}); id(o) != id(first) || w.server.Calls().Total != 1 {
		t.Error("a prompt waited for a renewal that is not urgent")
	}
	w.knobs(func(k *awstest.Knobs) { k.Outage = awstest.Unavailable })
	o := w.mustOpen(in, call{patience: resolver.Detached})
	if id(o) != id(first) || !o.RefreshAt.After(time.Now()) || time.Until(o.ExpiresAt) > 11*time.Minute || len(o.Notices) != 0 {
		t.Errorf("STS down while keys live: refresh at %v, notices %q", o.RefreshAt, o.Notices)
	}
	n := w.server.Calls().Total
	w.mustOpen(in, call{patience: resolver.Detached})
	if w.server.Calls().Total != n {
		t.Error("the failure was not remembered")
	}
	w.age(34)
	o = w.mustOpen(in, call{patience: resolver.Person})
	if id(o) != id(first) || len(o.Notices) != 1 || !strings.Contains(o.Notices[0], "503 Service Unavailable; the credentials at hand serve for 9m more") {
		t.Errorf("notices %q", o.Notices)
	}
	w.knobs(func(k *awstest.Knobs) { k.Outage = awstest.Up })
	w.age(68) // the failure's time is over
	if o = w.mustOpen(in, call{patience: resolver.Detached}); id(o) == id(first) {
		t.Error("not renewed")
	}
	second := o
	if o = w.mustOpen(in, call{}); id(o) != id(second) {
		t.Error("the renewed keys are not served")
	}
	w.age(3541)
	if o = w.mustOpen(in, call{}); id(o) == id(second) {
		t.Error("served past the hard end")
	}
}

func TestFailuresDouble(t *testing.T) {
	w := newWorld(t)
	w.write("token", "token")
	in := oidc(obj{"file": "token"})
	w.knobs(func(k *awstest.Knobs) { k.Outage = awstest.Unavailable })
	for i, want := range []int{30, 60, 120, 240, 300, 300} {
		before := w.server.Calls().Total
		w.fails(in, call{})
		if n := w.server.Calls().Total - before; n != 1 {
			t.Fatalf("round %d: %d calls", i, n)
		}
		w.age(int64(want*9/10) - 2)
		w.fails(in, call{})
		if n := w.server.Calls().Total - before; n != 1 {
			t.Errorf("round %d: asked again before %d s", i, want)
		}
		w.age(int64(want/5) + 4)
	}
}

func TestReloadAsksAgain(t *testing.T) {
	w := newWorld(t)
	w.write("token", "token")
	in := oidc(obj{"file": "token"})
	first := w.mustOpen(in, call{})
	second := w.mustOpen(in, call{fresh: true})
	if id(first) == id(second) {
		t.Error("served what was opened before")
	}
	w.knobs(func(k *awstest.Knobs) { k.Outage = awstest.Unavailable })
	third := w.mustOpen(in, call{fresh: true})
	if id(third) != id(second) || len(third.Notices) != 1 {
		t.Errorf("good keys were thrown away, notices %q", third.Notices)
	}
}

func TestDamagedCacheIsAMiss(t *testing.T) {
	w := newWorld(t)
	w.write("token", "token")
	in := oidc(obj{"file": "token"})
	w.mustOpen(in, call{})
	files, err := filepath.Glob(filepath.Join(w.cache.Path(), "opens", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for i, damage := range []func() error{
		func() error { return os.WriteFile(files[0], nil, 0o600) },
		func() error { return os.WriteFile(files[0], whole[:len(whole)/2], 0o600) },
		func() error {
			flipped := append([]byte(nil), whole...)
			flipped[len(flipped)/2] ^= 1
			return os.WriteFile(files[0], flipped, 0o600)
		},
		func() error { return os.Chmod(files[0], 0o644) },
		func() error { return errors.Join(os.Remove(files[0]), os.Mkdir(files[0], 0o700)) },
	} {
		before := w.server.Calls().Total
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		w.mustOpen(in, call{})
		if n := w.server.Calls().Total - before; n != 1 {
			t.Errorf("damage %d: %d calls", i, n)
		}
	}
}

func TestWithoutACache(t *testing.T) {
	w := newWorld(t)
	w.write("token", "token")
	w.cache = nil
	w.mustOpen(oidc(obj{"file": "token"}), call{})
	w.mustOpen(oidc(obj{"file": "token"}), call{})
	if n := w.server.Calls().Total; n != 2 {
		t.Errorf("%d calls", n)
	}
}

func TestUnwritableCacheStillServes(t *testing.T) {
	w := newWorld(t)
	w.write("token", "token")
	for _, room := range []string{"opens", "locks"} { // a mode would not stop root
		w.write("cache/"+room, "in the way")
	}
	w.mustOpen(oidc(obj{"file": "token"}), call{})
}

func TestCancelIsNotRemembered(t *testing.T) {
	w := newWorld(t)
	w.write("token", "token")
	w.knobs(func(k *awstest.Knobs) { k.Slow = 2000 })
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	began := time.Now()
	_, err := New(Options{Cache: w.cache}).Open(ctx, &resolver.Call{
		Inputs: w.absolute(value(oidc(obj{"file": "token"}))), File: filepath.Join(w.dir, "f"), Now: time.Now,
		Env: resolver.NewBaseline([]string{"HOME=" + w.dir, "AWS_ENDPOINT_URL_STS=" + w.server.URL}),
	})
	if !errors.Is(err, context.Canceled) || time.Since(began) > time.Second {
		t.Fatalf("%v after %v", err, time.Since(began))
	}
	w.knobs(func(k *awstest.Knobs) { k.Slow = 0 })
	w.mustOpen(oidc(obj{"file": "token"}), call{})
}

// TestStoppedLockHolder: whoever holds the lock and does nothing costs a prompt
// its budget and no more.
func TestStoppedLockHolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("token", "token")
	w.mustOpen(oidc(obj{"file": "token"}), call{})
	locks, err := filepath.Glob(filepath.Join(w.cache.Path(), "locks", "*.lock"))
	if err != nil || len(locks) != 1 {
		t.Fatal(locks, err)
	}
	unlock, held := w.cache.TryLock(strings.TrimSuffix(filepath.Base(locks[0]), ".lock"))
	if !held {
		t.Fatal("the lock was left held")
	}
	defer unlock()
	w.age(3600)
	began := time.Now()
	failure := w.fails(oidc(obj{"file": "token"}), call{})
	if took := time.Since(began); took > 5500*time.Millisecond || !strings.Contains(failure.Summary, "another process has been fetching") {
		t.Errorf("after %v: %s", took, describe(failure))
	}
}

// TestTLS: an authority that nobody knows, and the bundle that makes it known.
func TestTLS(t *testing.T) {
	w := newWorld(t)
	w.write("token", faultCanary)
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), r.Method, w.server.URL+"/", r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		req.Header = r.Header
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		rw.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(rw, resp.Body) // a client that has left is not the test
	}))
	front.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the refused handshake
	front.StartTLS()
	defer front.Close()
	w.env["AWS_ENDPOINT_URL_STS"] = front.URL
	err := w.fails(oidc(obj{"file": "token"}), call{}, faultCanary)
	if !strings.Contains(err.Summary, "not from an authority known here") {
		t.Errorf("got %s", describe(err))
	}
	w.env["AWS_CA_BUNDLE"] = w.write("none.pem", "nothing")
	err = w.fails(oidc(obj{"file": "token"}), call{patience: resolver.Person}, faultCanary)
	if !strings.Contains(err.Summary, "holds no certificate") {
		t.Errorf("got %s", describe(err))
	}
	w.env["AWS_CA_BUNDLE"] = w.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})))
	w.mustOpen(oidc(obj{"file": "token"}), call{patience: resolver.Person})
}

func TestNoSuchHost(t *testing.T) {
	w := newWorld(t)
	w.write("token", faultCanary)
	w.env["AWS_ENDPOINT_URL_STS"] = "http://sts.nowhere.invalid"
	began := time.Now()
	err := w.fails(oidc(obj{"file": "token"}), call{}, faultCanary)
	if took := time.Since(began); took > 5500*time.Millisecond || err.Kind != resolver.KindNetwork || !strings.Contains(err.Summary, "sts.nowhere.invalid") {
		t.Errorf("after %v: %s", took, describe(err))
	}
}

func TestNotHTTP(t *testing.T) {
	w := newWorld(t)
	w.write("token", faultCanary)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.2\x1b]52;c;" + faultCanary + "\a\r\n"))
			c.Close()
		}
	}()
	w.env["AWS_ENDPOINT_URL_STS"] = "http://" + l.Addr().String()
	var logged strings.Builder
	log.SetOutput(&logged) // where net/http complains
	defer log.SetOutput(os.Stderr)
	failure := w.fails(oidc(obj{"file": "token"}), call{}, faultCanary)
	if strings.Contains(failure.Summary+logged.String(), "SSH") || !strings.Contains(failure.Summary, "STS at 127.0.0.1") {
		t.Errorf("raw bytes: %s\n%s", describe(failure), logged.String())
	}
}
