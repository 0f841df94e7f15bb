package doctor

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// proxy is what requests to a host are to go through.
type proxy struct {
	url      *url.URL
	variable string // that says so
	bad      bool   // its value is no URL; url is nil
}

// proxyFor is the proxy of an address, nil if there is none. Go leaves out this
// machine's own addresses by itself, botocore only what NO_PROXY names; this does as
// botocore.
func (x *examination) proxyFor(to *url.URL) *proxy {
	for _, variable := range []string{strings.ToLower(to.Scheme) + "_proxy", strings.ToUpper(to.Scheme) + "_PROXY"} {
		value := x.env(variable)
		if value == "" {
			continue
		}
		if x.exempt(to) {
			return nil
		}
		u, err := url.Parse(value)
		if err != nil || u.Host == "" {
			u, err = url.Parse("http://" + value)
		}
		if err != nil || u.Host == "" {
			return &proxy{variable: variable, bad: true}
		}
		return &proxy{url: u, variable: variable}
	}
	return nil
}

// exempt says whether NO_PROXY names a host.
func (x *examination) exempt(to *url.URL) bool {
	list := x.env("no_proxy")
	if list == "" {
		list = x.env("NO_PROXY")
	}
	host, port := strings.ToLower(to.Hostname()), to.Port()
	ip, notIP := netip.ParseAddr(host)
	for name := range strings.SplitSeq(list, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if h, p, err := net.SplitHostPort(name); err == nil && p == port {
			name = h
		}
		network, notNetwork := netip.ParsePrefix(name)
		switch {
		case name == "":
		case name == "*", name == host, notIP == nil && notNetwork == nil && network.Contains(ip):
			return true
		case notIP != nil && strings.HasSuffix(host, "."+strings.TrimLeft(name, "*.")):
			return true
		}
	}
	return false
}

// proxyVariables are those that are set, and so would have to be unset.
func (x *examination) proxyVariables(scheme string) (set []string) {
	for _, name := range []string{strings.ToUpper(scheme) + "_PROXY", strings.ToLower(scheme) + "_proxy"} {
		if x.has(name) {
			set = append(set, name)
		}
	}
	return set
}
