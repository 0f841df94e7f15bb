package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/cache"
	"ambit/resolver/safefile"
	"ambit/resolver/secret"
)

// With `deliver: profile` a shell gets no keys but AWS_PROFILE, and AWS_CONFIG_FILE
// with a copy of the user's own configuration that has this profile: programs ask
// `ambit credential-process` for keys, and again before they end. The copy's name is
// the hash of what is in it. It is there for as long as anybody may use it, longer
// than the shell that it was made for, and holds no keys of ours.

const (
	profilesRoom = "profiles"
	keepProfiles = 30 * 24 * time.Hour // after the last use
	profileUsed  = 24 * time.Hour      // how exactly that is known
)

// beforeProfile are the variables from which AWS programs would take credentials
// sooner than from a profile, or another profile. Source: the credential chains of
// botocore and of the SDK for Go.
var beforeProfile = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
	"AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_CREDENTIAL_EXPIRATION",
	"AWS_DEFAULT_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE",
}

// deliverByProfile replaces the AWS keys that an evaluation found by a profile, if
// the user wants that. If it cannot be done there is no result, rather than keys
// where the user wants none.
func (a *ambit) deliverByProfile(ctx context.Context, ev *evaluation, base hook.Environ) {
	conf, err := a.config()
	if err != nil || ev.result == nil || !conf.deliver.byProfile(ev.program.Names()) {
		return
	}
	r := ev.result
	id, key := variableOf(r, "AWS_ACCESS_KEY_ID"), variableOf(r, "AWS_SECRET_ACCESS_KEY")
	if id == nil || key == nil {
		return
	}
	profile := awsProfile{
		name: profileName(r.Label), command: []string{"credential-process", a.processSubject(ctx, ev, base)},
		region: region(func(name string) (string, bool) {
			v := variableOf(r, name)
			if v == nil {
				return "", false
			}
			return v.Value.Reveal(), true
		}),
	}
	file, err := a.writeProfile(ev, base, profile)
	if err != nil {
		ev.result = nil
		ev.diags = append(ev.diags, resolver.Diagnostic{
			// A file that is refused cannot be watched: it is tried again in a while.
			Kind: resolver.KindNetwork, Pos: resolver.Position{File: ev.root.File}, Summary: "deliver: profile: " + err.Error(), Hint: hintOf(err),
		})
		return
	}
	replaceKeys(r, profile.name, file)
	ev.byProfile = true
}

