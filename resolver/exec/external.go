package exec

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"ambit/resolver"
	"ambit/resolver/cache"
)

// programPrefix is what the program of an external provider is called before
// the provider's name.
const programPrefix = "ambit-provider-"

var externalName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// External finds the provider that a program `ambit-provider-NAME` serves; nil
// if there is none. The program gets one JSON object on standard input,
//
//	{"version":1,"provider":NAME,"inputs":{…},
//	 "context":{"rootEnvironment":"p/e","currentEnvironment":"p/e"}}
//
// and answers with one on standard output, either of
//
//	{"value":…,"secret":true,"expiresAt":"2030-01-01T00:00:00Z"}
//	{"error":{"message":"…","hint":"…"}}
//
// where secret is true unless said, expiresAt may be left out, and keys that are
// not named here are ignored. Before its first open a program is asked what it takes
// and gives, and then the inputs are compared with that:
//
//	{"version":1,"schema":true}
//	{"inputs":SCHEMA,"outputs":SCHEMA}
//
// Either part may be left out, and any other answer means that there is no schema.
// The answer is remembered in dir, which may be nil, until the program changes, for a
// day at most.
func External(env *resolver.Baseline, dir *cache.Dir, now func() time.Time) func(name string) *resolver.Provider {
	asked := &schemas{cache: dir, now: now, known: map[string]*known{}}
	return func(name string) *resolver.Provider {
		if !externalName.MatchString(name) {
			return nil
		}
		path, err := lookPath(programPrefix+name, "/", env)
		if err != nil {
			return nil
		}
		p, err := programAt(programPrefix+name, path)
		if err != nil {
			return nil
		}
		sum := p.sum()
		return &resolver.Provider{
			// Another program is another version: it is asked for its own values.
			Name: name, Version: int(binary.BigEndian.Uint32(sum[:])), Context: true,
			Open: func(ctx context.Context, call *resolver.Call) (resolver.Opened, error) {
				schema, err := asked.of(ctx, p, call)
				if err == nil {
					err = schema.inputs.Fit(call.Inputs)
				}
				if err != nil {
					return resolver.Opened{}, err
				}
				return openExternal(ctx, name, schema.outputs, call)
			},
		}
	}
}

func openExternal(ctx context.Context, name string, outputs *resolver.DeclaredSchema, call *resolver.Call) (resolver.Opened, error) {
	question, err := json.Marshal(map[string]any{
		"version": 1, "provider": name, "inputs": json.RawMessage(resolver.EncodeJSON(call.Inputs, true)),
		"context": map[string]string{"rootEnvironment": call.Root, "currentEnvironment": call.Current},
	})
	if err != nil {
		return resolver.Opened{}, &resolver.OpenError{Err: err, Summary: "the inputs cannot be written as JSON"}
	}
	program := programPrefix + name
	out, stderr, err := run(ctx, resolver.Command{
		Argv: []string{program}, Dir: filepath.Dir(call.File), Stdin: question, Env: call.Env, Timeout: defaultTimeout,
	})
	given := secrets(call.Inputs)
	if err != nil {
		return resolver.Opened{}, failed(err, given)
	}
	opened, err := answer(out, given, call.Now())
	if err == nil {
		err = promised(outputs, opened.Value)
	}
	if err != nil {
		var open *resolver.OpenError // that it said itself
		if errors.As(err, &open) {
			return resolver.Opened{}, open
		}
		return resolver.Opened{}, &resolver.OpenError{Kind: resolver.KindRefused, Err: err,
			Summary: fmt.Sprintf("command %q: its answer: %v", program, err), Hint: `it must print one object with "value" or "error"`}
	}
	opened.Notices = notices(program, hide(stderr, append(given, secrets(opened.Value)...)))
	return opened, nil
}

// promised says where a value is not what the program declares, if it is not.
func promised(outputs *resolver.DeclaredSchema, v resolver.Value) error {
	err := outputs.Fit(v)
	if err == nil {
		return nil
	}
	var first *resolver.OpenError
	if !errors.As(err, &first) || v.Secret {
		return errors.New("the value is not what the program's own schema says") // a key of it may be a secret
	}
	return fmt.Errorf("%s: %s, against its own schema", strings.Join(append([]string{"value"}, first.Path...), "."), first.Summary)
}

// answer reads what a program printed.
func answer(out []byte, given []string, now time.Time) (resolver.Opened, error) {
	v, err := resolver.ParseJSON(out)
	if err != nil {
		return resolver.Opened{}, err
	}
	if v.Kind != resolver.Object {
		return resolver.Opened{}, fmt.Errorf("expected object, got %s", v.Kind)
	}
	if problem, there := v.Object["error"]; there {
		text := func(key string) string {
			return clip(strings.Join(strings.Fields(hide(problem.Object[key].Text, given)), " "), 300)
		}
		message := text("message")
		if message == "" {
			message = "the provider refused and did not say why"
		}
		return resolver.Opened{}, &resolver.OpenError{Kind: resolver.KindRefused, Summary: message, Hint: text("hint")}
	}
	value, there := v.Object["value"]
	if !there {
		return resolver.Opened{}, errors.New(`it has neither "value" nor "error"`)
	}
	value.Secret = true
	if flag, there := v.Object["secret"]; there {
		if flag.Kind != resolver.Bool {
			return resolver.Opened{}, fmt.Errorf(`"secret": expected boolean, got %s`, flag.Kind)
		}
		value.Secret = flag.Bool
	}
	opened := resolver.Opened{Value: value}
	if until, there := v.Object["expiresAt"]; there {
		expiry, err := time.Parse(time.RFC3339, until.Text)
		if err != nil {
			return resolver.Opened{}, errors.New(`"expiresAt": expected an instant like 2030-01-01T00:00:00Z`)
		}
		if !expiry.After(now) {
			return resolver.Opened{}, errors.New(`"expiresAt": the value has already expired`)
		}
		opened.RefreshAt, opened.ExpiresAt = resolver.Window(now, expiry)
	}
	return opened, nil
}
