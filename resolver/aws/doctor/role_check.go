package doctor

import (
	"context"
	"fmt"
	"slices"
)

var (
	roleARN    = late(`^arn:[a-z0-9-]+:iam::[0-9]{12}:role/[!-~]+$`)
	sessionARN = late(`^arn:([a-z0-9-]+):sts::([0-9]{12}):assumed-role/([A-Za-z0-9+=,.@_-]+)/`)
)

// checkRole looks whether the roles that are to be assumed are named as AWS names
// them.
func checkRole(_ context.Context, x *examination) (found []Finding) {
	seen := map[string]bool{}
	for _, r := range readers {
		s, _, ok := x.winner(r)
		if !ok || s.Kind != "role" && s.Kind != "web identity" || x.lost(r) {
			continue
		}
		var roles []part
		if arn := x.env("AWS_ROLE_ARN"); s.profile == "" && arn != "" {
			roles = append(roles, part{value: arn, name: "AWS_ROLE_ARN"})
		}
		for _, name := range x.chainOfProfiles(r) {
			if v, ok := x.profile(r, name).valueOf("role_arn"); ok && v.value != "" && s.profile != "" {
				roles = append(roles, part{v.value, "role_arn", v.file, v.line, ""})
			}
		}
		for _, role := range roles {
			if fault, fix := x.roleFault(r, role); fault != "" && !seen[role.place()] {
				seen[role.place()] = true
				status := Fail
				if r == goSDK && !slices.ContainsFunc([]reader{cli1, cli2}, func(r reader) bool { w, _, _ := x.winner(r); return w.Kind == s.Kind }) {
					status = Warn
				}
				found = append(found, Finding{Check: "aws.role", Status: status, Evidence: role.place() + " " + fault, Fix: fix})
			}
		}
	}
	return found
}

// roleFault says what is wrong with the name of a role.
func (x *examination) roleFault(r reader, role part) (fault, fix string) {
	if odd := oddity(role.value); odd != "" {
		if role.file != nil {
			return odd, x.edit(role.file, role.line, 0, cleaning(role.value))
		}
		return odd, x.export(role.name, fmt.Sprintf(`"$(printf %%s "$%s" | LC_ALL=C tr -cd 'A-Za-z0-9+=,.@:/_-')"`, role.name))
	}
	if roleARN().MatchString(role.value) {
		return "", ""
	}
	fault = fmt.Sprintf("is %q, which does not name a role as arn:aws:iam::123456789012:role/NAME does", clip(role.value))
	m := sessionARN().FindStringSubmatch(role.value)
	if m == nil {
		return fault, ""
	}
	arn := fmt.Sprintf("arn:%s:iam::%s:role/%s", m[1], m[2], m[3])
	if role.file == nil {
		return "is the ARN of a session, and not of its role", x.export(role.name, arn)
	}
	for _, name := range x.chainOfProfiles(r) {
		if v, ok := x.profile(r, name).valueOf("role_arn"); ok && v.line == role.line && v.file == role.file {
			return "is the ARN of a session, and not of its role", "aws configure set role_arn " + arn + " " + profileOption(name)
		}
	}
	return fault, ""
}
