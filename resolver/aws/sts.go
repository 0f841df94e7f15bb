package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go/middleware"

	"ambit/resolver"
	"ambit/resolver/secret"
)

func (o *opening) newHTTPClient(profile *config.SharedConfig) *httpClient {
	client := &httpClient{limits: o.limits, bundle: bundle(o.call.Env, profile)}
	if o.trial != nil {
		o.asked = client
	}
	return client
}

// newSTS makes a client that knows nothing but what it is given here: no file
// and no variable is read by the SDK.
func newSTS(p place, l limits, http *httpClient, credentials sdk.CredentialsProvider) *sts.Client {
	options := sts.Options{
		Region: p.region, Credentials: credentials, HTTPClient: http, Retryer: retryer(l),
	}
	if p.endpoint != "" {
		options.BaseEndpoint = &p.endpoint
	}
	if p.fips {
		options.EndpointOptions.UseFIPSEndpoint = sdk.FIPSEndpointStateEnabled
	}
	if p.dualStack {
		options.EndpointOptions.UseDualStackEndpoint = sdk.DualStackEndpointStateEnabled
	}
	return sts.New(options)
}

// retryer tries as often as whoever waits has patience for. One attempt still
// signs anew for a wrong clock, and only for that: without it no machine whose
// clock is off by minutes gets credentials at all.
func retryer(l limits) sdk.Retryer {
	return retry.NewStandard(func(r *retry.StandardOptions) {
		if l.attempts > 1 {
			r.MaxAttempts = l.attempts
			return
		}
		r.MaxAttempts = 2
		r.Retryables = []retry.IsErrorRetryable{retry.RetryableError{}}
		r.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
	})
}

// longest grants what every role and every chain of roles grants.
const longest = time.Hour

// withinLimit asks for a duration and, if AWS says that it is too long, once
// more for an hour. It returns the seconds granted if they are fewer than asked.
func (o *opening) withinLimit(asked time.Duration, before *keys, ask func(seconds int32) error) (granted int64, err error) {
	seconds := int32(asked / time.Second)
	if o.trial != nil {
		return 0, ask(seconds) // as other programs do
	}
	hour := int32(longest / time.Second)
	if before != nil && before.granted != 0 {
		return before.granted, ask(int32(before.granted))
	}
	err = ask(seconds)
	if seconds > hour && tooLong(err) {
		return int64(hour), ask(hour)
	}
	return 0, err
}

func tooLong(err error) bool {
	code, message := apiError(err)
	return code == "ValidationError" && strings.Contains(strings.ToLower(message), "durationseconds")
}

// sayCut says that a role grants less than was asked for, when that is found out: what
// was granted before knows it.
func (o *opening) sayCut(before *keys, roleARN string, asked time.Duration, granted int64) {
	if granted != 0 && (before == nil || before.granted == 0) {
		o.notices = append(o.notices, fmt.Sprintf("role %q grants at most %s; asked for %s", roleName(roleARN), brief(time.Duration(granted)*time.Second), brief(asked)))
	}
}

