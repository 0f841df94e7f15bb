package aws

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"

	"ambit/resolver"
	"ambit/resolver/secret"
)

const (
	ssoScope    = "sso:account:access" // with it the session can be renewed
	grantCode   = "authorization_code"
	grantDevice = "urn:ietf:params:oauth:grant-type:device_code"
)

// ssoLogin has a person log in and leaves the token where we and the AWS CLI look
// for it.
func (o *opening) ssoLogin(ctx context.Context, s *ssoSession) error {
	done := func() bool { return s.serves(readSSOToken(s.file), o.call.Now()) }
	return o.alone(ctx, s.lockOf("login"), done, func(ctx context.Context) error {
		at, err := o.placeIn("SSO OIDC", s.region, s.profile)
		if err != nil {
			return err
		}
		l := &ssoLogin{opening: o, session: s, at: at}
		t, err := l.ask(ctx)
		if err != nil {
			return err
		}
		// A renewal that has begun must not put the old session in its place.
		unlock, err := o.Cache.Lock(ctx, s.lockOf("renewal"), func() bool { return false })
		if err != nil {
			return err
		}
		defer unlock()
		if before := readSSOToken(s.file); before != nil {
			t.fields = before.fields
		}
		o.saveSSO(s, t)
		return nil
	})
}

// ssoLogin is one login of a person.
type ssoLogin struct {
	*opening
	session *ssoSession
	at      place
	token   ssoToken // what is known of it so far
}

func (l *ssoLogin) ask(ctx context.Context) (*ssoToken, error) {
	if l.call.Asker.Device() {
		return l.byDevice(ctx)
	}
	return l.byCode(ctx)
}

// register makes this program a client for a grant and says where it did.
func (l *ssoLogin) register(ctx context.Context, grant string) error {
	in := &ssooidc.RegisterClientInput{
		ClientName: sdk.String("ambit"), ClientType: sdk.String("public"), Scopes: []string{ssoScope},
		GrantTypes: []string{grant, "refresh_token"},
	}
	if grant == grantCode {
		in.IssuerUrl, in.RedirectUris = &l.session.startURL, []string{"http://127.0.0.1" + callbackPath}
	}
	client := l.newHTTPClient(l.session.profile)
	out, err := newSSOOIDC(l.at, l.limits, client).RegisterClient(ctx, in)
	if err == nil && (sdk.ToString(out.ClientId) == "" || sdk.ToString(out.ClientSecret) == "") {
		err = errNonsense
	}
	if err != nil {
		return l.explainSSO(ctx, l.session, err, client, "to register this program")
	}
	l.token.clientID, l.token.clientSecret = secret.New(*out.ClientId), secret.New(*out.ClientSecret)
	l.token.registered = time.Unix(out.ClientSecretExpiresAt, 0)
	return nil
}

// byCode sends a browser to the authorization endpoint, and has it come back
// with a code that only we can redeem (PKCE, RFC 7636).
func (l *ssoLogin) byCode(ctx context.Context) (*ssoToken, error) {
	if err := l.register(ctx, grantCode); err != nil {
		return nil, err
	}
	state, verifier := random(), random()
	back, err := listen(state)
	if err != nil {
		return nil, &resolver.OpenError{Kind: resolver.KindLogin, Path: l.session.path, Err: err,
			Summary: fmt.Sprintf("the browser could not come back to this machine: %v", err), Hint: `run "ambit login --device"`}
	}
	defer back.close()
	address, err := l.authorizeURL(ctx, back.redirectURI(), state, verifier)
	if err != nil {
		return nil, err
	}
	if err := l.call.Asker.Visit(ctx, l.session.title(), address); err != nil {
		return nil, err
	}
	answer, err := back.wait(ctx)
	if err != nil {
		return nil, err
	}
	if answer.Get("code") == "" {
		return nil, l.refused(answer.Get("error"))
	}
	return l.redeem(ctx, &ssooidc.CreateTokenInput{
		GrantType: sdk.String(grantCode), Code: sdk.String(answer.Get("code")), CodeVerifier: &verifier, RedirectUri: sdk.String(back.redirectURI()),
	})
}

// authorizeURL is what the AWS CLI opens, too; no reference describes it.
func (l *ssoLogin) authorizeURL(ctx context.Context, redirectURI, state, verifier string) (string, error) {
	endpoint, err := ssooidc.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, ssooidc.EndpointParameters{
		Region: &l.at.region, UseFIPS: &l.at.fips, UseDualStack: &l.at.dualStack, Endpoint: optional(l.at.endpoint),
	})
	if err != nil {
		return "", &resolver.OpenError{Path: l.session.path, Err: quiet{err},
			Summary: fmt.Sprintf("there is no IAM Identity Center in the region %s", l.at.region), Hint: "correct the region"}
	}
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"response_type": {"code"}, "client_id": {l.token.clientID.Reveal()}, "redirect_uri": {redirectURI}, "state": {state},
		"code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "scopes": {ssoScope},
	}
	return strings.TrimRight(endpoint.URI.String(), "/") + "/authorize?" + query.Encode(), nil
}

