package exec

import (
	"strings"

	"ambit/resolver"
	"ambit/resolver/secret"
)

// secrets are the secret texts in a value.
func secrets(v resolver.Value) []string {
	var out []string
	var walk func(v resolver.Value, within bool)
	walk = func(v resolver.Value, within bool) {
		within = within || v.Secret
		if within && (v.Kind == resolver.String || v.Kind == resolver.Number) {
			out = append(out, v.Text)
		}
		for _, item := range v.List {
			walk(item, within)
		}
		for _, item := range v.Object {
			walk(item, within)
		}
	}
	walk(v, false)
	return out
}

// hide takes secrets out of what a command said: `set -x` and careless error
// messages repeat them. A secret of many lines is looked for line by line too;
// very short ones would hide half of the text and are left.
func hide(text string, secrets []string) string {
	for _, s := range secrets {
		for _, part := range append([]string{s}, strings.Split(s, "\n")...) {
			if part = strings.TrimSpace(part); len(part) >= 4 {
				text = strings.ReplaceAll(text, part, secret.Redacted)
			}
		}
	}
	return text
}
