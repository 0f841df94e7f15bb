package aws

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit/resolver"
)

// person is who sits at the terminal of a test.
type person struct {
	t       *testing.T
	device  bool
	visit   func(address string) // the browser; nil: agrees to everything
	enter   func(address, code string)
	codes   func(serial string) string
	blocked chan struct{} // closed when the first question has been asked

	mu      sync.Mutex
	visits  []string // what was named
	entered []string
	asked   []string // serials
	said    []string
}

func (p *person) note(list *[]string, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*list = append(*list, text)
	if p.blocked != nil && len(*list) == 1 {
		close(p.blocked)
	}
}

func (p *person) count() (visits, entered, asked int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.visits), len(p.entered), len(p.asked)
}

func (p *person) Visit(_ context.Context, what, address string) error {
	p.note(&p.visits, what)
	browser := p.visit
	if browser == nil {
		browser = func(address string) { p.get(address) }
	}
	go browser(address)
	return nil
}

// get follows redirects as a browser does and returns the last page.
func (p *person) get(address string) string {
	resp, err := http.Get(address)
	if err != nil {
		p.t.Errorf("the browser: %v", err)
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Errorf("the browser: %v", err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, b)
}

func (p *person) Enter(_ context.Context, what, address, code string) error {
	p.note(&p.entered, what)
	if p.enter != nil {
		p.enter(address, code)
		return nil
	}
	if page := p.get(address + "?user_code=" + code); !strings.Contains(page, "approved") {
		p.t.Errorf("the verification page says %q", page)
	}
	return nil
}

func (p *person) Device() bool { return p.device }

func (p *person) MFA(ctx context.Context, serial string) (string, error) {
	p.note(&p.asked, serial)
	if p.codes == nil {
		<-ctx.Done()
		return "", ctx.Err()
	}
	return p.codes(serial), nil
}

func (p *person) Say(text string) { p.note(&p.said, text) }

// loggingIn opens as `ambit login` does.
func loggingIn(p *person) call { return call{patience: resolver.Person, asker: p} }

// quietly fails a test that leaves goroutines, and so listeners, behind.
func quietly(t *testing.T, do func()) {
	t.Helper()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	before := goroutines()
	do()
	deadline := time.Now().Add(3 * time.Second)
	for {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		left := goroutines()
		if left["ambit"] <= before["ambit"] {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines of ours before, %d after", before["ambit"], left["ambit"])
		}
		time.Sleep(10 * time.Millisecond)
	}
}
