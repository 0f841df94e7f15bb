package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ambit/resolver"
)

// A regionChoice is a reader's region and where it is said.
type regionChoice struct {
	name    string // "" if none is said
	from    string // the variable, or file and line
	profile string // that says it, "" for a variable
}

// region is the region that a reader takes for the profile in force. Its form is
// not checked. The region of an instance, which Go asks for last, is not in it.
func (x *examination) region(r reader) regionChoice {
	variables := []string{"AWS_REGION", "AWS_DEFAULT_REGION"}
	if r == cli1 {
		variables = variables[1:]
	}
	for _, v := range variables {
		// An empty variable ends botocore's search without a region.
		if value, ok := x.Environ[v]; value != "" || ok && r.python() {
			return regionChoice{name: value, from: v}
		}
	}
	name, _ := x.profileInForce(r)
	if p := x.profile(r, name); p.has("region") {
		return regionChoice{p.get("region"), p.place("region"), name}
	}
	return regionChoice{}
}

// knownRegions are those of AWS at the end of 2025. There may be others by now.
var knownRegions = strings.Fields(`
	us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 ca-west-1 mx-central-1 sa-east-1
	eu-central-1 eu-central-2 eu-west-1 eu-west-2 eu-west-3 eu-north-1 eu-south-1 eu-south-2
	ap-east-1 ap-east-2 ap-south-1 ap-south-2 ap-northeast-1 ap-northeast-2 ap-northeast-3
	ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7
	af-south-1 il-central-1 me-south-1 me-central-1
	cn-north-1 cn-northwest-1 us-gov-east-1 us-gov-west-1 eusc-de-east-1
	us-iso-east-1 us-iso-west-1 us-isob-east-1 us-isob-west-1 us-isof-east-1 us-isof-south-1 eu-isoe-west-1`)

var (
	regionForm = late(`^[a-z]{2,4}(-[a-z]+)+-[1-9][0-9]?$`)
	hostLabel  = late(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	directions = late(`-(north|south|east|west|central|northeast|northwest|southeast|southwest)-[0-9]+$`)
)

// regionFault says what is wrong with the name of a region, which is surely none
// or only unknown here; "" for nothing. Meant is the region that it was meant to
// be, "" if there is no telling.
func regionFault(name string, overridden bool) (fault string, sure bool, meant string) {
	if slices.Contains(knownRegions, name) || strings.HasSuffix(name, "-global") {
		return "", false, ""
	}
	meant = resolver.Nearest(strings.Join(strings.FieldsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '"' || c == '\'' }), "-"), knownRegions)
	for _, known := range knownRegions {
		if strings.EqualFold(known, tidy(part{value: name})) {
			meant = known
		}
	}
	switch odd := oddity(name); {
	case odd != "":
		return odd, true, meant
	case !hostLabel().MatchString(name):
		return "is not the name of a region", true, meant
	case regionForm().MatchString(strings.TrimRight(name, "abcdefghijklmnopqrstuvwxyz")) && slices.Contains(knownRegions, name[:len(name)-1]):
		return "is an availability zone, not a region", true, name[:len(name)-1]
	case overridden && meant == "":
		return "", false, "" // stand-ins for AWS take any
	case !regionForm().MatchString(name) || !directions().MatchString(name):
		return "is not the name of a region", meant != "" || !regionForm().MatchString(name), meant
	}
	return "is no region known here", false, meant
}

// checkRegion looks whether a region is said, is one, and is the same to all.
func checkRegion(_ context.Context, x *examination) (found []Finding) {
	add := func(status Status, fix, format string, args ...any) {
		found = append(found, Finding{Check: "aws.region", Status: status, Evidence: fmt.Sprintf(format, args...), Fix: fix})
	}
	var said []regionChoice // by different places
	none := 0
	for _, r := range readers {
		choice := x.region(r)
		if x.lost(r) {
			continue
		}
		if choice.name == "" {
			none++
		} else if !slices.ContainsFunc(said, func(c regionChoice) bool { return c.from == choice.from }) {
			said = append(said, choice)
		}
	}
	faulty := false
	for i, c := range said {
		fault, sure, meant := regionFault(c.name, x.overridden())
		if fault == "" || slices.ContainsFunc(said[:i], func(o regionChoice) bool { return o.name == c.name && o.profile == c.profile }) {
			continue
		}
		from, are := c.from, "is"
		for _, o := range said[i+1:] {
			if o.name == c.name && o.profile == c.profile {
				from, are = from+" and "+o.from, "are"
			}
		}
		faulty = true
		status := Warn
		if sure {
			status = Fail
		}
		evidence := fmt.Sprintf("%s %s %q, which %s", from, are, clip(c.name), fault)
		if meant != "" {
			evidence += "; it is probably " + meant
		}
		add(status, x.regionFix(c, meant), "%s", evidence)
	}
	if faulty {
		return found
	}
	if f, ok := x.wrongPartition(said); ok {
		return append(found, f)
	}
	switch {
	case len(said) == 0 && (none == 0 || !x.usesAWS()): // no file could be read, or nobody needs one
	case len(said) == 0:
		status, what := Warn, "no region is set: most services need one"
		if x.overridden() {
			status, what = Fail, "no region is set, which the AWS CLI and boto3 need where an endpoint is configured"
		}
		add(status, x.regionFix(regionChoice{}, x.likelyRegion()), "%s", what)
		// The environment of a directory would bring one.
		f := &found[len(found)-1]
		f.Causes = append(slices.Clip(f.Causes), "hook", "directory")
	case len(said) > 1 && said[0].name != said[1].name:
		// The AWS CLI v2's choice is everybody's but that of v1.
		use := x.region(cli2)
		if use.name == "" {
			use = said[0]
		}
		add(Warn, x.regionFix(regionChoice{from: "AWS_REGION"}, use.name), "%s says %s, %s says %s: the AWS CLI v1 and boto3 take %s, others %s",
			said[0].from, clip(said[0].name), said[1].from, clip(said[1].name), orNone(x.region(cli1).name), orNone(x.region(goSDK).name))
	case none > 0 && x.region(cli1).name == "":
		add(Warn, x.regionFix(regionChoice{from: said[0].from}, said[0].name),
			"%s says %s, but the AWS CLI v1 and boto3 read only AWS_DEFAULT_REGION, and find no region", said[0].from, clip(said[0].name))
	case none > 0:
		add(Warn, x.regionFix(regionChoice{from: said[0].from}, said[0].name),
			"%s says %s, but not all programs see it", said[0].from, clip(said[0].name))
	}
	if name, variable := x.profileInForce(cli2); len(found) == 0 && variable != "" && len(said) > 0 && said[0].profile == "" {
		if p := x.profile(cli2, name); p.get("region") != "" && p.get("region") != said[0].name {
			add(Warn, x.regionFix(regionChoice{from: said[0].from}, p.get("region")), "%s says %s and beats profile %q, which says %s",
				said[0].from, clip(said[0].name), clip(name), clip(p.get("region")))
		}
	}
	if len(found) == 0 && len(said) > 0 {
		add(OK, "", "%s says %s", said[0].from, said[0].name)
	}
	return found
}