func roleName(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// fromSTS takes the keys out of an answer.
func fromSTS(c *types.Credentials) (keys, error) {
	if c == nil || c.Expiration == nil || sdk.ToString(c.AccessKeyId) == "" || sdk.ToString(c.SecretAccessKey) == "" || sdk.ToString(c.SessionToken) == "" {
		return keys{}, errNonsense
	}
	return keys{
		id: *c.AccessKeyId, secret: secret.New(*c.SecretAccessKey), token: secret.New(*c.SessionToken),
		expiration: c.Expiration.UTC(),
	}, nil
}

func skewOf(m middleware.Metadata) time.Duration {
	skew, _ := awsmiddleware.GetAttemptSkew(m)
	return skew
}

// webIdentity is a role that is assumed with an OIDC token.
type webIdentity struct {
	roleARN, sessionName string
	duration             time.Duration
	explicit             bool // the duration was asked for
	policyARNs           []string
	token                tokenSource
}

func (o *opening) webIdentityStep(w webIdentity, p place, profile *config.SharedConfig) *step {
	return &step{
		key: keyOf(map[string]any{
			"kind": "oidc", "role": w.roleARN, "session": w.sessionName, "seconds": int64(w.duration / time.Second),
			"policyArns": w.policyARNs, "token": w.token.question, "region": p.region, "endpoint": p.endpoint,
		}),
		source: "oidc", link: Link{Kind: "web identity", Role: w.roleARN, Seconds: int(w.duration / time.Second)},
		role: true, kept: true, made: w.token.made, identity: w.token.identity, login: w.token.login,
		fetch: func(ctx context.Context, before *keys) (keys, time.Duration, error) {
			token, id, err := w.token.acquire(ctx, o.call.Now())
			if err != nil {
				return keys{}, 0, err
			}
			http := o.newHTTPClient(profile)
			client := newSTS(p, o.limits, http, nil)
			text := token.Reveal()
			var out *sts.AssumeRoleWithWebIdentityOutput
			ask := func(seconds int32) (err error) {
				out, err = client.AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
					RoleArn: &w.roleARN, RoleSessionName: &w.sessionName, WebIdentityToken: &text,
					DurationSeconds: &seconds, PolicyArns: policyARNs(w.policyARNs),
				})
				return err
			}
			granted, err := o.withinLimit(w.duration, before, func(seconds int32) error {
				err := ask(seconds)
				// AWS could not reach the issuer this moment (aws/aws-cli#7194);
				// the SDK does not know that it passes.
				if code, message := apiError(err); code == "InvalidIdentityToken" && strings.Contains(message, "retrieve verification key") {
					err = ask(seconds)
				}
				return err
			})
			var k keys
			if err == nil {
				k, err = fromSTS(out.Credentials)
			}
			if err != nil {
				return keys{}, 0, explain(ctx, err, http, trouble{
					service: "STS", what: "role " + w.roleARN, role: w.roleARN, region: p.region, web: true, secrets: []secret.Text{token},
				})
			}
			if out.AssumedRoleUser != nil {
				k.arn = sdk.ToString(out.AssumedRoleUser.Arn)
			}
			k.role, k.granted, k.iss, k.sub = true, granted, id.iss, id.sub
			if w.explicit {
				o.sayCut(before, w.roleARN, w.duration, granted)
			}
			return k, skewOf(out.ResultMetadata), nil
		},
	}
}

func policyARNs(arns []string) []types.PolicyDescriptorType {
	var out []types.PolicyDescriptorType
	for _, arn := range arns {
		out = append(out, types.PolicyDescriptorType{Arn: &arn})
	}
	return out
}

// assumedRole is a role that is assumed with other keys.
type assumedRole struct {
	roleARN, sessionName               string
	duration                           time.Duration
	explicit                           bool          // the duration was asked for
	capped                             time.Duration // was asked for, of a chain of roles
	externalID, sourceIdentity, policy string
	policyARNs, transitive             []string
	tags                               map[string]string
	base                               *step
}

func (o *opening) assumedRoleStep(r assumedRole, p place, profile *config.SharedConfig) *step {
	return &step{
		key: keyOf(map[string]any{
			"kind": "assumeRole", "role": r.roleARN, "session": r.sessionName, "seconds": int64(r.duration / time.Second),
			"externalId": r.externalID, "sourceIdentity": r.sourceIdentity, "policy": r.policy, "policyArns": r.policyARNs,
			"tags": r.tags, "transitive": r.transitive, "base": r.base.key, "region": p.region, "endpoint": p.endpoint,
		}),
		source: "assumeRole from " + r.base.source,
		link:   Link{Kind: "role", Role: r.roleARN, Seconds: int(r.duration / time.Second), Chained: r.base.role},
		role:   true, kept: true, made: r.base.made, identity: r.base.identity, login: r.base.login,
		fetch: func(ctx context.Context, before *keys) (keys, time.Duration, error) {
			base, err := o.obtain(ctx, r.base)
			if err != nil {
				return keys{}, 0, err
			}
			k, skew, err := o.assume(ctx, r, base, before, p, profile)
			if !unknownKeys(err) || !r.base.kept {
				if unknownKeys(err) && r.base.lent {
					_ = o.Cache.DropOpened(r.base.key) // the next attempt makes it anew
				}
				return k, skew, err
			}
			// An administrator ended the session that was kept.
			o.revoked[base.id] = true
			if base, err = o.obtain(ctx, r.base); err != nil {
				return keys{}, 0, err
			}
			return o.assume(ctx, r, base, before, p, profile)
		},
	}
}

