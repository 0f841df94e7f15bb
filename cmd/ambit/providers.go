package main

import (
	"context"
	"slices"
	"sync"

	"ambit/resolver"
	"ambit/resolver/aws"
)

// providers are the ones that every definition can open.
func (a *ambit) providers() []*resolver.Provider {
	return []*resolver.Provider{
		aws.New(aws.Options{Cache: a.cacheDir}),
	}
}

// noted notes the files that providers read, those of failed opens too: a token
// that was missing and appears is a reason to try again.
type noted struct {
	mu    sync.Mutex
	files []string
}

func (n *noted) noting(p *resolver.Provider) *resolver.Provider {
	out := *p
	out.Open = func(ctx context.Context, call *resolver.Call) (resolver.Opened, error) {
		opened, err := p.Open(ctx, call)
		n.mu.Lock()
		n.files = append(n.files, opened.Files...)
		n.mu.Unlock()
		return opened, err
	}
	return &out
}

func (n *noted) list() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	slices.Sort(n.files)
	return slices.Compact(n.files)
}
