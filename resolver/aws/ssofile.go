package aws

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ambit/resolver/safefile"
	"ambit/resolver/secret"
)

// tokenMargin is how long before its end an access token is no longer used: it
// has to reach the portal.
const tokenMargin = time.Minute

// ssoToken is what lies in the file of an SSO session that the AWS CLI and the
// SDKs share. Source: SSOTokenProvider of botocore, ssocreds of the Go SDK.
type ssoToken struct {
	access, refresh        secret.Text
	clientID, clientSecret secret.Text // of the client's registration
	expires, registered    time.Time   // the ends of the access token and the registration
	startURL, region       string

	fields map[string]json.RawMessage // all of the file, what we do not know included
}

// usable says whether the access token may still be sent.
func (t *ssoToken) usable(now time.Time) bool {
	return t != nil && t.access.Len() > 0 && now.Add(tokenMargin).Before(t.expires)
}

// renewable says whether another access token can be had without a person.
func (t *ssoToken) renewable(now time.Time) bool {
	return t != nil && t.refresh.Len() > 0 && t.clientID.Len() > 0 && t.clientSecret.Len() > 0 && now.Before(t.registered)
}

func (t *ssoToken) same(other *ssoToken) bool {
	return t != nil && other != nil && t.access.Reveal() == other.access.Reveal() && t.refresh.Reveal() == other.refresh.Reveal()
}

// ssoDir is where the AWS CLI and the SDKs keep the tokens of SSO sessions.
func (o *opening) ssoDir() string { return filepath.Join(o.home(), ".aws", "sso", "cache") }

// ssoFile is [ssocreds.StandardCachedTokenFilepath] in the home directory of the
// environment that was handed in.
func (o *opening) ssoFile(key string) string {
	sum := sha1.Sum([]byte(key))
	return filepath.Join(o.ssoDir(), hex.EncodeToString(sum[:])+".json")
}

// readSSOToken returns what a file holds; nil if there is none or it cannot be
// read as a token: then somebody has to log in, which replaces it.
func readSSOToken(path string) *ssoToken {
	b, err := safefile.Read(path)
	if err != nil {
		return nil
	}
	return parseSSOToken(b)
}

func parseSSOToken(b []byte) *ssoToken {
	t := &ssoToken{}
	if json.Unmarshal(b, &t.fields) != nil || t.fields == nil {
		return nil
	}
	t.access, t.refresh = secret.New(t.text("accessToken")), secret.New(t.text("refreshToken"))
	t.clientID, t.clientSecret = secret.New(t.text("clientId")), secret.New(t.text("clientSecret"))
	t.expires, t.registered = t.instant("expiresAt"), t.instant("registrationExpiresAt")
	t.startURL, t.region = t.text("startUrl"), t.text("region")
	if t.access.Len() == 0 && t.refresh.Len() == 0 {
		return nil // a client's registration, which lies in the same directory
	}
	return t
}

func (t *ssoToken) text(field string) string {
	var s string
	if json.Unmarshal(t.fields[field], &s) != nil {
		return "" // absent, or no text
	}
	return s
}

// instant reads a time; one that cannot be read has passed. The AWS CLI wrote
// "UTC" instead of "Z" for years.
func (t *ssoToken) instant(field string) time.Time {
	at, err := time.Parse(time.RFC3339, strings.Replace(t.text(field), "UTC", "Z", 1))
	if err != nil {
		return time.Time{}
	}
	return at
}

// write replaces the file.
func (t *ssoToken) write(path string) error {
	b, err := t.encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return safefile.WritePrivate(path, b)
}

// encode is the file's text: the token and everything else that stood there.
func (t *ssoToken) encode() ([]byte, error) {
	fields := map[string]any{}
	for name, value := range t.fields {
		fields[name] = value
	}
	set := func(name, value string) {
		if value != "" {
			fields[name] = value
		} else {
			delete(fields, name)
		}
	}
	set("startUrl", t.startURL)
	set("region", t.region)
	set("accessToken", t.access.Reveal())
	set("expiresAt", t.expires.UTC().Format(time.RFC3339))
	set("refreshToken", t.refresh.Reveal())
	set("clientId", t.clientID.Reveal())
	set("clientSecret", t.clientSecret.Reveal())
	set("registrationExpiresAt", t.registered.UTC().Format(time.RFC3339))
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(fields); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// sessionNamed returns the name of the sso-session that has a start URL in an
// AWS configuration, or "". Where several have it, the first counts.
func sessionNamed(configuration []byte, startURL string) string {
	section := ""
	for line := range strings.Lines(string(configuration)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok {
			name, _, _ = strings.Cut(name, "]")
			kind, name, _ := strings.Cut(strings.TrimSpace(name), " ")
			section = ""
			if kind == "sso-session" {
				section = strings.Trim(strings.TrimSpace(name), `"'`)
			}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if ok && section != "" && strings.TrimSpace(key) == "sso_start_url" && sameURL(strings.TrimSpace(value), startURL) {
			return section
		}
	}
	return ""
}

// sameURL compares start URLs, which people copy with and without the portal's
// "/#/".
func sameURL(a, b string) bool { return strings.TrimRight(a, "/#") == strings.TrimRight(b, "/#") }
