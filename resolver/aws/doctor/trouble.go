package doctor

import (
	"fmt"
	"slices"
	"strings"
)

var accountOfARN = late(`^arn:[a-z0-9-]+:(?:iam|sts)::([0-9]{12}):`)

// accountInARN is the account of a role or user, "" if the ARN names none.
func accountInARN(arn string) string {
	if m := accountOfARN().FindStringSubmatch(arn); m != nil {
		return m[1]
	}
	return ""
}

var account = late(`^[0-9]{12}$`)

func isAccount(s string) bool { return account().MatchString(s) }

// longestChain is how many roles are followed; nobody has more.
const longestChain = 20

// roleTrouble is why a reader gives up on a profile's role before it asks AWS: for
// the way to its source, or for what is there.
func (x *examination) roleTrouble(r reader, p *profile) string {
	if trouble := x.chainTrouble(r, p); trouble != "" {
		return trouble
	}
	if r == goSDK && !p.has("source_profile") {
		if _, trouble, ok := x.below(r, p); ok {
			return trouble
		}
		return "" // Go tries the machine
	}
	_, trouble, ok := x.below(r, p)
	if !ok && p.has("source_profile") {
		return fmt.Sprintf("source_profile of profile %q is %q, which has no credentials", clip(p.name), clip(p.get("source_profile")))
	}
	return trouble
}

// chainTrouble is what is wrong with the chain of profiles that a role's source is
// at the end of.
func (x *examination) chainTrouble(r reader, p *profile) string {
	visited := []string{p.name}
	for len(visited) <= longestChain {
		source, credential := p.has("source_profile"), p.has("credential_source")
		switch {
		case source && credential:
			return fmt.Sprintf("profile %q has both source_profile and credential_source", clip(p.name))
		case credential:
			value := p.get("credential_source")
			if !slices.Contains([]string{"Ec2InstanceMetadata", "Environment", "EcsContainer"}, value) {
				return fmt.Sprintf("credential_source of profile %q must be Ec2InstanceMetadata, Environment or EcsContainer", clip(p.name))
			}
			if value == "Environment" && r.python() && x.env("AWS_ACCESS_KEY_ID") == "" {
				return fmt.Sprintf("profile %q takes its keys from the environment, which has none", clip(p.name))
			}
			if value == "Ec2InstanceMetadata" && r.python() && strings.EqualFold(x.env("AWS_EC2_METADATA_DISABLED"), "true") {
				return fmt.Sprintf("profile %q takes its keys from the instance, and AWS_EC2_METADATA_DISABLED is true", clip(p.name))
			}
			if value == "EcsContainer" && x.env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") == "" && x.env("AWS_CONTAINER_CREDENTIALS_FULL_URI") == "" {
				return fmt.Sprintf("profile %q takes its keys from the container, and AWS_CONTAINER_CREDENTIALS_* is not set", clip(p.name))
			}
			return ""
		case !source && r == goSDK:
			return ""
		case !source:
			return fmt.Sprintf("profile %q has role_arn, but neither source_profile nor credential_source", clip(p.name))
		}
		name := p.get("source_profile")
		next := x.profile(r, name)
		static := next.has("aws_access_key_id") || next.has("aws_secret_access_key")
		switch {
		case next == nil:
			return fmt.Sprintf("source_profile of profile %q names %q, which is not there", clip(p.name), clip(name))
		case name == p.name && static || static && !slices.Contains(visited, name):
			return ""
		case slices.Contains(visited, name):
			return fmt.Sprintf("source_profile leads back to profile %q", clip(name))
		case next.get("role_arn") == "" || next.has("web_identity_token_file"):
			return x.emptySource(p, next)
		}
		visited, p = append(visited, name), next
	}
	return ""
}

// emptySource is trouble where a role's source profile says nothing about
// credentials.
func (x *examination) emptySource(p, source *profile) string {
	for _, key := range []string{"web_identity_token_file", "sso_session", "sso_start_url", "login_session", "credential_process"} {
		if source.has(key) {
			return ""
		}
	}
	return fmt.Sprintf("source_profile of profile %q is %q, which has no credentials", clip(p.name), clip(source.name))
}

// ssoTrouble is what a profile lacks for a login at IAM Identity Center.
func (x *examination) ssoTrouble(r reader, p *profile) string {
	get := p.get
	if name := p.get("sso_session"); p.has("sso_session") {
		session := x.session(r, name)
		if session == nil {
			return fmt.Sprintf("sso_session of profile %q names %q, which is not there", clip(p.name), clip(name))
		}
		get = func(key string) string {
			if e, ok := session.values[key]; ok {
				return e.value
			}
			return p.get(key)
		}
		for _, key := range []string{"sso_start_url", "sso_region"} {
			if p.has(key) && p.get(key) != get(key) {
				return fmt.Sprintf("%s of profile %q differs from that of its sso-session", key, clip(p.name))
			}
		}
	}
	for _, key := range []string{"sso_start_url", "sso_region", "sso_account_id", "sso_role_name"} {
		if get(key) == "" {
			return fmt.Sprintf("profile %q lacks %s", clip(p.name), key)
		}
	}
	return ""
}
