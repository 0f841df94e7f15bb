package cache

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What failed for want of a login is forgotten, and nothing else.
func TestForgetFailures(t *testing.T) {
	d, err := Open(filepath.Join(t.TempDir(), "cache"), os.Geteuid())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	lookup := func(string) (string, bool) { return "", false }
	failure := func(kind string) *Failure { return &Failure{Kind: kind, Messages: []Message{{Text: "x"}}} }
	alive := now.Unix() + 100
	for key, o := range map[string]*Opened{
		"dead":    {Failure: failure("login")},
		"serves":  {Payload: []byte("old"), ExpiresAt: alive, Failure: failure("login")},
		"network": {Failure: failure("network")},
		"good":    {Payload: []byte("good"), ExpiresAt: alive},
	} {
		if err := d.PutOpened(key, o); err != nil {
			t.Fatal(err)
		}
	}
	for key, e := range map[string]*Entry{
		"a-login": {Failure: failure("login")}, "a-network": {Failure: failure("network")}, "a-good": {ExpiresAt: alive},
	} {
		if err := d.PutEntry(key, e, now, lookup); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(d.Path(), "opens", "damaged"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.ForgetFailures(t.Context(), "login", now); err != nil {
		t.Fatal(err)
	}
	if d.Opened("dead", now) != nil {
		t.Error("a failure is remembered")
	}
	if o := d.Opened("serves", now); o == nil || o.Failure != nil || string(o.Payload) != "old" {
		t.Errorf("what serves is %+v", o)
	}
	if o := d.Opened("network", now); o == nil || o.Failure == nil {
		t.Error("another failure was forgotten")
	}
	if d.Opened("good", now) == nil {
		t.Error("a value was forgotten")
	}
	if d.Entry("a-login", now, lookup) != nil || d.Entry("a-network", now, lookup) == nil || d.Entry("a-good", now, lookup) == nil {
		t.Error("the wrong entries were forgotten")
	}
	// One that somebody is making anew is not waited for, for long.
	if err := d.PutOpened("busy", &Opened{Failure: failure("login")}); err != nil {
		t.Fatal(err)
	}
	unlock, held := d.TryLock("busy")
	if !held {
		t.Fatal("no lock")
	}
	start := time.Now()
	if err := d.ForgetFailures(t.Context(), "login", now); err == nil || time.Since(start) > 2*forgetTime {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	unlock()
	if err := d.DropEntries(); err != nil || d.Entry("a-good", now, lookup) != nil {
		t.Errorf("entries are left: %v", err)
	}
	var none *Dir
	if err := none.ForgetFailures(t.Context(), "login", now); err != nil {
		t.Error(err)
	}
}
