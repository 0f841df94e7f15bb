package resolver

import (
	"context"
	"time"

	"ambit/resolver/cache"
)

// Provider opens values that a definition only describes. It is called with
// inputs that are known and fit Inputs.
type Provider struct {
	Name    string
	Version int     // part of the key of what it opened
	Inputs  *Schema // checked before anything is opened
	Outputs *Schema // nil: unknown; check reports paths that it rules out

	// Open must be safe for concurrent calls and honour ctx. An error that
	// knows its hint or when to try again is an [*OpenError]; several of them
	// are joined by [errors.Join].
	Open func(ctx context.Context, call *Call) (Opened, error)

	// OwnCache is set by a provider that keeps what it opened by itself
	// (aws-login, by step); the others' results are kept by the resolver.
	OwnCache bool

	// Local is set by a provider that only looks at this machine (env, file):
	// what it opens has no times and is never kept, but what it read is watched.
	Local bool

	// Context is set by a provider that depends on Call.Root and Call.Current.
	Context bool
}

// Call is one open.
type Call struct {
	Inputs   Value
	File     string // absolute path of the file the open stands in; relative paths start from its directory
	Root     string // name of the root environment
	Current  string // name of the environment the open stands in
	Env      *Baseline
	Now      func() time.Time
	Patience Patience
	Fresh    bool  // serve nothing opened before: `ambit reload`
	Asker    Asker // nil: nobody may be asked
}

// Opened is what a provider found. Zero times mean that nothing expires.
type Opened struct {
	Value      Value
	RefreshAt  time.Time
	ExpiresAt  time.Time
	Files      []string          // files read, absolute: their change is a reason to open again
	Notices    []string          // said once, when the environment is loaded
	Credential *cache.Credential // what `status` and `whoami` tell about a login

	noCache bool // `ttl: 0s`
}

// Patience says who waits for an open, and so how long and how often it may try.
type Patience uint8

// Who waits. CREDENTIALS: one attempt and 5 s at a prompt, three and 30 s
// detached, three and 60 s for a person who asked.
const (
	AtPrompt Patience = iota
	Detached
	Person
)

// OpenError is a provider's failure with what a person can do about it.
type OpenError struct {
	Kind    FailureKind
	Summary string // lower case, no full stop, no secret
	Hint    string
	Path    []string // the input at fault, e.g. {"oidc", "token", "file"}; empty: all of them; nil: none
	Key     bool     // it is the input's key that is at fault, not its value
	Err     error
}

func (e *OpenError) Error() string { return e.Summary }
func (e *OpenError) Unwrap() error { return e.Err }
