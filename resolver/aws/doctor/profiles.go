package doctor

import (
	"maps"
	"slices"
	"strings"
)

// A setting is a value of a profile and where it stands.
type setting struct {
	entry
	file *file
}

// A profile is what a reader takes the two files to say about a name.
type profile struct {
	name   string
	values map[string]setting
	file   *file // and line: where it begins, in the config file if it is in both
	line   int
}

// get is a value, "" if there is none.
func (p *profile) get(key string) string {
	if p == nil {
		return ""
	}
	return p.values[key].value
}

// has says whether a value is there, be it empty.
func (p *profile) has(key string) bool {
	if p == nil {
		return false
	}
	_, ok := p.values[key]
	return ok
}

// place is where a value of the profile stands, as file and line.
func (p *profile) place(key string) string {
	s := p.values[key]
	return s.file.at(s.line)
}

// shown is the profile as people find it: the file and the section.
func (p *profile) shown(f *file) string {
	name := clip(p.name)
	for _, s := range f.asGo.sections {
		if profileOfHeader(s.name) == p.name && strings.HasPrefix(s.name, "profile ") {
			name = "profile " + name
		}
	}
	return f.shown + " [" + name + "]"
}

// profileInForce is the name of the profile that a reader takes and the variable
// that says so, "" for the default one.
func (x *examination) profileInForce(r reader) (name, variable string) {
	order := []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}
	if r == cli1 {
		slices.Reverse(order)
	}
	for _, variable := range order {
		// To botocore an empty variable names a profile without a name.
		if value, ok := x.Environ[variable]; value != "" || ok && r.python() {
			return value, variable
		}
	}
	return "default", ""
}

// profile is what a reader takes a profile for; nil if it sees none of that name.
func (x *examination) profile(r reader, name string) *profile { return x.profiles(r)[name] }

// profiles are all that a reader sees, worked out once.
func (x *examination) profiles(r reader) map[string]*profile {
	x.merging.Lock()
	defer x.merging.Unlock()
	if x.merged[r] == nil {
		x.merged[r] = x.merge(r)
	}
	return x.merged[r]
}

// merge puts the two files together as a reader does.
func (x *examination) merge(r reader) map[string]*profile {
	files := x.files(r)
	out := map[string]*profile{}
	add := func(name string, f *file, s *section, values map[string]entry) {
		p := out[name]
		if p == nil {
			p = &profile{name: name, values: map[string]setting{}, file: f, line: s.line}
			out[name] = p
		}
		for key, e := range values {
			p.values[key] = setting{e, f}
		}
	}
	config := files.config.by(r)
	prefixed := map[string]bool{}
	for _, header := range config.names {
		name, prefix := profileNamed(r, header)
		// The later section counts; to Go [profile default] beats [default] anywhere.
		if name == "" || r == goSDK && prefixed[name] && !prefix {
			continue
		}
		prefixed[name] = prefix
		delete(out, name)
		add(name, files.config, config.sections[header], config.sections[header].values)
	}
	credentials := files.credentials.by(r)
	for _, header := range credentials.names {
		s := credentials.sections[header]
		values := s.values
		if r == goSDK {
			if strings.HasPrefix(header, "profile ") {
				continue
			}
			values = goMerged(out[header] != nil, values)
		}
		add(header, files.credentials, s, values)
	}
	return out
}

// goMerged are the values that the Go SDK takes from the credentials file for a
// profile that is in the config file as well: keys by the pair only.
func goMerged(both bool, values map[string]entry) map[string]entry {
	if !both {
		return values
	}
	_, id := values["aws_access_key_id"]
	_, secret := values["aws_secret_access_key"]
	values = maps.Clone(values)
	if !id || !secret {
		for _, key := range []string{"aws_access_key_id", "aws_secret_access_key", "aws_session_token"} {
			delete(values, key)
		}
	}
	for _, key := range []string{"endpoint_url", "services", "ignore_configured_endpoint_urls"} {
		delete(values, key)
	}
	return values
}

// profileNamed is the profile that a section of the config file is about for a
// reader, "" if it is none for it.
func profileNamed(r reader, header string) (name string, prefixed bool) {
	if header == "default" {
		return header, false
	}
	if r == goSDK {
		name, prefixed = strings.CutPrefix(header, "profile ")
		if !prefixed {
			return "", false
		}
		return name, true
	}
	if !strings.HasPrefix(header, "profile") {
		return "", false
	}
	words, ok := splitWords(header)
	if !ok || len(words) != 2 {
		return "", false
	}
	return words[1], true
}

// profileOfHeader is the name that whoever wrote a section's header most probably
// meant.
func profileOfHeader(header string) string {
	header = strings.TrimSpace(header)
	header = strings.TrimSpace(strings.TrimPrefix(header, "profile "))
	return strings.Trim(header, `"'`)
}

// session is what a reader takes an sso-session for; nil if it sees none.
func (x *examination) session(r reader, name string) *section {
	config := x.files(r).config.by(r)
	for _, header := range config.names {
		if r == goSDK && header == "sso-session "+name {
			return config.sections[header]
		}
		if words, ok := splitWords(header); r.python() && ok && len(words) == 2 && strings.HasPrefix(header, "sso-session") && words[1] == name {
			return config.sections[header]
		}
	}
	return nil
}

// splitWords splits as a POSIX shell does, which is what botocore does with the
// headers of sections.
func splitWords(s string) (words []string, ok bool) {
	var word strings.Builder
	in, quote := false, byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote == 0 && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			if in {
				words = append(words, word.String())
				word.Reset()
				in = false
			}
		case quote == 0 && (c == '"' || c == '\''):
			in, quote = true, c
		case c == quote:
			quote = 0
		case c == '\\' && quote != '\'':
			i++
			if i == len(s) {
				return nil, false
			}
			if quote == '"' && s[i] != '"' && s[i] != '\\' {
				word.WriteByte('\\')
			}
			word.WriteByte(s[i])
			in = true
		default:
			in = true
			word.WriteByte(c)
		}
	}
	if in {
		words = append(words, word.String())
	}
	return words, quote == 0
}
