package aws

import (
	"os/exec"
	"testing"
)

// A name in a hint is one word of a shell, whatever it holds.
func TestWord(t *testing.T) {
	if got := word("team@dev_1.2-x"); got != "team@dev_1.2-x" {
		t.Errorf("%s", got)
	}
	for _, name := range []string{"", "a b", "x;id", "$(id)", "`id`", "it's", `a\'b"c`, "~", "#", "*", "a\nb", "é"} {
		out, err := exec.Command("sh", "-c", "printf %s "+word(name)).Output()
		if err != nil || string(out) != name {
			t.Errorf("%q is written as %s: %q %v", name, word(name), out, err)
		}
	}
}
