package main_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// silent drops what servers say of clients that have left.
var silent = log.New(io.Discard, "", 0)

// land is a network namespace: an internet in which AWS has its real names and
// ports, with TLS, and answers from the story's stand-in. Files of /etc are its
// own too. Nothing in it reaches beyond it.
type land struct {
	w    *world
	work chan func()

	names  atomic.Pointer[regexp.Regexp] // that the name server knows: all of them are here
	mute   atomic.Bool                   // the name server does not answer
	future atomic.Bool                   // certificates are not valid yet
	serve  atomic.Pointer[http.Handler]  // what answers on 443 and 80 of 127.0.0.1

	ca        string            // PEM file of the authority
	mounts    map[string]string // what lies over files of the machine
	key       *ecdsa.PrivateKey
	authority *x509.Certificate
}

// knownNames are the real names of STS and of what else a story reaches.
var knownNames = regexp.MustCompile(`^(sts|portal\.sso|oidc|s3)(\.(us-east-1|us-west-2|eu-central-1|eu-west-1|ap-southeast-2|af-south-1|us-gov-west-1|me-south-1))?\.amazonaws\.com$|` +
	`^sts\.cn-north(west)?-1\.amazonaws\.com\.cn$`)

// abroad moves the story into a land of its own, without AWS_ENDPOINT_URL.
func (w *world) abroad() *land {
	w.t.Helper()
	for _, program := range []string{"unshare", "ip", "mount"} {
		need(w.t, program)
	}
	l := &land{w: w, work: make(chan func()), mounts: map[string]string{}}
	l.names.Store(knownNames)
	front := l.toAWS()
	l.serve.Store(&front)

	entered := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and nobody else gets one
		// that lives in another network.
		runtime.LockOSThread()
		entered <- syscall.Unshare(syscall.CLONE_NEWNET)
		for f := range l.work {
			f()
		}
	}()
	if err := <-entered; err != nil {
		close(l.work)
		w.t.Skip("skipped: it takes root to give a story a network of its own: " + err.Error())
	}
	w.t.Cleanup(func() { close(l.work) })
	w.land = l
	l.ip("link", "set", "lo", "up")

	l.authorise()
	w.env["AWS_CA_BUNDLE"] = l.ca
	delete(w.env, "AWS_ENDPOINT_URL_STS")
	l.mounts["/etc/hosts"] = w.write("../etc/hosts", "127.0.0.1 localhost\n")
	l.mounts["/etc/resolv.conf"] = w.write("../etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
	for _, path := range l.mounts {
		must(w.t, os.Chmod(path, 0o644))
	}
	var names net.PacketConn
	l.inside(func() {
		var err error
		names, err = net.ListenPacket("udp", "127.0.0.1:53")
		must(w.t, err)
	})
	w.t.Cleanup(func() { _ = names.Close() })
	go l.nameServer(names)
	server := http.HandlerFunc(func(a http.ResponseWriter, r *http.Request) { (*l.serve.Load()).ServeHTTP(a, r) })
	l.listen("127.0.0.1:443", server, &tls.Config{GetCertificate: l.certificate})
	l.listen("127.0.0.1:80", server, nil)
	return l
}

// inside runs f in the land. What f opens and starts stays there.
func (l *land) inside(f func()) {
	done := make(chan struct{})
	l.work <- func() { defer close(done); f() }
	<-done
}

func (l *land) ip(args ...string) {
	l.w.t.Helper()
	l.inside(func() {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			l.w.t.Errorf("ip %s: %v: %s", strings.Join(args, " "), err, out)
		}
	})
}

// command lays the land's files over the machine's for what runs in it.
func (l *land) command(argv []string) []string {
	script := ""
	for path, mine := range l.mounts {
		script += fmt.Sprintf("mount --bind %s %s || exit\n", mine, path)
	}
	return append([]string{"unshare", "--mount", "sh", "-c", script + `exec "$@"`, "sh"}, argv...)
}

// toAWS hands requests on to the stand-in, as they are.
func (l *land) toAWS() http.Handler {
	target, err := url.Parse(l.w.aws.URL)
	must(l.w.t, err)
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
			r.Out.Host = r.In.Host // it is signed
		},
		Transport:    &http.Transport{DisableCompression: true},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { panic(http.ErrAbortHandler) },
	}
}

// answer replaces what answers for AWS.
func (l *land) answer(f func(aws http.Handler) http.Handler) {
	h := f(l.toAWS())
	l.serve.Store(&h)
}

func (l *land) listen(address string, h http.Handler, secure *tls.Config) string {
	l.w.t.Helper()
	var listener net.Listener
	l.inside(func() {
		var err error
		listener, err = net.Listen("tcp", address)
		must(l.w.t, err)
	})
	at := listener.Addr().String()
	server := &http.Server{Handler: h, ErrorLog: silent, TLSConfig: secure}
	go func() { // ends with Close
		if secure != nil {
			_ = server.ServeTLS(listener, "", "")
		} else {
			_ = server.Serve(listener)
		}
	}()
	l.w.t.Cleanup(func() { _ = server.Close() })
	return at
}

