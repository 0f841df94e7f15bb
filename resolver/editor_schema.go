package resolver

import (
	"encoding/json"
	"slices"
	"strings"
)

// node is a part of a JSON Schema.
type node = map[string]any

// EditorSchema is a JSON Schema (draft 7, which every editor knows) of the
// definitions: of a [FileName], which has the directory keys, or of an
// environment. It knows the inputs of the providers. What it accepts may still
// be wrong, for it cannot follow references; `check` can.
func EditorSchema(directory bool, providers []*Provider) ([]byte, error) {
	keys := node{
		"description": node{"type": []string{"string", "null"}, "description": "what the environment is for; unused"},
		"imports":     importsSchema(),
		"values":      node{"$ref": "#/definitions/values"},
	}
	root := node{
		"$schema": "http://json-schema.org/draft-07/schema#",
		"title":   "an environment of ambit",
		"type":    []string{"object", "null"}, "properties": keys,
		"definitions": definitions(providers),
	}
	if directory {
		root["title"] = "a " + FileName + " of ambit"
		root["additionalProperties"] = false
		for key, schema := range directorySchemas() {
			keys[key] = schema
		}
	} else {
		for _, key := range directoryKeys {
			keys[key] = false
		}
	}
	b, err := json.MarshalIndent(root, "", "  ")
	return append(b, '\n'), err
}

// literalSchema is a string that is read before anything is evaluated.
func literalSchema(pattern string) node {
	s := node{"type": "string", "minLength": 1, "not": node{"pattern": `\$\{`}}
	if pattern != "" {
		s["pattern"] = pattern
	}
	return s
}

const namePattern = `[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}`

func importsSchema() node {
	const pattern = `^(` + namePattern + `/)?` + namePattern + `$|^\.\.?/.*\.yaml$`
	return node{
		"description": "environments and files that this one is layered on, the later over the earlier",
		"type":        []string{"array", "null"},
		"items": node{"anyOf": []any{
			literalSchema(pattern),
			node{
				"type": "object", "minProperties": 1, "maxProperties": 1,
				"propertyNames": node{"pattern": pattern},
				"additionalProperties": node{
					"type": []string{"object", "null"}, "properties": node{"merge": node{"type": "boolean", "default": true}},
				},
			},
		}},
	}
}

func orList(what string, item any) node {
	return node{"description": what, "anyOf": []any{item, node{"type": "array", "items": item}, node{"type": "null"}}}
}

func directorySchemas() node {
	dotenv := node{"anyOf": []any{literalSchema(""), node{
		"type": "object", "required": []string{"file"}, "additionalProperties": false,
		"properties": node{"file": literalSchema(""), "optional": node{"type": "boolean", "default": false}},
	}}}
	return node{
		"environment": orList("the environments to load, [PROJECT/]NAME", literalSchema(`^(`+namePattern+`/)?`+namePattern+`$`)),
		"inherit":     node{"type": "boolean", "default": false, "description": "layer this file on the nearest " + FileName + " above"},
		"path": node{"type": []string{"array", "null"}, "items": literalSchema(`^[^:\r\n]*$`),
			"description": "directories to put before PATH"},
		"unset": node{"type": []string{"array", "null"}, "items": literalSchema(`^[A-Za-z_][A-Za-z0-9_]*$`),
			"description": "variables to unset while here"},
		"dotenv": orList("files of assignments, each a secret variable", dotenv),
		"watch":  orList("further files whose change reloads", literalSchema("")),
	}
}

var (
	anyValue  = node{"$ref": "#/definitions/value"}
	aCall     = node{"$ref": "#/definitions/call"}
	aComputed = node{"$ref": "#/definitions/computed"}
)

