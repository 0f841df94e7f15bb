// Package awstest is a loopback AWS: the part of it that hands out and checks
// credentials, with the XML shapes, error codes and texts of the real one. It
// verifies signatures, clocks and session tokens, keeps who was given what, and
// misbehaves on request, so that tests see what a user would see.
//
// [Start] opens two ports on the loopback interface: [Server.URL], the AWS
// endpoint, and [Server.ControlURL], where a test in another process turns the
// [Knobs] and reads the counts. Go tests call [Server.Update] and
// [Server.Calls] instead. The program fakeaws wraps it.
//
// The parts, all at [Server.URL], and how clients are led there:
//
//	STS                   AWS_ENDPOINT_URL_STS
//	SSO-OIDC, /authorize  AWS_ENDPOINT_URL_SSO_OIDC
//	SSO portal            AWS_ENDPOINT_URL_SSO
//	IMDSv2                AWS_EC2_METADATA_SERVICE_ENDPOINT
//	EKS pod               AWS_CONTAINER_CREDENTIALS_FULL_URI, with [ContainerPath] and [ContainerToken]
//	ECS task              [ContainerRelativeURI] at 169.254.170.2, which a test's dialer has to lead here
//	sign-in federation    /federation
//
// What it does not do: it evaluates no IAM policies (every valid caller may
// assume every role that is not deleted) and verifies no signature of an OIDC
// token.
package awstest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Account and the long-lived keys of its user "demo" exist in every server.
const (
	Account   = "123456789012"
	KeyID     = "AKIARZPUZDIKFIFAKE77"
	SecretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYFAKEAWSKEY"
)

// Options of a [Server].
type Options struct {
	Addr string           // of the AWS endpoint; "" is 127.0.0.1:0
	Now  func() time.Time // the true time, which Knobs.Skew falsifies; required
}

// Server is a running loopback AWS. Its methods are safe for concurrent use.
type Server struct {
	URL        string // of the AWS endpoint, "http://127.0.0.1:PORT"
	ControlURL string // of the control path, on a port that no outage closes

	now        func() time.Time
	control    *http.Server
	mux        *http.ServeMux       // of the endpoint, see parts
	operations map[string]operation // by the mux's pattern

	rotating  sync.Mutex // serialises making the keys of instances and containers
	listening sync.Mutex // serialises opening and closing the endpoint
	endpoint  *http.Server
	listener  net.Listener

	mu                       sync.Mutex
	knobs                    Knobs
	keys                     map[string]*principal // by access key id
	sso                      ssoState
	mfaCodes                 map[string]*shownCode // by serial number, space, code
	handouts                 map[string]*handout   // by ARN of the session
	imdsTokens, signinTokens map[string]time.Time  // when each expires
	calls                    Calls
	requests                 []Request
}

// Request is one call as it arrived, without what signs it.
type Request struct {
	Action string
	At     time.Time // by the true clock
	KeyID  string    // "" where the call is not signed
	Region string    // of the credential scope
	Host   string
	Form   url.Values // web identity tokens, codes and client secrets included: they are the tests' own
}

// Calls counts what arrived, refused and failed ones included.
type Calls struct {
	Total    int            `json:"total"` // every HTTP request, readable or not
	ByAction map[string]int `json:"byAction"`
	ByKey    map[string]int `json:"byKey"` // signed calls by access key id
	Sent     int64          `json:"sent"`  // bytes of bodies that clients took
}

// Start opens a server. Close ends it.
func Start(o Options) (*Server, error) {
	if o.Now == nil {
		return nil, errors.New("awstest: no clock given")
	}
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	s := &Server{now: o.Now, keys: map[string]*principal{}, mfaCodes: map[string]*shownCode{},
		handouts: map[string]*handout{}, imdsTokens: map[string]time.Time{}, signinTokens: map[string]time.Time{}}
	s.resetLocked()
	s.mux, s.operations = s.parts()

	controlListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("awstest: control: %w", err)
	}
	s.ControlURL = "http://" + controlListener.Addr().String()
	s.control = &http.Server{Handler: s.controlHandler()}
	go func() { _ = s.control.Serve(controlListener) }() // ends with Close

	l, err := net.Listen("tcp", o.Addr)
	if err != nil {
		_ = s.control.Close()
		return nil, fmt.Errorf("awstest: %w", err)
	}
	s.URL = "http://" + l.Addr().String()
	s.serve(l)
	return s, nil
}

// Close ends the server and cuts its connections.
func (s *Server) Close() {
	s.listening.Lock()
	defer s.listening.Unlock()
	if s.endpoint != nil {
		s.stop()
	}
	_ = s.control.Close()
}

// Calls returns the counts so far.
func (s *Server) Calls() Calls {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calls
	c.ByAction, c.ByKey = maps.Clone(c.ByAction), maps.Clone(c.ByKey)
	return c
}

// Requests returns the first thousand calls since the start or the last reset.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Reset forgets counts, knobs and everything issued; the user demo stays.
func (s *Server) Reset() error {
	s.mu.Lock()
	s.resetLocked()
	s.mu.Unlock()
	return s.follow(Up)
}

// ResetCalls sets the counts to zero.
func (s *Server) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = Calls{ByAction: map[string]int{}, ByKey: map[string]int{}}
	s.requests = nil
}

func (s *Server) resetLocked() {
	s.knobs = Knobs{MaxDuration: 3600}
	s.calls = Calls{ByAction: map[string]int{}, ByKey: map[string]int{}}
	s.requests = nil
	clear(s.keys)
	clear(s.mfaCodes)
	clear(s.handouts)
	clear(s.imdsTokens)
	clear(s.signinTokens)
	s.sso = newSSOState()
	s.keys[KeyID] = &principal{
		account: Account, keyID: KeyID, secret: SecretKey,
		arn: "arn:aws:iam::" + Account + ":user/demo", userID: "AIDAQYLPMN5HDEMODEMO1",
	}
}

// clock is the server's time: the true one and its skew.
func (s *Server) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now().Add(time.Duration(s.knobs.Skew) * time.Second)
}

// serve answers on l until the endpoint is closed. The caller holds no lock or
// s.listening.
func (s *Server) serve(l net.Listener) {
	srv := &http.Server{Handler: s.faults(s.mux)}
	s.endpoint, s.listener = srv, l
	go func() { _ = srv.Serve(l) }() // ends with Close or the outage
}

// stop closes the port and cuts what is open. The caller holds s.listening.
func (s *Server) stop() {
	// The listener too: a server that was not yet serving does not know it.
	_ = s.listener.Close()
	_ = s.endpoint.Close()
	s.endpoint, s.listener = nil, nil
}

// parts routes the endpoint: each operation at its path, STS at the root.
func (s *Server) parts() (*http.ServeMux, map[string]operation) {
	mux, byPattern := http.NewServeMux(), map[string]operation{}
	mux.HandleFunc("/", s.sts)
	for _, o := range operations() {
		mux.HandleFunc(o.path, s.handler(o))
		byPattern[o.path] = o
	}
	return mux, byPattern
}

func (s *Server) count(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls.ByAction[r.Action]++
	if r.KeyID != "" {
		s.calls.ByKey[r.KeyID]++
	}
	if len(s.requests) < 1000 {
		s.requests = append(s.requests, r)
	}
}

// newRequestID is a random UUID, the form of x-amzn-RequestId.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
