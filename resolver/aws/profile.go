package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"ambit/resolver"
	"ambit/resolver/safefile"
	"ambit/resolver/secret"
)

// sharedProfile is a profile of the user's AWS configuration, or why there is
// none.
type sharedProfile struct {
	config *config.SharedConfig
	err    error
}

// profileNamed reads a profile as the SDK does. A missing one is an error that
// wraps SharedConfigProfileNotExistError.
func (o *opening) profileNamed(name string) (*config.SharedConfig, error) {
	if p, ok := o.shared[name]; ok {
		return p.config, p.err
	}
	configFile, credentialsFile := o.configFiles()
	if err := openable(configFile, credentialsFile); err != nil {
		o.shared[name] = &sharedProfile{err: err}
		return nil, err
	}
	c, err := config.LoadSharedConfigProfile(context.Background(), name, func(l *config.LoadSharedConfigOptions) {
		l.ConfigFiles, l.CredentialsFiles = []string{configFile}, []string{credentialsFile}
	})
	p := &sharedProfile{config: &c, err: err}
	if err != nil {
		p.config = nil
	}
	o.shared[name] = p
	return p.config, p.err
}

// openable refuses what the SDK, which opens these files by itself and reads them
// to their end, would wait for or choke on. What is absent or closed to us it takes
// for empty, as other AWS programs do.
func openable(paths ...string) error {
	for _, path := range paths {
		if path == os.DevNull { // how people say that there is none
			continue
		}
		if _, err := safefile.Read(path); errors.Is(err, safefile.ErrNotRegular) || errors.Is(err, safefile.ErrTooLarge) {
			return config.SharedConfigLoadError{Filename: path, Err: err}
		}
	}
	return nil
}

func (o *opening) configFiles() (configFile, credentialsFile string) {
	configFile, _ = o.call.Env.Lookup("AWS_CONFIG_FILE")
	credentialsFile, _ = o.call.Env.Lookup("AWS_SHARED_CREDENTIALS_FILE")
	if home, _ := o.call.Env.Lookup("HOME"); home != "" {
		if configFile == "" {
			configFile = filepath.Join(home, ".aws", "config")
		}
		if credentialsFile == "" {
			credentialsFile = filepath.Join(home, ".aws", "credentials")
		}
	}
	if configFile == "" {
		configFile = config.DefaultSharedConfigFilename()
	}
	if credentialsFile == "" {
		credentialsFile = config.DefaultSharedCredentialsFilename()
	}
	return configFile, credentialsFile
}

// readConfigFiles notes that the user's configuration was read, and where it is.
func (o *opening) readConfigFiles() (files []string) {
	configFile, credentialsFile := o.configFiles()
	for _, path := range []string{configFile, credentialsFile} {
		if path != os.DevNull { // nothing to watch
			files = append(files, path)
		}
	}
	o.files = append(o.files, files...)
	return files
}

// activeName is the profile that the environment selects; false if none is
// named.
func (o *opening) activeName() (string, bool) {
	for _, name := range []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE"} {
		if value, _ := o.call.Env.Lookup(name); value != "" {
			return value, true
		}
	}
	return "default", false
}

// activeProfile is the profile whose region and endpoint count where no profile
// is asked for keys; nil if there is none.
func (o *opening) activeProfile() (*config.SharedConfig, error) {
	name, _ := o.activeName()
	p, err := o.profileNamed(name)
	// A profile that is absent or contradicts itself is not asked for keys here,
	// and so is nobody's business; a file that nobody can read may hold the
	// endpoint.
	var unreadable config.SharedConfigLoadError
	if errors.As(err, &unreadable) {
		return nil, o.profileError(name, err, nil)
	}
	return p, nil
}

// source makes the step whose keys sign: a profile, another login, or what the
// SDK's default chain would find. The profile returned gives region and
// endpoint.
func (o *opening) source(in resolver.Value, path []string) (*step, *config.SharedConfig, error) {
	switch {
	case has(in, "profile"):
		name := text(in, "profile")
		s, err := o.profile(name, append(path, "profile"))
		if err != nil {
			return nil, nil, err
		}
		p, err := o.profileNamed(name)
		return s, p, err
	case has(in, "login"):
		s, err := o.login(in.Object["login"], append(path, "login"))
		if err != nil {
			return nil, nil, err
		}
		p, err := o.activeProfile()
		return s, p, err
	}
	return o.defaultChain(path)
}

