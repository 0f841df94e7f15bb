package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/exec"
)

// mfaTime is how long mfaCommand may take: it may wait for a finger on a key.
const mfaTime = time.Minute

// asker is the person who typed `ambit login`, for the providers.
type asker struct {
	a         *ambit
	base      hook.Environ
	device    bool     // --device
	noBrowser bool     // --no-browser
	mfa       []string // mfaCommand, nil if there is none

	giveUp context.CancelCauseFunc // ends the whole login

	turn  chan struct{} // one thing at a time
	asked atomic.Bool   // the person had to do something
}

var _ resolver.Asker = (*asker)(nil)

// newAsker returns the person, and the context of the login, which the person can
// end where Ctrl-C is no signal.
func (a *ambit) newAsker(ctx context.Context, base hook.Environ, conf *config, device, noBrowser bool) (*asker, context.Context) {
	ctx, giveUp := context.WithCancelCause(ctx)
	return &asker{
		a: a, base: base, device: device, noBrowser: noBrowser, mfa: conf.mfaCommand,
		giveUp: giveUp, turn: make(chan struct{}, 1),
	}, ctx
}

// alone waits until the person is asked nothing else.
func (p *asker) alone(ctx context.Context) (release func(), err error) {
	select {
	case p.turn <- struct{}{}:
		p.asked.Store(true)
		return func() { <-p.turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Visit implements [resolver.Asker]. The address is shown in any case: that a
// browser was started does not say that one appeared.
func (p *asker) Visit(ctx context.Context, what, address string) error {
	release, err := p.alone(ctx)
	if err != nil {
		return err
	}
	defer release()
	if p.noBrowser || !hasBrowser() {
		p.whole("log in to %s at %s", what, address)
		return nil
	}
	p.whole("log in to %s in the browser; if none opens, go to %s", what, address)
	go func() { _ = browse(address) }() // the system's may last as long as it is open
	return nil
}

// Enter implements [resolver.Asker].
func (p *asker) Enter(ctx context.Context, what, address, code string) error {
	release, err := p.alone(ctx)
	if err != nil {
		return err
	}
	defer release()
	p.whole("log in to %s: enter the code %s at %s", what, code, address)
	return nil
}

// whole says a line that is not cut: half an address leads nowhere.
func (p *asker) whole(format string, parts ...string) {
	args := make([]any, len(parts))
	for i, part := range parts {
		args[i] = printableWhole(part)
	}
	fmt.Fprintf(p.a.stderr, "ambit: "+format+"\n", args...)
}

// Device implements [resolver.Asker]: a browser that opens on the machine before
// which the person sits cannot come back to this one, unless they see to that and
// ask for the address.
func (p *asker) Device() bool {
	if p.device || p.noBrowser {
		return p.device
	}
	remote := p.base["SSH_CONNECTION"] != "" || p.base["SSH_TTY"] != ""
	return remote && p.base["DISPLAY"] == "" && p.base["WAYLAND_DISPLAY"] == ""
}

// Say implements [resolver.Asker].
func (p *asker) Say(text string) { p.a.say(plain(text)) }

var (
	sixDigits    = late(`^[0-9]{6}$`)
	errNoMFACode = errors.New("no MFA code")
)

// MFA implements [resolver.Asker].
func (p *asker) MFA(ctx context.Context, serial string) (string, error) {
	release, err := p.alone(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	if p.mfa != nil {
		// It may wait for a finger on a key, and nobody sees what it says.
		p.Say("mfaCommand is asked for an MFA code")
		return p.commandCode(ctx)
	}
	for {
		text, err := askUnseen(ctx, fmt.Sprintf("MFA code of %s (it is not shown): ", serial))
		switch {
		case errors.Is(err, errNoTerminal):
			return "", &resolver.OpenError{Kind: resolver.KindLogin, Summary: "there is no terminal to ask for an MFA code on", Err: err,
				Hint: "set mfaCommand in config.yaml to a program that prints one"}
		case errors.Is(err, errInterrupted):
			p.giveUp(err)
			return "", err
		case err != nil:
			return "", err
		}
		if code, ok := mfaCode(text); ok {
			return code, nil
		}
		p.Say("an MFA code has six digits")
	}
}

// mfaCode is what was typed or printed, as devices and people write it: with a
// space in the middle.
func mfaCode(text string) (code string, ok bool) {
	code = strings.Join(strings.Fields(text), "")
	return code, sixDigits().MatchString(code)
}

// commandCode has mfaCommand say the code.
func (p *asker) commandCode(ctx context.Context) (string, error) {
	dir := p.a.places.Home
	if dir == "" {
		dir = "/"
	}
	out, err := exec.Run(ctx, resolver.Command{Argv: p.mfa, Dir: dir, Env: resolver.NewBaseline(p.base.List()), Timeout: mfaTime})
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		// What it said may be the code.
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			exit.Stderr = ""
		}
		return "", &resolver.OpenError{Kind: resolver.KindLogin, Summary: "mfaCommand: " + err.Error(), Err: err, Hint: "see mfaCommand in config.yaml"}
	}
	code, ok := mfaCode(string(out))
	if !ok {
		return "", &resolver.OpenError{Kind: resolver.KindLogin, Summary: "mfaCommand printed no code of six digits", Err: errNoMFACode, Hint: "see mfaCommand in config.yaml"}
	}
	return code, nil
}
