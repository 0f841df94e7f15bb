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
	cmd := &cobra.Command{
		Use:   "login [NAME]",
		Short: "log in to what this directory needs",
		Long: `Do the logins that this directory's environment needs a person for: at an OpenID
provider, at IAM Identity Center, or with an MFA code. What needs nothing is left
alone. Every open shell that waits for the login loads its environment at its next
prompt, and ambit renews it from then on.

NAME is a login in config.yaml, under logins:

  logins:
    work: { issuer: https://login.example.com, clientId: ambit }

The provider has to know ambit as a public (native) client that may come back to
http://127.0.0.1, on any port or on redirectPort. MFA codes are asked for on the
terminal, or printed by mfaCommand of config.yaml. A second terminal that needs
the same login waits for the first. To log in as somebody else, log out first.`,
		Example: `  ambit login                   # all that .envrc.yaml here needs
  ambit login work              # the login "work"
  ambit login work --device     # with a code, in a browser elsewhere
  ambit login --no-browser      # print the address`,
		Args:              atMost(1),
		ValidArgsFunction: a.completeLogin,
		RunE: func(_ *cobra.Command, args []string) error {
			ctx, stop := a.interruptible()
			defer stop()
			return runLogin(ctx, a, optional(args), device, noBrowser)
		},
	}
	cmd.Flags().BoolVar(&device, "device", false, "enter a code in a browser on any machine; so it is over SSH without a display")
	cmd.Flags().BoolVar(&noBrowser, "no-browser", false, "open no browser, print the address; over SSH it comes back to redirectPort, if you forward that")
	return cmd
}

func runLogin(ctx context.Context, a *ambit, name string, device, noBrowser bool) error {
	base := a.enterBaseline()
	conf, err := a.config()
	if err != nil {
		return err
	}
	ask, ctx := a.newAsker(ctx, base, conf, device, noBrowser)
	defer ask.giveUp(nil)
	if name != "" {
		return a.loginNamed(ctx, name, ask)
	}
	return a.loginHere(ctx, base, ask)
}

// loginNamed does one login of config.yaml.
func (a *ambit) loginNamed(ctx context.Context, name string, ask *asker) error {
	keeper := a.keeper()
	_, err := keeper.Token(ctx, name, ask, resolver.Person)
	if err := interrupted(ctx); err != nil {
		return err
	}
	if err != nil {
		return a.unknownLogin(name, err)
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

// unknownLogin is the error of a login; of one that is no login but an environment,
// what the person may have meant.
func (a *ambit) unknownLogin(name string, err error) error {
	var unknown *oidc.UnknownLoginError
	if !errors.As(err, &unknown) {
		return openHinted(err)
	}
	if names, nerr := a.names(); nerr == nil && slices.Contains(names, name) || a.isFile(name) {
		return withHint(unknown, `NAME is a login of config.yaml; for an environment, run "ambit login" in a directory that has it`)
	}
	return openHinted(err)
}

// loginHere does what the nearest .envrc.yaml needs, and keeps what that resolves
// to for the shells.
func (a *ambit) loginHere(ctx context.Context, base hook.Environ, ask *asker) error {
	t, err := a.nearest(a.dir)
	if err != nil {
		var h hinted
		if errors.As(err, &h) {
			return withHint(h.error, a.loginChoices())
		}
		return err
	}
	record, contents, err := a.allowed(ctx, t)
	if err != nil {
		return err
	}
	a.asker = ask
	// Without the entry's lock: a person takes minutes, and the prompts of other
	// shells must not wait for that.
	resolve := func() (*evaluation, error) {
		return a.resolve(ctx, t, record, contents, base, resolver.Person, false)
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
	unlock()
	a.loggedIn(ctx)
	line := "logged in; " + e.Label
	if !ask.asked.Load() {
		line = "already " + line
	}
	if life := lifeOf(ev.result, a.now()); life != "" {
		line += " has credentials for " + life
	} else {
		line += " needs no login"
	}
	a.say(plain(line))
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

// renewElsewhere has `ambit renew` renew a login, in a session of its own: what a
// provider has given is not lost when a prompt gives up.
func (a *ambit) renewElsewhere(ctx context.Context, name string) ([]byte, error) {
	if a.self == "" {
		return nil, errors.New("the path of ambit is not known")
	}
	cmd := exec.Command(a.self, "renew", "--", name)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
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
