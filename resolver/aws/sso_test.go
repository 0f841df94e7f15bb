package aws

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"

	"ambit/resolver"
	"ambit/resolver/aws/awstest"
)

const testStartURL = "https://example.awsapps.com/start"

func ssoInput() obj {
	return obj{"sso": obj{"startUrl": testStartURL, "region": "eu-west-1", "accountId": awstest.Account, "roleName": "dev"}}
}

// goroutines counts those that run code of this package besides the tests.
func goroutines() map[string]int {
	buf := make([]byte, 1<<20)
	out := map[string]int{}
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "ambit/resolver/aws.") && !strings.Contains(stack, "testing.tRunner") {
			out["ambit"]++
		}
	}
	return out
}

// newSSOWorld is a world with IAM Identity Center.
func newSSOWorld(t *testing.T) *world {
	w := newWorld(t)
	w.env["AWS_ENDPOINT_URL"] = w.server.URL
	return w
}

func (w *world) tokenFile(key string) string {
	sum := sha1.Sum([]byte(key))
	return filepath.Join(w.dir, ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json")
}

func TestSSOFileIsTheSDKs(t *testing.T) {
	w := newSSOWorld(t)
	t.Setenv("HOME", w.dir)
	for _, key := range []string{testStartURL, "my org"} {
		if path, err := ssocreds.StandardCachedTokenFilepath(key); err != nil || path != w.tokenFile(key) {
			t.Errorf("%s: %s, %v", key, path, err)
		}
	}
}

func (w *world) tokenFields(key string) map[string]any {
	w.t.Helper()
	b, err := os.ReadFile(w.tokenFile(key))
	if err != nil {
		w.t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		w.t.Fatal(err)
	}
	return fields
}

// change edits the token's file as somebody else would.
func (w *world) change(key string, change func(map[string]any)) {
	w.t.Helper()
	fields := w.tokenFields(key)
	change(fields)
	b, err := json.Marshal(fields)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.tokenFile(key), b, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func expired(fields map[string]any) {
	fields["expiresAt"] = time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
}

func TestSSOLoginByCode(t *testing.T) {
	w := newSSOWorld(t)
	if err := w.fails(ssoInput(), call{}); err.Kind != resolver.KindLogin || err.Hint != `run "ambit login"` || w.server.Calls().Total != 0 {
		t.Errorf("got %s", describe(err))
	}
	p := &person{t: t}
	var o resolver.Opened
	quietly(t, func() { o = w.mustOpen(ssoInput(), loggingIn(p)) })
	if len(p.visits) != 1 || p.visits[0] != "IAM Identity Center at "+testStartURL || o.Credential.Account != awstest.Account || o.Credential.Source != "sso" {
		t.Errorf("visited %q, opened %+v", p.visits, o.Credential)
	}
	who, err := WhoAmI(context.Background(), resolver.NewBaseline([]string{"AWS_ENDPOINT_URL=" + w.server.URL, "HOME=" + w.dir}), time.Now, keysOf(o), "")
	if err != nil || who.ARN != awstest.SSOSessionARN(awstest.Account, "dev") {
		t.Errorf("%+v, %v", who, err)
	}
	if until := o.Value.Object["expiration"].Text; time.Until(parseTime(t, until)) > time.Hour || time.Until(parseTime(t, until)) < 59*time.Minute {
		t.Errorf("until %s", until)
	}
	fields := w.tokenFields(testStartURL)
	for _, name := range []string{"startUrl", "region", "accessToken", "expiresAt", "refreshToken", "clientId", "clientSecret", "registrationExpiresAt"} {
		if text, ok := fields[name].(string); !ok || text == "" {
			t.Errorf("the token's file has no %s", name)
		}
	}
	if info, err := os.Stat(w.tokenFile(testStartURL)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// The failure of before is forgotten, and nobody is asked again.
	w.mustOpen(ssoInput(), call{})
	w.mustOpen(ssoInput(), loggingIn(p))
	if visits, _, _ := p.count(); visits != 1 || w.calls("GetRoleCredentials") != 1 || w.calls("CreateToken") != 1 || w.calls("RegisterClient") != 1 {
		t.Errorf("%d visits, %+v", visits, w.server.Calls())
	}
}

func keysOf(o resolver.Opened) Keys {
	k := given(o.Value)
	return Keys{AccessKeyID: k.id, SecretAccessKey: k.secret, SessionToken: k.token}
}

func parseTime(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestSSOLoginByDevice(t *testing.T) {
	t.Parallel()
	w := newSSOWorld(t)
	w.knobs(func(k *awstest.Knobs) { k.SSO.Pending = 1 })
	p := &person{t: t, device: true, enter: func(string, string) {}}
	start := time.Now()
	w.mustOpen(ssoInput(), loggingIn(p))
	if _, entered, _ := p.count(); entered != 1 || w.calls("CreateToken") != 2 || len(p.visits) != 0 {
		t.Errorf("%d times, %+v", entered, w.server.Calls())
	}
	if d := time.Since(start); d < 1900*time.Millisecond {
		t.Errorf("polled faster than once a second: %v", d)
	}
	if w.tokenFields(testStartURL)["refreshToken"] == nil {
		t.Error("the session cannot be renewed")
	}
}

func TestSSODeviceSlowsDown(t *testing.T) {
	t.Parallel()
	w := newSSOWorld(t)
	w.knobs(func(k *awstest.Knobs) { k.SSO.SlowDown = 1 })
	start := time.Now()
	w.mustOpen(ssoInput(), loggingIn(&person{t: t, device: true}))
	if d := time.Since(start); d < 7*time.Second || w.calls("CreateToken") != 2 {
		t.Errorf("after %v and %+v", d, w.server.Calls())
	}
}

func TestSSOLoginThatFails(t *testing.T) {
	for _, tt := range []struct {
		name   string
		device bool
		knobs  func(*awstest.Knobs)
		want   string
	}{
		{"a person who says no", false, func(k *awstest.Knobs) { k.SSO.Person = awstest.Refuses }, "was refused: access_denied"},
		{"a person who says no elsewhere", true, func(k *awstest.Knobs) { k.SSO.Person = awstest.Refuses }, "was refused: access_denied"},
		{"a code that is never entered", true, func(k *awstest.Knobs) { k.SSO.Pending, k.SSO.DeviceLifetime = -1, 2 }, "was not entered in time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newSSOWorld(t)
			w.knobs(tt.knobs)
			p := &person{t: t, device: tt.device, enter: func(string, string) {}}
			quietly(t, func() {
				_, err := w.open(ssoInput(), loggingIn(p))
				var open *resolver.OpenError
				if !errors.As(err, &open) || open.Kind != resolver.KindLogin || !strings.Contains(open.Summary, tt.want) {
					t.Errorf("got %v", err)
				}
			})
			if _, err := os.Stat(w.tokenFile(testStartURL)); err == nil {
				t.Error("there is a token")
			}
		})
	}
}

// TestSSOForeignCallbacks: any page can send a browser to the loopback address.
func TestSSOForeignCallbacks(t *testing.T) {
	w := newSSOWorld(t)
	p := &person{t: t}
	p.visit = func(address string) {
		u, err := url.Parse(address)
		if err != nil {
			t.Error(err)
			return
		}
		back := u.Query().Get("redirect_uri")
		for _, query := range []string{"?code=evil&state=guessed", "?error=access_denied", "", "?error=access_denied&state="} {
			if page := p.get(back + query); !strings.HasPrefix(page, "400 ") {
				t.Errorf("%q was answered %q", query, page)
			}
		}
		if page := p.get(strings.Replace(back, callbackPath, "/", 1)); !strings.HasPrefix(page, "404 ") {
			t.Errorf("another path was answered %q", page)
		}
		if page := p.get(address); !strings.Contains(page, "go back to the terminal") {
			t.Errorf("the last page is %q", page)
		}
	}
	w.mustOpen(ssoInput(), loggingIn(p))
}

func TestSSOAbandonedLogin(t *testing.T) {
	w := newSSOWorld(t)
	addresses := make(chan string, 1)
	p := &person{t: t, blocked: make(chan struct{}), visit: func(address string) { addresses <- address }}
	quietly(t, func() {
		ctx, interrupt := context.WithCancel(context.Background())
		defer interrupt()
		go func() {
			<-p.blocked
			time.Sleep(50 * time.Millisecond)
			interrupt()
		}()
		start := time.Now()
		_, err := w.open(ssoInput(), call{patience: resolver.Person, asker: p, ctx: ctx})
		if !errors.Is(err, context.Canceled) || time.Since(start) > 3*time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
	u, err := url.Parse(<-addresses)
	if err != nil {
		t.Fatal(err)
	}
	nobodyListens(t, u.Query().Get("redirect_uri"))
	// No lock is left: the next one is asked at once.
	again := &person{t: t}
	w.mustOpen(ssoInput(), loggingIn(again))
	if len(again.said) != 0 || len(again.visits) != 1 {
		t.Errorf("said %q, visited %q", again.said, again.visits)
	}
}

func nobodyListens(t *testing.T, redirectURI string) {
	t.Helper()
	u, err := url.Parse(redirectURI)
	if err != nil || u.Host == "" {
		t.Fatalf("%q: %v", redirectURI, err)
	}
	if conn, err := net.Dial("tcp", u.Host); err == nil {
		conn.Close()
		t.Error("somebody still listens")
	}
}

// TestSSOTwoTerminals: one browser tab; and two roles of one session in one
// directory ask once, without a word about terminals.
func TestSSOTwoTerminals(t *testing.T) {
	t.Parallel()
	w := newSSOWorld(t)
	agree := make(chan struct{})
	p := &person{t: t}
	p.visit = func(address string) { <-agree; p.get(address) }
	other := ssoInput()
	other["sso"].(obj)["roleName"] = "AdministratorAccess"
	provider := New(Options{Cache: w.cache})
	var wait sync.WaitGroup
	for _, in := range []obj{ssoInput(), other} {
		wait.Go(func() {
			if _, err := w.openBy(provider, in, loggingIn(p)); err != nil {
				t.Error(describe(err))
			}
		})
	}
	until(t, func() bool { visits, _, _ := p.count(); return visits == 1 })
	second := &person{t: t}
	wait.Go(func() {
		if _, err := w.open(ssoInput(), loggingIn(second)); err != nil {
			t.Error(describe(err))
		}
	})
	until(t, func() bool { second.mu.Lock(); defer second.mu.Unlock(); return len(second.said) == 1 })
	// Meanwhile a prompt is not held up.
	start := time.Now()
	if err := w.fails(ssoInput(), call{}); err.Kind != resolver.KindLogin || time.Since(start) > time.Second {
		t.Errorf("a prompt got %s after %v", describe(err), time.Since(start))
	}
	close(agree)
	wait.Wait()
	if second.said[0] != "waiting for the login in another terminal" || len(second.visits) != 0 || len(p.visits) != 1 || len(p.said) != 0 {
		t.Errorf("the first: %q %q, the second: %q %q", p.visits, p.said, second.visits, second.said)
	}
	if w.calls("CreateToken") != 1 || w.calls("GetRoleCredentials") != 2 {
		t.Errorf("%+v", w.server.Calls())
	}
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("waited for too long")
}

func TestSSORenewal(t *testing.T) {
	t.Parallel()
	w := newSSOWorld(t)
	w.mustOpen(ssoInput(), loggingIn(&person{t: t}))
	w.change(testStartURL, func(fields map[string]any) {
		expired(fields)
		fields["somethingElse"] = map[string]any{"kept": true}
	})
	before := w.tokenFields(testStartURL)
	w.age(3600)
	w.mustOpen(ssoInput(), call{})
	after := w.tokenFields(testStartURL)
	if before["refreshToken"] == after["refreshToken"] || before["accessToken"] == after["accessToken"] || before["clientId"] != after["clientId"] {
		t.Error("the token was not renewed")
	}
	if fmt.Sprint(after["somethingElse"]) != "map[kept:true]" {
		t.Errorf("lost what is not ours: %v", after["somethingElse"])
	}
	if w.calls("CreateToken") != 2 {
		t.Errorf("%+v", w.server.Calls())
	}

	// Alive by our clock, and not by theirs.
	w.change(testStartURL, func(fields map[string]any) { fields["accessToken"] = "cAnArY" })
	w.age(3600)
	w.mustOpen(ssoInput(), call{})
	if w.calls("CreateToken") != 3 {
		t.Errorf("%+v", w.server.Calls())
	}

	// The administrator ends it: said once, remembered, until there is another.
	w.server.EndSSOSessions()
	w.age(3600)
	err := w.fails(ssoInput(), call{}, "cAnArY", after["refreshToken"].(string), after["accessToken"].(string))
	if err.Kind != resolver.KindLogin || err.Summary != "the SSO session of "+testStartURL+" has ended" {
		t.Errorf("got %s", describe(err))
	}
	calls := w.server.Calls().Total
	w.fails(ssoInput(), call{})
	w.fails(ssoInput(), call{patience: resolver.Detached})
	if w.server.Calls().Total != calls {
		t.Error("asked again before anybody logged in")
	}
	p := &person{t: t}
	w.mustOpen(ssoInput(), loggingIn(p))
	if len(p.visits) != 1 {
		t.Errorf("visited %q", p.visits)
	}
}

// TestSSOLoginByTheCLI: whoever logs in elsewhere is noticed.
func TestSSOLoginByTheCLI(t *testing.T) {
	w := newSSOWorld(t)
	w.mustOpen(ssoInput(), loggingIn(&person{t: t}))
	file, away := w.tokenFile(testStartURL), filepath.Join(w.dir, "away")
	if err := os.Rename(file, away); err != nil {
		t.Fatal(err)
	}
	w.age(3600)
	for range 2 { // found out, and remembered
		o, err := w.open(ssoInput(), call{})
		if err == nil || !slices.Contains(o.Files, file) {
			t.Errorf("%v: the appearance of %s is not a reason to try again: %q", err, file, o.Files)
		}
	}
	if err := os.Rename(away, file); err != nil {
		t.Fatal(err)
	}
	w.mustOpen(ssoInput(), call{})
}

func TestSSOWithAWrongClock(t *testing.T) {
	w := newSSOWorld(t)
	w.knobs(func(k *awstest.Knobs) { k.Skew = 50 * 60 })
	o := w.mustOpen(ssoInput(), loggingIn(&person{t: t}))
	if d := time.Until(o.ExpiresAt); d < 58*time.Minute || d > 59*time.Minute+time.Second {
		t.Errorf("served for %v", d)
	}
	w.mustOpen(ssoInput(), call{})
	if w.calls("GetRoleCredentials") != 1 {
		t.Errorf("%+v", w.server.Calls())
	}
}

// TestSSORenewalInManyProcesses: a refresh token that is used twice ends the
// session.
func TestSSORenewalInManyProcesses(t *testing.T) {
	t.Parallel()
	w := newSSOWorld(t)
	w.mustOpen(ssoInput(), loggingIn(&person{t: t}))
	w.change(testStartURL, expired)
	w.server.ResetCalls()
	var wait sync.WaitGroup
	for i := range 8 {
		in := ssoInput()
		in["sso"].(obj)["roleName"] = fmt.Sprintf("role-%d", i) // another step: nothing but the token is shared
		wait.Go(func() {
			if b, err := w.processOf(in).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, b)
			}
		})
	}
	wait.Wait()
	if w.calls("CreateToken") != 1 || w.calls("GetRoleCredentials") != 8 {
		t.Errorf("%+v", w.server.Calls())
	}
	w.change(testStartURL, expired)
	w.age(3600)
	w.mustOpen(ssoInput(), call{}) // the session lives
}

func TestSSOFailures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		knobs func(*awstest.Knobs)
		want  string
		hint  string
		kind  resolver.FailureKind
	}{
		{"not assigned", func(k *awstest.Knobs) { k.SSO.Assignments = map[string][]string{} }, "ForbiddenException: No access", "administrator", resolver.KindRefused},
		{"too many", func(k *awstest.Knobs) {
			k.Next = awstest.Next{Calls: 9, Status: 429, Code: "TooManyRequestsException", Message: "slow down"}
		}, "too many requests", "wait", resolver.KindNetwork},
		{"503", func(k *awstest.Knobs) { k.Outage = awstest.Unavailable }, "out of order: 503", "", resolver.KindNetwork},
		{"captive portal", func(k *awstest.Knobs) { k.Outage = awstest.HTML }, "web page", "", resolver.KindNetwork},
		{"redirect", func(k *awstest.Knobs) { k.Outage = awstest.Redirect }, "redirect, which is not followed", "", resolver.KindNetwork},
		{"truncated", func(k *awstest.Knobs) { k.Outage = awstest.Truncated }, "IAM Identity Center", "", resolver.KindNetwork},
		{"huge", func(k *awstest.Knobs) { k.Outage = awstest.Huge }, "more than 1 MiB", "", resolver.KindNetwork},
		{"refused", func(k *awstest.Knobs) { k.Outage = awstest.Refused }, "connection refused", "", resolver.KindNetwork},
		{"no expiration", func(k *awstest.Knobs) { k.Expiration = "absent" }, "", "", resolver.KindNetwork},
	} {
		for _, renewing := range []bool{false, true} {
			if renewing && slices.Contains([]string{"not assigned", "no expiration", "truncated"}, tt.name) {
				continue // the token is renewed; or its successor is lost, with the session
			}
			t.Run(fmt.Sprintf("%s renewing=%v", tt.name, renewing), func(t *testing.T) {
				w := newSSOWorld(t)
				w.mustOpen(ssoInput(), loggingIn(&person{t: t}))
				fields := w.tokenFields(testStartURL)
				if renewing {
					w.change(testStartURL, expired)
				}
				w.knobs(tt.knobs)
				w.age(3600)
				err := w.fails(ssoInput(), call{}, fields["accessToken"].(string), fields["refreshToken"].(string), fields["clientSecret"].(string))
				if err.Kind != tt.kind || !strings.Contains(err.Summary, tt.want) || !strings.Contains(err.Hint, tt.hint) {
					t.Errorf("got %s", describe(err))
				}
				// A network that failed has cost nobody the session.
				w.knobs(func(k *awstest.Knobs) { *k = awstest.Knobs{MaxDuration: 3600} })
				w.age(3600)
				w.mustOpen(ssoInput(), call{})
			})
		}
	}
}

func TestSSOProfileLogsIn(t *testing.T) {
	t.Parallel()
	w := newSSOWorld(t)
	session := "[sso-session my org]\nsso_region = eu-west-1\nsso_start_url = " + testStartURL + "/#/\n"
	w.write(".aws/config", `
[profile p]
sso_session = my org
sso_account_id = 123456789012
sso_role_name = dev
[profile old]
sso_start_url = https://old.awsapps.com/start
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = dev
[profile chained]
source_profile = p
role_arn = `+devRole+`
[profile half]
sso_start_url = https://old.awsapps.com/start
sso_region = eu-west-1
`+session)
	if err := w.fails(obj{"profile": "p"}, call{}); err.Kind != resolver.KindLogin || err.Summary != `nobody is logged in to the SSO session of profile "p"` {
		t.Errorf("got %s", describe(err))
	}
	p := &person{t: t}
	w.mustOpen(obj{"profile": "chained"}, loggingIn(p))
	w.mustOpen(obj{"profile": "p"}, loggingIn(p))
	w.mustOpen(ssoInput(), loggingIn(p)) // its start URL is that session's
	if len(p.visits) != 1 || w.tokenFields("my org")["accessToken"] == nil {
		t.Errorf("visited %q", p.visits)
	}
	w.mustOpen(obj{"profile": "old"}, loggingIn(p))
	if len(p.visits) != 2 || w.tokenFields("https://old.awsapps.com/start")["accessToken"] == nil {
		t.Errorf("visited %q", p.visits)
	}
	if err := w.fails(obj{"profile": "half"}, loggingIn(p)); !strings.Contains(err.Summary, `profile "half"`) || err.Kind != resolver.KindRefused {
		t.Errorf("got %s", describe(err))
	}
}

// TestSSOTokenFiles: what others wrote.
func TestSSOTokenFiles(t *testing.T) {
	soon, past := time.Now().Add(time.Hour).UTC(), time.Now().Add(-time.Hour).UTC()
	for _, tt := range []struct {
		content string
		usable  bool
	}{
		{fmt.Sprintf(`{"accessToken":"a","expiresAt":%q}`, soon.Format(time.RFC3339)), true},
		{fmt.Sprintf(`{"accessToken":"a","expiresAt":%q}`, soon.Format("2006-01-02T15:04:05UTC")), true},
		{fmt.Sprintf(`{"accessToken":"a","expiresAt":%q}`, past.Format(time.RFC3339)), false},
		{`{"accessToken":"a","expiresAt":"soon"}`, false},
		{`{"accessToken":1}`, false},
		{`{"clientId":"x","clientSecret":"y"}`, false},
		{`null`, false}, {`[]`, false}, {``, false}, {`{"accessToken":"a","expi`, false},
	} {
		if got := parseSSOToken([]byte(tt.content)).usable(time.Now()); got != tt.usable {
			t.Errorf("%s: %v", tt.content, got)
		}
	}
	w := newSSOWorld(t)
	file := w.tokenFile(testStartURL)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file, 0o700); err != nil { // no file at all, and none can be put there
		t.Fatal(err)
	}
	o := w.mustOpen(ssoInput(), loggingIn(&person{t: t}))
	if len(o.Notices) != 1 || !strings.Contains(o.Notices[0], "cannot keep the SSO session") {
		t.Errorf("said %q", o.Notices)
	}
}

