package main_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

// promptBudget is what a prompt may take: 5 s where a network is asked, and half
// a second for all else.
const promptBudget = 5500 * time.Millisecond

// Each is one line, and one that says what to do about it; the environment is as
// it was, and the next prompt is silent.
func TestBadInput(t *testing.T) {
	t.Parallel()
	envrc := func(h *house) string { return h.path("home/shop/.envrc.yaml") }
	store := func(h *house) string { return h.path("home/.config/ambit/environments/shop/dev.yaml") }
	replace := func(h *house, path string, with func(path string) error) {
		must(h.t, os.Remove(path))
		must(h.t, with(path))
	}
	fifo := func(path string) error { return syscall.Mkfifo(path, 0o644) }
	sparse := func(path string) error {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			return err
		}
		return os.Truncate(path, 4<<30)
	}
	text := func(text string) func(*house, *awstest.Server) {
		return func(h *house, s *awstest.Server) { h.environment("shop/dev", text) }
	}
	knobs := func(change func(*awstest.Knobs)) func(*house, *awstest.Server) {
		return func(h *house, s *awstest.Server) { must(h.t, s.Update(change)) }
	}
	changed := []string{"ambit: .envrc.yaml has changed since it was allowed", `ambit: hint: run "ambit allow" to see the difference`}
	unusable := func(why string) []string {
		return []string{"ambit: error: .envrc.yaml cannot be used: " + why, "ambit: hint: it has to be a readable, regular file of at most 1 MiB"}
	}
	for _, c := range []struct {
		name string
		bad  func(h *house, s *awstest.Server) // after the file was allowed
		want []string                          // what entering says
	}{
		{"not allowed", func(h *house, s *awstest.Server) {
			must(h.t, os.RemoveAll(h.path("home/.local/state/ambit/trust")))
		}, []string{"ambit: .envrc.yaml is not allowed here", `ambit: hint: run "ambit allow" to see what it would load`}},
		{"edited", func(h *house, s *awstest.Server) { h.project("home/shop", "environment: shop/prod\n") }, changed},
		{"a FIFO", func(h *house, s *awstest.Server) { replace(h, envrc(h), fifo) }, unusable("is not a regular file")},
		{"4 GB", func(h *house, s *awstest.Server) { replace(h, envrc(h), sparse) }, unusable("is larger than 1 MiB")},
		{"a link to itself", func(h *house, s *awstest.Server) {
			replace(h, envrc(h), func(path string) error { return os.Symlink(".envrc.yaml", path) })
		}, unusable("too many levels of symbolic links")},
		{"a link to nowhere", func(h *house, s *awstest.Server) {
			replace(h, envrc(h), func(path string) error { return os.Symlink("nowhere", path) })
		}, unusable("is a link that leads nowhere")},
		{"a link to a device", func(h *house, s *awstest.Server) {
			replace(h, envrc(h), func(path string) error { return os.Symlink("/dev/zero", path) })
		}, []string{"ambit: warning: .envrc.yaml is ignored: …can be changed by other users", "ambit: hint: …"}},
		{"a directory", func(h *house, s *awstest.Server) {
			replace(h, envrc(h), func(path string) error { return os.Mkdir(path, 0o755) })
		}, unusable("is not a regular file")},
		{"an environment that is a FIFO", func(h *house, s *awstest.Server) { replace(h, store(h), fifo) },
			[]string{`ambit: error: .envrc.yaml:1:14: …"shop/dev"…not a regular file…`}},
		{"an environment of 4 GB", func(h *house, s *awstest.Server) { replace(h, store(h), sparse) },
			[]string{`ambit: error: .envrc.yaml:1:14: …"shop/dev"…1 MiB…`}},
		{"broken YAML", text("values:\n  environmentVariables:\n    A: [canary-secret\n"),
			[]string{"ambit: error: ~/.config/ambit/environments/shop/dev.yaml:…"}},
		{"a YAML bomb", text("values:\n  a: &a [x,x,x,x,x,x,x,x,x]\n  b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n  c: [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"),
			[]string{"ambit: error: ~/.config/ambit/environments/shop/dev.yaml:2:6: …", "ambit: hint: …", `ambit: there are more errors: run "ambit reload"`}},
		{"too many nodes", text("values:\n  a: [" + strings.Repeat("x,", 300_000) + "x]\n"),
			[]string{"ambit: error: ~/.config/ambit/environments/shop/dev.yaml:…20000…"}},
		{"deep", text("values: " + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "\n"),
			[]string{"ambit: error: ~/.config/ambit/environments/shop/dev.yaml:…64…"}},
		{"doubling", text("values:\n  a0: xxxxxxxxxxxxxxxx\n" + doubling(60) + "  environmentVariables: {A: \"${a60}\"}\n"),
			[]string{"ambit: error: ~/.config/ambit/environments/shop/dev.yaml:…1 MiB…"}},
		{"a cyclic import", text("imports: [shop/dev]\nvalues: {environmentVariables: {A: 1}}\n"),
			[]string{"ambit: error: ~/.config/ambit/environments/shop/dev.yaml:1:11: …shop/dev…"}},
		{"an unknown environment", func(h *house, s *awstest.Server) {
			h.environment("shop/develop", "values: {}\n")
			must(h.t, os.Remove(store(h)))
			h.project("home/shop", "environment: shop/dveelop\n")
			h.env["AMBIT_TRUST"] = h.home
		}, []string{`ambit: error: .envrc.yaml:1:14: unknown environment "shop/dveelop"`, `ambit: hint: did you mean "shop/develop"?`}},
		{"STS refuses connections", knobs(func(k *awstest.Knobs) { k.Outage = awstest.Refused }),
			[]string{"ambit: error: ~/.config/ambit/environments/shop/dev.yaml:…refused…", "ambit: hint: …"}},
		{"STS is slow", knobs(func(k *awstest.Knobs) { k.Slow = 60_000 }),
			[]string{"ambit: error: …", "ambit: hint: …"}},
		{"STS is mute", knobs(func(k *awstest.Knobs) { k.Outage = awstest.Silent }),
			[]string{"ambit: error: …", "ambit: hint: …"}},
		{"STS trickles", knobs(func(k *awstest.Knobs) { k.Trickle = true }),
			[]string{"ambit: error: …", "ambit: hint: …"}},
		{"STS answers HTML", knobs(func(k *awstest.Knobs) { k.Outage = awstest.HTML }),
			[]string{"ambit: error: ~/.config/ambit/environments/shop/dev.yaml:…", "ambit: hint: …"}},
		{"STS denies", knobs(func(k *awstest.Knobs) {
			k.Roles = map[string]awstest.Role{"arn:aws:iam::123456789012:role/dev": {Deleted: true}}
		}), []string{"ambit: error: ~/.config/ambit/environments/shop/dev.yaml:…role/dev…", "ambit: hint: …"}},
		{"the token file is missing", func(h *house, s *awstest.Server) { must(h.t, os.Remove(h.path("secrets/oidc-token"))) },
			[]string{"ambit: error: ~/.config/ambit/environments/shop/dev.yaml:…secrets/oidc-token…", "ambit: hint: …"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inShells(t, func(t *testing.T, sh shell) {
				t.Parallel()
				h := newHouse(t)
				s := h.cloud()
				c.bad(h, s)
				tm := h.open(sh)
				before := tm.env()
				start := time.Now()
				out, status := tm.run("cd shop")
				if took := time.Since(start); took > promptBudget {
					t.Errorf("%s: the prompt took %s", sh, took)
				}
				want := c.want
				if len(lines(out)) == len(want)+1 && strings.HasPrefix(lines(out)[len(want)], "ambit: hint: ") {
					want = append(want[:len(want):len(want)], "ambit: hint: …")
				}
				if !like(out, want) || status != 0 {
					t.Errorf("%s: status %d\n got %q\nwant %q", sh, status, lines(out), c.want)
				}
				if strings.Contains(out, "canary-secret") {
					t.Errorf("%s: the message shows the file: %q", sh, out)
				}
				start = time.Now()
				tm.want("")
				tm.want("echo alive", "alive")
				if took := time.Since(start); took > 3*time.Second {
					t.Errorf("%s: two more prompts took %s", sh, took)
				}
				env := tm.env()
				delete(env, "AMBIT_STATE")
				tm.same(c.name, env, before)
				if r := h.run("home/shop", built+"/ambit", "status"); r.status != 0 {
					t.Errorf("%s: ambit status: %d, %s", sh, r.status, r.stderr)
				}
				tm.cd("home")
				tm.same("after leaving", tm.env(), before)
				h.left(2*time.Second, tm.pid())
			})
		})
	}
}

