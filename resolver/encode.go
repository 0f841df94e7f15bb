package resolver

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"ambit/resolver/secret"
)

// Unknown is what stands for a value that is not known wherever one is shown.
const Unknown = "[unknown]"

// appendJSON writes a value as compact JSON with sorted keys; `<`, `>` and `&`
// stay as they are. It gives up over limit bytes.
func appendJSON(b []byte, v Value, limit int) ([]byte, bool) {
	if len(b) > limit {
		return b, false
	}
	ok := true
	switch v.Kind {
	case Null:
		b = append(b, "null"...)
	case Bool:
		b = strconv.AppendBool(b, v.Bool)
	case Number:
		b = append(b, decimal(v.Text)...)
	case String:
		b = appendJSONString(b, v.Text)
	case List:
		b = append(b, '[')
		for i, item := range v.List {
			if i > 0 {
				b = append(b, ',')
			}
			if b, ok = appendJSON(b, item, limit); !ok {
				return b, false
			}
		}
		b = append(b, ']')
	case Object:
		b = append(b, '{')
		for i, key := range sortedKeys(v.Object) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSONString(b, key), ':')
			if b, ok = appendJSON(b, v.Object[key], limit); !ok {
				return b, false
			}
		}
		b = append(b, '}')
	}
	return b, len(b) <= limit
}

func appendJSONString(b []byte, s string) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
}

var errNotText = errors.New("not UTF-8 text")

// encodeYAML writes a value as yaml.v3 lays it out, with sorted keys.
func encodeYAML(v Value) ([]byte, error) {
	node, err := yamlNode(v)
	if err != nil {
		return nil, err
	}
	return yaml.Marshal(node)
}

func yamlNode(v Value) (*yaml.Node, error) {
	switch v.Kind {
	case Null:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	case Bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v.Bool)}, nil
	case Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: decimal(v.Text)}, nil
	case String:
		if !utf8.ValidString(v.Text) {
			return nil, errNotText
		}
		return yamlString(v.Text), nil
	case List:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, item := range v.List {
			child, err := yamlNode(item)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, child)
		}
		return n, nil
	}
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, key := range sortedKeys(v.Object) {
		if !utf8.ValidString(key) {
			return nil, errNotText
		}
		child, err := yamlNode(v.Object[key])
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, yamlString(key), child)
	}
	return n, nil
}

// yamlString is a string as yaml.v3 writes it: quoted also where only an older
// YAML would read something else, such as yes or 1:30.
func yamlString(s string) *yaml.Node {
	n := &yaml.Node{}
	if len(s) > 32 || n.Encode(s) != nil {
		n.SetString(s)
	}
	return n
}

// Redact returns a value in which secrets are [secret.Redacted], unless they
// are to be shown, and unknown values [Unknown]; what is both counts as secret.
func Redact(v Value, showSecrets bool) Value {
	switch {
	case v.Secret && !showSecrets:
		return Value{Kind: String, Text: secret.Redacted}
	case v.Unknown:
		return Value{Kind: String, Text: Unknown}
	}
	out := v
	switch v.Kind {
	case List:
		out.List = make([]Value, len(v.List))
		for i, item := range v.List {
			out.List[i] = Redact(item, showSecrets)
		}
	case Object:
		out.Object = make(map[string]Value, len(v.Object))
		for key, item := range v.Object {
			out.Object[key] = Redact(item, showSecrets)
		}
	}
	out.weight = 0
	return out
}

// EncodeJSON writes a value for people and programs: sorted keys, an indent of
// two, secrets redacted unless they are to be shown, a line feed at the end.
func EncodeJSON(v Value, showSecrets bool) []byte {
	b, _ := appendJSON(nil, Redact(v, showSecrets), 1<<40)
	return indentJSON(b)
}

func indentJSON(b []byte) []byte {
	var out bytes.Buffer
	if json.Indent(&out, b, "", "  ") != nil {
		out.Write(b) // what we wrote is JSON
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// EncodeYAML is as [EncodeJSON], in YAML. Text that is not UTF-8 is an error.
func EncodeYAML(v Value, showSecrets bool) ([]byte, error) {
	node, err := yamlNode(Redact(v, showSecrets))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(node); err != nil {
		return nil, err
	}
	return out.Bytes(), enc.Close()
}

// EncodeDetailed is as [EncodeJSON] with each value as {"value", "secret",
// "unknown", "expiresAt", "trace"}; absent parts are left out.
func (p *Program) EncodeDetailed(v Value, showSecrets bool) []byte {
	out, _ := appendJSON(nil, p.detailed(v, showSecrets), 1<<40)
	return indentJSON(out)
}

func (p *Program) detailed(v Value, showSecrets bool) Value {
	yes := Value{Kind: Bool, Bool: true}
	m := map[string]Value{}
	switch {
	case v.Secret && !showSecrets, v.Unknown:
		m["value"] = Redact(v, showSecrets)
	case v.Kind == List:
		list := make([]Value, len(v.List))
		for i, item := range v.List {
			list[i] = p.detailed(item, showSecrets)
		}
		m["value"] = Value{Kind: List, List: list}
	case v.Kind == Object:
		object := make(map[string]Value, len(v.Object))
		for key, item := range v.Object {
			object[key] = p.detailed(item, showSecrets)
		}
		m["value"] = Value{Kind: Object, Object: object}
	default:
		m["value"] = Value{Kind: v.Kind, Bool: v.Bool, Text: v.Text}
	}
	if v.Secret {
		m["secret"] = yes
	}
	if v.Unknown {
		m["unknown"] = yes
	}
	if _, expires := times(v.from()); !expires.IsZero() {
		m["expiresAt"] = Value{Kind: String, Text: expires.UTC().Format(time.RFC3339)}
	}
	if env := p.byPath[v.Pos.File]; env != nil {
		object := func(m map[string]Value) Value { return Value{Kind: Object, Object: m} }
		number := func(n int) Value { return Value{Kind: Number, Text: strconv.Itoa(n)} }
		m["trace"] = object(map[string]Value{"def": object(map[string]Value{
			"environment": {Kind: String, Text: env.name},
			"begin":       object(map[string]Value{"line": number(v.Pos.Line), "column": number(v.Pos.Column)}),
		})})
	}
	return Value{Kind: Object, Object: m}
}

// times are the earliest instants of some opens; zero means never.
func times(opens []*opened) (refresh, expires time.Time) {
	for _, o := range opens {
		refresh = earlier(refresh, o.result.RefreshAt)
		expires = earlier(expires, o.result.ExpiresAt)
	}
	return refresh, expires
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
