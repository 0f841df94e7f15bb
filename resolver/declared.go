package resolver

import (
	"errors"
	"fmt"
)

// DeclaredSchema is a schema that a provider declares while ambit runs, in the part
// of JSON Schema that fn::validate knows. The nil one accepts everything.
type DeclaredSchema struct{ root *jsonSchema }

var errSchema = errors.New("not a schema")

// ParseInputsSchema reads a schema of inputs. Their objects are closed: a key that
// `properties` does not have is an error unless `additionalProperties` admits it.
func ParseInputsSchema(v Value) (*DeclaredSchema, error) {
	s, err := ParseOutputsSchema(v)
	if err == nil {
		closeObjects(s.root, map[*jsonSchema]bool{})
	}
	return s, err
}

// ParseOutputsSchema reads a schema of outputs, as JSON Schema has it.
func ParseOutputsSchema(v Value) (*DeclaredSchema, error) {
	b, ok := appendJSON(nil, v, maxOutput)
	if !ok {
		return nil, errSchema
	}
	node, faults := parseYAML(b) // which JSON is
	if node == nil || len(faults) > 0 {
		return nil, errSchema
	}
	c := schemaCompiler{compiler: &compiler{env: &environment{}, program: &Program{}}, ok: true}
	root := c.schema(node, nil)
	if !c.ok {
		return nil, errSchema
	}
	return &DeclaredSchema{root}, nil
}

// closeObjects makes objects that name their properties refuse others. Where
// several schemas speak about one object, none of them knows all its properties.
func closeObjects(s *jsonSchema, seen map[*jsonSchema]bool) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	alone := s.ref == "" && s.anyOf == nil && s.oneOf == nil
	if alone && s.properties != nil && s.additional == nil {
		s.additional = &jsonSchema{never: true, root: s.root}
	}
	for _, below := range []map[string]*jsonSchema{s.properties, s.defs} {
		for _, property := range below {
			closeObjects(property, seen)
		}
	}
	closeObjects(s.additional, seen)
	closeObjects(s.items, seen)
	for _, item := range s.prefix {
		closeObjects(item, seen)
	}
	if s.properties == nil {
		for _, option := range append(s.anyOf[:len(s.anyOf):len(s.anyOf)], s.oneOf...) {
			closeObjects(option, seen)
		}
	}
}

// Fit compares a value with the schema. Each violation is an [*OpenError] with its
// place in the value; its texts hold keys, no values.
func (s *DeclaredSchema) Fit(v Value) error {
	if s == nil {
		return nil
	}
	left := maxSchemaSteps
	misfits := s.root.fit(v, nil, 0, &left)
	if left <= 0 {
		return &OpenError{Summary: fmt.Sprintf("the schema takes more than %d steps to compare", maxSchemaSteps)}
	}
	var errs []error
	for _, m := range misfits {
		errs = append(errs, &OpenError{Path: append([]string{}, m.path...), Key: m.key, Summary: m.summary, Hint: m.hint})
	}
	return errors.Join(errs...)
}
