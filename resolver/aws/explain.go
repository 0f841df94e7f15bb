package aws

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"crypto/x509"

	"github.com/aws/smithy-go"

	"ambit/resolver"
	"ambit/resolver/secret"
)

// errNonsense is an answer that has the right shape and lacks what it is for.
var errNonsense = errors.New("the answer lacks the credentials")

// trouble is what was going on when something failed.
type trouble struct {
	service string // such as STS
	what    string // that was asked for, such as "role arn:…"
	role    string // ARN, or ""
	region  string
	source  string // of the keys that signed, or ""
	web     bool   // asked with an OIDC token
	portal  bool   // IAM Identity Center was asked
	action  string // that a policy has to permit, such as secretsmanager:GetSecretValue, or ""
	list    string // the command that shows what there is, or ""
	secrets []secret.Text
}

// explain turns an error of the SDK into one honest line and what to do. What
// it quotes from outside is a code and a message, clipped and without secrets.
func explain(ctx context.Context, err error, client *httpClient, t trouble) error {
	if errors.Is(err, context.Canceled) && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return context.Canceled
	}
	host, a := client.answered()
	at := t.service
	if host != "" {
		at += " at " + host
	}
	no := func(hint, summary string) error {
		return &resolver.OpenError{Kind: resolver.KindRefused, Summary: summary, Hint: hint, Err: quiet{err}}
	}
	network := func(hint, format string, args ...any) error {
		return &resolver.OpenError{Kind: resolver.KindNetwork, Summary: fmt.Sprintf(format, args...), Hint: hint, Err: quiet{err}}
	}
	const proxy = "something stands between you and AWS: sign in to this network, or check HTTPS_PROXY and NO_PROXY: " + runDoctor

	var bad *bundleError
	switch {
	case errors.As(err, &bad):
		return no("correct or unset AWS_CA_BUNDLE", bad.Error())
	case a == nil:
		return network(unreachable(err, at))
	case a.err == errTooLarge:
		return network(proxy, "%s answered with more than 1 MiB, which no answer of it has", at)
	case a.err != nil && isTimeout(a.err):
		return network("try again, or check the network", "%s did not finish its answer in time", at)
	case a.err != nil:
		return network("try again, or check the network", "%s broke off its answer", at)
	case a.status == http.StatusProxyAuthRequired:
		return network(wantsPassword, "the proxy on the way to %s wants a password", at)
	case a.status >= 300 && a.status < 400:
		return network(proxy, "%s answered with a redirect, which is not followed", at)
	case isWebPage(a):
		return network(proxy, "%s answered with a web page (status %d)", at, a.status)
	}

	code, message := foreignError(a.head.Bytes())
	if sdkCode, sdkMessage := apiError(err); code == "" && sdkCode != "UnknownError" && a.status >= 400 {
		code, message = sdkCode, sdkMessage
	}
	code, message = clip(scrub(code, t.secrets...), 80), clip(oneLine(scrub(message, t.secrets...)), 300)
	switch {
	case a.status >= 500:
		return network("try again in a moment", "%s is out of order: %d %s", at, a.status, http.StatusText(a.status))
	case a.status < 400 || code == "":
		return network(proxy, "%s answered something that is not an answer of it (status %d)", at, a.status)
	case slices.Contains(throttled, code) || strings.Contains(code, "Throttl") || a.status == http.StatusTooManyRequests:
		return network("wait a moment", "AWS answers too many requests: %s: %s", code, message)
	}
	known, _ := find(code, message)
	if known.riddle {
		message = known.Proves
	}
	hint := ""
	if known.hint != nil {
		hint = known.hint(t)
	}
	return no(hint, refused(t.what, code, message))
}

const wantsPassword = "put the proxy's user and password into HTTPS_PROXY"

// unreachable words an attempt that brought no answer.
func unreachable(err error, at string) (hint, format string, arg any) {
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	const check = "check the network, and HTTPS_PROXY if you need one: " + runDoctor
	var proxy *proxyError
	var op *net.OpError
	switch {
	case errors.As(err, &proxy) && proxy.status == http.StatusProxyAuthRequired:
		return wantsPassword, "the proxy on the way to %s wants a password", at
	case errors.As(err, &proxy):
		return "check HTTPS_PROXY and NO_PROXY", "%s", fmt.Sprintf("%s cannot be reached: %v", at, proxy)
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "check HTTPS_PROXY and NO_PROXY", "the proxy on the way to %s cannot be reached", at
	case errors.As(err, &dns) && dns.IsNotFound:
		return "check the region, and the network: " + runDoctor, "there is no such host: %s", at
	case errors.As(err, &dns):
		return "check the network and the name server: " + runDoctor, "the name of %s cannot be looked up", at
	case errors.As(err, &unknown):
		return "if a proxy opens TLS here, set AWS_CA_BUNDLE to its certificate", "the certificate of %s is not from an authority known here", at
	case errors.As(err, &invalid):
		return "check this machine's clock: " + runDoctor, "the certificate of %s is not valid now", at
	case errors.As(err, &name):
		return check, "the certificate of %s is for another host", at
	case errors.Is(err, syscall.ECONNREFUSED):
		return check, "%s cannot be reached: connection refused", at
	case isTimeout(err):
		return check, "%s did not answer in time", at
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, net.ErrClosed):
		return check, "%s closed the connection without an answer", at
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return check, "%s cannot be reached: no route to it", at
	}
	var number syscall.Errno
	if errors.As(err, &number) {
		return check, "%s", fmt.Sprintf("%s cannot be reached: %v", at, number)
	}
	var u *url.Error
	if errors.As(err, &u) && strings.Contains(u.Err.Error(), "malformed HTTP") {
		return check, "%s does not speak HTTP", at
	}
	return check, "%s could not be asked", at
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// isNetwork says whether an error is one of reaching somebody.
func isNetwork(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	var u *url.Error
	return isTimeout(err) || errors.As(err, &op) || errors.As(err, &dns) || errors.As(err, &u)
}

func isWebPage(a *answer) bool {
	head := strings.ToLower(string(bytes.TrimSpace(a.head.Bytes()[:min(a.head.Len(), 512)])))
	return strings.HasPrefix(head, "<!doctype html") || strings.HasPrefix(head, "<html") ||
		strings.HasPrefix(a.contentType, "text/html") && !strings.Contains(head, "<errorresponse") // as moto labels its errors
}

// foreignError takes the first Code and Message out of an XML body, at any
// depth: not every server nests them as the SDK expects.
func foreignError(b []byte) (code, message string) {
	d := xml.NewDecoder(bytes.NewReader(b))
	for range 200 {
		tok, err := d.Token()
		if err != nil {
			break
		}
		start, ok := tok.(xml.StartElement)
		if !ok || start.Name.Local != "Code" && start.Name.Local != "Message" {
			continue
		}
		var text string
		if d.DecodeElement(&text, &start) != nil {
			break
		}
		if start.Name.Local == "Code" && code == "" {
			code = strings.TrimSpace(text)
		}
		if start.Name.Local == "Message" && message == "" {
			message = strings.TrimSpace(text)
		}
		if code != "" && message != "" {
			break
		}
	}
	return code, message
}

func apiError(err error) (code, message string) {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return "", ""
	}
	return api.ErrorCode(), api.ErrorMessage()
}

// quiet keeps an error of the SDK for errors.Is and As and hides its text, in
// which there may be bytes of an answer.
type quiet struct{ err error }

func (q quiet) Error() string { return "see the summary" }
func (q quiet) Unwrap() error { return q.err }

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

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
