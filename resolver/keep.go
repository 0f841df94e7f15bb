package resolver

import (
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
// opening again fails. Many processes that ask at once make one open.
func (ev *evaluator) keep(p *Provider, key string, call *Call, ttl time.Duration) (Opened, error) {
	if p.OwnCache || p.Local || ev.opt.Cache == nil || ttl == 0 {
		return ev.fetch(p, call, ttl)
	}
	dir, now := ev.opt.Cache, ev.opt.Now()
	held := func() (Opened, bool) {
		o, ok := decodeKept(dir.Opened(key, now), call.Env, ev.opt.Digest)
		return o, ok && !call.Fresh && now.Before(o.ExpiresAt)
	}
	old, have := held()
	if have && (now.Before(old.RefreshAt) || call.Patience == AtPrompt) {
		return old, nil
	}
	var renewed Opened
	unlock, err := dir.Lock(ev.ctx, key, func() bool {
		o, ok := held()
		if ok && now.Before(o.RefreshAt) {
			renewed = o
		}
		return ok && now.Before(o.RefreshAt)
	})
	switch {
	case err != nil && have:
		return old, nil // somebody else is at it
	case errors.Is(err, cache.ErrBusy):
		return Opened{}, &OpenError{Kind: KindNetwork, Summary: "another process has been opening this for too long", Err: err}
	case err != nil:
		return Opened{}, err
	case unlock == nil:
		return renewed, nil
	}
	defer unlock()
	call.Env = call.Env.fork()
	got, err := ev.fetch(p, call, ttl)
	if err != nil {
		if have {
			old.Notices = append(slices.Clip(old.Notices), fmt.Sprintf("%s could not be opened again, the old value serves", p.Name))
			return old, nil
		}
		return got, err
	}
	if got.noCache {
		return got, nil
	}
	if o := encodeKept(got, call.Env.Reads(), ev.opt.Digest, now); o != nil {
		_ = dir.PutOpened(key, o) // what is not kept is opened again
	}
	return got, nil
}

// fetch opens a value and gives it its times.
func (ev *evaluator) fetch(p *Provider, call *Call, ttl time.Duration) (Opened, error) {
	got, err := p.Open(ev.ctx, call)
	if err != nil || p.Local {
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

// encodeKept is the form in which an open is kept: with what it read, so that it
// serves only while that is the same. It is nil if that cannot be told.
func encodeKept(o Opened, reads []cache.Read, digest func(string) (cache.Watched, error), now time.Time) *cache.Opened {
	var w wire.Encoder
	w.Uint(uint64(len(reads)))
	for _, r := range reads {
		w.String(r.Name)
		w.Bool(r.Set)
		w.Fixed(r.Digest[:])
	}
	w.Uint(uint64(len(o.Files)))
	for _, path := range o.Files {
		if digest == nil {
			return nil
		}
		f, err := digest(path)
		if err != nil {
			return nil
		}
		w.String(f.Path)
		w.Bool(f.Absent)
		w.Fixed(f.Digest[:])
	}
	w.Strings(o.Notices)
	encodeValue(&w, o.Value)
	return &cache.Opened{
		Payload: w.Bytes(), Acquired: now.Unix(), RefreshAt: unix(o.RefreshAt), ExpiresAt: unix(o.ExpiresAt),
	}
}

// decodeKept reads what encodeKept made, if what the open read is unchanged.
func decodeKept(kept *cache.Opened, env *Baseline, digest func(string) (cache.Watched, error)) (Opened, bool) {
	if kept == nil || len(kept.Payload) == 0 {
		return Opened{}, false
	}
	d := wire.NewDecoder(kept.Payload)
	same := true
	for range d.Count() {
		r := cache.Read{Name: d.String(), Set: d.Bool()}
		d.Fixed(r.Digest[:])
		value, set := env.Lookup(r.Name)
		same = same && cache.NewRead(r.Name, value, set) == r
	}
	o := Opened{RefreshAt: time.Unix(kept.RefreshAt, 0), ExpiresAt: time.Unix(kept.ExpiresAt, 0)}
	for range d.Count() {
		f := cache.Watched{Path: d.String(), Absent: d.Bool()}
		d.Fixed(f.Digest[:])
		o.Files = append(o.Files, f.Path)
		if !same || digest == nil {
			same = false
			continue
		}
		got, err := digest(f.Path)
		same = err == nil && got.Absent == f.Absent && got.Digest == f.Digest
	}
	o.Notices = d.Strings()
	o.Value = decodeValue(d, 0)
	return o, d.End() == nil && same
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
