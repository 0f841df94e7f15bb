package main_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ambit/resolver/aws/awstest"
)

// finding is what `ambit doctor --format json` lists.
type finding struct{ Check, Status, Evidence, Fix string }

// doctor asks for the first cause that doctor names beside those of AWS.
func (tm *terminal) doctor() finding {
	tm.t.Helper()
	out, _ := tm.run("ambit doctor --offline --format json")
	var list []finding
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		tm.t.Fatalf("%s: %v\n%s", tm.shell, err, out)
	}
	for _, f := range list {
		if f.Status == "fail" && !strings.HasPrefix(f.Check, "aws.") {
			return f
		}
	}
	return finding{}
}

// Nothing loads: the hook is missing, then the file is not allowed. What doctor says
// is typed as it stands, in each shell, and then it does load, in the next shell too.
func TestDoctorGetsADirectoryLoaded(t *testing.T) {
	for _, sh := range shells {
		t.Run(string(sh), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.project("home/shop", "values: { environmentVariables: { GREETING: hello } }\n")
			tm := h.openWith(sh, "# nothing of ambit, and no end of line")
			tm.run("cd ~/shop")
			missing := tm.doctor()
			if missing.Check != "hook" || !strings.Contains(missing.Evidence, string(sh)) {
				t.Fatalf("%+v", missing)
			}
			out, _ := tm.run(missing.Fix)
			if !strings.Contains(out, ".envrc.yaml is not allowed here") {
				t.Fatalf("%s: %q", missing.Fix, out)
			}
			blocked := tm.doctor()
			if blocked.Check != "directory" || blocked.Fix != "ambit allow" {
				t.Fatalf("%+v", blocked)
			}
			tm.typeLine(blocked.Fix)
			tm.expect("[y/N] ")
			tm.typeLine("y")
			tm.prompted()
			tm.want("echo $GREETING", "hello")
			out, _ = tm.run("ambit doctor --offline --format json")
			var well []finding
			must(t, json.Unmarshal([]byte(out), &well))
			for _, f := range well {
				if f.Status != "ok" && !strings.HasPrefix(f.Check, "aws.") {
					t.Errorf("all is well, and doctor says %+v", f)
				}
			}
			again := h.start(sh, need(t, string(sh)), "-i")
			again.prompted()
			again.run("cd ~/shop")
			again.want("echo $GREETING", "hello")
		})
	}
}

// raw is all that has come, as it came.
func (tm *terminal) raw() string {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	return tm.text
}

var escape = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Lines are as wide as the terminal, and coloured only there, and only where that is
// wanted.
func TestDoctorOnATerminal(t *testing.T) {
	need(t, "bash")
	h := newHouse(t)
	h.env["TERM"] = "xterm-256color"
	h.env["AWS_ACCESS_KEY_ID"], h.env["AWS_SECRET_ACCESS_KEY"] = "ASIAQNZGKIQY56JQ7WML", awstest.SecretKey
	h.write("home/.aws/credentials", "[default]\naws_access_key_id = "+awstest.KeyID+"\naws_secret_access_key = "+awstest.SecretKey+"\n")
	tm := h.open("bash")
	tm.run("stty cols 80; bind 'set enable-bracketed-paste off'")
	for _, test := range []struct {
		line     string
		coloured bool
	}{
		{"ambit doctor --offline", true},
		{"NO_COLOR=1 ambit doctor --offline", false},
		{"TERM=dumb ambit doctor --offline", false},
		{"ambit doctor --offline | cat", false},
	} {
		before := len(tm.raw())
		out, _ := tm.run(test.line)
		if got := escape.MatchString(tm.raw()[before:]); got != test.coloured {
			t.Errorf("%s: colours are %v, wanted %v", test.line, got, test.coloured)
		}
		if !strings.Contains(out, "\nfail  aws.family ") && !strings.HasPrefix(out, "fail  aws.family ") {
			t.Errorf("%s:\n%s", test.line, out)
		}
		for _, line := range lines(out) {
			if utf8.RuneCountInString(line) > 80 && !strings.HasPrefix(line, "      fix: ") {
				t.Errorf("%s: more than 80 columns: %q", test.line, line)
			}
		}
		for _, secret := range []string{awstest.SecretKey, awstest.KeyID, "ASIAQNZGKIQY56JQ7WML"} {
			if strings.Contains(out, secret) {
				t.Errorf("%s shows a key:\n%s", test.line, out)
			}
		}
	}
}

