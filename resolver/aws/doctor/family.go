package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ambit/resolver"
)

// checkFamily looks whether keys are whole: an id, its secret, and a session token
// exactly where the id is a temporary one.
func checkFamily(_ context.Context, x *examination) (found []Finding) {
	found = append(x.pairInEnvironment(), x.pairsInFiles()...)
	for _, s := range x.sets() {
		if f, ok := x.tokenFault(s); ok {
			found = append(found, f)
		} else if f, ok := x.rivalTokens(s); ok {
			found = append(found, f)
		} else if len(found) == 0 && keyID().MatchString(s.id.value) {
			what := "a long-term key, and no session token"
			if temporary(s.id.value) {
				what = "a temporary key, and its session token"
			}
			found = append(found, Finding{Check: "aws.family", Status: OK, Evidence: fmt.Sprintf("%s in %s is %s", s.KeyID, s.told(), what)})
		}
	}
	return found
}

func (x *examination) familyFinding(status Status, fix, format string, args ...any) Finding {
	return Finding{Check: "aws.family", Status: status, Evidence: fmt.Sprintf(format, args...), Fix: fix}
}

// pairInEnvironment tells of an id without a secret, and the reverse. The AWS CLI
// and boto3 refuse an id alone, and pass over a secret alone; others pass over
// both.
func (x *examination) pairInEnvironment() []Finding {
	id, secret := x.env("AWS_ACCESS_KEY_ID"), x.env("AWS_SECRET_ACCESS_KEY")
	oldID, oldSecret := x.env("AWS_ACCESS_KEY"), x.env("AWS_SECRET_KEY")
	away := x.unset(append(slices.Clone(family), "AWS_ACCESS_KEY", "AWS_SECRET_KEY")...)
	_, _, found := x.winner(cli1)
	if s, _, _ := x.winner(cli1); s.Kind == "instance" {
		found = false
	}
	status := Warn // another place serves
	if !found {
		status = Fail
	}
	switch {
	case id != "" && secret != "":
		return nil
	case id != "" && oldSecret != "":
		return []Finding{x.familyFinding(Fail, x.export("AWS_SECRET_ACCESS_KEY", `"$AWS_SECRET_KEY"`),
			"AWS_ACCESS_KEY_ID is set, but its secret is in AWS_SECRET_KEY, which the AWS CLI and boto3 do not read")}
	case id != "":
		return []Finding{x.familyFinding(Fail, away, "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is %s", x.missing("AWS_SECRET_ACCESS_KEY"))}
	case secret != "" && oldID != "":
		return []Finding{x.familyFinding(status, x.export("AWS_ACCESS_KEY_ID", `"$AWS_ACCESS_KEY"`),
			"AWS_SECRET_ACCESS_KEY is set, but its id is in AWS_ACCESS_KEY, which the AWS CLI and boto3 do not read")}
	case oldID != "" && oldSecret != "":
		return []Finding{x.familyFinding(status, x.export("AWS_ACCESS_KEY_ID", `"$AWS_ACCESS_KEY"`, "AWS_SECRET_ACCESS_KEY", `"$AWS_SECRET_KEY"`),
			"keys are in AWS_ACCESS_KEY and AWS_SECRET_KEY, which the AWS CLI and boto3 do not read")}
	case secret != "":
		return []Finding{x.familyFinding(status, away, "AWS_SECRET_ACCESS_KEY is set, AWS_ACCESS_KEY_ID is %s", x.missing("AWS_ACCESS_KEY_ID"))}
	case x.env("AWS_SESSION_TOKEN") != "":
		return []Finding{x.familyFinding(status, away, "AWS_SESSION_TOKEN is set, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not")}
	}
	return nil
}

// missing says how a variable is not there.
func (x *examination) missing(name string) string {
	if x.has(name) {
		return "empty"
	}
	return "not set"
}

// pairsInFiles tells of half a pair in the profiles that are in use.
func (x *examination) pairsInFiles() (found []Finding) {
	seen := map[string]bool{}
	for _, r := range readers {
		if x.lost(r) {
			continue
		}
		for _, name := range x.chainOfProfiles(r) {
			files := x.files(r)
			for _, f := range []*file{files.credentials, files.config} {
				for _, header := range f.by(r).names {
					named := header
					if f == files.config {
						named, _ = profileNamed(r, header)
					}
					if named != name || seen[f.path+header] {
						continue
					}
					if finding, ok := x.halfPair(r, f, f.by(r).sections[header], name); ok {
						seen[f.path+header] = true
						found = append(found, finding)
					}
				}
			}
		}
	}
	return found
}

// chainOfProfiles are the profile in force and those that it takes its source from.
func (x *examination) chainOfProfiles(r reader) (names []string) {
	name, _ := x.profileInForce(r)
	for len(names) < 20 && !slices.Contains(names, name) {
		names = append(names, name)
		p := x.profile(r, name)
		if p.get("role_arn") == "" || p.get("source_profile") == "" {
			break
		}
		name = p.get("source_profile")
	}
	return names
}

