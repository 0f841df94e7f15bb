package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ambit/resolver/aws/awstest"
)

// fileStories: files that programs choke on.
var fileStories = []story{
	{"byte order mark", func(w *world) want {
		w.write(".aws/credentials", "\ufeff"+demo.section("default"))
		return want{check: "aws.files", evidence: []string{"byte order mark|BOM", ".aws/credentials"}, fix: `sed -i .+ ~/\.aws/credentials`}
	}},
	{"key without a section", func(w *world) want {
		w.write(".aws/credentials", "aws_access_key_id = "+awstest.KeyID+"\naws_secret_access_key = "+awstest.SecretKey+"\n")
		return want{check: "aws.files", evidence: []string{".aws/credentials:1"}, fix: `sed -i .+ ~/\.aws/credentials`}
	}},
	{"half-written section", func(w *world) want {
		w.beneath()
		w.write(".aws/config", "[default]\nregion = eu-central-1\n\n[profile wo")
		return want{check: "aws.files", evidence: []string{".aws/config:4"}, fix: `.*`, also: []string{`sed -i 4d ~/.aws/config`}}
	}},
	{"line without a value", func(w *world) want {
		w.write(".aws/credentials", demo.section("default")+"[work]\naws_access_key_id "+awstest.KeyID+"\n")
		return want{check: "aws.files", evidence: []string{".aws/credentials:5"}, fix: `.*`, also: []string{`sed -i 4,5d ~/.aws/credentials`}}
	}},
	{"section twice", func(w *world) want {
		k := w.user(other, "newer")
		w.write(".aws/credentials", demo.section("default")+k.section("default"))
		return want{check: "aws.files", evidence: []string{".aws/credentials:4"}, fix: `sed -i .+ ~/\.aws/credentials`, who: ":user/newer"}
	}},
	{"UTF-16", func(w *world) want {
		var b strings.Builder
		b.WriteString("\xff\xfe")
		for _, c := range demo.section("default") {
			b.WriteByte(byte(c))
			b.WriteByte(0)
		}
		w.write(".aws/credentials", b.String())
		return want{check: "aws.files", evidence: []string{"UTF-16", ".aws/credentials"}, fix: `.*`, answers: demo.entered(),
			also: []string{"grep -q '^\\[default\\]' ~/.aws/credentials || { rm ~/.aws/credentials && aws configure set aws_access_key_id " + demo.id + " && aws configure set aws_secret_access_key " + demo.secret + "; }"}}
	}},
	{"credentials that are a directory", func(w *world) want {
		w.write(".aws/credentials/oops", "")
		w.write(".aws/config", "[default]\nregion = eu-central-1\n")
		return want{check: "aws.files", evidence: []string{".aws/credentials"}, fix: `.*`,
			also: []string{"rm -r ~/.aws/credentials; aws configure set aws_access_key_id " + demo.id + " && aws configure set aws_secret_access_key " + demo.secret}}
	}},
	{"damaged cache of the AWS CLI", func(w *world) want {
		w.roleProfile("")
		w.open()
		if out, status := w.run("aws sts get-caller-identity", ""); status != 0 {
			w.t.Fatal(out)
		}
		files, err := filepath.Glob(w.home + "/.aws/cli/cache/*.json")
		must(w.t, err)
		if len(files) != 1 {
			w.t.Fatalf("the AWS CLI keeps %q", files)
		}
		must(w.t, os.WriteFile(files[0], []byte(`{"Credentials": {"AccessKeyId": "AS`), 0o600))
		return want{check: "aws.files", evidence: []string{".aws/cli/cache/"}, fix: `rm \S+\.json`, who: "/dev/"}
	}},
	{"damaged login of the AWS CLI", func(w *world) want {
		w.ssoProfile()
		w.write(w.ssoFile(), `{"startUrl": "https://org.exa`)
		return want{check: "aws.files", evidence: []string{".aws/sso/cache/"}, fix: `rm \S+\.json && ambit login --profile work`, who: ssoWho}
	}},
	{"keys that others may read", func(w *world) want {
		w.beneath()
		must(w.t, os.Chmod(w.home+"/.aws/credentials", 0o644))
		return want{check: "aws.files", status: "warn", evidence: []string{".aws/credentials", "read"}, fix: `chmod 600 ~/\.aws/credentials`, works: true}
	}},
	{"link in a circle", func(w *world) want {
		w.write(".aws/config", "[default]\nregion = eu-central-1\n")
		must(w.t, os.Symlink("credentials", w.home+"/.aws/credentials"))
		return want{check: "aws.files", evidence: []string{".aws/credentials"}, fix: `.*`,
			also: []string{"rm -f ~/.aws/credentials; aws configure set aws_access_key_id " + demo.id + " && aws configure set aws_secret_access_key " + demo.secret}}
	}},
}

