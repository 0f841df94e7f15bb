package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"

	"ambit/resolver"
	"ambit/resolver/cache"
	"ambit/resolver/secret"
)

// ssoToken returns an access token that the portal has not refused yet: the one
// in the file, or what its refresh token brings. A refresh token serves once, so
// one process renews and the others read again.
func (o *opening) ssoToken(ctx context.Context, s *ssoSession) (*ssoToken, error) {
	var t *ssoToken
	ready := func() bool {
		if t = readSSOToken(s.file); s.held != nil {
			t = s.held
		}
		return s.serves(t, o.call.Now())
	}
	if ready() {
		return t, nil
	}
	if !t.renewable(o.call.Now()) || o.trial != nil && s.refused != nil {
		return nil, s.needed(t)
	}
	if o.trial != nil {
		return nil, &resolver.OpenError{Kind: resolver.KindLogin, Path: s.path, Err: ErrUntried,
			Summary: fmt.Sprintf("the SSO session of %s is due for a renewal", s.name), Hint: runLogin}
	}
	if o.RenewSSO != nil && o.call.Patience != resolver.Detached {
		return o.renewElsewhere(ctx, s)
	}
	unlock, err := o.Cache.Lock(ctx, s.lockOf("renewal"), ready)
	if errors.Is(err, cache.ErrBusy) {
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, context.Canceled
		}
		return nil, &resolver.OpenError{Kind: resolver.KindNetwork, Err: err,
			Summary: fmt.Sprintf("another process has been renewing the SSO session of %s for too long", s.name)}
	}
	if err != nil {
		return nil, err
	}
	if unlock == nil {
		return t, nil
	}
	defer unlock()
	return o.renewSSO(ctx, s, t)
}

// serves says whether a token can be sent.
func (s *ssoSession) serves(t *ssoToken, now time.Time) bool {
	return t.usable(now) && !t.same(s.refused)
}

// renewSSO redeems the refresh token. The session's lock is held.
func (o *opening) renewSSO(ctx context.Context, s *ssoSession, t *ssoToken) (*ssoToken, error) {
	if !t.renewable(o.call.Now()) {
		return nil, s.needed(t)
	}
	issuer, err := o.placeIn("SSO OIDC", s.region, s.profile)
	if err != nil {
		return nil, err
	}
	grant, refresh, id, key := "refresh_token", t.refresh.Reveal(), t.clientID.Reveal(), t.clientSecret.Reveal()
	// The refresh token is spent when it arrives, and an answer that is not waited for
	// is lost, and with it the session: this call takes all the time there is, even if
	// nobody wants its answer any more.
	l := o.limits.once()
	l.call = l.total
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.total)
	defer cancel()
	client := &httpClient{limits: l, bundle: bundle(o.call.Env, s.profile)}
	out, err := newSSOOIDC(issuer, l, client).CreateToken(ctx, &ssooidc.CreateTokenInput{
		ClientId: &id, ClientSecret: &key, GrantType: &grant, RefreshToken: &refresh,
	})
	if err == nil {
		fresh := *t
		if err = fresh.take(out, o.call.Now()); err == nil {
			if out.RefreshToken == nil {
				fresh.refresh = t.refresh
			}
			o.saveSSO(s, &fresh)
			return &fresh, nil
		}
	}
	if code, _ := apiError(err); slices.Contains(sessionOver, code) {
		// The AWS CLI renews without our lock.
		if now := readSSOToken(s.file); s.serves(now, o.call.Now()) && !now.same(t) {
			return now, nil
		}
		return nil, s.ended()
	}
	return nil, o.explainSSO(ctx, s, err, client, "a renewal of the SSO session", t.secrets()...)
}

// sessionOver are the errors that only another login ends.
var sessionOver = []string{
	"InvalidGrantException", "InvalidClientException", "UnauthorizedClientException", "ExpiredTokenException", "AccessDeniedException",
	"InvalidRequestException", "UnsupportedGrantTypeException",
}

// once is the same patience for a call whose parameters serve once: a second
// attempt would be taken for a thief's.
func (l limits) once() limits {
	l.attempts = 1
	return l
}

// take makes t what an answer says.
func (t *ssoToken) take(out *ssooidc.CreateTokenOutput, now time.Time) error {
	if sdk.ToString(out.AccessToken) == "" || out.ExpiresIn <= 0 {
		return errNonsense
	}
	t.access, t.refresh = secret.New(*out.AccessToken), secret.New(sdk.ToString(out.RefreshToken))
	t.expires = now.Add(time.Duration(out.ExpiresIn) * time.Second)
	return nil
}

func (t *ssoToken) secrets() []secret.Text {
	return []secret.Text{t.access, t.refresh, t.clientID, t.clientSecret}
}

// saveSSO keeps a token for us and the AWS CLI. That it cannot be kept is no
// reason not to use it now.
func (o *opening) saveSSO(s *ssoSession, t *ssoToken) {
	t.startURL, t.region = s.startURL, s.region
	if err := t.write(s.file); err != nil {
		s.held = t
		o.notices = append(o.notices, fmt.Sprintf("cannot keep the SSO session in %q: %v; the next renewal needs a login", s.file, withoutPath(err)))
	}
}

func newSSOOIDC(p place, l limits, http *httpClient) *ssooidc.Client {
	options := ssooidc.Options{Region: p.region, HTTPClient: http, Retryer: retryer(l)}
	if p.endpoint != "" {
		options.BaseEndpoint = &p.endpoint
	}
	if p.fips {
		options.EndpointOptions.UseFIPSEndpoint = sdk.FIPSEndpointStateEnabled
	}
	if p.dualStack {
		options.EndpointOptions.UseDualStackEndpoint = sdk.DualStackEndpointStateEnabled
	}
	return ssooidc.New(options)
}

func (o *opening) explainSSO(ctx context.Context, s *ssoSession, err error, client *httpClient, what string, secrets ...secret.Text) error {
	return at(explain(ctx, err, client, trouble{
		service: identityCenter, what: what, region: s.region, portal: true, secrets: secrets,
	}), s.path...)
}

// needed is the error of a session that has to be begun by a person.
func (s *ssoSession) needed(t *ssoToken) error {
	if t != nil {
		return s.ended()
	}
	return &resolver.OpenError{Kind: resolver.KindLogin, Path: s.path,
		Summary: fmt.Sprintf("nobody is logged in to the SSO session of %s", s.name), Hint: runLogin}
}

// ended is the error of a session that was begun, and is over.
func (s *ssoSession) ended() error {
	return &resolver.OpenError{Kind: resolver.KindLogin, Path: s.path,
		Summary: fmt.Sprintf("the SSO session of %s has ended", s.name), Hint: runLogin}
}
