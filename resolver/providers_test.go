package resolver_test

import (
	"context"
	"time"

	"ambit/resolver"
	"ambit/resolver/cache"
	"ambit/resolver/local"
)

// testProviders stand in for the real ones:
//
//	echo       {value}            gives back the value
//	vault      {value}            the same, secret
//	test-login {role}             keys that expire in an hour
//	slow       {value, wait}      echo after a while
//	fail       {say}              fails
//	command    {…}                "output", nothing is run
//	aws-login  as the real one's oidc, nothing is called
//
// env, file and dotenv are the real ones: they only look at the case's folder.
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
		Name: "command", Inputs: &resolver.Schema{Open: true},
		Open: func(context.Context, *resolver.Call) (resolver.Opened, error) {
			return resolver.Opened{Value: resolver.Value{Kind: resolver.String, Text: "output"}}, nil
		},
	},
	"test-login": {
		Name: "test-login", Inputs: object("role"), Outputs: loginOutputs, OwnCache: true, Open: openLogin,
	},
	"aws-login": {
		Name: "aws-login", OwnCache: true, Outputs: loginOutputs, Open: openLogin,
		Inputs: &resolver.Schema{
			Types: []string{"object"}, ExactlyOne: []string{"oidc", "static", "assumeRole", "profile"},
			Properties: map[string]*resolver.Schema{
				"oidc": {
					Types: []string{"object"}, Required: []string{"roleArn", "sessionName"},
					Properties: map[string]*resolver.Schema{
						"roleArn": str, "sessionName": str, "token": {Open: true},
						"duration": {Types: []string{"string"}, Pattern: resolver.DurationPattern, PatternSay: "a duration like 1h30m"},
					},
				},
				"static": object("accessKeyId", "secretAccessKey"), "assumeRole": {Open: true}, "profile": str,
			},
		},
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
