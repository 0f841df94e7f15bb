package resolver

// Schema describes values: what a provider takes and gives. The nil Schema
// accepts everything. Objects are closed: a key that is not in Properties is an
// error unless Additional says otherwise.
type Schema struct {
	Types      []string           // "string", "number", "boolean", "null", "array", "object"; empty: any
	Properties map[string]*Schema // of an object
	Required   []string           // keys that must be there
	ExactlyOne []string           // of these keys one and only one must be there
	Additional *Schema            // what other keys hold; nil: there are none
	Open       bool               // other keys may hold anything
	Items      *Schema            // of an array
	MinItems   int
	MinKeys    int
	Enum       []string // of a string
	Pattern    string   // of a string: a regular expression that must match all of it
	PatternSay string   // what a violation of Pattern is called, such as "a duration like 1h30m"
	Secret     bool     // the value is secret
	Path       bool     // of a string: a path, which the resolver makes absolute before the open
}
