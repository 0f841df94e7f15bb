package doctor

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"ambit/resolver"
	"ambit/resolver/aws"
	"ambit/resolver/safefile"
)

// outlook is how STS is to be reached from here.
type outlook struct {
	once sync.Once

	at    aws.Address
	main  *probe // as programs do; nil if there is no address
	plain *probe // without the proxy, where that one failed

	// Where a certificate is not valid now: the same for an instant at which it is.
	timeless *probe

	bundle    string // file of the authorities that count instead of the system's, "" if none
	bundleErr error
}

// baseline is what the shell exports, for the AWS SDK.
func (x *examination) baseline() *resolver.Baseline {
	environ := make([]string, 0, len(x.Environ))
	for name, value := range x.Environ {
		environ = append(environ, name+"="+value)
	}
	return resolver.NewBaseline(environ)
}

// address is where STS is asked: in the region in force, or in us-east-1 where
// there is none or it is not one.
func (x *examination) address() (aws.Address, bool) {
	region := x.chosenRegion().name
	profile, _ := x.profileInForce(goSDK)
	at, err := aws.STSAddress(x.baseline(), profile, region)
	if err != nil && region != "" {
		at, err = aws.STSAddress(x.baseline(), profile, "us-east-1")
	}
	return at, err == nil
}

// reach finds out, once, whether STS can be reached.
func (x *examination) reach(ctx context.Context) *outlook {
	o := &x.outlook
	o.once.Do(func() {
		at, ok := x.address()
		if !ok {
			return
		}
		o.at = at
		to, err := url.Parse(at.URL)
		if err != nil {
			return
		}
		to.Path, to.RawQuery = "/", "Action=GetCallerIdentity&Version=2011-06-15"
		roots := x.authorities(o)
		via := x.proxyFor(to)
		if via != nil && via.bad {
			o.main = &probe{url: to, via: via, err: errors.New("no address of a proxy")}
		} else {
			o.main = x.probe(ctx, to, how{via: via, roots: roots})
		}
		if via != nil && !o.main.answered() {
			o.plain = x.probe(ctx, to, how{roots: roots})
		}
		if at := validAt(o.main); !at.IsZero() {
			o.timeless = x.probe(ctx, to, how{via: via, roots: roots, at: at})
		}
	})
	return o
}

// authorities are those of AWS_CA_BUNDLE or the profile's ca_bundle, which count
// instead of the system's; nil if there is none.
func (x *examination) authorities(o *outlook) *x509.CertPool {
	if o.bundle = x.env("AWS_CA_BUNDLE"); o.bundle == "" {
		name, _ := x.profileInForce(cli2)
		o.bundle = x.profile(cli2, name).get("ca_bundle")
	}
	if o.bundle == "" {
		return nil
	}
	pem, err := safefile.Read(x.expand(o.bundle))
	pool := x509.NewCertPool()
	if err == nil && !pool.AppendCertsFromPEM(pem) {
		err = errors.New("holds no certificate")
	}
	if o.bundleErr = withoutPath(err); err != nil {
		return nil
	}
	return pool
}

