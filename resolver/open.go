package resolver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// opened is one open of an evaluation: equal ones are one.
type opened struct {
	provider string
	key      string
	expr     *expr // where it stands first
	order    int

	run    func() (Opened, error)
	done   bool
	result Opened
	err    error
	taken  bool // the result's value has been taken in
}

// openings runs opens beside the evaluation, [maxOpens] at once.
type openings struct {
	byKey   map[string]*opened
	all     []*opened
	queue   []*opened
	running int
	results chan finished
}

type finished struct {
	o      *opened
	result Opened
	err    error
}

func newOpenings() *openings {
	return &openings{byKey: map[string]*opened{}, results: make(chan finished, maxOpens)}
}

func (os *openings) add(o *opened) {
	o.order = len(os.all)
	os.byKey[o.key] = o
	os.all = append(os.all, o)
	os.queue = append(os.queue, o)
	os.start()
}

func (os *openings) start() {
	for os.running < maxOpens && len(os.queue) > 0 {
		o := os.queue[0]
		os.queue = os.queue[1:]
		os.running++
		go func() {
			f := finished{o: o}
			defer func() {
				if recover() != nil {
					f.err = &OpenError{Summary: "the provider failed unexpectedly"}
				}
				os.results <- f
			}()
			f.result, f.err = o.run()
		}()
	}
}

func (os *openings) finish(f finished) {
	os.running--
	f.o.done, f.o.result, f.o.err = true, f.result, f.err
	os.start()
}

// grace is how long an interrupted open may take to say why it failed.
const grace = 200 * time.Millisecond

// wait returns when at least one more open has ended; false if none will.
func (os *openings) wait(ctx context.Context) bool {
	if os.running == 0 {
		return false
	}
	select {
	case f := <-os.results:
		os.finish(f)
	case <-ctx.Done():
		os.queue = nil
		timer := time.NewTimer(grace)
		defer timer.Stop()
		for os.running > 0 {
			select {
			case f := <-os.results:
				os.finish(f)
			case <-timer.C:
				return false // one that ignores its context is not waited for
			}
		}
		return true
	}
	for {
		select {
		case f := <-os.results:
			os.finish(f)
		default:
			return true
		}
	}
}

// run repeats a pass until nothing of it has to wait.
func (ev *evaluator) run(pass func() bool) {
	for {
		ev.pass++
		if pass() {
			return
		}
		if !ev.opens.wait(ev.ctx) {
			ev.abandon()
			return
		}
	}
}

// abandon reports the opens that did not end.
func (ev *evaluator) abandon() {
	for _, o := range ev.opens.all {
		if o.done {
			continue
		}
		d := Diagnostic{Pos: o.expr.env.at(o.expr.call.line, o.expr.call.col), Imports: o.expr.env.imported(),
			Summary: fmt.Sprintf("%s did not answer in time", o.provider), Kind: KindNetwork}
		if !errors.Is(ev.ctx.Err(), context.DeadlineExceeded) {
			d.Summary, d.Kind = o.provider+" was interrupted", KindDefinition
		}
		ev.diags = append(ev.diags, d)
	}
}

// laterProviders are known by name, and not built in yet.
var laterProviders = []string{
	"vault-login", "vault-secrets", "gcp-login", "gcp-secrets", "azure-login", "azure-secrets",
	"1password-secrets", "external",
}

func (ev *evaluator) providerOf(e *expr) *Provider {
	name := e.call.provider
	if p := ev.opt.Providers[name]; p != nil {
		return p
	}
	if ev.opt.External != nil {
		if p := ev.opt.External(name); p != nil {
			return p
		}
	}
	pos := e.env.at(e.call.line, e.call.col)
	if slices.Contains(laterProviders, name) {
		ev.report(e.env, pos, fmt.Sprintf("the provider %q is not supported yet", name),
			fmt.Sprintf("a program named ambit-provider-%s can serve it", name))
		return nil
	}
	names := make([]string, 0, len(ev.opt.Providers))
	for name := range ev.opt.Providers {
		names = append(names, name)
	}
	ev.report(e.env, pos, fmt.Sprintf("unknown provider %q", name), didYouMean(name, names))
	return nil
}

