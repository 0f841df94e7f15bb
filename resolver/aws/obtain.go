package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ambit/resolver"
	"ambit/resolver/cache"
)

// step is one way to a set of keys.
type step struct {
	key    string // what is asked, as a hash; names its place in the cache
	source string // for people, such as `assumeRole from profile "base"`
	link   Link   // for the doctor
	role   bool   // the keys will be a role's
	kept   bool   // goes through the cache
	lent   bool   // another open keeps the keys, under key
	asked  bool   // fetch gives only what a person was asked for

	// made is the login of a person that the keys come from, "" if there is
	// none: see loginOf.
	made string

	// login does what a person has to do before fetch can succeed. Nil: nothing
	// that could be done here.
	login func(ctx context.Context) error

	// identity returns what the token at the chain's end says that would be sent
	// now, if that can be known without cost. Nil: nothing can.
	identity func() (tokenIdentity, bool)

	// fetch asks. Before is what the same question brought the last time, or
	// nil. Skew is by how much the other side's clock is ahead of ours.
	fetch func(ctx context.Context, before *keys) (k keys, skew time.Duration, err error)
}

// keyOf hashes a question. JSON sorts the keys of maps, so it is canonical.
func keyOf(question map[string]any) string {
	b, err := json.Marshal(question)
	if err != nil {
		panic(err) // strings, numbers and lists of them
	}
	sum := sha256.Sum256(append([]byte("ambit aws-login 1\n"), b...))
	return hex.EncodeToString(sum[:])
}

// found is what the cache holds under a key.
type found struct {
	raw     *cache.Opened
	last    *keys // the last keys, alive or not
	alive   *kept // the same while they may be served
	failure *cache.Failure
}

func (o *opening) look(s *step, now time.Time) found {
	raw := o.Cache.Opened(s.key, now)
	if raw == nil {
		return found{}
	}
	f := found{raw: raw, failure: raw.Failure}
	p, err := decodePayload(raw.Payload)
	if err != nil {
		return found{}
	}
	var id tokenIdentity
	var known bool
	if s.identity != nil {
		id, known = s.identity()
	}
	if known && f.failure != nil && p.refused != id.sum {
		f.failure = nil // it was another token that was refused, or there was none
	}
	k := p.keys
	if k == nil || k.check() != nil || o.revoked[k.id] || known && id.isJWT && (id.iss != k.iss || id.sub != k.sub) {
		return f // none, or they speak for somebody else
	}
	f.last = k
	if raw.ExpiresAt > now.Unix() {
		f.alive = &kept{keys: *k, refreshAt: raw.RefreshAt, expiresAt: raw.ExpiresAt}
		if f.failure != nil {
			f.alive.failing = resolver.RememberedError(f.failure).Summary
		}
	}
	return f
}

// obtain returns the keys of a step: kept ones while they serve, else fresh
// ones, which one process fetches for all that ask.
func (o *opening) obtain(ctx context.Context, s *step) (kept, error) {
	if !s.kept {
		k, _, err := s.fetch(ctx, nil)
		if err == nil {
			err = o.checked(k, s)
		}
		o.tried(s, err)
		return kept{keys: k}, err
	}
	now := o.call.Now()
	seen := o.look(s, now)
	fresh := o.call.Fresh && !s.asked // a reload asks AWS, and no person
	if !fresh {
		if seen.alive != nil && (now.Unix() < seen.alive.refreshAt || o.call.Patience == resolver.AtPrompt) {
			return *seen.alive, nil
		}
		if seen.failure != nil && !o.call.Patience.Due(seen.failure, now) {
			if seen.alive != nil {
				return *seen.alive, nil
			}
			return kept{}, resolver.RememberedError(seen.failure)
		}
	}

	// Somebody else may do the work, and the result, good or bad, is ours too.
	var theirs found
	ready := func() bool {
		now := o.call.Now()
		theirs = o.look(s, now)
		if theirs.raw == nil || seen.raw != nil && sameOpened(theirs.raw, seen.raw) {
			return false
		}
		newer := theirs.alive != nil && (seen.raw == nil || theirs.raw.Acquired > seen.raw.Acquired || !theirs.last.same(seen.last))
		return newer || theirs.failure != nil && !resolver.AtPrompt.Due(theirs.failure, now)
	}
	var unlock cache.Unlock
	if seen.alive != nil && !fresh {
		var held bool
		if unlock, held = o.Cache.TryLock(s.key); !held {
			return *seen.alive, nil // busy: it will be there at the next prompt
		}
		if ready() {
			unlock()
			unlock = nil
		}
	} else {
		var err error
		unlock, err = o.Cache.Lock(ctx, s.key, ready)
		if errors.Is(err, cache.ErrBusy) {
			if errors.Is(ctx.Err(), context.Canceled) {
				return kept{}, context.Canceled
			}
			return kept{}, &resolver.OpenError{Kind: resolver.KindNetwork, Err: err,
				Summary: fmt.Sprintf("another process has been fetching these credentials for more than %s", brief(o.limits.total))}
		}
		if err != nil {
			return kept{}, err
		}
	}
	if unlock == nil {
		if theirs.alive != nil {
			return *theirs.alive, nil
		}
		return kept{}, resolver.RememberedError(theirs.failure)
	}
	defer unlock()

	before := theirs.last
	if fresh {
		before = nil // a role may grant more by now
	}
	k, skew, err := s.fetch(ctx, before)
	if err == nil {
		err = o.checked(k, s)
	}
	if err == nil {
		var got kept
		if got, err = o.keep(s, k, skew, theirs); err == nil {
			o.tried(s, nil)
			return got, nil
		}
	}
	o.tried(s, err)
	if errors.Is(err, context.Canceled) {
		return kept{}, err // a person gave up: that says nothing about AWS
	}
	return o.failed(s, theirs, err)
}