// A person who gives up does not wait for what hangs.
func TestDoctorIsInterrupted(t *testing.T) {
	need(t, "bash")
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer silent.Close()
	asked := make(chan net.Conn, 16)
	go func() {
		for {
			c, err := silent.Accept()
			if err != nil {
				return
			}
			asked <- c // and never answers
		}
	}()
	h := newHouse(t)
	h.env["AWS_ENDPOINT_URL"] = "http://" + silent.Addr().String()
	h.env["AWS_ACCESS_KEY_ID"], h.env["AWS_SECRET_ACCESS_KEY"] = awstest.KeyID, awstest.SecretKey
	h.env["AWS_DEFAULT_REGION"] = "us-east-1"
	tm := h.open("bash")
	tm.typeLine("ambit doctor; echo ended with $?")
	select {
	case <-asked:
	case <-time.After(patience):
		t.Fatalf("nobody was asked\n%s", tm.transcript())
	}
	begun := time.Now()
	tm.send("\x03")
	tm.expect("ambit: error: interrupted")
	tm.expect("ended with 130")
	tm.prompted()
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("the prompt came back after %v", took)
	}
}

// Where a person has to log in doctor says with what, and afterwards it takes the
// login for what it is: nobody is asked again.
func TestDoctorKnowsLogins(t *testing.T) {
	t.Parallel()
	for kind, login := range map[string]string{
		"oidc": "",
		"sso":  `        sso: { startUrl: "https://example.awsapps.com/start", region: eu-central-1, accountId: "123456789012", roleName: Developer }` + "\n",
		"mfa": `        assumeRole:
          roleArn: arn:aws:iam::123456789012:role/dev
          sessionName: ambit-shop
          mfaSerial: ` + awstest.MFASerial + `
          source: { profile: base }
`} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			s, p := h.office()
			h.env["AWS_ENDPOINT_URL"] = s.URL
			h.env["COLUMNS"] = "1000"
			h.write("home/.aws/credentials", "[base]\naws_access_key_id = "+awstest.KeyID+"\naws_secret_access_key = "+awstest.SecretKey+"\n")
			must(t, os.Chmod(h.path("home/.aws/credentials"), 0o600))
			if login != "" {
				_, rest, _ := strings.Cut(workDev, "token: { login: work }\n")
				h.environment("shop/dev", "values:\n  aws:\n    login:\n      fn::open::aws-login:\n"+login+rest)
			}
			if kind == "mfa" {
				h.write("home/.config/ambit/config.yaml", fmt.Sprintf(
					"mfaCommand: [curl, -s, %q]\nlogins:\n  work: { issuer: %q, clientId: ambit }\n", s.ControlURL+"/mfa", p.URL))
			}
			tm := h.open("bash")
			tm.run("cd ~/shop")
			var before, after []finding
			out, status := tm.run("ambit doctor --format json")
			must(t, json.Unmarshal([]byte(out), &before))
			if status != 1 || len(before) == 0 || before[0].Check != "aws.token" || !strings.HasPrefix(before[0].Fix, "ambit login") {
				t.Fatalf("status %d, %+v", status, before)
			}
			for _, f := range before[1:] {
				if f.Status == "fail" {
					t.Errorf("a cause that is none: %+v", f)
				}
			}
			if out, status = tm.run(before[0].Fix); status != 0 {
				t.Fatalf("%s: %d %s", before[0].Fix, status, out)
			}
			tabs := h.tabs()
			for range 2 {
				out, status = tm.run("ambit doctor --format json")
				must(t, json.Unmarshal([]byte(out), &after))
				for _, f := range after {
					if f.Status == "fail" || strings.Contains(f.Evidence, "to load shop/dev") {
						t.Errorf("after the login: %+v", f)
					}
				}
				if status != 0 {
					t.Errorf("status %d", status)
				}
			}
			if n := h.tabs(); n != tabs {
				t.Errorf("doctor has opened %d tabs", n-tabs)
			}
		})
	}
}