// badInput is what doctor has to live with: it ends in time, with a finding about it
// or without, and prints nothing raw and no secret.
type badInput struct {
	name string
	set  func(w *world)
}

var badInputs = []badInput{
	{"carriage returns in the files", func(w *world) {
		w.write(".aws/credentials", strings.ReplaceAll(demo.section("default"), "\n", "\r\n"))
		w.write(".aws/config", "[default]\r\nregion = eu-central-1\r\n")
	}},
	{"random bytes", func(w *world) {
		var b []byte
		for i := range 5000 {
			b = append(b, byte(i*i>>3))
		}
		w.write(".aws/credentials", string(b))
		w.write(".aws/config", string(b[77:]))
	}},
	{"NUL and escapes", func(w *world) {
		w.write(".aws/credentials", "[\x1b]52;c;eA==\a\x00]\naws_access_key_id = \x1b[31m\x00\x9b\naws_secret_access_key=\u202e"+w.secret("c4n4ry-secret-of-a-file")+"\n")
		w.env["AWS_PROFILE"] = "\x1b]52;c;eA==\a"
		w.env["AWS_REGION"] = "\x1b[31meu-central-1\n\u2066"
	}},
	{"pipe instead of a file", func(w *world) {
		w.write(".aws/x", "")
		must(w.t, syscall.Mkfifo(w.home+"/.aws/credentials", 0o600))
		must(w.t, syscall.Mkfifo(w.home+"/.aws/config", 0o600))
	}},
	{"endless file", func(w *world) {
		w.env["AWS_CONFIG_FILE"], w.env["AWS_SHARED_CREDENTIALS_FILE"] = "/dev/zero", "/dev/zero"
		w.env["AWS_CA_BUNDLE"], w.env["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/dev/zero", "/dev/zero"
		w.env["AWS_ROLE_ARN"] = devRole
	}},
	{"sparse file of 4 GB", func(w *world) {
		must(w.t, os.Truncate(w.write(".aws/credentials", demo.section("default")), 4<<30))
	}},
	{"thousands of profiles", func(w *world) {
		var b strings.Builder
		for range 20000 {
			b.WriteString("[profile x" + strings.Repeat("y", 20) + "]\nrole_arn=x\nsource_profile=x\n")
		}
		w.write(".aws/config", b.String())
	}},
	{"profiles in a circle", func(w *world) {
		w.write(".aws/config", "[profile a]\nrole_arn="+devRole+"\nsource_profile=b\n[profile b]\nrole_arn="+devRole+"\nsource_profile=a\n")
		w.env["AWS_PROFILE"] = "a"
	}},
	{"variables of megabytes", func(w *world) {
		w.export(keySet{strings.Repeat("A", 100_000), w.secret(strings.Repeat("s3cr3t+canary/", 7000)), w.secret(strings.Repeat("t0ken+canary/", 7000))})
		w.env["AWS_PROFILE"] = strings.Repeat("p", 100_000)
	}},
	{"no home", func(w *world) { delete(w.env, "HOME"); w.rc = "" }},
	{"no network at all", func(w *world) { w.beneath(); w.abroad().names.Store(knownNames); w.land.mute.Store(true) }},
	{"silence", func(w *world) { w.beneath(); w.knobs(func(k *awstest.Knobs) { k.Outage = awstest.Silent }) }},
	{"a byte a second", func(w *world) { w.beneath(); w.knobs(func(k *awstest.Knobs) { k.Trickle = true }) }},
	{"body of a gigabyte", func(w *world) { w.beneath(); w.knobs(func(k *awstest.Knobs) { k.Outage = awstest.Huge }) }},
	{"garbage", func(w *world) { w.beneath(); w.knobs(func(k *awstest.Knobs) { k.Outage = awstest.Garbage }) }},
	{"redirect to another host", func(w *world) { w.beneath(); w.knobs(func(k *awstest.Knobs) { k.Outage = awstest.Redirect }) }},
	{"escapes from AWS", func(w *world) {
		w.beneath()
		w.knobs(func(k *awstest.Knobs) {
			k.Next = awstest.Next{Calls: 100, Status: 403, Code: "Bad\u009b31mCode\u202e", Message: "\u009b2J" + awstest.SecretKey + strings.Repeat(" x", 30000)}
		})
	}},
	{"portal in front of everything", func(w *world) { w.beneath(); w.abroad().answer(portal) }},
	{"proxy that hangs, with a password", func(w *world) {
		w.beneath()
		l := w.abroad()
		l.swallow("198.51.100.0/24")
		w.env["HTTPS_PROXY"] = "http://someone:" + w.secret("pr0xy-canary-password") + "@198.51.100.7:3128"
	}},
	{"metadata service that hangs", func(w *world) {
		w.onInstance()
		w.knobs(func(k *awstest.Knobs) { k.IMDS.Token = awstest.TokenHangs; k.Slow = 20000 })
	}},
	{"everything hangs", func(w *world) {
		l := w.abroad()
		l.swallow("0.0.0.0/0")
		l.mute.Store(true)
		delete(w.env, "AWS_EC2_METADATA_DISABLED")
		w.env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/x"
		w.ssoProfile()
		w.ssoLogin()
		for name := range w.env {
			if strings.HasPrefix(name, "AWS_ENDPOINT_URL") {
				delete(w.env, name)
			}
		}
	}},
	{"program that never ends", func(w *world) {
		w.write(".aws/config", "[default]\nregion = eu-central-1\ncredential_process = sleep 1000\n")
	}},
	{"program that floods", func(w *world) {
		w.write(".aws/config", "[default]\nregion = eu-central-1\ncredential_process = yes \x1b[31mc4n4ry\n")
	}},
	{"program that tells secrets", func(w *world) {
		w.write("give", "#!/bin/sh\necho 'c4n4ry-told-to-nobody' >&2; echo '{\"Version\":1,\"AccessKeyId\":\"c4n4ry-told-to-nobody'; exit 1\n")
		must(w.t, os.Chmod(w.home+"/give", 0o700))
		w.secret("c4n4ry-told-to-nobody")
		w.write(".aws/config", "[default]\nregion = eu-central-1\ncredential_process = "+w.home+"/give\n")
	}},
}

// survive asks doctor for JSON and for text, and what it prints is harmless.
func (w *world) survive(b badInput) {
	w.t.Helper()
	b.set(w)
	w.open()
	findings := w.doctor()
	if testing.Verbose() {
		w.t.Logf("\n%s", listed(findings))
	}
	stdout, stderr, status := w.step("ambit doctor", "")
	w.harmless(stdout)
	w.harmless(stderr)
	if status > 1 || stdout == "" || stderr != "" {
		w.t.Errorf("ambit doctor ends with %d:\n%s%s", status, stdout, stderr)
	}
	if _, err := os.Stat(w.home + "/pwned"); err == nil {
		w.t.Error("what somebody named was run")
	}
	for line := range strings.Lines(stdout) {
		// A command is printed whole, and so is a word.
		words := strings.Fields(line)
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 && len(words) > 1 && words[0] != "fix:" {
			w.t.Errorf("a line of %d columns: %s", n, line)
		}
	}
}
