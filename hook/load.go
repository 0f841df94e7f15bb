package hook

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ambit/resolver/cache"
	"ambit/resolver/safefile"
)

// load finds the entry of an allowed file and says what it means for this
// shell. The only error is errInterrupted.
func (r *run) load(a *answer, record *Record, contents []Content) error {
	e, until, unkept, err := r.entry(record, contents)
	if err != nil {
		return err
	}
	for _, w := range e.Watched {
		a.watch.add(w.Path, w.Absent)
	}
	for _, read := range e.Reads {
		a.reads = append(a.reads, read.Name)
	}
	a.until = until
	now := r.now.Unix()
	s := &Session{State: Loaded, Dir: record.Dir, Label: e.Label, Reloaded: e.Reloaded, Definition: definition(record, e)}
	a.session = s
	if r.noCache != nil {
		a.say = append(a.say, warning("nothing is kept, and every prompt resolves anew: "+r.noCache.Error()),
			hint("see that there is room, and that the directory is yours alone (mode 0700)"))
	}
	// A renewal that failed is nobody's business while the values are alive.
	if e.Failure != nil && !e.Alive(now) {
		a.say = append(a.say, firstError(e.Failure.Messages)...)
		a.still = len(e.Failure.Messages) == 0
		a.ask = true
		s.RetryAt = max(e.Failure.RetryAt, 1)
		if s.Unkept = unkept; unkept && e.Failure.RetryAt == 0 {
			s.RetryAt = now + cache.Backoff(0) // there is no entry to say that nothing has changed
		}
	}
	if !e.HasResult() {
		s.State = Failed
		return nil
	}
	a.want = wantedOf(e, now)
	if err := r.files(a, e); err != nil {
		a.refuse(err, "see that there is room, and that ambit's cache directory is yours alone")
		return nil
	}
	a.notices = e.Notices
	if e.Alive(now) {
		a.dead = e.ExpiresAt
	}
	for _, c := range e.Credentials {
		if c.ExpiresAt != 0 && (a.expires == 0 || c.ExpiresAt < a.expires) {
			a.expires = c.ExpiresAt
		}
	}
	return nil
}

// definition is the hash of the files that an entry was made from.
func definition(record *Record, e *cache.Entry) (sum [16]byte) {
	h := sha256.New()
	h.Write([]byte(record.Closure))
	for _, w := range e.Watched {
		h.Write([]byte(w.Path))
		h.Write(w.Digest[:])
	}
	copy(sum[:], h.Sum(nil))
	return sum
}

// wantedOf is what an entry asks of the environment at this instant. What has
// expired is unset, not left as it was before: with half of the names gone
// another account might answer.
func wantedOf(e *cache.Entry, now int64) wanted {
	w := wanted{vars: make([]want, 0, len(e.Variables)+len(e.Unset)+4), path: e.Path, unit: e.Unit}
	values := make([]string, len(e.Variables))
	for i := range e.Variables {
		v := &e.Variables[i]
		wish := want{name: v.Name, list: v.List}
		if v.ExpiresAt == 0 || now < v.ExpiresAt {
			values[i] = v.Value.Reveal()
			wish.value = &values[i]
		}
		w.vars = append(w.vars, wish)
	}
	for _, name := range e.Unset {
		w.vars = append(w.vars, want{name: name})
	}
	w.sort()
	w.put(want{name: EnvVar, value: &e.Label})
	w.put(want{name: DirVar, value: &e.Dir})
	if e.ExpiresAt != 0 { // also when it is past, so that a prompt can show it
		at := strconv.FormatInt(e.ExpiresAt, 10)
		w.put(want{name: ExpiresVar, value: &at})
	}
	return w
}

// entry returns the entry that holds now, from the cache if it can, and when to
// ask again. A failure is an entry too, and unkept says that it stands nowhere but
// here.
func (r *run) entry(record *Record, contents []Content) (e *cache.Entry, until int64, unkept bool, err error) {
	key := cache.EntryKey(record.Dir, record.Closure, r.env[storesVar])
	now := r.now.Unix()
	kept := func() *cache.Entry {
		e := r.cache.Entry(key, r.now, r.baseline.Lookup)
		if e == nil || e.Dir != record.Dir || e.Created > now+300 || !holds(e, contents) {
			return nil
		}
		return e
	}
	// Whether this shell has already waited in vain: then later attempts are
	// made behind its back.
	paid := r.session != nil && r.session.Dir == record.Dir && r.session.RetryAt != 0
	settled := func(e *cache.Entry) bool {
		return e != nil && (e.Alive(now) || e.Failure != nil && (paid || e.Failure.RetryAt == 0 || e.Failure.RetryAt > now))
	}
	if e = kept(); settled(e) {
		until = r.next(e, record.Dir)
		if r.p.Typed && r.overdue(e) {
			if newer := r.await(kept); newer != nil {
				e, until = newer, r.next(newer, record.Dir)
			}
		}
		return e, until, false, nil
	}
	before := e
	if paid && r.session.Unkept && r.session.RetryAt > now && before == nil {
		e = failed(record, contents, now, &cache.Failure{RetryAt: r.session.RetryAt})
		return e, e.Failure.RetryAt, true, nil
	}

	ctx := r.patience()
	unlock, err := r.cache.Lock(ctx, key, func() bool { e = kept(); return settled(e) })
	switch {
	case errors.Is(context.Cause(ctx), errInterrupted):
		err = errInterrupted
	case err == nil && unlock == nil:
		return e, r.next(e, record.Dir), false, nil
	case err == nil:
		defer unlock()
		e, err = r.resolve(record.Dir)
		if r.noCache == nil {
			// Without stamps this is done again at every prompt.
			_, r.noCache = r.cache.Stamp(r.generation.mtime)
		}
		if err == nil && e.Dir == record.Dir {
			return e, r.next(e, record.Dir), e.Failure != nil && kept() == nil, nil
		}
	}
	f := r.failure(err, record.Dir)
	if before != nil && before.Failure != nil {
		f.Wait = before.Failure.Wait
	}
	f.Wait = cache.Backoff(f.Wait)
	f.RetryAt = now + f.Wait
	if before != nil {
		e = before.Failed(f)
	} else {
		e = failed(record, contents, now, f)
	}
	unkept = errors.Is(err, cache.ErrBusy) || r.cache.PutEntry(key, e, r.now, r.baseline.Lookup) != nil
	if errors.Is(err, errInterrupted) {
		return nil, 0, unkept, err
	}
	return e, f.RetryAt, unkept, nil
}

