// Package aws opens AWS credentials and what they give access to. [New] makes the
// provider aws-login, [Secrets] and [Parameters] make aws-secrets and
// aws-parameter-store; [WhoAmI] asks AWS whom a set of keys speaks for, [SigninURL]
// opens the console for them, [Logout] ends logins; [Try], [Ask] and [STSAddress] find
// out what is wrong and keep nothing. It is the only importer of the AWS SDK.
//
// A login is a chain of steps: a role that is assumed with the keys of a
// profile, which is itself a role. Each step is kept in the cache under a hash
// of what was asked (never a name), is fetched by one process at a time, serves
// until its hard end and is renewed from its soft one. What AWS refuses or does
// not answer is remembered there too.
//
// What needs a person, which is a login to IAM Identity Center, an MFA code or a
// login in the user's settings, is an error of [resolver.KindLogin], unless the
// call has an asker: then the person is asked, once for all who need the same, and
// no prompt waits meanwhile.
//
// Endpoints, proxies, CA bundles and configuration files come from the
// environment before loading and the user's own files, never from a value. The
// SDK and net/http read the process environment by themselves: the process must
// have been started with, or have restored, that same environment.
//
// No error text holds a key, a token or bytes as they came from outside.
package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"ambit/resolver"
	"ambit/resolver/cache"
)

// Options are what the provider needs from its program.
type Options struct {
	// Cache keeps what was opened; nil keeps nothing.
	Cache *cache.Dir

	// RunCommand runs a command that prints a token and returns its standard
	// output.
	RunCommand func(ctx context.Context, c resolver.Command) ([]byte, error)

	// LoginToken returns the OIDC token of a login in the user's settings, and
	// asks the person for it if there is an asker. An error that is an
	// [*resolver.OpenError] of [resolver.KindDefinition] says that there is no such
	// login. Nil: there are none.
	LoginToken func(ctx context.Context, name string, asker resolver.Asker, patience resolver.Patience) ([]byte, error)

	// LoginKey says what a login of LoginToken is: another text once its provider or
	// client has changed, so that what another one gave does not serve. Nil: its name.
	LoginKey func(name string) string

	// RenewSSO has another process, which outlives this one, answer a question by
	// [RenewSSO]. Who waits at a prompt, and who may press Ctrl-C, renews the token of
	// an SSO session there: its refresh token serves once, and the answer must not be
	// lost. Nil: it is done here.
	RenewSSO func(ctx context.Context, question []byte) ([]byte, error)
}

// New returns the provider aws-login.
func New(o Options) *resolver.Provider {
	p := &provider{Options: o}
	return &resolver.Provider{
		Name: "aws-login", Version: 1, Inputs: inputs, Outputs: outputs, OwnCache: true,
		Open: p.open,
	}
}

type provider struct {
	Options

	// opened remembers by access key id what this process opened, so that a role
	// assumed from another aws-login value is known by that login and not by
	// its keys, which change.
	opened sync.Map // string → openedKeys

	turns sync.Map // string → chan struct{}, see turn
}

type openedKeys struct {
	key      string // of the step
	role     bool   // they are a role's
	made     string // step.made
	iss, sub string // of the token they were given for
}

// opening is one call of the provider.
type opening struct {
	*provider
	call   *resolver.Call
	limits limits
	region string // the input, or ""

	files   []string // read on the way: their change is a reason to open again
	tokens  []string // files of tokens: a new one is a reason to try again after a failure
	notices []string
	shared  map[string]*sharedProfile
	revoked map[string]bool // access key ids that AWS no longer knows

	trial  *Trial // notes how far the chain comes, see [Try]; else nil
	trying sync.Mutex
	asked  *httpClient // the last one made, in a trial
}

func (p *provider) open(ctx context.Context, call *resolver.Call) (resolver.Opened, error) {
	o := newOpening(p, call)
	opened, err := o.within(ctx, "AWS credentials", o.run)
	return opened, o.scrubbed(err)
}

// scrubbed takes out of an error what an input says in secret: the name of a
// role may be one.
func (o *opening) scrubbed(err error) error {
	open, ok := err.(*resolver.OpenError)
	if !ok {
		return err
	}
	secrets := secretTexts(o.call.Inputs)
	open.Summary, open.Hint = scrub(open.Summary, secrets...), scrub(open.Hint, secrets...)
	return open
}

