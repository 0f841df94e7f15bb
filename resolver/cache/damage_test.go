package cache

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestEveryBitFlipped: a file in which any one bit is another is a miss, and never
// another value; so is every beginning of it, the empty one first.
func TestEveryBitFlipped(t *testing.T) {
	d, env := open(t), environment(map[string]string{"A": "v"})
	e := full()
	if err := d.PutEntry("k-1", e, now, env); err != nil {
		t.Fatal(err)
	}
	o := &Opened{Payload: []byte("keys\x00\xff"), Acquired: 1, RefreshAt: 2, ExpiresAt: 3, Failure: e.Failure}
	if err := d.PutOpened("0a", o); err != nil {
		t.Fatal(err)
	}
	for _, kept := range []struct {
		path string
		read func() any // nil for a miss
		want any
	}{
		{filepath.Join(d.Path(), "entries", "k-1"), func() any {
			if e := d.Entry("k-1", now, env); e != nil {
				return e
			}
			return nil
		}, e},
		{filepath.Join(d.Path(), "opens", "0a"), func() any {
			if o := d.Opened("0a", now); o != nil {
				return o
			}
			return nil
		}, o},
	} {
		good, err := os.ReadFile(kept.path)
		if err != nil {
			t.Fatal(err)
		}
		if got := kept.read(); !reflect.DeepEqual(got, kept.want) {
			t.Fatalf("%s: undamaged it gives %+v", kept.path, got)
		}
		misses := 0
		try := func(b []byte, what string, at int) {
			t.Helper()
			if err := os.WriteFile(kept.path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if got := kept.read(); got != nil {
				t.Errorf("%s: %s %d: served %+v", kept.path, what, at, got)
			}
			misses++
		}
		for n := range good {
			try(good[:n], "cut at byte", n)
			for bit := range 8 {
				flipped := bytes.Clone(good)
				flipped[n] ^= 1 << bit
				try(flipped, "bit flipped", n*8+bit)
			}
		}
		try(append(bytes.Clone(good), 0), "longer than", len(good))
		if want := len(good)*9 + 1; misses != want || len(good) < 50 {
			t.Errorf("%s: %d damages tried, want %d", kept.path, misses, want)
		}
		if err := os.WriteFile(kept.path, good, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := kept.read(); !reflect.DeepEqual(got, kept.want) {
			t.Errorf("%s: healed it gives %+v", kept.path, got)
		}
	}
}
