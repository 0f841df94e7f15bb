package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ambit/resolver/cache/wire"
	"ambit/resolver/secret"
)

var now = time.Unix(1_900_000_000, 123456789)

func open(t *testing.T) *Dir {
	t.Helper()
	d, err := Open(filepath.Join(t.TempDir(), "cache", "ambit"), os.Getuid())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func full() *Entry {
	return &Entry{
		Dir: "/p\xff", Label: "shop/dev", Created: 1, Reloaded: 2,
		Reads:       []Read{NewRead("A", "v", true), NewRead("B", "", false)},
		Watched:     []Watched{{Path: "/p/.envrc.yaml", Digest: Digest([]byte("x"))}, {Path: "/q", Absent: true}},
		Variables:   []Variable{{Name: "N", Value: secret.New("\x01\xff\n"), Secret: true, List: true, ExpiresAt: 9}},
		Unset:       []string{"U"},
		Unit:        []string{"N", "U"},
		Path:        []string{"/p/bin"},
		Files:       []FileVariable{{Name: "F", Content: secret.New("c"), ExpiresAt: 8}},
		RefreshAt:   5,
		ExpiresAt:   9,
		Credentials: []Credential{{Account: "123456789012", ARN: "arn", Source: "oidc", RefreshAt: 5, ExpiresAt: 9}},
		Notices:     []Message{{Text: "n"}},
		Failure:     &Failure{Kind: "network", Messages: []Message{{Level: "error", Place: Place{"/p/.envrc.yaml", 1, 2}, Text: "t", Imports: []Place{{"/q", 3, 4}}}}, RetryAt: 7, Wait: 30},
	}
}

func environment(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

func TestEntryRoundTrip(t *testing.T) {
	for name, e := range map[string]*Entry{"full": full(), "empty": {}} {
		got, err := DecodeEntry(e.Encode())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, e) {
			t.Errorf("%s: got %+v, want %+v", name, got, e)
		}
	}
}

// Whatever happens to the file, it is a miss, and the next write heals it.
func TestDamagedIsMiss(t *testing.T) {
	d := open(t)
	e, env := full(), environment(map[string]string{"A": "v"})
	if err := d.PutEntry("k-1", e, now, env); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.Path(), "entries", "k-1")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d.Entry("k-1", now, env) == nil {
		t.Fatal("not found after writing")
	}
	for n := range good {
		flipped := bytes.Clone(good)
		flipped[n] ^= 0x40
		for _, b := range [][]byte{good[:n], flipped} {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if d.Entry("k-1", now, env) != nil {
				t.Fatalf("byte %d: damaged file was served", n)
			}
		}
	}
	restore := func() {
		_ = os.RemoveAll(path)
		if err := d.PutEntry("k-1", e, now, env); err != nil {
			t.Fatal(err)
		}
		if d.Entry("k-1", now, env) == nil {
			t.Fatal("did not heal")
		}
	}
	for name, harm := range map[string]func() error{
		"mode": func() error { return os.Chmod(path, 0o640) },
		"link": func() error { return os.Link(path, path+"x") },
		"symlink": func() error {
			_ = os.Remove(path + "x")
			return errors.Join(os.Rename(path, path+"x"), os.Symlink(path+"x", path))
		},
		"directory": func() error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o600)) },
		"fifo":      func() error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) },
		"large":     func() error { return os.Truncate(path, MaxFile+1) },
		"future":    func() error { f := now.Add(6 * time.Minute); return os.Chtimes(path, f, f) },
	} {
		restore()
		if err := harm(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d.Entry("k-1", now, env) != nil {
			t.Errorf("%s: served", name)
		}
		_ = os.Remove(path + "x")
	}
	restore()
}

func TestVariants(t *testing.T) {
	d := open(t)
	for i := range maxVariants + 2 {
		value := fmt.Sprint(i)
		env := environment(map[string]string{"REGION": value})
		e := &Entry{Label: value, Reads: []Read{NewRead("REGION", value, true)}}
		if err := d.PutEntry("k-1", e, now, env); err != nil {
			t.Fatal(err)
		}
		if got := d.Entry("k-1", now, env); got == nil || got.Label != value {
			t.Fatalf("variant %s: got %v", value, got)
		}
	}
	if d.Entry("k-1", now, environment(map[string]string{"REGION": "0"})) != nil {
		t.Error("the oldest variant was kept")
	}
	if d.Entry("k-1", now, environment(map[string]string{"REGION": "2"})) == nil {
		t.Error("a recent variant was lost")
	}
	if d.Entry("k-1", now, environment(nil)) != nil {
		t.Error("unset took the place of a value")
	}
}