// defaultChain follows the SDK's order: keys in the environment, a web identity
// in the environment, the active profile with all it can say, a container, an
// instance.
func (o *opening) defaultChain(path []string) (*step, *config.SharedConfig, error) {
	s, err := o.environmentKeys(path)
	if err != nil {
		return nil, nil, err
	}
	if s != nil {
		p, err := o.activeProfile()
		return s, p, err
	}
	name, named := o.activeName()
	roleARN, _ := o.call.Env.Lookup("AWS_ROLE_ARN")
	tokenFile, _ := o.call.Env.Lookup("AWS_WEB_IDENTITY_TOKEN_FILE")
	if roleARN != "" && tokenFile != "" {
		p, err := o.activeProfile()
		if err != nil {
			return nil, nil, err
		}
		sessionName, _ := o.call.Env.Lookup("AWS_ROLE_SESSION_NAME")
		s, err := o.profileWebIdentity(roleARN, sessionName, tokenFile, p, path)
		return s, p, err
	}
	p, err := o.profileNamed(name)
	var missing config.SharedConfigProfileNotExistError
	if errors.As(err, &missing) && !named {
		if s := o.machineStep("", nil, "this machine"); s != nil {
			return s, nil, nil
		}
		return nil, nil, &resolver.OpenError{Kind: resolver.KindRefused, Path: path, Err: err,
			Summary: "there are no AWS keys to start from: none in the environment, and no profile \"default\"",
			Hint:    "name a source, such as source: {profile: NAME}"}
	}
	if err != nil {
		return nil, nil, o.profileError(name, err, path)
	}
	s, err = o.profileStep(p, path)
	return s, p, err
}

// environmentKeys are the keys in the environment, nil if there are none.
func (o *opening) environmentKeys(path []string) (*step, error) {
	first := func(names ...string) string {
		found := ""
		for _, name := range names {
			if value, _ := o.call.Env.Lookup(name); found == "" {
				found = value
			}
		}
		return found
	}
	k := keys{
		id:     first("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"),
		secret: secret.New(first("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY")),
		token:  secret.New(first("AWS_SESSION_TOKEN")),
	}
	// The SDK skips half a pair silently, other tools refuse it: which keys then
	// count should not be a guess.
	if (k.id == "") != (k.secret.Len() == 0) {
		return nil, &resolver.OpenError{Kind: resolver.KindRefused, Path: path,
			Summary: "the environment has only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
			Hint:    "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY"}
	}
	if k.id == "" {
		return nil, nil
	}
	return staticStep(k, "the environment's keys", false), nil
}

// profile makes the step of a profile asked for by name.
func (o *opening) profile(name string, path []string) (*step, error) {
	p, err := o.profileNamed(name)
	if err != nil {
		return nil, o.profileError(name, err, path)
	}
	return o.profileStep(p, path)
}

// profileStep takes a profile apart, so that each of its steps is kept for all
// that share it and asks the configured endpoint.
func (o *opening) profileStep(p *config.SharedConfig, path []string) (*step, error) {
	name := fmt.Sprintf("profile %q", p.Profile)
	// An edit is another question, and must not wait for a renewal to be noticed.
	o.readConfigFiles()
	var base *step
	var err error
	switch {
	case p.Source != nil: // a profile that names itself comes without its role here
		base, err = o.profileStep(p.Source, path)
	case p.Credentials.HasKeys():
		base = staticStep(profileKeys(p), name, false)
		base.link.Profile = p.Profile
	case p.CredentialSource == "Environment":
		if base, err = o.environmentKeys(path); base == nil && err == nil {
			err = &resolver.OpenError{Kind: resolver.KindRefused, Path: path,
				Summary: fmt.Sprintf("%s takes its keys from the environment, which has none", name),
				Hint:    "export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY before you enter the directory"}
		}
	case p.WebIdentityTokenFile != "":
		return o.profileWebIdentity(p.RoleARN, p.RoleSessionName, p.WebIdentityTokenFile, p, path)
	case hasSSO(p) && p.CredentialSource == "":
		if base, err = o.ssoProfile(p, path); err == nil {
			base.link.Profile = p.Profile
		}
	case p.LoginSession != "" && p.CredentialSource == "":
		return o.loginSessionStep(p, path)
	case p.CredentialProcess != "" && p.CredentialSource == "":
		base, err = o.processStep(p, path)
	default:
		if base = o.machineStep(p.CredentialSource, p, name); base != nil {
			break
		}
		if p.CredentialSource == "EcsContainer" {
			return nil, &resolver.OpenError{Kind: resolver.KindRefused, Path: path,
				Summary: fmt.Sprintf("%s takes its keys from a container, and this is none", name),
				Hint:    "check AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and AWS_CONTAINER_CREDENTIALS_FULL_URI"}
		}
		return nil, &resolver.OpenError{Kind: resolver.KindRefused, Path: path,
			Summary: fmt.Sprintf("%s has no credentials", name),
			Hint:    fmt.Sprintf("aws configure --profile %s", Word(p.Profile))}
	}
	if err != nil || p.RoleARN == "" {
		return base, err
	}
	r := assumedRole{roleARN: p.RoleARN, sessionName: p.RoleSessionName, externalID: p.ExternalID, duration: time.Hour, base: base}
	if r.sessionName == "" {
		r.sessionName = "ambit"
	}
	if p.RoleDurationSeconds != nil && *p.RoleDurationSeconds >= 15*time.Minute {
		if asked := *p.RoleDurationSeconds; asked > longest && base.role && o.trial == nil {
			r.capped = asked
		} else {
			r.duration, r.explicit = asked, true
		}
	}
	at, err := o.placeFor(p, p.RoleARN)
	if err != nil {
		return nil, err
	}
	if p.MFASerial != "" {
		if r.base, err = o.mfaStep(p.MFASerial, base, mfaDuration, at, p, path); err != nil {
			return nil, err
		}
	}
	s := o.assumedRoleStep(r, at, p)
	s.source, s.link.Profile = name, p.Profile
	return s, nil
}

