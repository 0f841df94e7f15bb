package hook

// The unpadded URL alphabet of RFC 4648. Package encoding/base64 does the same, but
// makes the tables of its four encodings whenever a program starts, which costs a
// fiftieth of a prompt.

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// appendBase64 appends the text form of b.
func appendBase64(text, b []byte) []byte {
	for ; len(b) >= 3; b = b[3:] {
		n := uint(b[0])<<16 | uint(b[1])<<8 | uint(b[2])
		text = append(text, alphabet[n>>18], alphabet[n>>12&63], alphabet[n>>6&63], alphabet[n&63])
	}
	switch len(b) {
	case 1:
		text = append(text, alphabet[b[0]>>2], alphabet[b[0]<<4&63])
	case 2:
		text = append(text, alphabet[b[0]>>2], alphabet[b[0]<<4&63|b[1]>>4], alphabet[b[1]<<2&63])
	}
	return text
}

// parseBase64 takes what appendBase64 makes, and no other spelling of it: no
// padding, no line breaks, and no bits that would be dropped.
func parseBase64(text string) ([]byte, bool) {
	if len(text)%4 == 1 {
		return nil, false
	}
	b := make([]byte, 0, len(text)*3/4)
	var n, bits uint
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c -= 'A'
		case c >= 'a' && c <= 'z':
			c -= 'a' - 26
		case c >= '0' && c <= '9':
			c += 52 - '0'
		case c == '-':
			c = 62
		case c == '_':
			c = 63
		default:
			return nil, false
		}
		n, bits = n<<6|uint(c), bits+6
		if bits >= 8 {
			bits -= 8
			b = append(b, byte(n>>bits))
			n &= 1<<bits - 1
		}
	}
	return b, n == 0
}
