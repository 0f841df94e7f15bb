package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/aws"
	"ambit/resolver/cache"
	"ambit/resolver/secret"
)

func whoamiCommand(a *ambit) *cobra.Command {
	return &cobra.Command{
		Use:   "whoami [NAME|FILE]",
		Short: "ask AWS whom the loaded credentials speak for",
		Long: `Ask AWS (GetCallerIdentity) whom the credentials speak for that this shell
exports, or those of an environment, and say where they came from and how long
they live.`,
		Example: `  ambit whoami
  ambit whoami shop/dev`,
		Args:              atMost(1),
		ValidArgsFunction: a.completeName,
		RunE: func(_ *cobra.Command, args []string) error {
			ctx, stop := a.interruptible()
			defer stop()
			return runWhoami(ctx, a, optional(args))
		},
	}
}

// holder is a set of credentials and what is known about it.
type holder struct {
	keys      aws.Keys
	region    string
	source    string
	expiresAt int64 // epoch seconds; 0: unknown or never
}

func runWhoami(ctx context.Context, a *ambit, arg string) error {
	var h holder
	var err error
	exported, own := a.exported(), a.hasProfile()
	var base hook.Environ
	subject, ok := "", false
	if arg == "" && !own && exported.keys.AccessKeyID == "" {
		subject, ok = a.profileSubject()
	}
	switch {
	case ok:
		// Below `ambit run` there is no session: what its programs would be given.
		var chain string
		if chain, err = a.processChain(subject); err != nil {
			return err
		}
		base = a.enterProcessBaseline(chain, a.environ["AWS_PROFILE"])
		h, err = a.holderOf(ctx, subject, base)
	case arg == "" && !own:
		base = a.enterBaseline()
		h, err = exported, a.usable(exported)
	default:
		base = a.enterBaseline()
		h, err = a.holderOf(ctx, arg, base)
	}
	if err != nil {
		return err
	}
	id, err := aws.WhoAmI(ctx, resolver.NewBaseline(base.List()), a.now, h.keys, h.region)
	if err := interrupted(ctx); err != nil {
		return err
	}
	if err != nil {
		var open *resolver.OpenError
		if errors.As(err, &open) && open.Hint != "" {
			return withHint(errors.New(open.Summary), open.Hint)
		}
		return err
	}
	rows := [][2]string{{"account", id.Account}, {"arn", id.ARN}, {"user id", id.UserID}, {"source", h.source}}
	if h.expiresAt != 0 {
		rows = append(rows, [2]string{"expires", "in " + hook.Life(time.Unix(h.expiresAt, 0).Sub(a.now()))})
	}
	for _, row := range rows {
		if row[1] != "" {
			fmt.Fprintf(a.out, "%-8s %s\n", row[0], printableWhole(row[1]))
		}
	}
	return nil
}

// exported are the credentials of this shell's environment, with their source if
// it is ambit that put them there.
func (a *ambit) exported() holder {
	h := holder{
		keys: aws.Keys{
			AccessKeyID:     a.environ["AWS_ACCESS_KEY_ID"],
			SecretAccessKey: secret.New(a.environ["AWS_SECRET_ACCESS_KEY"]),
			SessionToken:    secret.New(a.environ["AWS_SESSION_TOKEN"]),
		},
		region: region(a.environ.Lookup),
		source: "the environment; ambit did not set it",
	}
	if at, err := time.Parse(time.RFC3339, a.environ["AWS_CREDENTIAL_EXPIRATION"]); err == nil {
		h.expiresAt = at.Unix()
	}
	s := a.session()
	if s.session == nil || s.session.State != hook.Loaded {
		return h
	}
	for _, c := range s.changes(a.environ) {
		if c.Name == "AWS_ACCESS_KEY_ID" && c.Ours {
			h.source = "ambit, " + s.session.Label
			if known := credentialOf(a.sessionEntry(s)); known != nil {
				h.source, h.expiresAt = known.Source+" ("+s.session.Label+")", known.ExpiresAt
			}
		}
	}
	return h
}

