package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"time"

	"ambit/resolver"
	"ambit/resolver/secret"
)

// step makes the chain of steps that the inputs describe.
func (o *opening) step(in resolver.Value) (*step, error) {
	o.region = text(in, "region")
	switch {
	case has(in, "oidc"):
		return o.oidc(in.Object["oidc"])
	case has(in, "static"):
		return o.static(in.Object["static"])
	case has(in, "assumeRole"):
		return o.assumeRole(in.Object["assumeRole"])
	case has(in, "profile"):
		return o.profile(text(in, "profile"), []string{"profile"})
	case has(in, "session"):
		return o.session(in.Object["session"])
	case has(in, "sso"):
		return o.sso(in.Object["sso"])
	}
	return nil, &resolver.OpenError{Summary: "aws-login needs a kind of login", Hint: "one of assumeRole, oidc, profile, session, sso, static"}
}

func (o *opening) oidc(in resolver.Value) (*step, error) {
	w := webIdentity{
		roleARN: text(in, "roleArn"), sessionName: text(in, "sessionName"), policyARNs: texts(in, "policyArns"), explicit: has(in, "duration"),
	}
	var err error
	if w.duration, err = durationOf(in, "oidc", 2*time.Hour, 12*time.Hour); err != nil {
		return nil, err
	}
	if has(in, "subjectAttributes") {
		o.notices = append(o.notices, "subjectAttributes has no effect: the token is not made here")
	}
	if w.token, err = o.oidcToken(in.Object["token"], has(in, "token")); err != nil {
		return nil, err
	}
	profile, err := o.activeProfile()
	if err != nil {
		return nil, err
	}
	p, err := o.placeFor(profile, w.roleARN)
	if err != nil {
		return nil, err
	}
	return o.webIdentityStep(w, p, profile), nil
}

func (o *opening) static(in resolver.Value) (*step, error) {
	k := given(in)
	if k.token.Len() > 0 || len(k.id) == 20 && k.id[:4] == "ASIA" {
		o.notices = append(o.notices, "static keys that are temporary end, and nothing renews them")
	}
	if err := k.check(); err != nil {
		return nil, &resolver.OpenError{Path: []string{"static"}, Err: err, Summary: err.Error(),
			Hint: "enter the keys again, without quotes or line breaks"}
	}
	return staticStep(k, "static", false), nil
}

func (o *opening) assumeRole(in resolver.Value) (*step, error) {
	r := assumedRole{
		roleARN: text(in, "roleArn"), sessionName: text(in, "sessionName"), explicit: has(in, "duration"),
		externalID: text(in, "externalId"), sourceIdentity: text(in, "sourceIdentity"),
		policyARNs: texts(in, "policyArns"), transitive: texts(in, "transitiveTagKeys"), tags: map[string]string{},
	}
	if r.sessionName == "" {
		r.sessionName = "ambit"
	}
	for key, v := range in.Object["sessionTags"].Object {
		r.tags[key] = v.Text
	}
	var err error
	if r.policy, err = policyText(in.Object["policy"]); err != nil {
		return nil, err
	}
	if r.duration, err = durationOf(in, "assumeRole", time.Hour, 12*time.Hour); err != nil {
		return nil, err
	}
	base, profile, err := o.source(in.Object["source"], []string{"assumeRole", "source"})
	if err != nil {
		return nil, err
	}
	r.base = base
	if base.role && r.duration > longest {
		return nil, &resolver.OpenError{Path: []string{"assumeRole", "duration"},
			Summary: fmt.Sprintf("a role assumed with the keys of another role lasts at most 1h; asked for %s", brief(r.duration)),
			Hint:    "duration: 1h; it is renewed by itself"}
	}
	p, err := o.placeFor(profile, r.roleARN)
	if err != nil {
		return nil, err
	}
	if has(in, "mfaSerial") {
		if r.base, err = o.mfaStep(text(in, "mfaSerial"), base, mfaDuration, p, profile, []string{"assumeRole", "mfaSerial"}); err != nil {
			return nil, err
		}
	}
	return o.assumedRoleStep(r, p, profile), nil
}