func profileKeys(p *config.SharedConfig) keys {
	c := p.Credentials
	return keys{id: c.AccessKeyID, secret: secret.New(c.SecretAccessKey), token: secret.New(c.SessionToken)}
}

func (o *opening) profileWebIdentity(roleARN, sessionName, tokenFile string, p *config.SharedConfig, path []string) (*step, error) {
	if sessionName == "" {
		sessionName = "ambit"
	}
	at, err := o.placeFor(p, roleARN)
	if err != nil {
		return nil, err
	}
	s := o.webIdentityStep(webIdentity{roleARN: roleARN, sessionName: sessionName, duration: time.Hour,
		token: o.fileToken(tokenFile, path)}, at, p)
	s.link.Token = tokenFile
	if p != nil && p.WebIdentityTokenFile == tokenFile {
		s.link.Profile = p.Profile
	}
	return s, nil
}

func hasSSO(p *config.SharedConfig) bool { return p.SSOSession != nil || p.SSOStartURL != "" }

const unreadableHint = "it has to be a readable, regular file of at most 1 MiB"

// profileError words why a profile cannot be read. The SDK's own texts name
// files and profiles, and for a syntax error the line, which may be a secret.
func (o *opening) profileError(name string, err error, path []string) error {
	open := &resolver.OpenError{Kind: resolver.KindRefused, Path: path, Err: quiet{err}}
	files := o.readConfigFiles()
	var missing config.SharedConfigProfileNotExistError
	var role config.SharedConfigAssumeRoleError
	var load config.SharedConfigLoadError
	switch {
	case errors.As(err, &role):
		open.Summary = fmt.Sprintf("profile %q takes its keys from profile %q, which has none", name, role.Profile)
		open.Hint = fmt.Sprintf("aws configure --profile %s", Word(role.Profile))
	case errors.As(err, &missing):
		open.Summary = fmt.Sprintf("there is no AWS profile %q", missing.Profile)
		open.Hint = "aws configure list-profiles"
		for _, file := range files {
			// The SDK takes what it cannot open for empty.
			if _, err := safefile.Read(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
				open.Summary = fmt.Sprintf("cannot read the AWS configuration %q: %v", file, withoutPath(err))
				open.Hint = unreadableHint
				break
			}
		}
	case errors.As(err, &load):
		open.Summary = fmt.Sprintf("cannot read the AWS configuration %q", load.Filename)
		if errors.Is(err, safefile.ErrNotRegular) || errors.Is(err, safefile.ErrTooLarge) {
			open.Summary += ": " + withoutPath(load.Err).Error()
		}
		open.Hint = unreadableHint
	default:
		open.Summary = fmt.Sprintf("profile %q cannot be used", name)
		open.Hint = fmt.Sprintf("aws configure list --profile %s", Word(name))
	}
	return open
}

// sumOfProfile stands for everything that a profile and those it refers to say.
func sumOfProfile(p *config.SharedConfig) string {
	if p == nil {
		return ""
	}
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // a tree of texts and numbers
	}
	return hash(b)
}

func sumOf(s secret.Text) string { return hash([]byte(s.Reveal())) }

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
