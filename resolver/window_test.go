package resolver_test

import (
	"testing"
	"time"

	"ambit/resolver"
)

func TestWindow(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for ttl, want := range map[time.Duration][2]time.Duration{
		12 * time.Hour:   {9*time.Hour + 36*time.Minute, 11*time.Hour + 59*time.Minute},
		time.Hour:        {48 * time.Minute, 59 * time.Minute},
		15 * time.Minute: {10 * time.Minute, 14 * time.Minute},
		2 * time.Minute:  {time.Minute, 108 * time.Second},
		20 * time.Second: {10 * time.Second, 18 * time.Second},
	} {
		refresh, expires := resolver.Window(now, now.Add(ttl))
		if refresh.Sub(now) != want[0] || expires.Sub(now) != want[1] {
			t.Errorf("%v: %v and %v", ttl, refresh.Sub(now), expires.Sub(now))
		}
	}
}
