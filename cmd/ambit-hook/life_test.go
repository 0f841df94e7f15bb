package main_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

// hook is a prompt of bash in a directory, without a shell around it.
func (h *house) hook(dir string) *exec.Cmd {
	return h.command(dir, "ambit-hook", "bash")
}

func (h *house) command(dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(built, program), args...)
	cmd.Dir = h.path(dir)
	cmd.Env = append(h.environ(), "PWD="+cmd.Dir)
	return cmd
}

// keyOf is the access key id that a prompt's output sets, "" for none.
func keyOf(out string) string {
	for line := range strings.Lines(out) {
		if _, rest, found := strings.Cut(line, "__ambit_set AWS_ACCESS_KEY_ID "); found {
			return strings.Trim(strings.TrimSpace(rest), "$'")
		}
	}
	return ""
}

// prompted runs the hook without anything loaded, and wants a whole answer.
func (h *house) prompted(dir string) (key, stderr string) {
	h.t.Helper()
	r := h.run(dir, filepath.Join(built, "ambit-hook"), "bash")
	if r.status != 0 || !strings.HasSuffix(r.stdout, "\n#ambit:ok\n") {
		h.t.Fatalf("a prompt answers %d, %.200q, %q", r.status, r.stdout, r.stderr)
	}
	return keyOf(r.stdout), r.stderr
}

// TestKilled kills whoever makes an entry, in the background and in front of a
// waiting prompt: every other time when chance says so, and else while a file is
// being written. Whatever is kept can be read, no
// lock is held, and the next prompt is as ever. AMBIT_TEST_KILLS says how often.
func TestKilled(t *testing.T) {
	t.Parallel()
	kills := 200
	if text := os.Getenv("AMBIT_TEST_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatalf("AMBIT_TEST_KILLS: %v", err)
		}
	}
	const houses = 2
	for i := range houses {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			killedOften(t, kills/houses)
		})
	}
}

func killedOften(t *testing.T, kills int) {
	h := newHouse(t)
	s := h.cloud()
	dir := h.path("home/shop")
	kinds := []struct {
		name       string
		background bool
		program    string
		args       []string
	}{
		{"refresher", true, "ambit", []string{"resolve", "--detached", dir}},
		{"resolver", false, "ambit", []string{"resolve", dir}},
		{"prompt", false, "ambit-hook", []string{"bash"}},
	}
	prompt := func(when string) {
		t.Helper()
		if key, said := h.prompted("home/shop"); key == "" {
			t.Fatalf("%s: a prompt loads nothing: %s", when, said)
		}
		h.left(patience) // what it renews
	}
	// ready makes what a kind of process works on.
	ready := func(background bool) {
		if background {
			if len(h.files("entries")) == 0 || len(h.files("opens")) == 0 {
				prompt("before a renewal")
			}
			h.soften()
			return
		}
		for _, room := range []string{"entries", "opens"} {
			must(t, os.RemoveAll(h.path("home/.cache/ambit/"+room)))
		}
	}
	long := make([]time.Duration, len(kinds)) // that an undisturbed one takes, about
	for k, kind := range kinds {
		for range 5 {
			ready(kind.background)
			start := time.Now()
			if out, err := h.command("home/shop", kind.program, kind.args...).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %.300s", kind.name, err, out)
			}
			long[k] = max(long[k], time.Since(start))
		}
	}

	// begun are the files that a writer has begun and not yet given their name.
	begun := func() []string {
		var list []string
		for _, room := range []string{"entries", "opens"} {
			files, err := filepath.Glob(h.path("home/.cache/ambit/" + room + "/.new-*"))
			must(t, err)
			list = append(list, files...)
		}
		return list
	}
	killed, tried, temps, absent := make([]int, len(kinds)), 0, 0, 0
	for n := 0; n < kills; tried++ {
		if tried > 4*kills+20 {
			t.Fatalf("%d of %d kills came too late", tried-n, tried)
		}
		k := tried % len(kinds)
		kind := kinds[k]
		ready(kind.background)
		cmd := h.command("home/shop", kind.program, kind.args...)
		for _, file := range begun() {
			must(t, os.Remove(file))
		}
		must(t, cmd.Start())
		for start, delay := time.Now(), rand.N(long[k]+1); ; {
			if tried/len(kinds)%2 == 0 {
				time.Sleep(delay)
				break
			}
			if len(begun()) > 0 {
				time.Sleep(rand.N(200 * time.Microsecond))
				break
			}
			if time.Since(start) > 2*long[k] {
				break
			}
		}
		must(t, cmd.Process.Kill())
		_ = cmd.Wait() // by our signal, or it was quicker
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
			long[k] = long[k] * 9 / 10
			continue
		}
		long[k] = long[k] * 21 / 20 // so that a third comes too late, and every moment has its turn
		n++
		killed[k]++
		temps += min(1, len(begun()))
		if kind.name == "prompt" {
			h.left(patience) // its resolver goes on, and has nobody to answer
		}
		h.readable(&absent)
		h.unlocked()
		if r := h.run("home/shop", filepath.Join(built, "ambit"), "status"); r.status != 0 {
			t.Fatalf("after kill %d of a %s: status: %+v", n, kind.name, r)
		}
		if n%20 == 0 {
			prompt(fmt.Sprintf("after kill %d of a %s", n, kind.name))
		}
	}
	prompt("after all kills")
	must(t, os.WriteFile(h.path("home/.cache/ambit/opens/.new-begun"), nil, 0o600))
	for _, file := range begun() {
		old := time.Now().Add(-time.Hour)
		must(t, os.Chtimes(file, old, old))
	}
	// What the killed had begun to write is swept by the next renewal.
	h.soften()
	if r := h.run("home/shop", filepath.Join(built, "ambit"), "resolve", "--detached", dir); r.status != 0 {
		t.Errorf("%+v", r)
	}
	if left := begun(); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	for k, kind := range kinds {
		t.Logf("%d kills of a %s within %s", killed[k], kind.name, long[k].Round(time.Millisecond))
	}
	t.Logf("%d kills of %d tries; %d while a file was being written; after %d there was none, after none an unreadable one; %d calls of STS", kills, tried, temps, absent, assumed(s))
}

