package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ambit/resolver/safefile"
)

// checkToken looks at everything that ends: sessions, and the tokens that they are
// got for.
func checkToken(_ context.Context, x *examination) (found []Finding) {
	found = append(found, x.expiration()...)
	seen := map[string]bool{}
	for _, r := range readers {
		if x.lost(r) {
			continue
		}
		s, trouble, ok := x.bottom(r)
		if !ok || seen[s.Place+s.Kind] {
			continue
		}
		seen[s.Place+s.Kind] = true
		switch s.Kind {
		case "keys":
			found = append(found, x.endedKeys(s)...)
		case "web identity":
			found = append(found, x.webToken(r, s, trouble)...)
		case "sso":
			found = append(found, x.ssoLogin(r, s, trouble)...)
		case "login_session":
			found = append(found, x.consoleLogin(r, s)...)
		}
	}
	if len(found) == 0 {
		found = append(found, tokenFinding(OK, "", "nothing that is in use has ended"))
	}
	return found
}

func tokenFinding(status Status, fix, format string, args ...any) Finding {
	return Finding{Check: "aws.token", Status: status, Evidence: fmt.Sprintf(format, args...), Fix: fix}
}

// bottom is base, with the trouble that there is at the end of the chain.
func (x *examination) bottom(r reader) (Source, string, bool) {
	s, trouble, ok := x.winner(r)
	for range 20 {
		if !ok || s.Kind != "role" || trouble != "" {
			break
		}
		s, trouble, ok = x.below(r, x.profile(r, s.profile))
	}
	return s, trouble, ok
}

// expiration looks at AWS_CREDENTIAL_EXPIRATION, which only botocore reads, and
// only with the keys in the environment: once it has passed, or where it cannot be
// read, good keys are refused.
func (x *examination) expiration() []Finding {
	const name = "AWS_CREDENTIAL_EXPIRATION"
	value := x.env(name)
	if value == "" || !slices.ContainsFunc([]reader{cli1, cli2}, func(r reader) bool {
		s, ok := x.base(r)
		return ok && s.Place == "environment"
	}) {
		return nil
	}
	at, form := parseExpiration(value)
	switch form {
	case crashes:
		return []Finding{tokenFinding(Fail, x.unset(name), "%s is no instant with its time zone, such as 2030-01-02T03:04:05Z: the AWS CLI and boto3 fail on it", name)}
	case unknown:
		return []Finding{tokenFinding(Warn, x.unset(name), "%s is no instant in RFC 3339: the AWS CLI and boto3 may fail on it", name)}
	}
	ago := x.Now().Sub(at)
	if ago < 0 {
		return nil
	}
	id := x.env("AWS_ACCESS_KEY_ID")
	if !temporary(id) {
		return []Finding{tokenFinding(Fail, x.unset(name), "%s passed %s ago, and %s is a long-term key, which does not end: the AWS CLI and boto3 refuse it", name, spell(ago), maskID(id))}
	}
	f := tokenFinding(Fail, x.unset(family...), "%s ended %s ago, says %s", maskID(id), spell(ago), name)
	f.Causes = []string{"aws.clock", "aws.network"} // without which nobody could renew it
	kept := tokenFinding(Fail, x.unset(name), "%s passed %s ago, but AWS takes %s: the AWS CLI and boto3 refuse it", name, spell(ago), maskID(id))
	f.ifAccepted = &kept
	return []Finding{f}
}

type expirationForm int

const (
	instant expirationForm = iota
	crashes                // botocore stops with an error
	unknown
)

var (
	digits = late(`^[0-9.]+$`)
	naive  = late(`^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+)?$`)
)

// parseExpiration reads an instant as dateutil does, as far as anybody writes one.
func parseExpiration(value string) (time.Time, expirationForm) {
	value = strings.TrimSpace(value)
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z0700",
		"2006-01-02 15:04:05 Z0700", "2006-01-02T15:04:05MST", "2006-01-02 15:04:05 MST", time.RFC1123, time.RFC1123Z,
	} {
		// Other names of zones than these two are none to Go.
		if at, err := time.Parse(layout, value); err == nil && (!strings.Contains(layout, "MST") || strings.HasSuffix(value, "UTC") || strings.HasSuffix(value, "GMT")) {
			return at, instant
		}
	}
	if digits().MatchString(value) || naive().MatchString(value) || !strings.ContainsAny(value, "0123456789") {
		return time.Time{}, crashes
	}
	return time.Time{}, unknown
}

