package aws

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"ambit/resolver"
	"ambit/resolver/safefile"
)

var validRegion = regexp.MustCompile(`^` + regionPattern + `$`)

// place is where a service is asked: a region and, if one is configured, an
// endpoint that replaces AWS's own.
type place struct {
	region, endpoint string
	fips, dualStack  bool
}

// placeFor is where STS is asked: by the input, the environment, the profile and
// at last the role's partition.
func (o *opening) placeFor(profile *config.SharedConfig, arn string) (place, error) {
	return o.placeOf("STS", profile, arn)
}

// placeOf is where a service is asked, which is named as the SDK names it.
func (o *opening) placeOf(service string, profile *config.SharedConfig, arn string) (place, error) {
	var p place
	p.region = o.region
	from := "the input region"
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		// Looked up in any case: what was not read would not count as a change.
		if value, _ := o.call.Env.Lookup(name); p.region == "" && value != "" {
			p.region, from = value, name
		}
	}
	if p.region == "" && profile != nil && profile.Region != "" {
		p.region, from = profile.Region, fmt.Sprintf("the region of profile %q", profile.Profile)
	}
	if p.region == "" {
		p.region = partitionRegion(arn)
	}
	// The region becomes part of a host's name.
	if !validRegion.MatchString(p.region) {
		return place{}, &resolver.OpenError{Summary: fmt.Sprintf("%s is not the name of a region: %q", from, clip(p.region, 40)),
			Hint: "write it like eu-central-1"}
	}
	return o.placeIn(service, p.region, profile)
}

// placeIn is where a service is asked in a region.
func (o *opening) placeIn(service, region string, profile *config.SharedConfig) (place, error) {
	endpoint, err := endpointFor(o.call.Env, profile, service)
	if err != nil {
		return place{}, err
	}
	p := place{region: region, endpoint: endpoint}
	p.fips = o.endpointSwitch("AWS_USE_FIPS_ENDPOINT", profile != nil && profile.UseFIPSEndpoint == sdk.FIPSEndpointStateEnabled)
	p.dualStack = o.endpointSwitch("AWS_USE_DUALSTACK_ENDPOINT", profile != nil && profile.UseDualStackEndpoint == sdk.DualStackEndpointStateEnabled)
	return p, nil
}

// endpointSwitch is what the environment says, else the profile.
func (o *opening) endpointSwitch(name string, profile bool) bool {
	if value, _ := o.call.Env.Lookup(name); value == "" {
		return profile
	}
	return o.switchedOn(name)
}

func (o *opening) switchedOn(name string) bool {
	value, _ := o.call.Env.Lookup(name)
	return strings.EqualFold(value, "true")
}

// partitionRegion is a region that every account of the ARN's partition has.
func partitionRegion(arn string) string {
	switch {
	case strings.HasPrefix(arn, "arn:aws-cn:"):
		return "cn-north-1"
	case strings.HasPrefix(arn, "arn:aws-us-gov:"):
		return "us-gov-west-1"
	case strings.HasPrefix(arn, "arn:aws-eusc:"):
		return "eusc-de-east-1"
	}
	return "us-east-1"
}

// endpointFor is the one place that reads configured endpoints: for a service
// by its name, for all services, each from the environment and then from the
// profile. Source: "Service-specific endpoints" in the AWS SDKs and Tools
// Reference Guide.
func endpointFor(env *resolver.Baseline, profile *config.SharedConfig, service string) (string, error) {
	if value, _ := env.Lookup("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"); strings.EqualFold(value, "true") {
		return "", nil
	}
	valid := func(value, from string) (string, error) {
		u, err := url.Parse(value)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return "", &resolver.OpenError{Summary: fmt.Sprintf("the endpoint in %s is not an http or https URL", from),
				Hint: "unset it, or write it like https://sts.eu-central-1.amazonaws.com"}
		}
		return value, nil
	}
	variable := "AWS_ENDPOINT_URL_" + strings.ReplaceAll(strings.ToUpper(service), " ", "_")
	for _, name := range []string{variable, "AWS_ENDPOINT_URL"} {
		if value, _ := env.Lookup(name); value != "" {
			return valid(value, name)
		}
	}
	if profile == nil || profile.IgnoreConfiguredEndpoints != nil && *profile.IgnoreConfiguredEndpoints {
		return "", nil
	}
	from := fmt.Sprintf("profile %q", profile.Profile)
	// The method's error is always nil; it implements an interface.
	if value, found, _ := profile.GetServiceBaseEndpoint(context.Background(), service); found && value != "" {
		return valid(value, from)
	}
	if profile.BaseEndpoint != "" {
		return valid(profile.BaseEndpoint, from)
	}
	return "", nil
}

// bundle returns the certificates that the user's configuration adds.
func bundle(env *resolver.Baseline, profile *config.SharedConfig) func() (string, []byte, error) {
	path, _ := env.Lookup("AWS_CA_BUNDLE")
	if path == "" && profile != nil {
		path = profile.CustomCABundle
	}
	return func() (string, []byte, error) {
		if path == "" {
			return "", nil, nil
		}
		pem, err := safefile.Read(path)
		if err != nil {
			return path, nil, fmt.Errorf("cannot be read: %w", withoutPath(err))
		}
		return path, pem, nil
	}
}
