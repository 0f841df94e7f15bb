package main_test

import (
	"os"
	"time"

	"ambit/resolver/aws/awstest"
)

// setupStories: ambit itself is not set up.
var setupStories = []story{
	{"file not allowed", func(w *world) want {
		w.ambitEnvironment()
		w.write("shop/.envrc.yaml", "environment: shop/dev\n# edited\n")
		if out, _ := w.run("cd ~/shop", ""); out == "" {
			w.t.Log("no word of the hook")
		}
		return want{check: "directory", evidence: []string{"allow"}, fix: `ambit allow`, typed: "y\n", who: "/dev/"}
	}},
	{"no hook in the shell", func(w *world) want {
		w.project()
		w.rc = "# nothing of ambit\n"
		w.open()
		w.run("cd ~/shop && ambit allow -y", "")
		return want{check: "hook", evidence: []string{"bash"}, fix: `.*eval "\$\(ambit hook bash\)".* && eval "\$\(ambit hook bash\)"`, who: "/dev/"}
	}},
	{"session revoked behind ambit's back", func(w *world) want {
		w.ambitEnvironment()
		id, _ := w.run("printf %s $AWS_ACCESS_KEY_ID", "")
		w.aws.DeleteKey(id)
		return want{check: "aws.token|aws.keys", evidence: []string{"InvalidClientTokenId"}, fix: `ambit reload`, also: []string{"true"}, who: "/dev/"}
	}},
	{"session of ambit's that AWS has ended", func(w *world) want {
		w.knobs(func(k *awstest.Knobs) { k.Lifetime, k.Expiration = 1, "2035-01-01T00:00:00Z" })
		w.ambitEnvironment()
		w.knobs(func(k *awstest.Knobs) { k.Lifetime, k.Expiration = 0, "" })
		time.Sleep(1200 * time.Millisecond) // AWS counts whole seconds
		return want{check: "aws.token", evidence: []string{"expired"}, fix: `ambit reload`, also: []string{"true"}, who: "/dev/"}
	}},
	{"token of ambit's keys removed", func(w *world) want {
		w.ambitEnvironment()
		if out, status := w.run("unset AWS_SESSION_TOKEN", ""); status != 0 {
			w.t.Fatal(out)
		}
		return want{check: "aws.family", evidence: []string{"AWS_SESSION_TOKEN"}, fix: `ambit reload`, also: []string{"true"}, who: "/dev/"}
	}},
	{"state that others may read", func(w *world) want {
		w.ambitEnvironment()
		must(w.t, os.Chmod(w.home+"/.local/state/ambit", 0o777))
		return want{check: "permissions", evidence: []string{".local/state/ambit"}, fix: `chmod .+`, who: "/dev/", works: true}
	}},
	{"key file that others may read", func(w *world) want {
		w.ambitEnvironment()
		must(w.t, os.Chmod(w.home+"/.local/state/ambit/key", 0o644))
		return want{check: "permissions", evidence: []string{".local/state/ambit/key"}, fix: `chmod 600 \S+`, who: "/dev/", works: true}
	}},
	{"identities that others may read", func(w *world) want {
		w.beneath()
		must(w.t, os.Chmod(w.write(".config/ambit/identities", "# none yet\n"), 0o644))
		return want{check: "identity", evidence: []string{".config/ambit/identities"}, fix: `chmod 600 \S+`, works: true}
	}},
	{"settings with a typing error", func(w *world) want {
		w.beneath()
		w.write(".config/ambit/config.yaml", "storse: [/tmp]\n")
		w.edited("stores: [/tmp]\n")
		return want{check: "store", evidence: []string{"config.yaml:1", "storse"}, fix: `.*`, works: true}
	}},
	{"environment that does not parse", func(w *world) want {
		w.ambitEnvironment()
		const file = ".config/ambit/environments/shop/dev.yaml"
		w.edited(w.read(w.home + "/" + file))
		w.write(file, "values:\n  environmentVariables: [\n")
		w.run("true", "")
		return want{check: "store|directory", evidence: []string{"dev.yaml:"}, fix: `.+\S+dev.yaml`, also: []string{"true"}, who: "/dev/"}
	}},
}
