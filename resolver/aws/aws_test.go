package aws

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/aws/awstest"
	"ambit/resolver/cache"
	"ambit/resolver/exec"
)

const devRole = "arn:aws:iam::123456789012:role/dev"

// world is a person's machine: a server, a cache, an environment, a clock.
type world struct {
	t      *testing.T
	server *awstest.Server
	dir    string // home
	env    map[string]string
	cache  *cache.Dir
	run    func(ctx context.Context, c resolver.Command) ([]byte, error)
	login  func(ctx context.Context, name string, asker resolver.Asker, patience resolver.Patience) ([]byte, error)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), run: exec.Run}
	s, err := awstest.Start(awstest.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w.server = s
	w.env = map[string]string{"PATH": os.Getenv("PATH"), "HOME": w.dir, "AWS_ENDPOINT_URL_STS": s.URL, "AWS_REGION": "eu-central-1"}
	if w.cache, err = cache.Open(filepath.Join(w.dir, "cache"), os.Getuid()); err != nil {
		t.Fatal(err)
	}
	return w
}

// age lets time pass for all that is kept.
func (w *world) age(seconds int64) {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.cache.Path(), "opens", "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range files {
		key := filepath.Base(f)
		o := w.cache.Opened(key, time.Now())
		if o == nil {
			w.t.Fatalf("%s cannot be read", key)
		}
		for _, instant := range []*int64{&o.Acquired, &o.RefreshAt, &o.ExpiresAt} {
			if *instant != 0 {
				*instant -= seconds
			}
		}
		if o.Failure != nil {
			o.Failure.RetryAt -= seconds
		}
		if err := w.cache.PutOpened(key, o); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) knobs(change func(*awstest.Knobs)) {
	w.t.Helper()
	if err := w.server.Update(change); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) write(name, content string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

type call struct {
	patience resolver.Patience
	fresh    bool
	asker    resolver.Asker
	ctx      context.Context
}

// open calls the provider as a new process would.
func (w *world) open(inputs any, how call) (resolver.Opened, error) {
	return w.openBy(New(Options{Cache: w.cache, RunCommand: w.run, LoginToken: w.login}), inputs, how)
}

func (w *world) openBy(p *resolver.Provider, inputs any, how call) (resolver.Opened, error) {
	var environ []string
	for name, value := range w.env {
		environ = append(environ, name+"="+value)
	}
	ctx := how.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	return p.Open(ctx, &resolver.Call{
		Inputs: w.absolute(value(inputs)), File: filepath.Join(w.dir, ".envrc.yaml"), Env: resolver.NewBaseline(environ),
		Now: time.Now, Patience: how.patience, Fresh: how.fresh, Asker: how.asker,
	})
}

// absolute does what the resolver does to inputs that are paths.
func (w *world) absolute(in resolver.Value) resolver.Value {
	token := in.Object["oidc"].Object["token"].Object
	if file := token["file"]; file.Text != "" && !filepath.IsAbs(file.Text) {
		file.Text = filepath.Join(w.dir, file.Text)
		token["file"] = file
	}
	return in
}

func (w *world) mustOpen(inputs any, how call) resolver.Opened {
	w.t.Helper()
	o, err := w.open(inputs, how)
	if err != nil {
		w.t.Fatal(describe(err))
	}
	return o
}

// fails opens and returns the error, which must not hold any of the secrets.
func (w *world) fails(inputs any, how call, secrets ...string) *resolver.OpenError {
	w.t.Helper()
	o, err := w.open(inputs, how)
	if err == nil {
		w.t.Fatalf("opened %s", o.Value.Object["accessKeyId"].Text)
	}
	var open *resolver.OpenError
	if !errors.As(err, &open) {
		w.t.Fatalf("not an OpenError: %v", err)
	}
	for e := error(open); e != nil; e = errors.Unwrap(e) {
		if _, inner := e.(quiet); inner {
			break // what it hides is for errors.Is alone
		}
		for _, s := range secrets {
			if strings.Contains(e.Error()+open.Hint, s) {
				w.t.Errorf("a secret shows in: %v (hint: %s)", e, open.Hint)
			}
		}
	}
	if strings.ContainsAny(open.Summary+open.Hint, "\n") || len(open.Summary) > 700 {
		w.t.Errorf("not one short line: %q", open.Summary)
	}
	return open
}

func (w *world) calls(action string) int { return w.server.Calls().ByAction[action] }

func describe(err error) string {
	var open *resolver.OpenError
	if errors.As(err, &open) {
		return fmt.Sprintf("%s: %s (hint: %s)", open.Kind, open.Summary, open.Hint)
	}
	return err.Error()
}

// value makes a language value of maps, lists, texts and numbers.
func value(v any) resolver.Value {
	switch v := v.(type) {
	case map[string]any:
		out := resolver.Value{Kind: resolver.Object, Object: map[string]resolver.Value{}}
		for key, item := range v {
			out.Object[key] = value(item)
		}
		return out
	case []any:
		out := resolver.Value{Kind: resolver.List}
		for _, item := range v {
			out.List = append(out.List, value(item))
		}
		return out
	case string:
		return resolver.Value{Kind: resolver.String, Text: v}
	case int:
		return resolver.Value{Kind: resolver.Number, Text: fmt.Sprint(v)}
	case bool:
		return resolver.Value{Kind: resolver.Bool, Bool: v}
	case resolver.Value:
		return v
	}
	panic(fmt.Sprintf("no value: %T", v))
}

type obj = map[string]any

func oidc(token any) obj {
	return obj{"oidc": obj{"roleArn": devRole, "sessionName": "ambit-shop", "duration": "1h", "token": token}}
}

func jwt(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS256"}`)) + "." + enc([]byte(claims)) + "." + enc([]byte("signature"))
}

func id(o resolver.Opened) string { return o.Value.Object["accessKeyId"].Text }

func TestOIDCFromAFile(t *testing.T) {
	w := newWorld(t)
	w.write("token", "  opaque-token\n\n") // trimmed: STS would refuse the line break
	o := w.mustOpen(oidc(obj{"file": "token"}), call{})
	v := o.Value.Object
	if !strings.HasPrefix(id(o), "ASIA") || !v["secretAccessKey"].Secret || !v["sessionToken"].Secret || v["accessKeyId"].Secret {
		t.Errorf("secretness or shape is wrong")
	}
	if got := w.server.Requests()[0].Form.Get("WebIdentityToken"); got != "opaque-token" {
		t.Errorf("STS got token %q", got)
	}
	expiration, err := time.Parse(time.RFC3339, v["expiration"].Text)
	if err != nil || !strings.HasSuffix(v["expiration"].Text, "Z") {
		t.Fatalf("expiration %q: %v", v["expiration"].Text, err)
	}
	if before := expiration.Sub(o.RefreshAt); before < 11*time.Minute || before > 13*time.Minute {
		t.Errorf("refresh %v before the end", before)
	}
	if before := expiration.Sub(o.ExpiresAt); before < 59*time.Second || before > 62*time.Second {
		t.Errorf("served until %v before the end", before)
	}
	c := o.Credential
	if c.ARN != "arn:aws:sts::123456789012:assumed-role/dev/ambit-shop" || c.Account != "123456789012" || c.Source != "oidc" || c.ExpiresAt != o.ExpiresAt.Unix() {
		t.Errorf("credential %+v", c)
	}
	again := w.mustOpen(oidc(obj{"file": "token"}), call{})
	if id(again) != id(o) || w.calls("AssumeRoleWithWebIdentity") != 1 || !again.ExpiresAt.Equal(o.ExpiresAt) || again.Credential.ARN != c.ARN {
		t.Errorf("not served from the cache: %d calls", w.calls("AssumeRoleWithWebIdentity"))
	}
}

func TestOIDCTokenSources(t *testing.T) {
	for _, tt := range []struct {
		name  string
		token any
		set   func(w *world)
	}{
		{"env", obj{"env": "CI_TOKEN"}, func(w *world) { w.env["CI_TOKEN"] = " tok-1\n" }},
		{"command", obj{"command": []any{"print-token", "--now"}}, func(w *world) {
			w.run = func(_ context.Context, c resolver.Command) ([]byte, error) {
				if strings.Join(c.Argv, " ") != "print-token --now" || c.Dir != w.dir || c.Env == nil {
					return nil, fmt.Errorf("asked for %q in %q", c.Argv, c.Dir)
				}
				return []byte("tok-1\r\n"), nil
			}
		}},
		{"symlink", obj{"file": "link"}, func(w *world) {
			if err := os.Symlink(w.write("data", "tok-1"), filepath.Join(w.dir, "link")); err != nil {
				t.Fatal(err)
			}
		}},
		{"variable names the file", nil, func(w *world) { w.env["AWS_WEB_IDENTITY_TOKEN_FILE"] = w.write("irsa", "tok-1\n") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tt.set(w)
			in := oidc(orNothing(tt.token))
			if tt.token == nil {
				delete(in["oidc"].(obj), "token")
			}
			w.mustOpen(in, call{})
			if got := w.server.Requests()[0].Form.Get("WebIdentityToken"); got != "tok-1" {
				t.Errorf("STS got token %q", got)
			}
		})
	}
}

func TestOIDCTokenRefused(t *testing.T) {
	const canary = "cAnArY-token"
	past := jwt(fmt.Sprintf(`{"iss":"https://i","sub":%q,"exp":%d}`, canary, time.Now().Add(-90*time.Second).Unix()))
	for _, tt := range []struct {
		name  string
		token any
		set   func(w *world)
		want  string
		kind  resolver.FailureKind
	}{
		{"missing file", obj{"file": "nowhere"}, nil, "nowhere\": no such file", resolver.KindRefused},
		{"directory", obj{"file": "."}, nil, "is not a regular file", resolver.KindRefused},
		{"empty", obj{"file": "t"}, func(w *world) { w.write("t", " \n") }, "is empty", resolver.KindRefused},
		{"too large", obj{"file": "t"}, func(w *world) { w.write("t", strings.Repeat("x", 65<<10)) }, "larger than 64 KiB", resolver.KindRefused},
		{"two lines", obj{"file": "t"}, func(w *world) { w.write("t", canary+"\n"+canary) }, "more than one line", resolver.KindRefused},
		{"expired", obj{"file": "t"}, func(w *world) { w.write("t", past) }, "has expired 1m ago", resolver.KindRefused},
		{"no variable", obj{"env": "NOT_SET"}, nil, "variable NOT_SET: is not set", resolver.KindRefused},
		{"command fails", obj{"command": []any{"x"}}, func(w *world) {
			w.run = func(context.Context, resolver.Command) ([]byte, error) {
				return []byte(canary), errors.New("exit status 3")
			}
		}, "exit status 3", resolver.KindRefused},
		{"login", obj{"login": "work"}, nil, `there is no login "work"`, resolver.KindDefinition},
		{"nothing", nil, nil, "AWS_WEB_IDENTITY_TOKEN_FILE is not set", resolver.KindLogin},
		{"no permission in GitHub Actions", obj{"githubActions": obj{}}, nil, "GitHub Actions offers no OIDC token", resolver.KindRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			if tt.set != nil {
				tt.set(w)
			}
			in := oidc(orNothing(tt.token))
			if tt.token == nil {
				delete(in["oidc"].(obj), "token")
			}
			err := w.fails(in, call{}, canary)
			if !strings.Contains(err.Summary, tt.want) || err.Kind != tt.kind || err.Hint == "" {
				t.Errorf("got %s", describe(err))
			}
			if w.server.Calls().Total != 0 {
				t.Error("STS was asked")
			}
		})
	}
}

