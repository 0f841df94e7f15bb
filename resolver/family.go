package resolver

import (
	"fmt"
	"slices"
	"time"

	"ambit/resolver/secret"
)

// family are the variables from which AWS programs take credentials. Setting
// one that selects credentials takes over all: half a family is the commonest
// cause of InvalidClientTokenId.
var family = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
	"AWS_CREDENTIAL_EXPIRATION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
	"AWS_ACCOUNT_ID", "AWS_ACCESS_KEY", "AWS_SECRET_KEY",
}

// family completes a result as a unit: members that are not set are unset, the
// keys' expiry goes with them, and both spellings of the region are set.
func (ev *evaluator) family(r *Result, set []export) {
	find := func(name string) *Variable {
		for i := range r.Variables {
			if r.Variables[i].Name == name {
				return &r.Variables[i]
			}
		}
		return nil
	}
	has := func(name string) bool { return find(name) != nil }
	taken := map[string]bool{}
	for _, f := range r.Files {
		taken[f.Name] = true
	}
	for _, name := range r.Unset {
		taken[name] = true
	}
	add := func(v Variable, name, value string) {
		if has(name) || taken[name] {
			return
		}
		v.Name, v.Value, v.Secret = name, secret.New(value), v.Secret && value == v.Value.Reveal()
		r.Variables = append(r.Variables, v)
	}
	regions := [2]string{"AWS_REGION", "AWS_DEFAULT_REGION"}
	for i, name := range regions {
		if v := find(name); v != nil {
			add(*v, regions[1-i], v.Value.Reveal())
		}
	}
	if !has("AWS_ACCESS_KEY_ID") && !has("AWS_SECRET_ACCESS_KEY") && !has("AWS_PROFILE") {
		return
	}
	for _, x := range set {
		if x.name != "AWS_ACCESS_KEY_ID" || x.file {
			continue
		}
		if expires := expiration(x.value); expires != "" {
			add(*find(x.name), "AWS_CREDENTIAL_EXPIRATION", expires)
		}
	}
	for _, name := range family {
		if !has(name) && !taken[name] {
			r.Unset = append(r.Unset, name)
		}
	}
}

// expiration is the instant that AWS itself gave for the keys, RFC 3339 in UTC,
// or "".
func expiration(key Value) string {
	for _, o := range key.from() {
		text := o.result.Value.Object["expiration"].Text
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			return t.UTC().Format(time.RFC3339)
		}
	}
	return ""
}

// unset are the names that a file unsets and that nothing above it sets.
func (ev *evaluator) unset(set []export) (out []string) {
	for _, env := range layersOf(ev.p.root) {
		for _, l := range env.doc.unset {
			exported := slices.ContainsFunc(set, func(x export) bool { return x.name == l.text })
			switch {
			case exported || slices.Contains(out, l.text):
			case ev.mode == modeEvaluate && env.store == "" && NeedsConsent(l.text) && !ev.opt.Consent[l.text]:
				ev.report(env, env.at(l.line, l.col), fmt.Sprintf("to unset %q needs consent", l.text), `run "ambit allow"`)
			default:
				out = append(out, l.text)
			}
		}
	}
	return out
}

// unsetAbove are the properties of an output that a file unsets above all the
// files that set them. A final one stays.
func (ev *evaluator) unsetAbove(key string) map[string]bool {
	var out map[string]bool
	layers := layersOf(ev.p.root)
	for i, env := range layers {
		for _, l := range env.doc.unset {
			if out[l.text] || ev.setBy(layers[:i], key, l.text) {
				continue
			}
			if ev.setBy([]*environment{env.alone()}, key, l.text) {
				ev.report(env, env.at(l.line, l.col), quoted(l.text)+" is unset and set by the same file", "")
				continue
			}
			if ev.p.hasFinal && finalIn(layers[i+1:], key, l.text) {
				ev.warn(env, env.at(l.line, l.col), quoted(l.text)+" is final and is not unset", "")
				continue
			}
			if out == nil {
				out = map[string]bool{}
			}
			out[l.text] = true
		}
	}
	return out
}

// alone is the environment's own values, without dotenv files: those it may
// unset.
func (env *environment) alone() *environment {
	own := *env
	own.dotenvs = nil
	return &own
}

func (ev *evaluator) setBy(envs []*environment, key, name string) bool {
	if len(envs) == 0 {
		return false
	}
	c := ev.child(&object{head: ev.stack(envs)}, key)
	if c == nil {
		return false
	}
	sh := ev.resolve(c)
	if sh.kind != shapeObject {
		return false
	}
	p := ev.child(sh.obj, name)
	if p == nil {
		return false
	}
	kind := ev.resolve(p).kind
	return kind != shapeAbsent && kind != shapeBlocked
}

func finalIn(envs []*environment, key, name string) bool {
	for _, env := range envs {
		if env.doc.values == nil {
			continue
		}
		if e := env.doc.values.get(key); e != nil && e.kind == exprObject {
			if p := e.get(name); p != nil && p.final {
				return true
			}
		}
	}
	return false
}
