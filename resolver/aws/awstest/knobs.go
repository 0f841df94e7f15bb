package awstest

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"time"
)

// Outage says how the endpoint fails; calls are counted all the same wherever a
// connection is taken at all.
type Outage string

// The outages.
const (
	Up          Outage = ""          // none
	Refused     Outage = "refused"   // the port is closed
	Reset       Outage = "reset"     // the connection is cut without an answer
	Silent      Outage = "silent"    // the request is taken and never answered
	Unavailable Outage = "503"       // Service Unavailable, as AWS says it
	HTML        Outage = "html"      // a captive portal's page, with status 200
	Truncated   Outage = "truncated" // the answer ends half-way, the connection orderly
	Garbage     Outage = "garbage"   // random bytes
	Huge        Outage = "huge"      // a body of 1 GB
	Redirect    Outage = "redirect"  // 307 to Knobs.RedirectTo
	ProxyAuth   Outage = "proxy"     // 407 of a proxy, without a body
)

var outages = []Outage{Up, Refused, Reset, Silent, Unavailable, HTML, Truncated, Garbage, Huge, Redirect, ProxyAuth}

// Knobs is how the server behaves. The zero value, with MaxDuration 3600, is
// AWS on a good day.
type Knobs struct {
	Lifetime    int    `json:"lifetime"`    // seconds of what is issued, whatever was asked; may be negative; 0: as asked
	Expiration  string `json:"expiration"`  // instead of the instant: "absent", or any text
	Skew        int    `json:"skew"`        // seconds by which the server's clock is ahead of the truth
	MaxDuration int    `json:"maxDuration"` // seconds that roles grant where Roles says nothing else

	Roles           map[string]Role     `json:"roles"`           // by ARN
	InactiveKeys    []string            `json:"inactiveKeys"`    // access key ids that an administrator switched off
	Revoked         []string            `json:"revoked"`         // ARNs of sessions that may do nothing any more
	DisabledRegions []string            `json:"disabledRegions"` // regions in which STS is not activated
	UnknownIn       []string            `json:"unknownIn"`       // regions that know no keys: not opted in, or of another partition
	Issuers         map[string][]string `json:"issuers"`         // OIDC providers and the audiences of each; none: no token is checked for them

	SSO       SSO       `json:"sso"`
	IMDS      IMDS      `json:"imds"`
	Container Container `json:"container"`
	Frozen    bool      `json:"frozen"` // instances and containers find nothing newer, not even when it has expired

	Outage     Outage `json:"outage"`
	RedirectTo string `json:"redirectTo"` // URL; "" is another loopback name, which is another host
	Slow       int    `json:"slow"`       // milliseconds before each answer
	Trickle    bool   `json:"trickle"`    // one byte a second
	Next       Next   `json:"next"`
}

// Role is what an administrator did to a role. Roles that are not listed exist.
type Role struct {
	MaxDuration int    `json:"maxDuration"` // seconds; 0: Knobs.MaxDuration
	Deleted     bool   `json:"deleted"`
	ExternalID  string `json:"externalId"` // must be given if not ""
	MFA         bool   `json:"mfa"`        // the caller must have given a code
}

// SSO is how IAM Identity Center behaves.
type SSO struct {
	Person          Person `json:"person"`          // before the browser
	Pending         int    `json:"pending"`         // so many polls of a device code are answered authorization_pending; -1: until the verification page is opened
	SlowDown        int    `json:"slowDown"`        // before these, so many are answered slow_down
	TokenLifetime   int    `json:"tokenLifetime"`   // seconds of access tokens; 0 is 3600
	SessionLifetime int    `json:"sessionLifetime"` // seconds after which a login cannot be renewed; 0 is 8 hours
	ClientLifetime  int    `json:"clientLifetime"`  // seconds of a client's registration; 0 is 90 days
	DeviceLifetime  int    `json:"deviceLifetime"`  // seconds of a device code; 0 is 600
	NoRotation      bool   `json:"noRotation"`      // a refresh token can be used again

	Assignments map[string][]string `json:"assignments"` // permission sets by account; null: every one that is asked for
}

