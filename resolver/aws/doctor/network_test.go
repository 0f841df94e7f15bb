package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

func TestNetworkIsWell(t *testing.T) {
	w := newWorld(t)
	found := w.examine("aws.network", "aws.clock")
	w.healthy(found)
	if len(found) != 2 || !strings.Contains(found[0].Evidence, strings.TrimPrefix(w.server.URL, "http://")) {
		t.Error(list(found))
	}
}

// TestEndpointThatIsNotAWS: what somebody configured is the cause, and what is seen
// there the effect.
func TestEndpointThatIsNotAWS(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		outage awstest.Outage
		says   string
	}{
		{awstest.Refused, "connection refused"}, {awstest.HTML, "captive portal"}, {awstest.Redirect, "redirect to localhost"},
		{awstest.Reset, "closed without an answer"}, {awstest.Garbage, "without x-amzn-RequestId"}, {awstest.Silent, "no answer in time"},
	} {
		t.Run(string(c.outage), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.knobs(func(k *awstest.Knobs) { k.Outage = c.outage })
			found := w.examine("aws.network", "aws.endpoint")
			w.is(found, "aws.endpoint", Fail, c.says, "unset AWS_ENDPOINT_URL")
			if len(found) != 2 || found[1].Status != Warn || !strings.Contains(found[1].Evidence, "because of aws.endpoint") {
				t.Error(list(found))
			}
		})
	}
}

// TestEndpointInAFile: the line that says it is taken out.
func TestEndpointInAFile(t *testing.T) {
	w := newWorld(t)
	delete(w.Environ, "AWS_ENDPOINT_URL")
	write(t, w.Home, ".aws/config", "[default]\nregion = eu-central-1\nservices = mine\n[services mine]\nsts =\n  endpoint_url = http://127.0.0.1:1\n")
	w.is(w.examine("aws.network", "aws.endpoint"), "aws.endpoint", Fail, "endpoint_url of profile \"default\" at ~/.aws/config:6 does not lead to AWS: 127.0.0.1:1: connection refused", "sed -i '6s/=.*/=/' ~/.aws/config")
	write(t, w.Home, ".aws/config", "[default]\nendpoint_url = http://127.0.0.1:1\n")
	w.Environ["AWS_ENDPOINT_URL_STS"] = "http://127.0.0.1:1"
	w.is(w.examine("aws.network", "aws.endpoint"), "aws.endpoint", Fail, "AWS_ENDPOINT_URL_STS and endpoint_url of profile \"default\" at ~/.aws/config:2 do not lead to AWS", "unset AWS_ENDPOINT_URL_STS && sed -i '2d' ~/.aws/config")
}

func TestSTSOutOfOrder(t *testing.T) {
	w := newWorld(t)
	w.Environ["AWS_ENDPOINT_URL_STS"] = w.server.URL
	w.knobs(func(k *awstest.Knobs) { k.Outage = awstest.Unavailable })
	found := w.examine("aws.network")
	if len(found) == 0 || found[0].Status != Fail || !strings.Contains(found[0].Evidence+found[len(found)-1].Evidence, "503") {
		t.Error(list(found))
	}
}

// straightTo makes a proxy that forwards to the server, or answers by itself.
func proxyServer(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func TestProxies(t *testing.T) {
	t.Parallel()
	password := func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Proxy-Authenticate", "Basic realm=x")
		rw.WriteHeader(http.StatusProxyAuthRequired)
	}
	page := func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "<html>blocked</html>") }
	t.Run("password", func(t *testing.T) {
		w := newWorld(t)
		w.Environ["HTTP_PROXY"] = proxyServer(t, password)
		w.is(w.examine("aws.network"), "aws.network", Fail, "wants a password; straight, STS answers", "unset HTTP_PROXY")
		u, _ := url.Parse(w.Environ["HTTP_PROXY"])
		w.Environ["HTTP_PROXY"] = "http://me:wrong-and-secret@" + u.Host
		found := w.examine("aws.network")
		w.is(found, "aws.network", Fail, "does not take the password", "unset HTTP_PROXY")
		if strings.Contains(list(found), "wrong-and-secret") {
			t.Error("tells the password")
		}
	})
	t.Run("password and no other way", func(t *testing.T) {
		w := newWorld(t)
		w.Environ["AWS_ENDPOINT_URL"] = "https://sts.ambit-test.invalid"
		w.Environ["HTTPS_PROXY"] = proxyServer(t, password)
		w.is(w.examine("aws.network"), "aws.network", Fail, "wants a password", `export HTTPS_PROXY="http://$(head -n 1)@127.0.0.1:`)
	})
	t.Run("page", func(t *testing.T) {
		w := newWorld(t)
		w.Environ["http_proxy"] = proxyServer(t, page)
		w.is(w.examine("aws.network"), "aws.network", Fail, "a web page", "unset http_proxy")
	})
	t.Run("refused", func(t *testing.T) {
		w := newWorld(t)
		w.Environ["HTTP_PROXY"] = "http://127.0.0.1:1"
		w.is(w.examine("aws.network"), "aws.network", Fail, "cannot be reached: connection refused; straight, STS answers", "unset HTTP_PROXY")
		w.Environ["NO_PROXY"] = "example.com, 127.0.0.0/8"
		w.healthy(w.examine("aws.network"))
	})
	t.Run("no address", func(t *testing.T) {
		w := newWorld(t)
		w.Environ["HTTP_PROXY"] = "http://%zz"
		w.is(w.examine("aws.network"), "aws.network", Fail, "HTTP_PROXY is no address", "unset HTTP_PROXY")
	})
	t.Run("tunnel refused", func(t *testing.T) {
		w := newWorld(t)
		w.Environ["AWS_ENDPOINT_URL"] = "https://sts.ambit-test.invalid"
		w.Environ["HTTPS_PROXY"] = proxyServer(t, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusForbidden) })
		w.is(w.examine("aws.network"), "aws.network", Fail, "does not let through to sts.ambit-test.invalid: status 403", "")
	})
	t.Run("tarpit", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		w := newWorld(t)
		w.Environ["HTTP_PROXY"] = "http://" + l.Addr().String()
		w.is(w.examine("aws.network"), "aws.network", Fail, "no answer in time", "unset HTTP_PROXY")
	})
}

