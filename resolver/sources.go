package resolver

import "errors"

// Sources supplies the bytes of a closure. A file is read once: whatever asks
// again for the same path gets the same bytes.
type Sources interface {
	// Named finds an environment `[PROJECT/]NAME` in the stores. Tried lists
	// the paths, absolute, that were looked for in vain before it and would win
	// if they appeared. An unknown name is an error that wraps
	// [ErrUnknownEnvironment].
	Named(name string) (src Source, tried []string, err error)

	// Read reads a file by absolute path. Store is the root of the store in
	// which the asking file lies, and then the file must lie in it too (an error
	// wraps [ErrLeavesStore]); it is "" for a file of a repository. For a missing
	// file the error wraps fs.ErrNotExist.
	Read(path, store string) (Source, error)

	// Names lists the environments of all stores as PROJECT/NAME, for "did you
	// mean".
	Names() []string
}

// Source is a file as it was read.
type Source struct {
	Path  string // canonical, absolute
	Bytes []byte
	Store string // root of the store it was read from; "" for a file of a repository
}

// The errors of [Sources] that the resolver tells apart.
var (
	ErrUnknownEnvironment = errors.New("unknown environment")
	ErrLeavesStore        = errors.New("the file lies outside the store")
)
