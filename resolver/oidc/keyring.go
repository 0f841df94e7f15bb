package oidc

import (
	"errors"
	"sync"
	"time"

	"github.com/zalando/go-keyring"
)

// keyringTime is how long the keyring may take to answer. One that is locked asks
// the person with a dialog, which may wait for ever.
const keyringTime = 300 * time.Millisecond

// keyringService is what the keyring files our tokens under.
const keyringService = "ambit"

// Keyring keeps secrets by user name. Get and Delete of one that is not there
// return [ErrNotInKeyring].
type Keyring interface {
	Get(user string) (string, error)
	Set(user, secret string) error
	Delete(user string) error
}

// ErrNotInKeyring is returned for a secret that a keyring does not have.
var ErrNotInKeyring = keyring.ErrNotFound

// System is the keyring of the operating system. It reads the address of the
// session bus from the process environment, and where there is none it would
// start a bus: use it only where one is.
type System struct{}

// Get implements [Keyring].
func (System) Get(user string) (string, error) { return keyring.Get(keyringService, user) }

// Set implements [Keyring].
func (System) Set(user, secret string) error { return keyring.Set(keyringService, user, secret) }

// Delete implements [Keyring].
func (System) Delete(user string) error { return keyring.Delete(keyringService, user) }

// errKeyring is the error of a keyring that is not there or does not answer.
var errKeyring = errors.New("the keyring of the operating system does not answer")

// bounded waits for no keyring longer than [keyringTime], and after one that did
// not answer never again.
type bounded struct {
	ring Keyring
	mu   sync.Mutex
	mute bool
}

func (b *bounded) get(user string) (secret string, err error) {
	type got struct {
		secret string
		err    error
	}
	g, err := within(b, func() got {
		secret, err := b.ring.Get(user)
		return got{secret, err}
	})
	if err != nil {
		return "", err
	}
	return g.secret, g.err
}

func (b *bounded) set(user, secret string) error {
	failed, err := within(b, func() error { return b.ring.Set(user, secret) })
	return errors.Join(err, failed)
}

// remove is no error if there is nothing to remove.
func (b *bounded) remove(user string) error {
	failed, err := within(b, func() error { return b.ring.Delete(user) })
	if errors.Is(failed, ErrNotInKeyring) {
		failed = nil
	}
	return errors.Join(err, failed)
}

func within[T any](b *bounded, call func() T) (result T, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ring == nil || b.mute {
		return result, errKeyring
	}
	done := make(chan T, 1)
	go func() { done <- call() }() // abandoned with the process if it hangs
	timer := time.NewTimer(keyringTime)
	defer timer.Stop()
	select {
	case result = <-done:
		return result, nil
	case <-timer.C:
		b.mute = true
		return result, errKeyring
	}
}
