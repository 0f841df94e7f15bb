package main_test

import (
	"strings"
	"time"

	"ambit/resolver/aws/awstest"
)

const (
	unsetKeys = `unset (AWS_[A-Z_]+ ?)*AWS_ACCESS_KEY_ID( AWS_[A-Z_]+)*`
	cleaned   = `export AWS_[A-Z_]+="\$\(printf .+`
	configure = `aws configure( --profile default)?`
)

// entered is what a person answers to `aws configure`.
func (k keySet) entered() string { return k.id + "\n" + k.secret + "\n\n\n" }

// masked is how a key id may be seen.
func (k keySet) masked() string { return k.id[:4] + "…" + k.id[len(k.id)-4:] }

// session is a role's set of keys.
func (w *world) session(name string, lifetime time.Duration) keySet {
	w.t.Helper()
	return w.assume(demo, "arn:aws:iam::"+awstest.Account+":role/"+name, lifetime)
}

// keyStories: the keys themselves are wrong.
var keyStories = []story{
	{"mistyped id in the environment", func(w *world) want {
		w.beneath()
		w.export(keySet{awstest.KeyID[:19], awstest.SecretKey, ""})
		return want{check: "aws.keys", evidence: []string{"AWS_ACCESS_KEY_ID", "19"}, fix: unsetKeys}
	}},
	{"mistyped id in a file", func(w *world) want {
		w.write(".aws/credentials", keySet{strings.ToLower(awstest.KeyID), awstest.SecretKey, ""}.section("default"))
		return want{check: "aws.keys", evidence: []string{".aws/credentials"}, fix: configure, answers: demo.entered()}
	}},
	{"id of a user instead of a key", func(w *world) want {
		w.write(".aws/credentials", keySet{"AIDAQYLPMN5HDEMODEMO1"[:20] + "A", awstest.SecretKey, ""}.section("work"))
		w.env["AWS_PROFILE"] = "work"
		return want{check: "aws.keys", evidence: []string{"AIDA", ".aws/credentials:2"}, fix: `aws configure --profile work`, answers: demo.entered()}
	}},
	{"keys of the documentation", func(w *world) want {
		w.beneath()
		w.export(keySet{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""})
		return want{check: "aws.keys", evidence: []string{"documentation"}, fix: unsetKeys}
	}},
	{"id and secret swapped", func(w *world) want {
		w.beneath()
		w.env["AWS_ACCESS_KEY_ID"], w.env["AWS_SECRET_ACCESS_KEY"] = awstest.SecretKey, awstest.KeyID
		return want{check: "aws.keys", evidence: []string{"swapped"}, fix: unsetKeys + `|export AWS_ACCESS_KEY_ID="\$AWS_SECRET_ACCESS_KEY" AWS_SECRET_ACCESS_KEY="\$AWS_ACCESS_KEY_ID"`}
	}},
	{"secret cut short", func(w *world) want {
		w.write(".aws/credentials", keySet{awstest.KeyID, awstest.SecretKey[:39], ""}.section("default"))
		return want{check: "aws.keys", evidence: []string{"39", ".aws/credentials:3"}, fix: configure, answers: demo.entered()}
	}},
	{"carriage return in the environment", func(w *world) want {
		w.beneath()
		w.export(keySet{awstest.KeyID + "\r", awstest.SecretKey + "\r", ""})
		return want{check: "aws.keys", evidence: []string{"carriage return"}, fix: unsetKeys + "|" + cleaned}
	}},
	{"quotes in a file", func(w *world) want {
		w.write(".aws/credentials", "[default]\naws_access_key_id = \""+awstest.KeyID+"\"\naws_secret_access_key = \""+awstest.SecretKey+"\"\n")
		return want{check: "aws.keys", evidence: []string{"quote", ".aws/credentials:2"}, fix: configure + `|sed -i .+ ~/\.aws/credentials`, answers: demo.entered()}
	}},
	{"comment behind a key", func(w *world) want {
		w.write(".aws/credentials", "[default]\naws_access_key_id = "+demo.id+" ; main\naws_secret_access_key = "+demo.secret+" # of demo\n")
		return want{check: "aws.keys", evidence: []string{"comment", ".aws/credentials:2"}, fix: configure + `|sed -i .+ ~/\.aws/credentials`, answers: demo.entered()}
	}},
	{"space within the secret", func(w *world) want {
		w.beneath()
		w.export(keySet{awstest.KeyID, awstest.SecretKey[:20] + " " + awstest.SecretKey[20:], ""})
		return want{check: "aws.keys", evidence: []string{"space", "AWS_SECRET_ACCESS_KEY"}, fix: unsetKeys + "|" + cleaned}
	}},
	{"secret of another key", func(w *world) want {
		w.export(keySet{awstest.KeyID, strings.Repeat("Zx9+", 10), ""})
		w.beneath()
		return want{check: "aws.keys", evidence: []string{demo.masked(), "secret"}, fix: unsetKeys}
	}},
	{"secret of another key in a file", func(w *world) want {
		w.write(".aws/credentials", keySet{awstest.KeyID, w.secret(strings.Repeat("Zx9+", 10)), ""}.section("default"))
		return want{check: "aws.keys", evidence: []string{demo.masked(), "secret"}, fix: configure, answers: demo.entered()}
	}},
	{"key switched off", func(w *world) want {
		k := w.user(awstest.Account, "old")
		w.write(".aws/credentials", k.section("default"))
		w.knobs(func(k2 *awstest.Knobs) { k2.InactiveKeys = []string{k.id} })
		return want{check: "aws.keys", evidence: []string{k.masked(), awstest.Account}, fix: configure, answers: demo.entered()}
	}},
	{"key deleted", func(w *world) want {
		k := w.user(other, "gone")
		w.aws.DeleteKey(k.id)
		w.export(k)
		next := w.user(other, "gone")
		return want{check: "aws.keys", evidence: []string{k.masked(), other, "aws iam list-access-keys"}, fix: unsetKeys,
			also: []string{"export AWS_ACCESS_KEY_ID=" + next.id + " AWS_SECRET_ACCESS_KEY=" + next.secret}, who: ":user/gone"}
	}},
}

