package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ambit/resolver"
)

func word(s string) resolver.Value { return resolver.Value{Kind: resolver.String, Text: s} }

func open(p *resolver.Provider, inputs map[string]resolver.Value, environ ...string) (resolver.Opened, error) {
	return p.Open(context.Background(), &resolver.Call{
		Inputs: resolver.Value{Kind: resolver.Object, Object: inputs}, Env: resolver.NewBaseline(environ), Now: time.Now,
	})
}

// What is no plain file neither hangs nor fills the memory, is named, and is a
// reason to look again.
func TestHostileFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(syscall.Mkfifo(at("fifo"), 0o600))
	must(os.WriteFile(at("sparse"), nil, 0o600))
	must(os.Truncate(at("sparse"), 4<<30))
	must(os.WriteFile(at("full"), make([]byte, 1<<20), 0o600))
	must(os.WriteFile(at("secret"), []byte("canary"), 0o000))
	must(os.Symlink("loop", at("loop")))
	must(os.Symlink("full", at("link")))
	for _, c := range []struct {
		path, want string
		kind       resolver.FailureKind
	}{
		{at("fifo"), "is not a regular file", resolver.KindRefused},
		{"/dev/zero", "is not a regular file", resolver.KindRefused},
		{dir, "is not a regular file", resolver.KindRefused},
		{at("sparse"), "is larger than 1 MiB", resolver.KindRefused},
		{at("loop"), "too many levels of symbolic links", resolver.KindRefused},
		{at("none"), "does not exist", resolver.KindDefinition},
		{at("secret"), "permission denied", resolver.KindRefused},
	} {
		if c.path == at("secret") && os.Getuid() == 0 {
			continue // nothing is forbidden to root
		}
		for _, p := range []*resolver.Provider{File(), Dotenv()} {
			o, err := open(p, map[string]resolver.Value{"path": word(c.path)})
			var bad *resolver.OpenError
			if !errors.As(err, &bad) || bad.Kind != c.kind || !strings.Contains(bad.Summary, c.want) || len(o.Files) != 1 || o.Files[0] != c.path || len(bad.Path) != 1 {
				t.Errorf("%s of %s: %+v, %v", p.Name, c.path, o, err)
			}
			hidden := word(c.path)
			hidden.Secret = true
			if _, err := open(p, map[string]resolver.Value{"path": hidden}); err == nil || strings.Contains(err.Error(), c.path) {
				t.Errorf("%s of %s shows a secret: %v", p.Name, c.path, err)
			}
		}
	}
	o, err := open(File(), map[string]resolver.Value{"path": word(at("link"))})
	if err != nil || o.Value.Text != strings.Repeat("\x00", 1<<20) {
		t.Errorf("%d bytes, %v", len(o.Value.Text), err)
	}
}

// A variable is looked up, and so a change of it counts, whatever comes of it.
func TestEnvIsRead(t *testing.T) {
	env := resolver.NewBaseline([]string{"A="})
	for _, name := range []string{"A", "B"} {
		_, err := Env().Open(context.Background(), &resolver.Call{
			Inputs: resolver.Value{Kind: resolver.Object, Object: map[string]resolver.Value{"name": word(name)}}, Env: env,
		})
		if (err != nil) != (name == "B") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if reads := env.Reads(); len(reads) != 2 {
		t.Errorf("%+v", reads)
	}
}
