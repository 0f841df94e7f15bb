package shells

import (
	"path/filepath"
	"testing"
	"time"
)

// A clock that was set back makes what is loaded seem to live for longer. The next
// command that is typed sees new values all the same.
func TestClockThatWasSetBack(t *testing.T) {
	each(t, func(t *testing.T, s Shell) {
		term := openTerminal(t, s, "", "")
		p := newProject(t)
		inProject(term)
		say := func(value string, since time.Time) {
			at(t, p.check.Generation.Path, since)
			at(t, p.check.Generation.Stamp, since)
			term.fake.answer(t, s.Render(Update{Changes: []Change{{Name: "A", Value: value}}, Check: Check{Pwd: term.home,
				Generation: p.check.Generation, GenerationTime: since.Unix(), Dead: since.Unix() + 1000, Since: since.Unix()}}), 0)
		}
		say("before", time.Now().Add(24*time.Hour))
		term.run(map[Shell]string{Fish: "set -g __ambit_pwd", Bash: "__ambit_pwd=", Zsh: "__ambit_pwd="}[s]) // the next prompt asks
		n := term.fake.calls(t)
		after := time.Now().Add(-time.Minute)
		say("after", after)
		// Its stamp is as old as the answer that it stands for.
		later := time.Now().Add(24 * time.Hour)
		at(t, p.check.Generation.Path, later)
		at(t, p.check.Generation.Stamp, later)
		term.run("printenv A >out")
		if got := read(t, filepath.Join(term.home, "out")); got != "after\n" || term.fake.calls(t) == n {
			t.Errorf("a command saw %q, after %d calls", got, term.fake.calls(t)-n)
		}
		at(t, p.check.Generation.Path, after)
		at(t, p.check.Generation.Stamp, after)
		n = term.fake.calls(t)
		term.run("true", "true; true")
		if more := term.fake.calls(t) - n; more > 1 {
			t.Errorf("asked %d times again", more)
		}
	})
}
