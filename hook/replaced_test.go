package hook

import (
	"maps"
	"strings"
	"testing"

	"ambit/shells"
)

// What a command's environment replaced comes back, but for what the command has
// changed since; the seal shows nothing of it, and another's is refused.
func TestBefore(t *testing.T) {
	k := testKeys(t)
	before := Environ{"AWS_PROFILE": "own", "KEEP": "x", "GONE": "c4n4ry"}
	sealed, err := k.SealChanges(before, []shells.Change{
		{Name: "ZED", Value: "new"}, {Name: "AWS_PROFILE", Value: "ours"}, {Name: "GONE", Unset: true}, {Name: "MINE", Value: "ours"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sealed, "c4n4ry") {
		t.Error("a value can be read")
	}
	env := Environ{"AWS_PROFILE": "ours", "KEEP": "x", "ZED": "new", "MINE": "theirs", RunVar: sealed}
	got, err := k.Before(env, sealed)
	want := Environ{"AWS_PROFILE": "own", "KEEP": "x", "GONE": "c4n4ry", "MINE": "theirs"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	// A run within another one gives back the outer one's.
	inner, err := k.SealChanges(env, []shells.Change{{Name: "AWS_PROFILE", Value: "inner"}})
	if err != nil {
		t.Fatal(err)
	}
	below := maps.Clone(env)
	below["AWS_PROFILE"], below[RunVar] = "inner", inner
	if got, err := k.Before(below, inner); err != nil || !maps.Equal(got, env) {
		t.Errorf("%v, %v; want %v", got, err, env)
	}
	if _, err := k.Before(env, sealed[:len(sealed)-1]+"_"); err == nil {
		t.Error("a damaged one is taken")
	}
	if _, err := k.SealChanges(Environ{"A": strings.Repeat("x", maxState)}, []shells.Change{{Name: "A", Unset: true}}); err == nil || strings.Contains(err.Error(), "xxx") {
		t.Errorf("too much to remember: %v", err)
	}
}
