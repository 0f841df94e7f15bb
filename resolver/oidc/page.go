package oidc

import (
	"fmt"
	"net/http"
)

// The pages that a browser sees which came back. They hold nothing from outside.
var (
	pageDone   = [2]string{"You are logged in", "Go back to the terminal. This tab can be closed."}
	pageFailed = [2]string{"You are not logged in", "Go back to the terminal: it says why. This tab can be closed."}
	pageOther  = [2]string{"This is not the login that ambit is waiting for", "Use the tab that was opened last, or the address in the terminal. This tab can be closed."}
	pageOver   = [2]string{"This login is over", "Go back to the terminal. This tab can be closed."}
)

func page(w http.ResponseWriter, status int, text [2]string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	// The address of the page holds a code.
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// A browser that has gone reads no page.
	_, _ = fmt.Fprintf(w, `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>ambit</title>
<body style="font:1.1em/1.5 system-ui,sans-serif;max-width:30em;margin:15vh auto;padding:0 1em">
<h1>%s</h1><p>%s</p></body></html>
`, text[0], text[1])
}
