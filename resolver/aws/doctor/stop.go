package doctor

import "fmt"

// A stop is why a reader gives up before it looks for credentials: it then uses
// none, good keys in the environment or not.
type stop struct {
	check  string // that explains it
	reason string // "" if it goes on
}

// stops says whether a reader gives up on the configuration.
func (x *examination) stops(r reader) stop {
	name, variable := x.profileInForce(r)
	p := x.profile(r, name)
	if r.python() {
		files := x.files(r)
		for _, f := range []*file{files.config, files.credentials} {
			if f.asPython.refusal != "" {
				return stop{"aws.files", f.at(f.asPython.told()) + " " + string(f.asPython.refusal)}
			}
		}
		if p == nil && variable != "" {
			return stop{"aws.order", fmt.Sprintf("there is no profile %q", clip(name))}
		}
		return stop{}
	}
	switch {
	case p == nil && x.env("AWS_PROFILE") != "":
		return stop{"aws.order", fmt.Sprintf("there is no profile %q", clip(name))}
	case p == nil:
		return stop{}
	case x.halfInFile(p):
		return stop{"aws.family", fmt.Sprintf("profile %q has half a pair of keys", clip(name))}
	}
	kinds := 0
	needsRole := ""
	for _, key := range []string{"source_profile", "credential_source", "web_identity_token_file", "credential_process"} {
		if p.get(key) != "" {
			kinds++
			if key != "credential_process" {
				needsRole = key
			}
		}
	}
	switch {
	case needsRole != "" && p.get("role_arn") == "":
		return stop{"aws.order", fmt.Sprintf("profile %q has %s, but no role_arn", clip(name), needsRole)}
	case kinds > 1:
		return stop{"aws.order", fmt.Sprintf("profile %q names more than one source of credentials", clip(name))}
	case p.get("source_profile") != "":
		if trouble := x.roleTrouble(goSDK, p); trouble != "" {
			return stop{"aws.order", trouble}
		}
	}
	if session := p.get("sso_session"); session != "" && x.session(goSDK, session) == nil {
		return stop{"aws.token", fmt.Sprintf("sso_session of profile %q names %q, which is not there", clip(name), clip(session))}
	}
	return stop{}
}

// halfInFile says whether the Go SDK refuses a profile for an id without a
// secret, or the reverse. What the credentials file says of a profile counts.
func (x *examination) halfInFile(p *profile) bool {
	files := x.files(goSDK)
	half := func(s *section) bool {
		_, id := s.get("aws_access_key_id")
		_, secret := s.get("aws_secret_access_key")
		return id != secret
	}
	if s := files.credentials.asGo.sections[p.name]; s != nil {
		return half(s)
	}
	for _, header := range []string{"profile " + p.name, p.name} {
		if s := files.config.asGo.sections[header]; s != nil {
			return half(s)
		}
	}
	return false
}
