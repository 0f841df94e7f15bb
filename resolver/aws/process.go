package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"ambit/resolver"
	"ambit/resolver/secret"
)

// ProcessVar lists, as JSON, what programs that print credentials were asked for on
// the way to a process. See [Asking].
const ProcessVar = "AMBIT_CREDENTIAL_PROCESS"

// Asking is the value of [ProcessVar] with one more question; false if that is asked
// already, or the value is none of ours: the answer would never come.
func Asking(before, question string) (chain string, ok bool) {
	var asked []string
	if before != "" && json.Unmarshal([]byte(before), &asked) != nil || slices.Contains(asked, question) {
		return "", false
	}
	b, err := json.Marshal(append(asked, question))
	return string(b), err == nil
}

// processStep runs a profile's credential_process by our own rules: the SDK
// would hand it this process's environment, terminal and standard error.
//
// It may come back to us, and ask for the keys that it is to give: then it would
// wait for itself. So its children are told what is being asked for.
func (o *opening) processStep(p *config.SharedConfig, path []string) (*step, error) {
	source := fmt.Sprintf("profile %q", p.Profile)
	configFile, _ := o.configFiles()
	key := keyOf(map[string]any{"kind": "process", "profile": p.Profile, "command": p.CredentialProcess, "file": configFile})
	before, _ := o.call.Env.Lookup(ProcessVar)
	chain, ok := Asking(before, key)
	if !ok {
		return nil, &resolver.OpenError{Kind: resolver.KindRefused, Path: path,
			Summary: fmt.Sprintf("the credential_process of %s asks for its own credentials", source),
			Hint:    "let the login that it asks for start from another profile"}
	}
	return &step{
		key: key, source: source, link: Link{Kind: "credential_process", Profile: p.Profile}, kept: true,
		fetch: func(ctx context.Context, _ *keys) (keys, time.Duration, error) {
			if o.RunCommand == nil {
				return keys{}, 0, &resolver.OpenError{Kind: resolver.KindRefused, Path: path, Err: ErrUntried,
					Summary: fmt.Sprintf("the credential_process of %s was not run", source)}
			}
			out, err := o.RunCommand(ctx, resolver.Command{
				// As the SDKs for Go, JavaScript and .NET do; others split into words,
				// which makes no difference to what can be written for both.
				Argv: []string{"/bin/sh", "-c", p.CredentialProcess},
				Dir:  o.home(), Timeout: o.limits.total,
				Env: resolver.NewBaseline(append([]string{ProcessVar + "=" + chain}, o.call.Env.Environ()...)),
			})
			k, err := fromProcess(out, err)
			if errors.Is(err, context.Canceled) {
				return keys{}, 0, err
			}
			if err != nil {
				// Its standard error is not repeated: it may hold anything.
				return keys{}, 0, &resolver.OpenError{Kind: resolver.KindRefused, Path: path, Err: quiet{err},
					Summary: fmt.Sprintf("the credential_process of %s gave no credentials%s", source, outcome(err)),
					Hint:    "run it by hand to see why; here it has no terminal to ask on"}
			}
			return k, 0, nil
		},
	}, nil
}

var errProcess = errors.New("its output is not what a credential_process prints")

// fromProcess reads what a credential_process prints. Source: "Process
// credential provider" in the AWS SDKs and Tools Reference Guide.
func fromProcess(out []byte, err error) (keys, error) {
	if err != nil {
		return keys{}, err
	}
	var got struct {
		Version                                   int
		AccessKeyID                               string `json:"AccessKeyId"`
		SecretAccessKey, SessionToken, Expiration string
	}
	if json.Unmarshal(out, &got) != nil || got.Version != 1 || got.AccessKeyID == "" || got.SecretAccessKey == "" {
		return keys{}, errProcess
	}
	k := keys{id: got.AccessKeyID, secret: secret.New(got.SecretAccessKey), token: secret.New(got.SessionToken)}
	if got.Expiration != "" {
		if k.expiration, err = time.Parse(time.RFC3339, got.Expiration); err != nil {
			return keys{}, errProcess
		}
		k.expiration = k.expiration.UTC()
	}
	return k, nil
}

// outcome says how a command ended, as far as that is not foreign text.
func outcome(err error) string {
	switch {
	case errors.Is(err, errProcess):
		return ": " + errProcess.Error()
	case isTimeout(err):
		return " in time"
	}
	return ""
}

func (o *opening) home() string {
	if home, _ := o.call.Env.Lookup("HOME"); home != "" {
		return home
	}
	return "/"
}
