package main_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
	"ambit/resolver/oidc/oidctest"
)

// workDev is an environment behind the login "work".
const workDev = `values:
  aws:
    login:
      fn::open::aws-login:
        oidc:
          duration: 1h
          roleArn: arn:aws:iam::123456789012:role/dev
          sessionName: ambit-shop
          token: { login: work }
  environmentVariables:
    AWS_ACCESS_KEY_ID: ${aws.login.accessKeyId}
    AWS_SECRET_ACCESS_KEY: ${aws.login.secretAccessKey}
    AWS_SESSION_TOKEN: ${aws.login.sessionToken}
    AWS_REGION: eu-central-1
`

// office gives the house a loopback AWS that trusts an OpenID provider, a browser,
// and the project home/shop behind the login "work".
func (h *house) office() (*awstest.Server, *oidctest.Provider) {
	h.t.Helper()
	need(h.t, "curl")
	p := oidctest.Start(h.t, oidctest.Knobs{})
	s, err := awstest.Start(awstest.Options{Now: time.Now})
	must(h.t, err)
	h.t.Cleanup(s.Close)
	must(h.t, s.Update(func(k *awstest.Knobs) { k.Issuers = map[string][]string{p.URL: {oidctest.ClientID}} }))
	h.env["AWS_ENDPOINT_URL_STS"] = s.URL
	// It notes each tab, and follows where the provider sends it.
	browser := h.write("bin/browser", `#!/bin/sh
echo tab >>"$HOME/tabs"
echo noise; echo noise >&2
exec curl -sSL -c "$HOME/cookies-$$" -o "$HOME/page" "$1"
`)
	must(h.t, os.Chmod(browser, 0o755))
	h.env["BROWSER"] = browser
	h.write("home/.config/ambit/config.yaml", fmt.Sprintf("logins:\n  work: { issuer: %q, clientId: ambit }\n", p.URL))
	h.environment("shop/dev", workDev)
	h.loaded("home/shop", "environment: shop/dev\n")
	return s, p
}

// tabs is how many were opened.
func (h *house) tabs() int {
	h.t.Helper()
	b, err := os.ReadFile(h.path("home/tabs"))
	if err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
	return strings.Count(string(b), "\n")
}

const (
	notLoggedIn = `ambit: error: ~/.config/ambit/environments/shop/dev.yaml:…: aws-login: not logged in to "work"…`
	hintLogin   = `ambit: hint: run "ambit login work"`
)

