package doctor

import (
	"os"
	"path/filepath"
)

// exists says whether something is there, below Root.
func (x *examination) exists(path string) bool {
	_, err := os.Lstat(filepath.Join(x.Root, path))
	return err == nil
}
