package awstest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
)

// IAM Identity Center's access portal: what an access token is good for.
// Source: the IAM Identity Center Portal API reference.
var ssoPortal = []operation{
	{"/federation/credentials", "GET", "GetRoleCredentials", false, (*Server).roleCredentials, refusePortal},
	{"/assignment/accounts", "GET", "ListAccounts", false, (*Server).listAccounts, refusePortal},
	{"/assignment/roles", "GET", "ListAccountRoles", false, (*Server).listAccountRoles, refusePortal},
	{"/logout", "POST", "Logout", false, (*Server).logout, refusePortal},
}

var accountID = regexp.MustCompile(`^\d{12}$`)

// SSOSessionARN is who GetCallerIdentity says somebody is with the credentials
// that the portal gives for a permission set.
func SSOSessionARN(account, permissionSet string) string {
	sum := sha256.Sum256([]byte(account + permissionSet))
	return "arn:aws:sts::" + account + ":assumed-role/AWSReservedSSO_" + permissionSet + "_" + hex.EncodeToString(sum[:8]) + "/demo"
}

// bearer finds the login that r's access token belongs to.
func (s *Server) bearer(r *http.Request) (*ssoSession, *failure) {
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.sso.access[r.Header.Get("X-Amz-Sso_bearer_token")]
	if t == nil || !now.Before(t.expires) || t.session.over(now) {
		return nil, &failure{401, "UnauthorizedException", "Session token not found or invalid"}
	}
	return t.session, nil
}

func (s *Server) roleCredentials(r *http.Request, form url.Values) (any, *failure) {
	if _, f := s.bearer(r); f != nil {
		return nil, f
	}
	account, role := form.Get("account_id"), form.Get("role_name")
	if !accountID.MatchString(account) || role == "" {
		return nil, invalidRequest("account_id and role_name are required")
	}
	// Where the account or the permission set does not exist, AWS does not say so.
	if k := s.Knobs().SSO; k.Assignments != nil && !slices.Contains(k.Assignments[account], role) {
		return nil, &failure{403, "ForbiddenException", "No access"}
	}
	p := &principal{account: account, role: true, arn: SSOSessionARN(account, role), userID: newUniqueID("AROA") + ":demo"}
	s.grant(p, 3600)
	return map[string]any{"roleCredentials": portalCredentials{p.keyID, p.secret, p.token, s.expirationMillis(p.expires)}}, nil
}

// portalCredentials has its expiration in milliseconds since the epoch, which
// is the portal's alone.
type portalCredentials struct {
	KeyID      string `json:"accessKeyId"`
	Secret     string `json:"secretAccessKey"`
	Token      string `json:"sessionToken"`
	Expiration any    `json:"expiration,omitempty"`
}

// assigned is who may do what: by account, the permission sets.
func (s *Server) assigned() map[string][]string {
	if a := s.Knobs().SSO.Assignments; a != nil {
		return a
	}
	return map[string][]string{Account: {"AdministratorAccess", "dev"}}
}

func (s *Server) listAccounts(r *http.Request, form url.Values) (any, *failure) {
	if _, f := s.bearer(r); f != nil {
		return nil, f
	}
	var accounts []string
	for account := range s.assigned() {
		accounts = append(accounts, account)
	}
	slices.Sort(accounts)
	return pageOf(form, "accountList", accounts, func(account string) map[string]string {
		return map[string]string{"accountId": account, "accountName": "account " + account, "emailAddress": account + "@example.com"}
	})
}

func (s *Server) listAccountRoles(r *http.Request, form url.Values) (any, *failure) {
	if _, f := s.bearer(r); f != nil {
		return nil, f
	}
	account := form.Get("account_id")
	roles, ok := s.assigned()[account]
	if !ok {
		return nil, &failure{403, "ForbiddenException", "No access"}
	}
	return pageOf(form, "roleList", roles, func(role string) map[string]string {
		return map[string]string{"accountId": account, "roleName": role}
	})
}

// pageOf is the part of a list that max_result and next_token ask for.
func pageOf(form url.Values, name string, items []string, shape func(string) map[string]string) (any, *failure) {
	most, ok1 := atoi(form.Get("max_result"), 100)
	from, ok2 := atoi(form.Get("next_token"), 0)
	if !ok1 || !ok2 || most < 1 || most > 100 || from < 0 || from > len(items) {
		return nil, invalidRequest("Invalid max_result or next_token")
	}
	list := []map[string]string{}
	for _, item := range items[from:min(from+most, len(items))] {
		list = append(list, shape(item))
	}
	answer := map[string]any{name: list}
	if from+most < len(items) {
		answer["nextToken"] = strconv.Itoa(from + most)
	}
	return answer, nil
}

func (s *Server) logout(r *http.Request, _ url.Values) (any, *failure) {
	session, f := s.bearer(r)
	if f != nil {
		return nil, f
	}
	s.mu.Lock()
	session.ended = true
	s.mu.Unlock()
	return nil, nil
}

func refusePortal(w http.ResponseWriter, f failure) {
	const definedIn = "com.amazonaws.switchboard.portal"
	refuseAsJSON(w, f, definedIn, map[string]string{"message": f.message, "__type": definedIn + "#" + f.code})
}
