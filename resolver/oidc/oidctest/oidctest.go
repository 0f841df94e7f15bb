// Package oidctest starts a real OpenID provider for tests: npm's oidc-provider,
// which is certified, with authorization code and PKCE, device codes, refresh tokens
// that rotate, and revocation. It knows the public client "ambit" and logs in
// whoever visits it, as the [Knobs] say.
//
// The package is installed from the npm registry into a temporary directory, once
// for each test program.
package oidctest

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

//go:embed provider.mjs
var program []byte

// ClientID is the client that the provider knows.
const ClientID = "ambit"

// Knobs is how the provider behaves; what is zero stays as it is.
type Knobs struct {
	Person        string `json:"person,omitempty"`      // "approves", "refuses" or "absent"
	Account       string `json:"account,omitempty"`     // who logs in; at first "alice"
	IDTokenLife   int    `json:"idTokenLife,omitempty"` // seconds; at first 3600
	RefreshTokens *bool  `json:"refreshTokens,omitempty"`
	Down          *bool  `json:"down,omitempty"`  // every request gets 503
	Slow          *int   `json:"slow,omitempty"`  // milliseconds before each answer of the token endpoint
	Later         int    `json:"later,omitempty"` // seconds by which its clock is ahead
}

// Provider is a running provider.
type Provider struct {
	URL string // its issuer
}

var installed struct {
	sync.Mutex
	dir string
	err error
}

// install returns the directory with oidc-provider, or why there is none.
func install() (string, error) {
	installed.Lock()
	defer installed.Unlock()
	if installed.dir != "" || installed.err != nil {
		return installed.dir, installed.err
	}
	installed.dir, installed.err = func() (string, error) {
		for _, tool := range []string{"node", "npm"} {
			if _, err := exec.LookPath(tool); err != nil {
				return "", fmt.Errorf("%s is not installed", tool)
			}
		}
		out, err := exec.Command("node", "--version").Output()
		major, _, _ := strings.Cut(strings.TrimPrefix(string(out), "v"), ".")
		version := "9"
		switch {
		case err != nil || len(major) < 2 || major < "18":
			return "", fmt.Errorf("node is older than 18: %.20q", out)
		case major < "20":
			version = "8" // Debian 12 has 18, with which 9 does not start
		}
		dir, err := os.MkdirTemp("", "ambit-oidc-")
		if err != nil {
			return "", err
		}
		fail := func(err error) (string, error) {
			_ = os.RemoveAll(dir) // the error that matters is the one before
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"private":true}`), 0o600); err != nil {
			return fail(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "provider.mjs"), program, 0o600); err != nil {
			return fail(err)
		}
		cmd := exec.Command("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1", "oidc-provider@"+version)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fail(fmt.Errorf("npm install oidc-provider: %w: %.300s", err, out))
		}
		return dir, nil
	}()
	return installed.dir, installed.err
}

// Remove removes what was installed. Call it at the end of TestMain.
func Remove() {
	installed.Lock()
	defer installed.Unlock()
	if installed.dir != "" {
		_ = os.RemoveAll(installed.dir) // it is a temporary directory
	}
	installed.dir, installed.err = "", errors.New("removed")
}

// Start starts a provider that ends with the test. Where there is no npm or no
// registry it skips the test, or fails it if AMBIT_TEST_REQUIRE=all.
func Start(t testing.TB, k Knobs) *Provider {
	t.Helper()
	dir, err := install()
	if err != nil {
		if os.Getenv("AMBIT_TEST_REQUIRE") == "all" {
			t.Fatal(err)
		}
		t.Skip("skipped: no OpenID provider: " + err.Error())
	}
	cmd := exec.Command("node", "provider.mjs")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "NODE_ENV=test"}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // it ends then
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // and then all that it said is there
		t.Fatalf("the provider did not start: %v\n%s", err, said.String())
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }() // it must not block
	p := &Provider{URL: strings.TrimSpace(line)}
	p.Set(t, k)
	return p
}

type controlled struct {
	Calls map[string]int `json:"calls"`
}

func (p *Provider) control(t testing.TB, k Knobs) controlled {
	t.Helper()
	b, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(p.URL+"/control", "application/json", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var c controlled
	if err := json.NewDecoder(resp.Body).Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

// Set turns knobs.
func (p *Provider) Set(t testing.TB, k Knobs) { t.Helper(); p.control(t, k) }

// Calls counts requests by "METHOD /path", and what came of those for tokens by
// "grant GRANT_TYPE" and "refused GRANT_TYPE".
func (p *Provider) Calls(t testing.TB) map[string]int { t.Helper(); return p.control(t, Knobs{}).Calls }

// Browse is a person with a browser: it opens an address, follows where that leads,
// and returns the last page.
func Browse(address string) (status int, page string, err error) {
	resp, err := browser().Get(address)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, string(b), err
}

func browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // never fails without options
	}
	return &http.Client{Jar: jar, Timeout: time.Minute}
}

var xsrf = regexp.MustCompile(`name="xsrf" value="([^"]*)"`)

// EnterCode is a person who enters a device code.
func EnterCode(address, code string) error {
	b := browser()
	post := url.Values{"user_code": {code}}
	resp, err := b.Get(address)
	for range 2 { // the form, and its confirmation
		if err != nil {
			return err
		}
		page, rerr := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		_ = resp.Body.Close() // it was read
		token := xsrf.FindSubmatch(page)
		if rerr != nil || token == nil {
			return errors.Join(rerr, fmt.Errorf("no form: %d %.300s", resp.StatusCode, page))
		}
		post.Set("xsrf", string(token[1]))
		resp, err = b.PostForm(address, post)
		post.Set("confirm", "yes")
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if page, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return errors.Join(err, fmt.Errorf("the code was not taken: %d %.300s", resp.StatusCode, page))
	}
	return nil
}
