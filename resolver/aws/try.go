package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"ambit/resolver"
)

// Link is one step of the chain that a profile stands for.
type Link struct {
	Kind    string // "keys", "role", "session", "mfa", "web identity", "sso", "credential_process", "login_session", "container" or "instance"
	Profile string // that asks for it, "" if none does
	Role    string // ARN that is assumed; for sso the name of the permission set
	Account string // of a permission set
	Seconds int    // that a role is asked for
	Chained bool   // a role is assumed with another role's keys
	Token   string // file of a web identity's token
	Serial  string // of an MFA device
}

// Refusal is what somebody answered instead of giving what he was asked for.
type Refusal struct {
	Host    string // "" if nobody was asked
	Status  int    // of HTTP, 0 if nobody answered
	Code    string // the first <Code> of the body, at any depth, or the SDK's; foreign, at most 80 bytes
	Message string // foreign, one line, at most 300 bytes, without the secrets of the call
	Page    bool   // the answer is a web page, or a redirect: it is not AWS that answered
}

// Trial is how far the chain of a source came.
type Trial struct {
	Keys    Keys      // of the chain's end; zero if Err is not nil
	Expires time.Time // of the keys, by AWS's clock; zero: never
	Links   []Link    // that gave what they had to, the first one first
	Broken  Link      // that did not; zero if Err is nil, or nothing of the chain was asked
	Base    Keys      // that the broken link signed with; zero if it needs none
	Refusal Refusal
	Err     error // nil, an [*resolver.OpenError], or context.Canceled
}

// ErrUntried is in the chain of a [Trial]'s error where only a change of what is
// kept elsewhere could tell: a renewal of a token, which serves once, or a code that
// a person reads.
var ErrUntried = errors.New("not tried")

// Try walks the chain of a profile, or of what the environment selects if the name
// is "", as `aws-login` would, but keeps nothing, renews no session and asks for
// exactly the duration that the profile names. Run runs a credential_process; nil:
// none is run. Env is the environment to be tried.
func Try(ctx context.Context, env *resolver.Baseline, now func() time.Time, run func(context.Context, resolver.Command) ([]byte, error), profile string) Trial {
	o := newOpening(&provider{Options: Options{RunCommand: run}}, &resolver.Call{Env: env, Now: now, Patience: resolver.AtPrompt})
	o.trial = &Trial{}
	var got kept
	_, err := o.within(ctx, "AWS credentials", func(ctx context.Context) (_ resolver.Opened, err error) {
		var s *step
		if profile != "" {
			s, err = o.profile(profile, nil)
		} else {
			s, _, err = o.defaultChain(nil)
		}
		if err == nil {
			got, err = o.obtain(ctx, s)
		}
		return resolver.Opened{}, err
	})
	o.trying.Lock() // what was not waited for may still run
	t := *o.trial
	o.trying.Unlock()
	t.Err = err
	if err == nil {
		t.Keys, t.Expires, t.Broken, t.Base, t.Refusal = got.public(), got.expiration, Link{}, Keys{}, Refusal{}
	}
	return t
}

func (k keys) public() Keys {
	return Keys{AccessKeyID: k.id, SecretAccessKey: k.secret, SessionToken: k.token}
}

// tried notes what became of a step. The innermost one that fails is the one.
func (o *opening) tried(s *step, err error) {
	if o.trial == nil {
		return
	}
	o.trying.Lock()
	defer o.trying.Unlock()
	t := o.trial
	switch {
	case err == nil:
		t.Links = append(t.Links, s.link)
	case t.Broken == (Link{}):
		t.Broken = s.link
		if o.asked != nil {
			t.Refusal = refusalOf(o.asked, err).scrubbed(t.Base)
		}
	}
}

// signed notes the keys that the next question is signed with.
func (o *opening) signed(k kept) {
	if o.trial != nil {
		o.trying.Lock()
		o.trial.Base = k.public()
		o.trying.Unlock()
	}
}

// refusalOf is what a client's last answer says.
func refusalOf(client *httpClient, err error) Refusal {
	host, a := client.answered()
	if a == nil {
		return Refusal{Host: host}
	}
	r := Refusal{Host: host, Status: a.status, Page: isWebPage(a) || a.status >= 300 && a.status < 400}
	r.Code, r.Message = foreignError(a.head.Bytes())
	if code, message := apiError(err); r.Code == "" && code != "UnknownError" {
		r.Code, r.Message = code, message
	}
	if r.Code == "" { // of a container's credentials
		var said struct{ Code, Message string }
		if json.Unmarshal(a.head.Bytes(), &said) == nil {
			r.Code, r.Message = said.Code, said.Message
		}
	}
	r.Code, r.Message = clip(oneLine(r.Code), 80), clip(oneLine(r.Message), 300)
	return r
}