func TestLogin(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		s, p := h.office()
		tm, other := h.open(sh), h.open(sh)
		before := tm.env()
		tm.cd("home/shop", notLoggedIn, hintLogin)
		tm.want("true") // said once
		other.cd("home/shop", notLoggedIn, hintLogin)
		if n := assumed(s); n != 0 {
			t.Errorf("%d calls of STS without a token", n)
		}
		if c := p.Calls(t); len(c) != 0 {
			t.Errorf("a prompt asked the provider: %v", c)
		}
		// The other commands that need it say the same, and wait for nobody.
		if out, status := tm.run("ambit run -- true"); status != 125 || !strings.Contains(out, hintLogin) {
			t.Errorf("ambit run: status %d, %q", status, out)
		}
		if out, status := tm.run("ambit open shop/dev"); status != 1 || !strings.Contains(out, hintLogin) {
			t.Errorf("ambit open: status %d, %q", status, out)
		}
		loaded := "ambit: shop/dev loaded (+6) · credentials for 59m"
		tm.want("ambit login",
			`ambit: log in to "work" in the browser; if none opens, go to `+p.URL+`/auth?…`,
			"ambit: warning: the refresh token is kept in a file that you alone can read: no keyring of the operating system answers",
			"ambit: logged in; shop/dev has credentials for 59m", loaded)
		other.want("true", loaded)
		tm.holds(tm.env(), "AWS_ACCESS_KEY_ID", other.env()["AWS_ACCESS_KEY_ID"], "AWS_REGION", "eu-central-1")
		if out, _ := tm.run("ambit whoami"); !strings.Contains(out, "assumed-role/dev/ambit-shop") {
			t.Errorf("whoami says %s", out)
		}
		if page := h.read("home/page"); !strings.Contains(page, "You are logged in") {
			t.Errorf("the browser shows %s", page)
		}
		if n := assumed(s); n != 1 || h.tabs() != 1 {
			t.Errorf("%d calls of STS, %d tabs", n, h.tabs())
		}
		tm.want("ambit login", "ambit: already logged in; shop/dev has credentials for 59m")
		tm.want("ambit login work", "ambit: already logged in; work: alice@example.com")
		if h.tabs() != 1 {
			t.Errorf("%d tabs", h.tabs())
		}

		// Dead keys and a dead ID token: the prompt has them renewed, and nobody is asked.
		must(t, os.RemoveAll(h.path("home/.cache/ambit/opens")))
		must(t, os.RemoveAll(h.path("home/.cache/ambit/entries")))
		fresh := h.open(sh)
		fresh.cd("home/shop", loaded)
		if c := p.Calls(t); c["grant refresh_token"] != 1 || h.tabs() != 1 {
			t.Errorf("%v, %d tabs", c, h.tabs())
		}

		tm.want("ambit logout work",
			"ambit: logged out of work (alice@example.com)",
			"ambit: credentials that were handed out live until …; AWS cannot recall them",
			"ambit: shop/dev unloaded", notLoggedIn, hintLogin)
		other.want("true", "ambit: shop/dev unloaded", notLoggedIn, hintLogin)
		env := tm.env()
		tm.holds(env, "AWS_ACCESS_KEY_ID", unset, "AWS_SESSION_TOKEN", unset)
		if c := p.Calls(t); c["POST /token/revocation"] != 1 {
			t.Errorf("%v", c)
		}
		if files := filesBelow(t, h.path("home/.local/state/ambit/tokens"), "{"); len(files) != 0 {
			t.Errorf("left behind: %q", files)
		}
		tm.want("ambit logout work", "ambit: not logged in to work")
		tm.cd("home")
		tm.same("after leaving", tm.env(), before)
		h.left(5*time.Second, tm.pid(), other.pid(), fresh.pid())
	})
}

// Two terminals log in at once: one tab, and both have it.
func TestLoginInTwoTerminals(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s, p := h.office()
	p.Set(t, oidctest.Knobs{Slow: func() *int { n := 3000; return &n }()})
	first, second := h.open("bash"), h.open("bash")
	for _, tm := range []*terminal{first, second} {
		tm.cd("home/shop", notLoggedIn, hintLogin)
	}
	first.typeLine("ambit login")
	first.expect("in the browser")
	second.typeLine("ambit login")
	second.expect("ambit: waiting for the login in another terminal")
	for _, tm := range []*terminal{first, second} {
		if out, status := tm.prompted(); status != 0 || !strings.Contains(out, "ambit: shop/dev loaded (+6)") {
			t.Errorf("status %d, %q", status, out)
		}
	}
	if n := p.Calls(t)["GET /auth"]; n != 1 || h.tabs() != 1 || assumed(s) != 1 {
		t.Errorf("%d authorization requests, %d tabs, %d calls of STS", n, h.tabs(), assumed(s))
	}
}

