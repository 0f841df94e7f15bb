package hook

import (
	"strconv"
	"time"

	"ambit/shells"
)

// maxSegment is how many columns of the environment's name a prompt shows.
const maxSegment = 40

// Segment is what a person's prompt shows of ambit: the environment's name and how
// long its credentials live, such as "shop/dev 42m" or "shop/dev expired"; "not
// loaded" where the hook has said why, as of a file that is not allowed; "" where
// there is nothing. It is told by ambit's own variables alone, as a shell exports
// them, and nothing else is read. The text is that of [shells.PrintableSegment].
func Segment(lookup func(name string) (string, bool), now time.Time) string {
	label, _ := lookup(EnvVar)
	if label == "" {
		if state, _ := lookup(StateVar); state != "" {
			return "not loaded"
		}
		return ""
	}
	label = shells.PrintableSegment(label)
	if len(label) > maxSegment {
		label = label[:maxSegment-3] + "..."
	}
	text, ok := lookup(ExpiresVar)
	at, err := strconv.ParseInt(text, 10, 64)
	switch {
	case !ok || err != nil || at > now.Unix()+maxLife:
		return label
	case at <= now.Unix():
		return label + " expired"
	}
	return label + " " + Life(time.Unix(at, 0).Sub(now))
}

// maxLife is more than anything lives that ambit sets, in seconds: more is not ours.
const maxLife = 1000 * 24 * 60 * 60
