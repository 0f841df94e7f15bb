// Package resolver says what an environment means: it reads a definition and
// everything that it imports, evaluates the values that are asked for, opens
// the providers that those need, and puts together what a directory exports.
//
// Most callers want [Load], which reads and parses a closure through [Sources]
// and reports what is wrong with it, and then [Program.Evaluate], which computes
// variables, files, path and expiry. [Program.Plan] tells beforehand what that
// would do, [Program.Check] looks at everything and opens nothing,
// [Program.Open] computes one value.
//
// A value is computed when it is asked for and then kept. Imports are layers
// that are searched from the top, never copied; what no output needs is neither
// computed nor opened. Opens run beside the evaluation, several at once and
// equal ones once, and the result is the same in whatever order they end.
//
// The package knows no shell and no clock: the environment, the time and the
// files are handed in. Its diagnostics hold names and places, never a value or
// a line of a file.
package resolver