// validAt is an instant at which the certificate that a probe was shown is valid;
// zero if that was not what was wrong with it.
func validAt(p *probe) time.Time {
	var invalid x509.CertificateInvalidError
	if p == nil || !errors.As(p.err, &invalid) || invalid.Reason != x509.Expired || len(p.shown) == 0 {
		return time.Time{}
	}
	from, until := p.shown[0].NotBefore, p.shown[0].NotAfter
	for _, c := range p.shown[1:] {
		if c.NotBefore.After(from) {
			from = c.NotBefore
		}
		if c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	return from.Add(until.Sub(from) / 2)
}

// checkNetwork says whether STS can be reached, and what is in the way. Where nothing
// is about AWS nobody misses it.
func checkNetwork(ctx context.Context, x *examination) []Finding {
	found := x.networkFindings(ctx)
	if !x.usesAWS() {
		for i, f := range found {
			if f.Status == Fail {
				found[i].Status = Warn
			}
		}
	}
	return found
}

func (x *examination) networkFindings(ctx context.Context) []Finding {
	o := x.reach(ctx)
	p := o.main
	switch {
	case p == nil:
		return nil
	case o.bundleErr != nil && p.url.Scheme == "https":
		return []Finding{{Check: "aws.network", Status: Fail, Fix: x.dropBundle(),
			Evidence: fmt.Sprintf("the CA bundle %q %v", clip(o.bundle), o.bundleErr)}}
	case p.answered() && p.status >= 500:
		return []Finding{{Check: "aws.network", Status: Fail, Causes: []string{"aws.endpoint"},
			Evidence: fmt.Sprintf("%s is reached, and out of order: status %d; try again in a moment", host(p), p.status)}}
	case p.answered():
		return append([]Finding{{Check: "aws.network", Status: OK,
			Evidence: fmt.Sprintf("%s answers%s in %s", host(p), through(p), max(p.took.Round(time.Millisecond), time.Millisecond))}}, x.intercepted(o)...)
	case p.err == nil && !passedBy(o) && x.takesSignatures(ctx):
		return []Finding{{Check: "aws.network", Status: OK, Evidence: fmt.Sprintf("%s answers%s what is signed", host(p), through(p))}}
	case o.timeless != nil && o.timeless.err == nil:
		return nil // nothing but the time is wrong with the certificate: the clock's matter
	}
	if f, ok := x.proxyInTheWay(ctx, o); ok {
		return []Finding{f}
	}
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return nil
	}
	what, fix := x.obstacle(o)
	f := Finding{Check: "aws.network", Status: Fail, Evidence: what, Fix: fix, Causes: []string{"aws.endpoint", "aws.region"}}
	// An endpoint with a certificate of an authority of its own is meant that way.
	var unknown x509.UnknownAuthorityError
	if o.at.Override && errors.As(p.err, &unknown) {
		f.Causes = nil
	} else if o.at.Override {
		return append(x.endpointLeadsAstray(ctx, what), f)
	}
	var dns *net.DNSError
	if errors.As(p.err, &dns) && dns.IsNotFound && x.nameIsKnown(ctx, "sts.us-east-1.amazonaws.com") {
		return append(x.noSuchRegion(o), f)
	}
	return []Finding{f}
}

// passedBy says whether what is signed here goes past a proxy that something else
// than STS answered from: Go asks no proxy for this machine itself, and the AWS CLI
// does.
func passedBy(o *outlook) bool {
	p := o.main
	return p.via != nil && isLocal(p.url.Hostname()) && (o.plain == nil || o.plain.err != nil || o.plain.status != p.status)
}

// takesSignatures says whether something like AWS answered what was signed: a
// stand-in need not know what to do with what is not.
func (x *examination) takesSignatures(ctx context.Context) bool {
	v := x.investigate(ctx)
	return v.asked && (v.err == nil || v.answer.Code != "" && !v.answer.Page)
}

// host is where a probe went, for people.
func host(p *probe) string { return clip(p.url.Host) }

func through(p *probe) string {
	if p.via == nil {
		return ""
	}
	return fmt.Sprintf(" through the proxy %s of %s", clip(p.via.url.Host), p.via.variable)
}

// proxyInTheWay says what is wrong with the proxy, if it is the proxy.
func (x *examination) proxyInTheWay(ctx context.Context, o *outlook) (Finding, bool) {
	p := o.main
	if p.via == nil {
		return Finding{}, false
	}
	straight := o.plain.answered() || isLocal(p.url.Hostname()) && x.takesSignatures(ctx) // which goes straight
	fix := ""
	if straight {
		fix = "unset " + strings.Join(x.proxyVariables(p.url.Scheme), " ")
	}
	f := Finding{Check: "aws.network", Status: Fail, Fix: fix}
	name := "the proxy of " + p.via.variable
	if !p.via.bad {
		name = fmt.Sprintf("the proxy %s of %s", clip(p.via.url.Host), p.via.variable)
	}
	var refusal *proxyRefusal
	var op *net.OpError
	tunnel := errors.As(p.err, &refusal)
	status := p.status
	if tunnel {
		status = refusal.status
	}
	switch {
	case p.via.bad:
		f.Evidence = p.via.variable + " is no address of a proxy"
		f.Fix = "unset " + strings.Join(x.proxyVariables(p.url.Scheme), " ")
	case status == 407:
		f.Evidence = name + " wants a password"
		if p.via.url.User != nil {
			f.Evidence = name + " does not take the password in it"
		}
		if !straight {
			// The person types it, and it stands in no file.
			f.Fix = fmt.Sprintf(`printf 'user:password: ' >&2; export %s="%s://$(head -n 1)@%s"`, p.via.variable, p.via.url.Scheme, p.via.url.Host)
			if !plainHost().MatchString(p.via.url.Host) {
				f.Fix = ""
			}
		}
	case errors.As(p.err, &op) && op.Op == "proxyconnect":
		f.Evidence = fmt.Sprintf("%s cannot be reached: %s", name, why(p))
	case tunnel:
		f.Evidence = fmt.Sprintf("%s does not let through to %s: status %d", name, host(p), status)
	case !straight && (o.at.Override || p.shown != nil):
		return Finding{}, false // what lies behind it
	default:
		what, mend := x.obstacle(o)
		f.Evidence = fmt.Sprintf("through %s: %s", name, what)
		if !straight {
			f.Fix = mend
		}
	}
	switch {
	case straight:
		f.Evidence += "; straight, STS answers"
	case o.plain.err != nil && status != 407:
		f.Evidence += fmt.Sprintf("; straight, %s is not reached either: %s", host(p), why(o.plain))
	}
	return f, true
}

