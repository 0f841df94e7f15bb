package awstest

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answer holds a response until it is known how it is to be sent.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// faults serves next through the knobs: outage, delay, trickle and clock.
func (s *Server) faults(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.calls.Total++
		k := s.knobs.clone()
		s.mu.Unlock()

		// The body has to be read: the server notices a client that goes away
		// only then.
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))

		a := &answer{header: http.Header{}, status: http.StatusOK}
		if k.Outage == Up || k.Outage == Truncated {
			next.ServeHTTP(a, r)
		} else {
			s.count(s.requestOf(r, body))
		}
		if k.Slow > 0 && !pause(r, time.Duration(k.Slow)*time.Millisecond) {
			return
		}
		h := w.Header()
		h.Set("Date", s.clock().UTC().Format(http.TimeFormat))
		for name, values := range a.header {
			h[name] = values
		}

		switch k.Outage {
		case Reset, Refused: // refused: this one came while the port was closing
			panic(http.ErrAbortHandler)
		case Silent:
			<-r.Context().Done()
			return
		case Unavailable:
			w.WriteHeader(http.StatusServiceUnavailable)
			s.send(w, []byte("<ServiceUnavailableException/>\n"))
		case HTML:
			h.Set("Content-Type", "text/html; charset=utf-8")
			s.send(w, []byte("<!DOCTYPE html><html><head><title>Guest network</title></head><body><h1>Please accept our terms</h1></body></html>\n"))
		case Garbage:
			junk := make([]byte, 4096)
			_, _ = rand.Read(junk) // never fails
			s.send(w, junk)
		case Huge:
			_, hasPath := s.operationOf(r)
			s.sendHuge(w, hasPath)
		case Redirect:
			to := k.RedirectTo
			if to == "" {
				to = strings.Replace(s.URL, "127.0.0.1", "localhost", 1) + "/"
			}
			h.Set("Location", to)
			w.WriteHeader(http.StatusTemporaryRedirect)
		case ProxyAuth:
			h.Set("Proxy-Authenticate", "Basic realm=proxy")
			w.WriteHeader(http.StatusProxyAuthRequired)
		case Truncated:
			w.WriteHeader(a.status)
			s.send(w, a.body.Bytes()[:a.body.Len()/2])
		default:
			h.Set("Content-Length", strconv.Itoa(a.body.Len()))
			w.WriteHeader(a.status)
			if k.Trickle {
				s.trickle(w, r, a.body.Bytes())
			} else {
				s.send(w, a.body.Bytes())
			}
		}
	})
}

// pause waits, and reports whether the client waited too.
func pause(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// send writes p and counts what was taken; a client that leaves early is what
// some tests are about.
func (s *Server) send(w http.ResponseWriter, p []byte) bool {
	n, err := w.Write(p)
	s.mu.Lock()
	s.calls.Sent += int64(n)
	s.mu.Unlock()
	return err == nil
}

func (s *Server) trickle(w http.ResponseWriter, r *http.Request, p []byte) {
	for i := range p {
		if !s.send(w, p[i:i+1]) || http.NewResponseController(w).Flush() != nil || !pause(r, time.Second) {
			return
		}
	}
}

// sendHuge begins as a good answer would, so that a reader goes on.
func (s *Server) sendHuge(w http.ResponseWriter, asJSON bool) {
	const size = 1 << 30
	kind, head := "text/xml", fmt.Sprintf("<AssumeRoleResponse xmlns=%q><AssumeRoleResult><!--", namespace)
	if asJSON {
		kind, head = "application/json", `{"accessToken":"`
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(size))
	if !s.send(w, []byte(head)) {
		return
	}
	block := bytes.Repeat([]byte("x"), 1<<16)
	for left := size - len(head); left > 0; left -= len(block) {
		if !s.send(w, block[:min(left, len(block))]) {
			return
		}
	}
}
