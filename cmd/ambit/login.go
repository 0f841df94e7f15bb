package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/aws"
	"ambit/resolver/oidc"
)

func loginCommand(a *ambit) *cobra.Command {
	var device, noBrowser bool
	var profile string
	cmd := &cobra.Command{
		Use:   "login [NAME|FILE]",
		Short: "log in to what this directory needs",
		Long: `Do the logins that this directory's environment needs a person for: at an OpenID
provider, at IAM Identity Center, or with an MFA code. What needs nothing is left
alone. Every open shell that waits for the login loads its environment at its next
prompt, and ambit renews it from then on.

NAME is a login in config.yaml, under logins:

  logins:
    work: { issuer: https://login.example.com, clientId: ambit }

or an environment PROJECT/NAME of the stores, and FILE, which begins with ./, ../
or /, or ends in .yaml, an allowed file: the logins that those need. Where a login
and an environment have the same name, it is the login. With --profile it is what a
profile of ~/.aws/config needs, for the AWS CLI as well.

The provider has to know ambit as a public (native) client that may come back to
http://127.0.0.1, on any port or on redirectPort. MFA codes are asked for on the
terminal, or printed by mfaCommand of config.yaml. A second terminal that needs
the same login waits for the first. To log in as somebody else, log out first.`,
		Example: `  ambit login                   # all that .envrc.yaml here needs
  ambit login work              # the login "work"
  ambit login work --device     # with a code, in a browser elsewhere
  ambit login shop/dev          # all that an environment needs
  ambit login --profile dev     # what a profile of ~/.aws/config needs
  ambit login --no-browser      # print the address`,
		Args:              atMost(1),
		ValidArgsFunction: a.completeLoginOrName,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := a.interruptible()
			defer stop()
			if given := cmd.Flags().Changed("profile"); given && len(args) > 0 {
				return usageError{"--profile and a name do not go together", "leave one of them out"}
			} else if given && profile == "" {
				return usageError{"--profile names no profile", "write, for example, ambit login --profile dev"}
			}
			return runLogin(ctx, a, optional(args), profile, device, noBrowser)
		},
	}
	cmd.Flags().StringVar(&profile, "profile", "", "`PROFILE` of the AWS configuration")
	_ = cmd.RegisterFlagCompletionFunc("profile", noCompletion) // a name, not a file
	cmd.Flags().BoolVar(&device, "device", false, "enter a code in a browser on any machine; so it is over SSH without a display")
	cmd.Flags().BoolVar(&noBrowser, "no-browser", false, "open no browser, print the address; over SSH it comes back to redirectPort, if you forward that")
	return cmd
}

func runLogin(ctx context.Context, a *ambit, name, profile string, device, noBrowser bool) error {
	base := a.enterBaseline()
	conf, err := a.config()
	if err != nil {
		return err
	}
	ask, ctx := a.newAsker(ctx, base, conf, device, noBrowser)
	defer ask.giveUp(nil)
	a.asker = ask
	if profile != "" {
		return a.loginProfile(ctx, profile, base, ask)
	}
	if _, ok := conf.logins[name]; !ok && (name == "" || a.isFile(name) || a.isEnvironment(name)) {
		return a.loginFor(ctx, name, base, ask)
	}
	return a.loginNamed(ctx, name, ask)
}

func (a *ambit) isEnvironment(name string) bool {
	names, err := a.names()
	return err == nil && slices.ContainsFunc(names, func(n string) bool { return fullName(n) == fullName(name) })
}

// loginNamed does one login of config.yaml.
func (a *ambit) loginNamed(ctx context.Context, name string, ask *asker) error {
	keeper := a.keeper()
	_, err := keeper.Token(ctx, name, ask, resolver.Person)
	if err := interrupted(ctx); err != nil {
		return err
	}
	if err != nil {
		return a.unknownLogin(err)
	}
	if ask.asked.Load() {
		a.forgetOthers(ctx)
	}
	a.loggedIn(ctx)
	line := fmt.Sprintf("logged in; %s", name)
	if !ask.asked.Load() {
		line = "already " + line
	}
	if who := keeper.Account(name); who != "" {
		line += ": " + who
	}
	a.say(plain(line))
	return nil
}

