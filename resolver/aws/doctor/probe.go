package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"ambit/resolver/aws"
)

// The bounds of one request to find out how the network is.
const (
	dialTime = 3 * time.Second
	askTime  = 4 * time.Second
	maxBody  = 64 << 10 // bytes
)

// A probe is one unsigned request and what came of it.
type probe struct {
	url     *url.URL
	via     *proxy // nil: straight
	sent    time.Time
	took    time.Duration // until the head of the answer
	err     error
	dialled bool // the name is known, and a connection was tried
	met     bool // a connection was made

	status int
	header http.Header
	body   []byte
	chain  []*x509.Certificate // verified, the leaf first
	shown  []*x509.Certificate // not verified
}

// proxyRefusal is a proxy that opens no tunnel.
type proxyRefusal struct{ status int }

func (e *proxyRefusal) Error() string { return "the proxy answered " + http.StatusText(e.status) }

// how a probe is made.
type how struct {
	via   *proxy
	roots *x509.CertPool // nil: the system's
	at    time.Time      // that certificates are verified for; zero: now
}

// probe asks without a signature, follows no redirect and ends with its context,
// whatever hangs.
func (x *examination) probe(ctx context.Context, to *url.URL, how how) *probe {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	done := make(chan *probe, 1)
	go func() {
		defer cancel()
		done <- x.request(ctx, to, how)
	}()
	select {
	case p := <-done:
		return p
	case <-ctx.Done():
	}
	select { // what honours the context knows better why it failed
	case p := <-done:
		return p
	case <-time.After(grace / 2):
		return &probe{url: to, via: how.via, err: context.DeadlineExceeded}
	}
}

func (x *examination) request(ctx context.Context, to *url.URL, how how) *probe {
	p := &probe{url: to, via: how.via}
	var mu sync.Mutex // a dialler may go on after the request has ended
	var dialled, met bool
	verifyAt := x.Now
	if !how.at.IsZero() {
		verifyAt = func() time.Time { return how.at }
	}
	dialer := &net.Dialer{Timeout: dialTime}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			var dns *net.DNSError
			mu.Lock()
			dialled, met = dialled || !errors.As(err, &dns), met || err == nil
			mu.Unlock()
			if err != nil {
				return nil, err
			}
			return aws.Polite(conn), nil
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: how.roots, Time: verifyAt},
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxBody,
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
			if resp.StatusCode != http.StatusOK {
				return &proxyRefusal{resp.StatusCode}
			}
			return nil
		},
	}
	defer transport.CloseIdleConnections()
	if how.via != nil {
		transport.Proxy = http.ProxyURL(how.via.url)
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		p.err = err
		return p
	}
	p.sent = x.Now()
	resp, err := client.Do(req)
	p.took = x.Now().Sub(p.sent)
	mu.Lock()
	p.dialled, p.met = dialled, met
	mu.Unlock()
	if err != nil {
		var unverified *tls.CertificateVerificationError
		if errors.As(err, &unverified) {
			p.shown = unverified.UnverifiedCertificates
		}
		p.err = err
		return p
	}
	defer resp.Body.Close()
	p.status, p.header = resp.StatusCode, resp.Header
	if resp.TLS != nil && len(resp.TLS.VerifiedChains) > 0 {
		p.chain = resp.TLS.VerifiedChains[0]
	}
	// What the head says is enough where the body never ends.
	p.body, _ = io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return p
}

// answered says whether it was AWS, or what stands in for it, that answered.
func (p *probe) answered() bool {
	if p.err != nil || p.status < 200 {
		return false
	}
	if p.header.Get("X-Amzn-Requestid") != "" {
		return true
	}
	body := strings.TrimSpace(string(p.body))
	return !p.page() && (strings.Contains(body, "<ErrorResponse") || strings.Contains(body, "<GetCallerIdentityResponse"))
}

// page says whether the answer is one for people, or leads elsewhere.
func (p *probe) page() bool {
	head := strings.ToLower(strings.TrimSpace(string(p.body[:min(len(p.body), 512)])))
	return p.status >= 300 && p.status < 400 || strings.HasPrefix(head, "<!doctype html") || strings.HasPrefix(head, "<html") ||
		strings.HasPrefix(p.header.Get("Content-Type"), "text/html")
}

// date is the other side's clock when it answered; false if it does not say.
func (p *probe) date() (time.Time, bool) {
	if p.err != nil {
		return time.Time{}, false
	}
	at, err := http.ParseTime(p.header.Get("Date"))
	return at, err == nil
}
