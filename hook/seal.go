package hook

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ambit/resolver/safefile"

	"github.com/gofrs/flock"
)

// maxState is the most bytes that [StateVar] may have: with more the shell
// comes near to being unable to start programs.
const maxState = 64 << 10

// sealForm is the first byte of a sealed session: which form follows.
const sealForm = "1"

// errSeal is the error of a state that was not sealed with our keys.
var errSeal = errors.New("sealed by another user or machine, or damaged")

// Keys seal sessions, so that a printed or logged environment shows none of the
// values that are waiting in it to be restored. They are not for concurrent use.
type Keys struct {
	aead    cipher.AEAD
	mac     hash.Hash // reset before each use
	hash    []byte    // the key of [Keys.Hash]
	scratch []byte
}

// LoadKeys reads the keys from the state directory, and makes them if there are
// none yet.
func LoadKeys(p Places, uid int) (*Keys, error) {
	if p.State == "" {
		return nil, errors.New("there is no home directory to keep the session key in")
	}
	path := p.State + "/key"
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
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Keys{aead: aead, mac: hmac.New(sha256.New, b[32:]), hash: b[32:]}, nil
}

// makeKeys makes the file under a lock: of several shells that start at once all
// must get the same keys, and later ones must not replace those of a live session.
func makeKeys(path string, uid int) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	defer lock.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if ok, err := lock.TryLockContext(ctx, 5*time.Millisecond); !ok && errors.Is(err, context.DeadlineExceeded) {
		return nil, err
	}
	b, _, err := safefile.ReadPrivate(path, uid)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	if b, err = random(64); err != nil {
		return nil, err
	}
	return b, safefile.WritePrivate(path, b)
}

// random returns bytes of the system's generator. Package crypto/rand would, too,
// but linking it costs a thirtieth of a prompt, and this is done once in a user's
// life.
func random(n int) ([]byte, error) {
	f, err := os.Open("/dev/urandom")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, n)
	_, err = io.ReadFull(f, b)
	return b, err
}

// Hash is a keyed hash of a variable's value. It lets us tell our value from
// another one without keeping it. SHA-256 over the key and the rest: what HMAC
// adds, for twice the time, is against lengthening a hash, and this one is cut.
func (k *Keys) Hash(name, value string) (sum [16]byte) {
	k.scratch = append(append(append(append(k.scratch[:0], k.hash...), name...), 0), value...)
	long := sha256.Sum256(k.scratch)
	return [16]byte(long[:16])
}

// Seal encrypts. The nonce is made from the plaintext, so that the same session
// gives the same bytes and a prompt at which nothing changes says nothing.
func (k *Keys) Seal(plain []byte) string { return k.seal("", plain) }

// seal is Seal with something before it.
func (k *Keys) seal(before string, plain []byte) string {
	k.mac.Reset()
	k.mac.Write(plain)
	n := k.aead.NonceSize()
	sealed := k.mac.Sum(make([]byte, 0, n+len(plain)+k.aead.Overhead()+sha256.Size))[:n]
	sealed = k.aead.Seal(sealed, sealed, plain, []byte(StateVar+sealForm))
	var out strings.Builder
	out.Grow(len(before) + len(sealForm) + (len(sealed)*4+2)/3)
	out.WriteString(before)
	out.WriteString(sealForm)
	var text [1024]byte
	for part := range slices.Chunk(sealed, len(text)/4*3) {
		out.Write(appendBase64(text[:0], part))
	}
	return out.String()
}

// Unseal reverses Seal.
func (k *Keys) Unseal(state string) ([]byte, error) {
	if len(state) > maxState || len(state) < len(sealForm) || state[:len(sealForm)] != sealForm {
		return nil, errSeal
	}
	b, ok := parseBase64(state[len(sealForm):])
	n := k.aead.NonceSize()
	if !ok || len(b) < n {
		return nil, errSeal
	}
	plain, err := k.aead.Open(nil, b[:n], b[n:], []byte(StateVar+sealForm))
	if err != nil {
		return nil, errSeal
	}
	return plain, nil
}
