package store

import (
	"errors"
	"io/fs"
	"path/filepath"

	"ambit/resolver"
)

// ErrNotPinned is the error for a file of a repository that is not part of what
// the user allowed.
var ErrNotPinned = errors.New("is not in the allowed closure")

// Pinned reads the files of repositories from bytes, those whose hash was
// checked against what the user allowed, and the stores from disk.
type Pinned struct {
	*Directories
	files map[string][]byte // by canonical path; nil: it is known to be absent
}

// NewPinned takes the allowed files by canonical path; nil bytes stand for a
// file that was absent when the closure was allowed.
func NewPinned(d *Directories, files map[string][]byte) *Pinned { return &Pinned{d, files} }

// Read implements [resolver.Sources].
func (p *Pinned) Read(path, store string) (resolver.Source, error) {
	if store != "" {
		return p.Directories.Read(path, store)
	}
	canonical, err := Canonical(path)
	if err != nil {
		// What is gone may still have been absent when it was allowed.
		canonical = filepath.Clean(path)
	}
	b, ok := p.files[canonical]
	switch {
	case !ok && err != nil:
		return resolver.Source{}, err
	case !ok:
		return resolver.Source{}, ErrNotPinned
	case b == nil:
		return resolver.Source{}, fs.ErrNotExist
	}
	return resolver.Source{Path: canonical, Bytes: b}, nil
}
