package main_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awscredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"ambit/resolver/aws/awstest"
	"ambit/resolver/cache"
)

const (
	// freePrompt bounds a prompt that asks no network. Quiet machines show 50 ms.
	freePrompt = 2 * time.Second
	// networkPrompt bounds one that does: its 5.5 s, and what a busy machine adds.
	networkPrompt = promptBudget + 2500*time.Millisecond

	tokenCanary = "canary-of-the-web-identity-token"
)

// fault is one way in which the world between here and STS fails, and what has to
// be seen of it at a prompt.
type fault struct {
	name  string
	says  string // part of the one error; "": it is overcome, and nothing is said
	cold  int    // calls of a prompt that waits
	soft  [2]int // least and most calls of a renewal in the background
	hangs bool   // a call takes all its time: the renewal is not waited for

	prepare    func(f *faultStory) // before the shell starts
	begin, end func(f *faultStory)
	wrapper    func(f *faultStory) []string // of the shell, nil: none
}

func knob(change func(*awstest.Knobs)) func(*faultStory) {
	return func(f *faultStory) { must(f.t, f.server.Update(change)) }
}

func outage(o awstest.Outage) func(*faultStory) {
	return knob(func(k *awstest.Knobs) { k.Outage = o })
}

func refusal(status int, code string) func(*faultStory) {
	return knob(func(k *awstest.Knobs) {
		k.Next = awstest.Next{Calls: 1000, Status: status, Code: code, Message: "slow down\x1b]0;" + tokenCanary + "\a"}
	})
}

// healthy ends whatever a knob began.
func healthy(f *faultStory) {
	must(f.t, f.server.Update(func(k *awstest.Knobs) { *k = awstest.Knobs{MaxDuration: k.MaxDuration} }))
}

// stays is for what does not end: a clock that is wrong is wrong all day.
func stays(*faultStory) {}

// jump sets the machine's clock by so much, as ambit and the server see it: what is
// kept lies further back, or further ahead, and AWS's clock stands still.
func jump(by time.Duration) func(*faultStory) {
	return func(f *faultStory) {
		must(f.t, f.server.Update(func(k *awstest.Knobs) { k.Skew = -int(by / time.Second) }))
		f.h.shift(by)
	}
}

const day = 24 * time.Hour

var faults = []fault{
	{name: "refused port", says: "cannot be reached: connection refused", soft: [2]int{0, 0}, begin: outage(awstest.Refused)},
	{name: "connection cut", says: "closed the connection without an answer", cold: 1, soft: [2]int{3, 3}, begin: outage(awstest.Reset)},
	{name: "silence", says: "did not answer in time", cold: 1, soft: [2]int{1, 3}, hangs: true, begin: outage(awstest.Silent)},
	{name: "trickle, 1 B/s", says: "did not finish its answer in time", cold: 1, soft: [2]int{1, 3}, hangs: true,
		begin: knob(func(k *awstest.Knobs) { k.Trickle = true })},
	{name: "500", says: "is out of order: 500", cold: 1, soft: [2]int{3, 3}, begin: refusal(500, "InternalFailure")},
	{name: "503", says: "is out of order: 503", cold: 1, soft: [2]int{3, 3}, begin: outage(awstest.Unavailable)},
	{name: "throttling", says: "Throttling", cold: 1, soft: [2]int{3, 3}, begin: refusal(400, "Throttling")},
	{name: "access denied", says: "AccessDenied", cold: 1, soft: [2]int{1, 1}, begin: refusal(403, "AccessDenied")},
	{name: "HTML", says: "answered with a web page", cold: 1, soft: [2]int{1, 3}, begin: outage(awstest.HTML)},
	{name: "truncated XML", says: "answer", cold: 1, soft: [2]int{1, 3}, begin: outage(awstest.Truncated)},
	{name: "random bytes", says: "not an answer of it", cold: 1, soft: [2]int{1, 3}, begin: outage(awstest.Garbage)},
	{name: "body of 1 GB", says: "more than 1 MiB", cold: 1, soft: [2]int{1, 3}, begin: outage(awstest.Huge)},
	{name: "redirect", says: "a redirect, which is not followed", cold: 1, soft: [2]int{1, 3}, begin: outage(awstest.Redirect)},
	{name: "proxy wants a password", says: "wants a password", cold: 1, soft: [2]int{1, 3}, begin: outage(awstest.ProxyAuth)},
	{name: "bad TLS", says: "not from an authority known here", soft: [2]int{0, 0},
		prepare: (*faultStory).front, begin: func(f *faultStory) { f.badTLS.Store(true) }, end: func(f *faultStory) { f.badTLS.Store(false) }},
	{name: "no such host", says: "sts.of-a-story.invalid", soft: [2]int{0, 0}, wrapper: (*faultStory).names,
		begin: func(f *faultStory) { f.hosts("127.0.0.1 localhost\n") },
		end:   func(f *faultStory) { f.hosts("127.0.0.1 localhost sts.of-a-story.invalid\n") }},
	{name: "expiration in the past", says: "already expired", cold: 1, soft: [2]int{1, 1}, begin: knob(func(k *awstest.Knobs) { k.Lifetime = -5 })},
	{name: "expiration absent", says: "not an answer of it", cold: 1, soft: [2]int{1, 1}, begin: knob(func(k *awstest.Knobs) { k.Expiration = "absent" })},
	{name: "expiration garbage", says: "not an answer of it", cold: 1, soft: [2]int{1, 3}, begin: knob(func(k *awstest.Knobs) { k.Expiration = "tomorrow" })},
	{name: "AWS's clock a day ahead", cold: 1, soft: [2]int{1, 1}, begin: knob(func(k *awstest.Knobs) { k.Skew = 86400 }), end: stays},
	{name: "AWS's clock a day behind", cold: 1, soft: [2]int{1, 1}, begin: knob(func(k *awstest.Knobs) { k.Skew = -86400 }), end: stays},
	{name: "own clock jumps ahead a day", cold: 1, soft: [2]int{0, 1}, begin: jump(day), end: jump(-day)},
	{name: "own clock jumps back a day", cold: 1, soft: [2]int{0, 1}, begin: jump(-day), end: jump(day)},
}

