package resolver_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"ambit/resolver"
	"ambit/resolver/safefile"
	"ambit/resolver/store"
)

// A repository's files may reach beyond it, and the plan names those that do:
// below the nearest .git, or in the file's own directory if there is none, links
// followed.
func TestPlanBeyond(t *testing.T) {
	for name, c := range map[string]struct {
		git  string
		want []string
	}{
		"no repository": {"", []string{"outside.yaml", "repo/.env", "repo/.envrc.yaml", "repo/lib.yaml"}},
		"repository":    {"repo", []string{"outside.yaml"}},
		"all":           {".", nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := realDir(t, t.TempDir())
			files := map[string]string{
				"repo/sub/.envrc.yaml": "inherit: true\nimports: [./own.yaml, ../lib.yaml, ./link.yaml, dev]\ndotenv: ../.env",
				"repo/.envrc.yaml":     "", "repo/.env": "A=1", "repo/lib.yaml": "", "repo/sub/own.yaml": "",
				"outside.yaml": "values: { b: 1 }", "store/dev.yaml": "",
			}
			for name, text := range files {
				path := filepath.Join(dir, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink("../../outside.yaml", filepath.Join(dir, "repo/sub/link.yaml")); err != nil {
				t.Fatal(err)
			}
			if c.git != "" {
				if err := os.Mkdir(filepath.Join(dir, c.git, ".git"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			sources := store.NewDirectories([]string{dir + "/store"}, safefile.Owner{UID: os.Getuid(), GID: os.Getgid()})
			p, diags := resolver.Load(context.Background(), sources, resolver.Root{File: dir + "/repo/sub/.envrc.yaml"}, resolver.LoadOptions{})
			if len(diags) > 0 {
				t.Fatal(printed(diags))
			}
			got := map[string]bool{}
			for _, f := range p.Plan().Beyond {
				rel, _ := filepath.Rel(dir, f.Path)
				got[rel] = true
			}
			for _, want := range c.want {
				if !got[want] {
					t.Errorf("%s is not named", want)
				}
				delete(got, want)
			}
			if len(got) > 0 {
				t.Errorf("named besides: %v", got)
			}
			var hashed []string
			for _, f := range p.Closure() {
				if f.Store == "" {
					rel, _ := filepath.Rel(dir, f.Path)
					hashed = append(hashed, rel)
				}
			}
			if len(hashed) != 6 {
				t.Errorf("trust counts %q", hashed)
			}
		})
	}
}
