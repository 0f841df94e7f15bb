package main

import (
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// narrowest is for how many columns lines are laid out at least: a narrower terminal
// wraps them itself.
const narrowest = 40

// screen is what lines for people are laid out for.
type screen struct {
	columns int
	color   bool
}

// screen describes the standard output; what is no terminal is as wide as COLUMNS
// says, else 80. Only a terminal that has them, and whose owner has not objected
// (no-color.org), gets colours.
func (a *ambit) screen() screen {
	s := screen{columns: 80}
	if n, err := strconv.Atoi(a.environ["COLUMNS"]); err == nil && n > 0 {
		s.columns = max(n, narrowest)
	}
	f, ok := a.stdout.(*os.File)
	if !ok || !isTerminal(a.stdout) {
		return s
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		s.columns = max(width, narrowest)
	}
	s.color = a.environ["NO_COLOR"] == "" && a.environ["TERM"] != "dumb" && a.environ["TERM"] != ""
	return s
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// shade is a way to print a word.
type shade string

const (
	noShade shade = ""
	red     shade = "31;1"
	yellow  shade = "33"
	green   shade = "32"
	bold    shade = "1"
	faint   shade = "2"
)

// paint puts a text between the escapes of a shade, where there are colours.
func (s screen) paint(how shade, text string) string {
	if !s.color || how == noShade || text == "" {
		return text
	}
	return "\x1b[" + string(how) + "m" + text + "\x1b[0m"
}

// columnsOf is how wide a printable text is. Counting a wide character for a narrow
// one would break a line, the other way round only shortens it.
func columnsOf(text string) (n int) {
	for _, r := range text {
		n++
		if r >= 0x1100 && !narrow(r) {
			n++
		}
	}
	return n
}

// narrow says which of the characters after the first wide one are as narrow as
// letters: punctuation, arrows, mathematical and technical signs.
func narrow(r rune) bool { return r >= 0x1200 && r < 0x2e80 }

// padded fills a text up with spaces.
func padded(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-columnsOf(text)))
}

// wrapped breaks a text at its spaces into lines of so many columns. A word that is
// longer stays whole: it may have to be copied.
func wrapped(text string, columns int) []string {
	var lines []string
	line, used := "", 0
	for word := range strings.SplitSeq(text, " ") {
		width := columnsOf(word)
		if line != "" && used+1+width > columns {
			lines = append(lines, line)
			line, used = word, width
			continue
		}
		if line != "" {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+width
	}
	return append(lines, line)
}