// familyStories: variables that belong together do not.
var familyStories = []story{
	{"token missing", func(w *world) want {
		w.beneath()
		k := w.session("dev", time.Hour)
		k.token = ""
		w.export(k)
		return want{check: "aws.family", evidence: []string{k.masked(), "AWS_SESSION_TOKEN"}, fix: unsetKeys}
	}},
	{"token empty", func(w *world) want {
		w.beneath()
		k := w.session("dev", time.Hour)
		k.token = ""
		w.export(k)
		w.env["AWS_SESSION_TOKEN"] = ""
		return want{check: "aws.family", evidence: []string{k.masked(), "AWS_SESSION_TOKEN is empty"}, fix: unsetKeys}
	}},
	{"token missing in a file", func(w *world) want {
		k := w.session("dev", time.Hour)
		whole := k.token
		k.token = ""
		w.write(".aws/credentials", k.section("default"))
		return want{check: "aws.family", evidence: []string{k.masked(), ".aws/credentials"}, fix: `.*aws configure.*`,
			answers: demo.entered() + whole, who: ""}
	}},
	{"token of a session gone by", func(w *world) want {
		w.export(demo)
		w.env["AWS_SESSION_TOKEN"] = w.session("dev", time.Hour).token
		return want{check: "aws.family", evidence: []string{demo.masked(), "AWS_SESSION_TOKEN"}, fix: `unset AWS_SESSION_TOKEN( AWS_SECURITY_TOKEN)?`}
	}},
	{"older name of the token", func(w *world) want {
		w.export(demo)
		w.env["AWS_SECURITY_TOKEN"] = w.session("dev", time.Hour).token
		return want{check: "aws.family", evidence: []string{"AWS_SECURITY_TOKEN"}, fix: `unset AWS_SESSION_TOKEN AWS_SECURITY_TOKEN|unset AWS_SECURITY_TOKEN`}
	}},
	{"older token beats the new one", func(w *world) want {
		w.export(w.session("dev", time.Hour))
		w.env["AWS_SECURITY_TOKEN"] = w.session("dev", time.Hour).token
		return want{check: "aws.family", evidence: []string{"AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"}, fix: `unset AWS_SECURITY_TOKEN`, who: "/dev/"}
	}},
	{"id without a secret", func(w *world) want {
		w.beneath()
		w.env["AWS_ACCESS_KEY_ID"] = awstest.KeyID
		return want{check: "aws.family", evidence: []string{"AWS_SECRET_ACCESS_KEY"}, fix: `unset AWS_ACCESS_KEY_ID( AWS_SECRET_ACCESS_KEY)?`}
	}},
	{"secret without an id", func(w *world) want {
		w.beneath()
		w.env["AWS_SECRET_ACCESS_KEY"] = awstest.SecretKey
		// botocore looks for the id alone, and goes on to the file.
		return want{check: "aws.family", status: "warn", evidence: []string{"AWS_ACCESS_KEY_ID"}, fix: `unset (AWS_ACCESS_KEY_ID )?AWS_SECRET_ACCESS_KEY`, works: true}
	}},
	{"file with half a pair", func(w *world) want {
		w.write(".aws/credentials", "[default]\naws_access_key_id = "+awstest.KeyID+"\n")
		return want{check: "aws.family", evidence: []string{"aws_secret_access_key", ".aws/credentials"}, fix: configure, answers: demo.entered()}
	}},
}
