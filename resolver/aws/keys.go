package aws

import (
	"context"
	"encoding/base32"
	"fmt"
	"regexp"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"ambit/resolver/cache/wire"
	"ambit/resolver/secret"
)

// keys are a set of AWS credentials and what is known about them.
type keys struct {
	id            string
	secret, token secret.Text
	expiration    time.Time // AWS's own instant, by its clock; zero: they do not expire
	arn           string    // of the role or session, "" if nobody said
	role          bool      // they are a role's: what they assume is chained
	granted       int64     // seconds, if AWS granted fewer than were asked, else 0
	iss, sub      string    // of the token they were given for, "" for others
}

// kept is keys as they lie in the cache. Instants are seconds since the Unix
// epoch by this machine's clock.
type kept struct {
	keys
	refreshAt, expiresAt int64
	failing              string // why they could not be renewed
}

// provide lets the SDK sign with the keys.
func (k keys) provide() sdk.CredentialsProvider {
	return sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) {
		return sdk.Credentials{
			AccessKeyID: k.id, SecretAccessKey: k.secret.Reveal(), SessionToken: k.token.Reveal(), Source: "ambit",
		}, nil
	})
}

// check refuses what cannot stand in a header: a white space or a control
// character, which the SDK would send or stumble over with a riddle. It names
// the part, never the value.
func (k keys) check() error {
	for _, part := range []struct{ name, text string }{
		{"accessKeyId", k.id}, {"secretAccessKey", k.secret.Reveal()}, {"sessionToken", k.token.Reveal()},
	} {
		for _, c := range part.text {
			if c <= ' ' || c >= 0x7f {
				return fmt.Errorf("%s holds white space or another character that no key has", part.name)
			}
		}
	}
	switch {
	case k.id == "":
		return fmt.Errorf("accessKeyId is empty")
	case k.secret.Len() == 0:
		return fmt.Errorf("secretAccessKey is empty")
	}
	return nil
}

var accountInARN = regexp.MustCompile(`^arn:[^:]*:(?:iam|sts)::([0-9]{12}):`)

// account is the number of the account that the keys belong to, or "".
func (k keys) account() string {
	if m := accountInARN.FindStringSubmatch(k.arn); m != nil {
		return m[1]
	}
	return AccountOfKeyID(k.id)
}

var modernKeyID = regexp.MustCompile(`^A[KS]IA[A-Z2-7]{16}$`)

// AccountOfKeyID reads the account out of an access key id: ids made since 2019
// hold it in 40 of their bits. Others, and what is no key id, give "".
func AccountOfKeyID(id string) string {
	// Older ids have their first bit unset: the fifth character is one from A to P.
	if !modernKeyID.MatchString(id) || id[4] >= 'A' && id[4] < 'Q' {
		return ""
	}
	b, err := base32.StdEncoding.DecodeString(id[4:])
	if err != nil {
		return ""
	}
	var n uint64
	for _, c := range b[:6] {
		n = n<<8 | uint64(c)
	}
	return fmt.Sprintf("%012d", n&0x7fffffffff80>>7)
}

// payload is what the cache keeps of a step.
type payload struct {
	keys    *keys  // the last ones, or nil
	refused string // sum of the token that was last refused, so that another one is tried at once
	made    string // step.made
}

// payloadMark tells our payloads from those of other providers.
const payloadMark = "aws-login 3"

func (p payload) encode() []byte {
	var w wire.Encoder
	w.String(payloadMark)
	w.String(p.refused)
	w.String(p.made)
	w.Bool(p.keys != nil)
	if k := p.keys; k != nil {
		w.String(k.id)
		w.String(k.secret.Reveal())
		w.String(k.token.Reveal())
		w.Int(unix(k.expiration))
		w.String(k.arn)
		w.Bool(k.role)
		w.Int(k.granted)
		w.String(k.iss)
		w.String(k.sub)
	}
	return w.Bytes()
}

func decodePayload(b []byte) (payload, error) {
	d := wire.NewDecoder(b)
	if d.String() != payloadMark {
		return payload{}, wire.ErrMalformed
	}
	p := payload{refused: d.String(), made: d.String()}
	if d.Bool() {
		k := &keys{id: d.String(), secret: secret.New(d.String()), token: secret.New(d.String())}
		if seconds := d.Int(); seconds != 0 {
			k.expiration = time.Unix(seconds, 0).UTC()
		}
		k.arn, k.role, k.granted = d.String(), d.Bool(), d.Int()
		k.iss, k.sub = d.String(), d.String()
		p.keys = k
	}
	return p, d.End()
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// scrub takes the secrets of a call out of a text that came from outside: an
// answer may echo what it was sent.
func scrub(text string, secrets ...secret.Text) string {
	for _, s := range secrets {
		if s.Len() >= 4 {
			text = strings.ReplaceAll(text, s.Reveal(), secret.Redacted)
		}
	}
	return text
}