// faultStory is one fault in one shell.
type faultStory struct {
	fault
	t      *testing.T
	h      *house
	server *awstest.Server
	tm     *terminal
	table  *faultTable

	secrets   []string // all that were ever handed out
	badTLS    atomic.Bool
	hostsFile string // the file that stands in for /etc/hosts
}

// TestFaults plays every fault of the network, of STS and of the clocks four times
// at the prompts of one shell: where nothing is cached, while the credentials live,
// while they are due for a renewal, and when they have expired. The shells take
// turns: which of them asks makes no difference to the programs that answer.
func TestFaults(t *testing.T) {
	t.Parallel()
	seen := new(faultTable)
	t.Run("each", func(t *testing.T) {
		for i, f := range faults {
			in := shells[i%len(shells):][:1]
			if f.name == "refused port" {
				in = shells // STS is stopped and started again
			}
			for _, sh := range in {
				t.Run(f.name+"/"+string(sh), func(t *testing.T) {
					t.Parallel()
					need(t, string(sh))
					(&faultStory{fault: f, t: t, table: seen}).play(sh)
				})
			}
		}
	})
	t.Log(seen)
}

func (f *faultStory) play(sh shell) {
	f.h = newHouse(f.t)
	f.server = f.h.cloud()
	f.h.write("secrets/oidc-token", tokenCanary+"\n")
	if f.end == nil {
		f.end = healthy
	}
	if f.prepare != nil {
		f.prepare(f)
	}
	f.open(sh)
	before := f.keys()

	// Cold. The status of the last command is the user's, whatever happens.
	f.begin(f)
	out, calls, took := f.prompt("cd shop; sh -c 'exit 7'", 7, networkPrompt)
	if f.says == "" {
		f.wantLine(out, `ambit: shop/dev loaded (+6) · credentials for 59m`)
		f.alive("cold")
	} else {
		f.wantError(out)
		f.dead("cold")
	}
	f.wantCalls("cold", calls, f.cold, f.cold)
	f.table.add(f, "cold", out, calls, took)
	f.quiet("cold")

	// A person who asks is answered, once it is over.
	f.end(f)
	out, _, _ = f.prompt("ambit reload", 0, networkPrompt)
	if !strings.Contains(out, "· credentials for 59m\n") {
		f.t.Fatalf("%s: reload says %q", sh, out)
	}
	first := f.alive("after a reload")

	// Live: nobody notices.
	f.begin(f)
	out, calls, took = f.prompt("sh -c 'exit 7'", 7, networkPrompt)
	f.wantCalls("live", calls, 0, f.soft[1]*jumps(f))
	f.nothing("live", out)
	f.table.add(f, "live", out, calls, took)
	f.quiet("live")
	f.alive("live")
	f.end(f)
	f.settle()

	// Due: served as before, while a renewal fails, or not, behind its back.
	old := f.alive("before the renewal")
	f.h.soften()
	f.begin(f)
	sofar := assumed(f.server)
	out, _, took = f.prompt("sh -c 'exit 7'", 7, freePrompt*time.Duration(1+3*jumps(f)))
	f.nothing("due", out)
	if jumps(f) == 0 {
		f.unchanged("due", f.keys(), old)
	}
	if f.hangs {
		f.called(sofar + 1)
		f.quiet("due, while a call hangs")
		f.end(f)
	}
	f.h.left(patience, f.tm.pid())
	calls = assumed(f.server) - sofar
	f.wantCalls("due", calls, f.soft[0], f.soft[1])
	f.quietly("due, after the renewal")
	f.table.add(f, "due", out, calls, took)
	if f.says == "" || f.hangs {
		f.alive("after a renewal")
	} else {
		f.unchanged("after the renewal failed", f.alive("after the renewal failed"), old)
	}
	f.end(f)
	f.settle()

	// Expired, as after a night: gone, with one line, and back by itself.
	f.h.shift(2 * time.Hour)
	f.begin(f)
	out, calls, took = f.prompt("sh -c 'exit 7'", 7, networkPrompt)
	f.wantCalls("expired", calls, f.cold, f.cold)
	f.table.add(f, "expired", out, calls, took)
	if f.says == "" {
		f.nothing("expired", out)
		f.alive("expired")
	} else {
		f.wantError(out)
		f.dead("expired")
	}
	f.quiet("expired")
	f.end(f)
	if f.says != "" {
		f.h.shift(10 * time.Minute) // the longest back-off
		out, _, _ = f.prompt("", -1, freePrompt)
		f.h.left(patience, f.tm.pid())
		again, _, _ := f.prompt("", -1, freePrompt)
		if n := strings.Count(out+again, "ambit: "); n != 1 || !strings.Contains(again, "loaded (+6) · credentials for 59m\n") {
			f.t.Errorf("%s: it comes back with %q and %q\n%s", sh, out, again, f.tm.transcript())
		}
		if last := f.alive("back"); last["AWS_ACCESS_KEY_ID"] == first["AWS_ACCESS_KEY_ID"] {
			f.t.Errorf("%s: the expired key is back", sh)
		}
	}

	// Nothing is left, and nothing was shown.
	f.prompt("cd ~", 0, freePrompt)
	f.tm.same("after leaving", f.keys(), before)
	if r := f.h.run("home/shop", built+"/ambit", "status"); r.status != 0 {
		f.t.Errorf("%s: status: %+v", sh, r)
	}
	f.secrets = append(f.secrets, tokenCanary)
	for i, secret := range f.secrets {
		if strings.Contains(f.tm.transcript(), secret) {
			f.t.Errorf("%s: secret %d of %d is on the terminal", sh, i, len(f.secrets))
		}
	}
	f.h.unlocked()
}

