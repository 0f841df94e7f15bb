package main

import (
	"errors"
	"time"

	"ambit/resolver/aws/doctor"
	"ambit/resolver/oidc"
)

// keyringTime is how long a login waits for the keyring.
const keyringTime = 300 * time.Millisecond

// keyring checks that the keyring answers, if there are logins whose refresh tokens
// it would keep. One that is locked may ask the person, so nobody else asks it.
func (p *setup) keyring() {
	const check = "keyring"
	conf, _ := p.config() // a broken one is the store's matter
	switch {
	case len(conf.logins) == 0:
		p.well(check, "no login needs one")
		return
	case !hasKeyring():
		p.well(check, "there is none: refresh tokens lie in private files")
		return
	}
	answer := make(chan error, 1)
	go func() { // abandoned with the process if it hangs
		_, err := oidc.System{}.Get("doctor")
		answer <- err
	}()
	timer := time.NewTimer(keyringTime)
	defer timer.Stop()
	select {
	case err := <-answer:
		if err == nil || errors.Is(err, oidc.ErrNotInKeyring) {
			p.well(check, "it answers")
		} else {
			p.add(check, doctor.Warn, "", "the keyring refuses: refresh tokens are kept in private files instead")
		}
	case <-timer.C:
		p.add(check, doctor.Warn, "", "the keyring does not answer within 300 ms (locked?): refresh tokens are kept in private files instead")
	}
}
