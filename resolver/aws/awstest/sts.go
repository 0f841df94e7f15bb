package awstest

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	namespace  = "https://sts.amazonaws.com/doc/2011-06-15/"
	apiVersion = "2011-06-15"
)

// failure is an error as AWS answers it.
type failure struct {
	status  int
	code    string
	message string
}

// call is one request to STS that is being answered.
type call struct {
	*Server
	r    *http.Request
	body []byte
	form url.Values
}

var (
	roleARN     = regexp.MustCompile(`^arn:(aws[a-z-]*):iam::(\d{12}):role/(?:[\x21-\x7e]*/)?([\w+=,.@-]{1,64})$`)
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

// sts answers the STS Query API.
func (s *Server) sts(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	seen := s.requestOf(r, body)
	s.count(seen)
	c := &call{s, r, body, seen.Form}

	result, f := c.answer(seen.Action)
	if ordered, ok := s.takeNext(seen.Action); ok {
		f = &ordered
	}
	id := newRequestID()
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("X-Amzn-Requestid", id)
	if f != nil {
		kind := "Sender"
		if f.status >= 500 {
			kind = "Receiver"
		}
		w.WriteHeader(f.status)
		writeXML(w, errorResponse{Type: kind, Code: f.code, Message: f.message, RequestID: id})
		return
	}
	writeXML(w, response{
		XMLName: xml.Name{Space: namespace, Local: seen.Action + "Response"},
		Result:  result, Metadata: metadata{id},
	})
}

func writeXML(w io.Writer, v any) {
	b, err := xml.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // our own shapes always marshal
	}
	_, _ = w.Write(append(b, '\n')) // into memory
}

// requestOf reads what is counted about a call.
func (s *Server) requestOf(r *http.Request, body []byte) Request {
	o, _ := s.operationOf(r)
	form, posted := r.URL.Query(), url.Values{}
	if o.json {
		posted = jsonForm(body)
	} else if parsed, err := url.ParseQuery(string(body)); err == nil {
		posted = parsed
	}
	for name, values := range posted {
		form[name] = values
	}
	action := o.action
	if action == "" {
		action = form.Get("Action")
	}
	sig, _ := parseSignature(r.Header.Get("Authorization")) // a bad one names no key
	return Request{Action: action, At: s.now(), KeyID: sig.keyID, Region: sig.region, Host: r.Host, Form: form}
}

func (c *call) answer(action string) (any, *failure) {
	if v := c.form.Get("Version"); action == "" || v != apiVersion {
		if action == "" {
			// What a GET of the bare endpoint gets; real STS redirects browsers.
			return nil, &failure{400, "MissingAction", "Could not find operation in the request"}
		}
		return nil, &failure{400, "InvalidAction", fmt.Sprintf("Could not find operation %s for version %s", action, v)}
	}
	switch action {
	case "AssumeRoleWithWebIdentity":
		return c.assumeRoleWithWebIdentity()
	case "AssumeRole", "GetSessionToken", "GetCallerIdentity", "GetAccessKeyInfo":
	default:
		return nil, &failure{400, "InvalidAction", fmt.Sprintf("Could not find operation %s for version %s", action, apiVersion)}
	}
	who, f := c.authenticate(c.r, c.body)
	if f != nil {
		return nil, f
	}
	switch action {
	case "AssumeRole":
		return c.assumeRole(who)
	case "GetSessionToken":
		return c.getSessionToken(who)
	case "GetAccessKeyInfo":
		return c.accessKeyInfo(who)
	default:
		return callerIdentityResult{Arn: who.arn, UserID: who.userID, Account: who.account}, nil
	}
}

func (c *call) assumeRole(who *principal) (any, *failure) {
	arn := c.form.Get("RoleArn")
	seconds, f := c.checkRole(3600)
	if f != nil {
		return nil, f
	}
	denied := &failure{403, "AccessDenied", fmt.Sprintf("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", who.arn, arn)}
	if strings.HasSuffix(who.arn, ":root") {
		return nil, &failure{403, "AccessDenied", "Roles may not be assumed by root accounts."}
	}
	k := c.Knobs()
	role := k.role(arn)
	mfa, f := c.checkMFA(who)
	if f != nil {
		return nil, f
	}
	if role.Deleted || !roleARN.MatchString(arn) ||
		role.ExternalID != "" && role.ExternalID != c.form.Get("ExternalId") ||
		role.MFA && !mfa {
		return nil, denied
	}
	if f := checkDuration(seconds, role.MaxDuration, who.role); f != nil {
		return nil, f
	}
	user, creds := c.session(arn, seconds, mfa, who.role)
	return assumeRoleResult{User: user, Credentials: creds, SourceIdentity: c.form.Get("SourceIdentity"),
		PackedPolicySize: c.packedSize()}, nil
}

