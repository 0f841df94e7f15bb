package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"ambit/resolver/aws/awstest"
)

// The stories of ambit doctor. Each really sets up a fault, in a home and a shell of
// its own: the AWS CLI fails there, doctor names the cause first, and the fix, typed
// as it is printed, makes `aws sts get-caller-identity` succeed in that same shell.

// story is one fault.
type story struct {
	name string
	set  func(w *world) want
}

// want is what has to be seen of a fault.
type want struct {
	check    string   // regular expression of the first finding's
	status   string   // of it; "" is fail
	evidence []string // regular expressions of what it must hold
	fix      string   // regular expression that its fix must match, whole
	answers  string   // what a person types when the fix asks on its standard input
	typed    string   // and when it asks on the terminal
	also     []string // commands a person would type then, such as the values that no fix can know
	who      string   // part of the ARN that the AWS CLI is in the end; "" is the user demo
	works    bool     // the AWS CLI does not mind the fault
	unseen   bool     // the AWS CLI would take too long to fail
}

// finding is doctor's JSON: these four keys and no other.
type finding struct{ Check, Status, Evidence, Fix string }

// stories of all themes.
var stories = [][]story{
	keyStories, familyStories, orderStories, roleStories, regionStories, networkStories,
	motoStories, machineStories, webIdentityStories, ssoStories, fileStories, setupStories,
}

const examinationLimit = 15 * time.Second

func TestDoctorStories(t *testing.T) {
	shared := &house{build(t), startMoto(t)}
	var all []story
	names := map[string]bool{}
	for _, theme := range stories {
		for _, s := range theme {
			if names[s.name] {
				t.Errorf("two stories are called %q", s.name)
			}
			names[s.name] = true
			all = append(all, s)
		}
	}
	if len(all) < 40 {
		t.Errorf("only %d stories", len(all))
	}
	var groups sync.WaitGroup
	defer groups.Wait()
	group := func(name string, play func(t *testing.T)) { groups.Go(func() { t.Run(name, play) }) }
	group("fault", func(t *testing.T) {
		sideBySide(t, all, func(s story) string { return s.name }, func(t *testing.T, s story) { newWorld(t, shared).play(s) })
	})
	group("health", func(t *testing.T) {
		sideBySide(t, healthy, func(h health) string { return h.name }, func(t *testing.T, h health) { newWorld(t, shared).prove(h) })
	})
	group("input", func(t *testing.T) {
		sideBySide(t, slices.Concat(badInputs, hostileInputs), func(b badInput) string { return b.name }, func(t *testing.T, b badInput) { newWorld(t, shared).survive(b) })
	})
}

// turns are those of all stories: they wait most of the time, and not for the
// processor, which is what -parallel goes by.
var turns = make(chan struct{}, 6)

// sideBySide runs subtests as there are turns.
func sideBySide[T any](t *testing.T, all []T, name func(T) string, one func(*testing.T, T)) {
	var running sync.WaitGroup
	for _, item := range all {
		turns <- struct{}{}
		running.Go(func() {
			defer func() { <-turns }()
			t.Run(strings.ReplaceAll(name(item), " ", "_"), func(t *testing.T) { one(t, item) })
		})
	}
	running.Wait()
}

// house is what all stories share.
type house struct {
	built string // directory of the programs under test
	moto  func() *moto
}

// build makes the programs under test and returns their directory.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", dir+"/", "ambit/cmd/ambit", "ambit/cmd/ambit-hook")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return dir
}

