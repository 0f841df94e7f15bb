package resolver

import "time"

// defaultTTL and keepStale are how long an open without an expiry is fresh, and
// how long it still serves while refreshing fails.
const (
	defaultTTL = time.Hour
	keepStale  = 24 * time.Hour
)

// keep opens a value, or serves what an earlier open found while that holds.
func (ev *evaluator) keep(p *Provider, key string, call *Call, ttl time.Duration) (Opened, error) {
	got, err := p.Open(ev.ctx, call)
	if err != nil || p.Local {
		return got, err
	}
	now := ev.opt.Now()
	if got.ExpiresAt.IsZero() && !p.OwnCache {
		fresh := defaultTTL
		if ttl >= 0 {
			fresh = ttl
		}
		got.RefreshAt, got.ExpiresAt = now.Add(fresh), now.Add(max(keepStale, fresh))
	} else if ttl >= 0 {
		got.RefreshAt = earlier(got.RefreshAt, now.Add(ttl))
	}
	got.noCache = ttl == 0
	return got, nil
}
