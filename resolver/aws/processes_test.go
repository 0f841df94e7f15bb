package aws

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/aws/awstest"
	"ambit/resolver/cache"
)

const openerVariable = "AMBIT_TEST_AWS_OPENER" // an opener as JSON

// opener is what a process is to open.
type opener struct {
	Cache  string
	Inputs obj
}

// TestMain lets this binary be the process that opens.
func TestMain(m *testing.M) {
	if given := os.Getenv(openerVariable); given != "" {
		os.Exit(openOnce(given))
	}
	// Most of these tests wait, for seconds: more of them than there are processors
	// can do that beside each other.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	os.Exit(m.Run())
}

func openOnce(given string) int {
	var what opener
	if err := json.Unmarshal([]byte(given), &what); err != nil {
		fmt.Println(err)
		return 2
	}
	dir, err := cache.Open(what.Cache, os.Getuid())
	if err != nil {
		fmt.Println(err)
		return 2
	}
	o, err := New(Options{Cache: dir}).Open(context.Background(), &resolver.Call{
		Inputs: value(what.Inputs), File: "/x", Env: resolver.NewBaseline(os.Environ()), Now: time.Now,
		Patience: resolver.Person, // a hundred processes are more than two processors start in a prompt's time
	})
	if err != nil {
		fmt.Println(describe(err))
		return 1
	}
	fmt.Println(id(o))
	return 0
}

func (w *world) process(token string) *exec.Cmd {
	return w.processOf(oidc(obj{"file": token}))
}

func (w *world) processOf(inputs obj) *exec.Cmd {
	given, err := json.Marshal(opener{w.cache.Path(), inputs})
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{openerVariable + "=" + string(given)}
	for name, value := range w.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// TestHundredProcesses: a hundred processes at once and one of them, then its
// successor, killed with the lock in hand.
func TestHundredProcesses(t *testing.T) {
	w := newWorld(t)
	token := w.write("token", "token")
	w.knobs(func(k *awstest.Knobs) { k.Slow = 1500 })

	victim := w.process(token)
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); w.server.Calls().Total == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the first process asked nobody")
		}
	}
	var wg sync.WaitGroup
	answers := make([]string, 100)
	for i := range answers {
		wg.Go(func() {
			out, err := w.process(token).Output()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			answers[i] = strings.TrimSpace(string(out))
		})
	}
	time.Sleep(200 * time.Millisecond)
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // killed
	wg.Wait()
	if n := w.server.Calls().Total; n != 2 {
		t.Errorf("%d calls, want the victim's and one", n)
	}
	for _, a := range answers {
		if a != answers[0] {
			t.Fatalf("different keys: %s and %s", a, answers[0])
		}
	}
}
