package main

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"ambit/resolver"
)

// delivery is how AWS credentials reach programs, by the setting `deliver`: as
// variables, or by a profile through which programs fetch and renew them.
type delivery struct {
	all    bool            // by profile, where byName says nothing
	byName map[string]bool // by profile, by name of an environment as [fullName] writes it
}

// byProfile says how the credentials of a definition are delivered that stands for
// these environments. Of several that the setting names, one by profile is enough:
// the user wants no keys of it in a shell.
func (d delivery) byProfile(names []string) bool {
	said, yes := false, false
	for _, name := range names {
		profile, ok := d.byName[fullName(name)]
		said, yes = said || ok, yes || profile
	}
	if said {
		return yes
	}
	return d.all
}

// fullName is an environment's name with its project.
func fullName(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	return "default/" + name
}

// readDeliver reads the setting: one way for all, or ways by name.
func (p *configParser) readDeliver(n *yaml.Node) {
	byProfile := func(n *yaml.Node, name string) bool {
		return p.choice(n, name, "variables", "profile") == "profile"
	}
	if n.Kind != yaml.MappingNode {
		p.deliver.all = byProfile(n, "deliver")
		return
	}
	p.deliver.byName = map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := fullName(key.Value)
		_, twice := p.deliver.byName[name]
		switch {
		case key.Kind != yaml.ScalarNode || !resolver.ValidEnvironmentName(key.Value):
			p.fail(key, fmt.Sprintf("%q is no name of an environment", key.Value), "write PROJECT/NAME")
		case twice:
			p.fail(key, fmt.Sprintf("the environment %q is here twice", name), "")
		default:
			p.deliver.byName[name] = byProfile(value, "deliver."+key.Value)
		}
	}
}
