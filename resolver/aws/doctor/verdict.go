package doctor

import (
	"fmt"
	"strings"
	"time"
)

// Findings are what the text of an error shows by itself; p is for what it does not
// say of the one who asks.
func (r Recognised) Findings(p Patient) []Finding {
	text := afterResource().ReplaceAllString(r.text, "$1;$2")
	squeezed := strings.NewReplacer(`"`, "", "'", "", "`", "", `\`, "").Replace(strings.Join(strings.Fields(text), ""))
	switch {
	case denial().MatchString(squeezed):
		return []Finding{denied(denial().FindStringSubmatch(squeezed))}
	case signedAt().MatchString(squeezed):
		return signedWrong(signedAt().FindStringSubmatch(squeezed))
	case expecting().MatchString(squeezed):
		region := expecting().FindStringSubmatch(squeezed)[1]
		return []Finding{{Check: "aws.region", Status: Fail,
			Evidence: fmt.Sprintf("the bucket is in %s, and another region was asked", region),
			Fix:      fmt.Sprintf("export AWS_REGION=%s AWS_DEFAULT_REGION=%s", region, region)}}
	case r.Code == "RegistryTokenExpired" && registry().MatchString(squeezed):
		m := registry().FindStringSubmatch(squeezed)
		return []Finding{{Check: "aws.token", Status: Fail,
			Evidence: fmt.Sprintf("docker has no valid password for the registry %s", m[0]),
			Fix:      fmt.Sprintf("aws ecr get-login-password --region %s | docker login --username AWS --password-stdin %s", m[1], m[0])}}
	case r.Code == "ProfileNotFound" && r.Profile != "":
		return missingProfile(p, r.Profile)
	}
	return nil
}

const (
	arnShape    = `arn:aws[a-z-]{0,10}:[a-z0-9-]{1,30}:[a-z0-9-]{0,20}:\d{0,12}:`
	reason      = `because[a-z-]+|withanexplicitdeny[a-z-]*`
	regionShape = `[a-z]{2,4}(?:-[a-z]{2,10}){1,3}-\d{1,2}`
)

var (
	denial = late(`[Uu]ser:(` + arnShape + `[A-Za-z0-9_+=,.@/-]+?)isnotauthorizedtoperform:([a-z][a-z0-9-]{1,30}:[A-Z][A-Za-z]{1,60}?)` +
		`(?:onresource:(` + arnShape + `[A-Za-z0-9_+=,.@/:*-]+?)[.,]?;?(` + reason + `|[;(<{}\[]|$)|[.,]?(` + reason + `|[.,;(<{}\[]|$))`)
	// afterResource is where words follow on the same line: they are no part of it.
	afterResource = late(`(resource:\s{0,8}["'\\]{0,2}arn:aws[^\s]{1,300})[ \t]{1,8}(\S)`)
	signedAt      = late(`[Ss]ignature(?:expired|notyetcurrent):(\d{8}T\d{6}Z)is(?:nowearlier|stilllater)than\d{8}T\d{6}Z\((\d{8}T\d{6}Z)[+-]`)
	expecting     = late(`iswrong;expecting(` + regionShape + `)`)
	registry      = late(`\d{12}\.dkr\.ecr\.(` + regionShape + `)\.amazonaws\.com(?:\.cn)?`)
	rolePart      = late(`^arn:aws[a-z-]*:(?:iam|sts)::\d{12}:(?:assumed-)?role/(?:[\w+=,.@-]+/)*?([\w+=,.@-]{1,64})(?:/[\w+=,.@-]{1,64})?$`)
)

// denied is a denial that says who wanted what.
func denied(m []string) Finding {
	who, action, resource, why := m[1], m[2], m[3], m[4]+m[5]
	f := Finding{Check: "aws.role", Status: Fail, Evidence: fmt.Sprintf("%s may not %s", clip(who), action)}
	if resource != "" {
		f.Evidence += " on " + clip(resource)
	}
	if target := rolePart().FindStringSubmatch(resource); action == "sts:AssumeRole" && target != nil && strings.Contains(resource, ":role/") {
		f.Evidence += ": there is no such role, its trust policy does not admit it, or it has no policy that allows this"
		f.Fix = "aws iam get-role --role-name " + quoted(resource[strings.LastIndexByte(resource, '/')+1:]) + " --query Role.AssumeRolePolicyDocument"
		return f
	}
	switch {
	case strings.Contains(why, "servicecontrolpolicy"):
		f.Evidence += ": a service control policy of the organization denies it"
	case strings.Contains(why, "permissionsboundary"):
		f.Evidence += ": its permissions boundary does not allow it"
	case strings.Contains(why, "explicitdeny"):
		f.Evidence += ": a policy denies it explicitly"
	case strings.Contains(why, "sessionpolicy"):
		f.Evidence += ": the policy of the session does not allow it"
	case strings.Contains(why, "noresource-basedpolicy"):
		f.Evidence += ": no policy of that resource allows it"
	case strings.Contains(why, "noidentity-basedpolicy"):
		f.Evidence += ": no policy of its own allows it"
	}
	source := quoted(who)
	if role := roleOfSession(who); role != "" {
		// The path of a role does not stand in the ARN of its sessions.
		source = `"$(aws iam get-role --role-name ` + quoted(role) + ` --query Role.Arn --output text)"`
	}
	f.Fix = "aws iam simulate-principal-policy --policy-source-arn " + source + " --action-names " + action
	return f
}

// roleOfSession is the name of the role of an assumed one, "" for others.
func roleOfSession(arn string) string {
	_, rest, ok := strings.Cut(arn, ":assumed-role/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// signedWrong measures the clock of the machine that signed, by what AWS says of it.
func signedWrong(m []string) []Finding {
	const stamp = "20060102T150405Z"
	signed, err1 := time.Parse(stamp, m[1])
	server, err2 := time.Parse(stamp, m[2])
	if err1 != nil || err2 != nil {
		return nil
	}
	way, off := "behind", server.Sub(signed)
	if off < 0 {
		way, off = "ahead of", -off
	}
	return []Finding{{Check: "aws.clock", Status: Warn, Fix: "sudo timedatectl set-ntp true",
		Evidence: fmt.Sprintf("by this error, the clock of the machine that signed was %s %s that of AWS", off, way)}}
}

// missingProfile looks for a profile that a program was told by an option: what the
// variables say is another check's.
func missingProfile(p Patient, name string) []Finding {
	for _, variable := range []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE"} {
		if p.Environ[variable] == name {
			return nil
		}
	}
	x := &examination{Patient: p}
	for _, r := range []reader{cli1, goSDK} {
		if x.profile(r, name) != nil {
			return []Finding{{Check: "aws.order", Status: OK, Evidence: fmt.Sprintf("there is a profile %q by now", clip(name))}}
		}
	}
	return []Finding{{Check: "aws.order", Status: Fail, Fix: "aws configure list-profiles",
		Evidence: fmt.Sprintf("a program was told the profile %q, and no file of the AWS configuration has one of that name", clip(name))}}
}
