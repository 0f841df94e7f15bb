package resolver

import (
	"strings"
	"sync"

	"ambit/resolver/cache"
)

// Baseline is the process environment as it was before anything of ours was
// loaded, and a record of what was read of it: a result holds for as long as
// those variables stay the same.
type Baseline struct {
	vars map[string]string

	mu     sync.Mutex
	read   map[string]bool
	parent *Baseline // also records what is read
}

// NewBaseline takes an environment in the form of os.Environ; of a name that
// comes twice the first counts, as for getenv.
func NewBaseline(environ []string) *Baseline {
	b := &Baseline{vars: make(map[string]string, len(environ)), read: map[string]bool{}}
	for _, kv := range environ {
		name, value, ok := strings.Cut(kv, "=")
		if _, dup := b.vars[name]; ok && !dup {
			b.vars[name] = value
		}
	}
	return b
}

// fork is the same environment with a record of its own: of what one open read.
func (b *Baseline) fork() *Baseline {
	return &Baseline{vars: b.vars, read: map[string]bool{}, parent: b}
}

// Lookup returns a variable and records that the result depends on it.
func (b *Baseline) Lookup(name string) (string, bool) {
	b.mu.Lock()
	b.read[name] = true
	b.mu.Unlock()
	if b.parent != nil {
		return b.parent.Lookup(name)
	}
	v, ok := b.vars[name]
	return v, ok
}

// Environ returns the whole environment in the form of os.Environ, for a child
// process; it records nothing, since all children get it. The order is random.
func (b *Baseline) Environ() []string {
	out := make([]string, 0, len(b.vars))
	for name, value := range b.vars {
		out = append(out, name+"="+value)
	}
	return out
}

// Reads returns what was looked up, sorted by name.
func (b *Baseline) Reads() []cache.Read {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]cache.Read, 0, len(b.read))
	for name := range b.read {
		value, set := b.vars[name]
		out = append(out, cache.NewRead(name, value, set))
	}
	cache.SortReads(out)
	return out
}
