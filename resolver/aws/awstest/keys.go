package awstest

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"time"
)

// principal is who a set of keys speaks for.
type principal struct {
	account string
	keyID   string
	secret  string
	token   string    // "" for a user's own keys
	expires time.Time // zero for a user's own keys
	arn     string
	userID  string
	role    bool // came from a role: what it assumes is chained
	chained bool // and was assumed by another role
	mfa     bool // a code was given
}

// AddUser makes a user with long-lived keys of its own.
func (s *Server) AddUser(account, name string) (keyID, secretKey string) {
	p := &principal{
		account: account, keyID: newKeyID("AKIA", account), secret: newSecret(),
		arn: "arn:aws:iam::" + account + ":user/" + name, userID: newUniqueID("AIDA"),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[p.keyID] = p
	return p.keyID, p.secret
}

// DeleteKey makes a key id unknown, a session's too.
func (s *Server) DeleteKey(keyID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, keyID)
}

// grant gives p temporary keys that live for so many seconds, or for what the
// knob says.
func (s *Server) grant(p *principal, seconds int) {
	if n := s.Knobs().Lifetime; n != 0 {
		seconds = n
	}
	p.keyID, p.secret, p.token = newKeyID("ASIA", p.account), newSecret(), newToken()
	p.expires = s.clock().UTC().Truncate(time.Second).Add(time.Duration(seconds) * time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[p.keyID] = p
}

// expirationText is the instant as most of AWS writes it, or what the knob says;
// "" is to be left out.
func (s *Server) expirationText(t time.Time) string {
	switch text := s.Knobs().Expiration; text {
	case "":
		return t.Format(time.RFC3339)
	case "absent":
		return ""
	default:
		return text
	}
}

// expirationMillis is the instant as the SSO portal writes it: a number, nil
// where it is to be left out, and text only where the knob says what is neither
// a number nor an instant.
func (s *Server) expirationMillis(t time.Time) any {
	text := s.expirationText(t)
	if text == "" {
		return nil
	}
	if said, err := time.Parse(time.RFC3339, text); err == nil {
		return said.UnixMilli()
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	return text
}

// newKeyID is an access key id that holds the account as AWS's do since 2019:
// of the 80 bits that base32 decodes from the fifth character on, the 40 after
// the first are the account's number.
func newKeyID(prefix, account string) string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	number, err := strconv.ParseUint(account, 10, 40)
	if err != nil {
		number = 0 // a wrong account in a test's ARN still gets keys, as from AWS
	}
	var head [8]byte
	copy(head[2:], b[:6])
	n := binary.BigEndian.Uint64(head[:])
	n = n&^0x7fffffffff80 | number<<7 | 1<<47 // the first bit is set in all of them
	binary.BigEndian.PutUint64(head[:], n)
	copy(b[:6], head[2:])
	return prefix + base32.StdEncoding.EncodeToString(b[:])
}

func newUniqueID(prefix string) string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return prefix + base32.StdEncoding.EncodeToString(b[:])
}

func newSecret() string {
	var b [30]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}

// newToken begins as AWS's session tokens do and is about as long.
func newToken() string {
	var b [300]byte
	_, _ = rand.Read(b[:]) // never fails
	return "IQoJb3JpZ2luX2Vj" + strings.TrimRight(base64.StdEncoding.EncodeToString(b[:]), "=") + "=="
}
