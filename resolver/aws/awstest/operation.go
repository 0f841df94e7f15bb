package awstest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// operation is a call of a part of AWS that is known by its path, as all are
// but those of STS, which speaks at the root.
type operation struct {
	path   string // a pattern of http.ServeMux, without a method
	method string // "": any
	action string // the name it is counted by; "": the parameter Action
	json   bool   // the parameters stand in a JSON body, as OIDC's do
	answer func(*Server, *http.Request, url.Values) (any, *failure)
	refuse func(http.ResponseWriter, failure) // how this part says an error
}

// What an operation answers, where it is not JSON.
type (
	redirect string // to this URL
	page     string // HTML for the person's browser
	plain    struct {
		text   string
		header http.Header
	}
)

// operations is the endpoint's table: each part of AWS lists its calls in its
// own file.
func operations() []operation {
	var all []operation
	for _, part := range [][]operation{ssoOIDC, ssoPortal, imds, containers, signin} {
		all = append(all, part...)
	}
	return all
}

// handler serves o through the endpoint's mux.
func (s *Server) handler(o operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		seen := s.requestOf(r, body)
		s.count(seen)
		w.Header().Set("X-Amzn-Requestid", newRequestID())
		if o.method != "" && r.Method != o.method {
			w.Header().Set("Allow", o.method)
			o.refuse(w, failure{http.StatusMethodNotAllowed, "UnsupportedOperation", "The HTTP verb specified is not supported."})
			return
		}
		// An ordered failure comes first: it costs no code and no token.
		if ordered, ok := s.takeNext(seen.Action); ok {
			o.refuse(w, ordered)
			return
		}
		result, f := o.answer(s, r, seen.Form)
		if f != nil {
			o.refuse(w, *f)
			return
		}
		writeResult(w, r, result)
	}
}

func writeResult(w http.ResponseWriter, r *http.Request, result any) {
	switch v := result.(type) {
	case nil:
	case redirect:
		http.Redirect(w, r, string(v), http.StatusFound)
	case page:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, string(v)) // into memory
	case plain:
		w.Header().Set("Content-Type", "text/plain")
		for name, values := range v.header {
			w.Header()[name] = values
		}
		_, _ = io.WriteString(w, v.text) // into memory
	default:
		writeJSON(w, v)
	}
}

// operationOf finds the operation that r is for; what is none is for STS.
func (s *Server) operationOf(r *http.Request) (operation, bool) {
	_, pattern := s.mux.Handler(r)
	o, ok := s.operations[pattern]
	return o, ok
}

// jsonForm reads the strings, and lists of strings, of a JSON object. What is no
// object has none: its parameters are missing then.
func jsonForm(body []byte) url.Values {
	var object map[string]any
	if json.Unmarshal(body, &object) != nil {
		return nil
	}
	form := url.Values{}
	for name, value := range object {
		switch v := value.(type) {
		case string:
			form.Set(name, v)
		case []any:
			for _, item := range v {
				if text, ok := item.(string); ok {
					form.Add(name, text)
				}
			}
		}
	}
	return form
}

// refuseAsJSON writes an error as AWS's JSON services do: its name stands in a
// header, followed by where it is defined.
func refuseAsJSON(w http.ResponseWriter, f failure, definedIn string, body map[string]string) {
	w.Header().Set("X-Amzn-Errortype", f.code+":http://internal.amazon.com/coral/"+definedIn+"/")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	writeJSON(w, body)
}

// atoi reads a number that may be missing.
func atoi(text string, missing int) (int, bool) {
	if text == "" {
		return missing, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}
