package hook

import "strings"

// Environ is a process environment by name.
type Environ map[string]string

// NewEnviron reads the form of os.Environ; of a name that comes twice the first
// counts, as for getenv.
func NewEnviron(list []string) Environ {
	env := make(Environ, len(list))
	for _, kv := range list {
		name, value, ok := strings.Cut(kv, "=")
		if _, dup := env[name]; ok && !dup {
			env[name] = value
		}
	}
	return env
}

// Lookup returns a variable's value and whether it is set.
func (env Environ) Lookup(name string) (string, bool) {
	v, ok := env[name]
	return v, ok
}

// List returns the form of os.Environ, in no order.
func (env Environ) List() []string {
	out := make([]string, 0, len(env))
	for name, value := range env {
		out = append(out, name+"="+value)
	}
	return out
}