// openShape is the value of a fn::open.
func (ev *evaluator) openShape(e *expr) shape {
	inputs, ready := ev.force(ev.cell(e.call.arg))
	ttl, ttlReady := ev.ttl(e)
	if !ready || !ttlReady {
		return shape{kind: shapePending}
	}
	if ev.mode == modePlan {
		ev.planned = append(ev.planned, plannedOf(e, inputs))
		ev.trace.asked(e, inputs, ev.opt.Providers[e.call.provider])
		return unknownAt(e.pos())
	}
	p := ev.providerOf(e)
	if p == nil {
		return unknownAt(e.pos())
	}
	unknown := unknownAt(e.pos())
	unknown.schema = p.Outputs
	misfits := p.Inputs.fit(inputs, nil)
	for _, m := range misfits {
		ev.report(e.env, placeOf(e.call.arg, m.path, m.key), p.Name+": "+m.summary, m.hint)
	}
	if ev.mode == modeCheck {
		unknown.value.Text = openDigest(p, inputs)
	}
	if len(misfits) > 0 || ev.mode == modeCheck || inputs.hasUnknown() {
		return unknown
	}
	if paths, bad := ev.absolute(e, p.Inputs, inputs); bad {
		return unknown
	} else {
		inputs = paths
	}
	if in, ok := inputs.Object["ttl"]; ok && ttl < 0 && p.Inputs != nil && p.Inputs.Properties["ttl"] != nil {
		if d, err := ParseDuration(in.Text); err == nil { // else the provider says what is wrong
			ttl = d
		}
	}
	key := openKey(e, p, inputs)
	o := ev.opens.byKey[key]
	if o == nil {
		o = &opened{provider: p.Name, key: key, expr: e}
		call := &Call{
			Inputs: inputs, File: e.env.path, Root: e.env.root, Current: e.env.name,
			Env: ev.opt.Env, Now: ev.opt.Now, Patience: ev.opt.Patience, Fresh: ev.opt.Fresh, Asker: ev.opt.Asker,
		}
		o.run = func() (Opened, error) { return ev.keep(p, key, call, ttl) }
		ev.opens.add(o)
	}
	if !o.done {
		return shape{kind: shapePending}
	}
	if o.err == nil && !o.taken {
		o.taken = true
		o.err = ev.intake(p, o, &o.result)
	}
	if o.err != nil {
		ev.openFailed(e, p, o.err)
		return unknown
	}
	v := o.result.Value
	return *valueShape(v)
}

// openFailed reports why an open failed, at the inputs at fault if it says.
func (ev *evaluator) openFailed(e *expr, p *Provider, err error) {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range many.Unwrap() {
			ev.openFailed(e, p, one)
		}
		return
	}
	d := Diagnostic{Pos: e.env.at(e.call.line, e.call.col), Imports: e.env.imported()}
	var open *OpenError
	switch {
	case errors.As(err, &open):
		d.Summary, d.Hint, d.Kind = open.Summary, open.Hint, open.Kind
		if open.Path != nil {
			d.Pos = placeOf(e.call.arg, open.Path, open.Key)
		}
	case errors.Is(err, context.DeadlineExceeded):
		d.Summary, d.Kind = "no answer in time", KindNetwork
	case errors.Is(err, context.Canceled):
		d.Summary = "interrupted"
	default:
		// What a foreign error says may hold a secret.
		d.Summary = "the provider failed"
	}
	d.Summary = p.Name + ": " + d.Summary
	ev.diags = append(ev.diags, d)
}

// ttl evaluates the optional time to live; -1 if there is none.
func (ev *evaluator) ttl(e *expr) (time.Duration, bool) {
	if e.call.ttl == nil {
		return -1, true
	}
	v, ok := ev.force(ev.cell(e.call.ttl))
	if !ok {
		return 0, false
	}
	if v.Unknown {
		return -1, true
	}
	if v.Kind != String {
		ev.report(e.env, e.call.ttl.pos(), fmt.Sprintf("expected string, got %s", v.Kind), `write a duration like "1h30m"`)
		return -1, true
	}
	d, err := ParseDuration(v.Text)
	if err != nil {
		ev.report(e.env, e.call.ttl.pos(), "expected a duration like 1h30m", "")
		return -1, true
	}
	return d, true
}

// DurationPattern is what the durations of the language match, besides not
// being empty.
const DurationPattern = `([0-9]+h)?([0-9]+m)?([0-9]+s)?`

var errDuration = errors.New("not a duration like 1h30m")

// ParseDuration reads a duration of the language, such as 1h30m or 90s.
func ParseDuration(s string) (time.Duration, error) {
	if s == "" || !compiled(DurationPattern).MatchString(s) {
		return 0, errDuration
	}
	d, err := time.ParseDuration(s)
	if err != nil || d > maxDuration {
		return 0, errDuration
	}
	return d, nil
}

// openKey is equal for equal opens: provider, its version, inputs, and where
// relative paths start from. A login counts by the key of its own open, so that
// fresh credentials do not fetch secrets again.
func openKey(e *expr, p *Provider, inputs Value) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %d %q\n", p.Name, p.Version, e.env.dir())
	if p.Context {
		fmt.Fprintf(h, "%q %q\n", e.env.root, e.env.name)
	}
	var b strings.Builder
	writeKey(&b, inputs)
	h.Write([]byte(b.String()))
	return hex.EncodeToString(h.Sum(nil))
}