// hasProfile says whether this shell has a profile of ours instead of keys.
func (a *ambit) hasProfile() bool {
	s := a.session()
	return s.session != nil && s.session.State == hook.Loaded && a.isGenerated(a.environ["AWS_CONFIG_FILE"]) &&
		slices.ContainsFunc(s.changes(a.environ), func(c change) bool { return c.Name == "AWS_PROFILE" && c.Ours && c.Change != "-" })
}

// sessionEntry is the kept entry of what a session has loaded, or nil.
func (a *ambit) sessionEntry(s shellSession) *cache.Entry {
	record := a.trust.Record(s.session.Dir)
	if record == nil {
		return nil
	}
	base := s.keys.Baseline(a.environ, s.session)
	return a.cacheDir.Entry(a.entryKey(record), a.now(), base.Lookup)
}

// credentialOf is the one login of an entry; nil if there are several, for then
// nobody knows which of them it was.
func credentialOf(e *cache.Entry) *cache.Credential {
	if e == nil || len(e.Credentials) != 1 {
		return nil
	}
	return &e.Credentials[0]
}

// usable says what is missing of the credentials in this shell.
func (a *ambit) usable(h holder) error {
	var missing []string
	if h.keys.AccessKeyID == "" {
		missing = append(missing, "AWS_ACCESS_KEY_ID")
	}
	if h.keys.SecretAccessKey.Len() == 0 {
		missing = append(missing, "AWS_SECRET_ACCESS_KEY")
	}
	switch {
	case len(missing) == 1:
		return withHint(fmt.Errorf("this shell exports half of a pair of AWS keys: %s is missing", missing[0]), "export both, or neither")
	case len(missing) == 2 && a.environ["AWS_PROFILE"] != "":
		return withHint(fmt.Errorf("this shell exports AWS_PROFILE=%s and no AWS keys", a.environ["AWS_PROFILE"]), "run: aws sts get-caller-identity")
	case len(missing) == 2:
		return withHint(errors.New("this shell exports no AWS credentials"), `enter a directory that loads some, or name an environment`)
	case strings.HasPrefix(h.keys.AccessKeyID, "ASIA") && h.keys.SessionToken.Len() == 0:
		return withHint(errors.New("the keys in this shell are temporary, and AWS_SESSION_TOKEN is missing"), `run "ambit reload", or export all three`)
	}
	return nil
}

// holderOf resolves an environment for the credentials that it exports.
func (a *ambit) holderOf(ctx context.Context, arg string, base hook.Environ) (holder, error) {
	d, err := a.permitted(ctx, arg)
	if err != nil {
		return holder{}, err
	}
	ev, err := a.evaluate(ctx, d, base, resolver.Person, false)
	if err != nil {
		return holder{}, err
	}
	a.sayEvaluation(ev)
	if ev.result == nil {
		return holder{}, said(1)
	}
	values := map[string]resolver.Variable{}
	for _, v := range ev.result.Variables {
		values[v.Name] = v
	}
	key, ok := values["AWS_ACCESS_KEY_ID"]
	if !ok || values["AWS_SECRET_ACCESS_KEY"].Value.Len() == 0 {
		return holder{}, withHint(fmt.Errorf("%s exports no AWS credentials", ev.result.Label), "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in environmentVariables")
	}
	h := holder{
		keys: aws.Keys{
			AccessKeyID: key.Value.Reveal(), SecretAccessKey: values["AWS_SECRET_ACCESS_KEY"].Value,
			SessionToken: values["AWS_SESSION_TOKEN"].Value,
		},
		region: region(func(name string) (string, bool) { v, ok := values[name]; return v.Value.Reveal(), ok }),
		source: ev.result.Label,
	}
	if i := key.Credential; i >= 0 && i < len(ev.result.Credentials) {
		c := ev.result.Credentials[i]
		h.source, h.expiresAt = c.Source+" ("+ev.result.Label+")", c.ExpiresAt
	}
	return h, nil
}

func region(lookup func(string) (string, bool)) string {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if v, ok := lookup(name); ok && v != "" {
			return v
		}
	}
	return ""
}
