package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"ambit/resolver"
)

// renewalQuestion is what a process has to know that renews the token of an SSO
// session for another. It holds no secret.
type renewalQuestion struct {
	Name     string   `json:"name"`
	StartURL string   `json:"startUrl"`
	Region   string   `json:"region"`
	File     string   `json:"file"`
	Profile  string   `json:"profile,omitempty"` // gives endpoint and CA bundle
	Refused  string   `json:"refused,omitempty"` // sum of the token that the portal takes no more
	Path     []string `json:"path,omitempty"`
}

// renewalAnswer is a token as it stands in the file, or why there is none.
type renewalAnswer struct {
	Token   json.RawMessage `json:"token,omitempty"`
	Notices []string        `json:"notices,omitempty"`
	Kind    string          `json:"kind,omitempty"` // of the failure
	Summary string          `json:"summary,omitempty"`
	Hint    string          `json:"hint,omitempty"`
}

// sum names a token without showing it.
func (t *ssoToken) sum() string {
	if t == nil {
		return ""
	}
	return hash([]byte(t.access.Reveal() + "\n" + t.refresh.Reveal()))
}

// RenewSSO answers a question of [Options.RenewSSO]: it renews the token of an SSO
// session, unless that has happened, and returns it, or what went wrong, in a form of
// its own. It holds a secret. Env must be the environment before loading.
func RenewSSO(ctx context.Context, o Options, env *resolver.Baseline, now func() time.Time, question []byte) []byte {
	o.RenewSSO = nil // else they would ask each other
	var q renewalQuestion
	answer := renewalAnswer{Kind: string(resolver.KindNetwork), Summary: "the SSO session was not renewed"}
	if json.Unmarshal(question, &q) == nil {
		op := newOpening(&provider{Options: o}, &resolver.Call{Env: env, Now: now, Patience: resolver.Detached})
		answer = op.answerRenewal(ctx, q)
	}
	b, err := json.Marshal(answer)
	if err != nil {
		panic(err) // texts, and what was read as JSON
	}
	return append(b, '\n')
}

func (o *opening) answerRenewal(ctx context.Context, q renewalQuestion) renewalAnswer {
	ctx, cancel := context.WithTimeout(ctx, o.limits.total)
	defer cancel()
	var profile *config.SharedConfig
	if q.Profile != "" {
		profile, _ = o.profileNamed(q.Profile) // whoever asks has read it a moment ago
	}
	s := &ssoSession{name: q.Name, startURL: q.StartURL, region: q.Region, file: q.File, profile: profile, path: q.Path}
	if t := readSSOToken(s.file); t.sum() == q.Refused {
		s.refused = t
	}
	t, err := o.ssoToken(ctx, s)
	var text []byte
	if err == nil {
		text, err = t.encode()
	}
	var open *resolver.OpenError
	switch {
	case err == nil:
		return renewalAnswer{Token: text, Notices: o.notices}
	case errors.As(err, &open):
		return renewalAnswer{Kind: string(open.Kind), Summary: open.Summary, Hint: open.Hint}
	}
	return renewalAnswer{Kind: string(resolver.KindNetwork), Summary: fmt.Sprintf("the SSO session of %s was not renewed in time", s.name)}
}

// renewElsewhere has another process renew the token of a session, and waits for it.
func (o *opening) renewElsewhere(ctx context.Context, s *ssoSession) (*ssoToken, error) {
	q := renewalQuestion{Name: s.name, StartURL: s.startURL, Region: s.region, File: s.file, Path: s.path, Refused: s.refused.sum()}
	if s.profile != nil {
		q.Profile = s.profile.Profile
	}
	question, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	failed := func(kind resolver.FailureKind, err error, summary, hint string) (*ssoToken, error) {
		return nil, &resolver.OpenError{Kind: kind, Path: s.path, Err: err, Summary: summary, Hint: hint}
	}
	b, err := o.RenewSSO(ctx, question)
	var a renewalAnswer
	if err == nil && json.Unmarshal(b, &a) != nil {
		err = errNoRenewal
	}
	switch {
	case err != nil && errors.Is(ctx.Err(), context.Canceled):
		return nil, context.Canceled
	case err != nil && ctx.Err() != nil:
		return failed(resolver.KindNetwork, err, fmt.Sprintf("the SSO session of %s is still being renewed", s.name), "it goes on in the background")
	case err != nil:
		return failed(resolver.KindNetwork, err, fmt.Sprintf("the SSO session of %s could not be renewed in the background", s.name), runLogin)
	case a.Summary != "":
		return failed(resolver.FailureKind(a.Kind), errNoRenewal, a.Summary, a.Hint)
	}
	t := parseSSOToken(a.Token)
	if !s.serves(t, o.call.Now()) {
		return nil, s.needed(t)
	}
	o.notices = append(o.notices, a.Notices...)
	s.held = t // it may stand in no file: the disk may be full
	return t, nil
}

var errNoRenewal = errors.New("the session was not renewed")
