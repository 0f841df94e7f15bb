package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/aws"
	"ambit/resolver/cache"
)

func credentialProcessCommand(a *ambit) *cobra.Command {
	var minTTL time.Duration
	var printConfig bool
	cmd := &cobra.Command{
		Use:   "credential-process NAME|FILE [PATH]",
		Short: "print credentials for AWS programs, which ask again before they end",

		DisableFlagsInUseLine: true,
		Long: `Print the AWS credentials of an environment as one JSON object, in the form that
AWS programs expect of a credential_process: with it, programs that run for hours
renew their credentials by themselves.

NAME is an environment PROJECT/NAME of the stores. FILE begins with ./, ../ or /,
or ends in .yaml; it has to be allowed. PATH names the login, such as aws.login;
without it that is the one whose keys are in environmentVariables.

What the cache holds is printed while it is fresh. Then it is renewed first, and
where that fails the old credentials serve until they end. The Expiration that is
printed is a little before AWS's own, for a request is still on its way when
credentials end.

With "deliver: profile" in config.yaml, shells get a profile that runs this
command instead of keys; nothing else has to be set up.`,
		Example: `  ambit credential-process shop/dev
  ambit credential-process shop/dev aws.login --min-ttl 45m
  ambit credential-process shop/dev --print-config >> ~/.aws/config`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{"name an environment or a file", "the form is: " + cmd.UseLine()}
			}
			return atMost(2)(cmd, args)
		},
		ValidArgsFunction: a.completeName,
		RunE: func(_ *cobra.Command, args []string) error {
			path := ""
			if len(args) == 2 {
				path = args[1]
			}
			if minTTL < 0 {
				return usageError{"--min-ttl cannot be negative", "write, for example, --min-ttl 45m"}
			}
			ctx, stop := a.interruptible()
			defer stop()
			if printConfig {
				return runPrintConfig(ctx, a, args[0], path, minTTL)
			}
			err := runCredentialProcess(ctx, a, args[0], path, minTTL)
			var many broken
			if errors.As(err, &many) {
				return firstOf(many)
			}
			return err
		},
	}
	cmd.Flags().DurationVar(&minTTL, "min-ttl", 0, "credentials that serve for at least `DURATION`, or an error")
	cmd.Flags().BoolVar(&printConfig, "print-config", false, "print the profile for ~/.aws/config that runs this command")
	return cmd
}

// processOutput is what a credential_process prints. Source: "Process credential
// provider" in the AWS SDKs and Tools Reference Guide.
type processOutput struct {
	Version         int
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string `json:",omitempty"`
	Expiration      string `json:",omitempty"`
}

func runCredentialProcess(ctx context.Context, a *ambit, arg, path string, minTTL time.Duration) error {
	t, err := a.target(arg)
	if err != nil {
		return err
	}
	asked := askedFor(t, path)
	chain, err := a.processChain(asked)
	if err != nil {
		return err
	}
	base := a.enterProcessBaseline(chain, profileName(asked))
	d, err := a.permitted(ctx, arg)
	if err != nil {
		return err
	}
	c, err := a.credentials(ctx, d, path, base, minTTL)
	if err != nil {
		return err
	}
	out := processOutput{Version: 1, AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey.Reveal(), SessionToken: c.SessionToken.Reveal()}
	if !c.ExpiresAt.IsZero() {
		// Not AWS's own instant: programs sign with the keys until it, by this
		// machine's clock, and a request that is under way then would be refused.
		out.Expiration = c.ExpiresAt.UTC().Format(time.RFC3339)
	}
	b, err := json.Marshal(out)
	if err != nil {
		return errors.New("the credentials cannot be written as JSON") // its own text might hold them
	}
	_, err = a.out.Write(append(b, '\n'))
	return err
}

// processChain is the value of [aws.ProcessVar] with this question, or an error if it
// is asked already: a login whose source is a profile may come back to us.
func (a *ambit) processChain(asked string) (string, error) {
	chain, ok := aws.Asking(a.environ[aws.ProcessVar], asked)
	if !ok {
		return "", withHint(fmt.Errorf("the credentials of %s come from a profile whose credential_process asks for them again", a.short(asked)),
			"let its login start from another profile")
	}
	return chain, nil
}

// askedFor names a question: whose credentials, and which.
func askedFor(t target, path string) string {
	asked := t.root.Name
	if asked == "" {
		asked = t.root.File
	}
	if path != "" {
		asked += " " + path
	}
	return asked
}

// enterProcessBaseline restores the environment from before loading: programs start
// this command with what ambit gave them. Own is the profile that runs it.
func (a *ambit) enterProcessBaseline(chain, own string) hook.Environ {
	raw := a.environ
	if path := raw["AWS_CONFIG_FILE"]; a.isGenerated(path) {
		a.useProfile(path)
	}
	base := a.baseline()
	// In a shell below `ambit run` the run's own is part of what was before, unless it
	// is that which is asked for.
	outer := base["AWS_PROFILE"] != raw["AWS_PROFILE"] && base["AWS_PROFILE"] != own
	if sealed := base[hook.RunVar]; sealed != "" && !outer {
		if keys, err := hook.LoadKeys(a.places, a.uid); err == nil {
			if before, err := keys.Before(base, sealed); err == nil {
				base = before
			}
		}
	}
	lost := base["AWS_PROFILE"] == raw["AWS_PROFILE"] && base["AWS_CONFIG_FILE"] == raw["AWS_CONFIG_FILE"]
	base = hook.NewEnviron(base.List())
	for _, name := range []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE"} {
		// Somewhere on the way AMBIT_STATE was lost: the copy of the user's file is
		// as good as that. Or people keep the profile in their own. It leads here.
		if base[name] == own || lost && a.isGenerated(base["AWS_CONFIG_FILE"]) && strings.HasPrefix(base[name], profilePrefix) {
			delete(base, name)
		}
	}
	base[aws.ProcessVar] = chain
	a.enter(base)
	return base
}