func orNone(name string) string {
	if name == "" {
		return "none"
	}
	return clip(name)
}

// regionFix is the command that makes all programs take a region.
func (x *examination) regionFix(c regionChoice, name string) string {
	if name == "" || !regionForm().MatchString(name) {
		if c.profile == "" && c.from != "" {
			return x.unset("AWS_REGION", "AWS_DEFAULT_REGION")
		}
		name = x.likelyRegion()
	}
	if c.profile != "" {
		return "aws configure set region " + name + " " + profileOption(c.profile)
	}
	return x.export("AWS_REGION", name, "AWS_DEFAULT_REGION", name)
}

// likelyRegion is a region to begin with, where none is said.
func (x *examination) likelyRegion() string {
	for _, r := range readers {
		if c := x.region(r); regionForm().MatchString(c.name) && slices.Contains(knownRegions, c.name) {
			return c.name
		}
	}
	for _, r := range readers {
		name, _ := x.profileInForce(r)
		p := x.profile(r, name)
		if region := p.get("sso_region"); regionForm().MatchString(region) {
			return region
		}
		if s := x.session(r, p.get("sso_session")); s != nil && regionForm().MatchString(s.values["sso_region"].value) {
			return s.values["sso_region"].value
		}
		if arn := p.get("role_arn"); arn != "" {
			return regionOf(partitionInARN(arn))
		}
	}
	return "us-east-1"
}

// wrongPartition tells of a role in another partition than the region: no keys are
// good for both.
func (x *examination) wrongPartition(said []regionChoice) (Finding, bool) {
	for _, r := range readers {
		s, _, ok := x.winner(r)
		region := x.region(r)
		if !ok || region.name == "" || x.lost(r) {
			continue
		}
		arn, from := "", s.Place
		switch {
		case s.profile != "":
			arn = x.profile(r, s.profile).get("role_arn")
		case s.Kind == "web identity":
			arn, from = x.env("AWS_ROLE_ARN"), "AWS_ROLE_ARN"
		}
		partition := partitionInARN(arn)
		if partition == "" || partition == partitionOf(region.name) {
			continue
		}
		fix := x.regionFix(regionChoice{profile: region.profile, from: region.from}, regionOf(partition))
		return Finding{Check: "aws.region", Status: Fail, Fix: fix, Evidence: fmt.Sprintf(
			"%s says %s, which is in partition %s, and the role of %s is in partition %s", region.from, region.name, partitionOf(region.name), from, partition)}, true
	}
	return Finding{}, false
}

var partitionARN = late(`^arn:(aws|aws-cn|aws-us-gov|aws-eusc|aws-iso|aws-iso-b|aws-iso-e|aws-iso-f):`)

// partitionInARN is the partition of an ARN, "" if it is none known here.
func partitionInARN(arn string) string {
	if m := partitionARN().FindStringSubmatch(arn); m != nil {
		return m[1]
	}
	return ""
}

// partitionOf is the partition of a region.
func partitionOf(region string) string {
	for _, p := range []struct{ prefix, partition string }{
		{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}, {"eusc-", "aws-eusc"}, {"us-isob-", "aws-iso-b"},
		{"us-isof-", "aws-iso-f"}, {"eu-isoe-", "aws-iso-e"}, {"us-iso-", "aws-iso"},
	} {
		if strings.HasPrefix(region, p.prefix) {
			return p.partition
		}
	}
	return "aws"
}

// regionOf is a region that every account of a partition has.
func regionOf(partition string) string {
	region := map[string]string{
		"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1", "aws-eusc": "eusc-de-east-1", "aws-iso": "us-iso-east-1",
		"aws-iso-b": "us-isob-east-1", "aws-iso-e": "eu-isoe-west-1", "aws-iso-f": "us-isof-south-1",
	}[partition]
	if region == "" {
		return "us-east-1"
	}
	return region
}
