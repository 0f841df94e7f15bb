package resolver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"

	"ambit/resolver/safefile"
)

// RecipientsName is the name of the files that list for whom the secrets beside
// and below them are encrypted.
const RecipientsName = ".ambit-recipients"

// Recipient is a public key for which secrets are encrypted.
type Recipient struct {
	Text string // the key as written, without the comment of an SSH key
	Name string // the comment above it, or of an SSH key; "" if there is none
	Line int    // from 1; of a key that stands in no file 0

	key age.Recipient
}

// Title is what people call the recipient: its name, else the beginning of its
// key.
func (r Recipient) Title() string {
	switch {
	case r.Name != "":
		return r.Name
	case len(r.Text) > 20:
		return r.Text[:16] + "…"
	}
	return r.Text
}

var (
	errPrivateKey = errors.New("is a private key; list the public one")
	errNoKey      = errors.New("is neither an age recipient (age1…) nor an SSH key (ssh-ed25519 or ssh-rsa)")
)

// ParseRecipient reads one public key: an age recipient or an SSH key, whose
// comment is its name. The error does not repeat the text.
func ParseRecipient(text string) (Recipient, error) {
	text = strings.TrimSpace(text)
	words := strings.Fields(text)
	switch {
	case strings.HasPrefix(strings.ToUpper(text), "AGE-SECRET-KEY-"), strings.HasPrefix(text, "-----BEGIN"):
		return Recipient{}, errPrivateKey
	case len(words) >= 2 && strings.HasPrefix(words[0], "ssh-"):
		r := Recipient{Text: words[0] + " " + words[1], Name: strings.Join(words[2:], " ")}
		key, err := agessh.ParseRecipient(r.Text)
		if err != nil {
			return Recipient{}, errNoKey
		}
		r.key = key
		return r, nil
	case len(words) != 1:
		return Recipient{}, errNoKey
	}
	keys, err := age.ParseRecipients(strings.NewReader(text + "\n"))
	if err != nil || len(keys) != 1 {
		return Recipient{}, errNoKey
	}
	return Recipient{Text: text, key: keys[0]}, nil
}

// ParseRecipients reads a file of recipients: a key on each line, as `age -R`
// takes it. A comment right above an age key is its name.
func ParseRecipients(path string, b []byte) (list []Recipient, diags []Diagnostic) {
	comment, n := "", 0
	for line := range strings.Lines(strings.TrimPrefix(string(b), string(bom))) {
		n++
		text := strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(text, "#"); ok || text == "" {
			comment = strings.TrimSpace(rest)
			if text == "" {
				comment = ""
			}
			continue
		}
		r, err := ParseRecipient(text)
		if err != nil {
			diags = append(diags, Diagnostic{Pos: Position{File: path, Line: n, Column: 1}, Summary: "the line " + err.Error()})
		} else {
			if r.Line = n; r.Name == "" {
				r.Name = comment
			}
			list = append(list, r)
		}
		comment = ""
	}
	return list, diags
}

// RecipientsFile returns the path of the file of recipients that governs a
// file, absolute: the nearest beside or above it, up to top. Top is the root of
// the store in which the file lies, else of its repository; path is "" if there
// is none.
func RecipientsFile(file, store string) (path, top string) {
	dir := filepath.Dir(file)
	top = store
	if top == "" {
		top = repository(dir)
	}
	for at := dir; ; at = filepath.Dir(at) {
		path := filepath.Join(at, RecipientsName)
		if _, err := os.Lstat(path); err == nil {
			return path, top
		}
		if at == top || filepath.Dir(at) == at {
			return "", top
		}
	}
}

// recipientNames names the recipients of a file's secrets, for a hint: "" if
// they cannot be told.
func recipientNames(file, store string) string {
	path, _ := RecipientsFile(file, store)
	if path == "" {
		return ""
	}
	b, err := safefile.Read(path)
	if err != nil {
		return ""
	}
	list, _ := ParseRecipients(path, b)
	var names []string
	for _, r := range list {
		if len(names) == 5 {
			names = append(names, fmt.Sprintf("%d more", len(list)-5))
			break
		}
		names = append(names, r.Title())
	}
	return strings.Join(names, ", ")
}
