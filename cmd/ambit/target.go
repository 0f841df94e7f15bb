package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ambit/hook"
	"ambit/resolver"
)

// target is the definition that a command is about: a file, or an environment
// of the stores.
type target struct {
	root resolver.Root
	file string // as people spell it, "" for an environment

	// identity is by what trust knows a file: the canonical directory of a
	// .envrc.yaml, the canonical path of another file.
	identity string
}

// directory is the target of a .envrc.yaml in a canonical directory.
func directory(dir string) target {
	path := filepath.Join(dir, hook.FileName)
	return target{root: resolver.Root{File: path}, file: path, identity: dir}
}

// target finds what an argument of `open`, `check`, `run` and `whoami` means. It
// is a file if it begins with ./, ../ or /, or if it ends in .yaml and exists;
// else a name; "" is the nearest .envrc.yaml.
func (a *ambit) target(arg string) (target, error) {
	switch {
	case arg == "":
		return a.nearest(a.dir)
	case a.isFile(arg):
		return a.fileTarget(arg)
	}
	return target{root: resolver.Root{Name: arg}}, nil
}

func (a *ambit) isFile(arg string) bool {
	if arg == "." || arg == ".." || strings.HasPrefix(arg, "./") || strings.HasPrefix(arg, "../") || filepath.IsAbs(arg) {
		return true
	}
	if !strings.HasSuffix(arg, ".yaml") {
		return false
	}
	_, err := os.Lstat(a.abs(arg))
	return err == nil
}

// abs is a path on the command line, relative to the current directory.
func (a *ambit) abs(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(a.dir, path)
}

// fileTarget is the target of a file, or of the .envrc.yaml in a directory.
func (a *ambit) fileTarget(arg string) (target, error) {
	path := a.abs(arg)
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		path = filepath.Join(path, hook.FileName)
		_, err = os.Lstat(path)
	} else if err != nil {
		_, err = os.Lstat(path) // a link that leads nowhere has its own error, later
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return target{}, withHint(fmt.Errorf("%s does not exist", a.short(path)), "check the spelling")
	case err != nil:
		return target{}, fmt.Errorf("%s cannot be read: %s", a.short(path), reason(err))
	}
	if filepath.Base(path) == hook.FileName {
		// As the hook finds it: the directory is its identity, and where the
		// file itself is a link, not what that points to.
		found := a.find(filepath.Dir(path))
		if found.File == path {
			t := directory(found.Dir)
			t.file = path
			return t, nil
		}
		if err := a.checkOwner(path); err != nil {
			return target{}, err
		}
		return target{}, fmt.Errorf("%s cannot be reached", a.short(path))
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return target{}, fmt.Errorf("%s cannot be read: %s", a.short(path), reason(err))
	}
	return target{root: resolver.Root{File: real}, file: path, identity: real}, a.checkOwner(path)
}

// checkOwner refuses a file that others can change, unless the user's settings
// accept its directory.
func (a *ambit) checkOwner(path string) error {
	err := a.owner.Check(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	conf, _ := a.config() // a broken one accepts nothing
	if real, rerr := filepath.EvalSymlinks(filepath.Dir(path)); rerr == nil && within(conf.settings.Safe, real) {
		return nil
	}
	m := hook.Foreign{File: path, Err: err}.Messages(a.short(path))
	return withHint(errors.New(m[0].Text), m[1].Text)
}

// nearest is the target of the .envrc.yaml that governs a directory.
func (a *ambit) nearest(dir string) (target, error) {
	found := a.find(dir)
	for _, f := range found.Foreign {
		a.say(f.Messages(a.short(f.File))...)
	}
	if found.File == "" {
		if dir == "" {
			return target{}, errors.New("the current directory does not exist any more")
		}
		where := a.short(dir)
		if where == "." {
			where = "this directory"
		}
		return target{}, withHint(fmt.Errorf("there is no %s in %s or above it", hook.FileName, where),
			"name a directory, a file or an environment")
	}
	t := directory(found.Dir)
	t.file = found.File
	return t, nil
}

// find looks for the file that governs a directory, as the hook does.
func (a *ambit) find(dir string) hook.Found {
	if dir == "" {
		return hook.Found{}
	}
	conf, _ := a.config() // a broken one is said by who needs the rest of it
	return hook.Search{
		Home: a.places.Home, Ceilings: hook.CeilingsOf(a.environ), OneFilesystem: conf.settings.OneFilesystem,
		Owner: a.owner, Safe: conf.settings.Safe,
	}.Find(dir)
}

// within says whether a canonical path is one of the directories or below it, by
// whole components: /w does not hold /w-evil.
func within(dirs []string, path string) bool {
	for _, dir := range dirs {
		if path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/") {
			return true
		}
	}
	return false
}
