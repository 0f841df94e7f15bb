package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

// neighbour is what else wants to know, in bash, that a command is typed.
type neighbour struct {
	name  string
	shell shell
	lines string // of the startup file, before the hook
	seen  string // prints yes if the neighbour was called for this very command
}

var neighbours = []neighbour{
	{name: "bash", shell: "bash"},
	{name: "zsh", shell: "zsh"},
	{name: "fish", shell: "fish"},
	{name: "bash, a DEBUG trap of the user's own", shell: "bash", lines: `
trap 'story_seen=$BASH_COMMAND' DEBUG
`, seen: `[[ $story_seen == *this-very-one* ]] && echo yes`},
	// As rcaloras/bash-preexec: a DEBUG trap that calls the functions of a list.
	{name: "bash-preexec", shell: "bash", lines: `
preexec_functions=() precmd_functions=()
story_preexec() { story_seen=$1; }
__bp_invoke() {
  [[ -z ${COMP_LINE-} && -n ${__bp_interactive-} ]] || return 0
  __bp_interactive=
  local f
  for f in "${preexec_functions[@]}"; do "$f" "$BASH_COMMAND"; done
}
trap '__bp_invoke "$_"' DEBUG
preexec_functions+=(story_preexec)
`, seen: `[[ $story_seen == *this-very-one* ]] && echo yes`},
	// As starship init bash: PROMPT_COMMAND, and PS0 where bash has it.
	{name: "starship by PS0", shell: "bash", lines: `
story_precmd() { local s=$?; story_seen=; return $s; }
story_start=1
PROMPT_COMMAND=story_precmd
PS0='${story_start:$((story_seen=1,0)):0}'
`, seen: `[[ $story_seen == 1 ]] && echo yes`},
	{name: "starship by DEBUG", shell: "bash", lines: `
starship_preexec() { story_seen=$BASH_COMMAND; : "$1"; }
starship_precmd() { local s=$?; return $s; }
trap 'starship_preexec "$_"' DEBUG
PROMPT_COMMAND=starship_precmd
`, seen: `[[ $story_seen == *this-very-one* ]] && echo yes`},
}

// TestIdle: a shell that was left alone until its credentials had died runs the
// next command that is typed, the real AWS CLI, with live ones.
func TestIdle(t *testing.T) {
	t.Parallel()
	need(t, "aws")
	for _, n := range neighbours {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			need(t, string(n.shell))
			h := newHouse(t)
			s := h.cloud()
			h.env["AWS_PAGER"] = ""
			must(t, s.Update(func(k *awstest.Knobs) { k.Lifetime = 4 }))
			// bash-preexec lets its first function in after the last of the prompt's.
			tail := map[bool]string{true: "PROMPT_COMMAND+=('__bp_interactive=1')\n"}[n.name == "bash-preexec"]
			tm := h.openWith(n.shell, n.lines+rcFile[n.shell].hook+tail)
			before := tm.piped()
			tm.cd("home/shop", "ambit: shop/dev loaded (+6) · credentials for …s")
			dead := tm.piped()
			tm.run("")
			end, err := time.Parse(time.RFC3339, dead["AWS_CREDENTIAL_EXPIRATION"])
			must(t, err)
			time.Sleep(time.Until(end.Add(time.Second)))
			// What a renewal in the background may have brought is dead as well.
			h.left(patience, tm.pid())
			must(t, s.Update(func(k *awstest.Knobs) { k.Lifetime = 0 }))
			h.shift(time.Minute)
			calls := assumed(s)
			out, status := tm.run("aws sts get-caller-identity --output text --query Arn")
			if status != 0 || out != "arn:aws:sts::123456789012:assumed-role/dev/ambit-shop\n" {
				t.Errorf("after an idle time the CLI says %q, status %d\n%s", out, status, tm.transcript())
			}
			if n := assumed(s) - calls; n != 1 {
				t.Errorf("%d calls of STS", n)
			}
			tm.want("")
			env := tm.piped()
			accepted(t, s, env, tm, "after an idle time")
			if n.seen != "" {
				tm.run(": this-very-one; " + n.seen + " >" + h.path("seen"))
				if got := h.read("seen"); got != "yes\n" {
					t.Errorf("what else wants to know of commands was not called\n%s", tm.transcript())
				}
			}
			tm.cd("home", "ambit: shop/dev unloaded")
			tm.same("after leaving", tm.piped(), before)
			if n.seen != "" {
				tm.run(": this-very-one; " + n.seen + " >" + h.path("seen"))
				if got := h.read("seen"); got != "yes\n" {
					t.Errorf("after leaving, what else wants to know of commands was not called\n%s", tm.transcript())
				}
			}
		})
	}
}

