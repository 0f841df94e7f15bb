package resolver

import "time"

// The limits of the language. Going over one is an error that names it and the
// place, before anything is changed.
const (
	MaxFile         = 1 << 20 // bytes of a file
	maxClosureBytes = 4 << 20
	maxClosureFiles = 256
	maxImportDepth  = 128
	maxNodes        = 20_000 // YAML nodes of a file
	maxNesting      = 64     // of YAML and JSON
	maxFaults       = 100    // of a file, after which its YAML is not looked at further
	maxReferences   = 256    // references in a row
	maxComputed     = 1 << 20
	maxAllComputed  = 16 << 20
	maxOutput       = 1 << 20   // of a provider
	MaxVariable     = 64 << 10  // bytes of a variable's value
	MaxFileValue    = 1 << 20   // bytes of a value of `files`
	MaxFileValues   = 4 << 20   // bytes of all values of `files`; the entry that carries them to the hook is bounded
	MaxChange       = 256 << 10 // bytes of all names and values of a load
	maxOpens        = 8         // opens at once
	maxDuration     = 100 * 365 * 24 * time.Hour
)
