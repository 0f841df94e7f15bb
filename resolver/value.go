package resolver

// Kind says what a [Value] holds.
type Kind uint8

// The kinds of the language; the zero Kind is null.
const (
	Null Kind = iota
	Bool
	Number
	String
	List
	Object
)

// Value is a resolved value: one of the six kinds with the flags that spread
// along references. Values are immutable once made and may be shared.
type Value struct {
	Kind   Kind
	Bool   bool
	Text   string           // String: any bytes. Number: its source text
	List   []Value          // List
	Object map[string]Value // Object

	Secret  bool // must not be shown; of an object or list: as a whole
	Unknown bool // failed, was not opened or could not be decrypted
	Pos     Position
}

// Position is a place in a file. Line and Column count from 1, columns in code
// points; the zero Position is no place.
type Position struct {
	File         string // absolute path
	Line, Column int
}
