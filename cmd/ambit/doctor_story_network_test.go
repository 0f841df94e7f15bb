package main_test

import (
	"net/http"
	"regexp"
	"strings"
	"time"

	"ambit/resolver/aws/awstest"
)

const setClock = `(sudo timedatectl set-ntp true|sudo chronyc makestep|sudo hwclock -s)`

// clockSet gives the machine the programs that set its clock.
func (w *world) clockSet() {
	w.admin("sudo", nil)
	for _, begins := range []string{"timedatectl set-ntp true", "chronyc makestep", "hwclock -s"} {
		w.adminKnobs(begins, func(k *awstest.Knobs) { k.Skew = 0 })
	}
}

// networkStories: AWS is not reached, or not at its time.
var networkStories = []story{
	{"clock an hour slow", func(w *world) want {
		w.beneath()
		w.clockSet()
		w.knobs(func(k *awstest.Knobs) { k.Skew = 3600 })
		return want{check: "aws.clock", evidence: []string{"slow|behind"}, fix: setClock}
	}},
	{"clock twenty minutes fast", func(w *world) want {
		w.beneath()
		w.clockSet()
		w.knobs(func(k *awstest.Knobs) { k.Skew = -1200 })
		return want{check: "aws.clock", evidence: []string{"fast|ahead"}, fix: setClock}
	}},
	{"clock two minutes fast", func(w *world) want {
		w.beneath()
		w.clockSet()
		w.knobs(func(k *awstest.Knobs) { k.Skew = -120 })
		return want{check: "aws.clock", status: "warn", fix: setClock, works: true}
	}},
	{"clock years slow behind TLS", func(w *world) want {
		w.beneath()
		l := w.abroad()
		w.clockSet()
		ahead := func(on bool, seconds int) {
			l.future.Store(on)
			w.knobs(func(k *awstest.Knobs) { k.Skew = seconds })
		}
		ahead(true, 1500*3600)
		repair := func([]string) string { ahead(false, 0); return "" }
		for _, begins := range []string{"timedatectl set-ntp true", "chronyc makestep", "hwclock -s"} {
			w.admin(begins, repair)
		}
		return want{check: "aws.clock", evidence: []string{"days behind"}, fix: setClock}
	}},
	{"clock of WSL2", func(w *world) want {
		w.beneath()
		l := w.abroad()
		w.clockSet()
		w.knobs(func(k *awstest.Knobs) { k.Skew = 3600 })
		const kernel = "5.15.167.4-microsoft-standard-WSL2"
		for path, text := range map[string]string{"/proc/sys/kernel/osrelease": kernel + "\n", "/proc/version": "Linux version " + kernel + " (root@x) #1 SMP\n"} {
			l.mounts[path] = w.write("../etc/"+strings.ReplaceAll(path, "/", "-"), text)
		}
		return want{check: "aws.clock", evidence: []string{"slow|behind"}, fix: `sudo hwclock -s`}
	}},
	{"name server silent", func(w *world) want {
		w.beneath()
		l := w.abroad()
		l.mute.Store(true)
		w.admin("getent hosts", func([]string) string { l.mute.Store(false); return "" })
		return want{check: "aws.network", evidence: []string{"sts.eu-central-1.amazonaws.com"}, fix: `getent hosts sts\.eu-central-1\.amazonaws\.com`, unseen: true}
	}},
	{"name server without the name", func(w *world) want {
		w.beneath()
		l := w.abroad()
		l.names.Store(regexp.MustCompile(`^intranet\.example$`))
		w.admin("getent hosts", func([]string) string { l.names.Store(knownNames); return "" })
		return want{check: "aws.network", evidence: []string{"sts.eu-central-1.amazonaws.com"}, fix: `getent hosts sts\.eu-central-1\.amazonaws\.com`}
	}},
	{"port closed", func(w *world) want {
		w.beneath()
		l := w.abroad()
		l.ip("addr", "add", "127.0.0.2/32", "dev", "lo")
		l.mounts["/etc/hosts"] = w.write("../etc/hosts", "127.0.0.1 localhost\n127.0.0.2 sts.eu-central-1.amazonaws.com\n")
		return want{check: "aws.network", evidence: []string{"sts.eu-central-1.amazonaws.com", "refused"}, fix: `.*`, also: []string{": >/etc/hosts"}}
	}},
	{"packets dropped", func(w *world) want {
		w.beneath()
		l := w.abroad()
		l.swallow("198.51.100.0/24")
		l.mounts["/etc/hosts"] = w.write("../etc/hosts", "127.0.0.1 localhost\n198.51.100.7 sts.eu-central-1.amazonaws.com\n")
		return want{check: "aws.network", evidence: []string{"sts.eu-central-1.amazonaws.com"}, fix: `.*`, also: []string{": >/etc/hosts"}, unseen: true}
	}},
	{"proxy that wants a password", func(w *world) want {
		w.beneath()
		l := w.abroad()
		password := w.secret("pr0xy-canary-password")
		w.env["HTTPS_PROXY"] = "http://someone:wr0ng-canary-password@" + l.forward(password)
		w.secret("wr0ng-canary-password")
		return want{check: "aws.network", evidence: []string{"407|password", "HTTPS_PROXY"}, fix: `.+`,
			also: []string{"export HTTPS_PROXY=http://someone:" + password + "@127.0.0.1:3128"}}
	}},
	{"proxy that is not there", func(w *world) want {
		w.beneath()
		w.abroad()
		w.env["HTTPS_PROXY"] = "http://127.0.0.1:3199"
		return want{check: "aws.network", evidence: []string{"HTTPS_PROXY", "127.0.0.1:3199"}, fix: `unset .*HTTPS_PROXY.*`}
	}},
	{"proxy whose name nobody knows", func(w *world) want {
		w.beneath()
		w.abroad()
		w.env["HTTPS_PROXY"] = "http://proxy.corp.invalid:3128"
		return want{check: "aws.network", evidence: []string{"HTTPS_PROXY", "proxy.corp.invalid"}, fix: `unset .*HTTPS_PROXY.*`}
	}},
	{"captive portal", func(w *world) want {
		w.beneath()
		l := w.abroad()
		l.answer(portal)
		w.admin("xdg-open http", func([]string) string { l.answer(func(aws http.Handler) http.Handler { return aws }); return "" })
		return want{check: "aws.network", evidence: []string{"web page"}, fix: `xdg-open http.+`}
	}},
	{"authority unknown to the AWS CLI", func(w *world) want {
		w.beneath()
		l := w.abroad()
		delete(w.env, "AWS_CA_BUNDLE")
		l.bundle()
		// Some systems ship an AWS CLI that trusts what they do: worth knowing, no failure.
		return want{check: "aws.network", status: "warn", evidence: []string{"Corp Inspection CA"}, fix: `export AWS_CA_BUNDLE=\S+`}
	}},
	{"authority that no program knows", func(w *world) want {
		w.beneath()
		l := w.abroad()
		delete(w.env, "AWS_CA_BUNDLE")
		return want{check: "aws.network", evidence: []string{"Corp Inspection CA"}, fix: `.*AWS_CA_BUNDLE.*`, also: []string{"export AWS_CA_BUNDLE=" + l.ca}}
	}},
	{"authority that the bundle lacks", func(w *world) want {
		w.beneath()
		l := w.abroad()
		w.write("other.pem", w.read(l.ca))
		w.env["AWS_CA_BUNDLE"] = w.home + "/other.pem"
		l.authorise()
		return want{check: "aws.network", evidence: []string{"Corp Inspection CA", "other.pem"}, fix: `.*AWS_CA_BUNDLE.*`, also: []string{"export AWS_CA_BUNDLE=" + l.ca}}
	}},
	{"bundle that is not there", func(w *world) want {
		w.beneath()
		l := w.abroad()
		l.bundle()
		w.env["AWS_CA_BUNDLE"] = w.home + "/gone.pem"
		return want{check: "aws.network", evidence: []string{"gone.pem"}, fix: `unset AWS_CA_BUNDLE`, also: []string{"export AWS_CA_BUNDLE=" + l.ca}, unseen: true}
	}},
	{"session expired and AWS out of reach", func(w *world) want {
		k := w.session("dev", time.Hour)
		w.export(k)
		w.beneath()
		w.env["AWS_CREDENTIAL_EXPIRATION"] = time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
		l := w.abroad()
		l.names.Store(regexp.MustCompile(`^intranet\.example$`))
		w.admin("getent hosts", func([]string) string { l.names.Store(knownNames); return "" })
		return want{check: "aws.network", evidence: []string{"sts.eu-central-1.amazonaws.com"}, fix: `getent hosts sts\.eu-central-1\.amazonaws\.com`,
			also: []string{"unset AWS_CREDENTIAL_EXPIRATION"}, who: "/dev/"}
	}},
}

// portal answers with a web page, as a network does that wants one to sign in.
func portal(http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!DOCTYPE html><title>Guest network</title><p>\x1b[31mPlease accept our terms")) // to a client that may have left
	})
}
