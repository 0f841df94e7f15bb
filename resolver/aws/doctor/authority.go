package doctor

import (
	"crypto/x509"
	"path/filepath"

	"ambit/resolver/safefile"
)

// systemBundles are where systems keep the authorities that they know.
var systemBundles = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"}

// mostAuthorities is how many files are looked at for an authority.
const mostAuthorities = 60

// authorityFile is a file of this machine that holds the authority behind the
// certificates that were shown, so that nobody has to trust what the network says of
// itself. It is "" if there is none.
func (x *examination) authorityFile(p *probe) string {
	var files []string
	for _, variable := range []string{"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "PIP_CERT"} {
		if path := x.env(variable); filepath.IsAbs(path) {
			files = append(files, path)
		}
	}
	for _, path := range systemBundles {
		files = append(files, filepath.Join(x.Root, path))
	}
	patterns := []string{
		filepath.Join(x.Root, "usr/local/share/ca-certificates/*.crt"), filepath.Join(x.Root, "usr/local/share/ca-certificates/*/*.crt"),
		filepath.Join(x.Root, "etc/pki/ca-trust/source/anchors/*"), filepath.Join(x.Root, "etc/ca-certificates/trust-source/anchors/*"),
	}
	if x.Home != "" {
		patterns = append(patterns, filepath.Join(x.Home, ".aws/*.pem"), filepath.Join(x.Home, ".aws/*.crt"))
	}
	for _, pattern := range patterns {
		found, _ := filepath.Glob(pattern) // its only error is a bad pattern: a name with a bracket has none
		files = append(files, found...)
	}
	for _, file := range files[:min(len(files), mostAuthorities)] {
		b, err := safefile.Read(file)
		pool := x509.NewCertPool()
		if err == nil && pool.AppendCertsFromPEM(b) && x.verifies(p, pool) {
			return file
		}
	}
	return ""
}

// verifies says whether what was shown is from one of these authorities, or from
// one of the system's if there are none given.
func (x *examination) verifies(p *probe, roots *x509.CertPool) bool {
	between := x509.NewCertPool()
	for _, c := range p.shown[1:] {
		between.AddCert(c)
	}
	_, err := p.shown[0].Verify(x509.VerifyOptions{DNSName: p.url.Hostname(), Roots: roots, Intermediates: between, CurrentTime: x.Now()})
	return err == nil
}
