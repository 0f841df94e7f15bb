package aws

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"ambit/resolver"
)

// maxParameters is how many names GetParameters takes.
const maxParameters = 10

// Parameters returns the provider aws-parameter-store. It reads values of AWS
// Systems Manager Parameter Store with the keys of a login; a StringList becomes a
// list. Without `decrypt` a SecureString is what the store keeps: ciphertext.
func Parameters() *resolver.Provider {
	return &resolver.Provider{
		Name: "aws-parameter-store", Version: 1, Inputs: parametersInputs, Outputs: parametersOutputs,
		Open: func(ctx context.Context, call *resolver.Call) (resolver.Opened, error) {
			o := newOpening(&provider{}, call)
			return o.within(ctx, "the parameters", o.parameters)
		},
	}
}

// batch is one request: no name without its selector is in it twice, so that each
// answer belongs to one question.
type batch struct {
	decrypt bool
	keys    []string          // of `get`
	bases   map[string]string // name or ARN without selector → name as asked
}

func (o *opening) parameters(ctx context.Context) (resolver.Opened, error) {
	s, err := o.service("SSM", "Parameter Store")
	if err != nil {
		return resolver.Opened{}, err
	}
	get := o.call.Inputs.Object["get"].Object
	values := map[string]resolver.Value{}
	var mu sync.Mutex
	err = each(ctx, batches(get), func(ctx context.Context, b *batch) error {
		got, err := s.parameters(ctx, b, get)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for key, v := range got {
			values[key] = v
		}
		return nil
	})
	if err != nil {
		return resolver.Opened{}, err
	}
	return resolver.Opened{Value: resolver.Value{Kind: resolver.Object, Object: values}}, nil
}

// batches puts the keys, in their order, into as few requests as can be.
func batches(get map[string]resolver.Value) (all []*batch) {
next:
	for _, key := range sortedKeys(get) {
		name, decrypt := text(get[key], "name"), get[key].Object["decrypt"].Bool
		base := withoutSelector(name)
		for _, b := range all {
			asked, there := b.bases[base]
			if b.decrypt == decrypt && (asked == name || !there && len(b.bases) < maxParameters) {
				b.keys, b.bases[base] = append(b.keys, key), name
				continue next
			}
		}
		all = append(all, &batch{decrypt: decrypt, keys: []string{key}, bases: map[string]string{base: name}})
	}
	return all
}

// withoutSelector cuts `:VERSION` or `:LABEL` off a name or an ARN.
func withoutSelector(name string) string {
	from := 0
	if strings.HasPrefix(name, "arn:") {
		from = strings.LastIndexByte(name, '/') + 1
		if at := strings.Index(name, ":parameter/"); at >= 0 {
			from = max(from, at+len(":parameter/"))
		}
	}
	if i := strings.IndexByte(name[from:], ':'); i >= 0 {
		return name[:from+i]
	}
	return name
}

// newSSM is as newSTS.
func (s *service) newSSM(http *httpClient) *ssm.Client {
	options := ssm.Options{
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
	return ssm.New(options)
}

// parameters makes one request.
func (s *service) parameters(ctx context.Context, b *batch, get map[string]resolver.Value) (map[string]resolver.Value, error) {
	var names []string
	for _, base := range sortedKeys(b.bases) {
		names = append(names, b.bases[base])
	}
	first := b.keys[0]
	what := shownAs("parameter", get[first].Object["name"], first)
	if n := len(names); n > 1 {
		what += fmt.Sprintf(" or %d more", n-1)
	}
	trouble := s.trouble(what, "ssm:GetParameters", "aws ssm describe-parameters")
	http := s.newHTTPClient(s.profile)
	out, err := s.newSSM(http).GetParameters(ctx, &ssm.GetParametersInput{Names: names, WithDecryption: &b.decrypt})
	if err != nil {
		return nil, at(explain(ctx, err, http, trouble), "get", first, "name")
	}
	found := map[string]types.Parameter{} // by name and ARN
	for _, p := range out.Parameters {
		found[sdk.ToString(p.Name)] = p
		found[sdk.ToString(p.ARN)] = p
	}
	values := map[string]resolver.Value{}
	var errs []error
	for _, key := range b.keys {
		name := get[key].Object["name"]
		base := withoutSelector(name.Text)
		p, ok := found[base]
		if !ok || p.Value == nil {
			summary := shownAs("parameter", name, key) + " does not exist in " + s.place.region
			if base != name.Text {
				summary += ", or has no such version or label"
			}
			errs = append(errs, &resolver.OpenError{Kind: resolver.KindRefused, Path: []string{"get", key, "name"},
				Summary: summary, Hint: trouble.list})
			continue
		}
		values[key] = parameterValue(p)
	}
	return values, errors.Join(errs...)
}

func parameterValue(p types.Parameter) resolver.Value {
	if p.Type != types.ParameterTypeStringList {
		return resolver.Value{Kind: resolver.String, Secret: true, Text: *p.Value}
	}
	v := resolver.Value{Kind: resolver.List, Secret: true}
	for item := range strings.SplitSeq(*p.Value, ",") {
		v.List = append(v.List, resolver.Value{Kind: resolver.String, Secret: true, Text: item})
	}
	return v
}
