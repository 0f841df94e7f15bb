package awstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

const (
	amzDate   = "20060102T150405Z"
	clockSlop = 15 * time.Minute // STS refuses signatures that are further off
)

// signature is a parsed Authorization header of Signature Version 4.
type signature struct {
	keyID, date, region, service string
	signed                       []string
	hex                          string
}

// parseSignature takes the header apart and returns what AWS says about one that
// is incomplete, or "".
func parseSignature(header string) (sig signature, problem string) {
	rest, ok := strings.CutPrefix(header, "AWS4-HMAC-SHA256 ")
	if !ok {
		return signature{}, "Authorization header requires 'AWS4-HMAC-SHA256'."
	}
	for _, field := range strings.Split(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			// A key id may hold a slash in a broken configuration: the scope is
			// what stands at the end.
			parts := strings.Split(value, "/")
			if n := len(parts); n >= 5 && parts[n-1] == "aws4_request" {
				sig.keyID = strings.Join(parts[:n-4], "/")
				sig.date, sig.region, sig.service = parts[n-4], parts[n-3], parts[n-2]
			}
		case "SignedHeaders":
			sig.signed = strings.Split(value, ";")
		case "Signature":
			sig.hex = value
		}
	}
	for _, part := range []struct{ name, value string }{
		{"Credential", sig.date}, {"Signature", sig.hex}, {"SignedHeaders", strings.Join(sig.signed, "")},
	} {
		if part.value == "" {
			return sig, fmt.Sprintf("Authorization header requires '%s' parameter.", part.name)
		}
	}
	return sig, ""
}

// authenticate finds who signed r, or says why AWS would not.
func (s *Server) authenticate(r *http.Request, body []byte) (*principal, *failure) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return nil, &failure{403, "MissingAuthenticationToken", "Request is missing Authentication Token"}
	}
	sig, problem := parseSignature(header)
	if problem != "" {
		return nil, &failure{400, "IncompleteSignature", problem}
	}

	s.mu.Lock()
	who := s.keys[sig.keyID]
	inactive := slices.Contains(s.knobs.InactiveKeys, sig.keyID) || slices.Contains(s.knobs.UnknownIn, sig.region)
	disabled := slices.Contains(s.knobs.DisabledRegions, sig.region)
	s.mu.Unlock()
	invalid := &failure{403, "InvalidClientTokenId", "The security token included in the request is invalid."}
	// A session's keys without its token, and a user's keys with one, are no
	// keys at all to AWS.
	if who == nil || inactive || who.token != r.Header.Get("X-Amz-Security-Token") {
		return nil, invalid
	}

	signedAt, err := time.Parse(amzDate, r.Header.Get("X-Amz-Date"))
	if err != nil {
		return nil, &failure{400, "IncompleteSignature", "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."}
	}
	now := s.clock().UTC()
	mismatch := func(format string, args ...any) *failure {
		return &failure{403, "SignatureDoesNotMatch", fmt.Sprintf(format, args...)}
	}
	switch {
	case signedAt.Before(now.Add(-clockSlop)):
		return nil, mismatch("Signature expired: %s is now earlier than %s (%s - 15 min.)",
			signedAt.Format(amzDate), now.Add(-clockSlop).Format(amzDate), now.Format(amzDate))
	case signedAt.After(now.Add(clockSlop)):
		return nil, mismatch("Signature not yet current: %s is still later than %s (%s + 15 min.)",
			signedAt.Format(amzDate), now.Add(clockSlop).Format(amzDate), now.Format(amzDate))
	case sig.date != signedAt.Format("20060102"):
		return nil, mismatch("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.",
			sig.date, signedAt.Format("20060102"), signedAt.Format(amzDate))
	case sig.service != "sts":
		return nil, mismatch("Credential should be scoped to correct service: 'sts'. ")
	case !hmac.Equal([]byte(sig.hex), []byte(sig.compute(who.secret, r, body))):
		return nil, mismatch("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	case !who.expires.IsZero() && !now.Before(who.expires):
		return nil, &failure{403, "ExpiredToken", "The security token included in the request is expired"}
	case disabled:
		return nil, &failure{403, "RegionDisabledException", "STS is not activated in this region for account:" + who.account +
			". Your account administrator can activate STS in this region using the IAM Console."}
	}
	return who, nil
}

// compute is the signature that secret makes for r. Source: "Create a signed
// AWS API request" in the IAM User Guide.
func (sig signature) compute(secret string, r *http.Request, body []byte) string {
	var headers strings.Builder
	for _, name := range sig.signed {
		var value string
		switch name {
		case "host":
			value = r.Host
		case "content-length": // net/http takes it out of the headers
			value = strconv.FormatInt(r.ContentLength, 10)
		default:
			value = strings.Join(r.Header.Values(name), ",")
		}
		headers.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	payload := r.Header.Get("X-Amz-Content-Sha256")
	if payload == "" {
		sum := sha256.Sum256(body)
		payload = hex.EncodeToString(sum[:])
	}
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	canonical := strings.Join([]string{
		r.Method, path, canonicalQuery(r.URL.Query()), headers.String(), strings.Join(sig.signed, ";"), payload,
	}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	scope := strings.Join([]string{sig.date, sig.region, sig.service, "aws4_request"}, "/")
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", r.Header.Get("X-Amz-Date"), scope, hex.EncodeToString(sum[:])}, "\n")

	key := []byte("AWS4" + secret)
	for _, part := range []string{sig.date, sig.region, sig.service, "aws4_request", toSign} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}

func canonicalQuery(q url.Values) string {
	escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	var pairs []string
	for name, values := range q {
		for _, v := range values {
			pairs = append(pairs, escape(name)+"="+escape(v))
		}
	}
	sort.Strings(pairs)
	return strings.Join(pairs, "&")
}
