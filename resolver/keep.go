package resolver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ambit/resolver/cache"
	"ambit/resolver/cache/wire"
)

// defaultTTL and keepStale are how long an open without an expiry is fresh, and
// how long it still serves while refreshing fails.
const (
	defaultTTL = time.Hour
	keepStale  = 24 * time.Hour
)

// keep opens a value, or serves what an earlier open found while that holds:
// before RefreshAt without a question, and before ExpiresAt at a prompt or if
// opening again fails. Many processes that ask at once make one open. That an open
// failed is remembered as well, for all who ask for the same.
func (ev *evaluator) keep(p *Provider, key string, call *Call, ttl time.Duration) (Opened, error) {
	if p.OwnCache || p.Local || ev.opt.Cache == nil || ttl == 0 {
		return ev.fetch(p, call, ttl)
	}
	dir, now := ev.opt.Cache, ev.opt.Now()
	look := func() kept { return lookKept(dir.Opened(key, now), call.Env, ev.opt.Digest, now) }
	seen := look()
	if call.Fresh {
		seen.alive = false
	} else {
		if seen.alive && (now.Before(seen.value.RefreshAt) || call.Patience == AtPrompt) {
			return seen.value, nil
		}
		if seen.failure != nil && !call.Patience.Due(seen.failure, now) {
			return seen.failed(p, seen.errs)
		}
	}
	var theirs kept
	unlock, err := dir.Lock(ev.ctx, key, func() bool {
		if call.Fresh {
			return false
		}
		theirs = look()
		if theirs.alive && now.Before(theirs.value.RefreshAt) {
			theirs.failure = nil
			return true
		}
		return theirs.failure != nil && !AtPrompt.Due(theirs.failure, now) && !theirs.sameFailure(seen)
	})
	switch {
	case err != nil && seen.alive:
		return seen.value, nil // somebody else is at it
	case errors.Is(err, cache.ErrBusy) && !errors.Is(context.Cause(ev.ctx), context.Canceled):
		return Opened{}, &OpenError{Kind: KindNetwork, Summary: "another process has been opening this for too long", Err: err}
	case err != nil:
		return Opened{}, context.Cause(ev.ctx)
	case unlock == nil && theirs.failure == nil:
		return theirs.value, nil
	case unlock == nil:
		return theirs.failed(p, theirs.errs)
	}
	defer unlock()
	call.Env = call.Env.fork()
	got, err := ev.fetch(p, call, ttl)
	if err != nil {
		return seen.remember(ev, p, key, got, err, call)
	}
	o := encodeKept(got, call.Env.Reads(), ev.opt.Digest, now)
	if got.noCache || o == nil {
		_ = dir.DropOpened(key) // a failure that is over; else it is only tried again
		return got, nil
	}
	_ = dir.PutOpened(key, o) // what is not kept is opened again
	return got, nil
}

// kept is what lies in the cache of an open.
type kept struct {
	alive   bool // the value may be served
	value   Opened
	raw     *cache.Opened // that holds it
	failure *cache.Failure
	errs    error // what failed
}

func (k kept) sameFailure(other kept) bool {
	return k.failure != nil && other.failure != nil && k.failure.RetryAt == other.failure.RetryAt && k.failure.Wait == other.failure.Wait
}

// failed serves the old value, if there is one, or fails again.
func (k kept) failed(p *Provider, err error) (Opened, error) {
	if !k.alive {
		return Opened{}, err
	}
	k.value.Notices = append(slices.Clip(k.value.Notices), fmt.Sprintf("%s could not be opened again, the old value serves", p.Name))
	return k.value, nil
}

