package aws

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
)

const (
	maxAnswer = 1 << 20  // bytes of a body over which an answer is refused
	maxHead   = 64 << 10 // bytes of a body that are kept to tell what it is
)

var errTooLarge = errors.New("the answer is larger than 1 MiB")

// httpClient talks to one service during one call and remembers the last answer,
// so that an error can say what it was. It follows no redirect: nobody but the
// configured host sees what is signed.
type httpClient struct {
	limits limits
	bundle func() (path string, pem []byte, err error) // extra certificates, read when a socket is opened

	once   sync.Once
	client *http.Client
	broken error

	mu   sync.Mutex
	host string
	last *answer
}

// answer is what came back to the last request.
type answer struct {
	status      int
	contentType string
	head        bytes.Buffer
	size        int64
	err         error // of reading the body
}

// Do implements the SDK's HTTPClient.
func (c *httpClient) Do(req *http.Request) (*http.Response, error) {
	c.once.Do(c.build)
	c.mu.Lock()
	c.host, c.last = req.URL.Host, nil
	c.mu.Unlock()
	if c.broken != nil {
		return nil, c.broken
	}
	if req.Body != nil && req.Body != http.NoBody {
		// Once the SDK has closed its body, that body's WriteTo returns io.EOF:
		// net/http takes it for a failure to send and cuts off the answer.
		req.Body = struct{ io.ReadCloser }{req.Body}
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	a := &answer{status: resp.StatusCode, contentType: resp.Header.Get("Content-Type")}
	c.mu.Lock()
	c.last = a
	c.mu.Unlock()
	resp.Body = &body{ReadCloser: resp.Body, answer: a, mu: &c.mu}
	return resp, nil
}

func (c *httpClient) build() {
	// http.DefaultTransport's other settings do not matter to a single request.
	transport := &http.Transport{
		Proxy:               proxyFor,
		DialContext:         dial(&net.Dialer{Timeout: c.limits.dial}),
		TLSHandshakeTimeout: c.limits.call,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		DisableKeepAlives:   true,
		OnProxyConnectResponse: func(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
			if resp.StatusCode != http.StatusOK {
				return &proxyError{proxy.Host, resp.StatusCode}
			}
			return nil
		},
	}
	if c.bundle != nil {
		path, pem, err := c.bundle()
		if err != nil {
			c.broken = &bundleError{path, err}
			return
		}
		if pem != nil {
			roots, err := x509.SystemCertPool()
			if err != nil {
				roots = x509.NewCertPool()
			}
			if !roots.AppendCertsFromPEM(pem) {
				c.broken = &bundleError{path, errors.New("holds no certificate")}
				return
			}
			transport.TLSClientConfig.RootCAs = roots
		}
	}
	c.client = &http.Client{
		Transport: transport, Timeout: c.limits.call,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func dial(d *net.Dialer) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return Polite(conn), nil
	}
}

// Polite makes a connection hear nothing before it has spoken: net/http would log
// what a server says unasked, byte for byte, to standard error.
func Polite(conn net.Conn) net.Conn {
	return &politeConn{Conn: conn, spoke: make(chan struct{})}
}

type politeConn struct {
	net.Conn
	once  sync.Once
	spoke chan struct{}
}

func (c *politeConn) speak() { c.once.Do(func() { close(c.spoke) }) }

func (c *politeConn) Read(p []byte) (int, error) {
	<-c.spoke
	return c.Conn.Read(p)
}

func (c *politeConn) Write(p []byte) (int, error) {
	c.speak()
	return c.Conn.Write(p)
}

func (c *politeConn) Close() error {
	c.speak()
	return c.Conn.Close()
}

// proxyFor follows the environment, but what this machine or its host offers it
// alone, instance metadata and container credentials, is no proxy's business.
func proxyFor(req *http.Request) (*url.URL, error) {
	if ip, err := netip.ParseAddr(req.URL.Hostname()); err == nil && (ip.IsLinkLocalUnicast() || ip.IsPrivate() && ip.Is6()) {
		return nil, nil
	}
	return http.ProxyFromEnvironment(req)
}

// proxyError is a proxy that makes no connection.
type proxyError struct {
	host   string
	status int
}

func (e *proxyError) Error() string {
	return fmt.Sprintf("proxy %s answered %d %s", e.host, e.status, http.StatusText(e.status))
}

// bundleError is a CA bundle that cannot be used.
type bundleError struct {
	path string
	err  error
}

func (e *bundleError) Error() string { return fmt.Sprintf("CA bundle %q %v", e.path, e.err) }
func (e *bundleError) Unwrap() error { return e.err }

// RetryableError tells the SDK not to try again.
func (e *bundleError) RetryableError() bool { return false }

// answered returns the host that was asked last and what it answered, or nil.
func (c *httpClient) answered() (host string, a *answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.host, c.last
}

// body notes what is read and ends an endless one.
type body struct {
	io.ReadCloser
	answer *answer
	mu     *sync.Mutex
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.answer
	a.size += int64(n)
	if room := maxHead - a.head.Len(); room > 0 {
		a.head.Write(p[:min(n, room)])
	}
	if a.size > maxAnswer {
		a.err = errTooLarge
		return 0, errTooLarge
	}
	if err != nil && err != io.EOF && a.err == nil {
		a.err = err
	}
	return n, err
}
