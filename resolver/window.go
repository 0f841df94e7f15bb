package resolver

import "time"

// Window returns from when a value that was acquired and ends at expiry, both by
// this machine's clock, is to be renewed, and from when it is no longer served:
// of 12 h from 9 h 36 and 11 h 59 on, of 1 h from 48 and 59 min, of 15 min from
// 10 and 14 min, of 2 min from 60 and 108 s.
func Window(acquired, expiry time.Time) (refreshAt, expiresAt time.Time) {
	ttl := expiry.Sub(acquired)
	return expiry.Add(-min(max(5*time.Minute, ttl/5), ttl/2)), expiry.Add(-min(time.Minute, ttl/10))
}