// jumps is 1 if the fault moves the machine's own clock, which makes all that is
// kept doubtful, else 0.
func jumps(f *faultStory) int {
	if strings.HasPrefix(f.name, "own clock") {
		return 1
	}
	return 0
}

func (f *faultStory) open(sh shell) {
	var wrapper []string
	if f.wrapper != nil {
		wrapper = f.wrapper(f)
	}
	rc := rcFile[sh]
	f.h.write(rc.name, rc.text+rc.hook)
	if f.h.user != nil {
		f.h.chown()
	}
	f.tm = f.h.start(sh, append(wrapper, need(f.t, string(sh)), "-i")...)
	f.tm.prompted()
}

// prompt types a line and measures until the next prompt is there. A status of -1 is
// any.
func (f *faultStory) prompt(line string, status int, within time.Duration) (out string, calls int, took time.Duration) {
	f.t.Helper()
	before, start := assumed(f.server), time.Now()
	out, got := f.tm.run(line)
	took = time.Since(start)
	if status >= 0 && got != status {
		f.t.Errorf("%s: after %q $? is %d, not %d\n%s", f.tm.shell, line, got, status, f.tm.transcript())
	}
	if took > within {
		f.t.Errorf("%s: the prompt after %q took %s\n%s", f.tm.shell, line, took, f.tm.transcript())
	}
	return out, assumed(f.server) - before, took
}