// TestIdleCostsNothing: a shell that waits for its user is not woken, and nothing
// runs beside it, while its credentials live, are due, and die.
func TestIdleCostsNothing(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		s := h.cloud()
		must(t, s.Update(func(k *awstest.Knobs) { k.Lifetime = 6 }))
		tm := h.open(sh)
		tm.cd("home/shop", "ambit: shop/dev loaded (+6) · credentials for …s")
		loaded := time.Now()
		tm.want("")
		h.left(patience, tm.pid())
		calls := assumed(s)
		before := wakeUps(t, tm.pid())
		looks := 0
		for ; time.Since(loaded) < 7*time.Second; time.Sleep(100 * time.Millisecond) {
			if pids := h.processes(); len(pids) != 1 || pids[0] != tm.pid() {
				t.Fatalf("%s: processes %d run beside an idle shell, %d", sh, pids, tm.pid())
			}
			looks++
		}
		if after := wakeUps(t, tm.pid()); after != before {
			t.Errorf("%s: an idle shell was woken: %s, then %s", sh, before, after)
		}
		if n := assumed(s) - calls; n != 0 || looks < 10 {
			t.Errorf("%s: %d calls of STS for an idle shell, seen %d times", sh, n, looks)
		}
		env := tm.piped()
		accepted(t, s, env, tm, "after the idle time")
	})
}

var switches = regexp.MustCompile(`(?m)^voluntary_ctxt_switches:\s*(\d+)`)

// wakeUps counts how often the thread of a shell that runs commands and hooks was
// given a processor, once it has come to rest. Others are fish's own, and end when
// they have had nothing to do for a while.
func wakeUps(t testing.TB, pid int) string {
	t.Helper()
	count := func() string {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/status", pid))
		m := switches.FindSubmatch(b)
		if err != nil || m == nil {
			missing(t, "there is no /proc")
		}
		return string(m[1])
	}
	for last := ""; ; time.Sleep(300 * time.Millisecond) {
		now := count()
		if now == last {
			return now
		}
		last = now
	}
}

// TestRenewalIsNotWaitedFor: while a renewal waits for an STS that takes two
// seconds, prompts come as ever.
func TestRenewalIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		s := h.cloud()
		tm := h.open(sh)
		tm.cd("home/shop", "ambit: shop/dev loaded (+6) · credentials for 59m")
		old := tm.piped()["AWS_ACCESS_KEY_ID"]
		prompts := func(enough func(n int) bool) (took []time.Duration) {
			for !enough(len(took)) {
				start := time.Now()
				tm.want("")
				took = append(took, time.Since(start))
				time.Sleep(50 * time.Millisecond)
			}
			slices.Sort(took)
			return took
		}
		idle := prompts(func(n int) bool { return n == 15 })
		must(t, s.Update(func(k *awstest.Knobs) { k.Slow = 2000 }))
		h.soften()
		start := time.Now()
		during := prompts(func(n int) bool { return n > 0 && len(h.processes()) == 1 })
		lasted := time.Since(start)
		if most := during[len(during)-1]; most > time.Second || len(during) < 5 || lasted < 1500*time.Millisecond {
			t.Errorf("%s: %d prompts during a renewal of %s, the slowest took %s", sh, len(during), lasted, most)
		}
		tm.want("")
		env := tm.piped()
		accepted(t, s, env, tm, "after the renewal")
		if env["AWS_ACCESS_KEY_ID"] == old || assumed(s) != 2 {
			t.Errorf("%s: %d calls of STS, and the key changed: %v", sh, assumed(s), env["AWS_ACCESS_KEY_ID"] != old)
		}
		t.Logf("%s: prompts took %s (at most %s); %d prompts during a renewal of %s took %s (at most %s)", sh,
			idle[len(idle)/2], idle[len(idle)-1], len(during), lasted, during[len(during)/2], during[len(during)-1])
	})
}

