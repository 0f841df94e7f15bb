package resolver_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/cache"
)

// logins opens `x-login: NAME` to keys that tell where they come from, and counts;
// any other provider is one that must not be opened.
func logins(opened *atomic.Int32) map[string]*resolver.Provider {
	open := func(_ context.Context, call *resolver.Call) (resolver.Opened, error) {
		opened.Add(1)
		name := call.Inputs.Object["name"].Text
		return resolver.Opened{
			Value: resolver.Value{Kind: resolver.Object, Object: map[string]resolver.Value{
				"accessKeyId": text("ID-" + name), "secretAccessKey": text("SECRET-" + name), "sessionToken": text("TOKEN-" + name),
			}},
			RefreshAt: now.Add(48 * time.Minute), ExpiresAt: now.Add(59 * time.Minute),
			Credential: &cache.Credential{Source: name}, Notices: []string{"of " + name},
		}, nil
	}
	wrong := func(context.Context, *resolver.Call) (resolver.Opened, error) {
		return resolver.Opened{}, fmt.Errorf("this was not to be opened")
	}
	any := &resolver.Schema{Open: true}
	return map[string]*resolver.Provider{
		"aws-login": {Name: "aws-login", Version: 1, Inputs: any, OwnCache: true, Open: open},
		"other":     {Name: "other", Version: 1, Inputs: any, Open: wrong},
	}
}

func TestCredentials(t *testing.T) {
	const two = `values:
  a: { login: { "fn::open::aws-login": { name: a } } }
  b: [{ "fn::open::aws-login": { name: b } }]
`
	const exports = `  environmentVariables:
    AWS_ACCESS_KEY_ID: ${%s.accessKeyId}
    AWS_SECRET_ACCESS_KEY: ${%s.secretAccessKey}
    AWS_SESSION_TOKEN: ${%s.sessionToken}
    OTHER: { "fn::open::other": {} }
`
	export := func(id, secret, token string) string { return two + fmt.Sprintf(exports, id, secret, token) }
	for _, c := range []struct {
		name, definition, path string
		want                   string // id, secret, token; or the error and its hint
		opens                  int
	}{
		{"of the variables", export("a.login", "a.login", "a.login"), "", "ID-a SECRET-a TOKEN-a", 1},
		{"at a path", export("a.login", "a.login", "a.login"), "b[0]", "ID-b SECRET-b TOKEN-b", 1},
		{"of several logins", export("a.login", "b[0]", "b[0]"), "", "p exports the keys of several logins; name a login: a.login, b[0]", 2},
		{"with another's token", export("a.login", "a.login", "b[0]"), "", "p exports the keys of several logins; name a login: a.login, b[0]", 2},
		{"no variables and two logins", two, "", "p exports no AWS credentials; name a login: a.login, b[0]", 0},
		{"no variables and one login", "values:\n  'odd.key': { 'fn::open': { provider: aws-login, inputs: { name: a } } }\n", "", "ID-a SECRET-a TOKEN-a", 1},
		{"nothing at all", "values: {}\n", "", "p exports no AWS credentials; set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN in environmentVariables", 0},
		{"an id without a secret", "values:\n  environmentVariables: { AWS_ACCESS_KEY_ID: AKIA }\n", "", "environmentVariables has no AWS credentials; set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN in environmentVariables", 0},
		{"keys that last", "values:\n  environmentVariables: { AWS_ACCESS_KEY_ID: AKIA, AWS_SECRET_ACCESS_KEY: s }\n", "", "AKIA s ", 0},
		{"unset", "unset: [AWS_SESSION_TOKEN]\nimports: [x/all]\n", "", "ID-a SECRET-a ", 1},
		{"a path to text", two, "a.login.accessKeyId", "a.login.accessKeyId has no AWS credentials; name a login: a.login, b[0]", 1},
		{"a path to nothing", two, "a.logn", `unknown property "logn"; did you mean "login"?`, 0},
		{"a path that is none", two, "a..b", "invalid path: the reference lacks a name here; ", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var opened atomic.Int32
			m := memory{"/p/.envrc.yaml": c.definition, "/store/x/all.yaml": export("a.login", "a.login", "a.login")}
			p, diags := resolver.Load(context.Background(), m, resolver.Root{File: "/p/.envrc.yaml"}, resolver.LoadOptions{})
			if resolver.HasErrors(diags) {
				t.Fatal(printed(diags))
			}
			got, diags := p.Credentials(context.Background(), resolver.Options{
				Providers: logins(&opened), Now: func() time.Time { return now }, Env: resolver.NewBaseline(nil),
			}, c.path)
			said := ""
			switch {
			case got != nil:
				said = got.AccessKeyID + " " + got.SecretAccessKey.Reveal() + " " + got.SessionToken.Reveal()
				login := strings.HasPrefix(got.AccessKeyID, "ID-")
				if login != got.ExpiresAt.Equal(now.Add(59*time.Minute)) || login != got.RefreshAt.Equal(now.Add(48*time.Minute)) || login != slices.Equal(got.Notices, []string{"of " + got.AccessKeyID[max(0, len(got.AccessKeyID)-1):]}) {
					t.Errorf("renewed at %s, ends at %s, notices %q", got.RefreshAt, got.ExpiresAt, got.Notices)
				}
			case len(diags) > 0:
				said = diags[0].Summary + "; " + diags[0].Hint
			}
			if said != c.want {
				t.Errorf("got  %q\nwant %q", said, c.want)
			}
			if n := int(opened.Load()); n != c.opens {
				t.Errorf("%d opens, want %d", n, c.opens)
			}
		})
	}
}

func TestNames(t *testing.T) {
	m := memory{"/p/.envrc.yaml": "environment: [a/b, c]\n", "/q/.envrc.yaml": "values: {}\n", "/p/r/.envrc.yaml": "inherit: true\nenvironment: d\n", "/store/d.yaml": "values: {}\n", "/store/a/b.yaml": "values: {}\n", "/store/c.yaml": "values: {}\n"}
	for _, c := range []struct {
		root resolver.Root
		want []string
	}{
		{resolver.Root{File: "/p/.envrc.yaml"}, []string{"a/b", "c"}},
		{resolver.Root{File: "/q/.envrc.yaml"}, nil},
		{resolver.Root{File: "/p/r/.envrc.yaml"}, []string{"a/b", "c", "d"}},
		{resolver.Root{Name: "a/b"}, []string{"a/b"}},
	} {
		p, diags := resolver.Load(context.Background(), m, c.root, resolver.LoadOptions{})
		if len(diags) > 0 {
			t.Fatal(printed(diags))
		}
		if got := p.Names(); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.root, got, c.want)
		}
	}
}