// quiet wants prompts that say nothing and ask nobody.
func (f *faultStory) quiet(when string) {
	f.t.Helper()
	calls := assumed(f.server)
	f.quietly(when)
	if n := assumed(f.server) - calls; n != 0 && !strings.HasPrefix(when, "due") {
		f.t.Errorf("%s: %s: %d more calls", f.tm.shell, when, n)
	}
}

func (f *faultStory) quietly(when string) {
	f.t.Helper()
	for range 2 {
		out, _, _ := f.prompt("", -1, freePrompt)
		f.nothing(when, out)
	}
}

func (f *faultStory) nothing(when, out string) {
	f.t.Helper()
	if out != "" {
		f.t.Errorf("%s: %s: a prompt says %q", f.tm.shell, when, out)
	}
}

func (f *faultStory) wantLine(out, want string) {
	f.t.Helper()
	if out != want+"\n" {
		f.t.Errorf("%s: got %q, want %q", f.tm.shell, out, want)
	}
}

// wantError wants one error and at most a hint, and nothing else but that the
// environment is unloaded.
func (f *faultStory) wantError(out string) {
	f.t.Helper()
	if !strings.Contains(out, f.says) || strings.Count(out, "ambit: error: ") != 1 || strings.Count(out, "ambit: hint: ") > 1 ||
		strings.Count(out, "\n") > 3 || strings.Contains(strings.TrimSuffix(out, "\n"), "\x1b") {
		f.t.Errorf("%s: got %q, want one error with %q", f.tm.shell, out, f.says)
	}
}

func (f *faultStory) wantCalls(when string, got, least, most int) {
	f.t.Helper()
	if got < least || got > most {
		f.t.Errorf("%s: %s: %d calls, want %d to %d\n%s", f.tm.shell, when, got, least, most, f.tm.transcript())
	}
}

// called waits until the server has had so many calls.
func (f *faultStory) called(n int) {
	f.t.Helper()
	for deadline := time.Now().Add(patience); assumed(f.server) < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Fatalf("%s: %d calls, want %d", f.tm.shell, assumed(f.server), n)
		}
	}
}

// settle lets what is in the background end, and forgets its failure.
func (f *faultStory) settle() {
	f.t.Helper()
	f.h.left(patience, f.tm.pid())
	if r := f.h.run("home/shop", built+"/ambit", "reload"); r.status != 0 {
		f.t.Fatalf("reload: %+v", r)
	}
	f.prompt("", -1, networkPrompt)
}

// family are the variables of a login.
var family = []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"}

// keys is the environment of a child that is started now. It comes through a pipe:
// not all stories can write files.
func (f *faultStory) keys() map[string]string {
	f.t.Helper()
	env := f.tm.piped()
	for _, name := range family[1:3] {
		if v := env[name]; v != "" && !slices.Contains(f.secrets, v) {
			f.secrets = append(f.secrets, v)
		}
	}
	return env
}

// alive wants credentials that AWS accepts now.
func (f *faultStory) alive(when string) map[string]string {
	f.t.Helper()
	env := f.keys()
	accepted(f.t, f.server, env, f.tm, when)
	return env
}

// accepted asks AWS who a child's variables are.
func accepted(t testing.TB, server *awstest.Server, env map[string]string, tm *terminal, when string) {
	t.Helper()
	knobs := server.Knobs()
	// The fault is between ambit and AWS; the question whether AWS knows the keys is not.
	must(t, server.Update(func(k *awstest.Knobs) { k.Outage, k.Trickle, k.Slow, k.Next = awstest.Up, false, 0, awstest.Next{} }))
	client := sts.New(sts.Options{Region: "eu-central-1", BaseEndpoint: &server.URL,
		// A wrong clock is corrected by a second attempt, for which there is no wait.
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}),
		Credentials: awscredentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"])})
	out, err := client.GetCallerIdentity(context.Background(), nil)
	must(t, server.Update(func(k *awstest.Knobs) {
		k.Outage, k.Trickle, k.Slow, k.Next = knobs.Outage, knobs.Trickle, knobs.Slow, knobs.Next
	}))
	if err != nil || !strings.Contains(*out.Arn, ":assumed-role/") {
		t.Fatalf("%s: %s: AWS does not take the keys that a child got: %v\n%s", tm.shell, when, err, tm.transcript())
	}
}

