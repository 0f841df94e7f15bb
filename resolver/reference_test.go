package resolver_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/aws"
	"ambit/resolver/exec"
	"ambit/resolver/local"
)

// The reference names every provider with every input, and its examples are
// without a fault.
func TestReference(t *testing.T) {
	b, err := os.ReadFile("LANGUAGE.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	var inputs func(provider string, s *resolver.Schema)
	inputs = func(provider string, s *resolver.Schema) {
		if s == nil {
			return
		}
		for key, below := range s.Properties {
			if !strings.Contains(page, "`"+key) && !strings.Contains(page, key+"`") && !strings.Contains(page, "{"+key) && !strings.Contains(page, " "+key+"?") && !strings.Contains(page, " "+key+"}") {
				t.Errorf("the page does not name the input %s of %s", key, provider)
			}
			inputs(provider, below)
		}
		inputs(provider, s.Additional)
	}
	providers := map[string]*resolver.Provider{}
	for _, p := range []*resolver.Provider{awsLogin, aws.Secrets(), aws.Parameters(), local.Env(), local.File(), local.Dotenv(), exec.Command()} {
		providers[p.Name] = p
		if !strings.Contains(page, "**"+p.Name+"**") {
			t.Errorf("the page does not name %s", p.Name)
		}
		inputs(p.Name, p.Inputs)
	}
	n := 0
	for i, part := range strings.Split(page, "```") {
		example, ok := strings.CutPrefix(part, "yaml\n")
		if i%2 == 0 || !ok {
			continue
		}
		n++
		m := memory{"/p/.envrc.yaml": example, "/store/shop/base.yaml": "values: {}"}
		p, diags := resolver.Load(context.Background(), m, resolver.Root{File: "/p/.envrc.yaml"}, resolver.LoadOptions{Home: "/home/me"})
		diags = append(diags, p.Check(context.Background(), resolver.Options{Providers: providers, Now: func() time.Time { return now }})...)
		if len(diags) > 0 {
			t.Errorf("%s%s", example, printed(diags))
		}
	}
	if n != 2 {
		t.Errorf("%d examples", n)
	}
}
