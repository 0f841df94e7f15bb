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

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_.:/@%+=,-]+$`)

// word writes a name in a command that a reader may copy into a shell: whoever
// wrote the name is not to choose what else that runs.
func word(name string) string {
	if plainWord.MatchString(name) {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

// left is how long something still serves, for a notice.
func left(d time.Duration) string {
	if d >= time.Minute {
		return brief(d.Truncate(time.Minute))
	}
	return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
}
