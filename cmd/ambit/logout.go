package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ambit/resolver"
	"ambit/resolver/aws"
	"ambit/resolver/oidc"
)

func logoutCommand(a *ambit) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "logout NAME | --all",
		Short: "end a login and forget what was made from it",
		Long: `End a login: tell whom it was made with, delete its tokens, and forget all
credentials that were made from it. At their next prompt the open shells unload
what they had loaded of them.

NAME is a login of config.yaml, the name or start URL of an SSO session, or the
serial number of an MFA device. SSO sessions are shared with the AWS CLI and end
there as well.

AWS cannot recall credentials that were handed out: programs that still have them
can use them until they expire. When that is, is said.`,
		Example: `  ambit logout work
  ambit logout https://example.awsapps.com/start
  ambit logout --all`,
		DisableFlagsInUseLine: true,

		Args:              atMost(1),
		ValidArgsFunction: a.completeLogin,
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && !all:
				return usageError{"name a login", `write, for example, ambit logout work, or --all`}
			case len(args) == 1 && all:
				return usageError{"--all takes no NAME", "leave out one of them"}
			}
			ctx, stop := a.interruptible()
			defer stop()
			return runLogout(ctx, a, optional(args))
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "end all logins")
	return cmd
}

// runLogout ends the login of a name, or all if it is "".
func runLogout(ctx context.Context, a *ambit, name string) error {
	base := a.enterBaseline()
	if _, err := a.config(); err != nil {
		return err
	}
	ended, errs := a.logoutOIDC(ctx, name)
	if err := interrupted(ctx); err != nil {
		return err
	}
	theirs, err := aws.Logout(ctx, aws.LogoutOptions{Cache: a.cacheDir, Env: resolver.NewBaseline(base.List()), Now: a.now}, name)
	// What directories resolved to may hold such keys, or what was read with them.
	// Their other opens are kept, so that this costs them nothing. A person who gives
	// up waiting for AWS has logged out here all the same.
	dropped := a.cacheDir.DropEntries()
	a.touch()
	if err := interrupted(ctx); err != nil {
		return err
	}
	for _, err := range joined(err) {
		errs = append(errs, openHinted(err))
	}
	if dropped != nil {
		errs = append(errs, fmt.Errorf("cannot forget what was resolved: %w", dropped))
	}
	for _, login := range theirs.Logins {
		// Keys that were made from an OIDC login are no login of their own.
		if of, ok := strings.CutPrefix(login, "the login "); !ok || !slices.ContainsFunc(ended, func(e oidc.Ended) bool { return e.Name == of }) {
			ended = append(ended, oidc.Ended{Name: login, Had: true})
		}
	}
	return a.sayLogout(name, ended, theirs.Until, errs)
}

// joined are the errors of which errors.Join made one.
func joined(err error) []error {
	several, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return []error{err}
	}
	var out []error
	for _, err := range several.Unwrap() {
		out = append(out, joined(err)...)
	}
	return out
}

// logoutOIDC ends logins at OpenID providers. That there is none of the name is no
// error yet.
func (a *ambit) logoutOIDC(ctx context.Context, name string) (ended []oidc.Ended, errs []error) {
	keeper, names := a.keeper(), []string{name}
	if name == "" {
		var err error
		if names, err = keeper.Names(); err != nil {
			errs = append(errs, fmt.Errorf("cannot list the logins: %w", err))
		}
	}
	for _, name := range names {
		e, err := keeper.Logout(ctx, name)
		var unknown *oidc.UnknownLoginError
		if errors.As(err, &unknown) {
			continue
		}
		for _, err := range joined(err) {
			errs = append(errs, openHinted(err))
		}
		ended = append(ended, e)
	}
	return ended, errs
}

// sayLogout tells what a logout came to.
func (a *ambit) sayLogout(name string, ended []oidc.Ended, until time.Time, errs []error) error {
	had := false
	for _, e := range ended {
		if e.Trouble != nil {
			a.say(warning(e.Trouble.Error()))
		}
		if !e.Had {
			continue
		}
		had = true
		line := "logged out of " + e.Name
		if e.Account != "" {
			line += " (" + e.Account + ")"
		}
		a.say(plain(line))
	}
	if !until.IsZero() {
		form := "15:04"
		if until.Sub(a.now()) > 20*time.Hour {
			form = "15:04 on 2 January"
		}
		a.say(plain(fmt.Sprintf("credentials that were handed out live until %s; AWS cannot recall them", until.Local().Format(form))))
	}
	switch {
	case len(errs) > 0:
		for _, err := range errs[:len(errs)-1] {
			a.sayError(err)
		}
		return errs[len(errs)-1]
	case had:
		return nil
	case name == "":
		a.say(plain("there was no login"))
		return nil
	case len(ended) > 0:
		a.say(plain("not logged in to " + name))
		return nil
	}
	conf, _ := a.config() // it was good before
	help := "the logins of config.yaml have names; see ambit logout --help for others"
	names := make([]string, 0, len(conf.logins))
	for n := range conf.logins {
		names = append(names, n)
	}
	if h := didYouMean(name, names); h != "" {
		help = h
	}
	return withHint(fmt.Errorf("there is no login %q, and no session of that name", name), help)
}
