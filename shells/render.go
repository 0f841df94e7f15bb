package shells

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// Sentinel is the last line of every rendered update, without its newline.
const Sentinel = "#ambit:ok"

// slots are the variables of their own in which the bash and zsh hooks keep the first
// watched files, their stamps, and absent paths. Four files is the usual number:
// generation file, .envrc.yaml, one environment, config.yaml.
var slots = [...][3]string{{"f1", "s1", "a1"}, {"f2", "s2", "a2"}, {"f3", "s3", "a3"}, {"f4", "s4", "a4"}}

// Render returns the text that the shell's hook evaluates: the changes in the
// order given, then the variables of the check, then [Sentinel]. Its length and
// cost are linear in the input.
//
// Names that do not match [A-Za-z_][A-Za-z0-9_]*, and values with NUL, are for
// the caller to refuse. Render returns nil for them: no text without the
// sentinel is ever applied.
func (s Shell) Render(u Update) []byte {
	size := 0
	for _, c := range u.Changes {
		if !validName(c.Name) || !sayable(c.Value) {
			return nil
		}
		size += len(c.Name) + 2*len(c.Value) + 32
	}
	var b bytes.Buffer
	b.Grow(size + 4096)
	for _, c := range u.Changes {
		s.changeTo(&b, c)
	}
	s.checkTo(&b, u.Check)
	b.WriteString(Sentinel)
	b.WriteByte('\n')
	return b.Bytes()
}

// SetLine returns one line, newline included, that makes the change in a shell
// that has no hook: "export NAME=$'…'" and "unset -v NAME" for bash and zsh, "set
// -gx NAME '…'" and "set -eg NAME" for fish. Unlike the hook's helpers it trusts
// the shell: read-only, integer and array variables and aliases behave as they do
// for a line that was typed. It returns "" for a name or value that [Shell.Render]
// would not say.
func (s Shell) SetLine(c Change) string {
	if !validName(c.Name) || !sayable(c.Value) {
		return ""
	}
	switch {
	case s == Fish && c.Unset:
		return "set -eg " + c.Name + "\n"
	case s == Fish:
		return "set -gx " + c.Name + " " + s.Quote(c.Value) + "\n"
	case c.Unset:
		return "unset -v " + c.Name + "\n"
	}
	return "export " + c.Name + "=" + s.Quote(c.Value) + "\n"
}

func (s Shell) changeTo(b *bytes.Buffer, c Change) {
	set, unset := "__ambit_set ", "__ambit_unset "
	if s == Fish {
		set = "builtin set -gx "
	}
	if c.Unset {
		b.WriteString(unset)
		b.WriteString(c.Name)
	} else {
		b.WriteString(set)
		b.WriteString(c.Name)
		b.WriteByte(' ')
		s.quoteTo(b, c.Value)
	}
	b.WriteByte('\n')
}

// checkTo writes the variables that the hook compares. __ambit_pwd comes last:
// only it arms the check.
func (s Shell) checkTo(b *bytes.Buffer, c Check) {
	if !armable(c) {
		c.Pwd = ""
	}
	if s == Fish {
		s.checkFish(b, c)
		return
	}
	s.assign(b, "dead", dead(c))
	s.assign(b, "since", deadline(c.Since))
	if c.Pwd != "" {
		usual, seen := splitSeen(c.Seen)
		s.assign(b, "until", deadline(c.Until))
		s.assign(b, "held", held(c.Held))
		s.assign(b, "usual", usualText(usual))
		s.assignList(b, "seen", seen)
		s.slotsTo(b, c)
	}
	s.assign(b, "pwd", c.Pwd)
}

// slotsTo writes the variables f1 s1 a1 … of the bash and zsh hooks, and what does
// not fit as the words of one test command. Free slots hold the generation file
// again, and the empty path, which never exists.
func (s Shell) slotsTo(b *bytes.Buffer, c Check) {
	files, absent := watched(c), c.Absent
	for i, names := range slots {
		f, a := c.Generation, ""
		if i < len(files) {
			f = files[i]
		}
		if i < len(absent) {
			a = absent[i]
		}
		s.assign(b, names[0], f.Path)
		s.assign(b, names[1], f.Stamp)
		s.assign(b, names[2], a)
	}
	var proof []string
	for _, f := range files[min(len(slots), len(files)):] {
		proof = append(proof, "-e", f.Path, "-a", "-e", f.Stamp, "-a",
			"!", f.Path, "-nt", f.Stamp, "-a", "!", f.Path, "-ot", f.Stamp, "-a")
	}
	for _, a := range absent[min(len(slots), len(absent)):] {
		proof = append(proof, "!", "-e", a, "-a")
	}
	s.assignList(b, "proof", proof[:max(len(proof)-1, 0)])
}

