package main_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

// health is a machine on which all is well: doctor may find nothing that failed.
type health struct {
	name string
	set  func(w *world)
	who  string // part of the ARN that the AWS CLI is; "": it has no credentials
}

const demoWho = ":user/demo"

var healthy = []health{
	{"static keys in the environment", func(w *world) { w.export(demo) }, demoWho},
	{"static keys in a file", func(w *world) { w.beneath() }, demoWho},
	{"temporary keys in the environment", func(w *world) { w.export(w.session("dev", time.Hour)) }, ":assumed-role/dev/"},
	{"profile", func(w *world) {
		w.write(".aws/credentials", demo.section("work"))
		w.write(".aws/config", "[profile work]\nregion = eu-central-1\noutput = json\n")
		w.env["AWS_PROFILE"] = "work"
		delete(w.env, "AWS_REGION")
		delete(w.env, "AWS_DEFAULT_REGION")
	}, demoWho},
	{"profile with a region only", func(w *world) {
		w.export(demo)
		w.write(".aws/config", "[profile work]\nregion = eu-central-1\n")
		w.env["AWS_PROFILE"] = "work"
	}, demoWho},
	{"login at IAM Identity Center", func(w *world) { w.ssoProfile(); w.ssoLogin() }, ssoWho},
	{"login at IAM Identity Center that has to be renewed", func(w *world) {
		w.ssoProfile()
		w.ssoLogin()
		path := w.ssoFile()
		w.write(path, strings.Replace(w.read(w.home+"/"+path), `"expiresAt":"20`, `"expiresAt":"19`, 1))
	}, ssoWho},
	{"chain of roles", func(w *world) {
		w.beneath()
		w.write(".aws/config", "[profile middle]\nrole_arn = arn:aws:iam::"+awstest.Account+":role/middle\nsource_profile = default\n"+
			"[profile work]\nregion = eu-central-1\nrole_arn = "+devRole+"\nsource_profile = middle\n")
		w.env["AWS_PROFILE"] = "work"
	}, ":assumed-role/dev/"},
	{"role of another account", func(w *world) {
		w.beneath()
		w.write(".aws/config", "[profile work]\nregion = eu-central-1\nrole_arn = arn:aws:iam::"+other+":role/dev\nsource_profile = default\n")
		w.env["AWS_PROFILE"] = "work"
	}, other + ":assumed-role/dev/"},
	{"ECS task", func(w *world) {
		l := w.abroad()
		l.ecs()
		w.env["AWS_EXECUTION_ENV"] = "AWS_ECS_FARGATE"
		w.env["ECS_CONTAINER_METADATA_URI_V4"] = "http://169.254.170.2/v4/task"
		w.env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = awstest.ContainerRelativeURI
	}, ":assumed-role/task/"},
	{"pod identity of EKS", func(w *world) {
		w.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = w.aws.URL + awstest.ContainerPath
		w.env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = w.write("pod-token", w.secret(awstest.ContainerToken))
	}, ":assumed-role/task/"},
	{"EC2 instance", func(w *world) { w.onInstance() }, instance},
	{"EC2 instance at its own addresses", func(w *world) { w.abroad().ec2() }, instance},
	{"web identity", func(w *world) {
		w.knobs(func(k *awstest.Knobs) { k.Issuers = map[string][]string{issuer: {audience}} })
		w.webIdentity(w.jwt(claims(nil)))
	}, ":assumed-role/dev/"},
	{"credential_process", func(w *world) {
		w.write("keys.json", fmt.Sprintf(`{"Version":1,"AccessKeyId":%q,"SecretAccessKey":%q}`, demo.id, demo.secret))
		w.write(".aws/config", "[default]\nregion = eu-central-1\ncredential_process = cat "+w.home+"/keys.json\n")
	}, demoWho},
	{"GovCloud", func(w *world) { w.partition("aws-us-gov", "us-gov-west-1") }, "arn:aws-us-gov:"},
	{"China", func(w *world) { w.partition("aws-cn", "cn-north-1") }, "arn:aws-cn:"},
	{"AWS at its own names", func(w *world) { w.beneath(); w.abroad() }, demoWho},
	{"AWS at its own names, and no region", func(w *world) {
		w.beneath()
		w.abroad()
		delete(w.env, "AWS_REGION")
		delete(w.env, "AWS_DEFAULT_REGION")
	}, demoWho},
	{"keys, and no instance for whom to wait", func(w *world) {
		w.beneath()
		w.abroad().swallow("169.254.169.254/32")
		delete(w.env, "AWS_EC2_METADATA_DISABLED")
	}, demoWho},
	{"Lambda", func(w *world) {
		k := w.session("resize-role", time.Hour)
		w.export(k)
		w.env["AWS_LAMBDA_FUNCTION_NAME"], w.env["AWS_EXECUTION_ENV"] = "story", "AWS_Lambda_python3.12"
	}, ":assumed-role/resize-role/"},
	{"AWS behind a proxy", func(w *world) {
		w.beneath()
		l := w.abroad()
		w.env["HTTPS_PROXY"] = "http://someone:" + w.secret("pr0xy-canary-password") + "@" + l.forward("pr0xy-canary-password")
	}, demoWho},
	{"LocalStack", func(w *world) {
		delete(w.env, "AWS_ENDPOINT_URL_STS")
		w.env["AWS_ENDPOINT_URL"] = w.aws.URL
		w.export(demo)
	}, demoWho},
	{"moto", func(w *world) { w.atMoto() }, ":user/good"},
	{"ambit environment", func(w *world) { w.ambitEnvironment() }, ":assumed-role/dev/"},
	{"no AWS at all", func(w *world) {
		delete(w.env, "AWS_REGION")
		delete(w.env, "AWS_DEFAULT_REGION")
		delete(w.env, "AWS_ENDPOINT_URL_STS")
	}, ""},
	{"no AWS, and everything hangs", func(w *world) {
		l := w.abroad()
		l.swallow("0.0.0.0/0")
		l.mute.Store(true)
		for name := range w.env {
			if strings.HasPrefix(name, "AWS_") {
				delete(w.env, name)
			}
		}
	}, ""},
	{"no AWS and no network", func(w *world) {
		w.abroad().mute.Store(true)
		for name := range w.env {
			if strings.HasPrefix(name, "AWS_") {
				delete(w.env, name)
			}
		}
	}, ""},
}

