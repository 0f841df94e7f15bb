// Package store says where environments are kept and reads them safely. A store
// is a directory: STORE/PROJECT/NAME.yaml is the environment PROJECT/NAME.
// Stores are searched in order, the first that has a name wins, and nothing is
// merged across them.
//
// Most callers want [Directories], which reads from disk, and [Pinned], which
// reads the files of repositories from bytes whose hash was checked. Both are
// [resolver.Sources].
//
// A file counts only if it is ours or root's and nobody else can write to it or
// to its directory; it is opened once, and what was read is what is parsed.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"

	"ambit/resolver"
	"ambit/resolver/safefile"
)

// Directories are the user's stores, and the files of repositories as they are
// on disk. It is safe for concurrent use and reads each path once.
type Directories struct {
	stores []string
	owner  safefile.Owner

	mu   sync.Mutex
	read map[string]result // by path as asked for
}

type result struct {
	src resolver.Source
	err error
}

// NewDirectories takes the stores in order: absolute directories; those that do
// not exist are skipped, and links in their paths followed.
func NewDirectories(stores []string, owner safefile.Owner) *Directories {
	d := &Directories{owner: owner, read: map[string]result{}}
	for _, dir := range stores {
		if !filepath.IsAbs(dir) {
			continue
		}
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			// It may appear, and then its environments win.
			real = filepath.Clean(dir)
		}
		if !slices.Contains(d.stores, real) {
			d.stores = append(d.stores, real)
		}
	}
	return d
}

// Stores are the canonical directories that are searched, in order.
func (d *Directories) Stores() []string { return d.stores }

// candidates are the paths at which a store may keep an environment.
func candidates(name string) []string {
	path := filepath.FromSlash(name) + ".yaml"
	if strings.Contains(name, "/") {
		if bare, ok := strings.CutPrefix(name, "default/"); ok {
			return []string{path, bare + ".yaml"}
		}
		return []string{path}
	}
	return []string{path, filepath.Join("default", path)}
}

// Named implements [resolver.Sources].
func (d *Directories) Named(name string) (src resolver.Source, tried []string, err error) {
	if !resolver.ValidEnvironmentName(name) {
		return src, nil, fmt.Errorf("%w %q", resolver.ErrUnknownEnvironment, name)
	}
	for _, dir := range d.stores {
		for _, candidate := range candidates(name) {
			path := filepath.Join(dir, candidate)
			src, err := d.Read(path, dir)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				tried = append(tried, path)
				continue
			case err != nil:
				return src, tried, err
			}
			return src, tried, nil
		}
	}
	return src, tried, fmt.Errorf("%w %q", resolver.ErrUnknownEnvironment, name)
}

// Read implements [resolver.Sources]. A file named [resolver.FileName] keeps
// its directory even if it is a link: a directory has one identity. Any other
// file is where its links lead.
func (d *Directories) Read(path, store string) (resolver.Source, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := store + "\x00" + path
	if r, ok := d.read[key]; ok {
		return r.src, r.err
	}
	src, err := d.fetch(path, store)
	d.read[key] = result{src, err}
	return src, err
}

func (d *Directories) fetch(path, store string) (resolver.Source, error) {
	canonical, err := Canonical(path)
	if err != nil {
		return resolver.Source{}, err
	}
	if store != "" {
		real, err := follow(path)
		if err != nil {
			return resolver.Source{}, err
		}
		if !within(real, store) || !within(canonical, store) {
			return resolver.Source{}, resolver.ErrLeavesStore
		}
	}
	b, err := readOwn(canonical, d.owner)
	if err != nil {
		return resolver.Source{}, err
	}
	return resolver.Source{Path: canonical, Bytes: b, Store: store}, nil
}

// follow is the path of a file with links followed. An error is an [*fs.PathError].
func follow(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if pathErr := (*fs.PathError)(nil); err != nil && !errors.As(err, &pathErr) {
		err = &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP} // of links in a circle it says only that
	}
	return real, err
}

// Canonical is the one path of a file, with links followed, but for the last
// element of a [resolver.FileName].
func Canonical(path string) (string, error) {
	if filepath.Base(path) != resolver.FileName {
		return follow(path)
	}
	dir, err := follow(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, resolver.FileName)
	if _, err := os.Lstat(path); err != nil {
		return "", err
	}
	return path, nil
}

// within compares by path component: /w-evil does not lie in /w.
func within(path, dir string) bool {
	return dir == "/" || strings.HasPrefix(path, dir+string(filepath.Separator))
}

// readOwn reads a file that only its owner, us or root, can have written.
func readOwn(path string, owner safefile.Owner) ([]byte, error) {
	b, err := safefile.Read(path)
	if err != nil {
		return nil, err
	}
	if err := owner.Check(path); err != nil {
		if errors.Is(err, safefile.ErrForeign) {
			return nil, safefile.ErrForeign
		}
		return nil, err
	}
	return b, nil
}

// Names implements [resolver.Sources]: every environment as PROJECT/NAME,
// sorted. It lists directories and opens no file.
func (d *Directories) Names() []string {
	seen := map[string]bool{}
	add := func(project, file string) {
		name, ok := strings.CutSuffix(file, ".yaml")
		if full := project + "/" + name; ok && resolver.ValidEnvironmentName(full) {
			seen[full] = true
		}
	}
	for _, dir := range d.stores {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // a store that is missing or unreadable has no names
		}
		for _, e := range entries {
			if !e.IsDir() && e.Type()&fs.ModeSymlink == 0 {
				add("default", e.Name())
				continue
			}
			below, err := os.ReadDir(filepath.Join(dir, e.Name()))
			if err != nil {
				add("default", e.Name()) // a link to a file
				continue
			}
			for _, f := range below {
				if !f.IsDir() {
					add(e.Name(), f.Name())
				}
			}
		}
	}
	names := make([]string, 0, len(seen))
	for name := range seen {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
