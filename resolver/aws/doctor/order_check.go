package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ambit/resolver"
)

// checkOrder looks which place wins, and whether it is the one that was meant.
func checkOrder(_ context.Context, x *examination) (found []Finding) {
	if x.lost(cli1) {
		return nil
	}
	found = x.missingProfiles()
	if len(found) == 0 {
		found = x.roleFindings()
	}
	if f, ok := x.rivalProfiles(); ok {
		found = append(found, f)
	}
	if f, ok := x.ignoredProfile(); ok && len(found) == 0 {
		found = append(found, f)
	}
	if f, ok := x.shadowedFile(); ok {
		found = append(found, f)
	}
	if f, ok := x.noCredentials(); ok && len(found) == 0 {
		found = append(found, f)
	}
	if f, ok := x.disagreement(); ok && len(found) == 0 {
		found = append(found, f)
	}
	if s, _, ok := x.winner(cli2); ok && len(found) == 0 && s.Kind != "instance" {
		what := s.told()
		if s.KeyID != "" {
			what += " with " + s.KeyID
		}
		found = append(found, Finding{Check: "aws.order", Status: OK, Evidence: what + " wins for the AWS CLI, boto3 and Go"})
	}
	return found
}

// told is the place in a sentence.
func (s Source) told() string {
	if strings.HasPrefix(s.Place, "environment") || s.Kind == "container" {
		return "the " + s.Place
	}
	return s.Place
}

func orderFinding(status Status, fix, format string, args ...any) Finding {
	return Finding{Check: "aws.order", Status: status, Evidence: fmt.Sprintf(format, args...), Fix: fix}
}

// missingProfiles tells of variables that name a profile which is not there.
func (x *examination) missingProfiles() (found []Finding) {
	seen := map[string]bool{}
	for _, r := range readers {
		name, variable := x.profileInForce(r)
		if variable == "" || seen[name] || x.lost(r) || x.profile(r, name) != nil {
			continue
		}
		// Go takes no offence at a profile that only the second variable names.
		if r == goSDK && x.env("AWS_PROFILE") == "" {
			continue
		}
		seen[name] = true
		status := Fail
		if r == goSDK {
			status = Warn
		}
		evidence, fix := x.missingProfile(r, name, variable)
		f := orderFinding(status, fix, "%s", evidence)
		f.Causes = []string{"aws.files"}
		found = append(found, f)
	}
	return found
}

