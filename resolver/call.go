package resolver

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// callShape computes a builtin as far as its shape.
func (ev *evaluator) callShape(e *expr) shape {
	switch e.call.builtin.name {
	case openName:
		return ev.openShape(e)
	case rotateName:
		return ev.rotateShape(e)
	case secretName:
		return ev.secretShape(e)
	case finalName:
		sh := *ev.resolve(ev.cell(e.call.arg))
		sh.final = e.call.arg
		return sh
	}
	args := make([]Value, len(e.call.args))
	out := Value{Pos: e.pos()}
	var opens []*opened
	waiting, unknown := false, false
	for i, arg := range e.call.args {
		v, ok := ev.force(ev.cell(arg))
		if !ok {
			waiting = true
			continue
		}
		args[i] = v
		unknown = unknown || v.hasUnknown()
		out.Secret = out.Secret || v.hasSecret()
		opens = union(opens, v.origins())
	}
	out = out.flowed(opens)
	if waiting {
		return shape{kind: shapePending}
	}
	if unknown && e.call.builtin.name != validateName {
		out.Unknown = true
		return shape{value: out}
	}
	v, ok := e.call.builtin.apply(ev, e, args)
	if !ok || !ev.spend(e, v.size()) {
		out.Unknown = true
		return shape{value: out}
	}
	if e.call.builtin.name == concatName || e.call.builtin.name == validateName {
		return *valueShape(v) // the parts keep their own flags
	}
	return *valueShape(marked(v, out))
}

// marked gives a computed value and its parts the secretness and the origin of
// what they were computed from.
func marked(v, from Value) Value {
	v.Secret = v.Secret || from.Secret
	v.source, v.Pos = from.source, from.Pos
	switch v.Kind {
	case List:
		for i := range v.List {
			v.List[i] = marked(v.List[i], from)
		}
	case Object:
		for key, item := range v.Object {
			v.Object[key] = marked(item, from)
		}
	}
	v.weight = 0
	v.weight = clamp(v.size())
	return v
}

// rotateShape is unknown: rotation is recognised and not carried out.
func (ev *evaluator) rotateShape(e *expr) shape {
	pos := e.env.at(e.call.line, e.call.col)
	if ev.mode == modeEvaluate {
		ev.report(e.env, pos, "rotation is not supported yet", "")
	} else {
		ev.warn(e.env, pos, "rotation is not supported yet", "")
	}
	return unknownAt(e.pos())
}

// secretShape is the text of a fn::secret.
func (ev *evaluator) secretShape(e *expr) shape {
	if e.call.envelope == "" {
		v := Value{Kind: String, Text: e.call.arg.text, Secret: true, Pos: e.call.arg.pos()}
		return shape{value: v}
	}
	return ev.decryptedShape(e)
}

// want reports an argument of the wrong kind.
func (ev *evaluator) want(arg *expr, path []string, v Value, kinds ...Kind) bool {
	var names []string
	for _, k := range kinds {
		if v.Kind == k {
			return true
		}
		names = append(names, k.String())
	}
	ev.report(arg.env, placeOf(arg, path, false), fmt.Sprintf("expected %s, got %s", strings.Join(names, " or "), v.Kind), "")
	return false
}

func text(s string) (Value, bool) { return Value{Kind: String, Text: s}, true }

func toString(_ *evaluator, _ *expr, args []Value) (Value, bool) { return text(textOf(args[0])) }

func toJSON(ev *evaluator, e *expr, args []Value) (Value, bool) {
	b, ok := appendJSON(nil, args[0], maxComputed)
	if !ok {
		ev.tooLarge(e)
		return Value{}, false
	}
	return text(string(b))
}

func toYAML(ev *evaluator, e *expr, args []Value) (Value, bool) {
	b, err := encodeYAML(args[0])
	if err != nil {
		ev.report(e.env, e.call.arg.pos(), "the value cannot be written as YAML: it is not UTF-8 text", "")
		return Value{}, false
	}
	return text(string(b))
}

func fromJSON(ev *evaluator, e *expr, args []Value) (Value, bool) {
	if !ev.want(e.call.arg, nil, args[0], String) {
		return Value{}, false
	}
	v, err := ParseJSON([]byte(args[0].Text))
	if err != nil {
		ev.report(e.env, e.call.arg.pos(), err.Error(), "")
		return Value{}, false
	}
	return v, true
}