// ec2 gives the land the metadata service at its own address, as an instance has it.
func (l *land) ec2() {
	l.ip("addr", "add", "169.254.169.254/32", "dev", "lo")
	l.listen("169.254.169.254:80", l.toAWS(), nil)
	delete(l.w.env, "AWS_EC2_METADATA_DISABLED")
}

// ecs gives the land the credentials endpoint of a task at its own address.
func (l *land) ecs() {
	l.ip("addr", "add", "169.254.170.2/32", "dev", "lo")
	l.listen("169.254.170.2:80", l.toAWS(), nil)
}

// swallow makes a network from which nothing ever comes back: behind a tunnel that
// no program holds.
func (l *land) swallow(network string) {
	l.w.t.Helper()
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		missing(l.w.t, "there is no /dev/net/tun")
	}
	l.ip("tuntap", "add", "dev", "hole", "mode", "tun")
	l.ip("addr", "add", "192.0.2.1/32", "dev", "hole")
	l.ip("link", "set", "hole", "up")
	l.ip("route", "add", network, "dev", "hole")
}

// dial connects within the land, for a proxy in it.
func (l *land) dial(_ context.Context, network, address string) (conn net.Conn, err error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	l.inside(func() { conn, err = net.Dial(network, "127.0.0.1:"+port) })
	return conn, err
}

func (l *land) authorise() {
	t := l.w.t
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Corp Inspection CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(100_000 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	l.authority, err = x509.ParseCertificate(der)
	must(t, err)
	l.key = key
	l.ca = l.w.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

// certificate is for whatever name a client asks for.
func (l *land) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: hello.ServerName}, DNSNames: []string{hello.ServerName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if l.future.Load() {
		template.NotBefore, template.NotAfter = time.Now().Add(1000*time.Hour), time.Now().Add(2000*time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, l.authority, l.key.Public(), l.key)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: l.key}, err
}

// nameServer answers 127.0.0.1 for the names that the land knows, and that there is
// no such name for the others (RFC 1035, section 4.1).
func (l *land) nameServer(c net.PacketConn) {
	b := make([]byte, 512)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		q := b[:n]
		if n < 17 || l.mute.Load() {
			continue
		}
		var labels []string
		at := 12
		for at < n && q[at] != 0 && at+1+int(q[at]) <= n {
			labels = append(labels, string(q[at+1:at+1+int(q[at])]))
			at += 1 + int(q[at])
		}
		at++
		if at+4 > n {
			continue
		}
		kind := binary.BigEndian.Uint16(q[at:])
		answer := append([]byte{}, q[:at+4]...)
		answer[2], answer[3] = 0x81, 0x80 // an answer, with recursion
		clear(answer[6:12])
		switch {
		case !l.names.Load().MatchString(strings.ToLower(strings.Join(labels, "."))):
			answer[3] |= 3 // NXDOMAIN
		case kind == 1:
			answer[7] = 1
			answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 127, 0, 0, 1)
		}
		_, _ = c.WriteTo(answer, from) // who asked waits or asks again
	}
}

// forward is a proxy for HTTP and HTTPS that wants a password if it is given one.
func (l *land) forward(password string) string {
	return l.listen("127.0.0.1:3128", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, given, ok := (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth()
		if password != "" && (!ok || user != "someone" || given != password) {
			w.Header().Set("Proxy-Authenticate", "Basic realm=proxy")
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusProxyAuthRequired)
			_, _ = w.Write([]byte("<html><body>ERR_CACHE_ACCESS_DENIED</body></html>")) // to a client that may have left
			return
		}
		if strings.HasPrefix(r.URL.Hostname(), "169.254.") {
			// These addresses are its own machine's there, not ours.
			http.Error(w, "<html>no route</html>", http.StatusServiceUnavailable)
			return
		}
		if r.Method != http.MethodConnect {
			l.toAWS().ServeHTTP(w, r)
			return
		}
		there, err := l.dial(r.Context(), "tcp", r.Host)
		if err != nil {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		here, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			_ = there.Close()
			return
		}
		_, _ = here.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n"))
		go splice(there, here)
		splice(here, there)
	}), nil)
}

func splice(to, from net.Conn) {
	defer to.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// bundle lays a bundle with the land's authority over that of the machine, as an
// administrator would have installed it.
func (l *land) bundle() string {
	const path = "/etc/ssl/certs/ca-certificates.crt"
	if _, err := os.Stat(path); err != nil {
		missing(l.w.t, "there is no "+path)
	}
	l.mounts[path] = l.ca
	must(l.w.t, os.Chmod(l.ca, 0o644))
	return path
}
