package shells

import "strings"

const hexDigits = "0123456789ABCDEF"

// Quote returns one word of printable ASCII that the shell reads back as exactly
// the bytes of value, in every locale and under every shell option but bash's
// set -k. The value must not contain NUL.
func (s Shell) Quote(value string) string {
	var b strings.Builder
	b.Grow(len(value) + len(value)/4 + 4)
	s.quoteTo(&b, value)
	return b.String()
}

func (s Shell) quoteTo(b *strings.Builder, value string) {
	if s == Fish {
		quoteFish(b, value)
	} else {
		quoteANSIC(b, value)
	}
}

// quoteANSIC writes $'…' with three-digit octals. Plain '…' is not safe: in
// GB18030 bash takes the closing quote for a trail byte, and zsh under
// CSH_JUNKIE_QUOTES ends it at a newline. Hexadecimal escapes have no fixed
// length in zsh.
func quoteANSIC(b *strings.Builder, value string) {
	b.WriteString("$'")
	for i := 0; i < len(value); i++ {
		c := value[i]
		if plain(c) {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'\\', '0' + c>>6, '0' + c>>3&7, '0' + c&7})
	}
	b.WriteByte('\'')
}

// quoteFish writes '…' with every odd byte alone between two quoted parts: in a
// run of \X escapes fish decodes neighbours as one character of a multibyte
// locale (seen in BIG5-HKSCS). \X and not \x: older fish ends \x at 7F.
func quoteFish(b *strings.Builder, value string) {
	b.WriteByte('\'')
	for i := 0; i < len(value); i++ {
		c := value[i]
		if plain(c) {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'\'', '\\', 'X', hexDigits[c>>4], hexDigits[c&15], '\''})
	}
	b.WriteByte('\'')
}

// plain reports whether a byte stands for itself in every quoting of every shell.
func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("_./:=+,@% -", c) >= 0
}
