package resolver_test

import (
	"context"
	"time"

	"ambit/resolver"
	"ambit/resolver/aws"
	"ambit/resolver/cache"
	"ambit/resolver/exec"
	"ambit/resolver/local"
)

// testProviders stand in for the real ones:
//
//	echo       {value}            gives back the value
//	vault      {value}            the same, secret
//	test-login {role}             keys that expire in an hour
//	slow       {value, wait}      echo after a while
//	fail       {say}              fails
//
// These take what the real ones take:
//
//	command                            "output", nothing is run
//	aws-login                          keys made up, nothing is called
//	aws-secrets, aws-parameter-store   the names of what is asked for
//	env, file, dotenv                  are the real ones, and look at the case's folder
var testProviders = map[string]*resolver.Provider{
	"env": local.Env(), "file": local.File(), "dotenv": local.Dotenv(),
	"echo": {
		Name: "echo", Inputs: object("value"), Local: true,
		Open: func(_ context.Context, c *resolver.Call) (resolver.Opened, error) {
			return resolver.Opened{Value: c.Inputs.Object["value"]}, nil
		},
	},
	"vault": {
		Name: "vault", Inputs: object("value"), Outputs: &resolver.Schema{Secret: true},
		Open: func(_ context.Context, c *resolver.Call) (resolver.Opened, error) {
			return resolver.Opened{Value: c.Inputs.Object["value"]}, nil
		},
	},
	"command": {
		Name: "command", Inputs: exec.Command().Inputs,
		Open: func(context.Context, *resolver.Call) (resolver.Opened, error) {
			return resolver.Opened{Value: resolver.Value{Kind: resolver.String, Text: "output"}}, nil
		},
	},
	"test-login": {
		Name: "test-login", Inputs: object("role"), Outputs: loginOutputs, OwnCache: true, Open: openLogin,
	},
	"aws-login": {
		Name: "aws-login", OwnCache: true, Inputs: awsLogin.Inputs, Outputs: awsLogin.Outputs, Open: openLogin,
	},
	"aws-secrets": {
		Name: "aws-secrets", Inputs: aws.Secrets().Inputs, Outputs: aws.Secrets().Outputs, Open: openNamed("secretId", "versionId", "versionStage"),
	},
	"aws-parameter-store": {
		Name: "aws-parameter-store", Inputs: aws.Parameters().Inputs, Outputs: aws.Parameters().Outputs, Open: openNamed("name"),
	},
	"slow": {
		Name: "slow", Inputs: object("value", "wait"),
		Open: func(ctx context.Context, c *resolver.Call) (resolver.Opened, error) {
			d, err := resolver.ParseDuration(c.Inputs.Object["wait"].Text)
			if err != nil {
				return resolver.Opened{}, err
			}
			select {
			case <-time.After(d / 1000): // the input's seconds are milliseconds here
			case <-ctx.Done():
				return resolver.Opened{}, ctx.Err()
			}
			return resolver.Opened{Value: c.Inputs.Object["value"]}, nil
		},
	},
	"fail": {
		Name: "fail", Inputs: object("say"),
		Open: func(_ context.Context, c *resolver.Call) (resolver.Opened, error) {
			return resolver.Opened{}, &resolver.OpenError{Kind: resolver.KindRefused, Summary: c.Inputs.Object["say"].Text,
				Hint: "try something else", Path: []string{"say"}}
		},
	},
}

var awsLogin = aws.New(aws.Options{})

// openNamed gives each key of `get` the texts that name what it gets.
func openNamed(inputs ...string) func(context.Context, *resolver.Call) (resolver.Opened, error) {
	return func(_ context.Context, c *resolver.Call) (resolver.Opened, error) {
		out := map[string]resolver.Value{}
		for key, item := range c.Inputs.Object["get"].Object {
			text := c.Inputs.Object["region"].Text
			for _, input := range inputs {
				if v, ok := item.Object[input]; ok {
					text += " " + v.Text
				}
			}
			out[key] = resolver.Value{Kind: resolver.String, Text: text}
		}
		return resolver.Opened{Value: resolver.Value{Kind: resolver.Object, Object: out}}, nil
	}
}

var str = &resolver.Schema{Types: []string{"string"}}

func object(required ...string) *resolver.Schema {
	s := &resolver.Schema{Types: []string{"object"}, Required: required, Properties: map[string]*resolver.Schema{}}
	for _, name := range required {
		s.Properties[name] = nil
		if name != "value" {
			s.Properties[name] = str
		} else {
			s.Properties[name] = &resolver.Schema{Open: true, Items: &resolver.Schema{Open: true}}
		}
	}
	return s
}

var loginOutputs = &resolver.Schema{Types: []string{"object"}, Properties: map[string]*resolver.Schema{
	"accessKeyId":     str,
	"secretAccessKey": {Types: []string{"string"}, Secret: true},
	"sessionToken":    {Types: []string{"string"}, Secret: true},
	"expiration":      str,
}}

func openLogin(_ context.Context, c *resolver.Call) (resolver.Opened, error) {
	role := "dev"
	if v, ok := c.Inputs.Object["role"]; ok {
		role = v.Text
	}
	text := func(s string) resolver.Value { return resolver.Value{Kind: resolver.String, Text: s} }
	expires := c.Now().Add(time.Hour)
	return resolver.Opened{
		Value: resolver.Value{Kind: resolver.Object, Object: map[string]resolver.Value{
			"accessKeyId": text("ASIA" + role), "secretAccessKey": text("key of " + role), "sessionToken": text("token of " + role),
			"expiration": text(expires.Format(time.RFC3339)),
		}},
		RefreshAt: c.Now().Add(48 * time.Minute), ExpiresAt: expires.Add(-time.Minute),
		Credential: &cache.Credential{Account: "123456789012", ARN: "arn:aws:iam::123456789012:role/" + role, Source: "oidc"},
	}, nil
}
