package main_test

import (
	"strings"

	"ambit/resolver/aws/awstest"
)

const other = "210987654321"

// orderStories: another place wins than the user thinks.
var orderStories = []story{
	{"no such profile", func(w *world) want {
		w.beneath()
		w.env["AWS_PROFILE"] = "nobody"
		return want{check: "aws.order", evidence: []string{"nobody"}, fix: `unset AWS_PROFILE( AWS_DEFAULT_PROFILE)?`}
	}},
	{"profile without its prefix", func(w *world) want {
		w.beneath()
		w.write(".aws/config", "[work]\nregion = eu-central-1\nrole_arn = arn:aws:iam::"+awstest.Account+":role/dev\nsource_profile = default\n")
		w.env["AWS_PROFILE"] = "work"
		return want{check: "aws.order", evidence: []string{`\[profile work\]`, ".aws/config:1"}, fix: `.+`, who: ":"}
	}},
	{"profile with a blank", func(w *world) want {
		w.beneath()
		w.env["AWS_PROFILE"] = "default "
		return want{check: "aws.order", evidence: []string{`"default "`}, fix: `export AWS_PROFILE=default|unset AWS_PROFILE`}
	}},
	{"profile without a name", func(w *world) want {
		w.beneath()
		w.env["AWS_PROFILE"] = ""
		return want{check: "aws.order", evidence: []string{"AWS_PROFILE is empty"}, fix: `unset AWS_PROFILE`}
	}},
	{"profile with a prefix that it must not have", func(w *world) want {
		w.write(".aws/credentials", demo.section("profile work"))
		w.env["AWS_PROFILE"] = "work"
		return want{check: "aws.order", evidence: []string{`\[profile work\]`, ".aws/credentials:1"}, fix: `sed -i .+ ~/\.aws/credentials`}
	}},
	{"keys in a file that is not there", func(w *world) want {
		w.beneath()
		w.env["AWS_SHARED_CREDENTIALS_FILE"] = "/nowhere/credentials"
		return want{check: "aws.files|aws.order", evidence: []string{"AWS_SHARED_CREDENTIALS_FILE"}, fix: `unset AWS_SHARED_CREDENTIALS_FILE`}
	}},
	{"profile with good keys in the environment", func(w *world) want {
		// The keys are never asked for: Go's SDK fails all the same, botocore takes them.
		w.export(demo)
		w.env["AWS_PROFILE"] = "nobody"
		return want{check: "aws.order", evidence: []string{"nobody"}, fix: `unset AWS_PROFILE( AWS_DEFAULT_PROFILE)?`}
	}},
	{"profile ignored", func(w *world) want {
		work := w.user(other, "worker")
		w.write(".aws/credentials", work.section("work"))
		w.write(".aws/config", "[profile work]\nregion = eu-central-1\n")
		w.export(demo)
		w.env["AWS_PROFILE"] = "work"
		return want{check: "aws.order", evidence: []string{"work", other, awstest.Account}, fix: unsetKeys, works: true, who: other}
	}},
	{"older name of the profile wins", func(w *world) want {
		work := w.user(other, "worker")
		w.write(".aws/credentials", work.section("work")+demo.section("home"))
		w.env["AWS_PROFILE"], w.env["AWS_DEFAULT_PROFILE"] = "work", "home"
		return want{check: "aws.order", status: "warn", evidence: []string{"AWS_DEFAULT_PROFILE", "home", "work"}, fix: `unset AWS_DEFAULT_PROFILE`, works: true, who: other}
	}},
	{"source profile missing", func(w *world) want {
		w.beneath()
		w.write(".aws/config", "[profile work]\nregion = eu-central-1\nrole_arn = arn:aws:iam::"+awstest.Account+":role/dev\nsource_profile = bsae\n")
		w.env["AWS_PROFILE"] = "work"
		return want{check: "aws.order", evidence: []string{"bsae", "work"}, fix: `.+`, who: ":"}
	}},
}

const devRole = "arn:aws:iam::" + awstest.Account + ":role/dev"