// readable wants every file of the cache to be as its writer meant it, or not there.
func (h *house) readable(absent *int) {
	h.t.Helper()
	d, now := h.kept(), time.Now()
	entries, opens := h.files("entries"), h.files("opens")
	if len(entries) == 0 || len(opens) == 0 {
		*absent++
	}
	for _, key := range entries {
		if d.Entry(key, now, h.lookup) == nil {
			h.t.Fatalf("the entry %s cannot be read", key)
		}
	}
	for _, key := range opens {
		if d.Opened(key, now) == nil {
			h.t.Fatalf("the login %s cannot be read", key)
		}
	}
}

// TestDamagedAtAPrompt: a prompt that finds a damaged entry serves the same keys
// from the login behind it; with that damaged too it asks for new ones. It never
// serves others, and heals what it found.
func TestDamagedAtAPrompt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.cloud()
	key, _ := h.prompted("home/shop")
	file := func(room string) string {
		names := h.files(room)
		if len(names) != 1 {
			t.Fatalf("%s holds %q", room, names)
		}
		return h.path("home/.cache/ambit/" + room + "/" + names[0])
	}
	entry, opened := file("entries"), file("opens")
	damage := func(path string, at int) {
		b := []byte(h.read(path))
		if at < 0 {
			b = nil
		} else {
			b[at] ^= 1 << rand.N(8)
		}
		must(t, os.WriteFile(path, b, 0o600))
	}
	runs := 0
	for at := -1; at < len(h.read(entry)); at += 61 {
		damage(entry, at)
		if got, said := h.prompted("home/shop"); got != key {
			t.Fatalf("byte %d of the entry: the key is %q, not %q: %s", at, got, key, said)
		}
		runs++
	}
	if n := assumed(s); n != 1 {
		t.Errorf("%d calls of STS for damaged entries alone, want the first", n)
	}
	seen := map[string]bool{key: true}
	for at := -1; at < len(h.read(opened)); at += 61 {
		damage(opened, at)
		if got, said := h.prompted("home/shop"); got != key {
			t.Fatalf("byte %d of the login, with a good entry: the key is %q, not %q: %s", at, got, key, said)
		}
		damage(entry, -1)
		got, said := h.prompted("home/shop")
		if !strings.HasPrefix(got, "ASIA") || seen[got] || strings.Contains(said, "error") {
			t.Fatalf("byte %d of the login: the key is %q, said %q", at, got, said)
		}
		key = got
		seen[got] = true
		runs++
	}
	if n := assumed(s); n != len(seen) {
		t.Errorf("%d calls of STS for %d damaged logins", n, len(seen)-1)
	}
	t.Logf("%d damaged files, %d calls of STS", runs, assumed(s))
}