func toBase64(ev *evaluator, e *expr, args []Value) (Value, bool) {
	if !ev.want(e.call.arg, nil, args[0], String) {
		return Value{}, false
	}
	return text(base64.StdEncoding.EncodeToString([]byte(args[0].Text)))
}

func fromBase64(ev *evaluator, e *expr, args []Value) (Value, bool) {
	if !ev.want(e.call.arg, nil, args[0], String) {
		return Value{}, false
	}
	b, err := base64.StdEncoding.DecodeString(args[0].Text) // line breaks do not count
	if err != nil {
		ev.report(e.env, e.call.arg.pos(), "the text is not base64", "the standard alphabet, padded")
		return Value{}, false
	}
	return text(string(b))
}

func join(ev *evaluator, e *expr, args []Value) (Value, bool) {
	delimiter, list := e.call.args[0], e.call.args[1]
	ok := ev.want(delimiter, nil, args[0], String)
	if !ev.want(list, nil, args[1], List) {
		return Value{}, false
	}
	var words []string
	n := 0
	for i, item := range args[1].List {
		ok = ev.want(list, []string{fmt.Sprint(i)}, item, String) && ok
		words = append(words, item.Text)
		n += len(item.Text) + len(args[0].Text)
	}
	if !ok {
		return Value{}, false
	}
	if n > 2*maxComputed {
		ev.tooLarge(e)
		return Value{}, false
	}
	return text(strings.Join(words, args[0].Text))
}

func split(ev *evaluator, e *expr, args []Value) (Value, bool) {
	ok := ev.want(e.call.args[0], nil, args[0], String)
	if !ev.want(e.call.args[1], nil, args[1], String) || !ok {
		return Value{}, false
	}
	words := strings.Split(args[1].Text, args[0].Text)
	out := Value{Kind: List, List: make([]Value, len(words))}
	for i, word := range words {
		out.List[i], _ = text(word)
	}
	return out, true
}

func concat(ev *evaluator, e *expr, args []Value) (Value, bool) {
	out, ok := Value{Kind: List, Pos: e.pos()}, true
	var opens []*opened
	n := 0
	for i, arg := range args {
		if !ev.want(e.call.args[i], nil, arg, List) {
			ok = false
			continue
		}
		if n += arg.size(); n > maxComputed {
			ev.tooLarge(e)
			return Value{}, false
		}
		out.List = append(out.List, arg.List...)
		out.Secret = out.Secret || arg.hasSecret()
		opens = union(opens, arg.from())
	}
	return out.flowed(opens), ok
}

// ParseJSON reads one JSON text. Numbers keep their text; of keys that come
// twice the last counts. An error never repeats what the text says.
func ParseJSON(b []byte) (Value, error) {
	if !utf8.Valid(b) {
		return Value{}, fmt.Errorf("the text is not JSON: it is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	v, err := decodeJSON(dec, 0)
	if err == nil {
		end := dec.InputOffset()
		if _, err = dec.Token(); err == io.EOF {
			return v, nil
		}
		return Value{}, fmt.Errorf("the text is not JSON: something follows after byte %d", end)
	}
	if err == errJSONDepth {
		return Value{}, err
	}
	return Value{}, fmt.Errorf("the text is not JSON: see byte %d", dec.InputOffset()+1)
}

var errJSONDepth = fmt.Errorf("the JSON is nested more than %d levels", maxNesting)

func decodeJSON(dec *json.Decoder, depth int) (Value, error) {
	token, err := dec.Token()
	if err != nil {
		return Value{}, err
	}
	switch t := token.(type) {
	case bool:
		return Value{Kind: Bool, Bool: t}, nil
	case json.Number:
		return Value{Kind: Number, Text: t.String()}, nil
	case string:
		return Value{Kind: String, Text: t}, nil
	case json.Delim:
		if depth >= maxNesting {
			return Value{}, errJSONDepth
		}
		if t == '[' {
			out := Value{Kind: List, List: []Value{}}
			for dec.More() {
				item, err := decodeJSON(dec, depth+1)
				if err != nil {
					return Value{}, err
				}
				out.List = append(out.List, item)
			}
			_, err := dec.Token()
			return out, err
		}
		out := Value{Kind: Object, Object: map[string]Value{}}
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return Value{}, err
			}
			item, err := decodeJSON(dec, depth+1)
			if err != nil {
				return Value{}, err
			}
			out.Object[key.(string)] = item
		}
		_, err := dec.Token()
		return out, err
	}
	return Value{Kind: Null}, nil
}
