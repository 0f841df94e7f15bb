package awstest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// controlHandler serves the control path:
//
//	GET  /knobs           the knobs as JSON
//	POST /knobs           changes those that the JSON object names
//	GET  /calls           the counts as JSON
//	GET  /calls/ACTION    one count as a plain number, for shells
//	POST /calls/reset     sets the counts to zero
//	POST /users           {"account","name"} makes {"accessKeyId","secretAccessKey"}
//	GET  /mfa?serial=ARN  the next MFA code, of the user demo if no serial number is given
//	POST /sso/end         ends every login of IAM Identity Center
//	POST /reset           forgets everything
func (s *Server) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /knobs", func(w http.ResponseWriter, r *http.Request) { writeJSON(w, s.Knobs()) })
	mux.HandleFunc("POST /knobs", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := s.SetKnobs(body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		writeJSON(w, s.Knobs())
	})
	mux.HandleFunc("GET /calls", func(w http.ResponseWriter, r *http.Request) { writeJSON(w, s.Calls()) })
	mux.HandleFunc("GET /calls/{action}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintln(w, s.Calls().ByAction[r.PathValue("action")])
	})
	mux.HandleFunc("POST /calls/reset", func(w http.ResponseWriter, r *http.Request) { s.ResetCalls() })
	mux.HandleFunc("POST /users", func(w http.ResponseWriter, r *http.Request) {
		user := struct{ Account, Name string }{Account: Account, Name: "another"}
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&user); err != nil && err != io.EOF {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		id, secret := s.AddUser(user.Account, user.Name)
		writeJSON(w, map[string]string{"accessKeyId": id, "secretAccessKey": secret})
	})
	mux.HandleFunc("GET /mfa", func(w http.ResponseWriter, r *http.Request) {
		serial := r.FormValue("serial")
		if serial == "" {
			serial = MFASerial
		}
		_, _ = fmt.Fprintln(w, s.NextMFACode(serial))
	})
	mux.HandleFunc("POST /sso/end", func(w http.ResponseWriter, r *http.Request) { s.EndSSOSessions() })
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, r *http.Request) {
		if err := s.Reset(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	return mux
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client has gone away
}

// SetKnobs changes the knobs that a JSON object names. One that it misspells is
// an error: a test that turns nothing proves nothing.
func (s *Server) SetKnobs(object []byte) error {
	var bad error
	err := s.Update(func(k *Knobs) {
		changed := k.clone()
		d := json.NewDecoder(bytes.NewReader(object))
		d.DisallowUnknownFields()
		if bad = d.Decode(&changed); bad == nil {
			*k = changed
		}
	})
	return errors.Join(bad, err)
}