// A login that is given up, one that is refused, and a terminal that is closed: no
// process, no listener and no lock is left.
func TestLoginAbandoned(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, p := h.office()
	p.Set(t, oidctest.Knobs{Person: "absent"})
	tm := h.open("bash")
	tm.cd("home/shop", notLoggedIn, hintLogin)
	redirect := regexp.MustCompile(`127\.0\.0\.1%3A(\d+)%2Fcallback`)
	free := func(out string) {
		t.Helper()
		m := redirect.FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("no redirect in %q", out)
		}
		if _, _, err := oidctest.Browse("http://127.0.0.1:" + m[1] + "/callback"); err == nil {
			t.Error("something still listens")
		}
		locked := filesBelow(t, h.path("home/.cache/ambit/locks"), "")
		for _, path := range locked {
			f, err := os.Open(path)
			must(t, err)
			if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
				t.Errorf("%s is held: %v", filepath.Base(path), err)
			}
			must(t, f.Close())
		}
	}
	tm.typeLine("ambit login work")
	out := tm.expect("&state=")
	tm.interrupt()
	rest, status := tm.prompted()
	if status != 130 || !strings.Contains(rest, "ambit: error: interrupted") {
		t.Errorf("status %d, %q", status, rest)
	}
	free(out + rest)

	p.Set(t, oidctest.Knobs{Person: "refuses"})
	out, status = tm.run("ambit login work")
	if status != 1 || !strings.Contains(out, `ambit: error: login "work": `) || !strings.Contains(out, "access_denied: the person said no") || !strings.Contains(out, hintLogin) {
		t.Errorf("status %d, %q", status, out)
	}
	free(out)

	p.Set(t, oidctest.Knobs{Person: "absent"})
	tm.typeLine("ambit login work")
	out = tm.expect("&state=")
	must(t, tm.pty.Close())
	tm.waitEnd()
	h.left(10 * time.Second)
	free(out)
}

// Over SSH, or with --device: a code, and no browser here.
func TestLoginByDevice(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, p := h.office()
	code := regexp.MustCompile(`ambit: log in to "work": enter the code (\S+) at (\S+)`)
	for _, how := range []string{"ambit login work --device", "env SSH_CONNECTION='::1 1 ::1 22' ambit login work"} {
		tm := h.open("bash")
		tm.typeLine(how)
		out := plain(tm.expect("/device\r\n"))
		m := code.FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("%s: %q", how, out)
		}
		must(t, oidctest.EnterCode(m[2], m[1]))
		if out, status := tm.prompted(); status != 0 || !strings.Contains(out, "ambit: logged in; work: alice@example.com") {
			t.Errorf("%s: status %d, %q", how, status, out)
		}
		if out, status := tm.run("ambit logout --all"); status != 0 || !strings.Contains(out, "ambit: logged out of work") {
			t.Errorf("status %d, %q", status, out)
		}
	}
	if h.tabs() != 0 {
		t.Errorf("%d tabs", h.tabs())
	}
	// The address alone, for a browser that the person opens.
	tm := h.open("bash")
	tm.typeLine("ambit login work --no-browser")
	address := regexp.MustCompile(`ambit: log in to "work" at (\S+)`).FindStringSubmatch(plain(tm.expect("code_challenge_method=S256") + tm.expect("\n")))
	if address == nil {
		t.Fatal(tm.transcript())
	}
	if _, page, err := oidctest.Browse(address[1]); err != nil || !strings.Contains(page, "You are logged in") {
		t.Errorf("%v %s", err, page)
	}
	if out, status := tm.prompted(); status != 0 || h.tabs() != 0 {
		t.Errorf("status %d, %d tabs, %q", status, h.tabs(), out)
	}
	if n := p.Calls(t)["GET /auth"]; n != 1 {
		t.Errorf("%d authorization requests", n)
	}
}

