package local

import (
	"context"
	"fmt"

	"ambit/resolver"
)

// Env returns the provider env: a variable of the process environment as it was
// before loading.
func Env() *resolver.Provider {
	return &resolver.Provider{
		Name: "env", Version: 1, Local: true, Outputs: text,
		Inputs: object("name", map[string]*resolver.Schema{
			"name":    {Types: []string{"string"}, Pattern: `[A-Za-z_][A-Za-z0-9_]*`, PatternSay: "the name of a variable"},
			"default": text,
			"secret":  boolean,
		}),
		Open: openEnv,
	}
}

func openEnv(_ context.Context, call *resolver.Call) (resolver.Opened, error) {
	in := call.Inputs.Object
	value, set := call.Env.Lookup(in["name"].Text)
	fallback, given := in["default"]
	switch {
	case set:
	case given:
		value = fallback.Text
	default:
		what := fmt.Sprintf("the variable %q is not set", in["name"].Text)
		if in["name"].Secret {
			what = "the variable is not set"
		}
		return resolver.Opened{}, &resolver.OpenError{Path: []string{"name"}, Summary: what,
			Hint: "export it before, or give a default"}
	}
	secret := in["secret"].Bool || !set && fallback.Secret
	return resolver.Opened{Value: resolver.Value{Kind: resolver.String, Text: value, Secret: secret}}, nil
}
