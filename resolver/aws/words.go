package aws

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// brief writes a duration as people do: 1h, 12h30m, 45s.
func brief(d time.Duration) string {
	d = d.Round(time.Second)
	text := d.String()
	if d >= time.Minute {
		text = strings.TrimSuffix(text, "0s")
	}
	if d >= time.Hour && strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// plainWord begins with no =, which zsh would replace by a program's path.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_.:/@%+,-][A-Za-z0-9_.:/@%+=,-]*$`)

// Word writes a name in a command that a reader may copy into a shell, in the one
// way that bash, zsh and fish read alike: whoever wrote the name is not to choose
// what else that runs.
func Word(name string) string {
	if plainWord.MatchString(name) {
		return name
	}
	// Each apostrophe and backslash stands between two quoted pieces: within them
	// fish reads a backslash otherwise than the others.
	return "'" + strings.NewReplacer("'", `'\''`, `\`, `'\\'`).Replace(name) + "'"
}

// left is how long something still serves, for a notice.
func left(d time.Duration) string {
	if d >= time.Minute {
		return brief(d.Truncate(time.Minute))
	}
	return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
}