func definitions(providers []*Provider) node {
	scalars := []string{"null", "boolean", "number", "string"}
	noCall := node{"not": node{"pattern": "^[Ff][Nn]::"}}
	variables := func(what string) node {
		return node{"description": what, "anyOf": []any{
			node{"type": []string{"string", "null"}}, aCall,
			node{"type": "object", "propertyNames": node{"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
				"additionalProperties": node{"anyOf": []any{node{"type": scalars}, aCall}}},
		}}
	}
	top := node{variablesKey: variables("the environment variables"),
		filesKey: variables("variables that each name a private file with this content")}
	for _, name := range reservedRoots {
		top[name] = false
	}
	calls, names := callSchemas(providers)
	out := node{
		"values": node{
			"description": "the values; a string may refer to others with ${…}",
			"type":        []string{"object", "null"}, "properties": top,
			"propertyNames": noCall, "additionalProperties": anyValue,
		},
		"value": node{
			"items": anyValue, "properties": calls, "additionalProperties": anyValue,
			// A builtin is the only key of its object.
			"if": node{"type": "object", "not": node{"propertyNames": noCall}},
			"then": node{"maxProperties": 1, "propertyNames": node{"anyOf": []any{
				node{"enum": names}, node{"pattern": "^fn::(open|rotate)::."},
			}}},
		},
		"call": node{"allOf": []any{
			node{"type": "object", "minProperties": 1, "maxProperties": 1, "propertyNames": node{"pattern": "^fn::"}}, anyValue,
		}},
		"computed": node{"anyOf": []any{node{"type": "string", "pattern": `\$\{`}, aCall}},
	}
	for _, p := range providers {
		out[p.Name] = p.Inputs.editor()
	}
	return out
}

// callSchemas are the arguments of the builtins by key, and the keys.
func callSchemas(providers []*Provider) (calls node, names []string) {
	text := node{"anyOf": []any{node{"type": "string"}, aCall}}
	pair := node{"type": "array", "minItems": 2, "maxItems": 2, "items": anyValue}
	closed := func(required []string, properties node) node {
		return node{"type": "object", "required": required, "additionalProperties": false, "properties": properties}
	}
	calls = node{
		openName:     closed([]string{"provider", "inputs"}, node{"provider": literalSchema(""), "inputs": anyValue, "ttl": text}),
		rotateName:   closed([]string{"provider", "inputs"}, node{"provider": literalSchema(""), "inputs": anyValue, "state": anyValue}),
		secretName:   node{"anyOf": []any{node{"type": "string"}, closed([]string{"ciphertext"}, node{"ciphertext": node{"type": "string", "pattern": "^[A-Za-z0-9+/=\\s]+$"}})}},
		"fn::join":   pair,
		"fn::split":  pair,
		concatName:   node{"type": "array", "items": anyValue},
		validateName: closed([]string{"schema", "value"}, node{"schema": node{"anyOf": []any{node{"type": []string{"object", "boolean"}}, aComputed}}, "value": anyValue}),
	}
	for _, name := range builtinNames() {
		if name = prefix + name; calls[name] == nil {
			calls[name] = anyValue
		}
		names = append(names, name)
	}
	var byProvider []any
	for _, p := range providers {
		inputs := node{"$ref": "#/definitions/" + p.Name}
		calls[openName+"::"+p.Name] = inputs
		byProvider = append(byProvider, node{
			"if":   node{"properties": node{"provider": node{"const": p.Name}}, "required": []string{"provider"}},
			"then": node{"properties": node{"inputs": inputs}},
		})
	}
	if len(byProvider) > 0 {
		calls[openName].(node)["allOf"] = byProvider
	}
	return calls, names
}

// editor is the JSON Schema of what may stand in the place of a value: the value
// itself, a reference or a builtin.
func (s *Schema) editor() any {
	if s == nil {
		return anyValue
	}
	types := s.Types
	if len(types) == 0 {
		return anyValue
	}
	out := node{"type": types}
	if s.Pattern != "" {
		// The dialect of JSON Schema has no flags.
		if strings.HasPrefix(s.Pattern, "(?s).+") {
			out["minLength"] = 1
		} else if !strings.Contains(s.Pattern, "(?") || strings.Count(s.Pattern, "(?") == strings.Count(s.Pattern, "(?:") {
			out["pattern"] = "^(?:" + s.Pattern + ")$"
		}
		if s.PatternSay != "" {
			out["description"] = s.PatternSay
		}
	}
	if len(s.Enum) > 0 {
		out["enum"] = s.Enum
	}
	if slices.Contains(types, "array") {
		out["items"] = s.Items.editor()
		if s.MinItems > 0 {
			out["minItems"] = s.MinItems
		}
	}
	if slices.Contains(types, "object") {
		properties := node{}
		for key, below := range s.Properties {
			properties[key] = below.editor()
		}
		out["properties"] = properties
		switch {
		case s.Additional != nil:
			out["additionalProperties"] = s.Additional.editor()
		case !s.Open:
			out["additionalProperties"] = false
		}
		if len(s.Required) > 0 {
			out["required"] = s.Required
		}
		if s.MinKeys > 0 {
			out["minProperties"] = s.MinKeys
		}
		if len(s.ExactlyOne) > 0 {
			var one []any
			for _, key := range s.ExactlyOne {
				one = append(one, node{"required": []string{key}})
			}
			out["oneOf"] = one
		}
	}
	return node{"anyOf": []any{out, aComputed}}
}
