package shells

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxColumns is how much foreign text one message shows.
const maxColumns = 500

// Printable returns foreign text such as a path, a name or a provider's error in
// a form that a terminal shows and does not obey: control characters (C0, DEL,
// C1), newlines included, bidirectional controls, characters of no width and
// invalid UTF-8 become \xNN or \u{…}. The result is one line of valid UTF-8 of at
// most 500 columns, "..." at the end where it was cut. Printable is idempotent.
func Printable(text string) string {
	if isPrintable(text) {
		return text
	}
	return clean(text, func(r rune, raw byte) string {
		switch {
		case r == utf8.RuneError && raw != 0:
			return hexEscape(raw)
		case r < 0x20 || r == 0x7f:
			return hexEscape(byte(r))
		case invisible(r):
			return `\u{` + strconv.FormatInt(int64(r), 16) + "}"
		}
		return ""
	})
}

// isPrintable says whether text is short and ASCII that a terminal shows, as nearly
// all is.
func isPrintable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return len(text) <= maxColumns
}

// PrintableSegment is [Printable] for a part of a prompt: ASCII, in which nothing
// means anything to bash, zsh (promptsubst, promptbang), fish or the status line of
// tmux. All else, and also backslash, dollar, backquote, percent, ! and #, become
// {NN} in hexadecimal: no prompt of any shell reads these, whether the segment is
// stored in PS1, substituted into it or expanded once more.
func PrintableSegment(text string) string {
	return clean(text, func(r rune, raw byte) string {
		switch {
		case r == utf8.RuneError && raw != 0:
			return "{" + strconv.FormatInt(int64(raw), 16) + "}"
		case r < 0x20 || r > 0x7e, strings.ContainsRune("\\$`%!#", r):
			return "{" + strconv.FormatInt(int64(r), 16) + "}"
		}
		return ""
	})
}

// clean copies text up to [maxColumns], asking escape for each rune's
// replacement; "" keeps it. raw is the byte that is no valid UTF-8, else 0.
func clean(text string, escape func(r rune, raw byte) string) string {
	var b strings.Builder
	columns, fits := 0, 0 // fits: length of the longest prefix that leaves room for "..."
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		var raw byte
		if r == utf8.RuneError && size == 1 {
			raw = text[i]
		}
		unit, width := escape(r, raw), 1
		if unit == "" {
			unit = text[i : i+size]
			if r >= 0x1100 {
				width = 2 // the first wide characters; counting too many is harmless
			}
		} else {
			width = len(unit)
		}
		if columns += width; columns > maxColumns {
			return b.String()[:fits] + "..."
		}
		b.WriteString(unit)
		if columns <= maxColumns-3 {
			fits = b.Len()
		}
		i += size
	}
	return b.String()
}

func hexEscape(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{'\\', 'x', digits[c>>4], digits[c&15]})
}

// invisible reports whether a rune above DEL moves the cursor, changes the order
// of the text or shows nothing.
func invisible(r rune) bool {
	switch {
	case 0x80 <= r && r <= 0x9f, // C1
		r == 0x2028, r == 0x2029, // line and paragraph separator
		r == 0x034f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x3164, r == 0xffa0, // fillers
		0x180b <= r && r <= 0x180f, 0xfe00 <= r && r <= 0xfe0f, 0xe0000 <= r && r <= 0xe0fff: // selectors, tags
		return true
	}
	return r > 0x7f && unicode.Is(unicode.Cf, r) // bidi, joiners, zero-width space, byte order mark
}