// After a night the keys and the ID token are dead: the first command that is typed
// has new ones, and nobody was asked.
func TestLoginAfterANight(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		s, p := h.office()
		must(t, s.Update(func(k *awstest.Knobs) { k.Lifetime = 12 }))
		p.Set(t, oidctest.Knobs{IDTokenLife: 5})
		tm := h.open(sh)
		tm.cd("home/shop", notLoggedIn, hintLogin)
		if out, status := tm.run("ambit login"); status != 0 || !strings.Contains(out, "ambit: shop/dev loaded (+6)") {
			t.Fatalf("status %d, %q", status, out)
		}
		old := tm.env()["AWS_ACCESS_KEY_ID"]
		time.Sleep(14 * time.Second) // nothing tells of a night
		key := tm.env()["AWS_ACCESS_KEY_ID"]
		if key == old || key == "" {
			t.Errorf("%s: the command got the key %q, before it was %q\n%s", sh, key, old, tm.transcript())
		}
		if h.tabs() != 1 || p.Calls(t)["grant refresh_token"] == 0 {
			t.Errorf("%d tabs, %v", h.tabs(), p.Calls(t))
		}
	})
}

// An MFA code is typed on the terminal and not shown; what is none is asked for again,
// and Ctrl-C there ends the login.
func TestLoginMFA(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		s, err := awstest.Start(awstest.Options{Now: time.Now})
		must(t, err)
		t.Cleanup(s.Close)
		h.env["AWS_ENDPOINT_URL"] = s.URL
		h.write("home/.aws/credentials", "[base]\naws_access_key_id = "+awstest.KeyID+"\naws_secret_access_key = "+awstest.SecretKey+"\n")
		h.environment("shop/dev", strings.Replace(workDev, `        oidc:
          duration: 1h
          roleArn: arn:aws:iam::123456789012:role/dev
          sessionName: ambit-shop
          token: { login: work }
`, `        assumeRole:
          roleArn: arn:aws:iam::123456789012:role/dev
          sessionName: ambit-shop
          mfaSerial: `+awstest.MFASerial+`
          source: { profile: base }
`, 1))
		h.loaded("home/shop", "environment: shop/dev\n")
		tm := h.open(sh)
		tm.cd("home/shop", "ambit: error: …MFA…", `ambit: hint: run "ambit login"`)

		question := "MFA code of " + awstest.MFASerial + " (it is not shown): "
		tm.typeLine("ambit login")
		tm.expect(question)
		tm.interrupt()
		out, status := tm.prompted()
		if status != 130 || !strings.Contains(out, "\nambit: error: interrupted") || strings.Contains(out, "hint") {
			t.Errorf("%s: Ctrl-C: status %d, %q", sh, status, out)
		}

		tm.typeLine("ambit login")
		tm.expect(question)
		tm.send("12345x\r")
		tm.expect("ambit: an MFA code has six digits")
		tm.expect(question)
		code := s.NextMFACode(awstest.MFASerial)
		tm.send(code[:3] + " " + code[3:] + "\r")
		out, status = tm.prompted()
		if status != 0 || !strings.Contains(out, "ambit: logged in; shop/dev has credentials for ") || !strings.Contains(out, "ambit: shop/dev loaded (+6)") {
			t.Fatalf("%s: status %d, %q\n%s", sh, status, out, tm.transcript())
		}
		if text := tm.transcript(); strings.Contains(text, code) || strings.Contains(text, "12345x") {
			t.Errorf("%s: what was typed is shown: %s", sh, text)
		}
		tm.want("ambit login", "ambit: already logged in; shop/dev has credentials for …")
		tm.want("ambit logout "+awstest.MFASerial,
			"ambit: logged out of the MFA session of "+awstest.MFASerial,
			"ambit: credentials that were handed out live until …; AWS cannot recall them",
			"ambit: shop/dev unloaded", "ambit: error: …MFA…", `ambit: hint: run "ambit login"`)

		// A program can say the code.
		h.write("home/.config/ambit/config.yaml", "mfaCommand: [sh, -c, 'echo "+s.NextMFACode(awstest.MFASerial)+"']\n")
		if out, status = tm.run("ambit login"); status != 0 || !strings.Contains(out, "ambit: logged in; shop/dev") {
			t.Errorf("%s: mfaCommand: status %d, %q", sh, status, out)
		}
		for _, command := range []string{"echo 12345", "echo 123456; exit 3", "true"} {
			h.write("home/.config/ambit/config.yaml", "mfaCommand: [sh, -c, '"+command+"']\n")
			tm.run("ambit logout --all")
			out, status = tm.run("ambit login")
			if status != 1 || !strings.Contains(out, "mfaCommand") || !strings.Contains(out, "ambit: hint: see mfaCommand in config.yaml") || strings.Contains(out, "12345") {
				t.Errorf("%s: %s: status %d, %q", sh, command, status, out)
			}
		}
	})
}