func TestNoSuchName(t *testing.T) {
	w := newWorld(t)
	w.Environ["AWS_ENDPOINT_URL"] = "https://sts.ambit-test.invalid"
	found := w.examine("aws.network", "aws.endpoint")
	w.is(found, "aws.endpoint", Fail, "sts.ambit-test.invalid", "unset AWS_ENDPOINT_URL")
}

// TestLookUps words the two ways in which a name is not found.
func TestLookUps(t *testing.T) {
	to, _ := url.Parse("https://sts.eu-central-1.amazonaws.com")
	for want, err := range map[string]error{
		"no such name":        &net.DNSError{Name: "sts.eu-central-1.amazonaws.com", IsNotFound: true},
		"no name server":      &net.DNSError{Name: "sts.eu-central-1.amazonaws.com", IsTimeout: true},
		"cannot look it up":   &net.DNSError{Name: "sts.eu-central-1.amazonaws.com", Err: "server misbehaving", IsTemporary: true},
		"a firewall drops it": context.DeadlineExceeded,
	} {
		x := &examination{}
		what, fix := x.obstacle(&outlook{main: &probe{url: to, err: err}})
		if !strings.Contains(what, want) || strings.Contains(want, "name") != (fix == "getent hosts sts.eu-central-1.amazonaws.com") && want != "cannot look it up" {
			t.Errorf("%q, %q; want %q", what, fix, want)
		}
	}
}

// authority makes a CA and a certificate of it for 127.0.0.1.
func authority(t *testing.T, from, until time.Time, names ...string) (ca []byte, leaf tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example Corp Web Filter"}, NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(50, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "x"}, NotBefore: from, NotAfter: until, DNSNames: names}
	if len(names) == 0 {
		c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, root, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}), tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// overTLS puts the world's server behind TLS.
