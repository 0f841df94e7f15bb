package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// plainHost is a host and a port that mean nothing to a shell.
var plainHost = late(`^[A-Za-z0-9.\-]+(:[0-9]+)?$`)

// obstacle says why STS was not reached, and what to type; "" where no command
// mends it.
func (x *examination) obstacle(o *outlook) (what, fix string) {
	p := o.main
	var dns *net.DNSError
	switch {
	case errors.As(p.err, &dns):
		if plainHost().MatchString(dns.Name) {
			fix = "getent hosts " + dns.Name
		}
		return fmt.Sprintf("%s: %s", host(p), why(p)), fix
	case p.shown != nil:
		return x.certificate(o)
	case p.err != nil && !p.met && isTimeout(p.err):
		return fmt.Sprintf("no connection to %s within %s: a firewall drops it; it has to be allowed on port %s, or a VPC endpoint made", host(p), dialTime, port(p.url)), ""
	case p.err != nil:
		return fmt.Sprintf("%s: %s", host(p), why(p)), ""
	case p.status >= 300 && p.status < 400:
		to := "elsewhere"
		if u, err := url.Parse(p.header.Get("Location")); err == nil && u.Host != "" {
			to = "to " + clip(u.Host)
		}
		return fmt.Sprintf("not AWS answers at %s, but a redirect %s: this network wants a sign-in (captive portal), or a proxy filters", host(p), to), signIn
	case p.page():
		return fmt.Sprintf("not AWS answers at %s, but a web page (status %d): this network wants a sign-in (captive portal), or a proxy filters", host(p), p.status), signIn
	}
	return fmt.Sprintf("not AWS answers at %s: status %d, without x-amzn-RequestId", host(p), p.status), ""
}

// signIn opens a page that a captive portal replaces by its own.
var signIn = map[bool]string{true: "open", false: "xdg-open"}[runtime.GOOS == "darwin"] + " http://neverssl.com"

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}

// why words a failure to get an answer.
func why(p *probe) string {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var number syscall.Errno
	var u *url.Error
	switch err := p.err; {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "there is no such name, says the name server"
	case errors.As(err, &dns) && dns.IsTimeout:
		return "no name server answers"
	case errors.As(err, &dns):
		return "the name server cannot look it up"
	case errors.As(err, &record):
		return "it does not speak TLS there"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case isTimeout(err) && p.met:
		return "connected, but no answer in time"
	case isTimeout(err):
		return "no connection in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return "the connection is closed without an answer"
	case errors.As(err, &number):
		return number.Error()
	case errors.As(err, &u) && (strings.Contains(u.Err.Error(), "malformed HTTP") || strings.Contains(u.Err.Error(), "bad record MAC")):
		return "it does not speak HTTP"
	case errors.As(err, &u) && strings.Contains(u.Err.Error(), "server gave HTTP response to HTTPS client"):
		return "it does not speak TLS there"
	}
	return "no answer that could be read"
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// certificate says what is wrong with what was shown instead of AWS's certificate.
func (x *examination) certificate(o *outlook) (what, fix string) {
	p := o.main
	leaf := p.shown[0]
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(p.err, &name):
		return fmt.Sprintf("the certificate shown for %s is one of %s: it is not AWS that answers", host(p), clip(subject(leaf))), ""
	case errors.As(p.err, &invalid) && invalid.Reason == x509.Expired && o.timeless != nil && o.timeless.shown != nil:
		// Not the time alone: look at what else is wrong.
		return x.certificate(&outlook{at: o.at, main: o.timeless, bundle: o.bundle, bundleErr: o.bundleErr})
	case errors.As(p.err, &unknown), errors.As(p.err, &invalid):
		last := p.shown[len(p.shown)-1]
		what = fmt.Sprintf("the certificate of %s is signed by %q, which is not known here", host(p), clip(issuer(last)))
		if o.bundle != "" && o.bundleErr == nil {
			what = fmt.Sprintf("the certificate of %s is signed by %q, which is not in the CA bundle %s", host(p), clip(issuer(last)), clip(o.bundle))
			if x.verifies(p, nil) {
				return what, x.dropBundle()
			}
		}
		if file := x.authorityFile(p); file != "" {
			return what, "export AWS_CA_BUNDLE=" + quoted(file)
		}
		return what + ": something opens TLS on the way; ask whoever runs this network for that certificate's file", "export AWS_CA_BUNDLE=FILE"
	}
	return fmt.Sprintf("%s: %s", host(p), "its certificate is not to be trusted"), ""
}

func subject(c *x509.Certificate) string {
	if len(c.DNSNames) > 0 {
		return c.DNSNames[0]
	}
	return c.Subject.String()
}

func issuer(c *x509.Certificate) string {
	if c.Issuer.CommonName != "" {
		return c.Issuer.CommonName
	}
	return c.Issuer.String()
}

// publicAuthorities are those that AWS has had certificates of, or might have: every
// list of authorities holds them.
var publicAuthorities = []string{"Amazon", "Starfield", "DigiCert", "VeriSign", "Baltimore", "GlobalSign", "Sectigo", "Comodo", "COMODO", "Entrust", "GeoTrust", "Go Daddy", "Google Trust", "Internet Security Research Group"}

// intercepted warns where TLS is opened by an authority that this machine knows and
// AWS's programs for Python, which bring their own list, do not.
func (x *examination) intercepted(o *outlook) []Finding {
	p := o.main
	if len(p.chain) == 0 || o.bundle != "" || o.at.Override || x.env("REQUESTS_CA_BUNDLE") != "" {
		return nil
	}
	root := p.chain[len(p.chain)-1]
	for _, name := range append(root.Subject.Organization, root.Issuer.Organization...) {
		if slices.ContainsFunc(publicAuthorities, func(known string) bool { return strings.Contains(name, known) }) {
			return nil
		}
	}
	f := Finding{Check: "aws.network", Status: Warn,
		Evidence: fmt.Sprintf("%q opens TLS on the way to %s; this machine knows it, the AWS CLI and boto3 do not", clip(issuer(root)), host(p))}
	if file := x.authorityFile(&probe{url: p.url, shown: p.chain}); file != "" {
		f.Fix = "export AWS_CA_BUNDLE=" + quoted(file)
	}
	return []Finding{f}
}

// dropBundle is what makes the system's authorities count again.
func (x *examination) dropBundle() string {
	if x.env("AWS_CA_BUNDLE") != "" {
		return "unset AWS_CA_BUNDLE"
	}
	for _, file := range systemBundles {
		if x.exists(file) {
			return "export AWS_CA_BUNDLE=" + file
		}
	}
	return ""
}