// halfPair tells of a section with half a pair of keys.
func (x *examination) halfPair(r reader, f *file, s *section, profile string) (Finding, bool) {
	id, hasID := s.get("aws_access_key_id")
	secret, hasSecret := s.get("aws_secret_access_key")
	have, lack, line := "aws_access_key_id", "aws_secret_access_key", id.line
	if hasSecret {
		have, lack, line = lack, have, secret.line
	}
	whole := hasID && hasSecret && (id.value == "") == (secret.value == "")
	if whole || !hasID && !hasSecret {
		return Finding{}, false
	}
	how := "is missing"
	if hasID && hasSecret {
		how = "is empty"
		if id.value == "" {
			have, lack, line = "aws_secret_access_key", "aws_access_key_id", id.line
		}
	}
	evidence := fmt.Sprintf("%s has %s, %s %s", f.at(line), have, lack, how)
	fix := "aws configure " + profileOption(profile)
	if name, at := misspelt(s, lack); name != "" && how == "is missing" {
		evidence += fmt.Sprintf(": line %d has %q instead", at, clip(name))
		if plainArgument().MatchString(name) && !strings.Contains(name, "/") {
			fix = x.edit(f, at, 0, "s/"+strings.ReplaceAll(name, ".", `\.`)+"/"+lack+"/I")
		}
	}
	status := Warn
	// The AWS CLI and boto3 refuse an id alone, and pass over a secret alone: then
	// it counts only where nothing else is found.
	winner, trouble, ok := x.winner(cli1)
	if r.python() && (trouble != "" && winner.profile == profile || !ok || winner.Kind == "instance" || winner.Kind == "role") {
		status = Fail
	}
	return x.familyFinding(status, fix, "%s", evidence), true
}

// misspelt looks for a setting that was meant to be the one that is missing.
func misspelt(s *section, lack string) (name string, line int) {
	var names []string
	for name := range s.values {
		if !slices.Contains([]string{"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	name = resolver.Nearest(lack, names)
	for _, other := range map[string][]string{
		"aws_secret_access_key": {"aws_secret_key", "secret_access_key", "aws_secret_access_key_id", "secret_key"},
		"aws_access_key_id":     {"aws_access_key", "access_key_id", "aws_access_id", "access_key"},
	}[lack] {
		if slices.Contains(names, other) {
			name = other
		}
	}
	return name, s.values[name].line
}

// tokenFault tells of a temporary key without its token, and of a token beside a
// key that has none.
func (x *examination) tokenFault(s set) (Finding, bool) {
	id := tidy(s.id)
	if !keyID().MatchString(id) {
		return Finding{}, false // told of its form
	}
	status := Fail
	if s.goOnly {
		status = Warn
	}
	inFile := s.profile != ""
	switch {
	case temporary(id) && s.token.value == "" && inFile:
		evidence := fmt.Sprintf("%s in %s is temporary, and aws_session_token is missing", s.KeyID, s.id.place())
		return x.withAcceptance(x.familyFinding(status, "aws configure "+profileOption(s.profile), "%s", evidence)), true
	case temporary(id) && s.token.value == "":
		return x.withAcceptance(x.familyFinding(status, x.unset(append(slices.Clone(family), "AWS_ACCESS_KEY", "AWS_SECRET_KEY")...),
			"%s is temporary, AWS_SESSION_TOKEN is %s", s.KeyID, x.missing("AWS_SESSION_TOKEN"))), true
	case temporary(id) && !inFile && x.env("AWS_SESSION_TOKEN") == "" && x.env("AWS_SECURITY_TOKEN") != "":
		return x.familyFinding(Warn, x.export("AWS_SESSION_TOKEN", `"$AWS_SECURITY_TOKEN"`),
			"%s is temporary, and its token is in AWS_SECURITY_TOKEN, which only the AWS CLI and boto3 read", s.KeyID), true
	case !temporary(id) && s.token.value != "" && inFile:
		return x.withAcceptance(x.familyFinding(status, x.edit(s.token.file, s.token.line, 0, "d"),
			"%s in %s is a long-term key, and %s gives it a session token", s.KeyID, s.Place, s.token.place())), true
	case !temporary(id) && s.token.value != "":
		return x.withAcceptance(x.familyFinding(status, x.unset("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
			"%s is a long-term key, and %s gives it a session token", s.KeyID, s.token.name)), true
	}
	return Finding{}, false
}

// rivalTokens tells of an AWS_SECURITY_TOKEN that is not AWS_SESSION_TOKEN: the AWS
// CLI and boto3 take the first, others the second, and one key has one token.
func (x *examination) rivalTokens(s set) (Finding, bool) {
	old, token := x.env("AWS_SECURITY_TOKEN"), x.env("AWS_SESSION_TOKEN")
	if s.profile != "" || old == "" || token == "" || old == token {
		return Finding{}, false
	}
	return x.withAcceptance(x.familyFinding(Fail, x.unset("AWS_SECURITY_TOKEN"),
		"AWS_SECURITY_TOKEN (%s) is not AWS_SESSION_TOKEN (%s), and beats it in the AWS CLI and boto3", maskSecret(old), maskSecret(token))), true
}

// withAcceptance lets a finding be a warning where AWS took the keys.
func (x *examination) withAcceptance(f Finding) Finding {
	f.ifAccepted = &Finding{Check: f.Check, Status: Warn, Evidence: f.Evidence + "; AWS takes them all the same"}
	return f
}
