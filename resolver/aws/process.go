package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"ambit/resolver"
	"ambit/resolver/secret"
)

// processStep runs a profile's credential_process by our own rules: the SDK
// would hand it this process's environment, terminal and standard error.
func (o *opening) processStep(p *config.SharedConfig, path []string) *step {
	source := fmt.Sprintf("profile %q", p.Profile)
	configFile, _ := o.configFiles()
	return &step{
		key:    keyOf(map[string]any{"kind": "process", "profile": p.Profile, "command": p.CredentialProcess, "file": configFile}),
		source: source, kept: true,
		fetch: func(ctx context.Context, _ *keys) (keys, time.Duration, error) {
			out, err := o.RunCommand(ctx, resolver.Command{
				// As the SDKs for Go, JavaScript and .NET do; others split into words,
				// which makes no difference to what can be written for both.
				Argv: []string{"/bin/sh", "-c", p.CredentialProcess},
				Dir:  o.home(), Env: o.call.Env, Timeout: o.limits.total,
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
	}
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