// dead wants no credentials at all.
func (f *faultStory) dead(when string) {
	f.t.Helper()
	env := f.keys()
	for _, name := range family {
		if _, set := env[name]; set {
			f.t.Errorf("%s: %s: %s is still set\n%s", f.tm.shell, when, name, f.tm.transcript())
		}
	}
}

// unchanged wants the credentials that were there before.
func (f *faultStory) unchanged(when string, got, want map[string]string) {
	f.t.Helper()
	for _, name := range family {
		if got[name] != want[name] {
			f.t.Errorf("%s: %s: %s changed", f.tm.shell, when, name)
		}
	}
}

// piped is the environment of a child, through a pipe.
func (tm *terminal) piped() map[string]string {
	tm.t.Helper()
	pipe := tm.h.path("environ-pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err == nil && tm.h.user != nil {
		must(tm.t, os.Chown(pipe, int(tm.h.user.Uid), int(tm.h.user.Gid)))
	}
	// Read and write, so that neither side waits for the other to open it.
	file, err := os.OpenFile(pipe, os.O_RDWR|syscall.O_NONBLOCK, 0)
	must(tm.t, err)
	defer file.Close()
	var text strings.Builder
	var group sync.WaitGroup
	group.Go(func() {
		buffer := make([]byte, 64<<10)
		for !strings.HasSuffix(text.String(), "\x00end\n") {
			must(tm.t, file.SetReadDeadline(time.Now().Add(patience)))
			n, err := file.Read(buffer)
			text.Write(buffer[:n])
			if err != nil {
				return
			}
		}
	})
	out, _ := tm.run("sh -c 'env -0; echo end' >" + pipe)
	group.Wait()
	list, whole := strings.CutSuffix(text.String(), "\x00end\n")
	if !whole {
		tm.t.Fatalf("%s: no environment comes: %s\n%s", tm.shell, out, tm.transcript())
	}
	return parseEnviron(list)
}

// kept is the house's cache, which has to be usable.
func (h *house) kept() *cache.Dir {
	h.t.Helper()
	uid := os.Getuid()
	if h.user != nil {
		uid = int(h.user.Uid)
	}
	d, err := cache.Open(h.path("home/.cache/ambit"), uid)
	must(h.t, err)
	return d
}

// files of a room of the cache, without those of a writer.
func (h *house) files(room string) []string {
	h.t.Helper()
	entries, err := os.ReadDir(h.path("home/.cache/ambit/" + room))
	if err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}

func (h *house) lookup(name string) (string, bool) { v, set := h.env[name]; return v, set }

// rewrite changes the instants of all that is kept. Every shell then looks again.
func (h *house) rewrite(instant func(kind string, at *int64), age time.Duration) {
	h.t.Helper()
	d, now := h.kept(), time.Now()
	old := func(room, key string) {
		path := h.path("home/.cache/ambit/" + room + "/" + key)
		must(h.t, os.Chtimes(path, now.Add(-age), now.Add(-age)))
	}
	change := func(kind string, at *int64) {
		if *at != 0 {
			instant(kind, at)
		}
	}
	for _, key := range h.files("opens") {
		o := d.Opened(key, now.Add(48*time.Hour))
		if o == nil {
			h.t.Fatalf("%s cannot be read", key)
		}
		change("acquired", &o.Acquired)
		change("refresh", &o.RefreshAt)
		change("expires", &o.ExpiresAt)
		if o.Failure != nil {
			change("retry", &o.Failure.RetryAt)
		}
		must(h.t, d.PutOpened(key, o))
		old("opens", key)
	}
	for _, key := range h.files("entries") {
		e := d.Entry(key, now.Add(48*time.Hour), h.lookup)
		if e == nil {
			h.t.Fatalf("%s cannot be read, or was made from other variables", key)
		}
		change("created", &e.Created)
		change("refresh", &e.RefreshAt)
		change("expires", &e.ExpiresAt)
		for i := range e.Variables {
			change("expires", &e.Variables[i].ExpiresAt)
		}
		for i := range e.Credentials {
			change("refresh", &e.Credentials[i].RefreshAt)
			change("expires", &e.Credentials[i].ExpiresAt)
		}
		if e.Failure != nil {
			change("retry", &e.Failure.RetryAt)
		}
		must(h.t, d.PutEntry(key, e, now, h.lookup))
		old("entries", key)
	}
	if age < 0 {
		must(h.t, os.Chtimes(h.path("home/.cache/ambit/generation"), now.Add(-age), now.Add(-age)))
	} else {
		must(h.t, d.Touch(now))
	}
	if h.user != nil {
		h.chown()
	}
}