// play sets up the fault, sees that it is one, asks doctor, and does what it says.
func (w *world) play(s story) {
	w.t.Helper()
	wanted := s.set(w)
	w.open()
	if wanted.status == "" {
		wanted.status = "fail"
	}
	findings := w.doctor()
	if len(findings) == 0 {
		w.t.Fatal("doctor finds nothing")
	}
	first := findings[0]
	if wanted.status == "warn" {
		// It comes with no failure; what else is worth knowing may come before it.
		for _, f := range findings {
			if f.Status == "warn" && f.Check == wanted.check && first.Check != wanted.check {
				first = f
			}
		}
		if findings[0].Status == "fail" {
			w.t.Errorf("something failed:\n%s", listed(findings))
		}
	}
	if !regexp.MustCompile(`^(?:`+wanted.check+`)$`).MatchString(first.Check) || !regexp.MustCompile(`^(?:`+wanted.status+`)$`).MatchString(first.Status) {
		w.t.Fatalf("wanted %s %s first, got\n%s", wanted.status, wanted.check, listed(findings))
	}
	for _, part := range wanted.evidence {
		if !regexp.MustCompile(part).MatchString(first.Evidence) {
			w.t.Errorf("the evidence lacks %q:\n%s", part, listed(findings))
		}
	}
	if !regexp.MustCompile(`^(?:` + wanted.fix + `)$`).MatchString(first.Fix) {
		w.t.Fatalf("the fix is %q, wanted %s\n%s", first.Fix, wanted.fix, listed(findings))
	}
	if !wanted.works && !wanted.unseen {
		if out, status := w.run("AWS_MAX_ATTEMPTS=1 aws sts get-caller-identity", ""); status == 0 {
			w.t.Errorf("it is no fault to the AWS CLI: %s", out)
		}
	}
	if first.Fix != "" {
		_, err := io.WriteString(w.shell.tty, wanted.typed)
		must(w.t, err)
		if out, status := w.run(first.Fix, wanted.answers); status != 0 {
			w.t.Errorf("the fix ends with %d: %s\n%s", status, first.Fix, out)
		}
	}
	for _, command := range wanted.also {
		if out, status := w.run(command, ""); status != 0 {
			w.t.Errorf("%s ends with %d\n%s", command, status, out)
		}
	}
	if wanted.who == "" {
		wanted.who = ":user/demo"
	}
	if out, status := w.run("aws sts get-caller-identity", ""); status != 0 || !strings.Contains(out, wanted.who) {
		w.t.Errorf("after %q the AWS CLI ends with %d, wanted %s: %s", first.Fix, status, wanted.who, out)
	}
}

// doctor runs `ambit doctor --format json` in the shell.
func (w *world) doctor(flags ...string) []finding {
	w.t.Helper()
	begun := time.Now()
	stdout, stderr, status := w.step(strings.Join(append([]string{"ambit doctor --format json"}, flags...), " "), "")
	if took := time.Since(begun); took > examinationLimit {
		w.t.Errorf("doctor took %v", took)
	}
	w.harmless(stdout)
	w.harmless(stderr)
	var findings []finding
	d := json.NewDecoder(strings.NewReader(stdout))
	d.DisallowUnknownFields()
	if err := d.Decode(&findings); err != nil {
		w.t.Fatalf("doctor ends with %d and no JSON: %v\n%s%s", status, err, stdout, stderr)
	}
	var raw []map[string]string
	must(w.t, json.Unmarshal([]byte(stdout), &raw))
	for _, keys := range raw {
		if len(keys) != 4 {
			w.t.Errorf("a finding lacks a key: %v", keys)
		}
	}
	failed := 0
	for _, f := range findings {
		if f.Status == "fail" {
			failed = 1
		}
		if f.Check == "" || f.Evidence == "" || f.Status != "ok" && f.Status != "warn" && f.Status != "fail" {
			w.t.Errorf("a finding without a check, a status or evidence: %+v", f)
		}
		if strings.Contains(f.Fix, "\n") {
			w.t.Errorf("a fix of several lines: %+v", f)
		}
		w.harmless(f.Evidence) // as jq -r prints it
		if strings.Contains(f.Evidence, "\n") {
			w.t.Errorf("a finding of several lines: %+v", f)
		}
	}
	if status != failed {
		w.t.Errorf("doctor ends with %d, wanted %d\n%s%s", status, failed, listed(findings), stderr)
	}
	return findings
}

// listed are the findings for the log of a failed test.
func listed(findings []finding) string {
	var b strings.Builder
	for _, f := range findings {
		if f.Status != "ok" {
			fmt.Fprintf(&b, "%-5s %-12s %s\n      fix: %s\n", f.Status, f.Check, f.Evidence, f.Fix)
		}
	}
	return b.String() + "all else is well\n"
}

// harmless fails if a text holds a part of a secret, or what a terminal would obey.
func (w *world) harmless(text string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, secret := range w.secrets {
		for i := 0; i+window <= len(secret); i++ {
			if strings.Contains(text, secret[i:i+window]) {
				w.t.Errorf("a part of a secret is printed: %q", text)
				return
			}
		}
	}
	for _, c := range text {
		if c < ' ' && c != '\n' && c != '\t' || c >= 0x7f && c < 0xa0 || c >= 0x200b && c <= 0x200f || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 || c == utf8.RuneError {
			w.t.Errorf("a raw %U is printed: %q", c, text)
			return
		}
	}
}

// window is how much of a secret would be too much: the last four may be seen.
const window = 9

// world is a home, an AWS, and a shell.
type world struct {
	t       *testing.T
	house   *house
	root    string // holds everything; canonical
	home    string
	env     map[string]string // of the shell
	path    []string          // of it, the first first
	aws     *awstest.Server
	land    *land    // networks of its own; nil: the machine's
	without []string // capabilities that even root lacks there
	rc      string   // lines of ~/.bashrc
	plays   map[string]func(args []string) string
	shell   *shell

	mu      sync.Mutex // the commands of administrators are played beside the test
	secrets []string   // that nobody may see
}

