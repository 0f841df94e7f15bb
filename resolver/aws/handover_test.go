package aws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var plainClient = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Of many visitors one is redirected, however close together they come.
func TestHandOverOnce(t *testing.T) {
	const to = "https://signin.example/federation?SigninToken=c4n4ry"
	var redirected, refused atomic.Int64
	var shown string
	var visits sync.WaitGroup
	err := HandOver(context.Background(), to, os.Geteuid(), 10*time.Second, func(address string) error {
		shown = address
		for range 20 {
			visits.Go(func() {
				resp, err := plainClient.Get(address)
				if err != nil {
					return // the server is gone
				}
				resp.Body.Close()
				switch {
				case resp.StatusCode == http.StatusFound && resp.Header.Get("Location") == to:
					redirected.Add(1)
				case resp.StatusCode == http.StatusNotFound:
					refused.Add(1)
				default:
					t.Errorf("status %d", resp.StatusCode)
				}
			})
		}
		visits.Wait()
		return nil
	})
	visits.Wait()
	if err != nil || redirected.Load() != 1 {
		t.Errorf("%d redirected, %d refused, %v", redirected.Load(), refused.Load(), err)
	}
	if strings.Contains(shown, "c4n4ry") {
		t.Errorf("%s shows the secret", shown)
	}
	if resp, err := plainClient.Get(shown); err == nil {
		resp.Body.Close()
		t.Error("it still listens")
	}
}

func TestHandOverEnds(t *testing.T) {
	idle := func(string) error { return nil }
	if err := HandOver(context.Background(), "https://x", 0, 50*time.Millisecond, idle); !errors.Is(err, ErrNoVisit) {
		t.Errorf("nobody came: %v", err)
	}
	broken := errors.New("broken")
	if err := HandOver(context.Background(), "https://x", 0, 10*time.Second, func(string) error { return broken }); err != broken {
		t.Errorf("no browser: %v", err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cause := errors.New("Ctrl-C")
	if err := HandOver(ctx, "https://x", 0, 10*time.Second, func(string) error { cancel(cause); return nil }); err != cause {
		t.Errorf("given up: %v", err)
	}
	hang := make(chan struct{})
	defer close(hang)
	if err := HandOver(context.Background(), "https://x", 0, 50*time.Millisecond, func(string) error { <-hang; return nil }); !errors.Is(err, ErrNoVisit) {
		t.Errorf("a browser that hangs: %v", err)
	}
}

// Another user of the machine, who has read the command line, is not redirected, and
// takes nothing from the browser.
func TestHandOverForeign(t *testing.T) {
	row := func(local, remote, uid string) string {
		return fmt.Sprintf("   7: 0100007F:%s 0100007F:%s 01 00000000:00000000 00:00000000 00000000 %5s        0 1234 1 0000000000000000 20 4 30 10 -1\n", local, remote, uid)
	}
	const header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	for _, test := range []struct {
		table string
		want  bool
	}{
		{header, true},
		{header + row("1F90", "0050", "1000"), true},
		{header + row("1F90", "0050", "0"), true},
		{header + row("1F90", "0050", "1001"), false},
		{header + row("0050", "1F90", "1000") + row("1F90", "0050", "1001"), false},
		{header + row("1F91", "0050", "1001"), true}, // another connection
		{header + row("1F90", "0051", "1001"), true},
		{"garbage\n1F90 0050\n", true},
	} {
		if got := onlyBy(test.table, "127.0.0.1:8080", "127.0.0.1:80", 1000); got != test.want {
			t.Errorf("%v for\n%s", got, test.table)
		}
	}
	// The kernel's own table has our connections as we read it.
	if _, err := os.Stat("/proc/net/tcp"); err != nil {
		t.Skip("skipped: there is no /proc/net/tcp here")
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	local, remote := hexPort(c.LocalAddr().String()), hexPort(l.Addr().String())
	found := false
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if strings.HasSuffix(f[1], local) && strings.HasSuffix(f[2], remote) {
			found = f[7] == fmt.Sprint(os.Geteuid())
		}
	}
	if !found {
		t.Errorf("no row from %s to %s of ours in\n%s", local, remote, b)
	}
}