// openHinted is a provider's error as commands return errors.
func openHinted(err error) error {
	var open *resolver.OpenError
	if errors.As(err, &open) && open.Hint != "" {
		return withHint(errors.New(open.Summary), open.Hint)
	}
	return err
}

// unknownLogin is the error of a login; of a name that looks like an environment's,
// what there is of these.
func (a *ambit) unknownLogin(err error) error {
	var unknown *oidc.UnknownLoginError
	if errors.As(err, &unknown) && strings.Contains(unknown.Name, "/") {
		names, _ := a.names() // without stores there is none
		help := didYouMean(unknown.Name, names)
		if help == "" {
			help = `run "ambit env ls" to see which there are`
		}
		return withHint(fmt.Errorf("there is no environment %q, and no login of that name", unknown.Name), help)
	}
	return openHinted(err)
}

// loginFor does what an environment or a file needs, "" for the nearest .envrc.yaml.
// What a .envrc.yaml resolves to is kept for the shells.
func (a *ambit) loginFor(ctx context.Context, arg string, base hook.Environ, ask *asker) error {
	t, err := a.target(arg)
	if err != nil {
		var h hinted
		if arg == "" && errors.As(err, &h) {
			return withHint(h.error, a.loginChoices())
		}
		return err
	}
	var record *hook.Record
	var contents []hook.Content
	here := t.root.File != "" && t.root.File != t.identity
	if here {
		if record, contents, err = a.allowed(ctx, t); err != nil {
			return err
		}
	}
	// Without the entry's lock: a person takes minutes, and the prompts of other
	// shells must not wait for that.
	resolve := func() (*evaluation, error) {
		if here {
			return a.resolve(ctx, t, record, contents, base, resolver.Person, false)
		}
		d, err := a.permitted(ctx, arg)
		if err != nil {
			return nil, err
		}
		ev, err := a.evaluate(ctx, d, base, resolver.Person, false)
		if err == nil && ev.result != nil && exportsNothing(ev.result) {
			opt, _ := a.options(base, resolver.Person, false, d.consent)
			if _, ev.diags = d.program.Open(ctx, opt, ""); resolver.HasErrors(ev.diags) {
				ev.result = nil
			}
			ev.diags = a.addressed(d, ev.diags)
		}
		return ev, err
	}
	ev, err := resolve()
	if err == nil && ask.asked.Load() && a.forgetOthers(ctx) {
		ev, err = resolve() // a part of it may have been theirs
	}
	if err != nil {
		return err
	}
	if err := interrupted(ctx); err != nil {
		return err
	}
	a.sayEvaluation(ev)
	if ev.result == nil {
		if ask.asked.Load() {
			a.loggedIn(ctx) // one of several may have succeeded
		}
		return said(1)
	}
	if here {
		if err := a.keepLogin(ctx, ev, record, contents, base); err != nil {
			return err
		}
	}
	a.loggedIn(ctx)
	line := "logged in; " + ev.result.Label
	if !ask.asked.Load() {
		line = "already " + line
	}
	if life := lifeOf(ev.result, a.now()); life != "" {
		line += " has credentials for " + life
	} else if !exportsNothing(ev.result) {
		line += " needs no login"
	}
	a.say(plain(line))
	return nil
}

// exportsNothing is of an environment that is there for others to import, or for
// `ambit credential-process` with a PATH.
func exportsNothing(r *resolver.Result) bool { return len(r.Variables)+len(r.Files)+len(r.Path) == 0 }

