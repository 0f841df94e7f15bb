package resolver_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ambit/resolver"
)

// agree compares where variables were found to be from with what is said of them
// without opening anything.
func agree(t *testing.T, p *resolver.Program, r *resolver.Result) {
	t.Helper()
	one := func(name string, pos resolver.Position, file, opened bool) {
		o := p.Origin(name, testProviders)
		same := o.Place.Pos == pos
		switch o.Kind {
		case resolver.OriginVariable, resolver.OriginDotenv, resolver.OriginFollows:
		case resolver.OriginFile:
			same = same && file
		case resolver.OriginProvider:
			same = same || slices.ContainsFunc(o.Hides, func(s resolver.Sourced) bool { return s.Pos == pos })
		default:
			same = false
		}
		if text, err := os.ReadFile(o.Place.Pos.File); !same && err == nil && strings.Contains(string(text), "fn::final") {
			return // a result names the highest layer, though a final one below it stays
		}
		if !same {
			t.Errorf("%s is from %v, and %q says %v, hiding %v", name, pos, o.Kind, o.Place.Pos, o.Hides)
		}
		if opened && len(o.Opens) == 0 {
			t.Errorf("%s was opened, and its origin opens nothing", name)
		}
	}
	for _, v := range r.Variables {
		one(v.Name, v.Pos, false, v.Credential >= 0)
	}
	for _, f := range r.Files {
		one(f.Name, f.Pos, true, false)
	}
	for _, name := range r.Unset {
		if o := p.Origin(name, testProviders); o.Kind != resolver.OriginUnset && o.Kind != resolver.OriginTaken {
			t.Errorf("%s is unset, and its origin is %q", name, o.Kind)
		}
	}
	var path []string
	for _, e := range p.Origin("PATH", testProviders).Path {
		path = append(path, e.Directory)
	}
	if !slices.Equal(path, r.Path) {
		t.Errorf("PATH begins with %q, and its origin says %q", r.Path, path)
	}
	if o := p.Origin("NOT_THERE", testProviders); o.Kind != resolver.OriginNone && o.Kind != resolver.OriginProvider {
		t.Errorf("a variable that is not there has the origin %q", o.Kind)
	}
}

