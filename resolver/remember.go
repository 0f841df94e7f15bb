package resolver

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"ambit/resolver/cache"
)

// waitRefused is how many seconds pass before somebody who said no is asked
// again.
const waitRefused = 300

// FailureOf is what is remembered of a failed open, or nil: what a definition says
// wrong is tried again once it was edited. Before is as for [NewFailure].
func FailureOf(err error, before *cache.Failure, now time.Time) *cache.Failure {
	var open *OpenError
	if !errors.As(err, &open) {
		if !errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		open = &OpenError{Kind: KindNetwork, Summary: "no answer in time"}
	}
	if open.Kind == KindDefinition {
		return nil
	}
	messages := []cache.Message{{Level: "error", Text: open.Summary}}
	if open.Hint != "" {
		messages = append(messages, cache.Message{Level: "hint", Text: open.Hint})
	}
	return NewFailure(open.Kind, messages, before, now)
}

// NewFailure is a failure with the instant from which it is worth trying again:
// what the network did after 30 s, doubling to 5 min, what somebody refused after
// 5 min, all else not before something changes. Before is the failure that is
// remembered already, or nil.
func NewFailure(kind FailureKind, messages []cache.Message, before *cache.Failure, now time.Time) *cache.Failure {
	f := &cache.Failure{Kind: string(kind), Messages: messages}
	switch kind {
	case KindNetwork:
		var waited int64
		if before != nil && before.Kind == f.Kind {
			waited = before.Wait
		}
		f.Wait = cache.Backoff(waited)
	case KindRefused:
		f.Wait = waitRefused
	default:
		return f
	}
	// Jitter, so that shells and machines do not come back in step.
	tenth := f.Wait / 10
	f.RetryAt = now.Unix() + f.Wait - tenth + rand.N(2*tenth+1)
	return f
}

// RememberedError is the error that FailureOf remembered.
func RememberedError(f *cache.Failure) *OpenError {
	err := &OpenError{Kind: FailureKind(f.Kind)}
	for _, m := range f.Messages {
		switch m.Level {
		case "error":
			err.Summary = m.Text
		case "hint":
			err.Hint = m.Text
		}
	}
	return err
}

// Due says whether what failed may be tried again. A person who asks may always;
// a detached retry is a little early rather than one round late.
func (p Patience) Due(f *cache.Failure, now time.Time) bool {
	switch p {
	case Person:
		return true
	case Detached:
		now = now.Add(time.Duration(f.Wait/5) * time.Second)
	}
	return f.RetryAt != 0 && now.Unix() >= f.RetryAt
}
