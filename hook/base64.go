package hook

import "slices"

// The unpadded URL alphabet of RFC 4648. Package encoding/base64 does the same, but
// makes the tables of its four encodings whenever a program starts, which costs a
// fiftieth of a prompt.

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// digits are the values of the alphabet's letters, plus one; 0 for what is none.
var digits = [256]byte{
	'A': 1, 'B': 2, 'C': 3, 'D': 4, 'E': 5, 'F': 6, 'G': 7, 'H': 8, 'I': 9, 'J': 10, 'K': 11, 'L': 12, 'M': 13,
	'N': 14, 'O': 15, 'P': 16, 'Q': 17, 'R': 18, 'S': 19, 'T': 20, 'U': 21, 'V': 22, 'W': 23, 'X': 24, 'Y': 25, 'Z': 26,
	'a': 27, 'b': 28, 'c': 29, 'd': 30, 'e': 31, 'f': 32, 'g': 33, 'h': 34, 'i': 35, 'j': 36, 'k': 37, 'l': 38, 'm': 39,
	'n': 40, 'o': 41, 'p': 42, 'q': 43, 'r': 44, 's': 45, 't': 46, 'u': 47, 'v': 48, 'w': 49, 'x': 50, 'y': 51, 'z': 52,
	'0': 53, '1': 54, '2': 55, '3': 56, '4': 57, '5': 58, '6': 59, '7': 60, '8': 61, '9': 62, '-': 63, '_': 64,
}

// appendBase64 appends the text form of b.
func appendBase64(text, b []byte) []byte {
	start, size := len(text), (len(b)*4+2)/3
	text = slices.Grow(text, size)[:start+size]
	out := text[start:]
	for ; len(b) >= 3; b, out = b[3:], out[4:] {
		n := uint(b[0])<<16 | uint(b[1])<<8 | uint(b[2])
		_ = out[3] // one check of the bounds for all
		out[0], out[1], out[2], out[3] = alphabet[n>>18&63], alphabet[n>>12&63], alphabet[n>>6&63], alphabet[n&63]
	}
	switch len(b) {
	case 1:
		out[0], out[1] = alphabet[b[0]>>2], alphabet[b[0]<<4&63]
	case 2:
		out[0], out[1], out[2] = alphabet[b[0]>>2], alphabet[b[0]<<4&63|b[1]>>4], alphabet[b[1]<<2&63]
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
	for ; len(text) >= 4; text = text[4:] {
		p, q, r, s := digits[text[0]], digits[text[1]], digits[text[2]], digits[text[3]]
		if p == 0 || q == 0 || r == 0 || s == 0 {
			return nil, false
		}
		n := uint(p-1)<<18 | uint(q-1)<<12 | uint(r-1)<<6 | uint(s-1)
		b = append(b, byte(n>>16), byte(n>>8), byte(n))
	}
	var n, bits uint
	for i := range len(text) {
		d := digits[text[i]]
		if d == 0 {
			return nil, false
		}
		n, bits = n<<6|uint(d-1), bits+6
		if bits >= 8 {
			bits -= 8
			b = append(b, byte(n>>bits))
			n &= 1<<bits - 1
		}
	}
	return b, n == 0
}
