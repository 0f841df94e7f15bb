package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ambit/resolver"
	"ambit/resolver/aws"
)

// checkTrial says which link of a chain of credentials broke, and what that proves.
func checkTrial(ctx context.Context, x *examination) []Finding {
	v := x.investigate(ctx)
	t := v.trial
	switch {
	case !v.found || t == nil || errors.Is(t.Err, context.Canceled):
		return nil
	case t.Err == nil:
		return x.chain(v)
	case errors.Is(t.Err, aws.ErrUntried):
		return x.untried(ctx, v)
	}
	switch t.Broken.Kind {
	case "role", "session", "mfa":
		return x.brokenRole(ctx, v)
	case "web identity":
		return x.brokenWebIdentity(v)
	case "sso":
		return x.brokenSSO(v)
	case "credential_process":
		return x.brokenProcess(v)
	case "login_session":
		return []Finding{{Check: "aws.token", Status: Fail, Evidence: said(t.Err), Fix: "aws login" + option(t.Broken.Profile), Causes: beforeToken}}
	case "keys":
		if x.failed("aws.keys") || x.failed("aws.family") {
			return nil
		}
		return []Finding{{Check: "aws.keys", Status: Fail, Evidence: said(t.Err), Fix: x.reenter(v.source), Causes: beforeKeys(v.source, t.Keys)}}
	}
	if t.Broken == (aws.Link{}) && !slices.ContainsFunc(x.found, func(f Finding) bool { return f.Status == Fail }) {
		return []Finding{{Check: "aws.order", Status: Warn, Evidence: fmt.Sprintf("%s could not be tried: %s", v.source.Place, said(t.Err))}}
	}
	return nil // a container's or an instance's: the machine's matter; or a profile's, which was seen offline
}

// chain tells of roles that were assumed.
func (x *examination) chain(v *investigation) []Finding {
	var roles []string
	for _, l := range v.trial.Links {
		if l.Role != "" && l.Kind != "sso" {
			roles = append(roles, clip(l.Role))
		}
	}
	if len(roles) == 0 {
		return nil
	}
	return []Finding{{Check: "aws.role", Status: OK, Evidence: "assumed " + strings.Join(roles, " and then ")}}
}

// untried tells of a chain that ends at a person or at a token that serves once; what
// comes before it is asked about all the same.
func (x *examination) untried(ctx context.Context, v *investigation) []Finding {
	t := v.trial
	if t.Broken.Kind != "mfa" {
		return nil
	}
	if t.Base.AccessKeyID != "" {
		if at, ok := x.address(); ok {
			if _, refusal, err := aws.Ask(ctx, x.baseline(), v.source.profile, t.Base, at); err != nil {
				s, _ := x.base(v.reader)
				return x.refused(ctx, s, t.Base, refusal, err)
			}
		}
	}
	return []Finding{{Check: "aws.role", Status: OK, Evidence: fmt.Sprintf("the role of %s wants an MFA code of %s, which was not tried", v.source.Place, clip(t.Broken.Serial))}}
}