func (c *call) assumeRoleWithWebIdentity() (any, *failure) {
	seconds, f := c.checkRole(3600)
	if f != nil {
		return nil, f
	}
	token := c.form.Get("WebIdentityToken")
	if n := len(token); n < 4 || n > 20000 {
		return nil, invalidParameter("webIdentityToken", "Member must have length between 4 and 20000")
	}
	k := c.Knobs()
	id, f := checkWebIdentity(token, k.Issuers, c.clock())
	if f != nil {
		return nil, f
	}
	arn := c.form.Get("RoleArn")
	role := k.role(arn)
	if role.Deleted || !roleARN.MatchString(arn) {
		return nil, &failure{403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"}
	}
	if f := checkDuration(seconds, role.MaxDuration, false); f != nil {
		return nil, f
	}
	user, creds := c.session(arn, seconds, false, false)
	return webIdentityResult{
		Subject: id.subject, Audience: id.audience, Provider: strings.TrimPrefix(id.issuer, "https://"),
		User: user, Credentials: creds, PackedPolicySize: c.packedSize(),
	}, nil
}

func (c *call) getSessionToken(who *principal) (any, *failure) {
	if who.token != "" {
		return nil, &failure{403, "AccessDenied", "Cannot call GetSessionToken with session credentials"}
	}
	seconds, f := c.seconds(43200, 129600)
	if f != nil {
		return nil, f
	}
	mfa, f := c.checkMFA(who)
	if f != nil {
		return nil, f
	}
	p := &principal{account: who.account, arn: who.arn, userID: who.userID, mfa: mfa}
	c.grant(p, seconds)
	return sessionTokenResult{Credentials: c.credentials(p)}, nil
}

// accessKeyInfo answers every caller but one whose sessions were revoked: what an
// administrator's policy denies is denied whatever another allows.
func (c *call) accessKeyInfo(who *principal) (any, *failure) {
	if slices.Contains(c.Knobs().Revoked, who.arn) {
		return nil, &failure{403, "AccessDenied", fmt.Sprintf("User: %s is not authorized to perform: sts:GetAccessKeyInfo with an explicit deny in an identity-based policy", who.arn)}
	}
	id := c.form.Get("AccessKeyId")
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.keys[id]
	if p == nil {
		return nil, invalidParameter("accessKeyId", "Member must be an access key id")
	}
	return accessKeyInfoResult{Account: p.account}, nil
}

// checkRole validates the parameters that both ways into a role share and
// returns the seconds asked for.
func (c *call) checkRole(missing int) (int, *failure) {
	if n := len(c.form.Get("RoleArn")); n < 20 || n > 2048 {
		return 0, invalidParameter("roleArn", "Member must have length between 20 and 2048")
	}
	if !strings.HasPrefix(c.form.Get("RoleArn"), "arn:") {
		return 0, &failure{400, "ValidationError", c.form.Get("RoleArn") + " is invalid"}
	}
	if !sessionName.MatchString(c.form.Get("RoleSessionName")) {
		return 0, invalidParameter("roleSessionName", `Member must satisfy regular expression pattern: [\w+=,.@-]*`)
	}
	if policy := c.form.Get("Policy"); policy != "" {
		var object map[string]any
		if json.Unmarshal([]byte(policy), &object) != nil {
			return 0, &failure{400, "MalformedPolicyDocument", "This policy contains invalid Json"}
		}
		if object["Statement"] == nil {
			return 0, &failure{400, "MalformedPolicyDocument", "Syntax errors in policy."}
		}
		if len(policy) > 2048 {
			return 0, &failure{400, "PackedPolicyTooLarge", "Packed policy consumes 130% of allotted space, please use smaller policy."}
		}
	}
	return c.seconds(missing, 43200)
}

// seconds reads DurationSeconds within the API's own bounds.
func (c *call) seconds(missing, most int) (int, *failure) {
	text := c.form.Get("DurationSeconds")
	if text == "" {
		return missing, nil
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return 0, &failure{400, "MalformedInput", "Start of structure or map found where not expected."}
	case n < 900:
		return 0, &failure{400, "ValidationError", fmt.Sprintf("1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900", n)}
	case n > most:
		return 0, &failure{400, "ValidationError", fmt.Sprintf("1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to %d", n, most)}
	}
	return n, nil
}

func checkDuration(seconds, most int, chained bool) *failure {
	switch {
	case chained && seconds > 3600:
		return &failure{400, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."}
	case seconds > most:
		return &failure{400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."}
	}
	return nil
}

// session makes the keys of an assumed role; chained says that a role assumed it.
func (c *call) session(arn string, seconds int, mfa, chained bool) (assumedRoleUser, credentials) {
	m := roleARN.FindStringSubmatch(arn)
	partition, account, name := m[1], m[2], m[3]
	session := c.form.Get("RoleSessionName")
	p := &principal{
		account: account, role: true, mfa: mfa, chained: chained,
		arn:    fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", partition, account, name, session),
		userID: newUniqueID("AROA") + ":" + session,
	}
	c.grant(p, seconds)
	return assumedRoleUser{ID: p.userID, Arn: p.arn}, c.credentials(p)
}

func (c *call) credentials(p *principal) credentials {
	return credentials{KeyID: p.keyID, Secret: p.secret, Token: p.token, Expiration: c.expirationText(p.expires)}
}

// packedSize is the share of the allowance in per cent, 0 without a policy.
func (c *call) packedSize() int { return len(c.form.Get("Policy")) * 100 / 2048 }

func invalidParameter(name, constraint string) *failure {
	return &failure{400, "ValidationError", fmt.Sprintf("1 validation error detected: Value at '%s' failed to satisfy constraint: %s", name, constraint)}
}