func TestHundredColdProcessesMakeOneCall(t *testing.T) {
	w := newWorld(t)
	w.write("token", "token")
	w.knobs(func(k *awstest.Knobs) { k.Slow = 300 })
	var wg sync.WaitGroup
	ids := make([]string, 100)
	for i := range ids {
		wg.Go(func() {
			o, err := w.open(oidc(obj{"file": "token"}), call{})
			if err != nil {
				t.Error(describe(err))
				return
			}
			ids[i] = id(o)
		})
	}
	wg.Wait()
	if n := w.server.Calls().Total; n != 1 {
		t.Errorf("%d calls", n)
	}
	for _, got := range ids {
		if got != ids[0] {
			t.Fatalf("different keys: %s and %s", got, ids[0])
		}
	}
}

func TestHundredColdProcessesShareAFailure(t *testing.T) {
	w := newWorld(t)
	w.write("token", "token")
	w.knobs(func(k *awstest.Knobs) { k.Slow = 300; k.Outage = awstest.Unavailable })
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := w.open(oidc(obj{"file": "token"}), call{}); err == nil || !strings.Contains(describe(err), "out of order: 503") {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if n := w.server.Calls().Total; n != 1 {
		t.Errorf("%d calls", n)
	}
}

func orNothing(token any) any {
	if token == nil {
		return obj{}
	}
	return token
}
