package main_test

import (
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
	{"role wants a second factor", func(w *world) want {
		w.roleProfile("")
		w.knobs(func(k *awstest.Knobs) { k.Roles = map[string]awstest.Role{devRole: {MFA: true}} })
		w.adminKnobs("aws iam get-role --role-name dev", func(k *awstest.Knobs) { k.Roles = nil })
		return want{check: "aws.role", evidence: []string{"dev"}, fix: `.+`, who: ":assumed-role/dev/"}
	}},
}