// credentials are the AWS keys that a definition gives to programs, live for at
// least minTTL. An error has no more than one message with its hint.
func (a *ambit) credentials(ctx context.Context, d *definition, path string, base hook.Environ, minTTL time.Duration) (*resolver.Credentials, error) {
	ask := func(fresh bool) (*resolver.Credentials, error) {
		var c *resolver.Credentials
		diags := d.diags
		if d.program != nil && !resolver.HasErrors(d.diags) {
			opt, _ := a.options(base, resolver.Person, fresh, d.consent)
			c, diags = d.program.Credentials(ctx, opt, path)
			diags = a.addressed(d, diags)
		}
		if err := interrupted(ctx); err != nil {
			return nil, err
		}
		if c == nil {
			return nil, firstOf(messages(diags))
		}
		return c, nil
	}
	short := func(c *resolver.Credentials) bool {
		return minTTL > 0 && !c.ExpiresAt.IsZero() && c.ExpiresAt.Sub(a.now()) < minTTL
	}
	c, err := ask(false)
	if err == nil && short(c) {
		// Many programs may want more at once: one fetches it.
		unlock, busy := a.cacheDir.Lock(ctx, fmt.Sprintf("%x", sha256.Sum256([]byte("min-ttl\n"+askedFor(d.target, path)))), func() bool {
			c, err = ask(false)
			return err != nil || !short(c)
		})
		if busy == nil && unlock != nil {
			defer unlock()
			c, err = ask(true)
		}
	}
	if err != nil {
		return nil, err
	}
	for _, notice := range c.Notices {
		a.say(warning(notice))
	}
	if short(c) {
		return nil, withHint(fmt.Errorf("the credentials serve for %s, less than the %s that were asked for", hook.Life(c.ExpiresAt.Sub(a.now())), brief(minTTL)),
			"ask for less with --min-ttl, or give the login a longer duration")
	}
	return c, nil
}

// firstOf is the first of several messages, with its hint.
func firstOf(messages []cache.Message) error {
	var out broken
	for _, m := range messages {
		if m.Level != "hint" && len(out) > 0 {
			break
		}
		out = append(out, m)
	}
	return out
}

// runPrintConfig prints a profile, which people may put into their configuration.
func runPrintConfig(ctx context.Context, a *ambit, arg, path string, minTTL time.Duration) error {
	base := a.enterBaseline()
	d, err := a.permitted(ctx, arg)
	if err != nil {
		return err
	}
	if d.program == nil || resolver.HasErrors(d.diags) {
		return firstOf(messages(d.diags))
	}
	opt, _ := a.options(base, resolver.Person, false, d.consent)
	if path != "" {
		if _, diags := d.program.Inspect(ctx, opt, path, false); resolver.HasErrors(diags) {
			return firstOf(messages(diags))
		}
	}
	program, err := a.programPath(base)
	if err != nil {
		return err
	}
	words := []string{program, "credential-process"}
	if minTTL > 0 {
		words = append(words, "--min-ttl", brief(minTTL))
	}
	label := d.root.Name
	if label == "" {
		words = append(words, d.root.File)
		label = d.program.Label()
	} else {
		words = append(words, label)
		a.warnOfTwins(label)
	}
	if path != "" {
		words = append(words, path)
		label += "-" + path
	}
	profile := awsProfile{name: profileName(label), command: words, region: a.regionOf(ctx, d, base)}
	block, err := profile.block()
	if err != nil {
		return err
	}
	_, err = a.out.Write([]byte(block))
	return err
}

// regionOf is the region that a definition exports, "" if that is not known before
// something is opened.
func (a *ambit) regionOf(ctx context.Context, d *definition, base hook.Environ) string {
	if d.program == nil {
		return ""
	}
	opt, _ := a.options(base, resolver.Person, false, d.consent)
	variables, _ := d.program.Inspect(ctx, opt, "environmentVariables", false) // what is wrong with it is another question
	return region(func(name string) (string, bool) {
		v, ok := variables.Object[name]
		return v.Text, ok && v.Kind == resolver.String && !v.Unknown && !v.Secret
	})
}

// brief writes a duration as people do: 45m, not 45m0s.
func brief(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// warnOfTwins says that another environment has a profile of the same name: in one
// file, readers would mix the two.
func (a *ambit) warnOfTwins(name string) {
	names, err := a.names()
	if err != nil {
		return
	}
	for _, other := range names {
		if fullName(other) != fullName(name) && profileName(other) == profileName(name) {
			a.say(warning(fmt.Sprintf("the profile of %s has the same name; do not put both into one file", other)))
		}
	}
}
