package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"ambit/hook"
	"ambit/resolver/cache"
	"ambit/resolver/oidc"
	"ambit/resolver/safefile"
)

// config is the user's config.yaml. Nothing in a repository can touch what it
// says: whom to trust, where environments are kept, how a prompt behaves.
type config struct {
	file     cache.Watched // config.yaml as it was read; Path "" without a home directory
	stores   []string      // absolute; nil: not said
	settings hook.Settings
	deliver  delivery

	logins     map[string]oidc.Login // by name
	mfaCommand []string              // nil: not said
}

// The bounds of hook.timeout: below, not even the local work is sure to be done;
// above, a prompt that hangs looks dead.
const (
	minTimeout = time.Second
	maxTimeout = time.Minute
)

// config reads config.yaml, once. A broken one is an error that says where.
func (a *ambit) config() (*config, error) {
	if a.conf == nil {
		a.conf = a.readConfig()
	}
	if len(a.conf.settings.Failure) > 0 {
		return a.conf, broken(a.conf.settings.Failure)
	}
	return a.conf, nil
}

// readConfig reads config.yaml and leaves in the cache what a prompt needs of
// it, broken or not.
func (a *ambit) readConfig() *config {
	path := a.places.ConfigFile()
	c := &config{file: cache.Watched{Path: path, Absent: true}}
	if path == "" {
		return c
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c
	}
	c.file.Absent = false
	var b []byte
	if err == nil {
		err = a.owner.Check(path)
	}
	if err == nil {
		b, err = safefile.Read(path)
	}
	p := &configParser{config: c, home: a.places.Home, path: path}
	if err != nil {
		p.fail(nil, "cannot be used: "+reason(err), "")
	} else {
		c.file.Digest = cache.Digest(b)
		p.parse(b)
	}
	if len(p.faults) > 0 {
		*c = config{file: c.file, settings: hook.Settings{Failure: p.faults}}
	}
	if _, stale := hook.LoadSettings(a.cacheDir, a.places, a.uid); stale && info != nil {
		// Without a cache a prompt asks again, and this is read again.
		_ = hook.SaveSettings(a.cacheDir, path, info, c.settings)
	}
	return c
}

// reason is what an error of the system says, without the path, which stands
// before it.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// configParser reads config.yaml key by key, with places.
type configParser struct {
	*config
	home, path string
	faults     []cache.Message
}

// fail notes an error at a node; nil is the file as a whole.
func (p *configParser) fail(n *yaml.Node, text, help string) {
	m := errorMessage(text)
	m.Place.File = p.path
	if n != nil {
		m.Place.Line, m.Place.Column = n.Line, n.Column
	}
	p.faults = append(p.faults, m)
	if help != "" {
		p.faults = append(p.faults, hint(help))
	}
}

func (p *configParser) parse(b []byte) {
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		// Its text quotes the file, which may hold what nobody should see.
		n := &yaml.Node{Line: yamlLine(err), Column: 1}
		p.fail(n, "is not valid YAML", "")
		return
	}
	if doc.Kind == 0 || len(doc.Content) == 0 || isNull(doc.Content[0]) {
		return
	}
	p.object(doc.Content[0], "config.yaml", map[string]func(*yaml.Node){
		"stores":           func(n *yaml.Node) { p.stores = p.directories(n, "stores") },
		"trusted":          func(n *yaml.Node) { p.settings.Trusted = canonical(p.directories(n, "trusted")) },
		"safe_directories": func(n *yaml.Node) { p.settings.Safe = canonical(p.directories(n, "safe_directories")) },
		"worktrees": func(n *yaml.Node) {
			p.settings.SameContent = p.choice(n, "worktrees", "ask", "same-content") == "same-content"
		},
		"one_filesystem": func(n *yaml.Node) { p.settings.OneFilesystem = p.boolean(n, "one_filesystem") },
		"hook": func(n *yaml.Node) {
			p.object(n, "hook", map[string]func(*yaml.Node){
				"timeout": func(n *yaml.Node) { p.settings.Timeout = p.timeout(n) },
				"quiet":   func(n *yaml.Node) { p.settings.Quiet = p.boolean(n, "hook.quiet") },
			})
		},
		"cache": func(n *yaml.Node) {
			p.object(n, "cache", map[string]func(*yaml.Node){
				"seal": func(n *yaml.Node) {
					// Going on would leave in the clear what was to be sealed.
					if p.choice(n, "cache.seal", "none", "keyring") == "keyring" {
						p.fail(n, "cache.seal: keyring is not supported yet", `write "seal: none", or leave it out`)
					}
				},
			})
		},
		"deliver":    p.readDeliver,
		"logins":     p.readLogins,
		"mfaCommand": p.readMFACommand,
	})
}

