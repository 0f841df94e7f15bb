package main

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"

	"ambit/resolver/oidc"
)

// loginName is what a login may be called: it stands on command lines and in
// messages.
var loginName = late(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$`)

// maxClientID bounds what is sent to a provider in an address.
const maxClientID = 256

// logins reads the OpenID Connect logins by name. They stand in the user's
// settings and never in a repository: who could name an issuer could collect
// logins.
func (p *configParser) readLogins(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		p.mismatch(n, "logins", "an object of logins by name")
		return
	}
	p.logins = map[string]oidc.Login{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := key.Value
		_, twice := p.logins[name]
		switch {
		case key.Kind != yaml.ScalarNode || !loginName().MatchString(name):
			p.fail(key, fmt.Sprintf("%q is no name of a login", name), "use letters, digits and . _ -")
		case twice:
			p.fail(key, fmt.Sprintf("the login %q is here twice", name), "")
		case value.Kind != yaml.MappingNode:
			p.mismatch(value, fmt.Sprintf("the login %q", name), "an object")
		default:
			p.logins[name] = p.readLogin(value, fmt.Sprintf("logins.%s", name))
		}
	}
}

func (p *configParser) readLogin(n *yaml.Node, name string) (l oidc.Login) {
	p.object(n, name, map[string]func(*yaml.Node){
		"issuer":   func(n *yaml.Node) { l.Issuer = p.issuer(n, name+".issuer") },
		"clientId": func(n *yaml.Node) { l.ClientID = p.clientID(n, name+".clientId") },
		"scopes":   func(n *yaml.Node) { l.Scopes = p.scopes(n, name+".scopes") },
		"redirectPort": func(n *yaml.Node) {
			port, err := strconv.Atoi(n.Value)
			if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil || port < 1 || port > 65535 {
				p.fail(n, name+".redirectPort must be a number from 1 to 65535", "leave it out for any free port")
				return
			}
			l.RedirectPort = port
		},
		"clientSecret": func(n *yaml.Node) {
			p.fail(n, name+": a login has no client secret", "register ambit as a public (native) client with PKCE, and leave clientSecret out")
		},
	})
	for _, required := range []struct{ key, example string }{{"issuer", "https://login.example.com"}, {"clientId", "ambit"}} {
		if !hasKey(n, required.key) {
			p.fail(n, fmt.Sprintf("%s lacks %s", name, required.key), fmt.Sprintf("add, for example, %s: %s", required.key, required.example))
		}
	}
	return l
}

func hasKey(n *yaml.Node, key string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && !isNull(n.Content[i+1]) {
			return true
		}
	}
	return false
}

// issuer is an https URL; plain http only to this machine, where a test or a
// development server listens.
func (p *configParser) issuer(n *yaml.Node, name string) string {
	text := p.text(n, name)
	if text == "" {
		if n.Tag == "!!str" {
			p.fail(n, name+" is empty", "")
		}
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		p.fail(n, name+" is no URL", "write, for example, https://login.example.com")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		p.fail(n, name+" must have no user, query or fragment", "write it as the provider's own documentation does")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		p.fail(n, name+" must begin with https://", "what is sent to it must not be read on the way")
	}
	return text
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (p *configParser) clientID(n *yaml.Node, name string) string {
	text := p.text(n, name)
	for _, c := range text {
		if c < ' ' || c > '~' { // RFC 6749, appendix A.1
			p.fail(n, name+" holds a character that no client ID has", "copy it again from the provider")
			return ""
		}
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && (text == "" || len(text) > maxClientID) {
		p.fail(n, fmt.Sprintf("%s must have from 1 to %d characters", name, maxClientID), "")
	}
	return text
}

func (p *configParser) scopes(n *yaml.Node, name string) []string {
	if n.Kind != yaml.SequenceNode {
		p.mismatch(n, name, "a list of strings")
		return nil
	}
	var out []string
	for _, item := range n.Content {
		scope := p.text(item, "an element of "+name)
		for _, c := range scope {
			if c <= ' ' || c > '~' || c == '"' || c == '\\' { // RFC 6749, section 3.3
				p.fail(item, fmt.Sprintf("%q is no scope", scope), "write one scope for each element")
				break
			}
		}
		out = append(out, scope)
	}
	if !slices.Contains(out, "openid") {
		p.fail(n, name+" lacks openid", "without it there is no ID token; the usual ones are [openid, offline_access]")
	}
	return out
}

// mfaCommand is the program that prints MFA codes, with its arguments.
func (p *configParser) readMFACommand(n *yaml.Node) {
	list := n.Kind == yaml.SequenceNode || n.Kind == yaml.ScalarNode && n.Tag == "!!str"
	p.mfaCommand = p.texts(n, "mfaCommand")
	if list && (len(p.mfaCommand) == 0 || p.mfaCommand[0] == "") {
		p.fail(n, "mfaCommand is empty", "list the program and its arguments")
	}
}
