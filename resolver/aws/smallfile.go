package aws

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"ambit/resolver"
)

// readSmall reads a regular file of at most limit bytes. It follows links, as
// mounted secrets are, and does not wait for a FIFO's writer.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		var bare *os.PathError
		if errors.As(err, &bare) {
			err = bare.Err // the caller names the path
		}
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("larger than %d KiB", limit>>10)
	}
	return b, nil
}

// absolute makes a path of a file absolute: "~/" is the home directory, and what
// is relative starts from the directory of the file it stands in.
func absolute(path, file string, env *resolver.Baseline) (string, error) {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		home, _ := env.Lookup("HOME")
		if !filepath.IsAbs(home) {
			return "", errors.New("HOME is not set to an absolute path")
		}
		return filepath.Join(home, rest), nil
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	return filepath.Join(filepath.Dir(file), path), nil
}
