package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// An override is a configured endpoint: where it is said and what it says.
type override struct {
	service string // such as STS, "" for all
	from    string // the variable, or file and line
	url     string
	file    *file // nil for a variable
	line    int
}

// overridden says whether STS is asked somewhere else than at its own address.
func (x *examination) overridden() bool {
	for _, r := range readers {
		if o, ok := x.override(r); ok && !isAWS(o.url) {
			return true
		}
	}
	return false
}

// mixed says whether any service is asked somewhere else than at AWS: the keys may
// then be those of another cloud.
func (x *examination) mixed() bool {
	for _, r := range readers {
		if slices.ContainsFunc(x.overrides(r), func(o override) bool { return !isAWS(o.url) }) {
			return true
		}
	}
	return false
}

// override is the endpoint that a reader takes for STS. Source:
// ConfiguredEndpointProvider of botocore; "Service-specific endpoints" in the AWS
// SDKs and Tools Reference Guide.
func (x *examination) override(r reader) (override, bool) {
	for _, o := range x.overrides(r) {
		if o.service == "" || o.service == "STS" {
			return o, true
		}
	}
	return override{}, false
}

// overrides are all that a reader sees, those of a service before those of all,
// the environment before the profile.
func (x *examination) overrides(r reader) (out []override) {
	name, _ := x.profileInForce(r)
	p := x.profile(r, name)
	ignore, ok := x.Environ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"]
	if !ok {
		ignore = p.get("ignore_configured_endpoint_urls")
	}
	if strings.EqualFold(ignore, "true") {
		return nil
	}
	const prefix = "AWS_ENDPOINT_URL_"
	var names []string
	for name := range x.Environ {
		if strings.HasPrefix(name, prefix) && x.env(name) != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		out = append(out, override{service: strings.TrimPrefix(name, prefix), from: name, url: x.env(name)})
	}
	if value := x.env("AWS_ENDPOINT_URL"); value != "" {
		out = append(out, override{from: "AWS_ENDPOINT_URL", url: value})
	}
	if services := p.get("services"); services != "" {
		config := x.files(r).config
		for _, header := range config.by(r).names {
			words, ok := splitWords(header)
			if !ok || len(words) != 2 || words[0] != "services" || words[1] != services {
				continue
			}
			values := config.by(r).sections[header].values
			var keys []string
			for key := range values {
				if strings.HasSuffix(key, ".endpoint_url") && values[key].value != "" {
					keys = append(keys, key)
				}
			}
			slices.Sort(keys)
			for _, key := range keys {
				e := values[key]
				out = append(out, override{strings.ToUpper(strings.TrimSuffix(key, ".endpoint_url")), config.at(e.line), e.value, config, e.line})
			}
		}
	}
	if s, ok := p.valueOf("endpoint_url"); ok && s.value != "" {
		out = append(out, override{"", s.file.at(s.line), s.value, s.file, s.line})
	}
	return out
}

// dropOverride is the command that takes an endpoint away. A service's own is left
// without a value: botocore fails where nothing stands below a service.
func (x *examination) dropOverride(o override) string {
	switch {
	case o.file == nil:
		return x.unset(o.from)
	case o.service != "":
		return x.edit(o.file, o.line, 0, "s/=.*/=/")
	}
	return x.edit(o.file, o.line, 0, "d")
}

func (p *profile) valueOf(key string) (setting, bool) {
	if p == nil {
		return setting{}, false
	}
	s, ok := p.values[key]
	return s, ok
}

// isAWS says whether a URL leads to AWS's own hosts.
func isAWS(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	for _, suffix := range []string{"amazonaws.com", "amazonaws.com.cn", "api.aws", "api.amazonwebservices.com.cn", "amazonaws.eu"} {
		if host == suffix || strings.HasSuffix(host, "."+suffix) {
			return true
		}
	}
	return false
}

// checkEndpoint tells of configured endpoints: they are meant by whoever uses a
// stand-in for AWS, and a riddle to whoever forgot them.
func checkEndpoint(_ context.Context, x *examination) (found []Finding) {
	seen := map[string]bool{}
	var elsewhere, variables, edits []string
	for _, r := range readers {
		if x.lost(r) {
			continue
		}
		for _, o := range x.overrides(r) {
			if seen[o.from] {
				continue
			}
			seen[o.from] = true
			u, err := url.Parse(o.url)
			fix := x.dropOverride(o)
			switch {
			case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || oddity(o.url) != "":
				status := Warn // where it is not asked, it does no harm
				if o.service == "" || o.service == "STS" {
					status = Fail
				}
				found = append(found, Finding{Check: "aws.endpoint", Status: status, Evidence: o.from + " is not an http or https URL", Fix: fix})
			case isAWS(o.url):
				if f, ok := x.otherRegion(r, o, u.Hostname(), fix); ok {
					found = append(found, f)
				}
			default:
				of := "all services"
				if o.service != "" {
					of = o.service
				}
				where := clip(u.Hostname())
				if isLocal(u.Hostname()) {
					where += ", which is this machine"
				}
				elsewhere = append(elsewhere, fmt.Sprintf("%s sends %s to %s", o.from, of, where))
				if o.file == nil {
					variables = append(variables, o.from)
				} else {
					edits = append(edits, fix)
				}
			}
		}
	}
	if len(elsewhere) > 0 {
		slices.Sort(variables)
		if command := x.unset(variables...); command != "" {
			edits = append([]string{command}, edits...)
		}
		found = append(found, Finding{Check: "aws.endpoint", Status: Warn, Fix: strings.Join(edits, " && "),
			Evidence: "not AWS itself is asked: " + strings.Join(some(elsewhere), "; ")})
	}
	if len(found) == 0 {
		found = append(found, Finding{Check: "aws.endpoint", Status: OK, Evidence: "no endpoint is configured"})
	}
	return found
}

// some is the beginning of a list that might be long.
func some(list []string) []string {
	const most = 4
	if len(list) <= most {
		return list
	}
	return append(slices.Clone(list[:most]), fmt.Sprintf("and %d more", len(list)-most))
}

// otherRegion tells of a regional host of STS that is not that of the region in
// force: what is signed for the one is refused by the other.
func (x *examination) otherRegion(r reader, o override, host, fix string) (Finding, bool) {
	labels := strings.Split(strings.ToLower(host), ".")
	region := x.region(r).name
	if len(labels) < 3 || labels[0] != "sts" && labels[0] != "sts-fips" || !regionForm().MatchString(labels[1]) || region == "" || labels[1] == region {
		return Finding{}, false
	}
	return Finding{Check: "aws.endpoint", Status: Warn, Fix: fix,
		Evidence: fmt.Sprintf("%s leads to STS in %s, and the region is %s", o.from, labels[1], clip(region))}, true
}

func isLocal(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
