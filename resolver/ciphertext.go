package resolver

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"ambit/resolver/safefile"
)

// The envelope of a ciphertext is that of Pulumi ESC: "escx", the version as a
// big-endian number of 32 bits, the encrypted bytes, and the CRC-32 (IEEE) of
// all before it. The encrypted bytes are an age file
// (https://c2sp.org/age).
const (
	envelopeMagic   = "escx"
	envelopeVersion = 1
	envelopeFrame   = len(envelopeMagic) + 4 + 4
)

var (
	errNotEnvelope = errors.New("the ciphertext is not base64 of an envelope that begins with escx")
	errChecksum    = errors.New("the ciphertext is damaged: its checksum does not match")
)

// sealEnvelope writes encrypted bytes in their envelope, as base64.
func sealEnvelope(payload []byte) string {
	b := append([]byte(envelopeMagic), 0, 0, 0, envelopeVersion)
	b = append(b, payload...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.StdEncoding.EncodeToString(b)
}

// openEnvelope takes encrypted bytes out of their envelope. Line breaks in the
// base64 do not count.
func openEnvelope(text string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) < envelopeFrame || !strings.HasPrefix(string(b), envelopeMagic) {
		return nil, errNotEnvelope
	}
	body, sum := b[:len(b)-4], b[len(b)-4:]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(sum) {
		return nil, errChecksum
	}
	if v := binary.BigEndian.Uint32(body[len(envelopeMagic):]); v != envelopeVersion {
		return nil, fmt.Errorf("the ciphertext has the version %d, and only %d is supported", v, envelopeVersion)
	}
	return body[len(envelopeMagic)+4:], nil
}

// Encrypt returns the text for `fn::secret: {ciphertext: …}` that only the
// recipients can decrypt. There is at least one.
func Encrypt(plaintext []byte, to []Recipient) (string, error) {
	var keys []age.Recipient
	for _, r := range to {
		keys = append(keys, r.key)
	}
	var b bytes.Buffer
	w, err := age.Encrypt(&b, keys...)
	if err != nil {
		return "", fmt.Errorf("cannot encrypt: %w", err)
	}
	if _, err := w.Write(plaintext); err != nil {
		return "", fmt.Errorf("cannot encrypt: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("cannot encrypt: %w", err)
	}
	return sealEnvelope(b.Bytes()), nil
}

// Why a ciphertext cannot be decrypted, besides a damaged envelope and
// identities that cannot be read.
var (
	ErrNoIdentity  = errors.New("no identity fits the ciphertext")
	errNotAge      = errors.New("the ciphertext is not an age file")
	errTooMuchText = errors.New("the decrypted text is larger than 1 MiB")
)

// Decrypt returns the plaintext of a ciphertext. The error wraps
// [ErrNoIdentity] if it is encrypted for others; no error holds a secret.
func (i *Identities) Decrypt(ciphertext string) ([]byte, error) {
	payload, err := openEnvelope(ciphertext)
	if err != nil {
		return nil, err
	}
	keys, err := i.load()
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, ErrNoIdentity
	}
	r, err := age.Decrypt(bytes.NewReader(payload), keys...)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return nil, ErrNoIdentity
	case err != nil:
		return nil, errNotAge
	}
	b, err := io.ReadAll(io.LimitReader(r, maxComputed+1))
	switch {
	case err != nil:
		return nil, errNotAge
	case len(b) > maxComputed:
		return nil, errTooMuchText
	}
	return b, nil
}

// decryptedShape is the text of a fn::secret that is kept encrypted.
func (ev *evaluator) decryptedShape(e *expr) shape {
	out := unknownAt(e.pos())
	out.value.Secret = true
	if !ev.decrypts {
		if _, err := openEnvelope(e.call.envelope); err != nil {
			ev.report(e.env, e.call.arg.pos(), err.Error(), "")
		}
		return out
	}
	b, err := ev.opt.Identities.Decrypt(e.call.envelope)
	if err != nil {
		ev.report(e.env, e.call.arg.pos(), err.Error(), ev.identityHint(e, err))
		return out
	}
	return shape{value: Value{Kind: String, Text: string(b), Secret: true, Pos: e.call.arg.pos()}}
}

// identityHint says whose identity would fit.
func (ev *evaluator) identityHint(e *expr, err error) string {
	switch {
	case errors.Is(err, safefile.ErrOpenMode):
		return `chmod 600 it, then run "ambit reload"` // the content, which is watched, stays
	case !errors.Is(err, ErrNoIdentity) || ev.opt.Identities == nil:
		return ""
	}
	where := ev.opt.Identities.own
	if rest, ok := strings.CutPrefix(where, ev.p.options.Home+string(filepath.Separator)); ok {
		where = "~/" + rest
	}
	hint := "put an age or SSH key that fits into " + where
	if ev.opt.Identities.locked != "" {
		hint += "; one with a passphrase cannot be used"
	}
	if names := recipientNames(e.env.path, e.env.store); names != "" {
		hint += "; the recipients are " + names
	}
	return hint
}