func TestOnlyNewestEntriesOfADirectory(t *testing.T) {
	d := open(t)
	for i := range maxKeysPerDir + 3 {
		key := EntryKey("/p", fmt.Sprint(i), "")
		if err := d.PutEntry(key, &Entry{}, now, environment(nil)); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(i-100) * time.Minute)
		if err := os.Chtimes(filepath.Join(d.Path(), "entries", key), at, at); err != nil {
			t.Fatal(err)
		}
	}
	names, _ := os.ReadDir(filepath.Join(d.Path(), "entries"))
	if len(names) != maxKeysPerDir {
		t.Errorf("%d entries kept, want %d", len(names), maxKeysPerDir)
	}
}

func TestOpenRefuses(t *testing.T) {
	base := t.TempDir()
	loose, file, link := filepath.Join(base, "loose"), filepath.Join(base, "file"), filepath.Join(base, "link")
	if err := errors.Join(os.Mkdir(loose, 0o700), os.Chmod(loose, 0o750), os.WriteFile(file, nil, 0o600), os.Symlink(base, link)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{loose, file, link, "relative", ""} {
		if _, err := Open(path, os.Getuid()); !errors.Is(err, ErrUnusable) {
			t.Errorf("%q: got %v", path, err)
		}
	}
	if _, err := Open(t.TempDir(), os.Getuid()+1); !errors.Is(err, ErrUnusable) {
		t.Errorf("another user's: got %v", err)
	}
	var none *Dir
	if none.Entry("k", now, environment(nil)) != nil || none.Opened("k", now) != nil {
		t.Error("a nil Dir served something")
	}
	if none.PutOpened("k", &Opened{}) == nil || none.Touch(now) == nil {
		t.Error("a nil Dir kept something")
	}
	if unlock, held := none.TryLock("k"); !held {
		t.Error("a nil Dir refused to go on without a lock")
	} else {
		unlock()
	}
	none.Sweep(now)
}

func TestOneFlight(t *testing.T) {
	d := open(t)
	var done, calls atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			unlock, err := d.Lock(context.Background(), "k", func() bool { return done.Load() == 1 })
			if err != nil {
				t.Error(err)
				return
			}
			if unlock == nil {
				return
			}
			calls.Add(1)
			time.Sleep(30 * time.Millisecond)
			done.Store(1)
			unlock()
		})
	}
	wg.Wait()
	if calls.Load() != 1 {
		t.Errorf("%d calls", calls.Load())
	}
	unlock, held := d.TryLock("k")
	if !held {
		t.Fatal("the lock was not released")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := d.Lock(ctx, "k", func() bool { return false }); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
	unlock()
}

