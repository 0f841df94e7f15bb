package aws

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrNoVisit is that no browser has come for the address of [HandOver].
var ErrNoVisit = errors.New("no browser has asked for the address")

// HandOver leads a browser of this user to an address that holds a secret, such as
// one of [SigninURL]. What a browser is started with can be read by everybody on the
// machine, so open, which runs beside, is given another address: one on 127.0.0.1
// that redirects one visitor of this user, and is gone. HandOver returns when one was
// redirected, or with open's error, [ErrNoVisit] after the limit, or the cause of ctx's
// end.
func HandOver(ctx context.Context, address string, uid int, limit time.Duration, open func(address string) error) error {
	h := &handover{path: "/" + rand.Text(), to: address, uid: uid, sent: make(chan struct{})}
	server, err := serveLoopback(h)
	if err != nil {
		return err
	}
	defer server.close()
	opened := make(chan error, 1)
	go func() { opened <- open("http://127.0.0.1:" + server.port + h.path) }()
	late := time.NewTimer(limit)
	defer late.Stop()
	for {
		select {
		case <-h.sent:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-late.C:
			return ErrNoVisit
		case err := <-opened:
			if err != nil {
				return err
			}
			opened = nil // it has been started; it may still have to come
		}
	}
}

// handover redirects one visitor.
type handover struct {
	path, to string
	uid      int

	once sync.Once
	sent chan struct{} // closed when somebody was redirected
}

func (h *handover) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	first := false
	if r.Method == http.MethodGet && subtle.ConstantTimeCompare([]byte(r.URL.Path), []byte(h.path)) == 1 && h.ours(r) {
		h.once.Do(func() { first = true })
	}
	if !first {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Location", h.to)
	w.WriteHeader(http.StatusFound)
	close(h.sent)
}

// ours says whether a request is from this user. The address stands on a command
// line, so another user could be quicker than the browser. Where the system does not
// tell, it is ours.
func (h *handover) ours(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return true
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(table)
		if err == nil && !onlyBy(string(b), r.RemoteAddr, local.String(), h.uid) {
			return false
		}
	}
	return true
}

// onlyBy says whether no connection between the ports of two addresses belongs to
// another user than uid or root (who forwards WSL's), by a table of proc_net_tcp(5).
func onlyBy(table, from, to string, uid int) bool {
	fromPort, toPort := hexPort(from), hexPort(to)
	for line := range strings.Lines(table) {
		f := strings.Fields(line) // sl local remote st queues timer retrnsmt uid …
		if len(f) < 8 || !strings.HasSuffix(f[1], fromPort) || !strings.HasSuffix(f[2], toPort) {
			continue
		}
		if f[7] != "0" && f[7] != strconv.Itoa(uid) {
			return false
		}
	}
	return true
}

// hexPort is the port of an address as the kernel's tables write it: ":1F90".
func hexPort(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return ":"
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return ":"
	}
	return ":" + strings.ToUpper(strconv.FormatUint(1<<16|n, 16)[1:])
}