// TestHour: an hour of prompts on sessions of 15 minutes. A minute passes by moving
// what is kept into the past and AWS's clock ahead.
func TestHour(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.cloud()
	must(t, s.Update(func(k *awstest.Knobs) { k.Lifetime = 900 }))
	tm := h.open("bash")
	tm.cd("home/shop", "ambit: shop/dev loaded (+6) · credentials for 14m")
	keys := map[string]bool{}
	for minute := range 60 {
		if minute > 0 {
			must(t, s.Update(func(k *awstest.Knobs) { k.Skew += 60 }))
			h.shift(time.Minute)
		}
		tm.want("")
		env := tm.piped()
		keys[env["AWS_ACCESS_KEY_ID"]] = true
		accepted(t, s, env, tm, fmt.Sprint("minute ", minute))
		h.left(patience, tm.pid()) // a renewal has less than a minute's time
	}
	if n := assumed(s); n > 7 || n < 5 || len(keys) > n {
		t.Errorf("%d calls of STS and %d keys in an hour, want at most 7", n, len(keys))
	}
	t.Logf("60 prompts, %d calls of STS, %d keys", assumed(s), len(keys))
}

// TestEightAtOnce: eight directories, or one with eight logins, ask STS eight times
// and at the same time.
func TestEightAtOnce(t *testing.T) {
	const eight, slow = 8, 2000
	h := newHouse(t)
	s := h.cloud()
	must(t, s.Update(func(k *awstest.Knobs) { k.Slow = slow }))
	login := func(role int) string {
		return fmt.Sprintf("{fn::open::aws-login: {oidc: {duration: 1h, roleArn: 'arn:aws:iam::123456789012:role/r%d', sessionName: story, token: {file: %s}}}}", role, h.path("secrets/oidc-token"))
	}
	all := "values:\n"
	names := "  environmentVariables:\n"
	for i := range eight {
		h.environment(fmt.Sprintf("shop/e%d", i), "values:\n  login: "+login(i)+"\n  environmentVariables:\n    AWS_ACCESS_KEY_ID: ${login.accessKeyId}\n    AWS_SECRET_ACCESS_KEY: ${login.secretAccessKey}\n    AWS_SESSION_TOKEN: ${login.sessionToken}\n")
		h.loaded(fmt.Sprintf("home/e%d", i), fmt.Sprintf("environment: shop/e%d\n", i))
		all += fmt.Sprintf("  l%d: %s\n", i, login(100+i))
		names += fmt.Sprintf("    KEY_%d: ${l%d.accessKeyId}\n", i, i)
	}
	h.environment("shop/all", all+names)
	h.loaded("home/all", "environment: shop/all\n")

	start := time.Now()
	h.prompted("home/shop")
	one := time.Since(start)
	calls := assumed(s)
	var group sync.WaitGroup
	out := make([]bytes.Buffer, eight)
	errs := make([]error, eight)
	start = time.Now()
	for i := range eight {
		cmd := h.hook(fmt.Sprintf("home/e%d", i))
		cmd.Stdout, cmd.Stderr = &out[i], &out[i]
		group.Go(func() { errs[i] = cmd.Run() })
	}
	group.Wait()
	directories := time.Since(start)
	keys := map[string]bool{}
	for i := range eight {
		keys[keyOf(out[i].String())] = true
		if errs[i] != nil || !strings.Contains(out[i].String(), "loaded (") {
			t.Errorf("e%d: %v: %s", i, errs[i], out[i].String())
		}
	}
	if n := assumed(s) - calls; n != eight || len(keys) != eight || directories > 2*one {
		t.Errorf("eight directories: %d calls, %d keys, in %s; one took %s", n, len(keys), directories, one)
	}
	calls = assumed(s)
	start = time.Now()
	_, said := h.prompted("home/all")
	logins := time.Since(start)
	if n := assumed(s) - calls; n != eight || logins > 2*one || !strings.Contains(said, "shop/all loaded (+8)") {
		t.Errorf("eight logins: %d calls, in %s; one took %s: %s", n, logins, one, said)
	}
	t.Logf("one took %s; eight directories %s; eight logins of one directory %s; 8 calls each", one, directories, logins)
}

