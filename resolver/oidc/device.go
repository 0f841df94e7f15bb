package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"golang.org/x/oauth2"

	"ambit/resolver"
)

// byDevice is the device authorization grant, RFC 8628: the person enters a code
// wherever they have a browser.
func (k *Keeper) byDevice(ctx context.Context, l named, p *provider, asker resolver.Asker) (*idToken, string, error) {
	if p.Config.Endpoint.DeviceAuthURL == "" {
		return nil, "", &resolver.OpenError{Kind: resolver.KindLogin,
			Summary: fmt.Sprintf("login %q: %s offers no login by a code", l.name, l.host()),
			Hint:    fmt.Sprintf(`set redirectPort, forward that port to this machine (ssh -L), and run "ambit login %s --no-browser"`, l.name)}
	}
	verifier := oauth2.GenerateVerifier()
	device, err := p.DeviceAuth(p.context(ctx), oauth2.S256ChallengeOption(verifier))
	if err != nil {
		return nil, "", explain(ctx, l, "the code", err)
	}
	address, perr := url.Parse(device.VerificationURI)
	if perr != nil || address.Scheme != "https" && address.Scheme != "http" || device.UserCode == "" || device.DeviceCode == "" {
		return nil, "", &resolver.OpenError{Kind: resolver.KindRefused, Err: errNoDeviceCode, Hint: "check the issuer in config.yaml",
			Summary: fmt.Sprintf("login %q: %s gave no code to enter: %v", l.name, l.host(), errNoDeviceCode)}
	}
	if err := asker.Enter(ctx, strconv.Quote(l.name), device.VerificationURI, device.UserCode); err != nil {
		return nil, "", err
	}
	wait := ctx
	if !device.Expiry.IsZero() {
		var cancel context.CancelFunc
		wait, cancel = context.WithDeadline(ctx, device.Expiry)
		defer cancel()
	}
	var answer *oauth2.Token
	for again := true; again; {
		// It waits before each question. A network that is gone for a moment is no
		// end of the login: RFC 8628, section 3.5.
		answer, err = p.DeviceAccessToken(p.context(wait), device, oauth2.VerifierOption(verifier))
		again = err != nil && wait.Err() == nil && isKind(explain(wait, l, "the ID token", err), resolver.KindNetwork)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, "", abandoned(ctx, l)
	case err != nil && wait.Err() != nil:
		return nil, "", needed(l, fmt.Sprintf("login %q: nobody has entered the code in time", l.name), err)
	case err != nil:
		return nil, "", explain(ctx, l, "the ID token", err)
	}
	t, err := k.verify(ctx, l, p, answer, "")
	if err != nil {
		return nil, "", err
	}
	return t, answer.RefreshToken, nil
}

var errNoDeviceCode = errors.New("its answer lacks one, or an address for it")
