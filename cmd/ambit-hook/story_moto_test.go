package main_test

import (
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startMoto starts a moto_server and returns its URL.
func startMoto(t *testing.T) string {
	t.Helper()
	program := need(t, "moto_server")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := l.Addr().String()
	must(t, l.Close())
	host, port, err := net.SplitHostPort(addr)
	must(t, err)
	cmd := exec.Command(program, "-H", host, "-p", port)
	// It may be started through another program; both are to end.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended
		<-ended
	})
	deadline := time.Now().Add(patience)
	for {
		resp, err := http.Get("http://" + addr + "/moto-api/data.json")
		if err == nil {
			b, err := io.ReadAll(resp.Body)
			must(t, err)
			must(t, resp.Body.Close())
			if resp.StatusCode == 200 && strings.HasPrefix(string(b), "{") {
				return "http://" + addr
			}
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("moto_server ended: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("moto_server does not answer: %v", err)
		}
	}
}
