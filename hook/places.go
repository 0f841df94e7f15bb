package hook

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Places are the directories that ambit finds itself by, all absolute and clean; ""
// where there is none. What is appended to them is clean, too: filepath.Join would
// look at every byte of the path again, at each of a prompt's twenty paths.
type Places struct {
	Home   string
	Config string // $XDG_CONFIG_HOME/ambit
	State  string // $XDG_STATE_HOME/ambit
	Cache  string // $XDG_RUNTIME_DIR/ambit in memory, else $XDG_CACHE_HOME/ambit
}

// NewPlaces looks them up. It gives what adrg/xdg gives, which a test holds; that
// package reads files when a program starts, and a prompt should not.
func NewPlaces(env Environ, uid int) Places {
	p := Places{Home: home(env, uid)}
	p.Config = p.base(env, "XDG_CONFIG_HOME", ".config")
	p.State = p.base(env, "XDG_STATE_HOME", ".local/state")
	p.Cache = p.base(env, "XDG_CACHE_HOME", ".cache")
	if dir := env["XDG_RUNTIME_DIR"]; filepath.IsAbs(dir) {
		if info, err := os.Lstat(dir); err == nil && info.IsDir() && info.Mode().Perm() == 0o700 {
			if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) == uid {
				p.Cache = filepath.Join(dir, "ambit")
			}
		}
	}
	return p
}

// base is a base directory of the XDG specification, which says that a relative
// path is to be ignored.
func (p Places) base(env Environ, name, fallback string) string {
	if dir := env[name]; filepath.IsAbs(dir) {
		return filepath.Join(dir, "ambit")
	}
	if p.Home == "" {
		return ""
	}
	return strings.TrimSuffix(p.Home, "/") + "/" + fallback + "/ambit"
}

// home is $HOME, else what the user database says. Package os/user would read
// it too, at the price of linking it into every prompt.
func home(env Environ, uid int) string {
	if dir := env["HOME"]; dir != "" {
		if filepath.IsAbs(dir) {
			return filepath.Clean(dir)
		}
		return ""
	}
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(passwd) {
		if f := strings.Split(string(line), ":"); len(f) > 5 && f[2] == strconv.Itoa(uid) && filepath.IsAbs(f[5]) {
			return filepath.Clean(f[5])
		}
	}
	return ""
}

// ConfigFile is the path of the user's settings.
func (p Places) ConfigFile() string {
	if p.Config == "" {
		return ""
	}
	return p.Config + "/config.yaml"
}

// Short writes a path as people do: relative to dir if it is below it, or in one
// of the two directories above it, else with ~ for the home directory.
func (p Places) Short(path, dir string) string {
	if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsAbs(dir) {
		up := strings.Count(rel+"/", "../")
		if up == 0 || up <= 2 && within(filepath.Dir(path), dir) {
			return rel
		}
	}
	if p.Home != "" && within(p.Home, path) {
		if path == p.Home {
			return "~"
		}
		return "~" + strings.TrimPrefix(path, p.Home)
	}
	return path
}

// within says whether path is dir or below it, by whole components.
func within(dir, path string) bool {
	if dir == "" {
		return false
	}
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