// identityCenter is an office whose shop/dev is by IAM Identity Center.
func (h *house) identityCenter() *awstest.Server {
	h.t.Helper()
	s, _ := h.office()
	h.env["AWS_ENDPOINT_URL"] = s.URL
	h.environment("shop/dev", strings.Replace(workDev, `        oidc:
          duration: 1h
          roleArn: arn:aws:iam::123456789012:role/dev
          sessionName: ambit-shop
          token: { login: work }
`, `        sso: { startUrl: "https://example.awsapps.com/start", region: eu-central-1, accountId: "123456789012", roleName: Developer }
`, 1))
	return s
}

// IAM Identity Center, through the same browser.
func TestLoginSSO(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.identityCenter()
	tm := h.open("bash")
	tm.cd("home/shop", "ambit: error: …", `ambit: hint: run "ambit login"`)
	if out, status := tm.run("ambit login"); status != 0 || !strings.Contains(out, "ambit: logged in; shop/dev has credentials for ") || h.tabs() != 1 {
		t.Fatalf("status %d, %d tabs, %q", status, h.tabs(), out)
	}
	out, status := tm.run("ambit logout https://example.awsapps.com/start")
	if status != 0 || !strings.Contains(out, "ambit: logged out of the SSO session of https://example.awsapps.com/start") || !strings.Contains(out, "ambit: shop/dev unloaded") {
		t.Errorf("status %d, %q", status, out)
	}
}

// A provider that does not answer holds up a prompt for as long as it may, once, and
// nothing of it stays. What it answers later is not lost.
func TestLoginProviderSlow(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, p := h.office()
	tm := h.open("bash")
	tm.cd("home/shop", notLoggedIn, hintLogin)
	if _, status := tm.run("ambit login"); status != 0 {
		t.Fatal(tm.transcript())
	}
	slow := 7000
	p.Set(t, oidctest.Knobs{Slow: &slow})
	must(t, os.RemoveAll(h.path("home/.cache/ambit/opens")))
	must(t, os.RemoveAll(h.path("home/.cache/ambit/entries")))
	other := h.open("bash")
	start := time.Now()
	out, _ := other.run("cd " + quoted(h.path("home/shop")))
	if took := time.Since(start); took > 6*time.Second || !strings.Contains(out, "ambit: error: ") {
		t.Errorf("the prompt came after %v: %q", took, out)
	}
	start = time.Now()
	other.want("true")
	if took := time.Since(start); took > time.Second {
		t.Errorf("the next prompt came after %v", took)
	}
	h.left(15*time.Second, tm.pid(), other.pid())
	slow = 0
	p.Set(t, oidctest.Knobs{Slow: &slow})
	if out, status := other.run("ambit reload"); status != 0 || !strings.Contains(out, "ambit: shop/dev loaded (+6)") {
		t.Errorf("status %d, %q", status, out)
	}
	if c := p.Calls(t); c["grant refresh_token"] != 1 || c["refused refresh_token"] != 0 || h.tabs() != 1 {
		t.Errorf("%v, %d tabs", c, h.tabs())
	}
}

