package exec

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"ambit/resolver"
)

const defaultTimeout = 30 * time.Second

var commandInputs = &resolver.Schema{
	Types: []string{"object"}, Required: []string{"command"},
	Properties: map[string]*resolver.Schema{
		"command": {Types: []string{"array"}, MinItems: 1, Items: &resolver.Schema{Types: []string{"string"}}},
		"cwd":     {Types: []string{"string"}, Path: true},
		"stdin":   {Types: []string{"string"}},
		"parse":   {Types: []string{"string"}, Enum: []string{"json", "text"}},
		"secret":  {Types: []string{"boolean"}},
		"timeout": duration,
		"ttl":     duration,
	},
}

var duration = &resolver.Schema{Types: []string{"string"}, Pattern: resolver.DurationPattern, PatternSay: "a duration like 1h30m"}

// Command is the provider `command`: a program's output as a value.
func Command() *resolver.Provider {
	return &resolver.Provider{Name: "command", Version: 1, Inputs: commandInputs, Open: openCommand}
}

func openCommand(ctx context.Context, call *resolver.Call) (resolver.Opened, error) {
	in := call.Inputs.Object
	c := resolver.Command{Dir: in["cwd"].Text, Env: call.Env, Timeout: defaultTimeout}
	for i, word := range in["command"].List {
		// Everybody on this machine can read the arguments of a process.
		if word.Secret {
			return resolver.Opened{}, &resolver.OpenError{Path: []string{"command", fmt.Sprint(i)},
				Summary: "an argument of a command must not be secret", Hint: "give it to the command by stdin"}
		}
		if strings.ContainsRune(word.Text, 0) {
			return resolver.Opened{}, &resolver.OpenError{Path: []string{"command", fmt.Sprint(i)}, Summary: "an argument holds a NUL"}
		}
		c.Argv = append(c.Argv, word.Text)
	}
	if c.Dir == "" {
		c.Dir = filepath.Dir(call.File)
	}
	if stdin, given := in["stdin"]; given {
		c.Stdin = []byte(stdin.Text)
	}
	if text := in["timeout"].Text; text != "" {
		d, err := resolver.ParseDuration(text)
		if err != nil || d <= 0 {
			return resolver.Opened{}, &resolver.OpenError{Path: []string{"timeout"}, Summary: "expected a duration like 30s, longer than nothing"}
		}
		c.Timeout = d
	}
	out, stderr, err := run(ctx, c)
	if err != nil {
		return resolver.Opened{}, failed(err, secrets(in["stdin"]), "command")
	}
	value := resolver.Value{Kind: resolver.String, Text: strings.TrimRight(string(out), "\n")}
	if in["parse"].Text == "json" {
		if value, err = resolver.ParseJSON(out); err != nil {
			return resolver.Opened{}, &resolver.OpenError{Kind: resolver.KindRefused, Path: []string{"command"}, Err: err,
				Summary: fmt.Sprintf("command %q: its output: %v", c.Argv[0], err), Hint: "parse: text takes it as it is"}
		}
	}
	secret, given := in["secret"]
	value.Secret = !given || secret.Bool
	hidden := append(secrets(in["stdin"]), secrets(value)...)
	return withTTL(resolver.Opened{Value: value, Notices: notices(c.Argv[0], hide(stderr, hidden))}, in["ttl"].Text, call.Now())
}

// withTTL gives a value the times that its inputs ask for; without them the
// resolver's own hold.
func withTTL(o resolver.Opened, text string, now time.Time) (resolver.Opened, error) {
	if text == "" {
		return o, nil
	}
	ttl, err := resolver.ParseDuration(text)
	if err != nil {
		return resolver.Opened{}, &resolver.OpenError{Path: []string{"ttl"}, Summary: "expected a duration like 1h30m"}
	}
	o.RefreshAt, o.ExpiresAt = now.Add(ttl), now.Add(max(24*time.Hour, ttl))
	return o, nil
}

// notices passes on what a command that succeeded said on standard error, the
// last lines of it.
func notices(name, stderr string) []string {
	if stderr == "" {
		return nil
	}
	lines := strings.FieldsFunc(stderr, func(r rune) bool { return r == '\n' || r == '\r' })
	var out []string
	for _, line := range lines[max(0, len(lines)-5):] {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, fmt.Sprintf("%s: %s", filepath.Base(name), clip(line, 300)))
		}
	}
	return out
}
