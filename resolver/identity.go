package resolver

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"

	"ambit/resolver/safefile"
)

// Identities are the private keys that decrypt the secrets of files. They are
// read once, when the first secret is needed.
type Identities struct {
	own string // the file of age or SSH keys, absolute; "": there is none
	ssh string // the SSH key that serves where that file does not exist, or ""
	uid int

	mu     sync.Mutex
	read   bool
	keys   []age.Identity
	files  []string
	locked string // a key that needs a passphrase
	err    error
}

// NewIdentities takes the absolute paths of the user's file of identities and
// of the SSH key that serves where it does not exist; "" is none. Both must
// belong to uid and nobody else may read them.
func NewIdentities(own, ssh string, uid int) *Identities {
	return &Identities{own: own, ssh: ssh, uid: uid}
}

// Files are those that were looked at so far: a result that has a decrypted
// secret in it depends on them.
func (i *Identities) Files() []string {
	if i == nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.files
}

// Check says why the identities cannot be used; nil if they can, or if there are
// none. The error holds no path and nothing of their content.
func (i *Identities) Check() error {
	_, err := i.load()
	return err
}

func (i *Identities) load() ([]age.Identity, error) {
	if i == nil {
		return nil, nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.read {
		i.read = true
		i.keys, i.err = i.fromFiles()
	}
	return i.keys, i.err
}

func (i *Identities) fromFiles() ([]age.Identity, error) {
	if i.own != "" {
		i.files = append(i.files, i.own)
		b, err := safefile.ReadSecret(i.own, i.uid)
		switch {
		case err == nil:
			return i.parse(b)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, unreadable("the file of identities", err)
		}
	}
	if i.ssh != "" {
		i.files = append(i.files, i.ssh)
		b, err := safefile.ReadSecret(i.ssh, i.uid)
		switch {
		case err == nil:
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil
		default:
			return nil, unreadable("the SSH key", err)
		}
		key, err := agessh.ParseIdentity(b)
		var passphrase *ssh.PassphraseMissingError
		switch {
		case errors.As(err, &passphrase):
			i.locked = i.ssh
			return nil, nil
		case err != nil:
			return nil, nil // of a kind that age does not know: it fits nothing
		}
		return []age.Identity{key}, nil
	}
	return nil, nil
}

func unreadable(what string, err error) error {
	for _, why := range []error{safefile.ErrNotOwn, safefile.ErrOpenMode} {
		if errors.Is(err, why) {
			return fmt.Errorf("%s %w", what, why)
		}
	}
	return errors.New(readSummary(what, err))
}

const (
	pemBegin = "-----BEGIN "
	pemEnd   = "-----END "
)

// parse reads a file of identities: age keys, one a line, and SSH keys as they
// stand in their own files. What is wrong is told by line, never by content.
func (i *Identities) parse(b []byte) (keys []age.Identity, err error) {
	var pem []byte
	begun := 0
	n := 0
	for raw := range bytes.Lines(b) {
		n++
		line := strings.TrimSpace(string(raw))
		switch {
		case begun > 0:
			pem = append(pem, line+"\n"...)
			if !strings.HasPrefix(line, pemEnd) {
				continue
			}
			key, err := agessh.ParseIdentity(pem)
			var passphrase *ssh.PassphraseMissingError
			switch {
			case errors.As(err, &passphrase):
				i.locked = i.own
			case err != nil:
				return nil, fmt.Errorf("the file of identities has no SSH key that can be used at line %d", begun)
			default:
				keys = append(keys, key)
			}
			begun, pem = 0, nil
		case strings.HasPrefix(line, pemBegin):
			begun, pem = n, []byte(line+"\n")
		case line == "" || strings.HasPrefix(line, "#"):
		default:
			found, err := age.ParseIdentities(strings.NewReader(line + "\n"))
			if err != nil {
				return nil, fmt.Errorf("the file of identities has neither an age key nor an SSH key at line %d", n)
			}
			keys = append(keys, found...)
		}
	}
	if begun > 0 {
		return nil, fmt.Errorf("the file of identities has an SSH key without an end at line %d", begun)
	}
	return keys, nil
}