// failed is the entry of an attempt of which nothing is known but its failure.
func failed(record *Record, contents []Content, now int64, f *cache.Failure) *cache.Entry {
	e := &cache.Entry{Dir: record.Dir, Label: filepath.Base(record.Dir), Created: now, Failure: f}
	for _, c := range contents {
		e.Watched = append(e.Watched, cache.Watched{Path: c.Path, Absent: c.Absent, Digest: c.Digest})
	}
	return e
}

// failure says what went wrong between us and the resolver.
func (r *run) failure(err error, dir string) *cache.Failure {
	name := r.places.Short(filepath.Join(dir, FileName), r.pwd)
	again := hint(`run "ambit reload" to try again`)
	switch {
	case errors.Is(err, errInterrupted):
		return &cache.Failure{Kind: "interrupted", Messages: []cache.Message{plain("resolving " + name + " was interrupted"), again}}
	case errors.Is(err, cache.ErrBusy):
		return &cache.Failure{Kind: "network", Messages: []cache.Message{errorMessage("another shell is still resolving " + name), again}}
	case errors.Is(err, context.DeadlineExceeded):
		return &cache.Failure{Kind: "network", Messages: []cache.Message{errorMessage("resolving " + name + " took too long"), again}}
	case err == nil:
		err = errors.New("it answered for another directory")
	}
	return &cache.Failure{Kind: "network", Messages: []cache.Message{
		errorMessage("cannot resolve " + name + ": " + strings.TrimSpace(err.Error())),
		hint(`run "ambit reload" to see why`),
	}}
}

// next is when the shell has to ask again about an entry that is served now. In
// the time between refreshAt and expiresAt it starts the renewal.
func (r *run) next(e *cache.Entry, dir string) int64 {
	now := r.now.Unix()
	retry := int64(0)
	if e.Failure != nil {
		retry = e.Failure.RetryAt
	}
	switch {
	case r.overdue(e):
		r.refresh(dir)
		return now + 30
	case !e.Alive(now):
		return retry
	}
	switch {
	case e.RefreshAt == 0 || e.RefreshAt >= e.ExpiresAt && e.ExpiresAt != 0:
		return e.ExpiresAt
	case now < e.RefreshAt:
		return e.RefreshAt
	case retry > now:
		return earlier(retry, e.ExpiresAt)
	}
	r.refresh(dir)
	// If that brings nothing newer: again after half of what is left.
	wait := int64(300)
	if e.ExpiresAt != 0 {
		wait = max(30, (e.ExpiresAt-now)/2)
	}
	return earlier(now+wait, e.ExpiresAt)
}

// overdue says whether a failure left nothing to serve, and has to be tried again.
func (r *run) overdue(e *cache.Entry) bool {
	now := r.now.Unix()
	return !e.Alive(now) && e.Failure != nil && e.Failure.RetryAt != 0 && e.Failure.RetryAt <= now
}

// moment is what a typed command waits for a retry that a prompt would leave to the
// next one: long enough for an STS that answers.
const moment = 700 * time.Millisecond

// await waits for the retry that was just started. Nil: it brought nothing in time.
func (r *run) await(kept func() *cache.Entry) *cache.Entry {
	ctx, cancel := context.WithTimeout(r.patience(), moment)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(20 * time.Millisecond):
		}
		if e := kept(); e != nil && !r.overdue(e) {
			return e
		}
	}
}

func earlier(a, b int64) int64 {
	if b != 0 && b < a {
		return b
	}
	return a
}

// holds says whether every file that an entry depends on is as it was.
func holds(e *cache.Entry, contents []Content) bool {
	for _, w := range e.Watched {
		if known, ok := contentOf(contents, w.Path); ok {
			if known.Absent != w.Absent || known.Digest != w.Digest {
				return false
			}
			continue
		}
		b, err := safefile.Read(w.Path)
		switch {
		case w.Absent && errors.Is(err, fs.ErrNotExist):
		case w.Absent || err != nil || cache.Digest(b) != w.Digest:
			return false
		}
	}
	return true
}

func contentOf(contents []Content, path string) (Content, bool) {
	for _, c := range contents {
		if c.Path == path {
			return c, true
		}
	}
	return Content{}, false
}