// remember keeps that an open failed, beside the old value.
func (k kept) remember(ev *evaluator, p *Provider, key string, got Opened, err error, call *Call) (Opened, error) {
	now := ev.opt.Now()
	failure := FailureOf(err, k.failure, now)
	if failure != nil && failure.RetryAt != 0 {
		put := &cache.Opened{Acquired: now.Unix(), ExpiresAt: failure.RetryAt, Failure: failure}
		value := ""
		if k.alive {
			retry := time.Unix(failure.RetryAt, 0)
			if retry.After(k.value.ExpiresAt) {
				retry = k.value.ExpiresAt
			}
			k.value.RefreshAt = retry // else every prompt would try
			put.Acquired, put.RefreshAt, put.ExpiresAt = k.raw.Acquired, retry.Unix(), k.raw.ExpiresAt
			value = wire.NewDecoder(k.raw.Payload).String()
		}
		var w wire.Encoder
		w.String(value)
		if encodeFailed(&w, got.Files, err, call.Env.Reads(), ev.opt.Digest) {
			put.Payload = w.Bytes()
			_ = ev.opt.Cache.PutOpened(key, put) // what is not remembered is tried again
		}
	}
	return k.failed(p, err)
}

// fetch opens a value and gives it its times.
func (ev *evaluator) fetch(p *Provider, call *Call, ttl time.Duration) (Opened, error) {
	got, err := p.Open(ev.ctx, call)
	if err != nil || p.Local {
		got.noCache = ttl == 0
		return got, err
	}
	now := ev.opt.Now()
	switch {
	case got.ExpiresAt.IsZero() && !p.OwnCache:
		fresh := defaultTTL
		if ttl >= 0 {
			fresh = ttl
		}
		got.RefreshAt, got.ExpiresAt = now.Add(fresh), now.Add(max(keepStale, fresh))
	case ttl >= 0:
		got.RefreshAt = earlier(got.RefreshAt, now.Add(ttl))
	}
	// A provider with a ttl of its own says 0s in the same way: to be renewed at
	// once. Credentials in their last minutes do too, and are kept all the same.
	got.noCache = ttl == 0 || !p.OwnCache && !got.RefreshAt.IsZero() && !got.RefreshAt.After(now)
	return got, nil
}

// The payload of an open is two texts: of the value and of the failure. Each
// begins with what the open read, and holds only while that is the same.

func encodeKept(o Opened, reads []cache.Read, digest func(string) (cache.Watched, error), now time.Time) *cache.Opened {
	var value, w wire.Encoder
	if !encodeRead(&value, reads, o.Files, digest) {
		return nil
	}
	value.Strings(o.Notices)
	encodeValue(&value, o.Value)
	w.String(string(value.Bytes()))
	w.String("")
	return &cache.Opened{
		Payload: w.Bytes(), Acquired: now.Unix(), RefreshAt: unix(o.RefreshAt), ExpiresAt: unix(o.ExpiresAt),
	}
}

// encodeFailed is false if it cannot be told what the open read.
func encodeFailed(w *wire.Encoder, files []string, err error, reads []cache.Read, digest func(string) (cache.Watched, error)) bool {
	var failed wire.Encoder
	if !encodeRead(&failed, reads, files, digest) {
		return false
	}
	errs := openErrors(err)
	failed.Uint(uint64(len(errs)))
	for _, e := range errs {
		failed.String(string(e.Kind))
		failed.String(e.Summary)
		failed.String(e.Hint)
		failed.Strings(e.Path)
		failed.Bool(e.Key)
	}
	w.String(string(failed.Bytes()))
	return true
}

// openErrors are the errors that an open failed with.
func openErrors(err error) (out []*OpenError) {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range many.Unwrap() {
			out = append(out, openErrors(one)...)
		}
		return out
	}
	var open *OpenError
	if !errors.As(err, &open) {
		open = &OpenError{Kind: KindNetwork, Summary: "no answer in time"} // FailureOf takes no other
	}
	return []*OpenError{open}
}