// checkFish differs because one test with many words is what costs there: what
// `path is` can tell is kept apart. A deadline is an age of the generation file's
// stamp, which nobody touches, one second less because fish's clock counts whole
// seconds.
func (s Shell) checkFish(b *bytes.Buffer, c Check) {
	s.assignList(b, "clock", nonEmpty(c.Generation.Stamp))
	dead := life(c, c.Dead)
	switch {
	case c.Ask:
		dead = []string{ask}
	case len(dead) > 0:
		dead = append(dead, strconv.FormatInt(c.Since-c.GenerationTime-1, 10))
	}
	s.assignList(b, "dead", dead)
	if c.Pwd != "" {
		usual, seen := splitSeen(c.Seen)
		s.assign(b, "held", heldFish(c.Held, usual))
		s.assignList(b, "life", life(c, c.Until))
		s.assignList(b, "seen", seen)
		var paths, differs []string
		for _, f := range watched(c) {
			paths = append(paths, f.Path)
			differs = append(differs, "-o", f.Path, "-nt", f.Stamp, "-o", f.Path, "-ot", f.Stamp)
		}
		s.assignList(b, "watched", paths)
		s.assignList(b, "proof", differs[1:])
		s.assignList(b, "absent", c.Absent)
	}
	s.assign(b, "pwd", c.Pwd)
}

// life is a deadline as a list: no word if there is none.
func life(c Check, instant int64) []string {
	if instant == 0 || c.Generation.Path == "" {
		return nil
	}
	return []string{strconv.FormatInt(max(instant-c.GenerationTime-1, 0), 10)}
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// armable reports whether the shells can compare every part of a check: paths
// that are absolute cannot read as operators, names are ones that `${!name}` does
// not evaluate.
func armable(c Check) bool {
	path := func(p string) bool { return strings.HasPrefix(p, "/") && sayable(p) }
	if !path(c.Pwd) {
		return false
	}
	for _, f := range watched(c) {
		if !path(f.Path) || !path(f.Stamp) {
			return false
		}
	}
	for _, v := range c.Seen {
		if !validName(v.Name) || !sayable(v.Value) {
			return false
		}
	}
	return !slices.ContainsFunc(c.Absent, func(p string) bool { return !path(p) })
}

func watched(c Check) []File { return append([]File{c.Generation}, c.Watched...) }

// Usual are the variables that results usually depend on, in the order in which
// the hooks compare all of them at once, which costs a tenth of a loop.
var Usual = []string{
	"AMBIT_STORES", "AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_DEFAULT_PROFILE", "AWS_DEFAULT_REGION",
	"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_PROFILE",
	"AWS_REGION", "AWS_SHARED_CREDENTIALS_FILE", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT",
}

// splitSeen sets apart the values of [Usual] from the pairs of name and expected
// value that only few need: "x" and the value, "" for an unset variable.
func splitSeen(seen []Seen) (usual []Seen, pairs []string) {
	usual = make([]Seen, len(Usual))
	for _, v := range seen {
		i := slices.Index(Usual, v.Name)
		if i >= 0 {
			usual[i] = v
		}
		if i < 0 || v.Set && v.Value == unsetText {
			want := ""
			if v.Set {
				want = "x" + v.Value
			}
			pairs = append(pairs, v.Name, want)
		}
	}
	return usual, pairs
}

// unsetText stands for an unset variable among the usual ones.
const unsetText = "-"

// usualText is what bash and zsh make of the usual variables.
func usualText(usual []Seen) string {
	var b strings.Builder
	for i, v := range usual {
		if i > 0 {
			b.WriteByte(',')
		}
		if v.Set {
			b.WriteString(v.Value)
		} else {
			b.WriteString(unsetText)
		}
	}
	return b.String()
}

// heldFish is what fish compares: how many of the two are unset, AMBIT_STATE
// counted twice, and the value of AMBIT_STORES, the first of the usual ones. Of the
// others it is told when they change.
func heldFish(held bool, usual []Seen) string {
	unset := 0
	if !held {
		unset += 2
	}
	if !usual[0].Set {
		unset++
	}
	return strconv.Itoa(unset) + usual[0].Value
}

func held(is bool) string {
	if is {
		return "x"
	}
	return ""
}

// ask stands for Check.Ask where Check.Dead would.
const ask = "ask"

func dead(c Check) string {
	if c.Ask {
		return ask
	}
	return deadline(c.Dead)
}

func deadline(instant int64) string {
	if instant == 0 {
		return ""
	}
	return strconv.FormatInt(instant, 10)
}

func (s Shell) assign(b *bytes.Buffer, name, value string) {
	if s == Fish {
		s.assignList(b, name, []string{value})
		return
	}
	b.WriteString("__ambit_")
	b.WriteString(name)
	b.WriteByte('=')
	s.quoteTo(b, value)
	b.WriteByte('\n')
}

func (s Shell) assignList(b *bytes.Buffer, name string, words []string) {
	if s == Fish {
		b.WriteString("builtin set -g __ambit_" + name)
		// fish compares characters: bytes that it met one by one are none.
		decode := slices.ContainsFunc(words, func(w string) bool { return strings.ContainsFunc(w, func(r rune) bool { return r > 0x7f }) })
		if decode {
			b.WriteString(` (builtin printf '%s\0'`)
		}
		for _, w := range words {
			b.WriteByte(' ')
			s.quoteTo(b, w)
		}
		if decode {
			b.WriteString(" | builtin string split0)")
		}
		b.WriteByte('\n')
		return
	}
	b.WriteString("__ambit_" + name + "=(")
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		s.quoteTo(b, w)
	}
	b.WriteString(")\n")
}
