package resolver

import (
	"regexp"
	"strconv"
	"strings"
)

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// decimal writes a YAML number as a JSON number: the same text if it is one,
// else its value in decimal.
func decimal(text string) string {
	if jsonNumber.MatchString(text) {
		return text
	}
	plain := strings.ReplaceAll(text, "_", "")
	if i, err := strconv.ParseInt(plain, 0, 64); err == nil {
		return strconv.FormatInt(i, 10)
	}
	if u, err := strconv.ParseUint(plain, 0, 64); err == nil {
		return strconv.FormatUint(u, 10)
	}
	sign := ""
	switch rest := plain[min(1, len(plain)):]; {
	case strings.HasPrefix(plain, "-"):
		sign, plain = "-", rest
	case strings.HasPrefix(plain, "+"):
		plain = rest
	}
	mantissa, exponent := plain, ""
	if i := strings.IndexAny(plain, "eE"); i >= 0 {
		mantissa, exponent = plain[:i], plain[i:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	if out := sign + whole + fraction + exponent; jsonNumber.MatchString(out) {
		return out
	}
	return "0" // no number of ours gets here
}
