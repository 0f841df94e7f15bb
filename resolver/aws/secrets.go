package aws

import (
	"context"
	"encoding/base64"
	"errors"
	"sync"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"ambit/resolver"
)

const getSecretValue = "secretsmanager:GetSecretValue"

// Secrets returns the provider aws-secrets. It reads values of AWS Secrets Manager
// with the keys of a login; a binary one becomes base64.
func Secrets() *resolver.Provider {
	return &resolver.Provider{
		Name: "aws-secrets", Version: 1, Inputs: secretsInputs, Outputs: secretsOutputs,
		Open: func(ctx context.Context, call *resolver.Call) (resolver.Opened, error) {
			o := newOpening(&provider{}, call)
			return o.within(ctx, "the secrets", o.secrets)
		},
	}
}

func (o *opening) secrets(ctx context.Context) (resolver.Opened, error) {
	s, err := o.service("Secrets Manager", "Secrets Manager")
	if err != nil {
		return resolver.Opened{}, err
	}
	get := o.call.Inputs.Object["get"].Object
	values := map[string]resolver.Value{}
	var mu sync.Mutex
	// BatchGetSecretValue would need a permission of its own and knows only the
	// current versions.
	err = each(ctx, sortedKeys(get), func(ctx context.Context, key string) error {
		v, err := s.secret(ctx, get[key], key)
		if err != nil {
			return at(err, "get", key, "secretId")
		}
		mu.Lock()
		defer mu.Unlock()
		values[key] = v
		return nil
	})
	if err != nil {
		return resolver.Opened{}, err
	}
	return resolver.Opened{Value: resolver.Value{Kind: resolver.Object, Object: values}}, nil
}

// newSecretsManager is as newSTS.
func (s *service) newSecretsManager(http *httpClient) *secretsmanager.Client {
	options := secretsmanager.Options{
		Region: s.place.region, Credentials: s.signer.provide(), HTTPClient: http, Retryer: retryer(s.limits),
	}
	if s.place.endpoint != "" {
		options.BaseEndpoint = &s.place.endpoint
	}
	if s.place.fips {
		options.EndpointOptions.UseFIPSEndpoint = sdk.FIPSEndpointStateEnabled
	}
	if s.place.dualStack {
		options.EndpointOptions.UseDualStackEndpoint = sdk.DualStackEndpointStateEnabled
	}
	return secretsmanager.New(options)
}

var errNoSecret = errors.New("the answer lacks the secret")

func (s *service) secret(ctx context.Context, in resolver.Value, key string) (resolver.Value, error) {
	id := text(in, "secretId")
	http := s.newHTTPClient(s.profile) // one a request: it remembers the answer for the error
	out, err := s.newSecretsManager(http).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId: &id, VersionId: optional(text(in, "versionId")), VersionStage: optional(text(in, "versionStage")),
	})
	if err == nil && out.SecretString == nil && out.SecretBinary == nil {
		err = errNoSecret
	}
	if err != nil {
		return resolver.Value{}, explain(ctx, err, http, s.trouble(
			shownAs("secret", in.Object["secretId"], key), getSecretValue, "aws secretsmanager list-secrets"))
	}
	v := resolver.Value{Kind: resolver.String, Secret: true, Text: sdk.ToString(out.SecretString)}
	if out.SecretString == nil {
		v.Text = base64.StdEncoding.EncodeToString(out.SecretBinary)
	}
	return v, nil
}