func (x *examination) missingProfile(r reader, name, variable string) (evidence, fix string) {
	away := x.unset("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
	if name == "" {
		return variable + " is empty, which the AWS CLI and boto3 take for the name of a profile", x.unset(variable)
	}
	evidence = fmt.Sprintf("%s names %q, and there is no such profile", variable, clip(name))
	if r == goSDK {
		evidence += " for programs with a Go SDK"
	}
	files := x.files(r)
	for _, f := range []*file{files.config, files.credentials} {
		for _, header := range f.asGo.names {
			if profileOfHeader(header) != name || strings.HasPrefix(header, "sso-session ") || strings.HasPrefix(header, "services ") {
				continue
			}
			s := f.asGo.sections[header]
			right := "profile " + name
			if strings.ContainsAny(name, " \t") {
				right = `profile "` + name + `"` // then no header serves Go as well
			}
			if f == files.credentials {
				right = name
			}
			evidence = fmt.Sprintf("%s names %q: %s has [%s], which needs to be [%s]", variable, clip(name), f.at(s.line), clip(header), clip(right))
			if plainArgument().MatchString(name) && !strings.ContainsAny(name, "&/") {
				return evidence, x.edit(f, s.line, 0, `s/\[.*\]/[`+right+`]/`)
			}
			return evidence, away
		}
	}
	var names []string
	for _, p := range sortedProfiles(x.profiles(r)) {
		names = append(names, p.name)
	}
	if meant := resolver.Nearest(name, names); meant != "" {
		return fmt.Sprintf("%s; %q is", evidence, clip(meant)), x.export(variable, quoted(meant))
	}
	return evidence, away
}

// roleFindings tells why a role cannot be assumed, whoever is asked.
func (x *examination) roleFindings() (found []Finding) {
	for _, r := range readers {
		if x.lost(r) {
			continue
		}
		s, trouble, ok := x.winner(r)
		status := Fail
		if r == goSDK {
			status = Warn
		}
		if stop := x.stops(r); r == goSDK && stop.check == "aws.order" {
			name, _ := x.profileInForce(r)
			s, trouble, ok = Source{Kind: "role", profile: name}, stop.reason, true
		}
		if !ok || trouble == "" || s.Kind != "role" {
			continue
		}
		if len(found) > 0 {
			break // the same for another reader
		}
		found = append(found, orderFinding(status, x.roleSourceFix(r, s.profile), "%s", trouble))
	}
	return found
}

// roleSourceFix names another source for a role, if there is one that it was
// probably meant to have.
func (x *examination) roleSourceFix(r reader, name string) string {
	// The profile at the end of the chain is the one whose source is wrong.
	chain := []string{}
	for len(chain) < 20 && !slices.Contains(chain, name) {
		chain = append(chain, name)
		next := x.profile(r, name).get("source_profile")
		if next == "" || x.profile(r, next) == nil {
			break
		}
		name = next
	}
	if slices.Contains(chain, name) {
		name = chain[len(chain)-1]
	}
	var withKeys []string
	for _, p := range sortedProfiles(x.profiles(r)) {
		if p.get("aws_access_key_id") != "" && p.get("aws_secret_access_key") != "" && p.name != name {
			withKeys = append(withKeys, p.name)
		}
	}
	p := x.profile(r, name)
	meant := resolver.Nearest(p.get("source_profile"), withKeys)
	switch {
	case strings.EqualFold(p.get("credential_source"), "Ec2InstanceMetadata") && strings.EqualFold(x.env("AWS_EC2_METADATA_DISABLED"), "true"):
		return x.unset("AWS_EC2_METADATA_DISABLED")
	case meant != "":
	case slices.Contains(withKeys, "default"):
		meant = "default"
	case len(withKeys) == 1:
		meant = withKeys[0]
	case p.has("credential_source"):
		return "aws configure set credential_source Ec2InstanceMetadata " + profileOption(name)
	default:
		return ""
	}
	fix := "aws configure set source_profile " + quoted(meant) + " " + profileOption(name)
	if s, ok := p.valueOf("credential_source"); ok {
		fix = x.edit(s.file, s.line, 0, "d") + " && " + fix
	}
	return fix
}

// rivalProfiles tells of two variables that name two profiles.
func (x *examination) rivalProfiles() (Finding, bool) {
	name, old := x.env("AWS_PROFILE"), x.env("AWS_DEFAULT_PROFILE")
	if name == "" || old == "" || name == old {
		return Finding{}, false
	}
	return orderFinding(Warn, x.unset("AWS_DEFAULT_PROFILE"),
		"AWS_PROFILE names %q, AWS_DEFAULT_PROFILE %q: the AWS CLI v1 and boto3 take the second, others the first", clip(name), clip(old)), true
}

// ignoredProfile tells of a chosen profile that something else beats. It is a
// cause where both are known to speak for different accounts.
func (x *examination) ignoredProfile() (Finding, bool) {
	name, variable := x.profileInForce(cli2)
	winner, trouble, ok := x.winner(cli2)
	if variable == "" || !ok || trouble != "" || winner.profile != "" || winner.Kind == "instance" || winner.Kind == "container" {
		return Finding{}, false
	}
	var meant Source
	for _, s := range x.chains[cli2] {
		if s.source.profile == name {
			meant = s.source
			break
		}
	}
	if meant.Kind == "" {
		return Finding{}, false // it holds no credentials, just settings
	}
	names := family
	if winner.Kind == "web identity" {
		names = []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME"}
	}
	evidence := fmt.Sprintf("%s names %q, but %s wins", variable, clip(name), winner.told())
	if winner.KeyID != "" {
		evidence += " with " + winner.KeyID
	}
	status := Warn
	if winner.Account != "" && meant.Account != "" && winner.Account != meant.Account {
		status = Fail
		evidence += fmt.Sprintf(": account %s instead of %s", winner.Account, meant.Account)
	}
	// Taking away what ambit set would not last; the profile is then the stranger.
	fix := x.unset(names...)
	if fix == "ambit reload" {
		fix = x.unset(variable)
	}
	return orderFinding(status, fix, "%s", evidence), true
}

// shadowedFile tells of keys in both files for one profile.
func (x *examination) shadowedFile() (Finding, bool) {
	for _, r := range []reader{cli1, cli2} {
		winner, _, ok := x.winner(r)
		if !ok || winner.Kind != "keys" || winner.profile == "" {
			continue
		}
		for _, s := range x.chains[r][1:] {
			if s.rank == inConfig && s.source.profile == winner.profile && s.source.keys.AccessKeyID != winner.keys.AccessKeyID {
				return orderFinding(Warn, "", "%s with %s is shadowed by %s with %s", s.source.Place, s.source.KeyID, winner.Place, winner.KeyID), true
			}
		}
	}
	return Finding{}, false
}

// disagreement tells of readers that take different keys, where nothing else
// explained it.
func (x *examination) disagreement() (Finding, bool) {
	python, trouble, ok := x.winner(cli1)
	other, _, also := x.winner(goSDK)
	if !ok || !also || trouble != "" || python.Kind == "instance" || other.Kind == "instance" || python.Place == other.Place && python.Kind == other.Kind {
		return Finding{}, false
	}
	if python.KeyID != "" && python.keys.AccessKeyID == other.keys.AccessKeyID {
		return Finding{}, false
	}
	return orderFinding(Warn, "", "the AWS CLI and boto3 take %s, Go takes %s", python.told(), other.told()), true
}

// noCredentials tells that no place holds any. The metadata of an instance are
// asked online; without that it stays open.
func (x *examination) noCredentials() (Finding, bool) {
	winner, _, ok := x.winner(cli1)
	if ok && (winner.Kind != "instance" || !x.Offline) {
		return Finding{}, false
	}
	if s := x.stops(cli1); s.reason != "" || !x.usesAWS() {
		return Finding{}, false
	}
	evidence, fix := x.emptyHanded()
	status := Fail
	if ok {
		status = Warn
		evidence += ", unless this is an EC2 instance with a role"
	}
	f := orderFinding(status, fix, "%s", evidence)
	f.Causes = []string{"aws.files", "aws.family", "aws.runtime", "hook", "directory"}
	return f, true
}

// emptyHanded says that no place holds credentials, and what to do then.
func (x *examination) emptyHanded() (evidence, fix string) {
	name, variable := x.profileInForce(cli1)
	var withSome []string
	for _, p := range sortedProfiles(x.profiles(cli1)) {
		for _, key := range []string{"aws_access_key_id", "role_arn", "sso_account_id", "login_session", "credential_process"} {
			if p.has(key) && p.name != name {
				withSome = append(withSome, p.name)
				break
			}
		}
	}
	evidence = "no place holds credentials"
	if variable != "" {
		evidence = fmt.Sprintf("profile %q, which %s names, holds no credentials, nor does any other place that programs look at", clip(name), variable)
	}
	switch len(withSome) {
	case 0:
		return evidence, "aws configure " + profileOption(name)
	case 1:
		return fmt.Sprintf("%s; profile %q would have some", evidence, clip(withSome[0])), x.chooseProfile(withSome[0])
	}
	shown := make([]string, 0, len(withSome))
	for _, name := range withSome {
		shown = append(shown, fmt.Sprintf("%q", clip(name)))
	}
	return fmt.Sprintf("%s; profiles %s would have some", evidence, strings.Join(some(shown), ", ")), x.chooseProfile(withSome[0])
}

// chooseProfile makes all programs take a profile.
func (x *examination) chooseProfile(name string) string {
	if x.has("AWS_DEFAULT_PROFILE") {
		return x.export("AWS_PROFILE", quoted(name), "AWS_DEFAULT_PROFILE", quoted(name))
	}
	return x.export("AWS_PROFILE", quoted(name))
}
