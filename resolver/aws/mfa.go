package aws

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"ambit/resolver"
	"ambit/resolver/secret"
)

const (
	mfaDuration = 12 * time.Hour
	mfaTries    = 3 // codes that a person may mistype
)

// mfaStep is a session of a user who has shown an MFA code. All roles of that
// user are assumed with it, in silence: no code is ever asked for twice while it
// lives. Path is the input that names the device.
func (o *opening) mfaStep(serial string, base *step, duration time.Duration, p place, profile *config.SharedConfig, path []string) (*step, error) {
	if base.role {
		return nil, notAUser(base, path)
	}
	var given *keys // what the person's code brought
	var skew time.Duration
	s := &step{
		// Not the region: a session of one holds in all of them.
		key: keyOf(map[string]any{
			"kind": "mfa", "serial": serial, "seconds": int64(duration / time.Second), "base": base.key, "endpoint": p.endpoint,
		}),
		source: "MFA session from " + base.source, link: Link{Kind: "mfa", Serial: serial}, kept: true, asked: true, made: loginOf(loginMFA, serial),
		fetch: func(ctx context.Context, _ *keys) (keys, time.Duration, error) {
			if o.trial != nil {
				user, err := o.obtain(ctx, base)
				if err == nil {
					o.signed(user)
					err = &resolver.OpenError{Kind: resolver.KindLogin, Path: path, Err: ErrUntried,
						Summary: fmt.Sprintf("an MFA code of %s is wanted", clip(serial, 200)), Hint: runLogin}
				}
				return keys{}, 0, err
			}
			if given == nil || o.revoked[given.id] {
				return keys{}, 0, &resolver.OpenError{Kind: resolver.KindLogin, Path: path,
					Summary: fmt.Sprintf("an MFA code of %s is wanted", clip(serial, 200)), Hint: runLogin}
			}
			return *given, skew, nil
		},
	}
	s.login = func(ctx context.Context) error {
		done := func() bool {
			alive := o.look(s, o.call.Now()).alive
			return alive != nil && o.call.Now().Unix() < alive.refreshAt
		}
		return o.alone(ctx, keyOf(map[string]any{"lock": "mfa", "session": s.key}), done, func(ctx context.Context) error {
			user, err := o.obtain(ctx, base)
			if err != nil {
				return err
			}
			if user.token.Len() > 0 {
				return notAUser(base, path)
			}
			var got keys
			if got, skew, err = o.showCode(ctx, serial, user, base, duration, p, profile, path); err != nil {
				return err
			}
			given = &got
			_, err = o.obtain(ctx, s) // kept before the next terminal asks
			return err
		})
	}
	return s, nil
}

func notAUser(base *step, path []string) error {
	return &resolver.OpenError{Kind: resolver.KindRefused, Path: path,
		Summary: fmt.Sprintf("%s gives temporary keys, and an MFA code counts only with a user's own", base.source),
		Hint:    "name a profile with long-lived keys, or leave the MFA device out if the session has MFA already"}
}

// showCode asks for a code and calls GetSessionToken with it. A code counts once,
// so no call is sent twice: only a code that AWS says is wrong is asked for anew.
func (o *opening) showCode(ctx context.Context, serial string, user kept, base *step, duration time.Duration, p place, profile *config.SharedConfig, path []string) (keys, time.Duration, error) {
	sent := ""
	for try := 1; ; try++ {
		code, err := o.call.Asker.MFA(ctx, serial)
		if err != nil {
			return keys{}, 0, err
		}
		if code == sent {
			return keys{}, 0, &resolver.OpenError{Kind: resolver.KindLogin, Path: path,
				Summary: "AWS has refused this MFA code already", Hint: `wait for the next code, and run "ambit login" again`}
		}
		sent = code
		http := o.newHTTPClient(profile)
		seconds := int32(duration / time.Second)
		out, err := newSTS(p, o.limits.once(), http, user.provide()).GetSessionToken(ctx, &sts.GetSessionTokenInput{
			DurationSeconds: &seconds, SerialNumber: &serial, TokenCode: &code,
		})
		if err == nil {
			var k keys
			if k, err = fromSTS(out.Credentials); err == nil {
				return k, skewOf(out.ResultMetadata), nil
			}
		}
		if wrongCode(err) && try < mfaTries {
			o.call.Asker.Say("AWS refused the MFA code; each one counts once, so wait for the next")
			continue
		}
		err = explain(ctx, err, http, trouble{
			service: "STS", what: "an MFA session", region: p.region, source: base.source, secrets: append(user.secrets(), secret.New(code)),
		})
		if wrongCode(err) {
			return keys{}, 0, &resolver.OpenError{Kind: resolver.KindLogin, Path: path, Err: err,
				Summary: "AWS refused the MFA code", Hint: fmt.Sprintf("check that the device is %s, and its clock", clip(serial, 200))}
		}
		return keys{}, 0, err
	}
}

func wrongCode(err error) bool {
	code, message := apiError(err)
	return code == "AccessDenied" && strings.Contains(message, "MultiFactorAuthentication")
}
