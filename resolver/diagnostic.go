package resolver

// Severity of a [Diagnostic].
type Severity uint8

// An Error makes the result unusable; a Warning does not.
const (
	Error Severity = iota
	Warning
)

// Diagnostic is one thing wrong with a definition. Its texts may hold foreign
// names as they are: whoever prints it makes them printable. It never holds a
// value or a source line, for they may be secret.
type Diagnostic struct {
	Severity Severity
	Pos      Position
	Summary  string     // lower case, no full stop
	Hint     string     // what to do about it, or ""
	Imports  []Position // the chain of imports, from Pos.File outwards
	Kind     FailureKind
}

// FailureKind says when it is worth trying again.
type FailureKind string

// The kinds of failure.
const (
	KindDefinition FailureKind = ""        // a file says something wrong: when it was edited
	KindNetwork    FailureKind = "network" // no answer, 5xx, throttling: 30 s, doubling to 5 min
	KindRefused    FailureKind = "refused" // the other side said no: 5 min
	KindLogin      FailureKind = "login"   // a person must log in: after `ambit login`
)
