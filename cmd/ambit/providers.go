package main

import (
	"context"
	"slices"
	"sync"

	"ambit/resolver"
	"ambit/resolver/aws"
	"ambit/resolver/exec"
	"ambit/resolver/local"
)

// providers are the ones that every definition can open.
func (a *ambit) providers() []*resolver.Provider {
	return []*resolver.Provider{
		a.awsLogin(),
		aws.Secrets(),
		aws.Parameters(),
		exec.Command(),
		local.Env(),
		local.File(),
		local.Dotenv(),
	}
}

func (a *ambit) awsLogin() *resolver.Provider {
	logins := a.keeper()
	return aws.New(aws.Options{Cache: a.cacheDir, RunCommand: exec.Run, LoginToken: logins.Token, LoginKey: logins.Key, RenewSSO: a.renewSSOElsewhere})
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

// external is the source of further providers: programs on the PATH from before
// loading.
func (n *noted) external(a *ambit, env *resolver.Baseline) func(string) *resolver.Provider {
	find := exec.External(env, a.cacheDir, a.now)
	return func(name string) *resolver.Provider {
		p := find(name)
		if p == nil {
			return nil
		}
		return n.noting(p)
	}
}

func (n *noted) list() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	slices.Sort(n.files)
	return slices.Compact(n.files)
}
