package hook

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
)

func testKeys(t testing.TB) *Keys {
	t.Helper()
	k, err := LoadKeys(Places{State: t.TempDir()}, os.Geteuid())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealHidesAndHolds(t *testing.T) {
	k := testKeys(t)
	prior := "canary"
	s := &Session{State: Loaded, Dir: "/p", Label: "l", Held: []Held{{Name: "A", Prior: &prior, Hash: k.Hash("A", "canary")}}}
	state := k.Seal(s.encode())
	if state != k.Seal(s.encode()) {
		t.Error("the same session gave other bytes")
	}
	if strings.Contains(state, "canary") || strings.ContainsFunc(state, func(r rune) bool { return r <= ' ' || r > '~' }) {
		t.Errorf("state %q", state)
	}
	got, err := k.OpenSession(state)
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("got %+v, %v", got, err)
	}
	for i := range len(state) {
		flipped := []byte(state)
		flipped[i] ^= 1
		if _, err := k.OpenSession(string(flipped)); err == nil {
			t.Errorf("byte %d flipped: accepted", i)
		}
		if i > 0 {
			if _, err := k.OpenSession(state[:i]); err == nil {
				t.Errorf("cut to %d: accepted", i)
			}
		}
	}
	if _, err := testKeys(t).OpenSession(state); err == nil {
		t.Error("another user's keys opened it")
	}
	if k.Hash("A", "x") == k.Hash("B", "x") || k.Hash("A", "x") == testKeys(t).Hash("A", "x") {
		t.Error("the hash says nothing of the name or the key")
	}
}

func TestOneKeyForAll(t *testing.T) {
	places := Places{State: t.TempDir()}
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			k, err := LoadKeys(places, os.Geteuid())
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			seen[k.Seal([]byte("x"))] = true
			mu.Unlock()
		})
	}
	wg.Wait()
	if len(seen) != 1 {
		t.Errorf("%d keys for one user", len(seen))
	}
	names, _ := os.ReadDir(places.State)
	if len(names) != 2 {
		t.Errorf("want the key and its lock, got %v", names)
	}
}

func FuzzDecodeSession(f *testing.F) {
	prior := "p"
	s := &Session{State: Failed, Dir: "/p", Held: []Held{{Name: "A", Old: [][16]byte{{1}}, Prior: &prior, Added: []string{"a"}}, {Name: "B", Unset: true, Lost: true}}}
	f.Add(s.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := decodeSession(b); err == nil && !bytes.Equal(s.encode(), b) {
			t.Errorf("%x decodes, but encodes as %x", b, s.encode())
		}
	})
}

func FuzzOpenSession(f *testing.F) {
	k := testKeys(f)
	f.Add(k.Seal((&Session{}).encode()))
	f.Add(pendingMark + k.Seal((&Session{}).encode()))
	f.Add("1" + strings.Repeat("A", 100))
	f.Fuzz(func(t *testing.T, state string) {
		s, err := k.OpenSession(state)
		if err != nil || s == nil {
			return
		}
		want := k.Seal(s.encode())
		if s.Pending {
			want = pendingMark + want
		}
		if state != want {
			t.Errorf("%q is a second spelling of a state", state)
		}
	})
}

// Whatever is loaded over whatever is there, one after the other: leaving gives
// back what was there, and what the user changed meanwhile.
func FuzzApplyRevert(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	k := testKeys(f)
	f.Fuzz(func(t *testing.T, a, b uint64) {
		rng := rand.New(rand.NewPCG(a, b))
		names := []string{"A", "B", "C", "D", "PATH", "MANPATH"}
		lists := map[string]bool{"PATH": true, "MANPATH": true}
		values := []string{"", "1", "2", "x y", "a:b", "\xff\x01"}
		entries := []string{"/p", "/q", "", ".", "/p"}
		random := func(name string) *string {
			if rng.IntN(4) == 0 {
				return nil
			}
			v := values[rng.IntN(len(values))]
			if lists[name] {
				var parts []string
				for range 1 + rng.IntN(4) {
					parts = append(parts, entries[rng.IntN(len(entries))])
				}
				v = strings.Join(parts, ":")
			}
			return &v
		}
		env := Environ{}
		for _, n := range names {
			if v := random(n); v != nil {
				env[n] = *v
			}
		}
		before := maps.Clone(env)
		changed := map[string]bool{}
		var s *Session
		for range 1 + rng.IntN(4) {
			w := wanted{}
			for _, n := range names {
				if rng.IntN(2) == 0 {
					w.vars = append(w.vars, want{n, random(n), lists[n]})
				}
			}
			if rng.IntN(2) == 0 {
				w.path = []string{"/ours", "/p"}[:1+rng.IntN(2)]
			}
			w.sort()
			apply(env, k.diff(env, k.Baseline(env, s), s, w, keepNone), &s)
			// The user sets or unsets a plain variable; it is theirs from then on.
			if n := names[rng.IntN(4)]; rng.IntN(3) == 0 {
				v := "user" + n
				if rng.IntN(2) == 0 {
					env[n] = v
					before[n] = v
				} else if old, ok := env[n]; ok && old != before[n] {
					delete(env, n)
					delete(before, n)
				}
				changed[n] = true
			}
		}
		apply(env, k.diff(env, k.Baseline(env, s), s, wanted{}, keepNone), &s)
		for _, n := range names {
			if changed[n] {
				continue // said below, where the user's last word is still there
			}
			v, ok := env[n]
			w, wok := before[n]
			if v != w || ok != wok {
				t.Errorf("%s is %q (set %v), was %q (set %v)", n, v, ok, w, wok)
			}
		}
		if len(s.Held) != 0 {
			t.Errorf("still held: %v", s.Held)
		}
	})
}

func apply(env Environ, d difference, s **Session) {
	for _, c := range d.changes {
		if c.Unset {
			delete(env, c.Name)
		} else {
			env[c.Name] = c.Value
		}
	}
	*s = &Session{State: Loaded, Held: d.held}
}
