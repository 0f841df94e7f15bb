// Package hook decides what has to change at a prompt.
//
// [Run] is one such decision. It opens the session, which says what earlier
// runs set and what that replaced; finds the nearest .envrc.yaml; checks that
// its bytes and those of everything it imports are the ones a person allowed;
// takes the resolved entry from the cache, or has the resolver make it; compares
// the entry with the session and the environment; and prints the difference in
// the shell's own words, with the check by which the shell sees for itself that
// nothing has changed since.
//
// What holds whatever happens:
//   - Before a file is allowed nothing of it is parsed, run or set.
//   - All changes are made or none.
//   - Leaving restores what was there before, save what the user changed.
//   - The prompt comes back: a failure is an ordinary answer with one message.
package hook

// FileName is the file that governs a directory and those below it.
const FileName = ".envrc.yaml"

// Names of the variables that are ours.
const (
	StateVar   = "AMBIT_STATE"   // the sealed session
	EnvVar     = "AMBIT_ENV"     // the environment's label
	DirVar     = "AMBIT_DIR"     // the directory of the loaded file
	ExpiresVar = "AMBIT_EXPIRES" // when the credentials die, epoch seconds
	storesVar  = "AMBIT_STORES"
	trustVar   = "AMBIT_TRUST"
)
