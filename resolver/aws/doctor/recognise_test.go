package doctor

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit/resolver/aws"
)

var update = flag.Bool("update", false, "write what was recognised into testdata/explain")

// A case is what a program printed and the errors in it, the first to be explained.
// Most were recorded from the programs themselves, against servers of the project's
// own; those of Java, .NET, PHP, Ruby, Rust and Pulumi are as people have reported
// them.
func TestRecognise(t *testing.T) {
	cases, err := filepath.Glob("testdata/explain/*.txt")
	if err != nil || len(cases) < 60 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found, err := Recognise(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			got := []goldenError{}
			for _, r := range found {
				got = append(got, goldenError{r.Code, r.Kind, r.Program, strings.TrimSpace(r.Service + " " + r.Operation), r.Status, r.Profile, r.Message})
			}
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			e.SetIndent("", " ")
			if err := e.Encode(got); err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(file, ".txt") + ".json"
			if *update {
				if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b.Bytes(), want) {
				t.Errorf("got %swant %s", b.Bytes(), want)
			}
		})
	}
}

// goldenError is what a case's file says of an error.
type goldenError struct {
	Code      string   `json:"code"`
	Kind      aws.Kind `json:"kind"`
	Program   string   `json:"program,omitempty"`
	Operation string   `json:"operation,omitempty"`
	Status    int      `json:"status,omitempty"`
	Profile   string   `json:"profile,omitempty"`
	Message   string   `json:"message,omitempty"`
}

