// Package shells is how each shell says it: it turns a list of changes into
// bytes that bash, zsh or fish evaluate, and holds the hook that asks for them.
//
// Two things are wanted by most callers: [Shell.Hook], the text that a user's
// startup file evaluates once, and [Shell.Render], what one run of the hook's
// command says.
//
// A hook knows, without starting a process, that surely nothing has changed. It
// runs its command only in doubt. The command answers with changes and with the
// next [Check], and the hook applies the answer only if the command's status is
// 0 and the text is whole. What holds for every answer:
//
//   - any value without NUL arrives byte for byte, in every locale and under
//     every shell option, and never becomes code;
//   - the text is printable ASCII, a value never spans lines, and the last line
//     is "#ambit:ok": an answer that was cut short changes nothing;
//   - the same input gives the same bytes.
//
// The package does not know which value is a secret, so it never quotes a value
// in an error. Foreign text for people goes through [Printable].
package shells

import (
	"fmt"
	"strings"
)

// Shell is one of the shells that ambit speaks; its text is the shell's name.
type Shell string

// The three shells.
const (
	Bash Shell = "bash"
	Zsh  Shell = "zsh"
	Fish Shell = "fish"
)

// Parse returns the shell that has the given name: "bash", "zsh" or "fish".
// The error for any other name lists the three.
func Parse(name string) (Shell, error) {
	switch s := Shell(name); s {
	case Bash, Zsh, Fish:
		return s, nil
	}
	return "", fmt.Errorf("unknown shell \"%s\": ambit speaks bash, zsh and fish", Printable(name))
}

// Change sets or unsets one exported variable.
type Change struct {
	Name  string // matches [A-Za-z_][A-Za-z0-9_]*
	Value string // any bytes but NUL; not used when Unset
	Unset bool
}

// Update is everything that one run of the hook's command says.
type Update struct {
	Changes []Change // applied in this order
	Check   Check
}

// Check says what has to hold at a later prompt for the shell to know, without a
// process, that running the command again would change nothing. Every path in it
// is absolute and spelt as the shell's $PWD spells it.
type Check struct {
	// Pwd is the $PWD that the check was computed for. Empty: the next prompt
	// runs the command; of the rest only Dead counts then.
	Pwd string
	// Held says that AMBIT_STATE has to be set and not empty; otherwise it has
	// to be unset or empty.
	Held bool
	// Until is the instant from which the command has to run again, and Dead
	// the one from which not even a command typed at this prompt may see the
	// loaded values; seconds since the Unix epoch, 0 = none.
	Until, Dead int64
	// Ask says, instead of Dead, that a command typed at this prompt is preceded by
	// the check of a prompt: what it may need could not be loaded, and has perhaps
	// come meanwhile.
	Ask bool
	// Since is the instant of the answer, in the same seconds. A clock that shows
	// less when a command is typed was set back, and Dead cannot be believed.
	Since int64
	// Generation is the file that ambit's own commands touch. GenerationTime is
	// its mtime, rounded down to seconds since the Unix epoch: fish has no clock
	// but the age of this file. Without it a check is not armed, and fish has no
	// Dead.
	Generation     File
	GenerationTime int64
	// Watched are the further files whose mtime has to stay as it is.
	Watched []File
	// Absent are the paths at which no file may appear.
	Absent []string
	// Seen are the process variables that the result depends on, with what they
	// have to be. Those of [Usual] are always compared: one that is not listed
	// has to be unset.
	Seen []Seen
}

// File is a watched file. Stamp is a file whose mtime is, to the nanosecond, the
// one that the file at Path had when the check was computed.
type File struct{ Path, Stamp string }

// Seen is what a process variable has to be: the value Value if Set, unset if not.
type Seen struct {
	Name, Value string
	Set         bool
}

// validName reports whether a variable's name is one that no shell evaluates:
// `unset 'A[$(cmd)]'` runs cmd.
func validName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// sayable reports whether a shell can hold the string: none can hold NUL.
func sayable(s string) bool { return strings.IndexByte(s, 0) < 0 }
