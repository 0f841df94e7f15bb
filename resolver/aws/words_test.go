package aws

import (
	"os"
	"os/exec"
	"testing"
)

// A name in a hint is one word of a shell, whatever it holds.
func TestWord(t *testing.T) {
	if got := Word("team@dev_1.2-x"); got != "team@dev_1.2-x" {
		t.Errorf("%s", got)
	}
	for _, name := range []string{"", "a b", "x;id", "$(id)", "`id`", "it's", `a\'b"c`, "~", "#", "*", "a\nb", "é", "=ls", `a\`} {
		for _, shell := range []string{"sh", "bash", "zsh", "fish"} {
			if _, err := exec.LookPath(shell); err != nil {
				if os.Getenv("AMBIT_TEST_REQUIRE") == "all" {
					t.Fatal(shell + " is not installed")
				}
				t.Log("skipped: " + shell + " is not installed")
				continue
			}
			out, err := exec.Command(shell, "-c", "printf %s "+Word(name)).Output()
			if err != nil || string(out) != name {
				t.Errorf("%s: %q is written as %s: %q %v", shell, name, Word(name), out, err)
			}
		}
	}
}
