package resolver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

func TestSetValue(t *testing.T) {
	for _, test := range []struct {
		name, before, path, value, after string
	}{
		{"empty file", "", "a.b", "1", "values:\n  a:\n    b: 1\n"},
		{"only comments", "# why\n", "a", "x", "# why\nvalues:\n  a: x\n"},
		{"no line break at the end", "# why", "a", "x", "# why\nvalues:\n  a: x\n"},
		{"byte order mark", "\ufeffvalues:\n  a: 1\n", "a", "2", "\ufeffvalues:\n  a: 2\n"},
		{"replace", "values:\n  a: 1 # one\n  b: 2\n", "a", "3", "values:\n  a: 3 # one\n  b: 2\n"},
		{"quoted", "values:\n  a: 'it''s' # x\n", "a", "y: z", "values:\n  a: \"y: z\" # x\n"},
		{"double", "values: { a: \"}\\\"\", b: 2 }\n", "a", "x", "values: { a: x, b: 2 }\n"},
		{"plain over lines", "values:\n  a: one\n    two\n\n    three # c\n  b: 1\n", "a", "x", "values:\n  a: x # c\n  b: 1\n"},
		{"literal", "values:\n  a: |\n    one\n\n    two\n\n  # why\n  b: 1\n", "a", "x", "values:\n  a: x\n\n  # why\n  b: 1\n"},
		{"literal, last", "values:\n  a: |2\n     one\n\n", "b", "x", "values:\n  a: |2\n     one\n  b: x\n\n"},
		{"literal that keeps", "values:\n  a: |+\n    one\n\n", "b", "x", "values:\n  a: |+\n    one\n\n  b: x\n"},
		{"into an object", "values:\n  a: 1 # one\n\n  # two\nimports: []\n", "b", "x", "values:\n  a: 1 # one\n  b: x\n\n  # two\nimports: []\n"},
		{"nested", "values:\n    o:\n        a: 1\n", "o.p.q", "true", "values:\n    o:\n        a: 1\n        p:\n            q: true\n"},
		{"beside", "imports: [x/y]\n", "a", "~x", "imports: [x/y]\nvalues:\n  a: \"~x\"\n"},
		{"null", "imports: [x/y]\n", "a", "null", "imports: [x/y]\nvalues:\n  a: null\n"},
		{"empty values", "values: # none yet\n", "a.b", "1", "values: # none yet\n  a:\n    b: 1\n"},
		{"empty object", "values: {} # none yet\nimports: []\n", "a", "1", "values: # none yet\n  a: 1\nimports: []\n"},
		{"null object", "values:\n  o: null\n  p: 1\n", "o.a", "1", "values:\n  o:\n    a: 1\n  p: 1\n"},
		{"empty value", "values:\n  a:\n  b:\n", "a", "1", "values:\n  a: 1\n  b:\n"},
		{"empty value after spaces", "values:\n  a:  # c\n", "a", "1", "values:\n  a: 1  # c\n"},
		{"object by scalar", "values:\n  o: # c\n    a: 1\n    b: 2\n  p: 1\n", "o", "x", "values:\n  o: x # c\n  p: 1\n"},
		{"list by scalar", "values:\n  o:\n  - 1\n  - 2\n", "o", "x", "values:\n  o: x\n"},
		{"flow", "values: {a: 1}\n", "b.c", "2", "values: {a: 1, b: { c: 2 }}\n"},
		{"flow over lines", "values: {\n  a: 1, # one\n}\n", "b", "2", "values: {\n  a: 1, b: 2, # one\n}\n"},
		{"flow without value", "values: {a, b: }\n", "a", "1", "values: {a: 1, b: }\n"},
		{"flow null", "values: {a, b: }\n", "b", "1", "values: {a, b: 1}\n"},
		{"flow all", "{values: {}}\n", "b", "1", "{values: { b: 1 }}\n"},
		{"list", "values:\n  l:\n    - a\n    - b # c\n", "l[1]", "x", "values:\n  l:\n    - a\n    - x # c\n"},
		{"list, add", "values:\n  l:\n    - a\n    - b # c\n", "l[2]", "x", "values:\n  l:\n    - a\n    - b # c\n    - x\n"},
		{"list, not indented", "values:\n  l:\n  - a\n", "l[1].b", "x", "values:\n  l:\n  - a\n  - { b: x }\n"},
		{"list of objects", "values:\n  l:\n  - a: 1\n    b: 2\n", "l[0].c", "x", "values:\n  l:\n  - a: 1\n    b: 2\n    c: x\n"},
		{"list, flow", "values: {l: []}\n", "l[0]", "x", "values: {l: [x]}\n"},
		{"list, flow, add", "values: {l: [a, b, ]}\n", "l[2]", "x", "values: {l: [a, b, x, ]}\n"},
		{"new list", "values:\n  a: 1\n", "l[0].b", "x", "values:\n  a: 1\n  l: [{ b: x }]\n"},
		{"windows", "values:\r\n  a: 1\r\n", "b.c", "x", "values:\r\n  a: 1\r\n  b:\r\n    c: x\r\n"},
		{"windows, replace", "values:\r\n  o:\r\n    b: 1\r\nimports: []\r\n", "o", "x", "values:\r\n  o: x\r\nimports: []\r\n"},
		{"odd keys", "values:\n  a: 1\n", `["a.b: {"]["1"]`, "x", "values:\n  a: 1\n  \"a.b: {\":\n    \"1\": x\n"},
		{"an odd key that is there", "values:\n  'it''s': 1\n", `["it's"]`, "x", "values:\n  'it''s': x\n"},
		{"wide characters", "values: { é: 1, \"日本\": [ü, 2] }\n", `["日本"][1]`, "x", "values: { é: 1, \"日本\": [ü, x] }\n"},
		{"tag", "values:\n  a: !!str 1 # c\n", "a", "x", "values:\n  a: x # c\n"},
		{"tag without value", "values:\n  a: !!str\n  b: 1\n", "a", "x", "values:\n  a: x\n  b: 1\n"},
		{"document marks", "---\nvalues:\n  a: 1\n...\n", "b", "x", "---\nvalues:\n  a: 1\n  b: x\n...\n"},
		{"upper case", "Values:\n  a: 1\n", "a", "2", "Values:\n  a: 2\n"},
		{"below a builtin", "values:\n  a:\n    fn::open::aws-login:\n      oidc: { duration: 1h }\n", `a["fn::open::aws-login"].oidc.duration`, "2h",
			"values:\n  a:\n    fn::open::aws-login:\n      oidc: { duration: 2h }\n"},
		{"reference", "values:\n  a: 1\n", "b", "${a}", "values:\n  a: 1\n  b: \"${a}\"\n"},
		{"no line break after the value", "values:\n  a: 1", "b", "2", "values:\n  a: 1\n  b: 2"},
		{"YAML", "values:\n", "o", "{a: [1, 'x', \"y\"], b: {}}", "values:\n  o: { a: [1, x, y], b: {} }\n"},
		{"number as string", "values:\n", "o", "'1.10'", "values:\n  o: \"1.10\"\n"},
		{"number", "values:\n", "o", "1.10", "values:\n  o: 1.10\n"},
		{"complex key", "values:\n  ? a\n  : 1\n", "a", "2", "values:\n  ? a\n  : 2\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, err := WrittenValue(test.value)
			if err != nil {
				t.Fatal(err)
			}
			got, err := SetValue("x.yaml", []byte(test.before), test.path, v)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.after {
				t.Errorf("got\n%s\nwant\n%s", got, test.after)
			}
		})
	}
}

