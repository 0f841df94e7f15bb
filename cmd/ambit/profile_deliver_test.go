package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ambit/resolver/cache"
)

// A generated file stays where it is for as long as it is used, and goes when
// nobody has used it for long.
func TestGeneratedFilesAreSwept(t *testing.T) {
	dir, err := cache.Open(filepath.Join(t.TempDir(), "ambit"), os.Geteuid())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Second)
	a := &ambit{process: process{now: func() time.Time { return now }, uid: os.Geteuid()}, cacheDir: dir}
	keep := func(text string) string {
		t.Helper()
		path, err := a.keepProfile([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil || string(b) != text || !a.isGenerated(path) {
			t.Fatalf("%q holds %q: %v", path, b, err)
		}
		return path
	}
	used := func(path string) time.Time {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime()
	}
	one, two := keep("one"), keep("two")
	first := used(one)
	if one == two || !first.Equal(now.Add(-time.Minute)) {
		t.Errorf("%q and %q, used at %s", one, two, first)
	}
	now = now.Add(time.Hour)
	if keep("one") != one || !used(one).Equal(first) {
		t.Errorf("an hour later it is used at %s", used(one))
	}
	now = now.Add(29 * 24 * time.Hour)
	a.useProfile(one)
	now = now.Add(2 * 24 * time.Hour)
	three := keep("three")
	used(one)
	used(three)
	if _, err := os.Stat(two); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what nobody used is there: %v", err)
	}
	if a.isGenerated("/home/u/.aws/config") || a.isGenerated("") {
		t.Error("the user's own file is taken for a generated one")
	}
	// One that somebody has changed is made anew.
	if err := os.WriteFile(one, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	keep("one")
	a.cacheDir = nil
	if _, err := a.keepProfile([]byte("one")); !errors.Is(err, cache.ErrUnusable) {
		t.Errorf("without a cache: %v", err)
	}
}
