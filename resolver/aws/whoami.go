package aws

import (
	"context"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"ambit/resolver"
	"ambit/resolver/secret"
)

// Keys are the credentials that [WhoAmI] signs with.
type Keys struct {
	AccessKeyID     string
	SecretAccessKey secret.Text
	SessionToken    secret.Text // empty for a user's own keys
}

// Identity is whom AWS takes the holder of a set of keys for.
type Identity struct {
	Account string // 12 digits
	ARN     string
	UserID  string
}

// WhoAmI calls GetCallerIdentity of STS with these keys and no others. Region
// may be "": then the environment's, the active profile's or us-east-1. Env
// gives the endpoint; it must be the environment before loading. An error is an
// [*resolver.OpenError], or context.Canceled.
func WhoAmI(ctx context.Context, env *resolver.Baseline, now func() time.Time, k Keys, region string) (Identity, error) {
	o := &opening{
		provider: &provider{}, limits: limitsOf(resolver.Person), region: region, shared: map[string]*sharedProfile{},
		call: &resolver.Call{Env: env, Now: now, Patience: resolver.Person},
	}
	signer := keys{id: k.AccessKeyID, secret: k.SecretAccessKey, token: k.SessionToken}
	if err := signer.check(); err != nil {
		return Identity{}, &resolver.OpenError{Kind: resolver.KindRefused, Summary: err.Error(), Err: err}
	}
	profile, err := o.activeProfile()
	if err != nil {
		return Identity{}, err
	}
	at, err := o.placeFor(profile, "")
	if err != nil {
		return Identity{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.limits.total)
	defer cancel()
	http := o.newHTTPClient(profile)
	out, err := newSTS(at, o.limits, http, signer.provide()).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err == nil && (out.Account == nil || out.Arn == nil) {
		err = errNonsense
	}
	if err != nil {
		return Identity{}, explain(ctx, err, http, trouble{
			service: "STS", what: "these credentials", region: at.region, source: "the loaded keys", secrets: signer.secrets(),
		})
	}
	return Identity{Account: *out.Account, ARN: *out.Arn, UserID: sdk.ToString(out.UserId)}, nil
}
