package oidc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"ambit/resolver"
)

func isKind(err error, kind resolver.FailureKind) bool {
	var open *resolver.OpenError
	return errors.As(err, &open) && open.Kind == kind
}

// explain says why what was asked of a provider did not come, in our own words:
// the texts of the libraries may hold answers and addresses with codes.
func explain(ctx context.Context, l named, what string, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, context.Canceled) || cause != nil && errors.Is(err, context.Canceled) {
		return cause
	}
	var open *resolver.OpenError
	if errors.As(err, &open) {
		return err
	}
	fail := func(kind resolver.FailureKind, hint, format string, args ...any) error {
		return &resolver.OpenError{Kind: kind, Err: quiet{err}, Hint: hint,
			Summary: fmt.Sprintf("login %q: ", l.name) + fmt.Sprintf(format, args...)}
	}
	again := fmt.Sprintf(`run "ambit login %s"`, l.name)
	host := l.host()

	var refused *oauth2.RetrieveError
	var expired *oidc.TokenExpiredError
	var bad unverified
	var mismatch *oidc.IssuerMismatchError
	switch {
	case errors.As(err, &refused):
		return explainRefusal(fail, l, refused)
	case errors.As(err, &expired):
		return fail(resolver.KindRefused, "check this machine's clock: timedatectl", "the ID token of %s has already expired", host)
	case errors.As(err, &bad) && strings.Contains(bad.Error(), "before the nbf"):
		return fail(resolver.KindRefused, "check this machine's clock: timedatectl", "the ID token of %s is not valid yet", host)
	case errors.As(err, &bad) && !strings.Contains(bad.Error(), "fetching keys"):
		return fail(resolver.KindRefused, "check issuer and clientId in config.yaml", "the ID token of %s is not valid: %s", host, foreign(strings.TrimPrefix(strings.TrimPrefix(bad.Error(), "failed to verify signature: "), "oidc: ")))
	case errors.As(err, &mismatch):
		return fail(resolver.KindRefused, "write the issuer in config.yaml as the provider does, a slash at the end included",
			"%s calls itself %q", l.Issuer, clip(mismatch.Discovered, 200))
	case errors.Is(err, errNoIDToken):
		return fail(resolver.KindLogin, again, "%s gave no ID token", host)
	case errors.Is(err, errPlainHTTP), errors.Is(err, errRedirect), errors.Is(err, errTooLarge):
		return fail(resolver.KindRefused, "check the issuer in config.yaml", "%s is refused: %v", host, unwrapped(err))
	}
	kind := resolver.KindNetwork
	if strings.HasPrefix(err.Error(), "4") && statusLine.MatchString(err.Error()) {
		kind = resolver.KindRefused
	}
	said, hint := trouble(ctx, host, err)
	return fail(kind, hint, "%s did not come: %s", what, said)
}

func explainRefusal(fail func(resolver.FailureKind, string, string, ...any) error, l named, r *oauth2.RetrieveError) error {
	said := r.ErrorCode
	if r.ErrorDescription != "" {
		said += ": " + r.ErrorDescription
	}
	said = foreign(said)
	status := 0
	if r.Response != nil {
		status = r.Response.StatusCode
	}
	again := fmt.Sprintf(`run "ambit login %s"`, l.name)
	switch r.ErrorCode {
	case "invalid_grant":
		return fail(resolver.KindLogin, again, "%s has ended it (%s)", l.host(), said)
	case "access_denied":
		return fail(resolver.KindLogin, again, "%s refused it (%s)", l.host(), said)
	case "expired_token":
		return fail(resolver.KindLogin, again, "nobody has entered the code in time")
	case "login_required", "interaction_required", "consent_required":
		return fail(resolver.KindLogin, again, "%s wants to see you (%s)", l.host(), said)
	case "invalid_client", "unauthorized_client":
		return fail(resolver.KindRefused, "check clientId in config.yaml; it has to be a public client", "%s refuses the client %q (%s)", l.host(), l.ClientID, said)
	case "invalid_scope":
		return fail(resolver.KindRefused, "set scopes of this login in config.yaml", "%s refuses the scopes (%s)", l.host(), said)
	case "temporarily_unavailable", "server_error":
		return fail(resolver.KindNetwork, "", "%s is not available (%s)", l.host(), said)
	case "":
		if status >= http.StatusInternalServerError || status == http.StatusTooManyRequests {
			return fail(resolver.KindNetwork, "", "%s answered %d %s", l.host(), status, http.StatusText(status))
		}
		return fail(resolver.KindRefused, "check the issuer in config.yaml", "%s answered %d %s", l.host(), status, http.StatusText(status))
	}
	return fail(resolver.KindRefused, "check this login in config.yaml", "%s refused it (%s)", l.host(), said)
}

// trouble says why nobody answered, and what to do.
func trouble(ctx context.Context, host string, err error) (said, hint string) {
	const (
		network = "check the network, and the issuer in config.yaml"
		proxies = "check HTTPS_PROXY and NO_PROXY"
	)
	var proxy *proxyError
	var op *net.OpError
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var header tls.RecordHeaderError
	var timeout interface{ Timeout() bool }
	var number syscall.Errno
	var u *url.Error
	switch {
	case errors.As(err, &proxy) && proxy.status == http.StatusProxyAuthRequired:
		return "the proxy on the way to " + host + " wants a password", "put the proxy's user and password into HTTPS_PROXY"
	case errors.As(err, &proxy):
		return host + " cannot be reached: " + proxy.Error(), proxies
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "the proxy on the way to " + host + " cannot be reached", proxies
	case errors.As(err, &dns) && dns.IsNotFound:
		return host + " is not known to the name server", network
	case errors.As(err, &dns):
		return "the name server did not answer", network
	case errors.As(err, &unknown):
		return "the certificate of " + host + " is not from an authority known here", "if a proxy opens TLS here, set SSL_CERT_FILE to its certificate"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate of " + host + " is not valid now", "check this machine's clock: timedatectl"
	case errors.As(err, &invalid), errors.As(err, &name):
		return "the certificate of " + host + " is not valid", network
	case errors.As(err, &header):
		return host + " does not speak TLS", network
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return host + " did not answer in time", network
	case errors.Is(err, syscall.ECONNREFUSED):
		return host + " cannot be reached: connection refused", network
	case errors.As(err, &number):
		return fmt.Sprintf("%s cannot be reached: %v", host, number), network
	case errors.As(err, &u):
		return host + " closed the connection without an answer", network
	}
	// Of go-oidc's own errors only the status is told.
	if m := statusLine.FindString(err.Error()); m != "" {
		return host + " answered " + strings.TrimSpace(m), network
	}
	return host + " gave an answer that is none", network
}

var statusLine = regexp.MustCompile(`^[1-5][0-9]{2} [A-Za-z -]*`)

// unwrapped is the innermost error: what is around it quotes addresses.
func unwrapped(err error) error {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err
}

// quiet keeps an error for errors.Is and As and hides its text.
type quiet struct{ err error }

func (q quiet) Error() string { return "see the summary" }
func (q quiet) Unwrap() error { return q.err }

// longWord is what may be a token or a code that an answer echoes.
var longWord = regexp.MustCompile(`[A-Za-z0-9_\-.~+/=%]{40,}`)

// foreign makes a text from outside fit for a message: one line, short, and
// without what may be a token.
func foreign(s string) string {
	return clip(longWord.ReplaceAllString(strings.Join(strings.Fields(s), " "), "[...]"), 200)
}

// clip bounds foreign text to n bytes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}
