package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"ambit/resolver"
)

// interact has a person log in, and returns the ID token and the refresh token, ""
// if the provider gave none. Hold the login's lock.
func (k *Keeper) interact(ctx context.Context, l named, asker resolver.Asker) (*idToken, string, error) {
	p, err := k.discover(ctx, l)
	if err != nil {
		return nil, "", err
	}
	if asker.Device() {
		return k.byDevice(ctx, l, p, asker)
	}
	return k.byCode(ctx, l, p, asker)
}

// byCode is the authorization code flow with PKCE, RFC 8252: the browser comes
// back to a server of ours on the loopback interface.
func (k *Keeper) byCode(ctx context.Context, l named, p *provider, asker resolver.Asker) (*idToken, string, error) {
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	back, err := listen(l, p, state)
	if err != nil {
		return nil, "", err
	}
	defer back.close()
	p.RedirectURL = back.address
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier), oidc.Nonce(nonce)}
	if l.wantsOffline() {
		// OpenID Connect Core, section 11: without it the scope is ignored.
		options = append(options, oauth2.SetAuthURLParam("prompt", "consent"))
	}
	if err := asker.Visit(ctx, strconv.Quote(l.name), p.AuthCodeURL(state, options...)); err != nil {
		return nil, "", err
	}
	var code string
	select {
	case <-ctx.Done():
		return nil, "", abandoned(ctx, l)
	case a := <-back.arrived:
		if a.err != nil {
			return nil, "", explain(ctx, l, "the login", a.err)
		}
		code = a.code
	}
	t, grant, err := k.exchange(ctx, l, p, code, verifier, nonce)
	back.finish(err == nil)
	return t, grant, err
}

func (k *Keeper) exchange(ctx context.Context, l named, p *provider, code, verifier, nonce string) (*idToken, string, error) {
	answer, err := p.Exchange(p.context(ctx), code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, "", explain(ctx, l, "the ID token", err)
	}
	t, err := k.verify(ctx, l, p, answer, nonce)
	if err != nil {
		return nil, "", err
	}
	return t, answer.RefreshToken, nil
}

func (l Login) wantsOffline() bool {
	for _, scope := range l.scopes() {
		if scope == "offline_access" {
			return true
		}
	}
	return false
}

// abandoned is why a login ended that nobody finished.
func abandoned(ctx context.Context, l named) error {
	if cause := context.Cause(ctx); !errors.Is(cause, errAbandoned) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return needed(l, fmt.Sprintf("login %q: nobody has logged in within %d minutes", l.name, int(loginTime/time.Minute)), errAbandoned)
}

// callback waits for the browser to come back, once.
type callback struct {
	address string // the redirect URI
	server  *http.Server
	arrived chan arrival

	state, issuer string
	mustName      bool // the answer has to name its issuer

	mu   sync.Mutex
	over bool          // somebody has come
	done chan struct{} // closed when it is known what the visitor is to see
	good bool
}

type arrival struct {
	code string
	err  error
}

var (
	errIssuer = errors.New("the browser came back with the answer of another provider")
	errNoCode = errors.New("the browser came back without a code")
)

// listen opens the redirect's port.
func listen(l named, p *provider, state string) (*callback, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(l.RedirectPort))
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = unwrapped(op.Err)
		}
		hint := "look what listens there, or change redirectPort in config.yaml"
		if l.RedirectPort == 0 {
			hint = fmt.Sprintf(`run "ambit login %s --device"`, l.name)
		}
		return nil, &resolver.OpenError{Kind: resolver.KindLogin, Err: err, Hint: hint,
			Summary: fmt.Sprintf("login %q: the browser could not come back to port %d of this machine: %v", l.name, l.RedirectPort, err)}
	}
	c := &callback{
		address: "http://" + listener.Addr().String() + "/callback",
		arrived: make(chan arrival, 1), done: make(chan struct{}),
		state: state, issuer: l.Issuer, mustName: p.sendsIss,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /callback", c.serve)
	c.server = &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 64 << 10,
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() { _ = c.server.Serve(listener) }() // ends with close
	return c, nil
}

func (c *callback) serve(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(c.state)) == 0 {
		// A tab of an earlier login, or any page: it ends nothing.
		page(w, http.StatusBadRequest, pageOther)
		return
	}
	c.mu.Lock()
	late := c.over
	c.over = true
	c.mu.Unlock()
	if late {
		page(w, http.StatusGone, pageOver)
		return
	}
	a := c.read(query)
	c.arrived <- a
	if a.err != nil {
		page(w, http.StatusBadRequest, pageFailed)
		return
	}
	select { // the page says what came of it
	case <-c.done:
	case <-r.Context().Done():
		return
	}
	if c.good {
		page(w, http.StatusOK, pageDone)
	} else {
		page(w, http.StatusBadRequest, pageFailed)
	}
}

// read takes the code out of the authorization response to our request.
func (c *callback) read(query url.Values) arrival {
	iss := query.Get("iss")
	switch {
	case iss != "" && iss != c.issuer, iss == "" && c.mustName:
		// RFC 9207: another provider's answer must not be sent to ours.
		return arrival{err: refusal(errIssuer)}
	case query.Get("error") != "":
		return arrival{err: &oauth2.RetrieveError{ErrorCode: query.Get("error"), ErrorDescription: query.Get("error_description")}}
	case query.Get("code") == "":
		return arrival{err: refusal(errNoCode)}
	}
	return arrival{code: query.Get("code")}
}

func refusal(err error) error {
	return &resolver.OpenError{Kind: resolver.KindLogin, Summary: err.Error(), Err: err, Hint: "log in again"}
}

// finish tells the visitor what came of the code.
func (c *callback) finish(good bool) {
	c.good = good
	close(c.done)
}

// close ends the server. A page that is being written is finished.
func (c *callback) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if c.server.Shutdown(ctx) != nil {
		_ = c.server.Close() // what is still open is cut
	}
}