// TestClosedDuringRenewal: a terminal that is closed while a renewal runs, or while
// its prompt waits, leaves no process and no lock; what was renewed is there for the
// next one.
func TestClosedDuringRenewal(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		s := h.cloud()
		tm := h.open(sh)
		tm.cd("home/shop", "ambit: shop/dev loaded (+6) · credentials for 59m")
		old := tm.piped()["AWS_ACCESS_KEY_ID"]
		must(t, s.Update(func(k *awstest.Knobs) { k.Slow = 1500 }))
		h.soften()
		tm.want("")
		if n := len(h.processes()); n != 2 {
			t.Fatalf("%s: %d processes, want the shell and a renewal", sh, n)
		}
		must(t, tm.pty.Close())
		h.left(10 * time.Second)
		h.unlocked()
		next := h.open(sh)
		next.cd("home/shop", "ambit: shop/dev loaded (+6) · credentials for 59m")
		if key := next.piped()["AWS_ACCESS_KEY_ID"]; key == old || assumed(s) != 2 {
			t.Errorf("%s: %d calls of STS, and the key changed: %v", sh, assumed(s), key != old)
		}

		// In front of a prompt that waits.
		must(t, s.Update(func(k *awstest.Knobs) { k.Outage = awstest.Silent }))
		h.shift(2 * time.Hour)
		next.typeLine("")
		next.expect("ambit: resolving . …")
		must(t, next.pty.Close())
		h.left(5 * time.Second)
		h.unlocked()
	})
}

// TestInterruptLeavesNoLock: Ctrl-C twice while STS takes its time leaves nothing
// that runs and nothing that is locked.
func TestInterruptLeavesNoLock(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		s := h.cloud()
		must(t, s.Update(func(k *awstest.Knobs) { k.Slow = 2500 }))
		tm := h.open(sh)
		tm.typeLine("cd " + quoted(h.path("home/shop")))
		tm.expect("ambit: resolving . …")
		tm.interrupt()
		tm.interrupt()
		tm.prompted()
		h.left(5*time.Second, tm.pid())
		h.unlocked()
		tm.run("")
		if out, _ := tm.run("ambit reload"); !strings.Contains(out, "ambit: shop/dev loaded (+6) · credentials for 59m\n") {
			t.Errorf("%s: after a reload: %q", sh, out)
		}
		accepted(t, s, tm.piped(), tm, "after a reload")
	})
}

// TestTypedAfterOutage: STS was down when the credentials died, and is back. The next
// command that is typed, with no prompt in between, has live ones: in a shell that has
// to try again itself, and in one whose neighbour did.
func TestTypedAfterOutage(t *testing.T) {
	t.Parallel()
	need(t, "aws")
	type place struct {
		h         *house
		s         *awstest.Server
		tm, other *terminal
	}
	var places []place
	// All wait for the same half-minute; a subtest for each says which shell is missing.
	inShells(t, func(*testing.T, shell) {})
	for _, sh := range shells {
		if _, err := exec.LookPath(string(sh)); err != nil {
			continue
		}
		h := newHouse(t)
		s := h.cloud()
		h.env["AWS_PAGER"] = ""
		must(t, s.Update(func(k *awstest.Knobs) { k.Lifetime = 3 }))
		p := place{h, s, h.open(sh), h.open(sh)}
		p.tm.cd("home/shop", "ambit: shop/dev loaded (+6) · credentials for …s")
		p.other.cd("home/shop", "ambit: shop/dev loaded (+6) · credentials for …s")
		must(t, s.Update(func(k *awstest.Knobs) { k.Outage, k.Lifetime = awstest.Unavailable, 0 }))
		places = append(places, p)
	}
	time.Sleep(4 * time.Second)
	for _, p := range places {
		for _, tm := range []*terminal{p.tm, p.other} {
			tm.run("")
			if key, set := tm.piped()["AWS_ACCESS_KEY_ID"]; set {
				t.Fatalf("dead keys stayed: %s\n%s", key, tm.transcript())
			}
		}
		must(t, p.s.Update(func(k *awstest.Knobs) { k.Outage = awstest.Up }))
	}
	time.Sleep(34 * time.Second) // the first back-off
	for _, p := range places {
		calls := assumed(p.s)
		for _, tm := range []*terminal{p.tm, p.other} {
			out, status := tm.run("aws sts get-caller-identity --output text --query Arn")
			if status != 0 || !strings.Contains(out, "arn:aws:sts::123456789012:assumed-role/dev/ambit-shop\n") {
				t.Errorf("after an outage the CLI says %q, status %d\n%s", out, status, tm.transcript())
			}
		}
		if n := assumed(p.s) - calls; n != 1 {
			t.Errorf("%d calls of STS", n)
		}
	}
}
