package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	keyID     = late(`^A[KS]IA[A-Z0-9]{16}$`)
	uniqueID  = late(`^(AGPA|AIDA|AIPA|ANPA|ANVA|APKA|AROA|ASCA|ABIA|ACCA)[A-Z0-9]{12,}$`)
	secretKey = late(`^[A-Za-z0-9/+]{40}$`)
	likeKeyID = late(`(?i)A[KSGIPNVRBC][A-Z]A[A-Z0-9]{8}`)
)

// A set is one set of keys that a reader ends up with, and where its parts stand.
type set struct {
	Source
	goOnly bool // neither the AWS CLI nor boto3 come to it

	// By part: the variable, or the setting of the file.
	id, secret, token part
}

type part struct {
	value    string
	name     string // of the variable or setting
	file     *file  // nil for a variable
	line     int
	alphabet string // for tr
}

// place is where a part stands, for people.
func (p part) place() string {
	if p.file != nil {
		return p.file.at(p.line) + " " + p.name
	}
	return p.name
}

// sets are the keys that are in use: of the AWS CLI v1, then of those readers that
// end up elsewhere.
func (x *examination) sets() (out []set) {
	for _, r := range readers {
		s, ok := x.base(r)
		if !ok || s.Kind != "keys" || s.profile != "" && x.lost(r) || slices.ContainsFunc(out, func(o set) bool { return o.Place == s.Place }) {
			continue
		}
		set := set{Source: s, goOnly: r == goSDK}
		const id, secret, token = "A-Z0-9", "A-Za-z0-9/+", "A-Za-z0-9/+=_.-"
		if s.profile != "" {
			p := x.profile(r, s.profile)
			of := func(alphabet string, keys ...string) part {
				for _, key := range keys {
					if v, ok := p.values[key]; ok {
						return part{v.value, key, v.file, v.line, alphabet}
					}
				}
				return part{name: keys[0]}
			}
			set.id, set.secret = of(id, "aws_access_key_id"), of(secret, "aws_secret_access_key")
			set.token = of(token, "aws_security_token", "aws_session_token")
		} else if strings.HasPrefix(s.Place, "environment") {
			of := func(alphabet string, names ...string) part {
				for _, name := range names {
					if x.env(name) != "" {
						return part{value: x.env(name), name: name, alphabet: alphabet}
					}
				}
				return part{name: names[0]}
			}
			set.id, set.secret = of(id, "AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"), of(secret, "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY")
			set.token = of(token, "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")
			if r == goSDK || x.env("AWS_SECURITY_TOKEN") == x.env("AWS_SESSION_TOKEN") {
				set.token = of(token, "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
			}
		} else {
			continue // of a program before the AWS CLI: there is no telling its form
		}
		out = append(out, set)
	}
	return out
}

// checkKeys looks whether keys have the form that AWS gives them.
func checkKeys(_ context.Context, x *examination) (found []Finding) {
	for _, s := range x.sets() {
		f := Finding{Check: "aws.keys", Status: OK, Evidence: s.KeyID + " in " + s.told() + " has the form of an access key"}
		if s.Account != "" {
			f.Evidence += " of account " + s.Account
		}
		if faults, fix := x.faults(s); len(faults) > 0 {
			f = Finding{Check: "aws.keys", Status: Fail, Evidence: strings.Join(faults, "; "), Fix: fix}
			if s.goOnly {
				f.Status = Warn
			}
			f.ifAccepted = &Finding{Check: "aws.keys", Status: Warn, Evidence: f.Evidence + "; AWS takes them all the same"}
		}
		found = append(found, f)
	}
	return found
}

// faults are what is wrong with the form of a set, and the command that mends all
// of it. Other clouds and stand-ins make up keys of other forms: where an endpoint
// is configured, what does not resemble AWS's is none of its business.
func (x *examination) faults(s set) (faults []string, fix string) {
	foreign := x.mixed() && !likeKeyID().MatchString(s.id.value) && !likeKeyID().MatchString(s.secret.value)
	id, secret := tidy(s.id), tidy(s.secret)
	if secretKey().MatchString(id) && keyID().MatchString(secret) {
		fix = x.reenter(s.Source)
		if s.profile == "" {
			fix = x.export(s.id.name, `"$`+s.secret.name+`"`, s.secret.name, `"$`+s.id.name+`"`)
		}
		return []string{fmt.Sprintf("%s and %s are swapped", s.id.place(), s.secret.name)}, fix
	}
	var mended []part
	for _, p := range []part{s.id, s.secret, s.token} {
		if odd := oddity(p.value); odd != "" {
			faults = append(faults, p.place()+" "+odd)
			mended = append(mended, p)
		}
	}
	lasting := true // mending the odd ones is enough
	if !foreign {
		if fault := idFault(id); fault != "" {
			faults, lasting = append(faults, s.id.place()+" "+fault), false
		}
		if fault := secretFault(secret); fault != "" {
			faults, lasting = append(faults, s.secret.place()+" "+fault), false
		}
	}
	switch {
	case len(faults) == 0:
		return nil, ""
	case !lasting && s.token.file != nil:
		// aws configure asks for no token, and would leave this one to the new keys.
		return faults, x.edit(s.token.file, s.token.line, 0, "d") + " && " + x.reenter(s.Source)
	case !lasting:
		return faults, x.reenter(s.Source)
	case s.profile == "":
		var pairs []string
		for _, p := range mended {
			pairs = append(pairs, p.name, fmt.Sprintf(`"$(printf %%s "$%s" | LC_ALL=C tr -cd %s)"`, p.name, trSet(p.alphabet)))
		}
		return faults, x.export(pairs...)
	}
	var edits []string
	for _, p := range mended {
		edits = append(edits, x.edit(p.file, p.line, 0, cleaning(p.value)))
	}
	return faults, strings.Join(edits, " && ")
}

// trSet quotes a set for tr where a shell needs it.
func trSet(alphabet string) string {
	if strings.Contains(alphabet, "=") {
		return "'" + alphabet + "'"
	}
	return alphabet
}

// tidy is what a part would be without what clearly does not belong to it.
func tidy(p part) string {
	value := p.value
	if p.file != nil {
		value = cutComment(value)
	}
	return strings.Map(func(c rune) rune {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\'' {
			return -1
		}
		return c
	}, value)
}

// cleaning is the command of sed that takes away from a line what tidy does.
func cleaning(value string) string {
	switch {
	case cutComment(value) != value:
		return "s/[[:space:]][#;].*//"
	case strings.ContainsAny(value, `"'`):
		return `s/[\"']//g`
	case strings.ContainsFunc(value, func(c rune) bool { return c > unicode.MaxASCII || unicode.IsControl(c) && !unicode.IsSpace(c) }):
		return "s/[^ -~]//g"
	}
	// White space within the value: the name and the sign before it have none that
	// matters.
	return "s/[[:space:]]//g"
}

func idFault(id string) string {
	switch {
	case id == "":
		return "holds nothing of a key"
	case strings.HasPrefix(id, "$"):
		return "is the name of a variable, which nothing expanded"
	case strings.HasPrefix(id, "<") && strings.HasSuffix(id, ">"):
		return "is a placeholder"
	case strings.HasSuffix(id, "IOSFODNN7EXAMPLE"):
		return "is the example of the AWS documentation"
	case uniqueID().MatchString(id):
		kind := map[string]string{"AIDA": "user", "AROA": "role", "AGPA": "group", "AIPA": "instance profile"}[id[:4]]
		if kind == "" {
			kind = "resource"
		}
		return fmt.Sprintf("is the unique id of a %s (%s…), not an access key", kind, id[:4])
	case keyID().MatchString(id):
		return ""
	case len(id) != 20:
		return fmt.Sprintf("has %s, an access key id has 20", characters(id))
	case strings.ToUpper(id) != id:
		return "has lower-case letters, an access key id has none"
	case strings.ContainsFunc(id, func(c rune) bool { return !(c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') }):
		return "has another character than A-Z and 0-9"
	}
	return "does not begin with AKIA or ASIA, as access key ids do"
}

func secretFault(secret string) string {
	switch {
	case secretKey().MatchString(secret):
		return ""
	case strings.HasPrefix(secret, "$"):
		return "is the name of a variable, which nothing expanded"
	case len(secret) != 40:
		return fmt.Sprintf("has %s, a secret access key has 40", characters(secret))
	}
	return "has another character than A-Z, a-z, 0-9, / and +"
}

func characters(s string) string {
	if n := utf8.RuneCountInString(s); n != 1 {
		return fmt.Sprintf("%d characters", n)
	}
	return "1 character"
}

// oddity says what stands in a value that belongs to no key, and where; "" for a
// plain one. It quotes nothing of the value.
func oddity(value string) string {
	if value == "" {
		return ""
	}
	n := utf8.RuneCountInString(value)
	if q := value[0]; (q == '"' || q == '\'') && len(value) > 1 && value[len(value)-1] == q {
		return "stands in quotes, which programs take as part of it"
	}
	at := 0
	for i, c := range value {
		at++
		kind := ""
		switch {
		case c == '\ufeff':
			kind = "a byte order mark"
		case c == '\r':
			kind = "a carriage return"
		case c == '\n':
			kind = "a newline"
		case c == '\t':
			kind = "a tab"
		case c == ' ':
			kind = "a space"
		case c == '"' || c == '\'':
			kind = "a quote"
		case c == utf8.RuneError, c >= 0x7f && !unicode.IsPrint(c), c < ' ':
			kind = "an invisible character"
		case unicode.IsSpace(c):
			kind = "a space that is not ASCII"
		case c >= 0x7f:
			kind = "a character that is not ASCII"
		}
		switch {
		case kind == "":
		case (c == ' ' || c == '\t') && strings.IndexAny(strings.TrimLeft(value[i:], " \t"), "#;") == 0:
			return "is followed by a comment, which programs take as part of it"
		case at == 1:
			return "begins with " + kind
		case at == n:
			return "ends with " + kind
		default:
			return fmt.Sprintf("has %s as character %d of %d", kind, at, n)
		}
	}
	return ""
}
