package aws

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit/resolver"
)

// FuzzAnswer: whatever answers in STS's place, the result is keys that can be
// used or one short line of this package's own making.
func FuzzAnswer(f *testing.F) {
	var status int
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(status)
		_, _ = rw.Write(body)
	}))
	f.Cleanup(server.Close)
	good := `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId>` +
		`<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`
	f.Add(200, []byte(good))
	f.Add(200, []byte(strings.Replace(good, "ASIA", "A\nSIA", 1)))
	f.Add(200, []byte(strings.Replace(good, "<SessionToken>t</SessionToken>", "", 1)))
	f.Add(200, []byte(""))
	f.Add(200, []byte("{}"))
	f.Add(403, []byte("<ErrorResponse><Error><Code>AccessDenied</Code><Message>no\x1b]52;c;x\a</Message></Error></ErrorResponse>"))
	f.Add(400, []byte("<E><Errors><Error><Code>"+strings.Repeat("C", 9999)+"</Code></Error></Errors></E>"))
	f.Add(500, []byte("<html>"))
	f.Add(204, []byte(nil))
	f.Fuzz(func(t *testing.T, code int, answer []byte) {
		if status = code; code < 200 || code > 599 {
			status = 200
		}
		body = answer
		w := &world{t: t, dir: "/", env: map[string]string{"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "eu-west-1"}}
		w.withKeys()
		o, err := w.open(assume(nil), call{})
		if err == nil {
			if k := given(o.Value); k.check() != nil || k.token.Len() == 0 || o.ExpiresAt.IsZero() {
				t.Errorf("unusable keys were taken from %q", answer)
			}
			return
		}
		var open *resolver.OpenError
		if errors.Is(err, context.Canceled) || !errors.As(err, &open) || open.Summary == "" || len(open.Summary) > 700 || strings.Contains(open.Summary, "\n") {
			t.Errorf("%q: %v", answer, err)
		}
	})
}

// FuzzSSOFile: what is read as a token is written as the same token, and what
// else stood in the file stays.
func FuzzSSOFile(f *testing.F) {
	f.Add([]byte(`{"accessToken":"a","expiresAt":"2030-01-02T03:04:05Z","refreshToken":"r","clientId":"c","clientSecret":"s","registrationExpiresAt":"2030-01-02T03:04:05UTC","x":{"y":[1,null]}}`))
	f.Add([]byte(`{"accessToken":"\u2028<&>","startUrl":"https://x","region":"eu-west-1"}`))
	f.Add([]byte(`{"accessToken":1,"refreshToken":"r"}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		before := parseSSOToken(b)
		if before == nil {
			return
		}
		path := filepath.Join(dir, "token.json")
		if err := before.write(path); err != nil {
			return // an instant that cannot be written
		}
		after := readSSOToken(path)
		if after == nil || !after.same(before) || !after.expires.Equal(before.expires.Truncate(time.Second)) && before.expires.Year() < 9999 || after.startURL != before.startURL {
			t.Fatalf("%q became something else", b)
		}
		for name := range before.fields {
			if _, kept := after.fields[name]; !kept && !known[name] {
				t.Fatalf("%q: %q is lost", b, name)
			}
		}
	})
}

var known = map[string]bool{"startUrl": true, "region": true, "accessToken": true, "expiresAt": true, "refreshToken": true, "clientId": true, "clientSecret": true, "registrationExpiresAt": true}