// shift lets time pass, for all that is kept: back by what is negative.
func (h *house) shift(by time.Duration) {
	h.t.Helper()
	h.rewrite(func(_ string, at *int64) { *at -= int64(by / time.Second) }, by)
}

// soften makes everything that lives due for a renewal.
func (h *house) soften() {
	h.t.Helper()
	now := time.Now().Unix()
	h.rewrite(func(kind string, at *int64) {
		if kind == "refresh" {
			*at = min(*at, now-1)
		}
	}, 0)
}

// unlocked wants no lock to be held, or not for long: a process that was started by
// one that was killed holds its locks until it becomes another program.
func (h *house) unlocked() {
	h.t.Helper()
	d := h.kept()
	for _, name := range h.files("locks") {
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if unlock, held := d.TryLock(strings.TrimSuffix(name, ".lock")); held {
				unlock()
				break
			}
			if time.Now().After(deadline) {
				h.t.Fatalf("the lock %s is held", name)
			}
		}
	}
}

// front puts TLS before the server, from an authority that the user knows, or not.
func (f *faultStory) front() {
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), r.Method, f.server.URL+"/", r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		req.Header = r.Header
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body) // a client that has left is not the test
	}))
	proxy.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of refused handshakes
	unknown := selfSigned(f.t)
	proxy.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if f.badTLS.Load() {
			return &tls.Config{Certificates: []tls.Certificate{unknown}}, nil
		}
		return nil, nil // as it is
	}}
	proxy.StartTLS()
	f.t.Cleanup(proxy.Close)
	f.h.env["AWS_ENDPOINT_URL_STS"] = proxy.URL
	f.h.env["AWS_CA_BUNDLE"] = f.h.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: proxy.Certificate().Raw})))
}

func selfSigned(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// names gives the shell an /etc/hosts of its own, which only root can.
func (f *faultStory) names() []string {
	if os.Geteuid() != 0 {
		f.t.Skip("skipped: only root can give a shell names of its own")
	}
	f.hostsFile = f.h.path("hosts")
	f.end(f)
	url := f.h.env["AWS_ENDPOINT_URL_STS"]
	f.h.env["AWS_ENDPOINT_URL_STS"] = strings.Replace(url, "127.0.0.1", "sts.of-a-story.invalid", 1)
	return []string{need(f.t, "unshare"), "-m", "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, f.hostsFile}
}

// hosts writes the shell's names; the file stays the same one, for it is mounted.
func (f *faultStory) hosts(text string) {
	must(f.t, os.WriteFile(f.hostsFile, []byte(text), 0o644))
}

// faultTable is what was seen, a line for each fault and situation.
type faultTable struct {
	mu   sync.Mutex
	rows [][]string
}

var said = regexp.MustCompile(`(?m)^ambit: (error: )?(.*)$`)

func (tb *faultTable) add(f *faultStory, when, out string, calls int, took time.Duration) {
	seen := "silent"
	if m := said.FindAllStringSubmatch(out, -1); len(m) > 0 {
		seen = m[0][2]
		for _, line := range m {
			if line[1] != "" {
				seen = line[2]
			}
		}
	}
	_, seen, _ = strings.Cut(": "+seen, ": ")
	if _, rest, found := strings.Cut(seen, "aws-login: "); found {
		seen = rest
	}
	seen = strings.ReplaceAll(seen, f.server.URL[len("http://"):], "HOST")
	if r := []rune(seen); len(r) > 90 {
		seen = string(r[:90]) + "…"
	}
	tb.row(f.name, when, string(f.tm.shell), fmt.Sprint(calls), took.Round(10*time.Millisecond).String(), seen)
}

func (tb *faultTable) row(cells ...string) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.rows = append(tb.rows, cells)
}

func (tb *faultTable) String() string {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	slices.SortStableFunc(tb.rows, func(a, b []string) int { return strings.Compare(a[0]+a[2], b[0]+b[2]) })
	var b strings.Builder
	b.WriteString("\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{{"fault", "when", "shell", "calls", "prompt", "seen"}}, tb.rows...) {
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t")) // into memory
	}
	_ = w.Flush()
	return b.String()
}
