package aws

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"ambit/resolver"
	"ambit/resolver/safefile"
	"ambit/resolver/secret"
)

// loginSessionStep leaves a profile with a login_session, as `aws login` makes
// them, to the SDK: nobody else knows how their tokens are renewed.
func (o *opening) loginSessionStep(p *config.SharedConfig, path []string) (*step, error) {
	at, err := o.placeFor(p, "")
	if err != nil {
		return nil, err
	}
	source, file := fmt.Sprintf("profile %q", p.Profile), o.loginFile(p.LoginSession)
	o.retryOn(file)
	return &step{
		key:    keyOf(map[string]any{"kind": "login_session", "profile": sumOfProfile(p), "file": file, "region": at.region, "endpoint": at.endpoint}),
		source: source, link: Link{Kind: "login_session", Profile: p.Profile}, role: p.RoleARN != "", kept: true, // whose keys it gives else is not known before
		identity: func() (tokenIdentity, bool) { // another login is a reason to try again
			b, err := safefile.Read(file)
			return tokenIdentity{sum: hash(b)}, err == nil
		},
		fetch: func(ctx context.Context, _ *keys) (keys, time.Duration, error) {
			if _, err := safefile.Read(file); err == nil && o.trial != nil {
				return keys{}, 0, &resolver.OpenError{Kind: resolver.KindLogin, Path: path, Err: ErrUntried,
					Summary: fmt.Sprintf("the login session of %s may be due for a renewal", source), Hint: fmt.Sprintf("aws login --profile %s", Word(p.Profile))}
			}
			client := o.newHTTPClient(p)
			k, err := o.askSDK(ctx, p, at, client)
			if err != nil {
				return keys{}, 0, o.loginSessionError(ctx, p, source, path, client, err)
			}
			return k, 0, nil
		},
	}, nil
}

// loginFile is where `aws login` keeps a session.
func (o *opening) loginFile(session string) string {
	dir, _ := o.call.Env.Lookup("AWS_LOGIN_CACHE_DIRECTORY")
	if dir == "" {
		dir = filepath.Join(o.home(), ".aws", "login", "cache")
	}
	return filepath.Join(dir, hash([]byte(strings.TrimSpace(session)))+".json")
}

func (o *opening) askSDK(ctx context.Context, p *config.SharedConfig, at place, client *httpClient) (keys, error) {
	configFile, credentialsFile := o.configFiles()
	loaded, err := config.LoadDefaultConfig(ctx,
		config.WithSharedConfigProfile(p.Profile),
		config.WithSharedConfigFiles([]string{configFile}), config.WithSharedCredentialsFiles([]string{credentialsFile}),
		config.WithRegion(at.region), config.WithRetryer(func() sdk.Retryer { return retryer(o.limits) }),
		config.WithEC2IMDSClientEnableState(imds.ClientDisabled), config.WithLogger(logging.Nop{}), // it would write to stderr
		// The SDK adds a CA bundle only to a client of its own kind; who really asks
		// is ours, which follows no redirect and reads no endless answer.
		config.WithHTTPClient(awshttp.NewBuildableClient()),
		config.WithAPIOptions([]func(*middleware.Stack) error{func(stack *middleware.Stack) error {
			return stack.Deserialize.Add(askedBy(client), middleware.After)
		}}),
	)
	if err != nil {
		return keys{}, err
	}
	c, err := loaded.Credentials.Retrieve(ctx)
	if err != nil {
		return keys{}, err
	}
	k := keys{id: c.AccessKeyID, secret: secret.New(c.SecretAccessKey), token: secret.New(c.SessionToken), role: c.SessionToken != ""}
	if c.CanExpire {
		k.expiration = c.Expires.UTC()
	}
	return k, nil
}

// askedBy sends a request through client instead of the one that the SDK made
// its service with: what comes after it in the stack is not called.
func askedBy(client *httpClient) middleware.DeserializeMiddleware {
	handler := smithyhttp.NewClientHandlerWithOptions(client)
	return middleware.DeserializeMiddlewareFunc("ambit.Client", func(ctx context.Context, in middleware.DeserializeInput, _ middleware.DeserializeHandler) (
		out middleware.DeserializeOutput, metadata middleware.Metadata, err error) {
		out.RawResponse, metadata, err = handler.Handle(ctx, in.Request)
		return out, metadata, err
	})
}

// loginSessionError words what the SDK says: an answer of AWS, or silence, or else
// that the session has ended, for which there is no type.
func (o *opening) loginSessionError(ctx context.Context, p *config.SharedConfig, source string, path []string, client *httpClient, err error) error {
	if errors.Is(err, context.Canceled) && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return context.Canceled
	}
	code, _ := apiError(err)
	_, answered := client.answered()
	if code != "" || isNetwork(err) || answered != nil && (answered.status >= 500 || isWebPage(answered)) {
		return at(explain(ctx, err, client, trouble{service: "AWS sign-in", what: "the login session of " + source, region: p.Region}), path...)
	}
	return &resolver.OpenError{Kind: resolver.KindLogin, Path: path, Err: quiet{err},
		Summary: fmt.Sprintf("the login session of %s has ended", source), Hint: fmt.Sprintf("aws login --profile %s", Word(p.Profile))}
}