// byDevice shows a code to be entered on any device (RFC 8628).
func (l *ssoLogin) byDevice(ctx context.Context) (*ssoToken, error) {
	if err := l.register(ctx, grantDevice); err != nil {
		return nil, err
	}
	id, key := l.token.clientID.Reveal(), l.token.clientSecret.Reveal()
	client := l.newHTTPClient(l.session.profile)
	out, err := newSSOOIDC(l.at, l.limits, client).StartDeviceAuthorization(ctx, &ssooidc.StartDeviceAuthorizationInput{
		ClientId: &id, ClientSecret: &key, StartUrl: &l.session.startURL,
	})
	if err == nil && (sdk.ToString(out.DeviceCode) == "" || sdk.ToString(out.UserCode) == "" || sdk.ToString(out.VerificationUri) == "") {
		err = errNonsense
	}
	if err != nil {
		return nil, l.explainSSO(ctx, l.session, err, client, "a code for the device", l.token.secrets()...)
	}
	if out.ExpiresIn > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(out.ExpiresIn)*time.Second)
		defer cancel()
	}
	if err := l.call.Asker.Enter(ctx, l.session.title(), *out.VerificationUri, *out.UserCode); err != nil {
		return nil, err
	}
	t, err := l.poll(ctx, *out.DeviceCode, max(time.Duration(out.Interval)*time.Second, time.Second))
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, l.tooLate()
	}
	return t, err
}

// poll asks until the person has entered the code, at the pace that the other
// side wants.
func (l *ssoLogin) poll(ctx context.Context, code string, interval time.Duration) (*ssoToken, error) {
	for {
		timer := time.NewTimer(interval)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		t, err := l.redeem(ctx, &ssooidc.CreateTokenInput{GrantType: sdk.String(grantDevice), DeviceCode: &code})
		var open *resolver.OpenError
		switch answer, _ := apiError(err); {
		case err == nil:
			return t, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case answer == "AuthorizationPendingException":
		case answer == "SlowDownException":
			interval += 5 * time.Second // RFC 8628, section 3.5
		case errors.As(err, &open) && open.Kind == resolver.KindNetwork:
			interval = min(2*interval, time.Minute) // the same section: back off, and go on
		default:
			return nil, err
		}
	}
}

// redeem makes a token of what the person did.
func (l *ssoLogin) redeem(ctx context.Context, in *ssooidc.CreateTokenInput) (*ssoToken, error) {
	id, key := l.token.clientID.Reveal(), l.token.clientSecret.Reveal()
	in.ClientId, in.ClientSecret = &id, &key
	client := l.newHTTPClient(l.session.profile)
	out, err := newSSOOIDC(l.at, l.limits.once(), client).CreateToken(ctx, in)
	if err == nil {
		t := l.token
		if err = t.take(out, l.call.Now()); err == nil {
			return &t, nil
		}
	}
	switch code, _ := apiError(err); code {
	case "AuthorizationPendingException", "SlowDownException":
		return nil, err
	case "AccessDeniedException":
		return nil, l.refused("access_denied")
	case "ExpiredTokenException":
		return nil, l.tooLate()
	}
	secrets := append(l.token.secrets(), secret.New(sdk.ToString(in.Code)), secret.New(sdk.ToString(in.CodeVerifier)), secret.New(sdk.ToString(in.DeviceCode)))
	return nil, l.explainSSO(ctx, l.session, err, client, "the login", secrets...)
}

func (l *ssoLogin) refused(why string) error {
	if why == "" || strings.ContainsFunc(why, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
		why = "no reason was given" // it is what anybody can put into an address
	}
	return &resolver.OpenError{Kind: resolver.KindLogin, Path: l.session.path,
		Summary: fmt.Sprintf("the login to %s was refused: %s", l.session.title(), clip(why, 80)), Hint: `run "ambit login" again, and allow the request`}
}

func (l *ssoLogin) tooLate() error {
	return &resolver.OpenError{Kind: resolver.KindLogin, Path: l.session.path,
		Summary: fmt.Sprintf("the code for %s was not entered in time", l.session.title()), Hint: runLogin}
}

// random is 32 random bytes in the alphabet of URLs: 43 characters.
func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
