package main_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"ambit/resolver/aws/awstest"
)

// hostileInputs are written by somebody who wants what doctor prints, or what is
// typed from it, to do harm; or by somebody who put a secret into the wrong place.
var hostileInputs = []badInput{
	{"pipes instead of caches", func(w *world) {
		w.ssoProfile()
		for _, d := range []string{"sso", "cli", "login"} {
			w.write(".aws/"+d+"/cache/x.json", "{}")
			must(w.t, syscall.Mkfifo(w.home+"/.aws/"+d+"/cache/y.json", 0o600))
		}
		must(w.t, syscall.Mkfifo(w.home+"/"+w.ssoFile(), 0o600))
	}},
	{"thousands of damaged caches", func(w *world) {
		w.beneath()
		for i := range 5000 {
			w.write(fmt.Sprintf(".aws/cli/cache/%d.json", i), "{broken\x1b]0;x\a")
		}
	}},
	{"cache whose name has escapes", func(w *world) {
		w.beneath()
		w.write(".aws/cli/cache/a\x1b]0;x\a\n$(touch pwned) 'b\".json", "{broken")
		must(w.t, os.Chmod(w.home+"/.aws/cli/cache/a\x1b]0;x\a\n$(touch pwned) 'b\".json", 0o666))
	}},
	{"pipes instead of start-up files", func(w *world) {
		must(w.t, syscall.Mkfifo(w.home+"/.bash_profile", 0o600))
		must(w.t, syscall.Mkfifo(w.home+"/.profile", 0o600))
	}},
	{"pipe instead of a definition", func(w *world) { must(w.t, syscall.Mkfifo(w.home+"/.envrc.yaml", 0o600)) }},
	{"pipes instead of settings", func(w *world) {
		w.write(".config/ambit/x", "")
		must(w.t, syscall.Mkfifo(w.home+"/.config/ambit/config.yaml", 0o600))
		must(w.t, syscall.Mkfifo(w.home+"/.config/ambit/identities", 0o600))
	}},
	{"home that is no directory", func(w *world) { w.env["HOME"] = "/dev/null" }},
	{"home that is gone", func(w *world) { w.env["HOME"] = "/nowhere/at all\x1b[31m" }},
	{"directory that is gone", func(w *world) {
		w.beneath()
		w.open()
		w.run("mkdir -p ~/gone/x && cd ~/gone/x && rm -r ~/gone", "")
	}},
	{"profile whose name is a command", func(w *world) {
		w.write(".aws/config", "[profile $(touch ~/pwned);`id`'\"\x1b[31m x]\nregion=eu-central-1\nsso_start_url=x\nsso_region=x\nsso_account_id=1\nsso_role_name=x\n")
		w.env["AWS_PROFILE"] = "$(touch ~/pwned);`id`'\"\x1b[31m x"
	}},
	{"region that is a command", func(w *world) {
		w.beneath()
		w.env["AWS_REGION"] = "$(touch ~/pwned)"
		w.env["AWS_DEFAULT_REGION"] = "'; touch ~/pwned; '"
	}},
	{"endpoint with a password and escapes", func(w *world) {
		w.beneath()
		w.env["AWS_ENDPOINT_URL_STS"] = "http://user:" + w.secret("c4n4ry-endpoint-pass") + "@127.0.0.1:1/\x1b[31m"
	}},
	{"proxy that is none", func(w *world) {
		w.beneath()
		w.abroad()
		w.env["HTTPS_PROXY"] = "http://u:" + w.secret("c4n4ry-proxy-pass") + "@[::1\x1b"
	}},
	{"role whose name is a command", func(w *world) {
		w.roleProfile("")
		w.write(".aws/config", "[profile work]\nrole_arn = arn:aws:iam::123456789012:role/$(touch ~/pwned)\nsource_profile = default\n")
		w.knobs(func(k *awstest.Knobs) { k.Roles = map[string]awstest.Role{} })
	}},
	{"token whose claims are commands", func(w *world) {
		w.webIdentity(w.jwt(claims(map[string]any{"sub": "system:serviceaccount:$(touch ~/pwned):\x1b[31mx", "iss": "\u202eevil\n", "exp": 1e300})))
	}},
	{"escapes from Identity Center", func(w *world) {
		w.ssoProfile()
		w.ssoLogin()
		w.knobs(func(k *awstest.Knobs) {
			k.Next = awstest.Next{Calls: 100, Status: 403, Code: "\u009b31m", Message: "$(touch pwned)\u009b2J"}
		})
	}},
	{"escapes from the metadata service", func(w *world) {
		w.onInstance()
		w.knobs(func(k *awstest.Knobs) { k.IMDS.Role = "$(touch pwned)\u009b31m"; k.IMDS.Code = "x\u009b" })
	}},
	{"gigabyte of the metadata service", func(w *world) { w.onInstance(); w.knobs(func(k *awstest.Knobs) { k.Outage = awstest.Huge }) }},
	{"byte a second of the metadata service", func(w *world) { w.onInstance(); w.knobs(func(k *awstest.Knobs) { k.Trickle = true }) }},
	{"AWS that repeats the token", func(w *world) {
		k := w.session("dev", time.Hour)
		w.export(k)
		w.knobs(func(kn *awstest.Knobs) {
			kn.Next = awstest.Next{Calls: 100, Status: 403, Code: "AccessDenied", Message: "no " + k.token + " " + k.secret}
		})
	}},
	{"secret for the name of a profile", func(w *world) { w.env["AWS_PROFILE"] = w.secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYFAKEAWSKEZ") }},
	{"secret for a region", func(w *world) {
		w.beneath()
		w.env["AWS_REGION"] = w.secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYFAKEAWSKEZ")
	}},
	{"secret for a section", func(w *world) {
		w.write(".aws/credentials", "["+w.secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYFAKEAWSKEZ")+"\naws_access_key_id "+awstest.SecretKey+"\n"+awstest.SecretKey+"\n")
	}},
	{"secret for a role", func(w *world) {
		w.beneath()
		w.write(".aws/config", "[default]\nrole_arn = "+w.secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYFAKEAWSKEZ")+"\nsource_profile=default\n")
	}},
	{"secret in the arguments of a program", func(w *world) {
		w.write(".aws/config", "[default]\nregion = eu-central-1\ncredential_process = /nowhere/x --password "+w.secret("c4n4ry-process-pass")+"\n")
	}},
	{"secret for an id", func(w *world) {
		w.export(keySet{w.secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYFAKEAWSKEZ"), w.secret("AKIAsecretthatlookslike12"), ""})
	}},
	{"hundreds of endpoints", func(w *world) {
		for i := range 800 {
			w.env[fmt.Sprintf("AWS_ENDPOINT_URL_S%d", i)] = "http://localhost:1/" + strings.Repeat("x", 50)
		}
	}},
	{"password in a start URL", func(w *world) {
		w.ssoProfile()
		w.write(".aws/config", strings.Replace(w.read(w.home+"/.aws/config"), startURL, "https://u:"+w.secret("c4n4ry-sso-pass")+"@x/start", 1))
	}},
}