// originText writes an origin with the base names of its files.
func originText(o resolver.Origin) string {
	pos := func(p resolver.Position) string {
		if p.File == "" {
			return "-"
		}
		return fmt.Sprintf("%s:%d:%d", strings.TrimSuffix(filepath.Base(p.File), ".yaml"), p.Line, p.Column)
	}
	place := func(s resolver.Sourced) string {
		text := pos(s.Pos)
		for _, i := range s.Imports {
			text += "<" + pos(i)
		}
		return text
	}
	parts := []string{string(o.Kind)}
	if o.Place.Pos.File != "" {
		parts = append(parts, place(o.Place))
	}
	if o.Because != "" {
		parts = append(parts, "because "+o.Because)
	}
	if o.Secret {
		parts = append(parts, "secret")
	}
	for _, h := range o.Hides {
		parts = append(parts, "hides "+place(h))
	}
	for _, e := range o.Path {
		parts = append(parts, "path "+filepath.Base(e.Directory)+" "+place(e.Place))
	}
	for _, u := range o.Uses {
		parts = append(parts, fmt.Sprintf("uses %s %s→%s", u.Path, pos(u.Pos), pos(u.To)))
	}
	for _, a := range o.Opens {
		text := "opens " + a.Provider + " " + place(a.Place)
		a.VisitTexts(func(path, value string) { text += " " + path + "=" + value })
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

func TestOrigin(t *testing.T) {
	m := memory{
		"/store/shop/base.yaml": `values:
  region: eu-central-1
  account: { id: "123456789012" }
  environmentVariables:
    AWS_REGION: ${region}
    LEVEL: info
    ONLY: base
    LOCKED: { fn::final: here }
`,
		"/store/shop/dev.yaml": `imports: [shop/base, shop/vars]
values:
  aws:
    login:
      fn::open::aws-login:
        oidc: { roleArn: "arn:aws:iam::${account.id}:role/dev", token: { file: ~/t } }
  password: { fn::secret: hush }
  db: { fn::open::aws-secrets: { login: "${aws.login}", apiKey: plain, note: "${password}" } }
  environmentVariables:
    AWS_ACCESS_KEY_ID: ${aws.login.accessKeyId}
    AWS_SECRET_ACCESS_KEY: ${aws.login.secretAccessKey}
    LEVEL: debug
    LOCKED: again
    URL: db://${password}@${account["id"]}/${region}
    DB: ${db.url}
  files: { CERT: "${password}" }
`,
		"/store/shop/vars.yaml": `values:
  more: { MERGED: "1", LEVEL: low }
  environmentVariables: ${more}
`,
		"/store/shop/static.yaml": `values:
  keys: { fn::open::aws-login: { static: { accessKeyId: AKIA1, secretAccessKey: hush, sessionToken: hush } } }
  environmentVariables: { AWS_PROFILE: "${keys.accessKeyId}", AWS_ACCOUNT_ID: "1" }
`,
		"/store/shop/data.yaml": `imports: [shop/base]
values:
  environmentVariables: { fn::open::other: { path: x } }
`,
		"/store/shop/cycle.yaml": `values:
  a: ${b}
  b: ${a}
  environmentVariables: { LOOP: "${a}" }
`,
	}
	const login = "opens aws-login dev:5:7 oidc.roleArn=arn:aws:iam::123456789012:role/dev oidc.token.file=~/t"
	for _, c := range []struct{ env, name, want string }{
		{"shop/base", "LEVEL", "variable; base:6:5"},
		{"shop/dev", "LEVEL", "variable; dev:12:5; hides vars:2:24<dev:1:22; hides base:6:5<dev:1:11"},
		{"shop/dev", "ONLY", "variable; base:7:5<dev:1:11"},
		{"shop/dev", "MERGED", "variable; vars:2:11<dev:1:22; uses more vars:3:25→vars:2:9"},
		{"shop/dev", "LOCKED", "variable; base:8:5<dev:1:11; hides dev:13:5"},
		{"shop/dev", "URL", `variable; dev:14:5; secret; uses password dev:14:15→dev:7:27; uses account.id dev:14:27→base:3:18; uses region dev:14:44→base:2:11`},
		{"shop/dev", "CERT", "file; dev:16:12; secret; uses password dev:16:18→dev:7:27"},
		{"shop/dev", "AWS_REGION", "variable; base:5:5<dev:1:11; uses region base:5:17→base:2:11"},
		{"shop/dev", "AWS_DEFAULT_REGION", "follows; base:5:5<dev:1:11; because AWS_REGION; uses region base:5:17→base:2:11"},
		{"shop/dev", "AWS_ACCESS_KEY_ID", "variable; dev:10:5; uses aws.login.accessKeyId dev:10:24→dev:5:7; uses account.id dev:6:26→base:3:18; " + login},
		{"shop/dev", "AWS_CREDENTIAL_EXPIRATION", "follows; dev:10:5; because AWS_ACCESS_KEY_ID; uses aws.login.accessKeyId dev:10:24→dev:5:7; uses account.id dev:6:26→base:3:18; " + login},
		{"shop/dev", "AWS_PROFILE", "taken; dev:10:5; because AWS_ACCESS_KEY_ID; uses aws.login.accessKeyId dev:10:24→dev:5:7; uses account.id dev:6:26→base:3:18; " + login},
		{"shop/dev", "NOTHING", ""},
		{"shop/dev", "PATH", ""},
		{"shop/static", "AWS_PROFILE", "variable; static:3:27; uses keys.accessKeyId static:3:40→static:2:9; opens aws-login static:2:11 static.accessKeyId=AKIA1 static.secretAccessKey=[secret] static.sessionToken=[secret]"},
		{"shop/static", "AWS_ACCOUNT_ID", "variable; static:3:63"},
		{"shop/data", "LEVEL", "provider; data:3:25; hides base:6:5<data:1:11; opens other data:3:27 path=x"},
		{"shop/data", "ANY", "provider; data:3:25; opens other data:3:27 path=x"},
		{"shop/cycle", "LOOP", "variable; cycle:4:27; uses a cycle:4:33→cycle:3:6; uses b cycle:2:6→cycle:3:6; uses a cycle:3:6→cycle:3:6"},
	} {
		p, diags := resolver.Load(context.Background(), m, resolver.Root{Name: c.env}, resolver.LoadOptions{Home: "/home"})
		if resolver.HasErrors(diags) {
			t.Fatalf("%s: %v", c.env, diags)
		}
		if got := originText(p.Origin(c.name, nil)); got != c.want {
			t.Errorf("%s of %s:\n got %s\nwant %s", c.name, c.env, got, c.want)
		}
	}
	p, _ := resolver.Load(context.Background(), m, resolver.Root{Name: "shop/dev"}, resolver.LoadOptions{Home: "/home"})
	got := originText(p.Origin("DB", nil))
	if !strings.Contains(got, "opens aws-secrets dev:8:9 apiKey=[secret] login=[unknown] note=[secret]") || !strings.Contains(got, "opens aws-login") || strings.Contains(got, "hush") {
		t.Errorf("DB: %s", got)
	}
}
