package exec

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ambit/resolver"
	"ambit/resolver/cache"
)

const (
	// schemaTimeout bounds the question: most programs do not know it, and who
	// waits wants the value.
	schemaTimeout = 2 * time.Second

	schemaKept     = 24 * time.Hour  // an answer, whatever it was
	schemaKeptLate = 5 * time.Minute // that there was none in time
)

// program is an executable as it was found.
type program struct {
	name, path string
	mtime      time.Time
	size       int64
}

func programAt(name, path string) (program, error) {
	info, err := os.Stat(path)
	if err != nil {
		return program{}, err
	}
	return program{name: name, path: path, mtime: info.ModTime(), size: info.Size()}, nil
}

// sum names the program and what it was at that time.
func (p program) sum() [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "ambit provider schema 1\n%q %d %d", p.path, p.mtime.UnixNano(), p.size))
}

// declared is what a program says that it takes and gives.
type declared struct{ inputs, outputs *resolver.DeclaredSchema }

// schemas asks each program for its schema, once for as long as it stays the same.
type schemas struct {
	cache *cache.Dir
	now   func() time.Time

	mu    sync.Mutex
	known map[string]*known
}

type known struct {
	mu   sync.Mutex
	done bool
	declared
}

// of returns what a program declares. The error is that of ctx: a program without a
// schema accepts everything.
func (s *schemas) of(ctx context.Context, p program, call *resolver.Call) (declared, error) {
	sum := p.sum()
	key := hex.EncodeToString(sum[:])
	s.mu.Lock()
	k := s.known[key]
	if k == nil {
		k = &known{}
		s.known[key] = k
	}
	s.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.done {
		return k.declared, nil
	}
	if kept := s.cache.Opened(key, s.now()); kept != nil && !call.Fresh && s.now().Unix() < kept.ExpiresAt {
		k.declared, k.done = declaredIn(kept.Payload), true
		return k.declared, nil
	}
	out, _, err := run(ctx, resolver.Command{
		Argv: []string{p.name}, Dir: filepath.Dir(call.File), Stdin: []byte(`{"version":1,"schema":true}`),
		Env: call.Env, Timeout: schemaTimeout,
	})
	if err := ctx.Err(); err != nil {
		return declared{}, err
	}
	keep := schemaKept
	var late *TimeoutError
	if errors.As(err, &late) {
		keep = schemaKeptLate
	}
	if err != nil {
		out = nil
	}
	k.declared, k.done = declaredIn(out), true
	if k.inputs == nil && k.outputs == nil {
		out = nil
	}
	until := s.now().Add(keep).Unix()
	// What is not kept is asked again.
	_ = s.cache.PutOpened(key, &cache.Opened{Payload: out, Acquired: s.now().Unix(), RefreshAt: until, ExpiresAt: until})
	return k.declared, nil
}

// declaredIn reads an answer; one that is not of the form declares nothing.
func declaredIn(answer []byte) declared {
	v, err := resolver.ParseJSON(answer)
	if err != nil || v.Kind != resolver.Object {
		return declared{}
	}
	var d declared
	if in, there := v.Object["inputs"]; there {
		if d.inputs, err = resolver.ParseInputsSchema(in); err != nil {
			return declared{}
		}
	}
	if out, there := v.Object["outputs"]; there {
		if d.outputs, err = resolver.ParseOutputsSchema(out); err != nil {
			return declared{}
		}
	}
	return d
}
