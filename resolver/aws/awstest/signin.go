package awstest

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The federation endpoint, which turns a role's credentials into a session of
// the console. Source: "Enable custom identity broker access to the AWS
// console" in the IAM User Guide.
var signin = []operation{
	{"/federation", "", "", false, (*Server).federation, refusePage},
}

// signinToken lives for 15 minutes, as documented.
const signinToken = 15 * time.Minute

var consoles = []string{".aws.amazon.com", ".amazonaws-us-gov.com", ".amazonaws.cn"}

func (s *Server) federation(_ *http.Request, form url.Values) (any, *failure) {
	switch form.Get("Action") {
	case "getSigninToken":
		return s.getSigninToken(form)
	case "login":
		return s.consoleLogin(form)
	}
	return nil, &failure{400, "InvalidRequest", "Unknown Action"}
}

func (s *Server) getSigninToken(form url.Values) (any, *failure) {
	var session struct{ SessionID, SessionKey, SessionToken string }
	if json.Unmarshal([]byte(form.Get("Session")), &session) != nil {
		return nil, &failure{400, "InvalidRequest", "Session is not a JSON object"}
	}
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	who := s.keys[session.SessionID]
	// A user's own keys, and sessions from GetSessionToken, open no console.
	if who == nil || !who.role || slices.Contains(s.knobs.InactiveKeys, who.keyID) || !now.Before(who.expires) ||
		subtle.ConstantTimeCompare([]byte(who.secret+" "+who.token), []byte(session.SessionKey+" "+session.SessionToken)) == 0 {
		return nil, &failure{400, "InvalidRequest", "The credentials are not those of a live session of a role"}
	}
	if seconds, ok := atoi(form.Get("SessionDuration"), 900); !ok || seconds < 900 || seconds > 43200 || form.Has("SessionDuration") && who.chained {
		return nil, &failure{400, "InvalidRequest", "SessionDuration must be from 900 to 43200, and absent for a chained role"}
	}
	token := newOpaque(400)
	s.signinTokens[token] = now.Add(signinToken)
	return map[string]string{"SigninToken": token}, nil
}

// consoleLogin is where the URL that a person opens leads to.
func (s *Server) consoleLogin(form url.Values) (any, *failure) {
	now := s.clock()
	s.mu.Lock()
	expires := s.signinTokens[form.Get("SigninToken")]
	s.mu.Unlock()
	if !now.Before(expires) {
		return nil, &failure{400, "InvalidRequest", "Your request has expired"}
	}
	to, err := url.Parse(form.Get("Destination"))
	if err != nil || to.Scheme != "https" || !slices.ContainsFunc(consoles, func(suffix string) bool { return strings.HasSuffix(to.Hostname(), suffix) }) {
		return nil, &failure{400, "InvalidRequest", "Destination is no page of the console"}
	}
	return redirect(to.String()), nil
}
