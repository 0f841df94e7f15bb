package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ambit/resolver/aws/awstest"
)

// canary is part of every secret of the stories: it may be printed only where a
// story asks for it.
const canary = "c4n4ry"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"ambit": func() {
			for _, kv := range os.Environ() {
				if name, ok := strings.CutSuffix(kv, "="+unset); ok {
					os.Unsetenv(name)
				}
			}
			os.Exit(run(gather(clock)))
		},
	})
}

// unset stands in for a variable that is not there: testscript can only set.
const unset = "(unset by the prompt)"

// clock is the true time, or as much later as a story says.
func clock() time.Time {
	later, err := time.ParseDuration(os.Getenv("STORY_LATER"))
	if err != nil {
		return time.Now()
	}
	return time.Now().Add(later)
}

type stsKey struct{}

func TestScript(t *testing.T) {
	for _, tool := range []string{"bash", "zsh", "fish", "git", "curl"} {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if os.Getenv("AMBIT_TEST_REQUIRE") == "all" {
			t.Errorf("%s is not installed", tool)
		} else {
			t.Logf("%s is not installed: the lines of the stories that need it are skipped", tool)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			sts, err := awstest.Start(awstest.Options{Now: time.Now})
			if err != nil {
				return err
			}
			env.Defer(sts.Close)
			env.Values[stsKey{}] = sts
			home := env.WorkDir + "/home"
			for _, kv := range [][2]string{
				{"HOME", home}, {"AWS_ENDPOINT_URL_STS", sts.URL}, {"STS_CONTROL", sts.ControlURL},
				{"AWS_EC2_METADATA_DISABLED", "true"}, {"CANARY", canary},
				{"STORES", home + "/.config/ambit/environments"},
				{"GORACE", os.Getenv("GORACE")}, // a program with -race sleeps for a second before it exits
			} {
				env.Setenv(kv[0], kv[1])
			}
			return os.MkdirAll(home, 0o700)
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sts":    stsCommand,
			"touch":  touchCommand,
			"prompt": promptCommand,
			"quiet":  quietCommand,
			"json":   jsonCommand,
		},
	})
}

// sts calls ACTION N: so many calls of ACTION have reached STS.
// sts await ACTION: wait until there was one.
// sts knobs JSON: change how STS behaves.
func stsCommand(ts *testscript.TestScript, neg bool, args []string) {
	sts := ts.Value(stsKey{}).(*awstest.Server)
	switch {
	case len(args) == 3 && args[0] == "calls":
		got := fmt.Sprint(sts.Calls().ByAction[args[1]])
		if (got == args[2]) == neg {
			ts.Fatalf("STS has seen %s calls of %s, wanted %s", got, args[1], args[2])
		}
	case len(args) == 2 && args[0] == "await" && !neg:
		for range 1000 {
			if sts.Calls().ByAction[args[1]] > 0 {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		ts.Fatalf("no call of %s has reached STS", args[1])
	case len(args) == 2 && args[0] == "knobs" && !neg:
		ts.Check(sts.SetKnobs([]byte(args[1])))
	default:
		ts.Fatalf("usage: sts calls ACTION N | sts await ACTION | sts knobs JSON")
	}
}

// touch FILE AGE: give a file the mtime of so long ago, so that a check is armed
// for it at once.
func touchCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || neg {
		ts.Fatalf("usage: touch FILE AGE")
	}
	age, err := time.ParseDuration(args[1])
	ts.Check(err)
	at := time.Now().Add(-age)
	ts.Check(os.Chtimes(ts.MkAbs(args[0]), at, at))
}

// prompt: ask as a shell does at a prompt, and take over what it is told. It is
// the model of a shell that the stories about commands need; the stories about
// shells have real ones.
func promptCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 0 || neg {
		ts.Fatalf("usage: prompt")
	}
	ts.Setenv("PWD", ts.MkAbs("."))
	err := ts.Exec("ambit", "export", "bash")
	stdout, stderr := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	if err != nil {
		ts.Fatalf("ambit export: %v\n%s", err, stderr)
	}
	if !strings.HasSuffix(stdout, "#ambit:ok\n") {
		ts.Fatalf("the answer is not whole: %q", stdout)
	}
	for line := range strings.Lines(stdout) {
		words := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 3)
		switch {
		case words[0] == "__ambit_set" && len(words) == 3:
			ts.Setenv(words[1], unquote(ts, words[2]))
		case words[0] == "__ambit_unset" && len(words) == 2:
			ts.Setenv(words[1], unset)
		}
	}
}

func unquote(ts *testscript.TestScript, word string) string {
	body, ok := strings.CutPrefix(word, "$'")
	body, closed := strings.CutSuffix(body, "'")
	if !ok || !closed {
		ts.Fatalf("not a quoted word: %q", word)
	}
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			b.WriteByte(body[i])
			continue
		}
		var c byte
		for _, digit := range []byte(body[i+1 : i+4]) {
			c = c<<3 | (digit - '0')
		}
		b.WriteByte(c)
		i += 3
	}
	return b.String()
}

// quiet: neither stdout nor stderr of the last command holds a secret.
func quietCommand(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range []string{"stdout", "stderr"} {
		if found := strings.Contains(ts.ReadFile(name), canary); found != neg {
			ts.Fatalf("%s: a secret in it: %v", name, found)
		}
	}
}

// json PATH WANT: the last stdout is JSON, and the value at a dotted path has
// this text.
func jsonCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: json PATH WANT")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for key := range strings.SplitSeq(args[0], ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[key]
		case []any:
			var i int
			_, err := fmt.Sscan(key, &i)
			ts.Check(err)
			if v = nil; i < len(node) {
				v = node[i]
			}
		default:
			v = nil
		}
	}
	got := "absent"
	if v != nil {
		got = fmt.Sprint(v)
	}
	if (got == args[1]) == neg {
		ts.Fatalf("%s is %q, wanted %q", args[0], got, args[1])
	}
}
