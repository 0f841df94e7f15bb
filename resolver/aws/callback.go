package aws

import (
	"context"
	"crypto/subtle"
	"io"
	"net/http"
	"net/url"
	"sync"
)

const callbackPath = "/oauth/callback"

// callback waits on a loopback address for the browser that comes back from a
// login by authorization code (RFC 8252, section 7.3).
type callback struct {
	*loopback
	state string

	once   sync.Once
	answer chan url.Values
}

// listen opens a free port. Only what brings this state is an answer.
func listen(state string) (*callback, error) {
	c := &callback{state: state, answer: make(chan url.Values, 1)}
	var err error
	c.loopback, err = serveLoopback(c)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// redirectURI is where the browser is sent back to.
func (c *callback) redirectURI() string { return "http://127.0.0.1:" + c.port + callbackPath }

// ServeHTTP takes the first answer. Others are not ours: any page can send a
// browser here, so they end nothing.
func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Connection", "close")
	switch {
	case r.URL.Path != callbackPath || r.Method != http.MethodGet:
		http.NotFound(w, r)
		return
	case subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(c.state)) == 0:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, callbackPage("This is not the login that ambit is waiting for.")) // the browser has gone away
		return
	}
	text := "Now go back to the terminal, which finishes the login. This window can be closed."
	if query.Get("code") == "" {
		text = "The login was refused. Go back to the terminal."
	}
	_, _ = io.WriteString(w, callbackPage(text)) // as above
	if f, ok := w.(http.Flusher); ok {
		f.Flush() // before the answer ends the server
	}
	c.once.Do(func() { c.answer <- query })
}

func callbackPage(text string) string {
	return "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>ambit</title><p>" + text + "\n"
}

// wait returns the parameters that the browser brought.
func (c *callback) wait(ctx context.Context) (url.Values, error) {
	select {
	case query := <-c.answer:
		return query, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
