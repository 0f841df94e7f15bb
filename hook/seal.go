package hook

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"

	"ambit/resolver/cache"
	"ambit/resolver/safefile"
)

// maxState is the most bytes that [StateVar] may have: with more the shell
// comes near to being unable to start programs.
const maxState = 64 << 10

// sealForm is the first byte of a sealed session: which form follows.
const sealForm = "1"

// errSeal is the error of a state that was not sealed with our keys.
var errSeal = errors.New("sealed by another user or machine, or damaged")

// Keys seal sessions, so that a printed or logged environment shows none of the
// values that are waiting in it to be restored.
type Keys struct {
	seal cipher.AEAD
	hash []byte
}

// LoadKeys reads the keys from the state directory, and makes them if there are
// none yet.
func LoadKeys(p Places, uid int) (*Keys, error) {
	if p.State == "" {
		return nil, errors.New("there is no home directory to keep the session key in")
	}
	path := filepath.Join(p.State, "key")
	b, _, err := safefile.ReadPrivate(path, uid)
	if errors.Is(err, fs.ErrNotExist) {
		b, err = makeKeys(path, uid)
	}
	if err != nil {
		return nil, err
	}
	if len(b) != 64 {
		return nil, fmt.Errorf("%q is not a key file", path)
	}
	block, err := aes.NewCipher(b[:32])
	if err != nil {
		return nil, err
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Keys{seal: seal, hash: b[32:]}, nil
}

// makeKeys lets exactly one of several shells that start at once make the file:
// a link fails where one is, a rename would replace the keys of a live session.
func makeKeys(path string, uid int) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	b := make([]byte, 64)
	_, _ = rand.Read(b) // never fails
	temp := fmt.Sprintf("%s-%016x", path, mathrand.Uint64())
	if err := cache.WritePrivate(temp, b); err != nil {
		return nil, err
	}
	err := os.Link(temp, path)
	if rerr := os.Remove(temp); err == nil {
		err = rerr
	}
	if errors.Is(err, fs.ErrExist) {
		b, _, err = safefile.ReadPrivate(path, uid)
	}
	return b, err
}

// Hash is a keyed hash of a variable's value. It lets us tell our value from
// another one without keeping it.
func (k *Keys) Hash(name, value string) (sum [16]byte) {
	mac := hmac.New(sha256.New, k.hash)
	mac.Write([]byte(name))
	mac.Write([]byte{0})
	mac.Write([]byte(value))
	copy(sum[:], mac.Sum(nil))
	return sum
}

// Seal encrypts. The nonce is made from the plaintext, so that the same session
// gives the same bytes and a prompt at which nothing changes says nothing.
func (k *Keys) Seal(plain []byte) string {
	mac := hmac.New(sha256.New, k.hash)
	mac.Write(plain)
	nonce := mac.Sum(nil)[:k.seal.NonceSize()]
	sealed := k.seal.Seal(nonce, nonce, plain, []byte(StateVar+sealForm))
	return sealForm + base64.RawURLEncoding.EncodeToString(sealed)
}

// Unseal reverses Seal.
func (k *Keys) Unseal(state string) ([]byte, error) {
	if len(state) > maxState || len(state) < len(sealForm) || state[:len(sealForm)] != sealForm {
		return nil, errSeal
	}
	// Strict: several spellings of one state would be one too many.
	b, err := base64.RawURLEncoding.Strict().DecodeString(state[len(sealForm):])
	n := k.seal.NonceSize()
	if err != nil || len(b) < n {
		return nil, errSeal
	}
	plain, err := k.seal.Open(nil, b[:n], b[n:], []byte(StateVar+sealForm))
	if err != nil {
		return nil, errSeal
	}
	return plain, nil
}