// endpointLeadsAstray blames the endpoint that somebody configured for what is
// wrong with it, and those below it, up to one that answers.
func (x *examination) endpointLeadsAstray(ctx context.Context, what string) []Finding {
	var from, variables, edits []string
	seen := map[string]bool{}
	for _, r := range readers {
		for _, o := range x.overrides(r) {
			if seen[o.from] || o.service != "" && o.service != "STS" {
				continue
			}
			seen[o.from] = true
			if isAWS(o.url) || x.answersAt(ctx, o.url) {
				break
			}
			if o.file == nil {
				from, variables = append(from, o.from), append(variables, o.from)
				continue
			}
			profile, _ := x.profileInForce(r)
			from = append(from, fmt.Sprintf("endpoint_url of profile %q at %s", clip(profile), o.from))
			edits = append(edits, x.dropOverride(o))
		}
	}
	if len(from) == 0 || x.failed("aws.endpoint") {
		return nil
	}
	if len(variables) > 0 {
		edits = append([]string{x.unset(variables...)}, edits...)
	}
	does := "does"
	if len(from) > 1 {
		does = "do"
	}
	return []Finding{{Check: "aws.endpoint", Status: Fail, Fix: strings.Join(edits, " && "),
		Evidence: fmt.Sprintf("%s %s not lead to AWS: %s", strings.Join(some(from), " and "), does, what)}}
}

// answersAt says whether something like AWS answers at a configured endpoint: what
// is signed, for a stand-in need not know what to do with what is not.
func (x *examination) answersAt(ctx context.Context, endpoint string) bool {
	at, v := x.outlook.at, x.investigate(ctx)
	if !v.asked || at.URL == endpoint {
		return false
	}
	at.URL = endpoint
	_, r, err := aws.Ask(ctx, x.baseline(), v.source.profile, v.keys, at)
	return err == nil || r.Code != "" && !r.Page && r.Status < 500
}

// noSuchRegion blames the region for a name that nobody knows, unless that was seen
// already.
func (x *examination) noSuchRegion(o *outlook) []Finding {
	if x.failed("aws.region") {
		return nil
	}
	for variable, special := range map[string]bool{
		"AWS_USE_FIPS_ENDPOINT":      strings.HasPrefix(o.main.url.Hostname(), "sts-fips."),
		"AWS_USE_DUALSTACK_ENDPOINT": strings.HasSuffix(o.main.url.Hostname(), ".api.aws"),
	} {
		if special {
			return []Finding{{Check: "aws.region", Status: Fail, Fix: x.unset(variable),
				Evidence: fmt.Sprintf("%s, or the profile, asks for a kind of endpoint that STS does not have in %s: no name server knows %s", variable, clip(o.at.Region), host(o.main))}}
		}
	}
	c := x.chosenRegion()
	_, _, meant := regionFault(c.name, false)
	return []Finding{{Check: "aws.region", Status: Fail, Fix: x.regionFix(c, cmp.Or(meant, "us-east-1")),
		Evidence: fmt.Sprintf("there is no region %q: no name server knows %s", clip(o.at.Region), host(o.main))}}
}

// chosenRegion is the region that most programs take.
func (x *examination) chosenRegion() regionChoice {
	if c := x.region(cli2); c.name != "" {
		return c
	}
	return x.region(cli1)
}

// failed says whether an offline check has failed.
func (x *examination) failed(check string) bool {
	for _, f := range x.found {
		if f.Check == check && f.Status == Fail {
			return true
		}
	}
	return false
}

func (x *examination) nameIsKnown(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	known := make(chan bool, 1)
	go func() {
		addresses, err := net.DefaultResolver.LookupHost(ctx, name)
		known <- err == nil && len(addresses) > 0
	}()
	select {
	case ok := <-known:
		return ok
	case <-ctx.Done():
		return false
	}
}
