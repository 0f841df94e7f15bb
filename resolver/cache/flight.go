package cache

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// ErrBusy is returned when somebody else holds a lock for longer than the
// caller may wait.
var ErrBusy = errors.New("another process is resolving this")

// Unlock releases a lock; it may be called more than once.
type Unlock func()

// Lock waits until this process alone works under key. The kernel frees the
// lock of a process that dies. While it waits it calls ready every 25 to 200
// ms: if that returns true, somebody else has done the work and Lock returns
// nil, nil. It returns [ErrBusy] when ctx ends.
//
// Where there can be no lock (no directory, a disk without flock) it goes on
// without: doing the work twice is better than not at all.
func (d *Dir) Lock(ctx context.Context, key string, ready func() bool) (Unlock, error) {
	for wait := 25 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		unlock, held := d.TryLock(key)
		// Read again in either case: between the miss that led here and the
		// lock the work may have been done.
		if ready() {
			if held {
				unlock()
			}
			return nil, nil
		}
		if held {
			return unlock, nil
		}
		// Jitter, so that a hundred waiters do not try in step.
		timer := time.NewTimer(wait*3/4 + rand.N(wait/2))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ErrBusy
		case <-timer.C:
		}
	}
}

// TryLock takes the lock under key if nobody holds it.
func (d *Dir) TryLock(key string) (unlock Unlock, held bool) {
	room, err := d.room("locks")
	if err != nil {
		return func() {}, true
	}
	// The lock file is never renamed or removed: two processes must not hold
	// locks on two files of one name.
	lock := flock.New(filepath.Join(room, key+".lock"),
		flock.SetFlag(syscall.O_CREAT|syscall.O_RDONLY|syscall.O_NOFOLLOW), flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return func() {}, true
	}
	if !ok {
		return nil, false
	}
	return func() { _ = lock.Close() }, true // closing is releasing; nothing to do if it fails
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
