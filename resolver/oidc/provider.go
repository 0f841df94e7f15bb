package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	callTime  = 10 * time.Second // for one request
	dialTime  = 5 * time.Second
	maxAnswer = 1 << 20 // bytes of a body over which an answer is refused
)

// provider is an OpenID provider as it describes itself.
type provider struct {
	described *oidc.Provider
	oauth2.Config
	client     *http.Client
	revocation string // endpoint of RFC 7009, "" if there is none
	sendsIss   bool   // its answers name their issuer: RFC 9207
}

var errPlainHTTP = errors.New("an endpoint of it is not https")

// discover asks a provider for its endpoints.
func (k *Keeper) discover(ctx context.Context, l named) (*provider, error) {
	p := &provider{client: newClient()}
	var err error
	if p.described, err = oidc.NewProvider(oidc.ClientContext(ctx, p.client), l.Issuer); err != nil {
		return nil, explain(ctx, l, "the description of the provider", err)
	}
	var more struct {
		Revocation string `json:"revocation_endpoint"`
		JWKS       string `json:"jwks_uri"`
		SendsIss   bool   `json:"authorization_response_iss_parameter_supported"`
	}
	if err := p.described.Claims(&more); err != nil {
		return nil, explain(ctx, l, "the description of the provider", err)
	}
	p.revocation, p.sendsIss = more.Revocation, more.SendsIss
	// What a public client has stands in the body; with auto-detection a code would
	// be sent twice.
	endpoint := p.described.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams
	p.Config = oauth2.Config{ClientID: l.ClientID, Endpoint: endpoint, Scopes: l.scopes()}
	for _, address := range []string{endpoint.AuthURL, endpoint.TokenURL, endpoint.DeviceAuthURL, p.revocation, more.JWKS} {
		if !asSafeAs(l.Issuer, address) {
			return nil, explain(ctx, l, "the description of the provider", errPlainHTTP)
		}
	}
	return p, nil
}

// asSafeAs says whether an endpoint may be used: only the provider on this machine
// may be asked without TLS.
func asSafeAs(issuer, address string) bool {
	if address == "" {
		return true
	}
	u, err := url.Parse(address)
	i, ierr := url.Parse(issuer)
	if err != nil || ierr != nil || u.Host == "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && i.Scheme == "http" && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// context makes the libraries use our client.
func (p *provider) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.client)
}

// verify checks an ID token as it came: signature, issuer, audience, times, and
// the nonce if the answer is to a request that had one.
func (k *Keeper) verify(ctx context.Context, l named, p *provider, answer *oauth2.Token, nonce string) (*idToken, error) {
	raw, _ := answer.Extra("id_token").(string)
	if raw == "" {
		return nil, explain(ctx, l, "the ID token", errNoIDToken)
	}
	verified, err := p.described.Verifier(&oidc.Config{ClientID: l.ClientID, Now: k.Now}).Verify(p.context(ctx), raw)
	if err != nil {
		return nil, explain(ctx, l, "the ID token", unverified{err})
	}
	if nonce != "" && verified.Nonce != nonce {
		return nil, explain(ctx, l, "the ID token", unverified{errNonce})
	}
	t := &idToken{raw: raw, subject: verified.Subject, nonce: verified.Nonce, expiry: verified.Expiry}
	var who struct {
		Email     string `json:"email"`
		Preferred string `json:"preferred_username"`
		Party     string `json:"azp"`
	}
	if err := verified.Claims(&who); err != nil {
		return nil, explain(ctx, l, "the ID token", unverified{errClaims})
	}
	if who.Party != "" && who.Party != l.ClientID || who.Party == "" && len(verified.Audience) > 1 {
		return nil, explain(ctx, l, "the ID token", unverified{errParty})
	}
	if t.account = who.Email; t.account == "" {
		t.account = who.Preferred
	}
	return t, nil
}

var (
	errNoIDToken = errors.New("there is none in the answer")
	errNonce     = errors.New("it belongs to another login")
	errSubject   = errors.New("it is somebody else's")
	errClaims    = errors.New("its claims are not what they are called")
	errParty     = errors.New("it was issued to another client")
)

// unverified is an ID token that must not be used.
type unverified struct{ err error }

func (u unverified) Error() string { return u.err.Error() }
func (u unverified) Unwrap() error { return u.err }

// host is the provider's, for people.
func (l named) host() string {
	if u, err := url.Parse(l.Issuer); err == nil && u.Host != "" {
		return u.Host
	}
	return l.Issuer
}

var (
	errTooLarge = errors.New("the answer is larger than 1 MiB")
	errRedirect = errors.New("it redirects to another host")
)

// proxyError is a proxy that did not let us through.
type proxyError struct{ status int }

func (e *proxyError) Error() string {
	return fmt.Sprintf("the proxy answered %d %s", e.status, http.StatusText(e.status))
}

// newClient makes an HTTP client with bounds. What is sent holds secrets, so it
// follows no redirect to another host, and none of a POST.
func newClient() *http.Client {
	return &http.Client{
		Timeout: callTime,
		Transport: bodies{&http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: dialTime}).DialContext,
			TLSHandshakeTimeout: dialTime,
			DisableKeepAlives:   true,
			OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, r *http.Response) error {
				if r.StatusCode != http.StatusOK {
					return &proxyError{r.StatusCode}
				}
				return nil
			},
		}},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			first := via[0]
			if first.Method != http.MethodGet || req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme {
				return errRedirect
			}
			if len(via) > 5 {
				return fmt.Errorf("%d redirects", len(via))
			}
			return nil
		},
	}
}

// bodies bounds what is read of each answer.
type bodies struct{ http.RoundTripper }

func (b bodies) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = &boundedBody{resp.Body, maxAnswer}
	}
	return resp, err
}

type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}
