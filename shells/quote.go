package shells

import "bytes"

const hexDigits = "0123456789ABCDEF"

// Quote returns one word of printable ASCII that the shell reads back as exactly
// the bytes of value, in every locale and under every shell option but bash's
// set -k. The value must not contain NUL.
func (s Shell) Quote(value string) string {
	var b bytes.Buffer
	b.Grow(len(value) + len(value)/4 + 4)
	s.quoteTo(&b, value)
	return b.String()
}

func (s Shell) quoteTo(b *bytes.Buffer, value string) {
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
func quoteANSIC(b *bytes.Buffer, value string) {
	b.WriteString("$'")
	for rest := value; ; {
		n := plainPrefix(rest)
		b.WriteString(rest[:n])
		if n == len(rest) {
			break
		}
		c := rest[n]
		b.Write([]byte{'\\', '0' + c>>6, '0' + c>>3&7, '0' + c&7})
		rest = rest[n+1:]
	}
	b.WriteByte('\'')
}

// quoteFish writes '…' with every odd byte alone between two quoted parts: in a
// run of \X escapes fish decodes neighbours as one character of a multibyte
// locale (seen in BIG5-HKSCS). \X and not \x: older fish ends \x at 7F.
func quoteFish(b *bytes.Buffer, value string) {
	b.WriteByte('\'')
	for rest := value; ; {
		n := plainPrefix(rest)
		b.WriteString(rest[:n])
		if n == len(rest) {
			break
		}
		c := rest[n]
		b.Write([]byte{'\'', '\\', 'X', hexDigits[c>>4], hexDigits[c&15], '\''})
		rest = rest[n+1:]
	}
	b.WriteByte('\'')
}

// plain holds the bytes that stand for themselves in every quoting of every shell.
var plain = func() (t [256]bool) {
	for _, c := range []byte("_./:=+,@% -0123456789") {
		t[c] = true
	}
	for c := byte('a'); c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	return t
}()

// plainPrefix is how many bytes at the start of s are plain.
func plainPrefix(s string) int {
	for i := 0; i < len(s); i++ {
		if !plain[s[i]] {
			return i
		}
	}
	return len(s)
}