func variableOf(r *resolver.Result, name string) *resolver.Variable {
	i := slices.IndexFunc(r.Variables, func(v resolver.Variable) bool { return v.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Variables[i]
}

// processSubject is what `ambit credential-process` has to be told to give these
// keys: an environment's name where that alone gives the same, so that an edit in a
// repository does not stop a program that is running; else the file.
func (a *ambit) processSubject(ctx context.Context, ev *evaluation, base hook.Environ) string {
	if ev.root.Name != "" {
		return ev.root.Name
	}
	value := func(name string) string {
		if v := variableOf(ev.result, name); v != nil {
			return v.Value.Reveal()
		}
		return ""
	}
	for _, name := range slices.Backward(ev.program.Names()) {
		d, err := a.load(ctx, target{root: resolver.Root{Name: name}})
		if err != nil || d.program == nil {
			continue
		}
		// What was opened a moment ago serves.
		opt, _ := a.options(base, resolver.AtPrompt, false, d.consent)
		c, _ := d.program.Credentials(ctx, opt, "")
		if c != nil && c.AccessKeyID == value("AWS_ACCESS_KEY_ID") && c.SecretAccessKey.Reveal() == value("AWS_SECRET_ACCESS_KEY") &&
			c.SessionToken.Reveal() == value("AWS_SESSION_TOKEN") {
			return name
		}
	}
	return ev.root.File
}

// writeProfile makes the copy of the user's configuration with a profile and
// returns its path. What the copy was made from, and the copy, are watched.
func (a *ambit) writeProfile(ev *evaluation, base hook.Environ, profile awsProfile) (string, error) {
	config, err := a.userFile(ev, base, "AWS_CONFIG_FILE", "config")
	if err != nil {
		return "", err
	}
	credentials, err := a.userFile(ev, base, "AWS_SHARED_CREDENTIALS_FILE", "credentials")
	if err != nil {
		return "", err
	}
	if hasSection(credentials, profile.name) {
		return "", withHint(fmt.Errorf("the AWS credentials file has a section [%s], whose keys would be used instead", profile.name), "rename or delete that section")
	}
	program, err := a.programPath(base)
	if err != nil {
		return "", err
	}
	profile.command = append([]string{program}, profile.command...)
	text, err := profile.appendTo(config)
	if err != nil {
		return "", err
	}
	if len(text) > safefile.MaxSize { // what shells watch has that bound
		return "", withHint(errors.New("the AWS configuration leaves no room for a profile within 1 MiB"), "make it smaller")
	}
	path, err := a.keepProfile([]byte(text))
	if err != nil {
		return "", withHint(fmt.Errorf("the AWS configuration file cannot be written: %s", reason(err)), "see that there is room, and that ambit's cache directory is yours alone")
	}
	ev.result.Watched = append(ev.result.Watched, cache.Watched{Path: path, Digest: cache.Digest([]byte(text))})
	return path, nil
}

// programPath is an absolute path by which others can start this program: that which
// PATH finds, if it leads here, for a link outlives the version that it points to.
func (a *ambit) programPath(base hook.Environ) (string, error) {
	if path, err := lookup("ambit", base["PATH"]); err == nil && filepath.IsAbs(path) && same(path, a.self) {
		return path, nil
	}
	self, err := a.program()
	if err != nil {
		return "", err
	}
	return self[0], nil
}

// userFile is the file that AWS programs would read without us, by the variable that
// names it: that which the definition exports, else that from before loading.
func (a *ambit) userFile(ev *evaluation, base hook.Environ, name, standard string) (string, error) {
	for _, f := range ev.result.Files {
		if f.Name == name {
			return f.Content.Reveal(), nil
		}
	}
	path, set := base[name]
	for _, read := range []string{name, "HOME"} {
		value, set := base[read]
		ev.result.Reads = append(ev.result.Reads, cache.NewRead(read, value, set))
	}
	cache.SortReads(ev.result.Reads)
	ev.result.Reads = slices.Compact(ev.result.Reads)
	ev.reads = ev.result.Reads
	if v := variableOf(ev.result, name); v != nil {
		path, set = v.Value.Reveal(), true
	}
	switch rest, home := strings.CutPrefix(path, "~/"); {
	case !set || path == "":
		if a.places.Home == "" {
			return "", nil
		}
		path = filepath.Join(a.places.Home, ".aws", standard)
	case home && a.places.Home != "":
		path = filepath.Join(a.places.Home, rest)
	case !filepath.IsAbs(path):
		return "", withHint(errors.New(name+" is a relative path"), "write an absolute path")
	}
	if path == os.DevNull { // how people say that there is none
		return "", nil
	}
	ev.files = append(ev.files, path)
	b, err := safefile.Read(path)
	w := cache.Watched{Path: path, Absent: errors.Is(err, fs.ErrNotExist)}
	if err != nil && !w.Absent {
		return "", withHint(fmt.Errorf("the AWS configuration %s cannot be read: %s", a.places.Short(path, ""), reason(err)),
			"it has to be a readable, regular file of at most 1 MiB")
	}
	if !w.Absent {
		w.Digest = cache.Digest(b)
	}
	ev.result.Watched = append(ev.result.Watched, w)
	return string(b), nil
}

// keepProfile writes a generated configuration file, unless it is there, and sweeps
// those that nobody has used for long.
func (a *ambit) keepProfile(text []byte) (string, error) {
	if a.cacheDir == nil {
		return "", cache.ErrUnusable
	}
	room := filepath.Join(a.cacheDir.Path(), profilesRoom)
	if err := os.Mkdir(room, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	sum := sha256.Sum256(text)
	path := filepath.Join(room, hex.EncodeToString(sum[:16]))
	if b, _, err := safefile.ReadPrivate(path, a.uid); err == nil && string(b) == string(text) {
		a.useProfile(path)
		return path, nil
	}
	if err := safefile.WritePrivate(path, text); err != nil {
		return "", err
	}
	a.timeProfile(path)
	names, err := os.ReadDir(room)
	if err != nil {
		return "", err
	}
	for _, n := range names {
		if info, err := n.Info(); err == nil && a.now().Sub(info.ModTime()) > keepProfiles {
			_ = os.Remove(filepath.Join(room, n.Name())) // tried again the next time
		}
	}
	return path, nil
}

// useProfile notes that a generated file is in use. Its mtime says when, to the day:
// shells watch it, and what they watch should keep still.
func (a *ambit) useProfile(path string) {
	if info, err := os.Lstat(path); err == nil && a.now().Sub(info.ModTime()) > profileUsed {
		a.timeProfile(path)
	}
}

// timeProfile sets an mtime that a shell need not wait for to age. If it fails the
// file is swept a little early, and made anew.
func (a *ambit) timeProfile(path string) {
	at := a.now().Add(-time.Minute)
	_ = os.Chtimes(path, at, at)
}

// isGenerated says whether a path is that of a generated configuration file.
func (a *ambit) isGenerated(path string) bool {
	return a.cacheDir != nil && filepath.Dir(path) == filepath.Join(a.cacheDir.Path(), profilesRoom)
}

// profileSubject is what the credential_process of the profile in this environment
// asks for, if it is one of ours.
func (a *ambit) profileSubject() (subject string, ok bool) {
	path := a.environ["AWS_CONFIG_FILE"]
	if !a.isGenerated(path) {
		return "", false
	}
	b, _, err := safefile.ReadPrivate(path, a.uid)
	if err != nil {
		return "", false
	}
	return processSubjectIn(string(b), a.environ["AWS_PROFILE"])
}

// replaceKeys takes the credentials out of a result and puts the profile in. How long
// they live is then the business of whoever asks for them.
func replaceKeys(r *resolver.Result, name, file string) {
	gone := func(n string) bool {
		return slices.Contains(beforeProfile, n) || n == "AWS_PROFILE" || n == "AWS_CONFIG_FILE"
	}
	credential := variableOf(r, "AWS_ACCESS_KEY_ID").Credential
	r.Variables = slices.DeleteFunc(r.Variables, func(v resolver.Variable) bool { return gone(v.Name) })
	r.Files = slices.DeleteFunc(r.Files, func(f resolver.FileVariable) bool { return gone(f.Name) })
	r.Unset = append(slices.DeleteFunc(r.Unset, gone), beforeProfile...)
	slices.Sort(r.Unset)
	r.Variables = append(r.Variables,
		resolver.Variable{Name: "AWS_CONFIG_FILE", Value: secret.New(file), Credential: -1},
		resolver.Variable{Name: "AWS_PROFILE", Value: secret.New(name), Credential: credential})
	slices.SortFunc(r.Variables, func(x, y resolver.Variable) int { return strings.Compare(x.Name, y.Name) })
	r.RefreshAt, r.ExpiresAt = time.Time{}, time.Time{}
	for _, v := range r.Variables {
		r.RefreshAt, r.ExpiresAt = earliest(r.RefreshAt, v.RefreshAt), earliest(r.ExpiresAt, v.ExpiresAt)
	}
	for _, f := range r.Files {
		r.RefreshAt, r.ExpiresAt = earliest(r.RefreshAt, f.RefreshAt), earliest(r.ExpiresAt, f.ExpiresAt)
	}
	for i := range r.Credentials {
		used := slices.ContainsFunc(r.Variables, func(v resolver.Variable) bool { return v.Credential == i && !v.ExpiresAt.IsZero() })
		if !used {
			r.Credentials[i].RefreshAt, r.Credentials[i].ExpiresAt = 0, 0
		}
	}
}

// earliest is the earlier of two instants, of which zero is never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