func (o *opening) session(in resolver.Value) (*step, error) {
	duration, err := durationOf(in, "session", 12*time.Hour, 36*time.Hour)
	if err != nil {
		return nil, err
	}
	base, profile, err := o.source(in.Object["source"], []string{"session", "source"})
	if err != nil {
		return nil, err
	}
	p, err := o.placeFor(profile, "")
	if err != nil {
		return nil, err
	}
	if has(in, "mfaSerial") {
		return o.mfaStep(text(in, "mfaSerial"), base, duration, p, profile, []string{"session", "mfaSerial"})
	}
	return o.sessionStep(base, duration, p, profile), nil
}

// static keys are given, not fetched.
func staticStep(k keys, source string, role bool) *step {
	return &step{
		// The secret counts too: a corrected one is another question.
		key: keyOf(map[string]any{
			"kind": "keys", "id": k.id, "secret": sumOf(k.secret), "token": sumOf(k.token),
		}),
		source: source, link: Link{Kind: "keys"}, role: role,
		fetch: func(context.Context, *keys) (keys, time.Duration, error) { return k, 0, nil },
	}
}

// login is another aws-login value.
func (o *opening) login(in resolver.Value, path []string) (*step, error) {
	k := given(in)
	if err := k.check(); err != nil {
		return nil, &resolver.OpenError{Path: path, Err: err, Summary: "the login's " + err.Error()}
	}
	known, ok := o.opened.Load(k.id)
	if !ok {
		return staticStep(k, "a login", false), nil
	}
	from := known.(openedKeys)
	k.iss, k.sub = from.iss, from.sub
	s := staticStep(k, "a login", from.role)
	s.key, s.made, s.lent = from.key, from.made, true
	return s, nil
}

func given(in resolver.Value) keys {
	return keys{id: text(in, "accessKeyId"), secret: secret.New(text(in, "secretAccessKey")), token: secret.New(text(in, "sessionToken"))}
}

func has(in resolver.Value, key string) bool {
	v, ok := in.Object[key]
	return ok && v.Kind != resolver.Null
}

func text(in resolver.Value, key string) string { return in.Object[key].Text }

func texts(in resolver.Value, key string) []string {
	var out []string
	for _, v := range in.Object[key].List {
		out = append(out, v.Text)
	}
	return out
}

func durationOf(in resolver.Value, kind string, missing, most time.Duration) (time.Duration, error) {
	if !has(in, "duration") {
		return missing, nil
	}
	d, err := resolver.ParseDuration(text(in, "duration"))
	if err != nil || d < 15*time.Minute || d > most {
		return 0, &resolver.OpenError{Path: []string{kind, "duration"},
			Summary: fmt.Sprintf("the duration must be between 15m and %s", brief(most))}
	}
	return d, nil
}

// policyText is a session policy as JSON: text is passed on, an object written
// out with sorted keys.
func policyText(v resolver.Value) (string, error) {
	if v.Kind != resolver.Object {
		return v.Text, nil
	}
	b, err := json.Marshal(plain(v))
	if err != nil {
		return "", &resolver.OpenError{Path: []string{"assumeRole", "policy"}, Err: err, Summary: "the policy cannot be written as JSON"}
	}
	return string(b), nil
}

func plain(v resolver.Value) any {
	switch v.Kind {
	case resolver.Bool:
		return v.Bool
	case resolver.Number:
		return json.Number(v.Text)
	case resolver.String:
		return v.Text
	case resolver.List:
		out := make([]any, len(v.List))
		for i, item := range v.List {
			out[i] = plain(item)
		}
		return out
	case resolver.Object:
		out := make(map[string]any, len(v.Object))
		for key, item := range v.Object {
			out[key] = plain(item)
		}
		return out
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for key := range m {
		out = append(out, key)
	}
	sort.Strings(out)
	return out
}