// unknownKeys says whether AWS no longer takes the keys that signed.
func unknownKeys(err error) bool {
	code, _ := apiError(err)
	return slices.Contains([]string{"InvalidClientTokenId", "UnrecognizedClientException", "ExpiredToken", "ExpiredTokenException"}, code)
}

// assume calls AssumeRole with the keys of base.
func (o *opening) assume(ctx context.Context, r assumedRole, base kept, before *keys, p place, profile *config.SharedConfig) (keys, time.Duration, error) {
	http := o.newHTTPClient(profile)
	client := newSTS(p, o.limits, http, base.provide())
	var out *sts.AssumeRoleOutput
	o.signed(base)
	granted, err := o.withinLimit(r.duration, before, func(seconds int32) (err error) {
		out, err = client.AssumeRole(ctx, &sts.AssumeRoleInput{
			RoleArn: &r.roleARN, RoleSessionName: &r.sessionName, DurationSeconds: &seconds,
			ExternalId: optional(r.externalID), SourceIdentity: optional(r.sourceIdentity), Policy: optional(r.policy),
			PolicyArns: policyARNs(r.policyARNs), Tags: tags(r.tags), TransitiveTagKeys: r.transitive,
		})
		return err
	})
	var k keys
	if err == nil {
		k, err = fromSTS(out.Credentials)
	}
	if err != nil {
		return keys{}, 0, explain(ctx, err, http, trouble{
			service: "STS", what: "role " + r.roleARN, role: r.roleARN, region: p.region, source: r.base.source,
			secrets: append(base.secrets(), secret.New(r.externalID)),
		})
	}
	if out.AssumedRoleUser != nil {
		k.arn = sdk.ToString(out.AssumedRoleUser.Arn)
	}
	k.role, k.granted, k.iss, k.sub = true, granted, base.iss, base.sub
	if r.capped != 0 && before == nil {
		o.notices = append(o.notices, fmt.Sprintf("a role assumed with the keys of another role lasts at most 1h; for role %q %s were asked for", roleName(r.roleARN), brief(r.capped)))
	}
	if r.explicit {
		o.sayCut(before, r.roleARN, r.duration, granted)
	}
	return k, skewOf(out.ResultMetadata), nil
}

func (k keys) secrets() []secret.Text { return []secret.Text{k.secret, k.token} }

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func tags(m map[string]string) []types.Tag {
	var out []types.Tag
	for _, key := range sortedKeys(m) {
		value := m[key]
		out = append(out, types.Tag{Key: &key, Value: &value})
	}
	return out
}

// sessionStep is GetSessionToken with the keys of a user.
func (o *opening) sessionStep(base *step, duration time.Duration, p place, profile *config.SharedConfig) *step {
	return &step{
		key: keyOf(map[string]any{
			"kind": "session", "seconds": int64(duration / time.Second), "base": base.key, "region": p.region, "endpoint": p.endpoint,
		}),
		source: "session from " + base.source, link: Link{Kind: "session"}, kept: true, made: base.made, login: base.login,
		fetch: func(ctx context.Context, _ *keys) (keys, time.Duration, error) {
			user, err := o.obtain(ctx, base)
			if err != nil {
				return keys{}, 0, err
			}
			if user.token.Len() > 0 {
				return keys{}, 0, &resolver.OpenError{Kind: resolver.KindRefused, Path: []string{"session", "source"},
					Summary: fmt.Sprintf("%s gives temporary keys, and AWS makes sessions only from a user's own", base.source),
					Hint:    "use them as they are, or name a profile with long-lived keys"}
			}
			http := o.newHTTPClient(profile)
			seconds := int32(duration / time.Second)
			out, err := newSTS(p, o.limits, http, user.provide()).GetSessionToken(ctx, &sts.GetSessionTokenInput{DurationSeconds: &seconds})
			var k keys
			if err == nil {
				k, err = fromSTS(out.Credentials)
			}
			if err != nil {
				return keys{}, 0, explain(ctx, err, http, trouble{
					service: "STS", what: "a session", region: p.region, source: base.source, secrets: user.secrets(),
				})
			}
			return k, skewOf(out.ResultMetadata), nil
		},
	}
}
