package aws

import (
	"context"
	"errors"
	"strings"
	"testing"

	"ambit/resolver"
)

// keeper stands for what keeps OIDC logins.
type keeper struct {
	t      *testing.T
	logins map[string]string // tokens by name; "": nobody is logged in
	asked  []string
}

func (k *keeper) token(_ context.Context, name string, asker resolver.Asker, _ resolver.Patience) ([]byte, error) {
	token, known := k.logins[name]
	switch {
	case !known:
		return nil, &resolver.OpenError{Summary: "there is no login \"" + name + "\" in config.yaml", Hint: "logins"}
	case token == "" && asker == nil:
		return nil, &resolver.OpenError{Kind: resolver.KindLogin, Summary: "not logged in to \"" + name + "\"", Hint: `run "ambit login ` + name + `"`}
	case token == "":
		k.asked = append(k.asked, name)
		k.logins[name] = "token"
	}
	return []byte(k.logins[name]), nil
}

func TestLoginToken(t *testing.T) {
	w := newWorld(t)
	k := &keeper{t: t, logins: map[string]string{"work": ""}}
	w.login = k.token
	work := oidc(obj{"login": "work"})
	if err := w.fails(work, call{}); err.Kind != resolver.KindLogin || err.Hint != `run "ambit login work"` || strings.Join(err.Path, ".") != "oidc.token.login" {
		t.Errorf("got %s at %v", describe(err), err.Path)
	}
	w.mustOpen(work, loggingIn(&person{t: t}))
	w.mustOpen(work, call{})
	if len(k.asked) != 1 || w.calls("AssumeRoleWithWebIdentity") != 1 {
		t.Errorf("asked for %q, %+v", k.asked, w.server.Calls())
	}
	if err := w.fails(oidc(obj{"login": "other"}), loggingIn(&person{t: t})); err.Kind != resolver.KindDefinition || !strings.Contains(err.Summary, `no login "other"`) {
		t.Errorf("got %s", describe(err))
	}
}

func TestLoginTokenByDefault(t *testing.T) {
	in := obj{"oidc": obj{"roleArn": devRole, "sessionName": "me"}}
	w := newWorld(t)
	k := &keeper{t: t, logins: map[string]string{}}
	w.login = k.token
	err := w.fails(in, call{})
	if err.Kind != resolver.KindLogin || !strings.Contains(err.Summary, "AWS_WEB_IDENTITY_TOKEN_FILE is not set, this is no GitHub Actions job, and there is no login \"default\"") {
		t.Errorf("got %s", describe(err))
	}
	k.logins["default"] = ""
	w.mustOpen(in, loggingIn(&person{t: t}))
	if len(k.asked) != 1 {
		t.Errorf("asked for %q", k.asked)
	}
	// The environment's comes first.
	w.env["AWS_WEB_IDENTITY_TOKEN_FILE"] = w.write("token", "from the file")
	w.mustOpen(in, call{})
	if r := w.server.Requests(); r[len(r)-1].Form.Get("WebIdentityToken") != "from the file" {
		t.Errorf("sent %v", r[len(r)-1].Form)
	}
}

// TestPanicIsNoGoText: what a panic says might hold a value.
func TestPanicIsNoGoText(t *testing.T) {
	w := newWorld(t)
	w.login = func(context.Context, string, resolver.Asker, resolver.Patience) ([]byte, error) { panic("cAnArY") }
	err := w.fails(oidc(obj{"login": "work"}), call{}, "cAnArY")
	if err.Summary != "the provider failed unexpectedly" {
		t.Errorf("got %s", describe(err))
	}
	errs := each(context.Background(), []int{1}, func(context.Context, int) error { panic("cAnArY") })
	var open *resolver.OpenError
	if !errors.As(errs, &open) || strings.Contains(errs.Error(), "cAnArY") {
		t.Errorf("got %v", errs)
	}
}

func TestSecretInputsAreNotRepeated(t *testing.T) {
	w := newWorld(t)
	in := ssoInput()
	hidden := value("https://cAnArY.awsapps.com/start")
	hidden.Secret = true
	in["sso"].(obj)["startUrl"] = hidden
	if err := w.fails(in, call{}, "cAnArY"); !strings.Contains(err.Summary, "[secret]") {
		t.Errorf("got %s", describe(err))
	}
}
