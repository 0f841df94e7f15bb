package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"ambit/resolver/aws/doctor"
	"ambit/resolver/safefile"
)

// permissions checks ambit's own directories: that they are this user's, closed to
// others, and that something can be written there. It writes nothing.
func (p *setup) permissions() {
	const check = "permissions"
	if p.places.State == "" {
		p.add(check, doctor.Fail, `eval "export HOME=~$(id -un)"`, "there is no home directory, so nothing can be kept or allowed")
		return
	}
	// Without these no directory is loaded.
	if p.private(p.places.State, doctor.Fail) {
		p.private(filepath.Join(p.places.State, "trust"), doctor.Fail)
		p.private(filepath.Join(p.places.State, "tokens"), doctor.Warn)
		p.key()
	}
	// Without this one every new shell resolves anew.
	p.private(p.places.Cache, doctor.Warn)
	p.settings()
	p.well(check, "%s and %s are private and can be written", p.tilde(p.places.State), p.tilde(p.places.Cache))
}

// private checks a directory of ours; false if there is none to look into.
func (p *setup) private(path string, status doctor.Status) bool {
	const check = "permissions"
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		p.makeable(path, status)
		return false
	}
	if err != nil {
		p.add(check, status, "", "%s cannot be looked at: %s", p.tilde(path), reason(err))
		return false
	}
	if info.Mode()&fs.ModeSymlink != 0 && path == p.places.Cache {
		p.add(check, status, "rm "+p.word(path), "%s is a link, and is not used", p.tilde(path))
		return false
	}
	if info, err = os.Stat(path); err != nil || !info.IsDir() {
		p.add(check, status, "rm "+p.word(path), "%s is not a directory", p.tilde(path))
		return false
	}
	switch mode := info.Mode().Perm(); {
	case !p.owns(info):
		p.add(check, status, `sudo chown -R "$(id -u)" `+p.word(path), "%s belongs to another user", p.tilde(path))
	case mode&0o700 != 0o700:
		p.add(check, status, "chmod 700 "+p.word(path), "%s has the mode %04o: its owner cannot use it", p.tilde(path), mode)
	case mode&0o022 != 0 || mode&0o077 != 0 && path == p.places.Cache:
		p.add(check, status, "chmod 700 "+p.word(path), "%s has the mode %04o: others can use it, so ambit does not", p.tilde(path), mode)
	case mode&0o077 != 0:
		p.add(check, doctor.Warn, "chmod 700 "+p.word(path), "%s has the mode %04o: others can look into it", p.tilde(path), mode)
	default:
		p.writable(path, path, status)
	}
	return true
}

// makeable checks that a directory which is not there yet can be made.
func (p *setup) makeable(path string, status doctor.Status) {
	for at := filepath.Dir(path); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case err == nil && info.IsDir():
			p.writable(path, at, status)
			return
		case err == nil || errors.Is(err, syscall.ENOTDIR):
			p.add("permissions", status, "", "%s cannot be made: %s is not a directory", p.tilde(path), p.tilde(at))
			return
		case !errors.Is(err, fs.ErrNotExist):
			p.add("permissions", status, "", "%s cannot be made: %s: %s", p.tilde(path), p.tilde(at), reason(err))
			return
		case at == filepath.Dir(at):
			return
		}
	}
}

// writable checks that files can be made in a directory, as far as that shows
// without making one. Path is what it is about.
func (p *setup) writable(path, dir string, status doctor.Status) {
	const writeAndSearch = 2 | 1 // W_OK|X_OK of access(2)
	if err := syscall.Access(dir, writeAndSearch); err != nil {
		fix := "chmod u+rwx " + p.word(dir)
		if !errors.Is(err, fs.ErrPermission) {
			fix = ""
		} else if info, serr := os.Stat(dir); serr == nil && !p.owns(info) {
			fix = `sudo install -d -o "$(id -u)" -m 700 ` + p.word(path)
		}
		p.add("permissions", status, fix, "%s cannot be written: %s: %s", p.tilde(path), p.tilde(dir), err)
		return
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err == nil && disk.Blocks > 0 && disk.Bavail == 0 {
		p.add("permissions", status, "", "the disk of %s is full", p.tilde(path))
	}
}

// key checks the file that seals the sessions of shells.
func (p *setup) key() {
	path := filepath.Join(p.places.State, "key")
	b, _, err := safefile.ReadPrivate(path, p.uid)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		fix := "rm -f " + p.word(path)
		if info, lerr := os.Lstat(path); lerr == nil && info.Mode().IsRegular() && p.owns(info) {
			fix = "chmod 600 " + p.word(path)
		}
		p.add("permissions", doctor.Fail, fix, "%s, which seals what shells remember, cannot be used: %s", p.tilde(path), reason(err))
	case len(b) != 64:
		p.add("permissions", doctor.Fail, "rm "+p.word(path), "%s, which seals what shells remember, is damaged", p.tilde(path))
	}
}

func (p *setup) owns(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == p.uid
}

// settings checks that nobody else can write what ambit believes.
func (p *setup) settings() {
	path := p.places.ConfigFile()
	if err := p.owner.Check(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.add("permissions", doctor.Fail, p.closing(path), "%s is not used: it %s", p.tilde(path), reason(err))
	}
}

// closing is the command that takes from others the right to write a file or to
// replace it.
func (p *setup) closing(path string) string {
	return "chmod go-w " + p.word(filepath.Dir(path)) + " " + p.word(path)
}