// TestRefresherIsStopped: a renewal that holds its locks and does nothing costs no
// prompt anything while the credentials live, and the budget, once, when they have
// died.
func TestRefresherIsStopped(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.cloud()
	tm := h.open("zsh")
	tm.cd("home/shop", "ambit: shop/dev loaded (+6) · credentials for 59m")
	h.soften()
	must(t, s.Update(func(k *awstest.Knobs) { k.Outage = awstest.Silent }))
	tm.want("")
	for deadline := time.Now().Add(patience); assumed(s) < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no renewal begins")
		}
	}
	var stopped []int
	for _, pid := range h.processes() {
		if pid != tm.pid() {
			must(t, syscall.Kill(pid, stop))
			stopped = append(stopped, pid)
		}
	}
	t.Cleanup(func() {
		for _, pid := range stopped {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
	})
	if len(stopped) != 1 {
		t.Fatalf("%d processes renew", len(stopped))
	}
	must(t, s.Update(func(k *awstest.Knobs) { k.Outage = awstest.Up }))
	env := tm.piped()
	accepted(t, s, env, tm, "while the renewal is stopped")
	var most time.Duration
	for range 5 {
		start := time.Now()
		tm.want("")
		most = max(most, time.Since(start))
	}
	if most > freePrompt {
		t.Errorf("a prompt took %s", most)
	}

	h.shift(2 * time.Hour)
	const others = 10
	var group sync.WaitGroup
	took, out, errs := make([]time.Duration, others), make([]bytes.Buffer, others), make([]error, others)
	for i := range others {
		cmd := h.hook("home/shop")
		cmd.Stdout, cmd.Stderr = &out[i], &out[i]
		group.Go(func() {
			start := time.Now()
			errs[i] = cmd.Run()
			took[i] = time.Since(start)
		})
	}
	group.Wait()
	for i := range others {
		if errs[i] != nil || strings.Count(out[i].String(), "ambit: error: ") != 1 || keyOf(out[i].String()) != "" {
			t.Errorf("shell %d: %v: %s", i, errs[i], out[i].String())
		}
	}
	if last := slices.Max(took); last > promptBudget+time.Second {
		t.Errorf("a shell waited %s", last)
	}
	// Killed, it leaves no lock; the next attempt is as ever.
	must(t, syscall.Kill(stopped[0], syscall.SIGKILL))
	h.left(patience, tm.pid())
	h.unlocked()
	if r := h.run("home/shop", filepath.Join(built, "ambit"), "reload"); r.status != 0 {
		t.Errorf("reload: %+v", r)
	}
	tm.run("")
	accepted(t, s, tm.piped(), tm, "after the stopped one was killed")
	t.Logf("prompts while it lives: at most %s; %d shells when it is dead: all back in %s", most, others, slices.Max(took))
}

// TestClockSetBack: the clock goes back a day, and no file tells. What a shell holds
// would seem to live for a day more; the next command that is typed gets new keys.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	inShells(t, func(t *testing.T, sh shell) {
		t.Parallel()
		h := newHouse(t)
		s := h.cloud()
		tm := h.open(sh)
		tm.cd("home/shop", "ambit: shop/dev loaded (+6) · credentials for 59m")
		old := tm.piped()["AWS_ACCESS_KEY_ID"]
		tm.want("")
		// As if it had all been a day later; AWS's clock stands still.
		must(t, s.Update(func(k *awstest.Knobs) { k.Skew = int(day / time.Second) }))
		generation := h.path("home/.cache/ambit/generation")
		info, err := os.Stat(generation)
		must(t, err)
		h.shift(-day)
		later := info.ModTime().Add(day)
		must(t, os.Chtimes(generation, later, later))
		stamp := h.path(fmt.Sprintf("home/.cache/ambit/stamps/%d.%09d", info.ModTime().Unix(), info.ModTime().Nanosecond()))
		must(t, os.Chtimes(stamp, later, later))
		calls := assumed(s)
		if sh != "fish" { // whose clock is the stamp
			tm.typeLine("__ambit_until=$((__ambit_until + 86400)) __ambit_dead=$((__ambit_dead + 86400)) __ambit_since=$((__ambit_since + 86400))")
			tm.prompted()
		}
		env := tm.piped()
		accepted(t, s, env, tm, "after the clock was set back")
		if n := assumed(s) - calls; n != 1 || env["AWS_ACCESS_KEY_ID"] == old {
			t.Errorf("%s: %d calls of STS, and the key changed: %v\n%s", sh, n, env["AWS_ACCESS_KEY_ID"] != old, tm.transcript())
		}
		tm.want("")
		tm.want("")
		if n := assumed(s) - calls; n != 1 {
			t.Errorf("%s: %d calls of STS", sh, n)
		}
	})
}