func (w *world) overTLS(leaf tls.Certificate) {
	w.t.Helper()
	to, err := url.Parse(w.server.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		req := r.Clone(r.Context())
		req.RequestURI, req.URL.Scheme, req.URL.Host = "", "http", to.Host
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		for name, values := range resp.Header {
			rw.Header()[name] = values
		}
		rw.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(rw, resp.Body)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{leaf}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	w.t.Cleanup(s.Close)
	w.Environ["AWS_ENDPOINT_URL"] = s.URL
}

func TestCertificates(t *testing.T) {
	now := time.Now()
	t.Run("unknown authority", func(t *testing.T) {
		w := newWorld(t)
		ca, leaf := authority(t, now.Add(-time.Hour), now.Add(time.Hour))
		w.overTLS(leaf)
		found := w.examine("aws.network", "aws.endpoint")
		w.is(found, "aws.network", Fail, "something opens TLS on the way", "export AWS_CA_BUNDLE=FILE")
		if !strings.Contains(list(found), `signed by "Example Corp Web Filter", which is not known here`) {
			t.Error(list(found))
		}
		// Where this machine has the authority, the fix names its file, and mends it.
		path := write(t, w.Root, "usr/local/share/ca-certificates/corp.crt", string(ca))
		x := &examination{Patient: w.Patient}
		_, fix := x.obstacle(x.reach(context.Background()))
		if fix != "export AWS_CA_BUNDLE="+path {
			t.Error(fix)
		}
		w.Environ["AWS_CA_BUNDLE"] = path
		w.healthy(w.examine("aws.network"))
	})
	t.Run("another host's", func(t *testing.T) {
		w := newWorld(t)
		ca, leaf := authority(t, now.Add(-time.Hour), now.Add(time.Hour), "login.example.net")
		w.overTLS(leaf)
		w.Environ["AWS_CA_BUNDLE"] = write(t, w.Home, "ca.pem", string(ca))
		if found := w.examine("aws.network"); !strings.Contains(list(found), "is one of login.example.net") {
			t.Error(list(found))
		}
	})
	t.Run("bundle", func(t *testing.T) {
		w := newWorld(t)
		_, leaf := authority(t, now.Add(-time.Hour), now.Add(time.Hour))
		w.overTLS(leaf)
		w.Environ["AWS_CA_BUNDLE"] = w.Home + "/none.pem"
		w.is(w.examine("aws.network"), "aws.network", Fail, "none.pem\" no such file", "unset AWS_CA_BUNDLE")
		// Though this machine would know the authority without it.
		x := &examination{Patient: w.Patient}
		x.outlook.once.Do(func() {
			to, _ := url.Parse(w.Environ["AWS_ENDPOINT_URL"])
			x.authorities(&x.outlook)
			x.outlook.main = &probe{url: to, status: 403, header: http.Header{"X-Amzn-Requestid": {"x"}}}
		})
		w.is(x.networkFindings(context.Background()), "aws.network", Fail, "none.pem\" no such file", "unset AWS_CA_BUNDLE")
		w.Environ["AWS_CA_BUNDLE"] = write(t, w.Home, "empty.pem", "nothing\n")
		w.is(w.examine("aws.network"), "aws.network", Fail, "holds no certificate", "unset AWS_CA_BUNDLE")
	})
	t.Run("not valid yet is the clock", func(t *testing.T) {
		w := newWorld(t)
		ca, leaf := authority(t, now.Add(-time.Hour), now.Add(time.Hour))
		w.overTLS(leaf)
		w.Environ["AWS_CA_BUNDLE"] = write(t, w.Home, "ca.pem", string(ca))
		w.Now = func() time.Time { return time.Now().AddDate(-3, 0, 0) }
		w.is(w.examine("aws.network", "aws.clock"), "aws.clock", Fail, "days behind", "sudo ")
	})
}

func TestClock(t *testing.T) {
	for _, c := range []struct {
		skew   int // of AWS
		status Status
		says   string
	}{
		{0, OK, "agrees"}, {20, OK, "agrees"}, {-120, Warn, "2m ahead"}, {120, Warn, "2m behind"}, {3600, Fail, "1h behind"}, {-7200, Fail, "2h ahead"}, {-86400 * 400, Fail, "400 days ahead"},
	} {
		w := newWorld(t)
		w.knobs(func(k *awstest.Knobs) { k.Skew = c.skew })
		found := w.examine("aws.clock")
		// The second at which Date was cut may be the next one.
		if len(found) != 1 || found[0].Status != c.status || !strings.Contains(found[0].Evidence, c.says) && !strings.Contains(found[0].Evidence, strings.TrimSuffix(c.says, " behind")+"1s behind") {
			t.Errorf("%d: %s", c.skew, list(found))
		}
		if fix := found[0].Fix; (fix == "") != (c.status == OK) {
			t.Error(fix)
		}
	}
}

func TestSetClock(t *testing.T) {
	x := &examination{Patient: Patient{Root: t.TempDir()}}
	if got := x.setClock(); got != "sudo timedatectl set-ntp true" {
		t.Error(got)
	}
	write(t, x.Root, "usr/bin/chronyc", "")
	if got := x.setClock(); got != "sudo chronyc makestep" {
		t.Error(got)
	}
	write(t, x.Root, "proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n")
	if got := x.setClock(); got != "sudo hwclock -s" {
		t.Error(got)
	}
}

// TestCachedDate: a proxy's old answer is no reason to blame the clock.
func TestCachedDate(t *testing.T) {
	w := newWorld(t)
	w.Environ["HTTP_PROXY"] = proxyServer(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		rw.Header().Set("Age", "3600")
		rw.Header().Set("X-Amzn-Requestid", "x")
	})
	w.is(w.examine("aws.clock"), "aws.clock", Warn, "cached answer", "")
}

func taskMetadata(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/task" {
		rw.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = io.WriteString(rw, `{"Cluster":"c","Family":"shop","Revision":"7"}`)
}

// TestStandInThatWantsASignature: moto, where it enforces authentication, fails at
// what is unsigned, and calls its errors web pages.
func TestStandInThatWantsASignature(t *testing.T) {
	w := newWorld(t)
	w.withKeys(awstest.KeyID, awstest.SecretKey, "")
	w.Environ["AWS_ENDPOINT_URL"] = proxyServer(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.Header.Get("Authorization") == "" {
			rw.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(rw, "<!doctype html><title>500</title>")
			return
		}
		rw.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(rw, "<?xml version=\"1.0\"?>\n<ErrorResponse><Errors><Error><Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid.</Message></Error></Errors></ErrorResponse>")
	})
	w.is(w.examine(all...), "aws.keys", Fail, "no region knows AKIA…KE77 in the environment (InvalidClientTokenId)", "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY")
}