// keep stores fresh keys and says until when they serve.
func (o *opening) keep(s *step, k keys, skew time.Duration, before found) (kept, error) {
	if k.expiration.IsZero() {
		if before.raw != nil {
			_ = o.Cache.DropOpened(s.key) // a failure that is over; else it is only tried again
		}
		return kept{keys: k}, nil // long-lived: they stay where they came from
	}
	// Local instants, so that a wrong clock neither serves the dead nor renews
	// for ever. Date has whole seconds: what is less is no skew.
	expiry := k.expiration
	if skew.Abs() >= 2*time.Second {
		expiry = expiry.Add(-skew)
	}
	now := o.call.Now()
	if !expiry.After(now.Add(time.Second)) {
		return kept{}, &resolver.OpenError{Kind: resolver.KindRefused,
			Summary: fmt.Sprintf("%s gave AWS credentials that have already expired", s.source),
			Hint:    "check this machine's clock: timedatectl"}
	}
	refreshAt, expiresAt := resolver.Window(now, expiry)
	got := kept{keys: k, refreshAt: refreshAt.Unix(), expiresAt: expiresAt.Unix()}
	if old := before.alive; old != nil && !k.expiration.After(old.expiration) {
		// A source that hands out the same keys until late: ask again later.
		got.refreshAt = now.Add(max(30*time.Second, time.Unix(got.expiresAt, 0).Sub(now)/2)).Unix()
	}
	// What cannot be kept still serves.
	_ = o.Cache.PutOpened(s.key, &cache.Opened{
		Payload: payload{keys: &k, made: s.made}.encode(), Acquired: now.Unix(), RefreshAt: got.refreshAt, ExpiresAt: got.expiresAt,
	})
	return got, nil
}

// failed remembers a failure and falls back to keys that still serve.
func (o *opening) failed(s *step, before found, err error) (kept, error) {
	now := o.call.Now()
	failure := resolver.FailureOf(err, before.failure, now)
	alive := before.alive
	if failure != nil {
		put := &cache.Opened{Failure: failure, Acquired: now.Unix()}
		p := payload{keys: before.last, made: s.made}
		if before.last != nil {
			put.Acquired, put.RefreshAt, put.ExpiresAt = before.raw.Acquired, before.raw.RefreshAt, before.raw.ExpiresAt
		}
		if alive != nil && failure.RetryAt != 0 {
			put.RefreshAt = failure.RetryAt
			alive.refreshAt = failure.RetryAt
		}
		if s.identity != nil {
			if id, ok := s.identity(); ok {
				p.refused = id.sum
			}
		}
		put.Payload = p.encode()
		_ = o.Cache.PutOpened(s.key, put) // what cannot be remembered is tried again
	}
	if alive == nil || o.asks(s, err) {
		return kept{}, err
	}
	if failure != nil {
		alive.failing = resolver.RememberedError(failure).Summary
	}
	if o.call.Patience == resolver.Person || o.call.Fresh {
		o.notices = append(o.notices, fmt.Sprintf("%v%s%s more",
			err, OlderServe, left(time.Unix(alive.expiresAt, 0).Sub(now))))
	}
	return *alive, nil
}

// checked refuses keys that no request can carry.
func (o *opening) checked(k keys, s *step) error {
	if err := k.check(); err != nil {
		return &resolver.OpenError{Kind: resolver.KindRefused, Err: err,
			Summary: fmt.Sprintf("%s gave no usable AWS keys: %v", s.source, err),
			Hint:    "enter the keys again, without quotes or line breaks"}
	}
	return nil
}

func (k *keys) same(other *keys) bool {
	return k != nil && other != nil && k.id == other.id && k.expiration.Equal(other.expiration)
}

func sameOpened(a, b *cache.Opened) bool {
	same := string(a.Payload) == string(b.Payload) && a.Acquired == b.Acquired && a.RefreshAt == b.RefreshAt && a.ExpiresAt == b.ExpiresAt
	if a.Failure == nil || b.Failure == nil {
		return same && a.Failure == b.Failure
	}
	return same && a.Failure.RetryAt == b.Failure.RetryAt && a.Failure.Wait == b.Failure.Wait && a.Failure.Kind == b.Failure.Kind
}
