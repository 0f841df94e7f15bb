package aws

import (
	"slices"
	"strings"
)

const refusedWords = "AWS refused "

// refused is the line that tells that AWS said no to what was asked for; message may
// be "".
func refused(what, code, message string) string {
	line := refusedWords + what + ": " + code
	if message != "" {
		line += ": " + strings.TrimRight(message, ". ")
	}
	return line
}

// OlderServe follows the error in the notice of a login that failed while older
// credentials live; a duration and " more" follow it.
const OlderServe = "; the credentials at hand serve for "

// MeaningOfRefusal returns what a line means that this package wrote when AWS said
// no, in an error or in a notice. It returns false for any other line, and for a
// code that [MeaningOf] does not know.
func MeaningOfRefusal(line string) (Meaning, bool) {
	line, _, _ = strings.Cut(line, OlderServe)
	_, rest, ok := strings.Cut(line, refusedWords)
	if !ok {
		return Meaning{}, false
	}
	// What was asked for may hold colons, as an ARN does, but none before a space.
	_, answer, ok := strings.Cut(rest, ": ")
	if !ok {
		return Meaning{}, false
	}
	code, message, _ := strings.Cut(answer, ": ")
	for _, m := range meanings { // whose own words stand in place of AWS's
		if m.riddle && m.Proves == message && slices.Contains(m.codes, code) {
			return m.Meaning, true
		}
	}
	return MeaningOf(code, message)
}
