package local

import (
	"context"

	"ambit/resolver"
)

// Dotenv returns the provider dotenv: the assignments of a file as an object of
// strings, each secret unless `secret: false`.
func Dotenv() *resolver.Provider {
	return &resolver.Provider{
		Name: "dotenv", Version: 1, Local: true,
		Inputs:  object("path", map[string]*resolver.Schema{"path": path, "secret": boolean}),
		Outputs: &resolver.Schema{Types: []string{"object"}, Additional: text},
		Open:    openDotenv,
	}
}

func openDotenv(_ context.Context, call *resolver.Call) (resolver.Opened, error) {
	in := call.Inputs.Object
	b, o, err := read(in["path"])
	if err != nil {
		return o, err
	}
	if o.Value, err = dotenv(b, call, in["path"], &o); err != nil {
		return o, unreadable(in["path"], err)
	}
	secret, given := in["secret"]
	for name, v := range o.Value.Object {
		v.Secret = !given || secret.Bool // the names are not
		o.Value.Object[name] = v
	}
	return o, nil
}
