package aws

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ambit/resolver"
	"ambit/resolver/safefile"
	"ambit/resolver/secret"
)

const maxToken = 64 << 10 // bytes

// tokenSource is where an OIDC token comes from. It is read at each
// acquisition, for tokens rotate.
type tokenSource struct {
	question map[string]any // its part of the key
	name     string         // for people
	path     []string       // the input it stands in
	read     func(ctx context.Context) ([]byte, error)
	cheap    bool                            // may be read only to compare
	made     string                          // step.made
	login    func(ctx context.Context) error // step.login
}

// tokenIdentity is whom a token speaks for.
type tokenIdentity struct {
	sum      string // hash of the token
	isJWT    bool
	iss, sub string
}

// oidcToken picks the source that the inputs name, or the first that the
// environment offers.
func (o *opening) oidcToken(in resolver.Value, given bool) (tokenSource, error) {
	at := func(name string) []string { return []string{"oidc", "token", name} }
	if !given {
		if path, _ := o.call.Env.Lookup("AWS_WEB_IDENTITY_TOKEN_FILE"); path != "" {
			return o.fileToken(path, []string{"oidc"}), nil
		}
		if url, _ := o.call.Env.Lookup("ACTIONS_ID_TOKEN_REQUEST_URL"); url != "" {
			return o.githubToken("sts.amazonaws.com", []string{"oidc"}), nil
		}
		return o.loginToken("default", []string{"oidc"}, func(error) error {
			return &resolver.OpenError{
				Kind: resolver.KindLogin, Path: []string{"oidc"},
				Summary: `there is no OIDC token: AWS_WEB_IDENTITY_TOKEN_FILE is not set, this is no GitHub Actions job, and there is no login "default"`,
				Hint:    "say where it comes from, such as token: {file: PATH}, {env: NAME}, {command: [PROGRAM]} or {login: NAME}",
			}
		}), nil
	}
	switch {
	case has(in, "file"):
		return o.fileToken(text(in, "file"), at("file")), nil
	case has(in, "env"):
		name := text(in, "env")
		return tokenSource{
			question: map[string]any{"env": name}, name: "variable " + name, path: at("env"), cheap: true,
			read: func(context.Context) ([]byte, error) {
				value, set := o.call.Env.Lookup(name)
				if !set {
					return nil, errors.New("is not set")
				}
				return []byte(value), nil
			},
		}, nil
	case has(in, "command"):
		var argv []string
		for i, v := range in.Object["command"].List {
			if v.Secret { // everybody on this machine can read a process's arguments
				return tokenSource{}, &resolver.OpenError{Path: append(at("command"), strconv.Itoa(i)),
					Summary: "an argument of a command must not be secret", Hint: "let the command read it from a file or the environment"}
			}
			argv = append(argv, v.Text)
		}
		dir := filepath.Dir(o.call.File)
		return tokenSource{
			question: map[string]any{"command": argv, "dir": dir}, name: "the token command", path: at("command"),
			read: func(ctx context.Context) ([]byte, error) {
				return o.RunCommand(ctx, resolver.Command{Argv: argv, Dir: dir, Env: o.call.Env, Timeout: o.limits.total})
			},
		}, nil
	case has(in, "githubActions"):
		audience := text(in.Object["githubActions"], "audience")
		if audience == "" {
			audience = "sts.amazonaws.com"
		}
		return o.githubToken(audience, at("githubActions")), nil
	case has(in, "login"):
		return o.loginToken(text(in, "login"), at("login"), func(err error) error { return err }), nil
	}
	return tokenSource{}, &resolver.OpenError{Path: []string{"oidc", "token"}, Summary: "token names no source",
		Hint: "one of file, env, command, githubActions, login"}
}

// loginToken is the token of a login in the user's settings. Absent words the error
// that there is no such login.
func (o *opening) loginToken(name string, path []string, absent func(error) error) tokenSource {
	get := func(ctx context.Context, asker resolver.Asker, patience resolver.Patience) ([]byte, error) {
		var err error = &resolver.OpenError{Path: path, Summary: fmt.Sprintf("there is no login %q", name), Hint: "name one of the logins in config.yaml"}
		var b []byte
		if o.LoginToken != nil {
			b, err = o.LoginToken(ctx, name, asker, patience)
		}
		var open *resolver.OpenError
		if errors.As(err, &open) {
			if open.Path == nil {
				open.Path = path
			}
			if open.Kind == resolver.KindDefinition {
				return nil, absent(open)
			}
		}
		return b, err
	}
	key := name
	if o.LoginKey != nil {
		key = o.LoginKey(name)
	}
	return tokenSource{
		question: map[string]any{"login": key}, name: fmt.Sprintf("login %q", name), path: path, made: loginOf(loginOIDC, name),
		read: func(ctx context.Context) ([]byte, error) { return get(ctx, nil, o.call.Patience) },
		login: func(ctx context.Context) error {
			_, err := get(ctx, o.call.Asker, o.call.Patience)
			return err
		},
	}
}