func TestStamp(t *testing.T) {
	d := open(t)
	path, err := d.Stamp(now)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || !info.ModTime().Equal(now) || info.Size() != 0 {
		t.Fatalf("got %v, %v", info, err)
	}
	if err := os.Chtimes(path, now.Add(1), now.Add(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Stamp(now); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); !info.ModTime().Equal(now) {
		t.Error("a stamp with another mtime was not mended")
	}
}

func TestGenerationGrows(t *testing.T) {
	d := open(t)
	path, before, err := d.Generation(now)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{now, now.Add(-time.Minute), now.Add(4 * time.Minute), now} {
		if err := d.Touch(at); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || !info.ModTime().After(before) {
			t.Fatalf("touched at %v: %v after %v, %v", at, info.ModTime(), before, err)
		}
		before = info.ModTime()
	}
}

// The clock was a year ahead and is set right: a file that stays in the future has
// an age below every life.
func TestGenerationOfTheFuture(t *testing.T) {
	d := open(t)
	if err := d.Touch(now.AddDate(1, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if _, mtime, err := d.Generation(now); err != nil || !mtime.Equal(now) {
		t.Errorf("%v, %v; want %v", mtime, err, now)
	}
}

func TestSweepAndClear(t *testing.T) {
	d, now := open(t), time.Now() // files are as old as they are
	past, future := now.Unix()-1, now.Unix()+60
	put := func(key string, e *Entry) {
		t.Helper()
		if err := d.PutEntry(key, e, now, environment(nil)); err != nil {
			t.Fatal(err)
		}
	}
	put("a-dead", &Entry{ExpiresAt: past})
	put("b-live", &Entry{ExpiresAt: future})
	put("c-remembered", &Entry{ExpiresAt: past, Failure: &Failure{RetryAt: future}})
	put("d-eternal", &Entry{})
	for key, o := range map[string]*Opened{
		"0dead": {Payload: []byte("canary"), ExpiresAt: past}, "0live": {ExpiresAt: future},
		"0remembered": {ExpiresAt: past, Failure: &Failure{}},
	} {
		if err := d.PutOpened(key, o); err != nil {
			t.Fatal(err)
		}
	}
	d.Sweep(now)
	var left []string
	for _, room := range []string{"entries", "opens"} {
		names, _ := os.ReadDir(filepath.Join(d.Path(), room))
		for _, n := range names {
			left = append(left, n.Name())
		}
	}
	if got, want := strings.Join(left, " "), "b-live c-remembered d-eternal 0live 0remembered"; got != want {
		t.Errorf("left: %s, want: %s", got, want)
	}
	// What running programs use is left to them.
	kept := []string{filepath.Join(d.Path(), "profiles", "0123")}
	if err := os.Mkdir(filepath.Dir(kept[0]), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept[0], nil, 0o600); err != nil {
		t.Fatal(err)
	}
	serving, err := d.PutFiles(NewFileSet(os.Getpid()), []FileVariable{{Name: "KUBECONFIG"}}, now)
	if err != nil {
		t.Fatal(err)
	}
	dead, err := d.PutFiles(NewFileSet(1<<30), []FileVariable{{Name: "KUBECONFIG"}}, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Clear(now); err != nil {
		t.Fatal(err)
	}
	for _, path := range append(kept, serving...) {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(dead[0]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a set that serves nobody: %v", err)
	}
	if d.Opened("0live", now) != nil || d.Entry("d-eternal", now, environment(nil)) != nil {
		t.Error("something was served after Clear")
	}
	if _, err := os.Stat(filepath.Join(d.Path(), "generation")); err != nil {
		t.Error(err)
	}
}

func TestReadOnlyDirectoryIsNoPanic(t *testing.T) {
	d := open(t)
	// A file in the place of each room: writes must fail even for root.
	for _, room := range []string{"entries", "opens", "stamps", "locks"} {
		if err := os.WriteFile(filepath.Join(d.Path(), room), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if d.PutEntry("k-1", &Entry{}, now, environment(nil)) == nil || d.PutOpened("k", &Opened{}) == nil {
		t.Error("a write into nothing succeeded")
	}
	if _, err := d.Stamp(now); err == nil {
		t.Error("a stamp in nothing")
	}
	if _, held := d.TryLock("k"); !held {
		t.Error("no lock is to mean: go on without")
	}
	d.Sweep(now)
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add(full().Encode())
	f.Add((&Entry{}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		// Also with a right frame around the bytes, which chance never makes.
		for _, in := range [][]byte{b, reframe(b)} {
			if e, err := DecodeEntry(in); err == nil && !bytes.Equal(e.Encode(), in) {
				t.Errorf("%x decodes, but encodes as %x", in, e.Encode())
			}
		}
	})
}

func FuzzDecodeOpened(f *testing.F) {
	f.Add((&Opened{Payload: []byte("p"), Acquired: 1, RefreshAt: 2, ExpiresAt: 3, Failure: &Failure{Kind: "k"}}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if o, err := decodeOpened(b); err == nil && !bytes.Equal(o.encode(), b) {
			t.Errorf("%x decodes, but encodes as %x", b, o.encode())
		}
	})
}

func reframe(b []byte) []byte {
	if len(b) < len(entrySchema)+1+32 {
		return wire.Frame(entrySchema, b)
	}
	return wire.Frame(entrySchema, b[len(entrySchema)+1:len(b)-32])
}

// Through a directory that is only read all is there, and nothing can be changed.
func TestReadOnly(t *testing.T) {
	now := time.Now()
	dir, err := Open(filepath.Join(t.TempDir(), "cache"), os.Geteuid())
	if err != nil {
		t.Fatal(err)
	}
	key := strings.Repeat("a", 64)
	if err := dir.PutOpened(key, &Opened{Payload: []byte("one"), Acquired: now.Unix()}); err != nil {
		t.Fatal(err)
	}
	only := dir.ReadOnly()
	if err := only.PutOpened(key, &Opened{Payload: []byte("two")}); !errors.Is(err, ErrUnusable) {
		t.Errorf("written: %v", err)
	}
	if err := only.DropOpened(key); err != nil {
		t.Error(err)
	}
	if unlock, held := only.TryLock(key); !held {
		t.Error("a lock is in the way")
	} else {
		unlock()
	}
	if o := only.Opened(key, now); o == nil || string(o.Payload) != "one" {
		t.Errorf("%+v", o)
	}
	if _, err := os.Stat(filepath.Join(dir.Path(), "locks")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the room of locks: %v", err)
	}
	if (*Dir)(nil).ReadOnly() != nil {
		t.Error("none became one")
	}
}