func TestSetValueRefuses(t *testing.T) {
	for _, test := range []struct {
		name, before, path, want string
		line                     int
	}{
		{"through a string", "values:\n  a: x\n", "a.b", "is a string, not an object", 2},
		{"through a list", "values:\n  a: []\n", "a.b", "is a list, not an object", 2},
		{"index of an object", "values:\n  a: { b: 1 }\n", "a[0]", "is an object, not a list", 2},
		{"out of range", "values:\n  a: [1]\n", "a[2]", "out of range", 2},
		{"below a computed value", "values:\n  a: { fn::toJSON: 1 }\n", "a.b", "computed by fn::toJSON", 2},
		{"reserved", "values:\n  a: 1\n", "imports.x", "reserved", 1},
		{"not YAML", "values:\n  a: [\n", "a", "invalid YAML", 2},
		{"a list", "- 1\n", "a", "must be an object", 1},
		{"two documents", "values:\n  a: 1\n---\nvalues:\n", "a", "more than one", 3},
		{"bad path", "values:\n", "a..b", "invalid path", 1},
		{"no path", "values:\n", "", "invalid path", 1},
		{"an alias", "values:\n  a: &x 1\n  b: *x\n", "c", "anchors", 2},
		{"a list that is not there", "values:\n  a: 1\n", "b[1]", "out of range", 1},
		{"a list that is null", "values:\n  a:\n", "a[1]", "out of range", 1},
		{"a list in an empty file", "", "a.b[3].c", "out of range", 1},
		{"values is a string", "values: x\n", "c", "is a string", 1},
	} {
		v, _ := WrittenText("new")
		_, err := SetValue("x.yaml", []byte(test.before), test.path, v)
		var bad *EditError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), test.want) || bad.Pos.Line != test.line {
			t.Errorf("%s: got %v at %+v", test.name, err, bad)
		}
	}
}