func (o *opening) fileToken(path string, at []string) tokenSource {
	return tokenSource{
		question: map[string]any{"file": path}, name: "token file " + strconv.Quote(path), path: at, cheap: true,
		read: func(context.Context) ([]byte, error) {
			if !filepath.IsAbs(path) {
				return nil, errors.New("is not an absolute path") // of what directory, nobody could say
			}
			b, err := safefile.Read(path)
			if err != nil {
				o.files = append(o.files, path) // its appearance is a reason to try again
			} else {
				o.retryOn(path)
			}
			return b, withoutPath(err)
		},
	}
}

// withoutPath is an error of a file whose path the caller names.
func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// githubToken asks the runner of a GitHub Actions job.
func (o *opening) githubToken(audience string, at []string) tokenSource {
	return tokenSource{
		question: map[string]any{"githubActions": audience}, name: "GitHub Actions", path: at,
		read: func(ctx context.Context) ([]byte, error) {
			address, _ := o.call.Env.Lookup("ACTIONS_ID_TOKEN_REQUEST_URL")
			bearer, _ := o.call.Env.Lookup("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
			u, err := url.Parse(address)
			if address == "" || bearer == "" || err != nil || u.Host == "" {
				return nil, &resolver.OpenError{
					Kind: resolver.KindRefused, Path: at,
					Summary: "GitHub Actions offers no OIDC token here",
					Hint:    "add `permissions: id-token: write` to the job",
				}
			}
			query := u.Query()
			query.Set("audience", audience)
			u.RawQuery = query.Encode()
			client := o.newHTTPClient(nil)
			var got struct{ Value string }
			err = o.getJSON(ctx, client, u.String(), http.Header{"Authorization": {"Bearer " + bearer}}, &got)
			if err == nil && got.Value == "" {
				err = errors.New("no token in the answer")
			}
			if _, a := client.answered(); a != nil && a.status >= 400 && a.status < 500 && a.status != http.StatusProxyAuthRequired && a.status != http.StatusTooManyRequests && !isWebPage(a) {
				return nil, &resolver.OpenError{Kind: resolver.KindRefused, Path: at, Err: quiet{err},
					Summary: fmt.Sprintf("GitHub's token service refused: %d %s", a.status, http.StatusText(a.status)),
					Hint:    "add `permissions: id-token: write` to the job"}
			}
			if err != nil {
				return nil, explain(ctx, err, client, trouble{service: "GitHub's token service", what: "the token", secrets: []secret.Text{secret.New(bearer)}})
			}
			return []byte(got.Value), nil
		},
	}
}

// acquire reads the token that is to be sent.
func (t tokenSource) acquire(ctx context.Context, now time.Time) (secret.Text, tokenIdentity, error) {
	raw, err := t.read(ctx)
	if err != nil {
		var open *resolver.OpenError
		if errors.As(err, &open) || errors.Is(err, context.Canceled) {
			return secret.Text{}, tokenIdentity{}, err
		}
		return secret.Text{}, tokenIdentity{}, &resolver.OpenError{
			Kind: resolver.KindRefused, Path: t.path, Err: err,
			Summary: fmt.Sprintf("no OIDC token: %s: %v", t.name, err),
			Hint:    "make the token available there, or name another source of it",
		}
	}
	token := string(bytes.TrimSpace(raw))
	bad := func(format string, args ...any) (secret.Text, tokenIdentity, error) {
		return secret.Text{}, tokenIdentity{}, &resolver.OpenError{
			Kind: resolver.KindRefused, Path: t.path,
			Summary: fmt.Sprintf("no OIDC token: %s: ", t.name) + fmt.Sprintf(format, args...),
			Hint:    "get a new token",
		}
	}
	switch {
	case token == "":
		return bad("is empty")
	case len(token) > maxToken:
		return bad("is larger than %d KiB", maxToken>>10)
	case strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return bad("holds more than one line, or no text")
	}
	id, exp := identify(token)
	if exp != 0 && now.Unix() >= exp {
		return bad("has expired %s ago", left(now.Sub(time.Unix(exp, 0))))
	}
	return secret.New(token), id, nil
}

// identify reads what a token says of itself, unverified. What is no JWT says
// nothing. Exp is in seconds since the Unix epoch, 0 if there is none.
func identify(token string) (id tokenIdentity, exp int64) {
	sum := sha256.Sum256([]byte(token))
	id.sum = hex.EncodeToString(sum[:])
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return id, 0
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return id, 0
	}
	var claims struct {
		Iss string  `json:"iss"`
		Sub string  `json:"sub"`
		Exp float64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return id, 0
	}
	id.isJWT, id.iss, id.sub = true, claims.Iss, claims.Sub
	if claims.Exp > 0 && claims.Exp < 1<<50 {
		exp = int64(claims.Exp)
	}
	return id, exp
}

// identity reads the token only to compare it; false if that is not cheap or
// there is none now, which is no reason to drop keys that still serve.
func (t tokenSource) identity() (tokenIdentity, bool) {
	if !t.cheap {
		return tokenIdentity{}, false
	}
	raw, err := t.read(context.Background())
	token := string(bytes.TrimSpace(raw))
	if err != nil || token == "" {
		return tokenIdentity{}, false
	}
	id, _ := identify(token)
	return id, true
}
