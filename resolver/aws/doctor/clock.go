package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"ambit/resolver/safefile"
)

// The bounds of a clock's error. Services refuse a signature that is 5 minutes off,
// STS one that is 15.
const (
	skewNoted   = 30 * time.Second
	skewRefused = 4 * time.Minute
)

// skew is by how much this machine's clock is ahead, as a probe saw it: Date is of
// about the middle between question and answer, and has whole seconds. Aged says
// that the answer lay in a cache, whose Date says little.
func (p *probe) skew() (ahead time.Duration, aged, ok bool) {
	if p == nil {
		return 0, false, false
	}
	date, ok := p.date()
	// Date is cut to the second: half of one later is the better guess.
	ahead = p.sent.Add(p.took / 2).Sub(date.Add(time.Second / 2)).Round(time.Second)
	return ahead, p.header.Get("Age") != "", ok
}

// checkClock compares this machine's clock with AWS's, and before it blames this
// one, with a second host's.
func checkClock(ctx context.Context, x *examination) []Finding {
	o := x.reach(ctx)
	from, p := "", o.main
	if o.timeless != nil {
		p = o.timeless
	}
	ahead, aged, ok := p.skew()
	if !ok && o.plain != nil {
		p = o.plain
		ahead, aged, ok = p.skew()
	}
	if ok {
		from = host(p)
	} else if ahead, ok = x.fromCertificate(o.main); ok {
		// Nothing answers with a Date where the certificate is not valid yet.
		return x.clockFinding(ahead, fmt.Sprintf("by the certificate of %s, at least", host(o.main)))
	}
	// A portal's or a proxy's own page has a clock too, and it need not be right.
	if !ok || !p.answered() && o.timeless == nil && ahead.Abs() >= skewNoted && !o.at.Override && x.second(ctx, o) == nil {
		return nil
	}
	if ahead.Abs() < skewNoted {
		return []Finding{{Check: "aws.clock", Status: OK, Evidence: fmt.Sprintf("this machine's clock agrees with that of %s", from)}}
	}
	if other := x.second(ctx, o); other != nil {
		theirs, _, _ := other.skew()
		if (theirs - ahead).Abs() > skewNoted {
			return []Finding{{Check: "aws.clock", Status: Warn, Evidence: fmt.Sprintf(
				"%s says that this machine's clock is %s, but not so %s: something on the way answers in its place", from, amount(ahead), host(other))}}
		}
	} else if aged {
		return []Finding{{Check: "aws.clock", Status: Warn, Evidence: fmt.Sprintf(
			"a cached answer of %s would mean that this machine's clock is %s", from, amount(ahead))}}
	}
	return x.clockFinding(ahead, "by that of "+from)
}

func (x *examination) clockFinding(ahead time.Duration, by string) []Finding {
	f := Finding{Check: "aws.clock", Status: Warn, Fix: x.setClock(), Evidence: fmt.Sprintf("this machine's clock is %s, %s", amount(ahead), by)}
	if ahead.Abs() > skewRefused {
		f.Status = Fail
		f.Evidence += "; AWS refuses what is signed with it"
	}
	return []Finding{f}
}

// amount words by how much a clock is wrong.
func amount(ahead time.Duration) string {
	side := "ahead"
	if ahead < 0 {
		side = "behind"
	}
	d := ahead.Abs().Round(time.Second)
	if d > 48*time.Hour {
		return fmt.Sprintf("%d days %s", int(d.Hours())/24, side)
	}
	text := d.String()
	if d >= time.Minute {
		text = strings.Replace(text, "m0s", "m", 1)
	}
	if d >= time.Hour {
		text = strings.Replace(text, "h0m", "h", 1)
	}
	return text + " " + side
}

// second is the answer of a host that has nothing to do with STS, nil if there is
// none. Nobody else is asked where an endpoint is configured: only its own clock
// counts then.
func (x *examination) second(ctx context.Context, o *outlook) *probe {
	if o.at.Override {
		return nil
	}
	to := &url.URL{Scheme: "https", Host: "s3.amazonaws.com", Path: "/"}
	if strings.HasSuffix(o.main.url.Hostname(), ".cn") {
		to.Host = "s3.cn-north-1.amazonaws.com.cn"
	}
	via := x.proxyFor(to)
	if via != nil && via.bad {
		return nil
	}
	roots := x.authorities(&outlook{})
	p := x.probe(ctx, to, how{via: via, roots: roots})
	if at := validAt(p); !at.IsZero() {
		p = x.probe(ctx, to, how{via: via, roots: roots, at: at})
	}
	if _, aged, ok := p.skew(); !ok || aged {
		return nil
	}
	return p
}

// fromCertificate is by how much the clock must be wrong at least where the
// certificate that was shown is not valid yet. One that was valid once proves
// nothing: it may simply have run out.
func (x *examination) fromCertificate(p *probe) (ahead time.Duration, ok bool) {
	var invalid x509.CertificateInvalidError
	if p == nil || !errors.As(p.err, &invalid) || invalid.Reason != x509.Expired || len(p.shown) == 0 {
		return 0, false
	}
	early := x.Now().Sub(p.shown[0].NotBefore)
	return early, early < 0
}

// setClock is the command that sets this machine's clock.
func (x *examination) setClock() string {
	release, _ := safefile.Read(filepath.Join(x.Root, "proc/sys/kernel/osrelease")) // absent elsewhere
	kernel := strings.ToLower(string(release))
	switch {
	case runtime.GOOS == "darwin":
		return "sudo sntp -sS time.apple.com"
	case strings.Contains(kernel, "microsoft"): // its clock stands still while Windows sleeps
		return "sudo hwclock -s"
	case !x.exists("/run/systemd/system") && (x.exists("/usr/bin/chronyc") || x.exists("/usr/sbin/chronyd")):
		return "sudo chronyc makestep"
	}
	return "sudo timedatectl set-ntp true"
}