// IMDS is how the instance and its metadata service are set up.
type IMDS struct {
	Role   string   `json:"role"`   // attached to the instance; "" is "instance"
	NoRole bool     `json:"noRole"` // none is attached
	Code   string   `json:"code"`   // instead of Success, without keys: "AssumeRoleUnauthorizedAccess"
	Token  TokenPut `json:"token"`
	V1     bool     `json:"v1"` // answers without a token too
}

// Container is what an EKS pod and an ECS task are given.
type Container struct {
	Role          string `json:"role"`          // "" is "task"
	Authorization string `json:"authorization"` // that the full URI wants; "" is ContainerToken
}

// Next makes coming calls fail with an error of the test's choice.
type Next struct {
	Calls   int    `json:"calls"`  // how many; counted down
	Action  string `json:"action"` // only these; "": any
	Status  int    `json:"status"` // 0 is 400
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Knobs returns a copy of the present ones.
func (s *Server) Knobs() Knobs {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.knobs.clone()
}

// Update changes the knobs at once; an outage that closes or opens the port has
// done so when it returns.
func (s *Server) Update(change func(*Knobs)) error {
	s.mu.Lock()
	k := s.knobs.clone()
	change(&k)
	if err := k.check(); err != nil {
		s.mu.Unlock()
		return err
	}
	s.knobs = k
	s.mu.Unlock()
	return s.follow(k.Outage)
}

// check refuses words that no knob knows: they would turn nothing.
func (k Knobs) check() error {
	switch {
	case !slices.Contains(outages, k.Outage):
		return fmt.Errorf("awstest: unknown outage %q, one of %q", k.Outage, outages)
	case !slices.Contains(persons, k.SSO.Person):
		return fmt.Errorf("awstest: unknown person %q, one of %q", k.SSO.Person, persons)
	case !slices.Contains(tokenPuts, k.IMDS.Token):
		return fmt.Errorf("awstest: unknown way of a token request %q, one of %q", k.IMDS.Token, tokenPuts)
	}
	return nil
}

// follow closes the port for a refusal and opens it otherwise.
func (s *Server) follow(o Outage) error {
	s.listening.Lock()
	defer s.listening.Unlock()
	switch {
	case o == Refused && s.endpoint != nil:
		s.stop()
	case o != Refused && s.endpoint == nil:
		u, err := url.Parse(s.URL)
		if err != nil {
			return err
		}
		// The port is ours to take back; the kernel may need a moment.
		var l net.Listener
		for range 50 {
			if l, err = net.Listen("tcp", u.Host); err == nil {
				s.serve(l)
				return nil
			}
			time.Sleep(10 * time.Millisecond)
		}
		return fmt.Errorf("awstest: reopen: %w", err)
	}
	return nil
}

func (k Knobs) clone() Knobs {
	k.Roles, k.Issuers = maps.Clone(k.Roles), maps.Clone(k.Issuers)
	k.SSO.Assignments = maps.Clone(k.SSO.Assignments)
	k.InactiveKeys, k.DisabledRegions = slices.Clone(k.InactiveKeys), slices.Clone(k.DisabledRegions)
	k.UnknownIn, k.Revoked = slices.Clone(k.UnknownIn), slices.Clone(k.Revoked)
	return k
}

func (k Knobs) role(arn string) Role {
	r := k.Roles[arn]
	if r.MaxDuration == 0 {
		r.MaxDuration = k.MaxDuration
	}
	return r
}

// takeNext reports the failure ordered for a call, if one is, and counts it.
func (s *Server) takeNext(action string) (failure, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &s.knobs.Next
	if n.Calls <= 0 || n.Action != "" && n.Action != action {
		return failure{}, false
	}
	n.Calls--
	f := failure{status: n.Status, code: n.Code, message: n.Message}
	if f.status == 0 {
		f.status = 400
	}
	return f, true
}
