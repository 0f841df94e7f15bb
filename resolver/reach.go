package resolver

import (
	"os"
	"path/filepath"
	"strings"
)

// beyond lists the files that a repository's file reaches outside the
// repository: `ambit allow` names them apart.
func (p *Program) beyond() (out []PlannedFile) {
	if p.root.store != "" {
		return nil
	}
	top := repository(p.root.dir())
	for _, f := range p.files {
		if f.Store != "" || f.Absent || below(f.Path, top) {
			continue
		}
		name := f.Path
		if env := p.byPath[f.Path]; env != nil {
			name = env.name
		}
		out = append(out, PlannedFile{Name: name, Path: f.Path})
	}
	return out
}

// repository is the directory below the nearest .git, or the directory itself
// if there is none.
func repository(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		// Lstat: a worktree's .git is a file, and a link is enough of a sign.
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			return at
		}
		if filepath.Dir(at) == at {
			return dir
		}
	}
}

// below compares by path component: /w-evil does not lie below /w.
func below(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+string(filepath.Separator))
}