func lookKept(raw *cache.Opened, env *Baseline, digest func(string) (cache.Watched, error), now time.Time) (k kept) {
	if raw == nil {
		return kept{}
	}
	d := wire.NewDecoder(raw.Payload)
	value, failed := d.String(), d.String()
	if d.End() != nil {
		return kept{}
	}
	k.raw = raw
	if value != "" {
		d := wire.NewStringDecoder(value)
		files, same := decodeRead(d, env, digest)
		k.value = Opened{RefreshAt: time.Unix(raw.RefreshAt, 0), ExpiresAt: time.Unix(raw.ExpiresAt, 0), Files: files}
		k.value.Notices = d.Strings()
		k.value.Value = decodeValue(d, 0)
		k.alive = d.End() == nil && same && now.Before(k.value.ExpiresAt)
	}
	if failed != "" && raw.Failure != nil {
		d := wire.NewStringDecoder(failed)
		_, same := decodeRead(d, env, digest)
		var errs []error
		for range d.Count() {
			errs = append(errs, &OpenError{
				Kind: FailureKind(d.String()), Summary: d.String(), Hint: d.String(), Path: d.Strings(), Key: d.Bool(),
			})
		}
		if d.End() == nil && same && len(errs) > 0 {
			k.failure, k.errs = raw.Failure, errors.Join(errs...)
		}
	}
	return k
}

// encodeRead writes what an open read; false if that cannot be told.
func encodeRead(w *wire.Encoder, reads []cache.Read, files []string, digest func(string) (cache.Watched, error)) bool {
	w.Uint(uint64(len(reads)))
	for _, r := range reads {
		w.String(r.Name)
		w.Bool(r.Set)
		w.Fixed(r.Digest[:])
	}
	w.Uint(uint64(len(files)))
	for _, path := range files {
		if digest == nil {
			return false
		}
		f, err := digest(path)
		if err != nil {
			return false
		}
		w.String(f.Path)
		w.Bool(f.Absent)
		w.Fixed(f.Digest[:])
	}
	return true
}

// decodeRead reads what encodeRead wrote and says whether all is as it was.
func decodeRead(d *wire.Decoder, env *Baseline, digest func(string) (cache.Watched, error)) (files []string, same bool) {
	same = true
	for range d.Count() {
		r := cache.Read{Name: d.String(), Set: d.Bool()}
		d.Fixed(r.Digest[:])
		value, set := env.Lookup(r.Name)
		same = same && cache.NewRead(r.Name, value, set) == r
	}
	for range d.Count() {
		f := cache.Watched{Path: d.String(), Absent: d.Bool()}
		d.Fixed(f.Digest[:])
		files = append(files, f.Path)
		if !same || digest == nil {
			same = false
			continue
		}
		got, err := digest(f.Path)
		same = err == nil && got.Absent == f.Absent && got.Digest == f.Digest
	}
	return files, same
}

func encodeValue(w *wire.Encoder, v Value) {
	w.Uint(uint64(v.Kind))
	w.Bool(v.Secret)
	w.Bool(v.Bool)
	w.String(v.Text)
	w.Uint(uint64(len(v.List)))
	for _, item := range v.List {
		encodeValue(w, item)
	}
	w.Uint(uint64(len(v.Object)))
	for _, key := range sortedKeys(v.Object) {
		w.String(key)
		encodeValue(w, v.Object[key])
	}
}

func decodeValue(d *wire.Decoder, depth int) Value {
	if depth > 2*maxNesting {
		return Value{} // what follows does not fit, and End says so
	}
	v := Value{Kind: Kind(min(d.Uint(), uint64(Object))), Secret: d.Bool(), Bool: d.Bool(), Text: d.String()}
	for range d.Count() {
		v.List = append(v.List, decodeValue(d, depth+1))
	}
	if n := d.Count(); v.Kind == Object {
		v.Object = make(map[string]Value, min(n, 1024))
		for range n {
			key := d.String()
			v.Object[key] = decodeValue(d, depth+1)
		}
	}
	return v
}