// spell writes a duration as people do, roughly.
func spell(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// endedKeys tells of temporary keys in a file whose end the file notes.
func (x *examination) endedKeys(s Source) []Finding {
	if s.profile == "" || !temporary(s.keys.AccessKeyID) || s.ExpiresAt.IsZero() || x.Now().Before(s.ExpiresAt) {
		return nil
	}
	f := tokenFinding(Fail, x.dropSection(s), "%s in %s ended %s ago", s.KeyID, s.Place, spell(x.Now().Sub(s.ExpiresAt)))
	f.Causes = []string{"aws.clock"}
	kept := tokenFinding(Warn, "", "%s; AWS takes it all the same", f.Evidence)
	f.ifAccepted = &kept
	return []Finding{f}
}

// restartPod gives a pod what its service account has by now: the role's name, and a
// token.
const restartPod = `kubectl delete pod "$(hostname)"`

// webToken looks at the file of an OIDC token.
func (x *examination) webToken(r reader, s Source, trouble string) []Finding {
	path, away, where := x.env("AWS_WEB_IDENTITY_TOKEN_FILE"), x.unset("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME"), "AWS_WEB_IDENTITY_TOKEN_FILE"
	if x.onKubernetes() {
		away = restartPod
	}
	if s.profile != "" {
		p := x.profile(r, s.profile)
		path, away, where = p.get("web_identity_token_file"), "", p.place("web_identity_token_file")
	}
	status := Fail
	if w, _, _ := x.winner(cli1); r == goSDK && w.Kind != "web identity" {
		status = Warn
	}
	if trouble != "" {
		_, c := x.tokenClaims(path)
		if namespace, account, ok := c.serviceAccount(); ok && x.env("AWS_ROLE_ARN") == "" && s.profile == "" {
			away = fmt.Sprintf("kubectl annotate sa %s -n %s eks.amazonaws.com/role-arn=ARN --overwrite", account, namespace)
		}
		return []Finding{tokenFinding(status, away, "%s names a token, but %s", where, trouble)}
	}
	if !filepath.IsAbs(path) {
		return nil // relative to where each program runs
	}
	b, err := safefile.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []Finding{tokenFinding(status, away, "%s names %s, which does not exist", where, x.shorten(path))}
	case errors.Is(err, fs.ErrPermission):
		fix := `sudo chown "$(id -u)" ` + x.inCommand(path)
		if info, err := os.Stat(path); err == nil && ownerOf(info) == x.UID {
			fix = "chmod 600 " + x.inCommand(path)
		}
		return []Finding{tokenFinding(status, fix, "%s names %s, which cannot be read", where, x.shorten(path))}
	case err != nil:
		return []Finding{tokenFinding(status, away, "%s names %s, which %s", where, x.shorten(path), clip(withoutPath(err).Error()))}
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return []Finding{tokenFinding(status, away, "%s names %s, which is empty", where, x.shorten(path))}
	}
	var found []Finding
	about, claims := x.tokenClaims(path)
	if now := float64(x.Now().Unix()); claims.Exp > 0 && now >= claims.Exp {
		ago := time.Duration(min(now-claims.Exp, 1e9)) * time.Second
		f := tokenFinding(status, away, "the token in %s ended %s ago%s", x.shorten(path), spell(ago), about)
		f.Causes = []string{"aws.clock"}
		found = append(found, f)
	}
	if token != string(b) {
		kind := "white space"
		if strings.TrimRight(string(b), "\r\n") == token {
			kind = "a newline"
		}
		found = append(found, tokenFinding(Warn, `sh -c 't=$(cat "$1") && printf %s "$t" >"$1"' sh `+x.inCommand(path),
			"the token in %s has %s around it, which programs send to AWS", x.shorten(path), kind))
	}
	return found
}