// brokenRole says why a role was not given.
func (x *examination) brokenRole(ctx context.Context, v *investigation) []Finding {
	t := v.trial
	l, r := t.Broken, t.Refusal
	fail := func(fix, format string, args ...any) []Finding {
		return []Finding{{Check: "aws.role", Status: Fail, Evidence: fmt.Sprintf(format, args...), Fix: fix, Causes: x.beforeRole(l.Role)}}
	}
	name := l.Role[strings.LastIndexByte(l.Role, '/')+1:]
	look := "aws iam get-role --role-name " + quoted(name) + " --query Role.AssumeRolePolicyDocument"
	lower := strings.ToLower(r.Message)
	if r.Page || r.Status < 400 || r.Status >= 500 {
		return nil // the network's matter
	}
	switch r.Code {
	case "AccessDenied", "AccessDeniedException":
		switch {
		case strings.Contains(lower, "mfa one time pass code") || strings.Contains(lower, "multifactorauthentication failed"):
			return fail("sleep 30; ambit login", "AWS refuses the MFA code for role %q: it was used already, or the clock of the device is off", clip(name))
		case strings.Contains(lower, "multifactorauthpresent") || strings.Contains(lower, "mfa"):
			return fail("ambit login", "role %q is given only to who has shown an MFA code, and %s names no mfa_serial", clip(name), profileWord(l.Profile))
		}
		who := ""
		if s, ok := x.base(v.reader); ok && !l.Chained {
			who = fmt.Sprintf(" to %s", orWord(s.KeyID, s.Place))
		}
		if t.Base.AccessKeyID != "" {
			if at, ok := x.address(); ok {
				if id, _, err := aws.Ask(ctx, x.baseline(), v.source.profile, t.Base, at); err == nil {
					who = " to " + clip(id.ARN)
				}
			}
		}
		return fail(look, "role %s is not given%s (%s): it was deleted, or its trust policy does not admit that identity%s, or that identity may not sts:AssumeRole", clip(l.Role), who, r.Code, x.conditions(l))
	case "ValidationError":
		if strings.Contains(lower, "durationseconds") {
			asked := fmt.Sprintf("duration_seconds %d of %s is more than role %q gives", l.Seconds, profileWord(l.Profile), clip(name))
			if strings.Contains(lower, "chaining") || l.Chained {
				asked += ": one that is assumed with another role's keys lasts at most 3600"
			}
			return fail("aws configure set duration_seconds 3600"+option(l.Profile), "%s (%s)", asked, r.Code)
		}
		if strings.Contains(lower, "rolesessionname") {
			return fail("aws configure set role_session_name session"+option(l.Profile), "role_session_name of %s is none that AWS takes (%s)", profileWord(l.Profile), r.Code)
		}
		if strings.Contains(lower, "externalid") {
			return fail("", "external_id of %s is none that AWS takes (%s)", profileWord(l.Profile), r.Code)
		}
		if x.failed("aws.role") {
			return nil // the name was looked at
		}
		return fail("aws configure set role_arn arn:aws:iam::ACCOUNT:role/NAME"+option(l.Profile), "role_arn of %s is none that AWS could know (%s)", profileWord(l.Profile), r.Code)
	}
	// What is refused is not the role but the keys that asked for it.
	s, ok := x.base(v.reader)
	if !ok || l.Chained {
		s = v.source
	}
	return x.refused(ctx, s, t.Base, r, t.Err)
}

// conditions are what a trust policy may want beside an identity, and the profile of
// a role does not give.
func (x *examination) conditions(l aws.Link) string {
	p := x.profile(cli1, l.Profile)
	if l.Profile == "" || p == nil {
		return ""
	}
	var lacking []string
	for _, c := range []struct{ key, what string }{{"mfa_serial", "an MFA code (mfa_serial)"}, {"external_id", "an external_id"}} {
		if !p.has(c.key) {
			lacking = append(lacking, c.what)
		}
	}
	if len(lacking) == 0 {
		return ""
	}
	return " without " + strings.Join(lacking, " or ")
}

func profileWord(name string) string {
	if name == "" {
		return "the environment"
	}
	return fmt.Sprintf("profile %q", clip(name))
}

// brokenWebIdentity says why a token got no role.
func (x *examination) brokenWebIdentity(v *investigation) []Finding {
	t := v.trial
	l, r := t.Broken, t.Refusal
	about, claims := x.tokenClaims(l.Token)
	name := l.Role[strings.LastIndexByte(l.Role, '/')+1:]
	fail := func(fix, format string, args ...any) []Finding {
		return []Finding{{Check: "aws.token", Status: Fail, Evidence: fmt.Sprintf(format, args...), Fix: fix,
			Causes: []string{"aws.files", "aws.order", "aws.endpoint", "aws.region", "aws.clock", "aws.network"}}}
	}
	annotate := ""
	if namespace, account, ok := claims.serviceAccount(); ok {
		annotate = fmt.Sprintf("kubectl annotate sa %s -n %s eks.amazonaws.com/role-arn=%s --overwrite", account, namespace, quoted(l.Role))
	}
	if r.Host == "" {
		if x.failed("aws.token") {
			return nil // the file was looked at
		}
		return fail("", "%s", said(t.Err))
	}
	if r.Page || r.Status < 400 || r.Status >= 500 {
		return nil
	}
	switch r.Code {
	case "ExpiredTokenException", "ExpiredToken":
		return fail(orWord(annotate, "ambit login"), "AWS says that the web identity token has expired (%s)%s", r.Code, about)
	case "InvalidIdentityToken", "InvalidIdentityTokenException":
		fix := "aws iam list-open-id-connect-providers"
		return fail(fix, "AWS does not take the web identity token (%s): the account%s knows no such issuer, or not with this audience%s", r.Code, ofAccount(accountInARN(l.Role)), about)
	case "IDPRejectedClaim", "IDPCommunicationError":
		return fail("aws iam list-open-id-connect-providers", "the issuer of the web identity token does not stand by it (%s)%s", r.Code, about)
	case "AccessDenied", "AccessDeniedException":
		return fail(orWord(annotate, "aws iam get-role --role-name "+quoted(name)+" --query Role.AssumeRolePolicyDocument"),
			"role %s is not given to the web identity token (%s): it was deleted, or its trust policy names another issuer, audience or subject%s", clip(l.Role), r.Code, about)
	case "ValidationError":
		return fail("", "AWS takes the role or the web identity token for malformed (%s)%s", r.Code, about)
	case "RegionDisabledException":
		return x.refused(context.Background(), v.source, aws.Keys{}, r, t.Err)
	}
	return fail("", "AWS refuses the web identity token: %s%s", clip(r.Code), about)
}