func (r Refusal) scrubbed(k Keys) Refusal {
	r.Code, r.Message = scrub(r.Code, k.SecretAccessKey, k.SessionToken), scrub(r.Message, k.SecretAccessKey, k.SessionToken)
	return r
}

// Address is where STS is asked.
type Address struct {
	Region   string
	URL      string // without a path, as the SDK resolves it
	Override bool   // configured, in the environment or the profile
}

// STSAddress is where STS is asked in a region. An error is an
// [*resolver.OpenError].
func STSAddress(env *resolver.Baseline, profile, region string) (Address, error) {
	o := newOpening(&provider{}, &resolver.Call{Env: env})
	o.region = region
	if profile == "" {
		profile, _ = o.activeName()
	}
	// A profile that cannot be read has no endpoint that a program could use.
	config, _ := o.profileNamed(profile)
	at, err := o.placeFor(config, "")
	if err != nil {
		return Address{}, err
	}
	params := sts.EndpointParameters{Region: &at.region, UseFIPS: &at.fips, UseDualStack: &at.dualStack, UseGlobalEndpoint: new(bool)}
	if at.endpoint != "" {
		params.Endpoint, params.UseFIPS, params.UseDualStack = &at.endpoint, new(bool), new(bool)
	}
	resolved, err := sts.NewDefaultEndpointResolverV2().ResolveEndpoint(context.Background(), params)
	if err != nil {
		return Address{}, &resolver.OpenError{Kind: resolver.KindRefused, Summary: fmt.Sprintf("STS has no endpoint in the region %q", clip(at.region, 40)), Err: quiet{err}}
	}
	return Address{Region: at.region, URL: resolved.URI.String(), Override: at.endpoint != ""}, nil
}

// Ask calls GetCallerIdentity once, signed with these keys for the region of an
// address, without the correction that the SDK makes for a wrong clock. The refusal
// is zero if there is an identity. An error is an [*resolver.OpenError], or
// context.Canceled.
func Ask(ctx context.Context, env *resolver.Baseline, profile string, k Keys, at Address) (Identity, Refusal, error) {
	var id Identity
	refusal, err := once(ctx, env, profile, k, at, func(ctx context.Context, client *sts.Client) error {
		out, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err == nil && (out.Account == nil || out.Arn == nil) {
			err = errNonsense
		}
		if err == nil {
			id = Identity{Account: *out.Account, ARN: *out.Arn, UserID: sdk.ToString(out.UserId)}
		}
		return err
	})
	return id, refusal, err
}

// AskPermission calls GetAccessKeyInfo for these keys themselves, as [Ask] does. It
// changes nothing, and unlike GetCallerIdentity it is refused to who may do nothing.
func AskPermission(ctx context.Context, env *resolver.Baseline, profile string, k Keys, at Address) (Refusal, error) {
	return once(ctx, env, profile, k, at, func(ctx context.Context, client *sts.Client) error {
		_, err := client.GetAccessKeyInfo(ctx, &sts.GetAccessKeyInfoInput{AccessKeyId: &k.AccessKeyID})
		return err
	})
}

func once(ctx context.Context, env *resolver.Baseline, profile string, k Keys, at Address, call func(context.Context, *sts.Client) error) (Refusal, error) {
	o := newOpening(&provider{}, &resolver.Call{Env: env})
	signer := keys{id: k.AccessKeyID, secret: k.SecretAccessKey, token: k.SessionToken}
	if err := signer.check(); err != nil {
		return Refusal{}, &resolver.OpenError{Kind: resolver.KindRefused, Summary: err.Error(), Err: err}
	}
	if profile == "" {
		profile, _ = o.activeName()
	}
	config, _ := o.profileNamed(profile) // for its CA bundle
	ctx, cancel := context.WithTimeout(ctx, o.limits.total)
	defer cancel()
	client := o.newHTTPClient(config)
	err := call(ctx, sts.New(sts.Options{
		Region: at.Region, BaseEndpoint: &at.URL, Credentials: signer.provide(), HTTPClient: client,
		Retryer: sdk.NopRetryer{}, DisableClockSkewCorrection: true,
	}))
	if err != nil {
		return refusalOf(client, err).scrubbed(k), explain(ctx, err, client, trouble{
			service: "STS", what: "these credentials", region: at.Region, source: "these keys", secrets: signer.secrets(),
		})
	}
	return Refusal{}, nil
}