func newWorld(t *testing.T, h *house) *world {
	t.Helper()
	for _, program := range []string{"bash", "curl"} {
		need(t, program)
	}
	root, err := os.MkdirTemp("", "doctor-") // short: a socket stands there
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(root)) })
	root, err = filepath.EvalSymlinks(root)
	must(t, err)
	server, err := awstest.Start(awstest.Options{Now: time.Now})
	must(t, err)
	t.Cleanup(server.Close)
	w := &world{t: t, house: h, root: root, home: filepath.Join(root, "home"), aws: server, plays: map[string]func([]string) string{},
		secrets: []string{awstest.SecretKey}, rc: "eval \"$(ambit hook bash)\"\n"}
	bin := filepath.Join(root, "bin")
	for _, dir := range []string{w.home, bin, filepath.Join(root, "tmp")} {
		must(t, os.MkdirAll(dir, 0o700))
	}
	w.path = []string{h.built, bin, filepath.Dir(awsProgram(t)), "/usr/local/bin", "/usr/bin", "/bin"}
	w.env = map[string]string{
		"HOME": w.home, "TMPDIR": filepath.Join(root, "tmp"), "SHELL": need(t, "bash"), "TERM": "dumb", "LC_ALL": "C.UTF-8",
		// Who is told to edit a file makes of it what the story says.
		"EDITOR": "edit",
		"USER":   "someone", "LOGNAME": "someone", "AWS_PAGER": "", "PS1": "",
		// No story may reach beyond this machine.
		"AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL_STS":      server.URL,
		"AWS_REGION":                "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1",
	}
	return w
}

// awsProgram finds the AWS CLI, behind pyenv's stand-in for it, which starts two
// shells each time.
func awsProgram(t *testing.T) string {
	t.Helper()
	path := need(t, "aws")
	if out, err := exec.Command("pyenv", "which", "aws").Output(); err == nil {
		path = strings.TrimSpace(string(out))
	}
	return path
}

// need returns the path of a program, and skips the test without it, or fails it if
// AMBIT_TEST_REQUIRE=all.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, program+" is not installed")
	}
	return path
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("AMBIT_TEST_REQUIRE") == "all" {
		t.Fatal(what)
	}
	t.Skip("skipped: " + what)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write makes a file in the home with the directories above it, as private as the
// AWS CLI makes its own.
func (w *world) write(rel, text string) string {
	w.t.Helper()
	path := filepath.Join(w.home, rel)
	must(w.t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(w.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// secret notes what nobody may see and returns it.
func (w *world) secret(value string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.secrets = append(w.secrets, value)
	return value
}

// export gives the shell a set of keys; an empty token is none.
func (w *world) export(k keySet) {
	w.env["AWS_ACCESS_KEY_ID"], w.env["AWS_SECRET_ACCESS_KEY"] = k.id, k.secret
	if k.token != "" {
		w.env["AWS_SESSION_TOKEN"] = k.token
	}
}

// keySet is what AWS gives out.
type keySet struct{ id, secret, token string }

// section is a section of an INI file with a set of keys.
func (k keySet) section(name string) string {
	s := fmt.Sprintf("[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", name, k.id, k.secret)
	if k.token != "" {
		s += "aws_session_token = " + k.token + "\n"
	}
	return s
}

// demo are the long-lived keys that are in order.
var demo = keySet{awstest.KeyID, awstest.SecretKey, ""}

// beneath gives the home working keys that a fault in the environment shadows.
func (w *world) beneath() { w.write(".aws/credentials", demo.section("default")) }

// edited is what a person makes of the file that a fix has them edit.
func (w *world) edited(text string) { w.write("../edited", text) }

// user makes a user of another account.
func (w *world) user(account, name string) keySet {
	id, key := w.aws.AddUser(account, name)
	return keySet{id, w.secret(key), ""}
}

func (w *world) knobs(change func(*awstest.Knobs)) {
	w.t.Helper()
	must(w.t, w.aws.Update(change))
}

// admin says what a command does that only an administrator, or root, can type: it
// changes the stand-in for AWS or for the machine. The command is given as it
// begins.
func (w *world) admin(begins string, does func(args []string) string) { w.plays[begins] = does }

// adminKnobs is for commands whose effect is another AWS.
func (w *world) adminKnobs(begins string, change func(*awstest.Knobs)) {
	w.admin(begins, func([]string) string { w.knobs(change); return "" })
}
