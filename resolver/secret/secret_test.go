package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNeverShown(t *testing.T) {
	const canary = "canary-0451"
	text := New(canary)
	holder := struct {
		Public Text
		inner  Text
		deep   *Text
	}{text, text, &text}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T %v", "%10s", "% x", "%p"} {
		fmt.Fprintf(&out, verb+"\n", text)
		fmt.Fprintf(&out, verb+"\n", []Text{text})
		fmt.Fprintf(&out, verb+"\n", map[string]Text{"k": text})
	}
	fmt.Fprintf(&out, "%v %+v %#v\n", holder, holder, holder)
	fmt.Fprintln(&out, errors.New(text.String()), text)
	j, err := json.Marshal(map[string]any{"a": text, "b": &text, "c": holder})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "a", text, "b", &text, "c", holder)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "a", text, "b", &text, "c", holder)
	out.Write(log.Bytes())
	for _, shown := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprintf("% x", canary), fmt.Sprint([]byte(canary))} {
		if strings.Contains(out.String(), shown) {
			t.Errorf("shown as %s in:\n%s", shown, out.String())
		}
	}
	if text.Reveal() != canary || text.Len() != len(canary) {
		t.Error("Reveal lost the value")
	}
}
