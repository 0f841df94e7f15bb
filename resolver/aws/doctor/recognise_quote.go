package doctor

import (
	"regexp"
	"slices"
	"strings"
)

// quotable is what may stand in a quotation: words of a sentence and the names that
// AWS prints. Whatever looks otherwise may be a secret, and is left out.
var quotable = []func() *regexp.Regexp{
	late(`^[A-Za-z]?[a-z]{0,24}(?:['-][a-z]{1,16}){0,3}$|^[A-Z]{1,6}[0-9]?$|^[0-9]{1,10}%?$|^[-+=]$`),
	late(`^(?:[A-Z]{1,4}[a-z]{1,20}){2,6}$`),                                                                     // a code
	late(`^[a-z][a-z0-9-]{1,30}:[A-Z][A-Za-z]{2,60}$`),                                                           // an action
	late(`^\d{8}T\d{6}Z$|^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`),                                                     // an instant
	late(`^(https?://)?([a-z0-9-]{1,63}\.){1,6}(amazonaws\.com(\.cn)?|api\.aws|aws|awsapps\.com)(:\d{1,5})?/?$`), // a host of AWS
	late(`^(https?://)?(localhost|\d{1,3}(\.\d{1,3}){3})(:\d{1,5})?/?$`),                                         // another
	late(`^[a-z]{2,4}(-[a-z]{2,10}){1,3}-\d{1,2}$`),                                                              // a region
	late(`^arn:aws[a-z-]{0,10}:[a-z0-9-]{1,30}:[a-z0-9-]{0,20}:\d{0,12}:[A-Za-z0-9_+=,.@/:*-]{1,160}$`),
}

var (
	shownKeyID  = late(`^A[KS]IA[A-Z0-9]{16}$`)
	namesSecret = late(`(?i)(secret|token|passw|pwd|bearer|authorization|cookie|signature)\w*["']?[:=]$`)
)

// quote is what may be shown of a text from outside: at most 200 bytes on one line,
// each word that is not of a known kind as one "…".
func quote(text string) string {
	var out []string
	size, secretNext := 0, false
	for _, word := range strings.Fields(text) {
		if len(out) > 0 && strings.ContainsRune("{<[", rune(word[0])) || strings.HasPrefix(word, "(Service:") {
			break // of an object or a list there is nothing to be read
		}
		shown := "…"
		if !secretNext {
			shown = quoteWord(word)
		}
		secretNext = namesSecret().MatchString(word)
		if shown == "…" && len(out) > 0 && out[len(out)-1] == "…" {
			continue
		}
		if size += len(shown) + 1; size > longest {
			out = append(out, "…")
			break
		}
		out = append(out, shown)
	}
	text = strings.Join(out, " ")
	text = strings.TrimRight(strings.TrimLeft(text, ":,. )"), ":,. ")
	for _, mark := range []string{`"`, "'"} {
		if strings.Count(text, mark) == 1 && (strings.HasPrefix(text, mark) || strings.HasSuffix(text, mark)) {
			text = strings.Trim(text, mark) // the other one was cut off
		}
	}
	if strings.Trim(text, "… ") == "" {
		return ""
	}
	return strings.ReplaceAll(text, "… …", "…")
}

func quoteWord(word string) string {
	const around = `"'.,:;()[]{}<>` + "`"
	core := strings.Trim(word, around)
	if core == "" {
		if len(word) <= 2 {
			return word
		}
		return "…"
	}
	before, after, _ := strings.Cut(word, core)
	if len(before) > 2 || len(after) > 3 {
		return "…"
	}
	switch {
	case shownKeyID().MatchString(core):
		core = maskID(core)
	case !slices.ContainsFunc(quotable, func(re func() *regexp.Regexp) bool { return re().MatchString(core) }):
		core = "…"
	}
	return before + core + after
}
