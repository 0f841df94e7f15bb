package hook

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"ambit/resolver/cache"
	"ambit/resolver/safefile"
)

// Found is the result of looking for the file that governs a directory.
type Found struct {
	File     string // the path, spelled as the starting directory is; "" if there is none
	Dir      string // its directory's canonical path
	Dangling bool   // it is a link that leads to nothing we can see

	Absent  []string  // paths that would win if they appeared, nearest first
	Foreign []Foreign // files that were passed over because others can change them
}

// Foreign is a file that counts as absent, and why.
type Foreign struct {
	File string
	Err  error
}

// dir is where there is a file, even if it does not count; "" if there is none.
func (f Found) dir() string {
	if f.File == "" && len(f.Foreign) > 0 {
		return filepath.Dir(f.Foreign[0].File)
	}
	return f.Dir
}

// Messages say so, with the file's path as given and what to do about it.
func (f Foreign) Messages(path string) []cache.Message {
	return []cache.Message{
		warning(fmt.Sprintf("%s is ignored: it %v", path, f.Err)),
		hint("take away the others' permission to write, or list the directory in safe_directories of config.yaml"),
	}
}

// Search is where [Search.Find] may look.
type Search struct {
	Home          string
	Ceilings      []string // absolute; the walk ends with any of them
	OneFilesystem bool
	Owner         safefile.Owner
	Safe          []string // canonical directories in which other owners are accepted
	Physical      bool     // the path has no symbolic links: it is what getcwd(3) says
}

// CeilingsOf reads AMBIT_CEILING_DIRECTORIES, a list separated by colons.
func CeilingsOf(env Environ) []string {
	var out []string
	for dir := range strings.SplitSeq(env["AMBIT_CEILING_DIRECTORIES"], ":") {
		if filepath.IsAbs(dir) {
			out = append(out, filepath.Clean(dir))
		}
	}
	return out
}

// Find looks for [FileName] in dir and the directories above it, by the letters
// of the path: a shell that walks $PWD sees the same files. It ends with a
// ceiling, with the home directory if it began below it, at a directory that
// cannot be read, and with the root.
func (s Search) Find(dir string) Found {
	var found Found
	var device uint64
	belowHome := within(s.Home, dir)
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		if s.OneFilesystem {
			info, err := os.Stat(at)
			if err != nil {
				return found
			}
			here := uint64(info.Sys().(*syscall.Stat_t).Dev) //nolint:unconvert // int32 on macOS
			if device != 0 && here != device {
				return found
			}
			device = here
		}
		path := strings.TrimSuffix(at, "/") + "/" + FileName
		switch _, err := os.Lstat(path); {
		case err == nil:
			canonical, err := s.canonicalDir(at)
			if err != nil {
				return found // moved or hidden meanwhile
			}
			if err = s.check(path, canonical); !errors.Is(err, safefile.ErrForeign) {
				// One that is merely broken does count: its error is to be seen.
				found.File, found.Dir, found.Dangling = path, canonical, err != nil
				return found
			}
			found.Foreign = append(found.Foreign, Foreign{path, err})
		case errors.Is(err, fs.ErrNotExist):
			found.Absent = append(found.Absent, path)
		default: // not a directory, no permission to search it
			return found
		}
		if at == "/" || (belowHome && at == s.Home) || s.isCeiling(at) {
			return found
		}
	}
}

// check says why a file that exists does not count, or cannot be found out about.
func (s Search) check(path, dir string) error {
	for _, safe := range s.Safe {
		if within(safe, dir) {
			return nil
		}
	}
	return s.Owner.Check(path)
}

func (s Search) isCeiling(dir string) bool {
	for _, c := range s.Ceilings {
		if dir == c {
			return true
		}
	}
	return false
}

func (s Search) canonicalDir(dir string) (string, error) {
	if s.Physical {
		return trueCase(dir), nil
	}
	return canonicalDir(dir)
}

// canonicalDir is a directory's identity: no links, and where the disk folds
// case, the names as the directories hold them.
func canonicalDir(dir string) (string, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	return trueCase(real), nil
}

// trueCase replaces every component that its directory holds only in another
// case. A disk that does not fold case holds each as it is spelled, so the
// question costs a stat, and the directory is read only where names differ.
func trueCase(path string) string {
	flipped := flipCase(path)
	if flipped == path {
		return path
	}
	b, err := os.Lstat(flipped)
	if err != nil {
		return path
	}
	if a, err := os.Lstat(path); err != nil || !os.SameFile(a, b) {
		return path
	}
	out := "/"
	for _, name := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		names, err := os.ReadDir(out)
		if err != nil {
			return path
		}
		held := name
		for _, n := range names {
			if n.Name() == name {
				held = name
				break
			}
			if strings.EqualFold(n.Name(), name) {
				held = n.Name()
			}
		}
		out = filepath.Join(out, held)
	}
	return out
}

// flipCase changes the case of the ASCII letters of the last component.
func flipCase(path string) string {
	dir, name := filepath.Split(path)
	b := []byte(name)
	for i, c := range b {
		if c|0x20 >= 'a' && c|0x20 <= 'z' {
			b[i] = c ^ 0x20
		}
	}
	return dir + string(b)
}