func doubling(n int) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "  a%d: ${a%d}${a%d}\n", i, i-1, i-1)
	}
	return b.String()
}

// A file that the user may not read. Root may read everything, so another user
// plays this one.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		h.loaded("home/shop", "values: {environmentVariables: {A: 1}}\n")
		if os.Geteuid() == 0 {
			h.user = &syscall.Credential{Uid: 65534, Gid: 65534}
			h.chown()
		}
		must(t, os.Chmod(h.path("home/shop/.envrc.yaml"), 0))
		tm := h.open(sh)
		before := tm.env()
		tm.cd("home/shop", "ambit: error: .envrc.yaml cannot be used: permission denied", "ambit: hint: it has to be a readable, regular file of at most 1 MiB")
		tm.want("")
		out, status := tm.run("ambit allow -y")
		if !strings.Contains(out, "ambit: error: .envrc.yaml") || !strings.Contains(out, "permission denied") || status != 1 {
			t.Errorf("%s: allow: status %d, %q", sh, status, out)
		}
		env := tm.env()
		delete(env, "AMBIT_STATE")
		tm.same("unreadable", env, before)
		must(t, os.Chmod(h.path("home/shop/.envrc.yaml"), 0o644))
		tm.want("", "ambit: shop loaded (+1)")
	})
}