// profile gives the home a profile that assumes a role with the demo keys, and
// chooses it.
func (w *world) roleProfile(more string) {
	w.beneath()
	w.write(".aws/config", "[profile work]\nregion = eu-central-1\nrole_arn = "+devRole+"\nsource_profile = default\n"+more)
	w.env["AWS_PROFILE"] = "work"
}

// roleStories: the source is well, and the role is not to be had.
var roleStories = []story{
	{"role deleted or closed", func(w *world) want {
		w.roleProfile("")
		w.knobs(func(k *awstest.Knobs) { k.Roles = map[string]awstest.Role{devRole: {Deleted: true}} })
		w.adminKnobs("aws iam get-role --role-name dev", func(k *awstest.Knobs) { k.Roles = nil })
		return want{check: "aws.role", evidence: []string{"dev", "AccessDenied"}, fix: `aws iam get-role --role-name dev --query Role.AssumeRolePolicyDocument`, who: ":assumed-role/dev/"}
	}},
	{"role wants an external id", func(w *world) want {
		w.roleProfile("external_id = wrong\n")
		w.knobs(func(k *awstest.Knobs) { k.Roles = map[string]awstest.Role{devRole: {ExternalID: "right"}} })
		w.adminKnobs("aws iam get-role --role-name dev", func(k *awstest.Knobs) { k.Roles = nil })
		return want{check: "aws.role", evidence: []string{"dev", "AccessDenied"}, fix: `aws iam get-role --role-name dev --query Role.AssumeRolePolicyDocument`, who: ":assumed-role/dev/"}
	}},
	{"longer than the role grants", func(w *world) want {
		w.roleProfile("duration_seconds = 14400\n")
		return want{check: "aws.role", evidence: []string{"14400", "dev"}, fix: `aws configure set duration_seconds 3600 --profile work`, who: ":assumed-role/dev/"}
	}},
	{"longer than a chain grants", func(w *world) want {
		w.beneath()
		w.write(".aws/config", "[profile middle]\nrole_arn = arn:aws:iam::"+awstest.Account+":role/middle\nsource_profile = default\n"+
			"[profile work]\nregion = eu-central-1\nrole_arn = "+devRole+"\nsource_profile = middle\nduration_seconds = 7200\n")
		w.env["AWS_PROFILE"] = "work"
		w.knobs(func(k *awstest.Knobs) { k.MaxDuration = 43200 })
		return want{check: "aws.role", evidence: []string{"7200", "another role"}, fix: `.*duration_seconds.*`, who: ":assumed-role/dev/"}
	}},
	{"role whose source has another secret", func(w *world) want {
		w.roleProfile("")
		w.write(".aws/credentials", keySet{awstest.KeyID, w.secret(strings.Repeat("Zx9+", 10)), ""}.section("default"))
		return want{check: "aws.keys", evidence: []string{demo.masked()}, fix: configure, answers: demo.entered(), who: ":assumed-role/dev/"}
	}},
	{"role that is none", func(w *world) want {
		w.beneath()
		w.write(".aws/config", "[profile work]\nregion = eu-central-1\nrole_arn = arn:aws:iam::123:role/dev\nsource_profile = default\n")
		w.env["AWS_PROFILE"] = "work"
		return want{check: "aws.role", evidence: []string{"arn:aws:iam::123:role/dev", ".aws/config:3"}, fix: `.*`,
			also: []string{"aws configure set role_arn " + devRole + " --profile work"}, who: ":assumed-role/dev/"}
	}},
	{"role wants a second factor", func(w *world) want {
		w.roleProfile("")
		w.knobs(func(k *awstest.Knobs) { k.Roles = map[string]awstest.Role{devRole: {MFA: true}} })
		w.adminKnobs("aws iam get-role --role-name dev", func(k *awstest.Knobs) { k.Roles = nil })
		return want{check: "aws.role", evidence: []string{"dev"}, fix: `.+`, who: ":assumed-role/dev/"}
	}},
}
