package awstest

import "time"

// handout is a set of keys that an instance or a container finds at its
// endpoint: the same for everybody who asks, until it is rotated.
type handout struct {
	*principal
	lifetime int // Knobs.Lifetime when it was made
	made     time.Time
}

// due reports whether newer keys are to be found: 5 minutes before the end, as
// documented for EC2, or at a quarter of a shorter life.
func (h *handout) due(now time.Time) bool {
	return h.expires.Sub(now) <= min(5*time.Minute, h.expires.Sub(h.made)/4)
}

// handOut gives the present keys of a session of one of the Account's roles.
func (s *Server) handOut(role, session string) *handout {
	s.rotating.Lock()
	defer s.rotating.Unlock()
	k, now, arn := s.Knobs(), s.clock(), "arn:aws:sts::"+Account+":assumed-role/"+role+"/"+session
	s.mu.Lock()
	h := s.handouts[arn]
	s.mu.Unlock()
	if h != nil && (k.Frozen || h.lifetime == k.Lifetime && !h.due(now)) {
		return h
	}
	h = &handout{&principal{account: Account, role: true, arn: arn, userID: newUniqueID("AROA") + ":" + session}, k.Lifetime, now.UTC()}
	s.grant(h.principal, 6*3600)
	s.mu.Lock()
	s.handouts[arn] = h
	s.mu.Unlock()
	return h
}