// partition gives the shell a role's keys in another partition.
func (w *world) partition(name, region string) {
	w.export(w.assume(demo, "arn:"+name+":iam::"+awstest.Account+":role/dev", time.Hour))
	w.env["AWS_REGION"], w.env["AWS_DEFAULT_REGION"] = region, region
}

// project gives the home a project of ambit's that assumes a role.
func (w *world) project() {
	w.t.Helper()
	token := w.write("oidc-token", w.jwt(claims(nil)))
	w.write(".config/ambit/environments/shop/dev.yaml", `values:
  aws:
    login:
      fn::open::aws-login:
        oidc:
          duration: 1h
          roleArn: `+devRole+`
          sessionName: ambit-shop
          token: { file: `+token+` }
  environmentVariables:
    AWS_ACCESS_KEY_ID: ${aws.login.accessKeyId}
    AWS_SECRET_ACCESS_KEY: ${aws.login.secretAccessKey}
    AWS_SESSION_TOKEN: ${aws.login.sessionToken}
    AWS_REGION: eu-central-1
`)
	w.write("shop/.envrc.yaml", "environment: shop/dev\n")
}

// ambitEnvironment gives the home that project, and the shell enters it.
func (w *world) ambitEnvironment() {
	w.t.Helper()
	w.project()
	w.open()
	for _, line := range []string{"cd ~/shop", "ambit allow -y", "true"} { // a prompt follows each
		if out, status := w.run(line, ""); status != 0 {
			w.t.Fatalf("%s ends with %d: %s", line, status, out)
		}
	}
	if out, _ := w.run(`printf %s "${AWS_ACCESS_KEY_ID:0:4}"`, ""); !strings.HasPrefix(out, "ASIA") {
		w.t.Fatalf("the environment is not loaded: %s", out)
	}
}

// prove sees that the AWS CLI has whom it should have, and that doctor agrees.
func (w *world) prove(h health) {
	w.t.Helper()
	h.set(w)
	w.open()
	findings := w.doctor()
	for _, f := range findings {
		if f.Status == "fail" {
			w.t.Fatalf("a false alarm:\n%s", listed(findings))
		}
	}
	if testing.Verbose() {
		w.t.Logf("\n%s", listed(findings))
	}
	stdout, stderr, status := w.step("ambit doctor", "")
	w.harmless(stdout)
	if status != 0 || stdout == "" || stderr != "" {
		w.t.Errorf("ambit doctor ends with %d:\n%s%s", status, stdout, stderr)
	}
	if h.who == "" {
		return
	}
	if out, status := w.run("aws sts get-caller-identity", ""); status != 0 || !strings.Contains(out, h.who) {
		w.t.Errorf("the AWS CLI ends with %d, wanted %s: %s", status, h.who, out)
	}
}