func TestSessionNamed(t *testing.T) {
	const configuration = "\ufeff[default]\nsso_start_url = https://a/start\n\n[sso-session x]\nsso_start_url=https://b/start\n# [sso-session no]\n[ sso-session 'y z' ] ; note\n  sso_start_url = https://a/start/#\n[sso-session later]\nsso_start_url = https://a/start\n"
	for startURL, want := range map[string]string{"https://a/start": "y z", "https://b/start/": "x", "https://c/start": ""} {
		if got := sessionNamed([]byte(configuration), startURL); got != want {
			t.Errorf("%s: %q, want %q", startURL, got, want)
		}
	}
}

func TestRedirectOfAnSSOLoginIsRegistered(t *testing.T) {
	w := newSSOWorld(t)
	addresses := make(chan string, 1)
	p := &person{t: t}
	p.visit = func(address string) {
		addresses <- address
		p.get(address)
	}
	w.mustOpen(ssoInput(), loggingIn(p))
	u, err := url.Parse(<-addresses)
	if err != nil {
		t.Fatal(err)
	}
	got := u.Query()
	if got.Get("response_type") != "code" || got.Get("code_challenge_method") != "S256" || len(got.Get("code_challenge")) != 43 || len(got.Get("state")) != 43 || got.Get("scopes") != "sso:account:access" {
		t.Errorf("%v", got)
	}
	for _, r := range w.server.Requests() {
		if r.Action == "RegisterClient" && (r.Form.Get("redirectUris") != "http://127.0.0.1/oauth/callback" || r.Form.Get("clientType") != "public" || r.Form.Get("issuerUrl") != testStartURL ||
			strings.Join(r.Form["grantTypes"], " ") != "authorization_code refresh_token") {
			t.Errorf("%v", r.Form)
		}
	}
	nobodyListens(t, got.Get("redirect_uri"))
}

// TestAuthorizeURL: without an endpoint of the user's own.
func TestAuthorizeURL(t *testing.T) {
	for region, want := range map[string]string{
		"eu-west-1":     "https://oidc.eu-west-1.amazonaws.com/authorize?",
		"cn-north-1":    "https://oidc.cn-north-1.amazonaws.com.cn/authorize?",
		"us-gov-west-1": "https://oidc.us-gov-west-1.amazonaws.com/authorize?",
	} {
		l := &ssoLogin{session: &ssoSession{}, at: place{region: region}}
		got, err := l.authorizeURL(context.Background(), "http://127.0.0.1:1"+callbackPath, "state", "verifier")
		if err != nil || !strings.HasPrefix(got, want) || !strings.Contains(got, "redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Foauth%2Fcallback") {
			t.Errorf("%s: %s, %v", region, got, err)
		}
	}
}
