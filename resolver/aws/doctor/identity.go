package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"ambit/resolver"
	"ambit/resolver/aws"
	"ambit/resolver/secret"
)

// What explains that AWS refuses a token, a region. The network does not: it was AWS
// that answered.
var (
	beforeToken  = []string{"aws.files", "aws.order", "aws.endpoint", "aws.clock"}
	beforeRegion = []string{"aws.files", "aws.order", "aws.endpoint"}
)

// beforeKeys are the checks that explain that AWS refuses keys: those that, mended,
// let it take the same place's keys. A region that is missing or misspelt, and a
// clock, do not make AWS forget a key: it says so in other words. What is wrong with
// files and profiles does nothing to keys in variables.
func beforeKeys(s Source, k aws.Keys) []string {
	causes := []string{"aws.keys", "aws.family", "aws.endpoint"}
	if s.profile != "" {
		causes = append(causes, "aws.files", "aws.order")
	}
	if k.SessionToken.Len() > 0 {
		causes = append(causes, "aws.token")
	}
	return causes
}

// beforeExpiry are the checks that explain that keys have expired: where ambit
// renews them, it does so by this machine's clock.
func (x *examination) beforeExpiry(s Source) []string {
	causes := []string{"aws.token", "aws.endpoint"}
	if s.profile != "" {
		causes = append(causes, "aws.files", "aws.order")
	}
	if x.ours("AWS_SESSION_TOKEN") {
		causes = append(causes, "aws.clock")
	}
	return causes
}

// beforeRole are the checks that explain that AWS does not give a role.
func (x *examination) beforeRole(role string) []string {
	causes := []string{"aws.role", "aws.keys", "aws.files", "aws.family", "aws.order", "aws.endpoint", "aws.token"}
	if at, ok := x.address(); ok && partitionInARN(role) != "" && partitionInARN(role) != partitionOf(at.Region) {
		causes = append(causes, "aws.region")
	}
	return causes
}

// checkIdentity asks AWS whom the credentials speak for, and says what a refusal
// proves.
func checkIdentity(ctx context.Context, x *examination) []Finding {
	v := x.investigate(ctx)
	switch {
	case !v.found:
		return nil
	case v.asked && v.err == nil:
		return append(x.revoked(ctx, v), Finding{Check: "aws.keys", Status: OK, Evidence: fmt.Sprintf("%s %s is %s", shown(v.keys), where(v.source), clip(v.who.ARN))})
	case v.asked:
		return x.refused(ctx, v.source, v.keys, v.answer, v.err)
	}
	return nil
}

// revoked tells of a role's session that AWS knows and that may do nothing: who
// revokes sessions in the console denies them everything, which no other policy does
// for a question like this one as a rule.
func (x *examination) revoked(ctx context.Context, v *investigation) []Finding {
	at, ok := x.address()
	if !ok || v.keys.SessionToken.Len() == 0 || !strings.Contains(v.who.ARN, ":assumed-role/") {
		return nil
	}
	r, err := aws.AskPermission(ctx, x.baseline(), v.source.profile, v.keys, at)
	if err == nil || r.Code != "AccessDenied" || !strings.Contains(r.Message, "explicit deny in an identity-based policy") {
		return nil
	}
	return []Finding{{Check: "aws.role", Status: Warn, Fix: x.renew(v.source),
		Evidence: fmt.Sprintf("%s is known, and a policy of its role denies it even sts:GetAccessKeyInfo: its sessions were revoked, if it may do nothing else either", clip(v.who.ARN))}}
}