// openDigest tells apart what would be opened, wherever it stands.
func openDigest(p *Provider, inputs Value) string {
	var b strings.Builder
	writeKey(&b, inputs)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(p.Name+"\n"+b.String())))
}

// writeKey writes a value as canonical JSON, logins by their key.
func writeKey(b *strings.Builder, v Value) {
	switch {
	case v.whole() != nil:
		fmt.Fprintf(b, `{"open":%q}`, v.whole().key)
	case v.Kind == List:
		b.WriteByte('[')
		for i, item := range v.List {
			if i > 0 {
				b.WriteByte(',')
			}
			writeKey(b, item)
		}
		b.WriteByte(']')
	case v.Kind == Object:
		b.WriteByte('{')
		for i, key := range sortedKeys(v.Object) {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(b, "%q:", key)
			writeKey(b, v.Object[key])
		}
		b.WriteByte('}')
	case v.Kind == String:
		fmt.Fprintf(b, "%q", v.Text)
	case v.Kind == Number:
		b.WriteString(decimal(v.Text))
	default:
		b.WriteString(textOf(v))
		if v.Kind == Null {
			b.WriteString("null")
		}
	}
}

// absolute makes the inputs that are paths absolute: relative ones start from
// the file in which the open stands.
func (ev *evaluator) absolute(e *expr, s *Schema, v Value) (out Value, bad bool) {
	if s == nil || v.whole() != nil {
		return v, false
	}
	switch v.Kind {
	case String:
		if s.Path && v.Text != "" {
			path, err := ev.p.absolute(e.env, v.Text)
			if err != nil {
				ev.report(e.env, e.pos(), err.Error(), "")
				return v, true
			}
			v.Text = path
		}
	case List:
		if s.Items == nil {
			return v, false
		}
		list := make([]Value, len(v.List))
		for i, item := range v.List {
			list[i], bad = ev.absolute(e, s.Items, item)
			if bad {
				return v, true
			}
		}
		v.List = list
	case Object:
		object := make(map[string]Value, len(v.Object))
		for key, item := range v.Object {
			below := s.Properties[key]
			if below == nil {
				below = s.Additional
			}
			object[key], bad = ev.absolute(e, below, item)
			if bad {
				return v, true
			}
		}
		v.Object = object
	}
	return v, false
}

var errNoHome = errors.New("the home directory is not known")

// absolute makes a path that stands in a file absolute.
func (p *Program) absolute(env *environment, path string) (string, error) {
	switch {
	case filepath.IsAbs(path):
		return filepath.Clean(path), nil
	case path == "~" || strings.HasPrefix(path, "~/"):
		if !filepath.IsAbs(p.options.Home) {
			return "", errNoHome
		}
		return filepath.Join(p.options.Home, path[1:]), nil
	}
	return filepath.Join(env.dir(), path), nil
}

// intake makes what a provider opened part of the evaluation: within bounds,
// with a place, and secret throughout where its whole is.
func (ev *evaluator) intake(p *Provider, o *opened, got *Opened) error {
	n, source := 0, &lineage{opens: []*opened{o}}
	var walk func(v Value, s *Schema, secret bool, depth int) (Value, error)
	walk = func(v Value, s *Schema, secret bool, depth int) (Value, error) {
		if depth > maxNesting {
			return v, &OpenError{Summary: fmt.Sprintf("the output is nested more than %d levels", maxNesting)}
		}
		if n += len(v.Text) + 8; n > maxOutput+8*maxNodes {
			return v, &OpenError{Summary: "the output is larger than 1 MiB"}
		}
		secret = secret || v.Secret || s != nil && s.Secret
		v.Secret, v.Pos, v.source = secret, o.expr.pos(), source
		v.weight = 0
		switch v.Kind {
		case List:
			var items *Schema
			if s != nil {
				items = s.Items
			}
			list := make([]Value, len(v.List))
			for i, item := range v.List {
				w, err := walk(item, items, secret, depth+1)
				if err != nil {
					return v, err
				}
				list[i] = w
			}
			v.List = list
		case Object:
			object := make(map[string]Value, len(v.Object))
			for key, item := range v.Object {
				n += len(key)
				var below *Schema
				if s != nil {
					if below = s.Properties[key]; below == nil {
						below = s.Additional
					}
				}
				w, err := walk(item, below, secret, depth+1)
				if err != nil {
					return v, err
				}
				object[key] = w
			}
			v.Object = object
		}
		v.weight = clamp(v.size())
		return v, nil
	}
	v, err := walk(got.Value, p.Outputs, false, 1)
	if err != nil {
		return err
	}
	v.source = &lineage{opens: source.opens, whole: o}
	got.Value = v
	return nil
}
