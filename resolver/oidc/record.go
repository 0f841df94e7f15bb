package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ambit/resolver"
	"ambit/resolver/safefile"
)

// record is what lasts of a login: Dir/KEY.json, 0600 in 0700. Its presence says
// that the login can be renewed.
type record struct {
	Version      int    `json:"version"`
	Name         string `json:"name"`
	Issuer       string `json:"issuer"`
	ClientID     string `json:"clientId"`
	Subject      string `json:"subject"`
	Account      string `json:"account,omitempty"`
	RefreshToken string `json:"refreshToken,omitempty"` // absent: it is in the keyring
}

const recordVersion = 1

// warned marks that the person was told where refresh tokens lie.
const warned = ".warned"

var errNoDir = errors.New("there is no state directory to keep it in")

func (k *Keeper) recordPath(key string) string { return filepath.Join(k.Dir, key+".json") }

// isKept says whether a login can perhaps be renewed. It reads nothing.
func (k *Keeper) isKept(l named) bool {
	if k.Dir == "" {
		return false
	}
	_, err := os.Lstat(k.recordPath(l.key))
	return err == nil
}

// readRecord returns nil if there is none.
func (k *Keeper) readRecord(key string) (*record, error) {
	if k.Dir == "" {
		return nil, nil
	}
	b, _, err := safefile.ReadPrivate(k.recordPath(key), k.UID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r record
	if json.Unmarshal(b, &r) != nil || r.Version != recordVersion {
		return nil, nil // damaged, or another program's: a login replaces it
	}
	return &r, nil
}

// stored returns what is kept of a login with its refresh token. Nothing kept is
// no error and a nil record.
func (k *Keeper) stored(l named) (r *record, grant string, err error) {
	r, err = k.readRecord(l.key)
	if err != nil {
		return nil, "", &resolver.OpenError{Kind: resolver.KindLogin, Err: err,
			Summary: fmt.Sprintf("the login %q cannot be read: %v", l.name, withoutPath(err)),
			Hint:    fmt.Sprintf(`run "ambit login %s"`, l.name)}
	}
	if r == nil || r.RefreshToken != "" {
		if r != nil {
			grant = r.RefreshToken
		}
		return r, grant, nil
	}
	grant, err = k.keyring.get(l.key)
	switch {
	case err == nil && grant != "":
		return r, grant, nil
	case err == nil || errors.Is(err, ErrNotInKeyring):
		return nil, "", nil
	}
	return nil, "", &resolver.OpenError{Kind: resolver.KindNetwork, Err: errKeyring,
		Summary: fmt.Sprintf("the login %q cannot be renewed: %v", l.name, errKeyring),
		Hint:    fmt.Sprintf(`unlock it, or run "ambit login %s"`, l.name)}
}

// keep writes down a refresh token: in the keyring if that answers, else in the
// record. Hold the login's lock. Tell is told once, ever, that it is a file.
func (k *Keeper) keep(l named, t *idToken, grant string, tell func(string)) error {
	r := record{Version: recordVersion, Name: l.name, Issuer: l.Issuer, ClientID: l.ClientID, Subject: t.subject, Account: t.account}
	inFile := k.keyring.set(l.key, grant) != nil
	if inFile {
		r.RefreshToken = grant
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if k.Dir == "" {
		return errNoDir
	}
	if err := os.MkdirAll(k.Dir, 0o700); err != nil {
		return withoutPath(err)
	}
	k.sweep()
	if err := safefile.WritePrivate(k.recordPath(l.key), append(b, '\n')); err != nil {
		return withoutPath(err)
	}
	if inFile && tell != nil && k.firstTime() {
		tell("warning: the refresh token is kept in a file that you alone can read: no keyring of the operating system answers")
	}
	return nil
}

// firstTime is true once.
func (k *Keeper) firstTime() bool {
	f, err := os.OpenFile(filepath.Join(k.Dir, warned), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return !errors.Is(err, fs.ErrExist)
	}
	_ = f.Close() // nothing was written
	return true
}

// forget removes what is kept of a login, and says whether there was anything.
// Hold the login's lock.
func (k *Keeper) forget(l named) (had bool, err error) {
	if k.Dir == "" {
		return false, nil
	}
	k.sweep()
	r, rerr := k.readRecord(l.key)
	if k.isKept(l) {
		err = k.keyring.remove(l.key)
		if r == nil || r.RefreshToken != "" {
			err = nil // at most an older one is in there, or one that it took too late
		}
	}
	if rmErr := os.Remove(k.recordPath(l.key)); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
		return true, errors.Join(err, withoutPath(rmErr))
	}
	return r != nil || rerr != nil, err
}

// abandonedAfter is the age from which an unfinished file is nobody's any more.
const abandonedAfter = 10 * time.Minute

// sweep removes what a killed writer left: it holds a refresh token.
func (k *Keeper) sweep() {
	names, err := os.ReadDir(k.Dir)
	if err != nil {
		return
	}
	for _, n := range names {
		info, err := n.Info()
		if err == nil && strings.HasPrefix(n.Name(), ".new-") && k.Now().Sub(info.ModTime()) > abandonedAfter {
			_ = os.Remove(filepath.Join(k.Dir, n.Name())) // tried again the next time
		}
	}
}

// records are all logins that are kept, by key.
func (k *Keeper) records() (map[string]*record, error) {
	out := map[string]*record{}
	if k.Dir == "" {
		return out, nil
	}
	names, err := os.ReadDir(k.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, withoutPath(err)
	}
	for _, n := range names {
		key, ok := strings.CutSuffix(n.Name(), ".json")
		if !ok {
			continue
		}
		if r, err := k.readRecord(key); err == nil && r != nil {
			out[key] = r
		}
	}
	return out, nil
}

// withoutPath is an error of a file that the caller names.
func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
