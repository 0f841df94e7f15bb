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

// String is the kind's name in messages.
func (k Kind) String() string {
	return [...]string{"null", "boolean", "number", "string", "list", "object"}[k]
}

// schemaType is the kind's name in schemas.
func (k Kind) schemaType() string {
	if k == List {
		return "array"
	}
	return k.String()
}

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

	source *lineage // nil: it came from no open
	weight int32    // about how many bytes the value is written out; 0: not counted yet
}

// lineage is where a computed value came from.
type lineage struct {
	opens []*opened // whose results flowed into the value itself, not into its parts
	whole *opened   // set on the undivided result of an open
}

// from returns the opens whose results flowed into the value itself.
func (v Value) from() []*opened {
	if v.source == nil {
		return nil
	}
	return v.source.opens
}

// whole returns the open whose undivided result the value is, or nil.
func (v Value) whole() *opened {
	if v.source == nil {
		return nil
	}
	return v.source.whole
}

// flowed returns the value as one that came from some opens.
func (v Value) flowed(opens []*opened) Value {
	v.source = nil
	if len(opens) > 0 {
		v.source = &lineage{opens: opens}
	}
	return v
}

// Position is a place in a file. Line and Column count from 1, columns in code
// points; the zero Position is no place.
type Position struct {
	File         string // absolute path
	Line, Column int
}

// hasSecret says whether the value or a part of it is secret.
func (v Value) hasSecret() bool {
	if v.Secret {
		return true
	}
	for _, item := range v.List {
		if item.hasSecret() {
			return true
		}
	}
	for _, item := range v.Object {
		if item.hasSecret() {
			return true
		}
	}
	return false
}

// hasUnknown says whether the value or a part of it is unknown.
func (v Value) hasUnknown() bool {
	if v.Unknown {
		return true
	}
	for _, item := range v.List {
		if item.hasUnknown() {
			return true
		}
	}
	for _, item := range v.Object {
		if item.hasUnknown() {
			return true
		}
	}
	return false
}

// origins returns the opens whose results flowed into the value or a part.
func (v Value) origins() []*opened {
	out := v.from()
	for _, item := range v.List {
		out = union(out, item.origins())
	}
	for _, item := range v.Object {
		out = union(out, item.origins())
	}
	return out
}

// size is about the number of bytes of the value written out.
func (v Value) size() int {
	if v.weight != 0 {
		return int(v.weight)
	}
	n := len(v.Text) + 2
	for _, item := range v.List {
		n += item.size() + 1
	}
	for key, item := range v.Object {
		n += len(key) + 3 + item.size()
	}
	return n
}

// union merges two short sets.
func union(a, b []*opened) []*opened {
	if len(a) == 0 {
		return b
	}
next:
	for _, o := range b {
		for _, seen := range a {
			if seen == o {
				continue next
			}
		}
		a = append(a[:len(a):len(a)], o) // a is shared: never write behind it
	}
	return a
}