// refused says what it proves that AWS refuses keys. Where it was not AWS that
// answered it proves nothing: that is the network's matter.
func (x *examination) refused(ctx context.Context, s Source, k aws.Keys, r aws.Refusal, err error) []Finding {
	finding := func(check, evidence, fix string, causes []string) []Finding {
		return []Finding{{Check: check, Status: Fail, Evidence: evidence, Fix: fix, Causes: causes}}
	}
	at, _ := x.address()
	keys := shown(k) + " " + where(s)
	long := k.SessionToken.Len() == 0
	switch {
	case errors.Is(err, context.Canceled):
		return nil
	case r.Status == 0 && r.Host == "":
		if x.failed("aws.keys") || x.failed("aws.family") {
			return nil // the form of the keys was seen already
		}
		return finding("aws.keys", fmt.Sprintf("%s: %s", keys, said(err)), x.reenter(s), beforeKeys(s, k))
	case r.Page || r.Status < 400 || r.Status >= 500 || r.Code == "":
		return nil
	}
	switch r.Code {
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired":
		return finding("aws.token", fmt.Sprintf("%s has expired, says AWS (%s)", keys, r.Code), x.renew(s), x.beforeExpiry(s))
	case "SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed", "RequestExpired":
		if skew, ok := skewIn(r.Message); ok || strings.HasPrefix(r.Code, "RequestTime") || r.Code == "RequestExpired" {
			evidence := fmt.Sprintf("AWS says that what is signed here is of another time (%s)", r.Code)
			if ok {
				evidence = fmt.Sprintf("this machine's clock is %s, says AWS (%s)", amount(skew), r.Code)
			}
			f := finding("aws.keys", evidence, "", nil)
			f[0].Check, f[0].Fix = "aws.clock", x.setClock()
			if clock := checkClock(ctx, x); len(clock) > 0 && clock[0].Status == Fail {
				return nil // measured already
			}
			return f
		}
		causes := beforeKeys(s, k)
		if strings.Contains(r.Message, "scoped to a valid region") {
			causes = append(causes, "aws.region")
		}
		return finding("aws.keys", fmt.Sprintf("AWS knows %s, but its secret access key is another one (%s)", keys, r.Code), x.reenter(s), causes)
	case "IncompleteSignature", "MissingAuthenticationToken", "MissingAuthenticationTokenException", "InvalidQueryParameter":
		return finding("aws.keys", fmt.Sprintf("AWS cannot read the signature made with %s (%s): there is a character too many in the keys", keys, r.Code), x.reenter(s), beforeKeys(s, k))
	case "RegionDisabledException":
		return finding("aws.region", fmt.Sprintf("STS is switched off in %s for account %s", at.Region, orUnknown(s.Account)), "aws account enable-region --region-name "+quoted(at.Region), beforeRegion)
	case "AccessDenied", "AccessDeniedException":
		if strings.Contains(r.Message, "VPC endpoint") {
			return finding("aws.network", fmt.Sprintf("the policy of the VPC endpoint on the way to STS denies %s", keys),
				"aws ec2 describe-vpc-endpoints --filters Name=service-name,Values=com.amazonaws."+quoted(at.Region)+".sts", []string{"aws.endpoint"})
		}
		return finding("aws.keys", fmt.Sprintf("AWS denies %s even its own identity (%s)", keys, r.Code), "", beforeKeys(s, k))
	case "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "InvalidToken", "AuthFailure", "OptInRequired":
		return x.unknownKeys(ctx, s, k, r, at, keys, long)
	}
	if strings.Contains(r.Code, "Throttl") || r.Status == 429 {
		return []Finding{{Check: "aws.keys", Status: Warn, Evidence: fmt.Sprintf("AWS answers too many requests (%s): try again in a minute", clip(r.Code))}}
	}
	return finding("aws.keys", fmt.Sprintf("AWS refuses %s: %s", keys, clip(r.Code)), "", beforeKeys(s, k))
}

// unknownKeys tells apart why AWS does not know keys: it says the same of all.
func (x *examination) unknownKeys(ctx context.Context, s Source, k aws.Keys, r aws.Refusal, at aws.Address, keys string, long bool) []Finding {
	finding := func(check, evidence, fix string, causes []string) []Finding {
		return []Finding{{Check: check, Status: Fail, Evidence: evidence, Fix: fix, Causes: causes}}
	}
	if x.failed("aws.family") || x.failed("aws.keys") {
		if f, ok := x.refusedBare(ctx, s, k, at); ok {
			return []Finding{f}
		}
		// What was seen offline explains it, and other regions would say the same.
		return finding("aws.keys", fmt.Sprintf("AWS does not know %s (%s)", keys, r.Code), x.reenter(s), beforeKeys(s, k))
	}
	ask := slices.DeleteFunc([]string{"us-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"}, func(region string) bool { return region == at.Region })
	known := x.elsewhere(ctx, k, s.profile, ask...)
	same := slices.DeleteFunc(slices.Clone(known), func(region string) bool { return partitionOf(region) != partitionOf(at.Region) })
	switch {
	case len(same) > 0 && long:
		return finding("aws.region", fmt.Sprintf("%s is taken in %s and refused in %s (%s): the account has to enable that region", keys, same[0], at.Region, r.Code),
			"aws account enable-region --region-name "+quoted(at.Region), beforeRegion)
	case len(same) > 0:
		fix := "aws iam set-security-token-service-preferences --global-endpoint-token-version v2Token"
		return finding("aws.region", fmt.Sprintf("%s is taken in %s and refused in %s (%s): the region is not enabled, or the token is one of the global endpoint, which such regions refuse", keys, same[0], at.Region, r.Code), fix, beforeRegion)
	case len(known) > 0:
		return finding("aws.region", fmt.Sprintf("%s belongs to the partition %s, and the region %s to %s (%s)", keys, partitionOf(known[0]), at.Region, partitionOf(at.Region), r.Code),
			x.regionFix(x.chosenRegion(), known[0]), beforeRegion)
	}
	if long {
		evidence := fmt.Sprintf("no region knows %s (%s): it is mistyped, deleted or switched off, or its user is gone; an administrator%s sees by aws iam list-access-keys",
			keys, r.Code, ofAccount(s.Account))
		if age, ok := x.ageOf(s); ok && age < time.Minute {
			evidence += "; one that was made just now is known everywhere after some seconds"
		}
		return finding("aws.keys", evidence, x.reenter(s), beforeKeys(s, k))
	}
	return finding("aws.keys", fmt.Sprintf("no region knows %s and its session token (%s): they do not belong together, or whose they are is gone", keys, r.Code), x.renew(s), beforeKeys(s, k))
}