// A login that means another provider or client by now is another login.
func TestLoginEdited(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, p := h.office()
	tm := h.open("bash")
	tm.cd("home/shop", notLoggedIn, hintLogin)
	if _, status := tm.run("ambit login"); status != 0 {
		t.Fatal(tm.transcript())
	}
	h.write("home/.config/ambit/config.yaml", fmt.Sprintf("logins:\n  work: { issuer: %q, clientId: another }\n", p.URL))
	tm.want("true", "ambit: shop/dev unloaded", notLoggedIn, hintLogin)
	h.write("home/.config/ambit/config.yaml", fmt.Sprintf("logins:\n  work: { issuer: %q, clientId: ambit }\n", p.URL))
	tm.want("true", "ambit: shop/dev loaded (+6) · credentials for 59m")
	h.write("home/.config/ambit/config.yaml", "logins: {}\n")
	tm.want("true", "ambit: shop/dev unloaded", `ambit: error: …there is no login "work" in …`, "ambit: hint: add logins: {work: {issuer: URL, clientId: ID}} to your config.yaml")
	if h.tabs() != 1 {
		t.Errorf("%d tabs", h.tabs())
	}
}

// A keyring that never answers holds up no login and no prompt.
func TestLoginWithMuteKeyring(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, p := h.office()
	path := h.path("bus")
	bus, err := net.Listen("unix", path)
	must(t, err)
	t.Cleanup(func() { _ = bus.Close() })
	asked := make(chan struct{}, 100)
	go func() {
		for {
			conn, err := bus.Accept()
			if err != nil {
				return
			}
			defer conn.Close() // until then it says nothing
			asked <- struct{}{}
		}
	}()
	h.env["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=" + path
	tm := h.open("bash")
	tm.cd("home/shop", notLoggedIn, hintLogin)
	if len(asked) != 0 {
		t.Error("a prompt asked the keyring")
	}
	out, status := tm.run("ambit login")
	if status != 0 || strings.Count(out, "warning") != 1 || !strings.Contains(out, "no keyring") || !strings.Contains(out, "ambit: shop/dev loaded (+6)") {
		t.Errorf("status %d, %q", status, out)
	}
	if len(asked) == 0 {
		t.Error("nobody asked the keyring")
	}
	must(t, os.RemoveAll(h.path("home/.cache/ambit/opens")))
	must(t, os.RemoveAll(h.path("home/.cache/ambit/entries")))
	start := time.Now()
	h.open("bash").cd("home/shop", "ambit: shop/dev loaded (+6) · credentials for 59m")
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if n := p.Calls(t)["grant refresh_token"]; n != 1 {
		t.Errorf("%d renewals", n)
	}
	if out, status := tm.run("ambit logout work"); status != 0 || !strings.Contains(out, "ambit: logged out of work") {
		t.Errorf("status %d, %q", status, out)
	}
}

// No token and no code is in a message, an argument, a history or a file other than
// those that are for them.
func TestLoginShowsNoSecret(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.office()
	tm := h.open("bash")
	tm.cd("home/shop", notLoggedIn, hintLogin)
	if _, status := tm.run("ambit login"); status != 0 {
		t.Fatal(tm.transcript())
	}
	records, err := filepath.Glob(h.path("home/.local/state/ambit/tokens/*.json"))
	must(t, err)
	if len(records) != 1 {
		t.Fatalf("%q", records)
	}
	m := regexp.MustCompile(`"refreshToken":"([^"]+)"`).FindStringSubmatch(h.read(records[0]))
	if m == nil {
		t.Fatal("no refresh token is kept")
	}
	if found := filesBelow(t, h.home, m[1]); len(found) != 1 {
		t.Errorf("the refresh token is in %q", found)
	}
	for _, path := range filesBelow(t, h.home, "eyJ") { // how a JWT begins
		if filepath.Dir(path) != h.path("home/.cache/ambit/opens") {
			t.Errorf("a JWT is in %s", path)
		}
	}
	if text := tm.transcript(); strings.Contains(text, "eyJ") || strings.Contains(text, m[1]) {
		t.Error("the terminal shows a token")
	}
}
