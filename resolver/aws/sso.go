package aws

import (
	"context"
	"errors"
	"fmt"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sso"

	"ambit/resolver"
	"ambit/resolver/safefile"
	"ambit/resolver/secret"
)

// ssoSession is a login to IAM Identity Center.
type ssoSession struct {
	name             string // for people: whose it is
	startURL, region string
	file             string               // of its token
	profile          *config.SharedConfig // gives endpoints and the CA bundle; may be nil
	path             []string             // the input it stands in
	refused          *ssoToken            // the portal takes this one no more
	held             *ssoToken            // could not be written to the file
}

const identityCenter = "IAM Identity Center"

func (s *ssoSession) title() string { return identityCenter + " at " + clip(s.startURL, 200) }

// lockOf names a lock of the session: of renewing its token, of asking for it.
func (s *ssoSession) lockOf(what string) string {
	return keyOf(map[string]any{"lock": "sso " + what, "file": s.file})
}

// sso makes the step of the input sso.
func (o *opening) sso(in resolver.Value) (*step, error) {
	profile, err := o.activeProfile()
	if err != nil {
		return nil, err
	}
	// The AWS CLI names a token's file by the sso-session, if one is configured.
	key := text(in, "startUrl")
	configFile, _ := o.configFiles()
	o.retryOn(configFile)
	if b, err := safefile.Read(configFile); err == nil {
		if name := sessionNamed(b, key); name != "" {
			key = name
		}
	}
	s := &ssoSession{name: clip(text(in, "startUrl"), 200), startURL: text(in, "startUrl"), region: text(in, "region"), file: o.ssoFile(key), profile: profile, path: []string{"sso"}}
	return o.ssoStep(s, key, text(in, "accountId"), text(in, "roleName"), "sso")
}

// ssoProfile makes the step of a profile's sso_session, or of the older keys
// sso_start_url and sso_region.
func (o *opening) ssoProfile(p *config.SharedConfig, path []string) (*step, error) {
	s := &ssoSession{startURL: p.SSOStartURL, region: p.SSORegion, profile: p, path: path}
	key := p.SSOStartURL
	if p.SSOSession != nil {
		s.startURL, s.region, key = p.SSOSession.SSOStartURL, p.SSOSession.SSORegion, p.SSOSession.Name
	}
	name := fmt.Sprintf("profile %q", p.Profile)
	s.name = name
	switch {
	case s.startURL == "" || s.region == "" || p.SSOAccountID == "" || p.SSORoleName == "":
		return nil, &resolver.OpenError{Kind: resolver.KindRefused, Path: path,
			Summary: name + " lacks one of sso_start_url, sso_region, sso_account_id and sso_role_name",
			Hint:    fmt.Sprintf("aws configure sso --profile %s", Word(p.Profile))}
	case !validRegion.MatchString(s.region):
		return nil, &resolver.OpenError{Kind: resolver.KindRefused, Path: path,
			Summary: fmt.Sprintf("the sso_region of %s is not the name of a region: %q", name, clip(s.region, 40)),
			Hint:    "write it like eu-central-1"}
	}
	s.file = o.ssoFile(key)
	return o.ssoStep(s, key, p.SSOAccountID, p.SSORoleName, name)
}

func (o *opening) ssoStep(s *ssoSession, key, account, role, source string) (*step, error) {
	portal, err := o.placeIn("SSO", s.region, s.profile)
	if err != nil {
		return nil, err
	}
	o.retryOn(s.file) // also where the failure is only remembered
	return &step{
		key: keyOf(map[string]any{
			"kind": "sso", "startUrl": s.startURL, "account": account, "role": role, "region": s.region, "endpoint": portal.endpoint,
		}),
		source: source, link: Link{Kind: "sso", Role: role, Account: account}, role: true, kept: true, made: loginOf(loginSSO, s.startURL+" "+key),
		identity: func() (tokenIdentity, bool) {
			t := readSSOToken(s.file)
			if t == nil {
				return tokenIdentity{}, false
			}
			return tokenIdentity{sum: t.sum()}, true
		},
		login: func(ctx context.Context) error { return o.ssoLogin(ctx, s) },
		fetch: func(ctx context.Context, _ *keys) (keys, time.Duration, error) {
			for {
				t, err := o.ssoToken(ctx, s)
				if err != nil {
					return keys{}, 0, err
				}
				k, skew, err := o.roleCredentials(ctx, s, portal, t, account, role)
				if !errors.Is(err, errPortalRefused) {
					return k, skew, err
				}
				if s.refused != nil {
					s.refused = t
					return keys{}, 0, s.ended()
				}
				s.refused = t // another one may be had by renewal, or lie in the file by now
			}
		},
	}, nil
}

var errPortalRefused = errors.New("the portal refused the access token")

// roleCredentials asks the portal for the keys of a permission set. Its error is
// errPortalRefused if the access token is no longer taken.
func (o *opening) roleCredentials(ctx context.Context, s *ssoSession, portal place, t *ssoToken, account, role string) (keys, time.Duration, error) {
	client := o.newHTTPClient(s.profile)
	access := t.access.Reveal()
	out, err := newSSO(portal, o.limits, client).GetRoleCredentials(ctx, &sso.GetRoleCredentialsInput{
		AccessToken: &access, AccountId: &account, RoleName: &role,
	})
	if err == nil {
		c := out.RoleCredentials
		if c == nil || sdk.ToString(c.AccessKeyId) == "" || sdk.ToString(c.SecretAccessKey) == "" || sdk.ToString(c.SessionToken) == "" || c.Expiration == 0 {
			err = errNonsense
		} else {
			return keys{
				id: *c.AccessKeyId, secret: secret.New(*c.SecretAccessKey), token: secret.New(*c.SessionToken),
				expiration: time.UnixMilli(c.Expiration).UTC(), role: true,
			}, skewOf(out.ResultMetadata), nil
		}
	}
	if code, _ := apiError(err); code == "UnauthorizedException" {
		return keys{}, 0, errPortalRefused
	}
	return keys{}, 0, at(explain(ctx, err, client, trouble{
		service: identityCenter, what: fmt.Sprintf("role %s of account %s", role, account), region: s.region, portal: true, secrets: []secret.Text{t.access},
	}), s.path...)
}

func newSSO(p place, l limits, http *httpClient) *sso.Client {
	options := sso.Options{Region: p.region, HTTPClient: http, Retryer: retryer(l)}
	if p.endpoint != "" {
		options.BaseEndpoint = &p.endpoint
	}
	if p.fips {
		options.EndpointOptions.UseFIPSEndpoint = sdk.FIPSEndpointStateEnabled
	}
	if p.dualStack {
		options.EndpointOptions.UseDualStackEndpoint = sdk.DualStackEndpointStateEnabled
	}
	return sso.New(options)
}