// brokenSSO says why IAM Identity Center gave no keys.
func (x *examination) brokenSSO(v *investigation) []Finding {
	t := v.trial
	l, r := t.Broken, t.Refusal
	login := ssoLogin(cmp.Or(l.Profile, "default"))
	var open *resolver.OpenError
	switch {
	case r.Status == 0 && x.failed("aws.token"):
		return nil // its token was looked at
	case errors.As(t.Err, &open) && open.Kind == resolver.KindLogin:
		evidence := said(t.Err)
		if r.Status == 401 {
			evidence += ": IAM Identity Center no longer takes its token (401)"
		}
		return []Finding{{Check: "aws.token", Status: Fail, Evidence: evidence, Fix: login, Causes: beforeToken}}
	case r.Page || r.Status >= 500 || r.Status < 400:
		return x.ssoUnreachable(v)
	case r.Status == 403 || r.Code == "ForbiddenException" || r.Code == "ResourceNotFoundException":
		return []Finding{{Check: "aws.role", Status: Fail, Causes: x.beforeRole(l.Role),
			Evidence: fmt.Sprintf("the permission set %q of account %s is not assigned to who is logged in (%d %s); ask an administrator of IAM Identity Center for it", clip(l.Role), clip(l.Account), r.Status, clip(r.Code))}}
	}
	return []Finding{{Check: "aws.role", Status: Fail, Causes: x.beforeRole(l.Role), Evidence: fmt.Sprintf("IAM Identity Center refuses role %q: %s", clip(l.Role), clip(r.Code))}}
}

// ssoUnreachable tells of a portal that does not answer where STS does.
func (x *examination) ssoUnreachable(v *investigation) []Finding {
	return []Finding{{Check: "aws.network", Status: Fail, Evidence: said(v.trial.Err), Causes: []string{"aws.network", "aws.endpoint", "aws.region"}}}
}

// brokenProcess says why a credential_process gave no keys.
func (x *examination) brokenProcess(v *investigation) []Finding {
	p := x.profile(v.reader, v.trial.Broken.Profile)
	where := p.place("credential_process")
	program, missing := x.missingProgram(p.get("credential_process"))
	try := "aws sts get-caller-identity" + option(v.trial.Broken.Profile)
	if x.ours("AWS_PROFILE") {
		try = "ambit reload" // it is ambit that is to be run
	}
	switch {
	case missing && x.inContainer():
		return []Finding{{Check: "aws.runtime", Status: Fail, Fix: dockerRun,
			Evidence: fmt.Sprintf("the credential_process at %s needs the program %q, which is not in this container", where, clip(program))}}
	case missing:
		return []Finding{{Check: "aws.order", Status: Fail, Fix: "", Causes: []string{"aws.files"},
			Evidence: fmt.Sprintf("the credential_process at %s needs the program %q, which is not there; install it, or give its path", where, clip(program))}}
	}
	f := Finding{Check: "aws.keys", Status: Fail, Fix: try, Causes: beforeKeys(v.source, v.trial.Keys), Evidence: fmt.Sprintf("%s; it stands at %s", said(v.trial.Err), where)}
	if isTimeout(v.trial.Err) || wantsAPerson(v.trial.Err) {
		f.Status = Warn // elsewhere somebody may answer it
		f.Evidence += "; here there is nobody whom it could ask"
	}
	return []Finding{f}
}

var asking = late(`(?i)\b(tty|terminal|mfa|otp|password|passphrase|passcode|pin|touch|prompt|interactive|stdin)\b`)

// wantsAPerson says whether a program that failed speaks of asking. What it said is
// only looked at, never told.
func wantsAPerson(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if asking().MatchString(err.Error()) {
			return true
		}
	}
	return false
}