func newOpening(p *provider, call *resolver.Call) *opening {
	return &opening{provider: p, call: call, limits: limitsOf(call.Patience), shared: map[string]*sharedProfile{}, revoked: map[string]bool{}}
}

// retryOn makes the change of a file a reason to try again after a failure.
func (o *opening) retryOn(paths ...string) {
	for _, path := range paths {
		if !slices.Contains(o.tokens, path) {
			o.tokens = append(o.tokens, path)
		}
	}
}

// within bounds an open by the patience of whoever waits. What says what is
// opened, for the error.
func (o *opening) within(ctx context.Context, what string, run func(context.Context) (resolver.Opened, error)) (resolver.Opened, error) {
	type result struct {
		opened resolver.Opened
		err    error
	}
	parent, total := ctx, o.limits.total
	if o.call.Asker != nil {
		total = 2*total + o.limits.login
	}
	ctx, cancel := context.WithTimeout(ctx, total)
	defer cancel()
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if recover() != nil {
				r.err = unexpected()
			}
			done <- r
		}()
		r.opened, r.err = run(ctx)
	}()
	select {
	case r := <-done:
		return r.opened, r.err
	case <-ctx.Done():
	}
	// What honours its context says in a moment why it failed; a name look-up or
	// a disk that does not is not waited for.
	grace := time.NewTimer(200 * time.Millisecond)
	defer grace.Stop()
	select {
	case r := <-done:
		return r.opened, r.err
	case <-grace.C:
	}
	if err := parent.Err(); errors.Is(err, context.Canceled) {
		return resolver.Opened{}, err
	}
	return resolver.Opened{}, &resolver.OpenError{
		Kind: resolver.KindNetwork, Err: context.DeadlineExceeded,
		Summary: fmt.Sprintf("%s did not come within %s", what, brief(total)),
		Hint:    "check the network and the name server",
	}
}

// unexpected is what a panic becomes: what it says might hold a value.
func unexpected() error { return &resolver.OpenError{Summary: "the provider failed unexpectedly"} }

func (o *opening) run(ctx context.Context) (resolver.Opened, error) {
	failed := func(err error) (resolver.Opened, error) {
		return resolver.Opened{Files: append(o.files, o.tokens...)}, err
	}
	s, err := o.step(o.call.Inputs)
	if err != nil {
		return failed(err)
	}
	k, err := o.obtainAsking(ctx, s)
	if err != nil {
		return failed(err)
	}
	o.opened.Store(k.id, openedKeys{s.key, k.role, s.made, k.iss, k.sub})

	secret := func(text string) resolver.Value {
		return resolver.Value{Kind: resolver.String, Text: text, Secret: true}
	}
	value := map[string]resolver.Value{
		"accessKeyId":     {Kind: resolver.String, Text: k.id},
		"secretAccessKey": secret(k.secret.Reveal()),
	}
	if k.token.Len() > 0 {
		value["sessionToken"] = secret(k.token.Reveal())
	}
	credential := &cache.Credential{Account: k.account(), ARN: k.arn, Source: s.source, Failing: k.failing}
	opened := resolver.Opened{
		Value:   resolver.Value{Kind: resolver.Object, Object: value},
		Files:   o.files,
		Notices: o.notices, Credential: credential,
	}
	if !k.expiration.IsZero() {
		value["expiration"] = resolver.Value{Kind: resolver.String, Text: k.expiration.UTC().Format(time.RFC3339)}
		opened.RefreshAt, opened.ExpiresAt = time.Unix(k.refreshAt, 0), time.Unix(k.expiresAt, 0)
		credential.RefreshAt, credential.ExpiresAt = k.refreshAt, k.expiresAt
	}
	return opened, nil
}

// limits bound the network by who waits.
type limits struct {
	attempts          int
	call, dial, total time.Duration
	login             time.Duration // of a person, who comes on top
}

func limitsOf(p resolver.Patience) limits {
	switch p {
	case resolver.Detached:
		return limits{attempts: 3, call: 10 * time.Second, dial: 5 * time.Second, total: 30 * time.Second}
	case resolver.Person:
		return limits{attempts: 3, call: 10 * time.Second, dial: 5 * time.Second, total: 60 * time.Second, login: 5 * time.Minute}
	}
	return limits{attempts: 1, call: 3 * time.Second, dial: 1500 * time.Millisecond, total: 5 * time.Second}
}