// keepLogin keeps what a directory resolved to where its shells find it.
func (a *ambit) keepLogin(ctx context.Context, ev *evaluation, record *hook.Record, contents []hook.Content, base hook.Environ) error {
	key := a.entryKey(record)
	unlock, err := a.lockEntry(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()
	e := a.entry(ev, record, contents, a.cacheDir.Entry(key, a.now(), base.Lookup))
	if err := a.keep(key, e, ev, base); err != nil {
		a.say(warning("the result cannot be kept: " + err.Error()))
	}
	return nil
}

// loggedIn lets whatever failed for want of a login be tried again, in every shell.
func (a *ambit) loggedIn(ctx context.Context) {
	if err := a.cacheDir.ForgetFailures(ctx, string(resolver.KindLogin), a.now()); err != nil && a.cacheDir != nil {
		a.say(warning("that a login failed cannot be forgotten: "+reason(err)), hint(`run "ambit reload" where it is needed`))
	}
	a.touch()
}

// forgetOthers forgets what was made from logins while somebody else was logged in,
// and says whether there was anything.
func (a *ambit) forgetOthers(ctx context.Context) bool {
	conf, _ := a.config() // it was good before
	keeper, any := a.keeper(), false
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(conf.logins)) {
		if who := keeper.Subject(name); who != "" {
			forgot, err := aws.ForgetOthers(ctx, a.cacheDir, a.now, name, who)
			any, errs = any || forgot, append(errs, err)
		}
	}
	if any {
		errs = append(errs, a.cacheDir.DropEntries())
	}
	if err := errors.Join(errs...); err != nil {
		a.say(warning("credentials of whoever was logged in before cannot be forgotten: "+reason(err)), hint("ambit logout --all"))
	}
	return any
}

// loginChoices is the hint for who names no login where no file does.
func (a *ambit) loginChoices() string {
	conf, _ := a.config() // it was good before
	if len(conf.logins) == 0 {
		return "go to a directory that has one"
	}
	return "go to a directory that has one, or name a login: " + strings.Join(slices.Sorted(maps.Keys(conf.logins)), ", ")
}

// completeLoginOrName offers the logins, and what completeName does.
func (a *ambit) completeLoginOrName(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	logins, _ := a.completeLogin(cmd, args, word)
	names, directive := a.completeName(cmd, args, word)
	return append(logins, names...), directive
}

func (a *ambit) completeLogin(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	conf, err := a.config()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Sorted(maps.Keys(conf.logins)), cobra.ShellCompDirectiveNoFileComp
}

// keeper keeps the logins of config.yaml.
func (a *ambit) keeper() *oidc.Keeper {
	conf, _ := a.config() // a broken one is said by who needs it
	o := oidc.Options{
		Logins: conf.logins, Config: a.short(a.places.ConfigFile()), Cache: a.cacheDir, UID: a.uid, Now: a.now,
		RenewElsewhere: a.renewElsewhere,
	}
	if a.places.State != "" {
		o.Dir = filepath.Join(a.places.State, "tokens")
	}
	if hasKeyring() {
		o.Keyring = oidc.System{}
	}
	return oidc.New(o)
}

// hasKeyring says whether there is a session bus on which a keyring may be. Without
// one the library would start it, and leave it running.
func hasKeyring() bool {
	if runtime.GOOS == "darwin" || os.Getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return true
	}
	// Where the library looks. Elsewhere is not this user's session, but a test.
	dir := fmt.Sprintf("/run/user/%d", os.Getuid())
	if os.Getenv("XDG_RUNTIME_DIR") != dir {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, "bus"))
	return err == nil
}

// renewElsewhere has `ambit renew` renew a login: what a provider has given is not
// lost when a prompt gives up.
func (a *ambit) renewElsewhere(ctx context.Context, name string) ([]byte, error) {
	return a.elsewhere(ctx, nil, "renew", "--", name)
}

// renewSSOElsewhere has `ambit renew` renew the token of an SSO session.
func (a *ambit) renewSSOElsewhere(ctx context.Context, question []byte) ([]byte, error) {
	return a.elsewhere(ctx, question, "renew", "--sso")
}

// elsewhere runs this program in a session of its own, which goes on if it is not
// waited for, and returns what it prints.
func (a *ambit) elsewhere(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	if a.self == "" {
		return nil, errors.New("the path of ambit is not known")
	}
	cmd := exec.Command(a.self, args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	type answer struct {
		text []byte
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		_, _ = in.Write(stdin) // if it does not read, it says what is wrong
		_ = in.Close()
		text, err := io.ReadAll(io.LimitReader(out, 1<<20))
		_ = cmd.Wait() // what it printed says how it went
		got <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case in := <-got:
		return in.text, in.err
	}
}
