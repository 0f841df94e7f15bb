package aws

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sso"

	"ambit/resolver"
	"ambit/resolver/cache"
)

// The kinds of logins that keys are made from.
const (
	loginSSO  = "sso"  // named by the start URL and, after a space, what names the token's file
	loginMFA  = "mfa"  // named by the device's serial number
	loginOIDC = "oidc" // named as in the user's settings
)

// loginOf names a login in what was made from it, so that it can be found again.
func loginOf(kind, name string) string { return kind + " " + name }

// LogoutOptions are where a [Logout] looks.
type LogoutOptions struct {
	Cache *cache.Dir
	Env   *resolver.Baseline // before loading
	Now   func() time.Time
}

// LoggedOut is what a [Logout] ended.
type LoggedOut struct {
	// Logins are sorted and for people, such as `the SSO session of https://…`; they
	// may hold foreign text.
	Logins []string

	// Until is when the last credentials that were made from them end, by AWS's
	// clock. Nobody can recall them. Zero: there are none.
	Until time.Time
}

// Logout ends logins of a name: an SSO session (its name in the AWS configuration,
// or its start URL), an MFA session (the device's serial number), or an OIDC login,
// which is ended elsewhere, and of which only the keys are forgotten here. "" stands
// for all of them. It tells IAM Identity Center, deletes the session's token, which
// the AWS CLI shares, and every set of keys that was made from it; what other
// providers opened is forgotten too, for it may have been read with those keys.
// Resolved entries are not touched.
//
// That there is none of the name is no error: Logins is then empty. An error says
// what could not be ended; the rest is.
func Logout(ctx context.Context, o LogoutOptions, name string) (LoggedOut, error) {
	op := newOpening(&provider{Options: Options{Cache: o.Cache}}, &resolver.Call{Env: o.Env, Now: o.Now, Patience: resolver.Person})
	ctx, cancel := context.WithTimeout(ctx, op.limits.total)
	defer cancel()
	ended, errs := op.endSSO(ctx, name)
	forgotten, until, err := op.forget(ctx, name)
	out := LoggedOut{Logins: append(ended, forgotten...), Until: until}
	slices.Sort(out.Logins)
	out.Logins = slices.Compact(out.Logins)
	return out, errors.Join(append(errs, err)...)
}

// endSSO ends the sessions whose tokens lie where we share them with the AWS CLI.
func (o *opening) endSSO(ctx context.Context, name string) (ended []string, errs []error) {
	files, err := os.ReadDir(o.ssoDir())
	if err != nil {
		return nil, nil // nobody has ever logged in
	}
	for _, f := range files {
		path := filepath.Join(o.ssoDir(), f.Name())
		t := readSSOToken(path)
		if t == nil || t.startURL == "" || !strings.HasSuffix(path, ".json") {
			continue // another tool's, or a client's registration
		}
		if name != "" && path != o.ssoFile(name) && !sameURL(t.startURL, name) {
			continue
		}
		s := &ssoSession{name: clip(t.startURL, 200), startURL: t.startURL, region: t.region, file: path}
		if err := o.endSession(ctx, s); err != nil {
			errs = append(errs, err)
		}
		if err := os.Remove(path); err != nil {
			errs = append(errs, fmt.Errorf("cannot delete %q: %w", path, withoutPath(err)))
			continue
		}
		ended = append(ended, "the SSO session of "+s.name)
	}
	return ended, errs
}

// endSession tells IAM Identity Center. A session that has ended is no error.
func (o *opening) endSession(ctx context.Context, s *ssoSession) error {
	if !validRegion.MatchString(s.region) {
		return nil // nobody knows where it lives; without its token it ends by itself
	}
	var err error
	if s.profile, err = o.activeProfile(); err != nil {
		return err
	}
	t, err := o.ssoToken(ctx, s)
	var open *resolver.OpenError
	if errors.As(err, &open) && open.Kind == resolver.KindLogin {
		return nil
	}
	if err != nil {
		return err
	}
	portal, err := o.placeIn("SSO", s.region, s.profile)
	if err != nil {
		return err
	}
	client := o.newHTTPClient(s.profile)
	access := t.access.Reveal()
	_, err = newSSO(portal, o.limits, client).Logout(ctx, &sso.LogoutInput{AccessToken: &access})
	if code, _ := apiError(err); err == nil || code == "UnauthorizedException" {
		return nil
	}
	return o.explainSSO(ctx, s, err, client, "to end the SSO session", t.secrets()...)
}

// forget drops the keys that were made from logins of a name.
func (o *opening) forget(ctx context.Context, name string) (logins []string, until time.Time, err error) {
	titles := map[string]string{loginSSO: "the SSO session of ", loginMFA: "the MFA session of ", loginOIDC: "the login "}
	ours, others := o.opens()
	var errs []error
	for _, key := range sortedKeys(ours) {
		p := ours[key]
		kind, of, found := strings.Cut(p.made, " ")
		names := []string{of}
		if kind == loginSSO {
			startURL, session, _ := strings.Cut(of, " ")
			names = []string{startURL, session}
		}
		if !found || name != "" && !slices.Contains(names, name) && !(kind == loginSSO && sameURL(name, names[0])) {
			continue
		}
		errs = append(errs, o.drop(ctx, key))
		if p.keys == nil {
			continue // a failure: nobody was logged in
		}
		logins = append(logins, titles[kind]+clip(names[0], 200))
		if p.keys.expiration.After(o.call.Now()) && p.keys.expiration.After(until) {
			until = p.keys.expiration
		}
	}
	if name == "" || len(logins) > 0 {
		for _, key := range others {
			errs = append(errs, o.drop(ctx, key))
		}
	}
	return logins, until, errors.Join(errs...)
}

// ForgetOthers forgets the keys that were made from an OIDC login while somebody
// else than subject was logged in, and with them what other providers opened, for it
// may have been read with those keys. Subject is the claim sub of the ID token.
// Resolved entries are not touched. Forgot says whether there was anything; an error
// says what could not be forgotten.
func ForgetOthers(ctx context.Context, c *cache.Dir, now func() time.Time, login, subject string) (forgot bool, err error) {
	o := newOpening(&provider{Options: Options{Cache: c}}, &resolver.Call{Now: now, Patience: resolver.Person})
	ours, keys := o.opens()
	for _, key := range sortedKeys(ours) {
		if p := ours[key]; p.made == loginOf(loginOIDC, login) && p.keys != nil && p.keys.sub != subject {
			keys, forgot = append(keys, key), true
		}
	}
	if !forgot {
		return false, nil
	}
	var errs []error
	for _, key := range keys {
		errs = append(errs, o.drop(ctx, key))
	}
	return true, errors.Join(errs...)
}

// opens are what the cache holds: our payloads and the keys of other providers'.
func (o *opening) opens() (ours map[string]payload, others []string) {
	ours = map[string]payload{}
	for _, key := range o.Cache.OpenedKeys() {
		if b, err := hex.DecodeString(key); err != nil || len(b) != 32 {
			continue // no open's key
		}
		raw := o.Cache.Opened(key, o.call.Now())
		if raw == nil {
			continue
		}
		if p, err := decodePayload(raw.Payload); err == nil {
			ours[key] = p
		} else {
			others = append(others, key)
		}
	}
	return ours, others
}

// drop forgets what is kept under key, after whoever renews it now.
func (o *opening) drop(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	unlock, err := o.Cache.Lock(ctx, key, func() bool { return false })
	if err == nil {
		defer unlock()
	}
	return o.Cache.DropOpened(key)
}
