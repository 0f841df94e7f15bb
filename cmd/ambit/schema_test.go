package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"ambit/hook"
	"ambit/resolver"
)

// editorSchema compiles what `ambit schema` prints.
func editorSchema(t *testing.T, directory bool) *jsonschema.Schema {
	t.Helper()
	b, err := resolver.EditorSchema(directory, (&ambit{}).providers())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("ambit.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("ambit.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// plainYAML is a document as a schema sees it: what the language takes for a
// string is one.
func plainYAML(n *yaml.Node) any {
	switch n.Kind {
	case yaml.DocumentNode:
		return plainYAML(n.Content[0])
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			out[n.Content[i].Value] = plainYAML(n.Content[i+1])
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for _, item := range n.Content {
			out = append(out, plainYAML(item))
		}
		return out
	}
	var v any
	switch n.Tag {
	case "!!null", "!!bool", "!!int", "!!float":
		if n.Decode(&v) == nil {
			switch number := v.(type) {
			case uint64:
				return float64(number)
			case float64:
				if math.IsNaN(number) || math.IsInf(number, 0) {
					return n.Value // no number for the language
				}
			}
			return v
		}
	}
	return n.Value
}

func validateYAML(s *jsonschema.Schema, text []byte) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return err
	}
	if doc.Kind == 0 {
		return s.Validate(nil)
	}
	return s.Validate(plainYAML(&doc))
}

// Every definition of the cases that are free of errors and warnings fits the
// schema of its kind.
func TestSchemaFitsCases(t *testing.T) {
	envrc, environment := editorSchema(t, true), editorSchema(t, false)
	files := 0
	cases, err := os.ReadDir("../../testdata/resolve")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if c.Name() == "document_case" {
			continue // a schema knows a key in one spelling only
		}
		dir := filepath.Join("../../testdata/resolve", c.Name())
		if _, err := os.Stat(filepath.Join(dir, "want.err")); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			files++
			s := environment
			if filepath.Base(path) == hook.FileName {
				s = envrc
			}
			if err := validateYAML(s, b); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 50 {
		t.Errorf("only %d files", files)
	}
}

func TestSchemaFitsReadme(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	envrc, environment := editorSchema(t, true), editorSchema(t, false)
	blocks := 0
	for i, part := range strings.Split(string(b), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(part, "```")
		first, _, _ := strings.Cut(text, "\n")
		s := environment
		switch {
		case strings.Contains(first, "config.yaml"):
			continue // the user's settings are no definition
		case strings.Contains(first, hook.FileName):
			s = envrc
		}
		blocks++
		if err := validateYAML(s, []byte(text)); err != nil {
			t.Errorf("block %d (%s): %v", i+1, first, err)
		}
	}
	if blocks < 3 {
		t.Errorf("only %d blocks", blocks)
	}
}

func TestSchemaObjects(t *testing.T) {
	envrc, environment := editorSchema(t, true), editorSchema(t, false)
	for text, both := range map[string]bool{
		"vaules: {}": false, "values: x": true, "imports: x": true, "imports: ['${x}']": true, "imports: [a/b/c]": true,
		"environment: [a, '']": true, "inherit: 'yes'": true, "path: bin": true, "dotenv: { optional: true }": true,
		"values: { imports: 1 }": true, "values: { fn::toJSON: 1 }": true, "values: { a: { fn::toJson: 1 } }": true,
		"values: { a: { fn::toJSON: 1, b: 2 } }": true, "values: { a: { fn::secret: 1 } }": true, "values: { a: { fn::secret: { plaintext: x } } }": true,
		"values: { a: { fn::join: [','] } }": true, "values: { a: { fn::open: { provider: aws-login } } }": true,
		"values: { environmentVariables: { A: [] } }": true, "values: { environmentVariables: { 1a: x } }": true,
		"values: { a: { fn::open::aws-login: { oidc: { roleArn: x } } } }":                                                             true,
		"values: { a: { fn::open::aws-login: { static: { accessKeyId: a, secretAccessKey: b, sesionToken: c } } } }":                   true,
		"values: { a: { fn::open: { provider: aws-login, inputs: { profile: a, static: { accessKeyId: a, secretAccessKey: b } } } } }": true,
		"values: [ { a: [ { fn::nosuch: 1 } ] } ]":                                                                                     true,
	} {
		if validateYAML(envrc, []byte(text)) == nil {
			t.Errorf("a %s may be %s", hook.FileName, text)
		}
		if both && validateYAML(environment, []byte(text)) == nil {
			t.Errorf("an environment may be %s", text)
		}
	}
	for _, text := range []string{
		"", "values:", "values: { a: '${b}', b: { fn::open::my-own: { x: 1 } } }",
		"values: { a: { fn::open::aws-login: { oidc: '${b}' } }, b: 1 }",
		"values: { a: { fn::open::aws-login: { oidc: { roleArn: 'arn:${x}', sessionName: { fn::toString: ab } } } } }",
		"values: { environmentVariables: '${b}', files: { A: { fn::toJSON: {} } } }",
	} {
		for _, s := range []*jsonschema.Schema{envrc, environment} {
			if err := validateYAML(s, []byte(text)); err != nil {
				t.Error(fmt.Errorf("%q: %w", text, err))
			}
		}
	}
}