// Every place of every case can be edited: what comes is what the nodes were to
// be, or SetValue would refuse, and all comments outside of it are still there.
func TestSetValueEverywhere(t *testing.T) {
	edits := 0
	err := filepath.WalkDir("../testdata/resolve", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		e, err := newEditor(path, b)
		if err != nil || e.root == nil {
			return nil // a case of what is not YAML
		}
		var paths []string
		for i := 0; i < len(e.root.Content); i += 2 {
			if e.root.Content[i].Value == "values" && e.root.Content[i+1].Kind == yaml.MappingNode {
				paths = pathsOf(e.root.Content[i+1], "")
			}
		}
		if len(paths) > 300 {
			paths = paths[:300]
		}
		for _, p := range paths {
			for _, v := range []Written{{text: "new"}, WrittenSecret("ZXNj")} {
				_, err := SetValue(path, b, p, v)
				var bad *EditError
				if err != nil && !(errors.As(err, &bad) && strings.Contains(bad.Summary, "reserved")) {
					t.Errorf("%s: %s: %v", path, p, err)
				}
				edits++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if edits < 1000 {
		t.Errorf("only %d edits", edits)
	}
}

// pathsOf are all places in a value, and one that is not there yet.
func pathsOf(n *yaml.Node, at string) (out []string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			p := at + `["` + strings.ReplaceAll(n.Content[i].Value, `"`, `\"`) + `"]`
			out = append(append(out, p), pathsOf(n.Content[i+1], p)...)
		}
		if builtinOf(n) == "" {
			out = append(out, at+`["made for this"].deep`)
		}
	case yaml.SequenceNode:
		for i := range n.Content {
			p := at + "[" + string(rune('0'+i%10)) + "]"
			if i < 10 {
				out = append(append(out, p), pathsOf(n.Content[i], p)...)
			}
		}
	}
	return out
}

func FuzzSetValue(f *testing.F) {
	f.Add("values:\n  a: 1\n", "a.b", "x")
	f.Add("values: {a: [1, \"b\"]}\n", "a[1]", "y: #")
	f.Add("values:\n  l:\n  - |+\n    x\n\n", "l[1]", "\u2028")
	f.Fuzz(func(t *testing.T, before, path, value string) {
		v, err := WrittenText(value)
		if err != nil {
			return
		}
		out, err := SetValue("x.yaml", []byte(before), path, v)
		if err != nil {
			if strings.Contains(err.Error(), errSpan.Error()) {
				t.Logf("refused: %q %q", before, path)
			}
			return
		}
		again, err := SetValue("x.yaml", out, path, v)
		if err != nil || string(again) != string(out) {
			t.Errorf("%q, set again: %q, %v", out, again, err)
		}
	})
}

func TestRemoveValue(t *testing.T) {
	for _, test := range []struct{ name, before, path, after string }{
		{"first", "values:\n  a: 1 # c\n  b: 2\n", "a", "values:\n  b: 2\n"},
		{"last", "values:\n  a: 1\n  # two\n  b:\n    c: 1\n", "b", "values:\n  a: 1\n  # two\n"},
		{"only", "values:\n  o:\n    c: 1\nimports: []\n", "o.c", "values:\n  o: {}\nimports: []\n"},
		{"flow", "values: { a: 1, b: 2, c: 3 }\n", "b", "values: { a: 1, c: 3 }\n"},
		{"flow, last", "values: { a: 1, b: 2 }\n", "b", "values: { a: 1 }\n"},
		{"flow, only", "values: { a: 1 }\n", "a", "values: {}\n"},
		{"element", "values:\n  l:\n    - a\n    - b\n", "l[0]", "values:\n  l:\n    - b\n"},
		{"of an element", "values:\n  l:\n    - a: 1\n      b: 2\n", "l[0].a", "values:\n  l:\n    - b: 2\n"},
		{"windows", "values:\r\n  a: 1\r\n  b: 2\r\n", "a", "values:\r\n  b: 2\r\n"},
	} {
		got, found, err := RemoveValue("x.yaml", []byte(test.before), test.path)
		if err != nil || !found || string(got) != test.after {
			t.Errorf("%s: found %v, %v, got\n%s\nwant\n%s", test.name, found, err, got, test.after)
		}
	}
	for _, path := range []string{"x", "a.b", "a[0]"} {
		if got, found, err := RemoveValue("x.yaml", []byte("values: { a: 1 }"), path); found || err != nil || string(got) != "values: { a: 1 }" {
			t.Errorf("%s: %v %v", path, found, err)
		}
	}
}

func TestReencrypt(t *testing.T) {
	before := "values:\n  a: { fn::secret: { ciphertext: AAAA } } # a\n  b:\n    fn::secret:\n      ciphertext: |\n        BB\n        BB\n  # c\n  c: { fn::secret: plain }\n"
	want := "values:\n  a: { fn::secret: { ciphertext: new } } # a\n  b:\n    fn::secret:\n      ciphertext: new\n  # c\n  c: { fn::secret: plain }\n"
	var seen []string
	got, n, err := Reencrypt("x.yaml", []byte(before), func(c string) (string, error) { seen = append(seen, c); return "new", nil })
	if err != nil || n != 2 || string(got) != want || strings.Join(seen, "|") != "AAAA|BB\nBB\n" {
		t.Errorf("%d %v %q\n%s", n, err, seen, got)
	}
	_, _, err = Reencrypt("x.yaml", []byte(before), func(string) (string, error) { return "", ErrNoIdentity })
	var bad *EditError
	if !errors.As(err, &bad) || bad.Pos.Line != 2 {
		t.Errorf("got %v", err)
	}
}