// refusedBare tells of a long-term key that AWS refuses without the session token,
// too, which it should not have: the token is then not all that is wrong.
func (x *examination) refusedBare(ctx context.Context, s Source, k aws.Keys, at aws.Address) (Finding, bool) {
	if !strings.HasPrefix(k.AccessKeyID, "AKIA") || k.SessionToken.Len() == 0 || x.failed("aws.keys") {
		return Finding{}, false
	}
	k.SessionToken = secret.Text{}
	_, r, err := aws.Ask(ctx, x.baseline(), s.profile, k, at)
	if err == nil || r.Page || r.Status < 400 || r.Status >= 500 || r.Code == "" {
		return Finding{}, false
	}
	return Finding{Check: "aws.keys", Status: Fail, Fix: x.reenter(s),
		Evidence: fmt.Sprintf("without a session token, too, AWS refuses %s %s (%s)", shown(k), where(s), clip(r.Code))}, true
}

// renew is how a person gets other temporary keys for those of a source.
func (x *examination) renew(s Source) string {
	if s.profile == "" {
		return x.reenter(s) // ambit's own it reloads
	}
	return x.dropSection(s)
}

// dropSection takes temporary keys out of the credentials file, where nothing ever
// renews them, and has them made anew where the profile says how.
func (x *examination) dropSection(s Source) string {
	f := x.files(cli1).credentials
	section := f.by(cli1).sections[s.profile]
	if section == nil || f.path == "" {
		return x.reenter(s)
	}
	fix := x.edit(f, section.line, section.last(), "d")
	p := x.profile(cli1, s.profile)
	if p.has("sso_session") || p.has("sso_start_url") {
		return fix + " && " + ssoLogin(s.profile)
	}
	for _, key := range []string{"aws_access_key_id", "role_arn", "credential_process", "login_session"} {
		if v, ok := x.inConfig(s.profile, key); ok && v != "" {
			return fix // what it shadowed serves then
		}
	}
	if x.has("AMBIT_DIR") {
		return fix + " && ambit login"
	}
	return fix + " && " + x.reenter(s)
}

// inConfig is a value that the config file, and not the credentials file, has for a
// profile.
func (x *examination) inConfig(name, key string) (string, bool) {
	r := x.files(cli1).config.by(cli1)
	for _, header := range r.names {
		if named, _ := profileNamed(cli1, header); named == name {
			e, ok := r.sections[header].values[key]
			return e.value, ok
		}
	}
	return "", false
}

// ageOf is how long ago the file that holds a source's keys was changed.
func (x *examination) ageOf(s Source) (time.Duration, bool) {
	if s.profile == "" {
		return 0, false
	}
	setting, ok := x.profile(cli1, s.profile).valueOf("aws_access_key_id")
	if !ok {
		return 0, false
	}
	info, err := os.Stat(setting.file.path)
	if err != nil {
		return 0, false
	}
	age := x.Now().Sub(info.ModTime())
	return age, age >= 0
}

// skewIn reads by how much this machine's clock is ahead out of what AWS says of a
// signature: "Signature expired: 20300101T000000Z is now earlier than …
// (20300101T010000Z - 15 min.)". The third instant is AWS's own.
func skewIn(message string) (ahead time.Duration, ok bool) {
	if !strings.HasPrefix(message, "Signature expired") && !strings.HasPrefix(message, "Signature not yet current") {
		return 0, false
	}
	var instants []time.Time
	for _, word := range strings.Fields(message) {
		if at, err := time.Parse("20060102T150405Z", strings.Trim(word, "().,")); err == nil {
			instants = append(instants, at)
		}
	}
	if len(instants) != 3 {
		return 0, false
	}
	return instants[0].Sub(instants[2]), true
}

// where says in which place a source's keys are.
func where(s Source) string {
	switch {
	case s.Kind == "container", s.Kind == "instance":
		return "of this " + s.Kind
	case s.Kind != "keys" && s.profile != "":
		return "of " + s.Place
	case s.Place == "environment":
		return "in the environment"
	}
	return "in " + s.Place
}

// said is the text of an error of the provider, which holds no secret.
func said(err error) string {
	var open *resolver.OpenError
	if errors.As(err, &open) {
		return clip(open.Summary)
	}
	return "no answer that could be read"
}

func option(profile string) string {
	if profile == "" {
		return ""
	}
	return " " + profileOption(profile)
}

func ofAccount(account string) string {
	if account == "" {
		return ""
	}
	return " of account " + account
}

func orUnknown(account string) string {
	if account == "" {
		return "of these keys"
	}
	return account
}