// ssoLogin looks for the login at IAM Identity Center that a profile needs.
func (x *examination) ssoLogin(r reader, s Source, trouble string) []Finding {
	p := x.profile(r, s.profile)
	if trouble != "" {
		status := Fail
		if r == goSDK {
			status = Warn
		}
		return []Finding{tokenFinding(status, x.ssoFix(r, p), "%s", trouble)}
	}
	path, login := x.ssoCache(p)
	status := Fail
	if x.keptSSO(r, p) {
		status = Warn // the AWS CLI v2 has the role's credentials still
	}
	b, err := safefile.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return []Finding{tokenFinding(status, login, "nobody is logged in at IAM Identity Center for profile %q", clip(p.name))}
	}
	var token struct {
		AccessToken, RefreshToken, ClientID, ClientSecret string
		ExpiresAt, RegistrationExpiresAt                  string
	}
	if err != nil || json.Unmarshal(b, &token) != nil {
		return nil // told of the file
	}
	ends, form := parseExpiration(token.ExpiresAt)
	switch {
	case token.AccessToken == "" || form != instant:
		return []Finding{tokenFinding(status, login, "the login at IAM Identity Center for profile %q lacks its token or its end", clip(p.name))}
	case x.Now().Before(ends):
		return nil
	}
	registered, form := parseExpiration(token.RegistrationExpiresAt)
	renewable := p.get("sso_session") != "" && token.RefreshToken != "" && token.ClientID != "" && token.ClientSecret != ""
	if renewable && form == instant && x.Now().Before(registered) {
		return nil
	}
	f := tokenFinding(status, login, "the login at IAM Identity Center for profile %q ended %s ago", clip(p.name), spell(x.Now().Sub(ends)))
	f.Causes = []string{"aws.clock"}
	return []Finding{f}
}

// ssoFix names the session that a profile was probably meant to have.
func (x *examination) ssoFix(r reader, p *profile) string {
	if !p.has("sso_session") || x.session(r, p.get("sso_session")) != nil {
		return "aws configure sso " + profileOption(p.name)
	}
	var names []string
	for _, header := range x.files(r).config.by(r).names {
		if words, ok := splitWords(header); ok && len(words) == 2 && words[0] == "sso-session" {
			names = append(names, words[1])
		}
	}
	if len(names) == 1 {
		return "aws configure set sso_session " + quoted(names[0]) + " " + profileOption(p.name)
	}
	return "aws configure sso " + profileOption(p.name)
}

// keptSSO says whether the AWS CLI v2 still has credentials of a profile's role.
// Source: SSOCredentialFetcher of botocore.
func (x *examination) keptSSO(r reader, p *profile) bool {
	values := map[string]string{"roleName": pythonString(p.get("sso_role_name")), "accountId": pythonString(p.get("sso_account_id"))}
	if session := p.get("sso_session"); session != "" {
		values["sessionName"] = pythonString(session)
	} else {
		values["startUrl"] = pythonString(p.get("sso_start_url"))
	}
	b, err := safefile.Read(filepath.Join(x.Home, ".aws", "cli", "cache", pythonHash(values, ",", ":")+".json"))
	if err != nil {
		return false
	}
	var kept struct{ Credentials struct{ Expiration string } }
	if json.Unmarshal(b, &kept) != nil {
		return false
	}
	ends, form := parseExpiration(kept.Credentials.Expiration)
	const window = 15 * time.Minute // before its end the AWS CLI asks anew
	return form == instant && x.Now().Add(window).Before(ends)
}

// consoleLogin looks for the login of "aws login".
func (x *examination) consoleLogin(r reader, s Source) []Finding {
	path, login := x.loginCache(x.profile(r, s.profile))
	if path == "" {
		return nil
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // what it is worth only AWS knows: it renews itself
	}
	return []Finding{tokenFinding(Fail, login, "nobody is logged in for profile %q", clip(s.profile))}
}
