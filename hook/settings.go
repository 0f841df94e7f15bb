package hook

import (
	"io/fs"
	"os"
	"time"

	"ambit/resolver/cache"
	"ambit/resolver/cache/wire"
	"ambit/resolver/safefile"
)

const settingsSchema = "ambit settings 1"

// Settings are the user's settings that a prompt needs. The zero Settings are
// in force where there is no config.yaml. `ambit resolve` reads that file and
// leaves them in the cache, so that no prompt parses YAML.
type Settings struct {
	Trusted       []string // canonical directories whose files need no `ambit allow`
	Safe          []string // canonical directories in which other owners are accepted
	SameContent   bool     // a worktree of an allowed repository with equal bytes is allowed
	OneFilesystem bool
	Timeout       time.Duration // for what a prompt waits; 0 = [DefaultTimeout]
	Quiet         bool          // no line when something is loaded or unloaded

	// Failure says what is wrong with config.yaml; the rest is then zero.
	Failure []cache.Message
}

// DefaultTimeout is how long a prompt waits for the resolver.
const DefaultTimeout = 5 * time.Second

// origin tells whether config.yaml is still the one that settings were made
// from.
type origin struct {
	path  string
	mtime int64 // nanoseconds
	size  int64
}

func originOf(config string) (o origin, exists bool) {
	info, err := os.Stat(config)
	if config == "" || err != nil {
		return origin{}, false
	}
	return origin{config, info.ModTime().UnixNano(), info.Size()}, true
}

// LoadSettings returns the settings that were saved. They are stale if
// config.yaml is not the file they were made from; what they say is then still
// the best guess.
func LoadSettings(d *cache.Dir, places Places, uid int) (s Settings, stale bool) {
	want, exists := originOf(places.ConfigFile())
	if !exists {
		return Settings{}, false
	}
	if d == nil {
		return Settings{}, true
	}
	b, _, err := safefile.ReadPrivate(d.Path()+"/settings", uid)
	if err != nil {
		return Settings{}, true
	}
	s, made, err := decodeSettings(b)
	if err != nil {
		return Settings{}, true
	}
	return s, made != want
}

// SaveSettings keeps what was made from config.yaml, whose info is as it was
// when its bytes were read.
func SaveSettings(d *cache.Dir, config string, info fs.FileInfo, s Settings) error {
	if d == nil {
		return cache.ErrUnusable
	}
	o := origin{config, info.ModTime().UnixNano(), info.Size()}
	return safefile.WritePrivate(d.Path()+"/settings", encodeSettings(s, o))
}

func encodeSettings(s Settings, o origin) []byte {
	var w wire.Encoder
	w.String(o.path)
	w.Int(o.mtime)
	w.Int(o.size)
	w.Strings(s.Trusted)
	w.Strings(s.Safe)
	w.Bool(s.SameContent)
	w.Bool(s.OneFilesystem)
	w.Int(int64(s.Timeout))
	w.Bool(s.Quiet)
	cache.EncodeMessages(&w, s.Failure)
	return wire.Frame(settingsSchema, w.Bytes())
}

func decodeSettings(b []byte) (s Settings, o origin, err error) {
	body, err := wire.Unframe(settingsSchema, b)
	if err != nil {
		return s, o, err
	}
	d := wire.NewDecoder(body)
	o = origin{d.String(), d.Int(), d.Int()}
	s = Settings{
		Trusted: d.Strings(), Safe: d.Strings(), SameContent: d.Bool(), OneFilesystem: d.Bool(),
		Timeout: time.Duration(d.Int()), Quiet: d.Bool(), Failure: cache.DecodeMessages(d),
	}
	return s, o, d.End()
}