func yamlLine(err error) int {
	// yaml.v3 gives no position but in its text: "yaml: line 3: …".
	_, rest, ok := strings.Cut(err.Error(), "line ")
	if !ok {
		return 1
	}
	digits, _, _ := strings.Cut(rest, ":")
	if n, err := strconv.Atoi(digits); err == nil && n > 0 {
		return n
	}
	return 1
}

// object calls, for each key, the function that reads its value. Null is as if
// the key were not there.
func (p *configParser) object(n *yaml.Node, name string, keys map[string]func(*yaml.Node)) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		p.mismatch(n, name, "an object")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read, known := keys[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || !known:
			var names []string
			for name := range keys {
				names = append(names, name)
			}
			slices.Sort(names)
			help := didYouMean(key.Value, names)
			if help == "" {
				help = "the settings here are " + strings.Join(names, ", ")
			}
			p.fail(key, fmt.Sprintf("unknown setting %q", key.Value), help)
		case seen[key.Value]:
			p.fail(key, fmt.Sprintf("the setting %q is here twice", key.Value), "")
		case !isNull(value):
			read(value)
		}
		seen[key.Value] = true
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func (p *configParser) mismatch(n *yaml.Node, name, want string) {
	p.fail(n, fmt.Sprintf("%s must be %s, not %s", name, want, kindOf(n)), "")
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "an object"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.Tag {
	case "!!bool":
		return "a boolean"
	case "!!int", "!!float":
		return "a number"
	case "!!null":
		return "nothing"
	}
	return "a string"
}

func (p *configParser) text(n *yaml.Node, name string) string {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" && n.Tag != "!!timestamp" {
		p.mismatch(n, name, "a string")
		return ""
	}
	return n.Value
}

func (p *configParser) boolean(n *yaml.Node, name string) bool {
	var b bool
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || n.Decode(&b) != nil {
		p.mismatch(n, name, "true or false")
	}
	return b
}

func (p *configParser) choice(n *yaml.Node, name string, choices ...string) string {
	word := ""
	if n.Kind == yaml.ScalarNode {
		word = n.Value
	}
	for _, c := range choices {
		if word == c {
			return c
		}
	}
	help := didYouMean(word, choices)
	if help == "" {
		help = "write " + strings.Join(choices, " or ")
	}
	p.fail(n, fmt.Sprintf("%s must be %s", name, strings.Join(choices, " or ")), help)
	return ""
}

func (p *configParser) timeout(n *yaml.Node) time.Duration {
	text := p.text(n, "hook.timeout")
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		p.fail(n, "hook.timeout is no duration", "write, for example, 5s")
	case d < minTimeout || d > maxTimeout:
		p.fail(n, "hook.timeout must be from 1s to 1m", "write, for example, 5s")
	}
	return d
}

// texts reads a list of strings; one string is a list of one.
func (p *configParser) texts(n *yaml.Node, name string) []string {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		return []string{n.Value}
	}
	if n.Kind != yaml.SequenceNode {
		p.mismatch(n, name, "a list of strings")
		return nil
	}
	out := []string{}
	for _, item := range n.Content {
		if s := p.text(item, "an element of "+name); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// directories reads a list of paths that are absolute or begin with ~/.
func (p *configParser) directories(n *yaml.Node, name string) []string {
	if n.Kind != yaml.SequenceNode {
		p.mismatch(n, name, "a list of directories")
		return nil
	}
	out := []string{}
	for _, item := range n.Content {
		s := p.text(item, "an element of "+name)
		switch {
		case s == "" && item.Tag == "!!str":
			p.fail(item, "an element of "+name+" is empty", "")
		case s == "":
		case s == "~" || strings.HasPrefix(s, "~/"):
			if p.home == "" {
				p.fail(item, "the home directory is not known", "write an absolute path")
				continue
			}
			out = append(out, filepath.Join(p.home, s[1:]))
		case filepath.IsAbs(s):
			out = append(out, filepath.Clean(s))
		default:
			p.fail(item, fmt.Sprintf("%q is a relative path", s), "write an absolute path, or one that begins with ~/")
		}
	}
	return out
}

// canonical resolves links. A directory that is not there yet stays as it is
// spelled.
func canonical(dirs []string) []string {
	for i, dir := range dirs {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			dirs[i] = real
		}
	}
	return dirs
}
