package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"ambit/resolver/aws"
	"ambit/resolver/secret"
)

// The bounds of questions to an instance's metadata service, which answers within
// milliseconds where there is one. Programs wait one second and try twice or more.
const (
	metadataDial = time.Second
	metadataTime = 2 * time.Second
)

// metadata is what an instance's metadata service was seen to do.
type metadata struct {
	once sync.Once

	address    string
	configured string        // the variable or setting that names it, "" for none
	met        bool          // a connection was made
	took       time.Duration // until it was clear that there is none
	err        error         // of the request for a token
	status     int           // of it
	hangs      bool          // the token never came

	genuine    bool // the answer says that it is EC2's
	instanceID string
	roles      int // status of the list of roles, 0 if there was no answer
	role       string
	code       string // instead of Success; foreign
	keys       aws.Keys
	expires    time.Time
}

// instance asks the metadata service as the SDKs do, once.
func (x *examination) instance(ctx context.Context) *metadata {
	m := &x.metadata
	m.once.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, 3*metadataTime)
		defer cancel()
		m.address, m.configured = x.metadataAddress()
		begun := x.Now()
		token := x.metadataToken(ctx, m)
		m.took = x.Now().Sub(begun)
		if !m.met || m.status == 0 && !m.hangs {
			return
		}
		// A service of version 1 needs no token, and answers though none came.
		const roles = "/latest/meta-data/iam/security-credentials/"
		var body string
		m.roles, body = x.metadataGet(ctx, m, roles, token)
		if m.roles == http.StatusOK || m.roles == http.StatusNotFound {
			if status, id := x.metadataGet(ctx, m, "/latest/meta-data/instance-id", token); status == http.StatusOK {
				m.instanceID = clip(strings.TrimSpace(id))
			}
		}
		m.role, _, _ = strings.Cut(strings.TrimSpace(body), "\n")
		if m.roles != http.StatusOK || m.role == "" {
			return
		}
		status, body := x.metadataGet(ctx, m, roles+url.PathEscape(m.role), token)
		var got struct{ Code, AccessKeyId, SecretAccessKey, Token, Expiration string }
		if status != http.StatusOK || json.Unmarshal([]byte(body), &got) != nil {
			m.code = http.StatusText(status)
			return
		}
		if got.Code != "Success" {
			m.code = clip(strings.Join(strings.Fields(got.Code), " "))
			return
		}
		m.keys = aws.Keys{AccessKeyID: got.AccessKeyId, SecretAccessKey: secret.New(got.SecretAccessKey), SessionToken: secret.New(got.Token)}
		m.expires, _ = time.Parse(time.RFC3339, got.Expiration) // one that cannot be read is not known
		x.onInstance.Store(true)
	})
	return m
}

// metadataAddress is where the SDKs ask, and what says so.
func (x *examination) metadataAddress() (address, configured string) {
	name, _ := x.profileInForce(cli2)
	p := x.profile(cli2, name)
	for _, c := range []struct{ value, from string }{
		{x.env("AWS_EC2_METADATA_SERVICE_ENDPOINT"), "AWS_EC2_METADATA_SERVICE_ENDPOINT"},
		{p.get("ec2_metadata_service_endpoint"), "ec2_metadata_service_endpoint"},
	} {
		if c.value != "" {
			return strings.TrimRight(c.value, "/"), c.from
		}
	}
	mode := x.env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")
	if mode == "" {
		mode = p.get("ec2_metadata_service_endpoint_mode")
	}
	if strings.EqualFold(mode, "IPv6") {
		return "http://[fd00:ec2::254]", ""
	}
	return "http://169.254.169.254", ""
}

func (x *examination) metadataToken(ctx context.Context, m *metadata) string {
	status, body, err := x.metadataAsk(ctx, m, http.MethodPut, "/latest/api/token", http.Header{"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"60"}})
	m.status, m.err = status, err
	m.hangs = err != nil && m.met && isTimeout(err)
	if status != http.StatusOK {
		return ""
	}
	return strings.TrimSpace(body)
}

func (x *examination) metadataGet(ctx context.Context, m *metadata, path, token string) (status int, body string) {
	header := http.Header{}
	if token != "" {
		header.Set("X-Aws-Ec2-Metadata-Token", token)
	}
	status, body, err := x.metadataAsk(ctx, m, http.MethodGet, path, header)
	if err != nil {
		return 0, ""
	}
	return status, body
}

// metadataAsk asks without a proxy: nobody else is to see the answer.
func (x *examination) metadataAsk(ctx context.Context, m *metadata, method, path string, header http.Header) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, m.address+path, nil)
	if err != nil {
		return 0, "", err
	}
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" || req.URL.Host == "" {
		return 0, "", errors.New("is no http address")
	}
	req.Header = header
	dialer := &net.Dialer{Timeout: metadataDial}
	var mu sync.Mutex
	met := false
	transport := &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: maxBody,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			mu.Lock()
			met = true
			mu.Unlock()
			return aws.Polite(conn), nil
		}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	mu.Lock()
	m.met = m.met || met
	mu.Unlock()
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	mu.Lock()
	m.genuine = m.genuine || resp.Header.Get("Server") == "EC2ws"
	mu.Unlock()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return resp.StatusCode, string(b), err
}

// checkMetadataProxy tells of a proxy that the AWS CLI and boto3 send questions for
// instance metadata to, which it cannot answer: it would be asked about itself.
func checkMetadataProxy(ctx context.Context, x *examination) []Finding {
	s, ok := x.base(cli1)
	if !ok || s.Kind != "instance" || x.instance(ctx).keys.AccessKeyID == "" {
		return nil
	}
	to, err := url.Parse(x.instance(ctx).address + "/latest/meta-data/")
	if err != nil {
		return nil
	}
	via := x.proxyFor(to)
	if via == nil {
		return nil
	}
	if !via.bad {
		// Without a token the service itself says 401, the old one 200.
		if p := x.probe(ctx, to, how{via: via}); p.err == nil && (p.status == http.StatusUnauthorized || p.status == http.StatusOK && !p.page()) {
			return nil
		}
	}
	name := "NO_PROXY"
	if x.has("no_proxy") {
		name = "no_proxy" // it counts before the other
	}
	hosts := "169.254.169.254,169.254.170.2,169.254.170.23"
	if h := to.Hostname(); !strings.Contains(hosts, h) && plainHost().MatchString(h) {
		hosts = h + "," + hosts
	}
	if x.env(name) != "" {
		hosts = `"$` + name + `",` + hosts
	}
	return []Finding{{Check: "aws.network", Status: Fail, Fix: x.export(name, hosts),
		Evidence: "the AWS CLI and boto3 ask for instance metadata through the proxy of " + via.variable + ", which does not give them"}}
}
