package main

import (
	"errors"
	"path/filepath"
	"strings"

	"ambit/resolver"
	"ambit/resolver/aws/doctor"
	"ambit/resolver/safefile"
)

// identity checks the file of keys that decrypt the secrets of definitions, if there
// is one. The SSH key that would serve instead is not ambit's own.
func (p *setup) identity() {
	const check = "identity"
	if p.places.Config == "" {
		return
	}
	path := filepath.Join(p.places.Config, "identities")
	err := resolver.NewIdentities(path, "", p.uid).Check()
	if err == nil {
		p.well(check, "nothing is wrong with %s", p.tilde(path))
		return
	}
	fix := p.edit(path)
	switch {
	case errors.Is(err, safefile.ErrOpenMode):
		fix = "chmod 600 " + p.word(path)
	case errors.Is(err, safefile.ErrNotOwn):
		fix = `sudo chown "$(id -u)" ` + p.word(path)
	}
	p.add(check, doctor.Fail, fix, "%s: %s", p.tilde(path), strings.TrimPrefix(err.Error(), "the file of identities "))
}
