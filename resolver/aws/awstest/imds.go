package awstest

import (
	"html"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// The instance metadata service, version 2. Source: "Use the Instance Metadata
// Service" in the EC2 User Guide.
var imds = []operation{
	{"/latest/api/token", "PUT", "GetMetadataToken", false, (*Server).metadataToken, refuseIMDS},
	{"/latest/meta-data/iam/security-credentials/{$}", "GET", "ListMetadataRoles", false, (*Server).metadataRoles, refuseIMDS},
	{"/latest/meta-data/iam/security-credentials", "GET", "ListMetadataRoles", false, (*Server).metadataRoles, refuseIMDS},
	{"/latest/meta-data/iam/security-credentials/{role}", "GET", "GetMetadataCredentials", false, (*Server).metadataCredentials, refuseIMDS},
	{"/latest/{path...}", "GET", "GetMetadata", false, (*Server).metadata, refuseIMDS},
}

const (
	instanceID    = "i-0123456789abcdef0"
	ttlHeader     = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	tokenHeader   = "X-Aws-Ec2-Metadata-Token"
	instanceRole  = "instance"
	longestTokens = 21600 // seconds
)

// TokenPut is what becomes of the request for a metadata token.
type TokenPut string

// The ways of a token request.
const (
	TokenGiven   TokenPut = ""
	TokenRefused TokenPut = "refused" // 403, as from a service that is switched off
	TokenHangs   TokenPut = "hangs"   // the answer never arrives, as beyond the hop limit
)

var tokenPuts = []TokenPut{TokenGiven, TokenRefused, TokenHangs}

func (s *Server) metadataToken(r *http.Request, _ url.Values) (any, *failure) {
	switch s.Knobs().IMDS.Token {
	case TokenRefused:
		return nil, &failure{403, "Forbidden", ""}
	case TokenHangs:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	if r.Header.Get("X-Forwarded-For") != "" {
		return nil, &failure{403, "Forbidden", ""} // so that no open proxy gives tokens away
	}
	ttl, err := strconv.Atoi(r.Header.Get(ttlHeader))
	if err != nil || ttl < 1 || ttl > longestTokens {
		return nil, &failure{400, "Bad Request", ""}
	}
	token, expires := newOpaque(40)+"==", s.clock().Add(time.Duration(ttl)*time.Second)
	s.mu.Lock()
	s.imdsTokens[token] = expires
	s.mu.Unlock()
	return plain{token, http.Header{ttlHeader: {strconv.Itoa(ttl)}}}, nil
}

// mayRead checks the token of a metadata request.
func (s *Server) mayRead(r *http.Request) *failure {
	given, now, k := r.Header.Get(tokenHeader), s.clock(), s.Knobs().IMDS
	if given == "" && k.V1 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !now.Before(s.imdsTokens[given]) {
		return &failure{401, "Unauthorized", ""}
	}
	return nil
}

// attached is the role of the instance.
func (s *Server) attached() (string, *failure) {
	switch k := s.Knobs().IMDS; {
	case k.NoRole:
		return "", &failure{404, "Not Found", ""}
	case k.Role != "":
		return k.Role, nil
	}
	return instanceRole, nil
}

func (s *Server) metadataRoles(r *http.Request, _ url.Values) (any, *failure) {
	if f := s.mayRead(r); f != nil {
		return nil, f
	}
	role, f := s.attached()
	if f != nil {
		return nil, f
	}
	return plain{text: role}, nil
}

func (s *Server) metadataCredentials(r *http.Request, _ url.Values) (any, *failure) {
	if f := s.mayRead(r); f != nil {
		return nil, f
	}
	role, f := s.attached()
	if f != nil || r.PathValue("role") != role {
		return nil, &failure{404, "Not Found", ""}
	}
	if code := s.Knobs().IMDS.Code; code != "" {
		return map[string]string{"Code": code, "LastUpdated": s.clock().UTC().Format(time.RFC3339),
			"Message": "EC2 cannot assume the role " + role + ". Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html."}, nil
	}
	h := s.handOut(role, instanceID)
	return struct {
		Code, LastUpdated, Type, AccessKeyId, SecretAccessKey, Token string
		Expiration                                                   string `json:",omitempty"`
	}{"Success", h.made.Format(time.RFC3339), "AWS-HMAC", h.keyID, h.secret, h.token, s.expirationText(h.expires)}, nil
}

// metadata answers what clients ask in passing: where they are.
func (s *Server) metadata(r *http.Request, _ url.Values) (any, *failure) {
	if f := s.mayRead(r); f != nil {
		return nil, f
	}
	switch r.PathValue("path") {
	case "meta-data/instance-id":
		return plain{text: instanceID}, nil
	case "meta-data/placement/region":
		return plain{text: "eu-central-1"}, nil
	case "meta-data/placement/availability-zone":
		return plain{text: "eu-central-1a"}, nil
	case "dynamic/instance-identity/document":
		return map[string]string{"accountId": Account, "region": "eu-central-1", "availabilityZone": "eu-central-1a", "instanceId": instanceID}, nil
	}
	return nil, &failure{404, "Not Found", ""}
}

// refuseIMDS writes an error as the metadata service does: a page.
func refuseIMDS(w http.ResponseWriter, f failure) {
	title := strconv.Itoa(f.status) + " - " + f.code
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(f.status)
	_, _ = w.Write([]byte("<html><head><title>" + html.EscapeString(title) + "</title></head><body><h1>" + html.EscapeString(title) + "</h1></body></html>\n")) // into memory
}