// Wherever a terminal wraps a text, the same is recognised.
func TestRecogniseWrapped(t *testing.T) {
	for _, name := range []string{"cli-invalid-client-token", "go-v2-role", "java-v1-invalid", "terraform-provider", "cli-profile-missing", "cli-web-identity-denied"} {
		text, err := os.ReadFile("testdata/explain/" + name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		want := recognised(t, string(text))[0]
		for _, columns := range []int{17, 40, 79, 80, 120} {
			got := recognised(t, wrappedAt(columns, string(text)))
			if len(got) == 0 || got[0].Code != want.Code || got[0].Kind != want.Kind || got[0].Operation != want.Operation || strings.ReplaceAll(got[0].Profile, "\n", "") != want.Profile {
				t.Errorf("%s at %d columns: %+v", name, columns, got)
			}
		}
	}
}

func recognised(t *testing.T, text string) []Recognised {
	t.Helper()
	found, err := Recognise(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// An error at any place of a long text is found, and none beyond what is read.
func TestRecogniseLongTexts(t *testing.T) {
	const last = "An error occurred (ExpiredToken) when calling the ListBuckets operation: The provided token has expired."
	line := "2026-11-22T06:00:01Z INFO the deployment goes on as it should, nothing to be seen\n"
	for _, at := range []int{0, 1<<20 - 60, 1<<20 - overlap - 30, MostText - len(last) - 10} {
		text := strings.Repeat(line, at/len(line)+1)[:at] + "\n" + last + "\n" + line
		if found := recognised(t, text); len(found) != 1 || found[0].Code != "ExpiredToken" || found[0].Message != "The provided token has expired" {
			t.Errorf("at %d: %+v", at, found)
		}
	}
	if found := recognised(t, strings.Repeat(line, MostText/len(line)+2)+last); len(found) != 0 {
		t.Errorf("beyond the limit: %+v", found)
	}
}

// A person may give no more than a code.
func TestRecogniseBareCodes(t *testing.T) {
	for _, code := range aws.KnownCodes() {
		if len(code) < 5 || code == "Forbidden" {
			continue // of a number nobody knows what it counts
		}
		for _, text := range []string{code, code + ": it did not work", "(" + code + ")", "Error: " + code} {
			if found := recognised(t, text); len(found) != 1 || found[0].Code != code {
				t.Errorf("%q: %+v", text, found)
			}
		}
	}
	for _, text := range []string{"", "it works", "403", "dial tcp: connection refused", "an expired token", "My" + "ExpiredToken", "ExpiredTokenX"} {
		if found := recognised(t, text); len(found) != 0 {
			t.Errorf("%q: %+v", text, found)
		}
	}
}

// No text keeps the reader busy for long.
func TestRecogniseHostileTexts(t *testing.T) {
	for name, piece := range map[string]string{
		"anchors":     "An error occurred (",
		"matches":     "An error occurred (AccessDenied) when calling the X operation: aws ",
		"other codes": "An error occurred (A",
		"escapes":     "\x1b[31m",
		"open OSC":    "\x1b]52;c;",
		"open DCS":    "\x1bP",
		"codes":       "ExpiredTokenException: SignatureDoesNotMatch: InvalidClientTokenId: aws ",
		"go":          "operation error STS: X, https response error StatusCode: 403, api error ",
		"java":        "(Service: ",
		"hosts":       "dial tcp: lookup aws: no such host ",
		"zeros":       "\x00",
		"no UTF-8":    "\xff\xfeaws",
		"newlines":    "\n",
		"one line":    "a",
		"wide":        "│",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			size := 2_000_000
			if name == "matches" || name == "escapes" || name == "one line" {
				size = 10_000_000
			}
			began := time.Now()
			found := recognised(t, strings.Repeat(piece, size/len(piece)))
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			for _, r := range found {
				if len(r.Message) > 210 || len(r.Code) > 100 || len(r.Profile) > 210 || strings.ContainsAny(r.Code+r.Message+r.Profile, "\x1b\x00\a") {
					t.Errorf("%+v", r)
				}
			}
			if len(found) > mostErrors {
				t.Errorf("%d errors", len(found))
			}
		})
	}
}

// What is shown of a text has no secret in it, however it stands there.
func TestQuoteShowsNoSecret(t *testing.T) {
	const (
		key     = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYFAKEAWSKEY"
		session = "IQoJb3JpZ2luX2VjEJr//////////wEaCWV1LWNlbnRyYWwtMSJHMEUCIQDcanary"
		jwt     = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
	)
	for _, secret := range []string{key, session, jwt, "cAnArY-web-identity-token", "hunter2!", "Tr0ub4dor&3", "FwoGZXIvYXdzEXAMPLE", "AKIARZPUZDIKFIFAKE77"} {
		for _, frame := range []string{
			"%s", "User: %s is not known", "key=%s", "key = %s", "\"%s\"", "'%s',", "(%s)", "secret: %s", "https://user:%s@proxy.corp:3128/", "https://sts.amazonaws.com/?X-Amz-Security-Token=%s",
			"Credential=%s/20261122/eu-central-1/sts/aws4_request", "b'%s'", "<Token>%s</Token>", "Bearer %s",
		} {
			if got := quote("The key " + strings.ReplaceAll(frame, "%s", secret) + " is bad"); strings.Contains(got, secret) {
				t.Errorf("%q in %q", secret, got)
			}
		}
		text := "An error occurred (SignatureDoesNotMatch) when calling the X operation: The key " + secret[:len(secret)/2] + "\n" + secret[len(secret)/2:] + " is bad"
		for _, r := range recognised(t, text) {
			if len(secret) > 30 && (strings.Contains(r.Message, secret[:len(secret)/2]) || strings.Contains(r.Message, secret[len(secret)/2:])) {
				t.Errorf("half of %q in %q", secret, r.Message)
			}
		}
	}
	if got := quote("password: hunter"); strings.Contains(got, "hunter") {
		t.Errorf("%q", got)
	}
}

func TestQuoteKeepsSentences(t *testing.T) {
	for text, want := range map[string]string{
		"The security token included in the request is invalid.":                                          "The security token included in the request is invalid",
		"Signature expired: 20261122T061231Z is now earlier than 20261122T062731Z":                        "Signature expired: 20261122T061231Z is now earlier than 20261122T062731Z",
		"User: arn:aws:iam::123456789012:user/ada is not authorized to perform: s3:ListAllMyBuckets":      "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: s3:ListAllMyBuckets",
		`Could not connect to the endpoint URL: "https://sts.eu-centrall-1.amazonaws.com/"`:               `Could not connect to the endpoint URL: "https://sts.eu-centrall-1.amazonaws.com/"`,
		"the key AKIARZPUZDIKFIFAKE77 is inactive":                                                        "the key AKIA…KE77 is inactive",
		"MultiFactorAuthentication failed with invalid MFA one time pass code. ":                          "MultiFactorAuthentication failed with invalid MFA one time pass code",
		"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.":                 "The requested DurationSeconds exceeds the MaxSessionDuration set for this role",
		"bytes \x1b]52;c;aGVsbG8=\x07 and https://ada:pw@host/x?y and /Users/Ada/K3y/secret and end here": "bytes … and … and … and end here",
	} {
		if got := quote(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// Every check that a meaning names is one that somebody makes.
func TestMeaningsNameChecks(t *testing.T) {
	made := map[string]bool{"hook": true, "directory": true} // of ambit's own set-up
	for _, c := range append(append([]check{}, offline...), online...) {
		for _, name := range c.names {
			made[name] = true
		}
	}
	for _, code := range aws.KnownCodes() {
		for _, message := range []string{"", "Signature expired: ", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRole", "explicit deny", "DurationSeconds", "webIdentityToken", "invalid MFA", "verification key"} {
			m, ok := aws.MeaningOf(code, message)
			if !ok && message == "" && code != "AuthFailure" {
				t.Errorf("%s without a message means nothing", code)
			}
			for _, name := range m.Checks {
				if !made[name] {
					t.Errorf("%s: nobody makes the check %s", code, name)
				}
			}
		}
	}
}

func FuzzRecognise(f *testing.F) {
	cases, err := filepath.Glob("testdata/explain/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range cases {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := Recognise(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range found {
			if len(r.Message) > longest+5 || r.Kind == "" || r.Proves == "" || r.Code == "" || strings.ContainsAny(r.Message+r.Code+r.Profile+r.Service+r.Operation, "\x1b\x07\x00\r") {
				t.Errorf("%+v", r)
			}
			for _, finding := range r.Findings(Patient{Environ: map[string]string{"HOME": "/nonexistent"}, Home: "/nonexistent"}) {
				if finding.Evidence == "" || strings.ContainsAny(finding.Fix, "\n;&`") {
					t.Errorf("%+v", finding)
				}
			}
		}
	})
}
