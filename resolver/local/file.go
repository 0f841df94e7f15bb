package local

import (
	"context"
	"fmt"
	"strings"

	"ambit/resolver"
)

// File returns the provider file: the exact bytes of a file, or what it says as
// JSON, YAML or dotenv. Nothing in it is interpolated.
func File() *resolver.Provider {
	return &resolver.Provider{
		Name: "file", Version: 1, Local: true,
		Inputs: object("path", map[string]*resolver.Schema{
			"path":   path,
			"format": {Types: []string{"string"}, Enum: []string{"dotenv", "json", "text", "yaml"}},
			"trim":   boolean,
			"secret": boolean,
		}),
		Open: openFile,
	}
}

func openFile(_ context.Context, call *resolver.Call) (resolver.Opened, error) {
	in := call.Inputs.Object
	b, o, err := read(in["path"])
	if err != nil {
		return o, err
	}
	switch in["format"].Text {
	case "json":
		o.Value, err = resolver.ParseJSON(b)
	case "yaml":
		o.Value, err = resolver.ParseYAML(b)
	case "dotenv":
		o.Value, err = dotenv(b, call, in["path"], &o)
	default:
		o.Value = resolver.Value{Kind: resolver.String, Text: string(b)}
		if in["trim"].Bool {
			o.Value.Text = strings.TrimSpace(o.Value.Text)
		}
	}
	if err != nil {
		return o, unreadable(in["path"], err)
	}
	o.Value.Secret = in["secret"].Bool
	return o, nil
}

// dotenv parses assignments; what is not set is worth a word.
func dotenv(b []byte, call *resolver.Call, path resolver.Value, o *resolver.Opened) (resolver.Value, error) {
	v, warnings, err := resolver.ParseDotenv(b, call.Env.Lookup)
	for _, w := range warnings {
		o.Notices = append(o.Notices, fmt.Sprintf("%s, %s", named(path), w))
	}
	return v, err
}
