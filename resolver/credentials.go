package resolver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ambit/resolver/secret"
)

// Credentials are one set of AWS keys that a definition gives.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey secret.Text
	SessionToken    secret.Text // empty for keys that last

	RefreshAt, ExpiresAt time.Time // zero: never
	Notices              []string  // of the opens that made it
}

// credentialVariables and credentialOutputs are where a set of keys stands: in
// what a definition exports, and in what a login opens.
var (
	credentialVariables = [3]string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
	credentialOutputs   = [3]string{"accessKeyId", "secretAccessKey", "sessionToken"}
)

// Credentials computes one set of keys and opens what that needs, nothing else of
// the definition. Path names a login; with "" it is the one whose keys are in
// environmentVariables, or where there are none the only login. That there are
// several is an error that lists them. With an error among the diagnostics there
// are no credentials.
func (p *Program) Credentials(ctx context.Context, opt Options, path string) (*Credentials, []Diagnostic) {
	ev := newEvaluator(ctx, p, opt, modeEvaluate)
	if path == "" {
		ev.diags = append(ev.diags, p.diags...)
		if hasErrors(ev.diags) {
			return nil, p.sorted(ev.diags)
		}
		var parts [3]Value
		ev.run(func() bool {
			var ready bool
			parts, ready = ev.exportedKeys()
			return ready
		})
		switch {
		case hasErrors(ev.diags):
			return nil, p.sorted(ev.diags)
		case parts[0].Kind != Null || parts[1].Kind != Null:
			return ev.credentials(parts, variablesKey)
		}
		logins := p.logins()
		if len(logins) != 1 {
			return nil, []Diagnostic{noLogin(p.Label()+" exports no AWS credentials", logins)}
		}
		path = logins[0]
	}
	ev = newEvaluator(ctx, p, opt, modeEvaluate)
	v, diags := p.value(ev, path)
	if hasErrors(diags) {
		return nil, diags
	}
	var parts [3]Value
	for i, name := range credentialOutputs {
		parts[i] = v.Object[name]
	}
	return ev.credentials(parts, path)
}

// exportedKeys are the variables that make a set of keys, null where there is
// none; false if they have to wait.
func (ev *evaluator) exportedKeys() (parts [3]Value, ready bool) {
	c := ev.child(ev.root(ev.p.root).shape.obj, variablesKey)
	if c == nil {
		return parts, true
	}
	sh := ev.resolve(c)
	if sh.kind == shapePending {
		return parts, false
	}
	if sh.kind != shapeObject {
		return parts, true
	}
	unset := ev.unsetAbove(variablesKey)
	ready = true
	for i, name := range credentialVariables {
		part := ev.child(sh.obj, name)
		if part == nil || unset[name] {
			continue
		}
		v, ok := ev.force(part)
		ready = ready && ok
		if kind := ev.resolve(part).kind; ok && kind != shapeAbsent && kind != shapeBlocked {
			parts[i] = v
		}
	}
	return parts, ready
}

// credentials makes one set of three values that stand in the same place.
func (ev *evaluator) credentials(parts [3]Value, place string) (*Credentials, []Diagnostic) {
	p := ev.p
	var used []*opened
	var text [3]string
	for i, v := range parts {
		if v.Kind == List || v.Kind == Object || v.Unknown {
			return nil, []Diagnostic{noLogin(fmt.Sprintf("%s has no AWS credentials", place), p.logins())}
		}
		text[i] = textOf(v)
		for _, o := range v.from() {
			if i > 0 && o.result.Credential != nil && !slices.Contains(parts[0].from(), o) {
				return nil, []Diagnostic{noLogin(p.Label()+" exports the keys of several logins", p.logins())}
			}
		}
		used = union(used, v.from())
	}
	if text[0] == "" || text[1] == "" {
		return nil, []Diagnostic{noLogin(fmt.Sprintf("%s has no AWS credentials", place), p.logins())}
	}
	out := &Credentials{AccessKeyID: text[0], SecretAccessKey: secret.New(text[1]), SessionToken: secret.New(text[2])}
	out.RefreshAt, out.ExpiresAt = times(used)
	for _, o := range used {
		out.Notices = append(out.Notices, o.result.Notices...)
	}
	return out, p.sorted(ev.diags)
}

func noLogin(summary string, logins []string) Diagnostic {
	d := Diagnostic{Summary: summary, Hint: "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN in environmentVariables"}
	if len(logins) > 0 {
		d.Hint = "name a login: " + strings.Join(logins, ", ")
	}
	return d
}

// logins are the paths of the logins that a definition or what it imports writes
// down, sorted.
func (p *Program) logins() (out []string) {
	var walk func(e *expr, path string)
	walk = func(e *expr, path string) {
		switch {
		case e.kind == exprCall && strings.HasSuffix(e.call.provider, "-login"):
			out = append(out, path)
		case e.kind == exprObject:
			for _, k := range e.keys {
				walk(k.value, joinPath(path, k.name))
			}
		case e.kind == exprList:
			for i, item := range e.items {
				walk(item, fmt.Sprintf("%s[%d]", path, i))
			}
		}
	}
	for _, env := range layersOf(p.root) {
		if env.doc.values != nil {
			walk(env.doc.values, "")
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Names are the environments of stores that a definition stands for: itself, or
// those that its key `environment` lists, after those of the files it inherits.
func (p *Program) Names() (out []string) {
	if p.root.named {
		return []string{p.root.name}
	}
	for env := p.root; env != nil; env = env.inherited {
		out = append(slices.Clone(env.doc.environment), out...)
	}
	return out
}
