package doctor

import "strings"

// base is the place that a reader's credentials come from at the very end: its
// winner, or what the winner's role is assumed with. False: there is none, or the
// reader gives up on the way.
func (x *examination) base(r reader) (Source, bool) {
	s, trouble, ok := x.winner(r)
	for range longestChain + 2 { // a loop is trouble already
		if !ok || trouble != "" || x.stops(r).reason != "" {
			return Source{}, false
		}
		if s.Kind != "role" {
			return s, true
		}
		s, trouble, ok = x.below(r, x.profile(r, s.profile))
	}
	return Source{}, false
}

// below is what a profile's role is assumed with.
func (x *examination) below(r reader, p *profile) (Source, string, bool) {
	switch {
	case strings.EqualFold(p.get("credential_source"), "Environment"):
		return x.ofEnvironment("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", ""), "", x.env("AWS_ACCESS_KEY_ID") != ""
	case strings.EqualFold(p.get("credential_source"), "EcsContainer"):
		return Source{Place: "container", Kind: "container"}, "", true
	case p.has("credential_source"):
		return Source{Place: "instance metadata", Kind: "instance"}, "", true
	}
	name := p.get("source_profile")
	next := x.profile(r, name)
	if name == "" && r == goSDK {
		name, next = p.name, p // the role is put on the profile's own credentials
	}
	if next == nil {
		return Source{}, "", false
	}
	static := next.has("aws_access_key_id") || next.has("aws_secret_access_key")
	if name != p.name && !static && next.get("role_arn") != "" && !next.has("web_identity_token_file") {
		return x.ofProfile(next, "role", "role_arn"), x.roleTrouble(r, next), true
	}
	var found []step
	add := func(rank int, s Source, trouble string) { found = append(found, step{s, rank, trouble}) }
	if r.python() {
		x.botocoreProfile(add, r, name, false)
	} else {
		x.goProfile(add, next)
	}
	if len(found) == 0 {
		return Source{}, "", false
	}
	return found[0].source, found[0].trouble, true
}

// blind says whether a file that programs read is too large for this examination:
// what a profile says is not known then.
func (x *examination) blind(r reader) bool {
	files := x.files(r)
	for _, f := range []*file{files.config, files.credentials} {
		if f.unseen() {
			return true
		}
	}
	return false
}

// lost says whether a reader knows nothing of profiles because of a file that it
// cannot read: that is told of the file.
func (x *examination) lost(r reader) bool { return x.blind(r) || x.stops(r).check == "aws.files" }
