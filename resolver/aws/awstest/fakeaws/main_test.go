package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRunUntilStdinCloses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "urls")
	stdin, closer := io.Pipe()
	done := make(chan error, 1)
	var stdout strings.Builder
	go func() {
		done <- run(context.Background(), []string{"--port-file", file, "--stdin", "--knobs", `{"lifetime":20}`}, stdin, &stdout, io.Discard)
	}()
	var urls []string
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if b, err := os.ReadFile(file); err == nil {
			urls = strings.Fields(string(b))
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no port file")
		}
	}
	if len(urls) != 2 {
		t.Fatalf("port file holds %q", urls)
	}
	resp, err := http.Get(urls[1] + "/knobs")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); !strings.Contains(string(b), `"lifetime":20`) {
		t.Errorf("knobs %s", b)
	}
	if resp, err = http.Get(urls[0]); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	_ = closer.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if stdout.String() != urls[0]+"\n"+urls[1]+"\n" {
		t.Errorf("printed %q", stdout.String())
	}
	if _, err := http.Get(urls[0]); err == nil {
		t.Error("still answers after the end")
	}
}

func TestRunRefusesNonsense(t *testing.T) {
	for _, args := range [][]string{{"x"}, {"--nonsense"}, {"--knobs", "{"}, {"--knobs", `{"typo":1}`}, {"--addr", "256.0.0.1:x"}} {
		if err := run(context.Background(), args, strings.NewReader(""), io.Discard, io.Discard); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}
