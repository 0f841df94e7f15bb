package doctor

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"ambit/resolver/aws"
	"ambit/resolver/secret"
)

// A step is a place where a reader stops to look for credentials: it has some, or
// says where they come from.
type step struct {
	source  Source
	rank    int    // among all places, in the order of the AWS CLI v1
	trouble string // why the reader stops here with an error instead, "" if it does not
}

// The ranks of the places.
const (
	inEnvironment = iota
	inGoEnvironment
	inRole
	inWebIdentity
	inSSO
	inCredentials
	inLogin
	inProcess
	inConfig
	inLegacy
	inContainer
	inInstance
	inOtherProfile
)

// sources are the places that hold credentials, in the order of the AWS CLI v1:
// all that any reader would come to, and then those of other profiles. The
// instance's metadata are one only where they gave credentials.
func (x *examination) sources() []Source {
	x.survey()
	return slices.DeleteFunc(slices.Clone(x.places), func(s Source) bool { return s.Kind == "instance" && !x.onInstance.Load() })
}

// winner is the place that a reader takes its credentials from, and why it then
// fails, if that is known offline. The metadata of an instance win where nothing
// else does, whether there is an instance or not. False: no place is left.
func (x *examination) winner(r reader) (source Source, trouble string, ok bool) {
	x.survey()
	if len(x.chains[r]) == 0 {
		return Source{}, "", false
	}
	first := x.chains[r][0]
	return first.source, first.trouble, true
}

func (x *examination) survey() {
	x.look.Do(func() {
		type place struct {
			Source
			rank int
		}
		var found []place
		for _, r := range readers {
			chain := x.goChain()
			if r.python() {
				chain = x.botocoreChain(r)
			}
			x.chains[r] = chain
			for i, s := range chain {
				at := slices.IndexFunc(found, func(p place) bool { return p.Place == s.source.Place && p.Kind == s.source.Kind })
				if at < 0 {
					at = len(found)
					found = append(found, place{s.source, s.rank})
					found[at].CLI1, found[at].CLI2, found[at].Go = Unread, Unread, Unread
				}
				standing := Shadowed
				if i == 0 {
					standing = Wins
				}
				switch r {
				case cli1:
					found[at].CLI1 = standing
				case cli2:
					found[at].CLI2 = standing
				case goSDK:
					found[at].Go = standing
				}
			}
		}
		for _, s := range x.otherProfiles() {
			if !slices.ContainsFunc(found, func(p place) bool { return p.Place == s.Place }) {
				found = append(found, place{s, inOtherProfile})
			}
		}
		slices.SortStableFunc(found, func(a, b place) int { return cmp.Compare(a.rank, b.rank) })
		for _, p := range found {
			x.places = append(x.places, p.Source)
		}
	})
}

// mostOthers is how many profiles that are not in force are told.
const mostOthers = 50

// otherProfiles are the keys in the files that need --profile.
func (x *examination) otherProfiles() (out []Source) {
	for _, r := range []reader{cli1, goSDK} {
		profiles := x.profiles(r)
		for _, p := range sortedProfiles(profiles) {
			if len(out) == mostOthers {
				return out
			}
			if p.get("aws_access_key_id") == "" || p.get("aws_secret_access_key") == "" {
				continue
			}
			s := x.ofProfile(p, "keys", "aws_access_key_id")
			if !slices.ContainsFunc(out, func(o Source) bool { return o.Place == s.Place }) {
				s.CLI1, s.CLI2, s.Go = Unread, Unread, Unread
				out = append(out, s)
			}
		}
	}
	return out
}

func sortedProfiles(profiles map[string]*profile) []*profile {
	var out []*profile
	for _, p := range profiles {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *profile) int { return cmp.Compare(a.name, b.name) })
	return out
}

// botocoreChain are the places where the AWS CLI and boto3 look, without an
// option that names a profile. Source: create_credential_resolver of botocore
// 1.43, which the AWS CLI v2 has a copy of.
func (x *examination) botocoreChain(r reader) (chain []step) {
	add := func(rank int, s Source, trouble string) { chain = append(chain, step{s, rank, trouble}) }
	name, _ := x.profileInForce(r)
	if name == "" {
		name = "default"
	}
	p := x.profile(r, name)

	if x.env("AWS_ACCESS_KEY_ID") != "" {
		trouble := ""
		if x.env("AWS_SECRET_ACCESS_KEY") == "" {
			trouble = "AWS_SECRET_ACCESS_KEY is missing"
		}
		add(inEnvironment, x.ofEnvironment("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", x.env("AWS_SECURITY_TOKEN")), trouble)
	}
	if p.has("role_arn") && !p.has("web_identity_token_file") {
		add(inRole, x.ofProfile(p, "role", "role_arn"), x.roleTrouble(r, p))
	}
	x.botocoreProfile(add, r, name, true)
	if s, ok := x.legacy(); ok {
		add(inLegacy, s, "")
	}
	x.machine(add, x.has("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || x.has("AWS_CONTAINER_CREDENTIALS_FULL_URI"))
	return chain
}

// botocoreProfile are the places that a profile names, but for its role; with
// environment the variables of a web identity come first.
func (x *examination) botocoreProfile(add func(int, Source, string), r reader, name string, environment bool) {
	p, files := x.profile(r, name), x.files(r)
	if variable := "AWS_WEB_IDENTITY_TOKEN_FILE"; environment && x.has(variable) {
		if x.env(variable) != "" {
			trouble := ""
			if x.env("AWS_ROLE_ARN") == "" && (x.has("AWS_ROLE_ARN") || p.get("role_arn") == "") {
				trouble = "AWS_ROLE_ARN is missing"
			}
			add(inWebIdentity, x.webIdentity(), trouble)
		}
	} else if p.get("web_identity_token_file") != "" {
		trouble := ""
		arn := p.get("role_arn")
		if environment && x.has("AWS_ROLE_ARN") {
			arn = x.env("AWS_ROLE_ARN") // an empty one hides the profile's
		}
		if arn == "" {
			trouble = "role_arn is missing"
		}
		add(inWebIdentity, x.ofProfile(p, "web identity", "web_identity_token_file"), trouble)
	}
	if p.has("sso_role_name") || p.has("sso_account_id") {
		key := "sso_role_name"
		if !p.has(key) {
			key = "sso_account_id"
		}
		add(inSSO, x.ofProfile(p, "sso", key), x.ssoTrouble(r, p))
	}
	if s := files.credentials.by(r).sections[name]; s != nil {
		x.fileStep(add, inCredentials, files.credentials, name, s.values)
	}
	if p.has("login_session") {
		add(inLogin, x.ofProfile(p, "login_session", "login_session"), "")
	}
	if p.has("credential_process") {
		add(inProcess, x.ofProfile(p, "credential_process", "credential_process"), "")
	}
	config := files.config.by(r)
	for i := len(config.names) - 1; i >= 0; i-- {
		if named, _ := profileNamed(r, config.names[i]); named == name {
			x.fileStep(add, inConfig, files.config, name, config.sections[config.names[i]].values)
			break
		}
	}
}

// fileStep adds the keys of a file, where there is an id. botocore compares the
// two files one by one, so that half of a pair in one is not made whole by the
// other.
func (x *examination) fileStep(add func(int, Source, string), rank int, f *file, name string, values map[string]entry) {
	id, ok := values["aws_access_key_id"]
	if !ok {
		return
	}
	p := &profile{name: name, values: map[string]setting{}, file: f, line: id.line}
	for key, e := range values {
		p.values[key] = setting{e, f}
	}
	trouble := ""
	if !p.has("aws_secret_access_key") {
		trouble = "aws_secret_access_key is missing"
	}
	add(rank, x.ofProfile(p, "keys", "aws_access_key_id"), trouble)
}

// goChain are the places where the Go SDK looks. Source: resolveCredentialChain of
// config 1.33.
func (x *examination) goChain() (chain []step) {
	add := func(rank int, s Source, trouble string) { chain = append(chain, step{s, rank, trouble}) }
	id, secretName := "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
	if x.env(id) == "" {
		id = "AWS_ACCESS_KEY"
	}
	if x.env(secretName) == "" {
		secretName = "AWS_SECRET_KEY"
	}
	if x.env(id) != "" && x.env(secretName) != "" {
		rank := inEnvironment
		if id == "AWS_ACCESS_KEY" {
			rank = inGoEnvironment
		}
		add(rank, x.ofEnvironment(id, secretName, ""), "")
	}
	if x.env("AWS_WEB_IDENTITY_TOKEN_FILE") != "" {
		trouble := ""
		if x.env("AWS_ROLE_ARN") == "" {
			trouble = "AWS_ROLE_ARN is missing"
		}
		add(inWebIdentity, x.webIdentity(), trouble)
	}
	name, _ := x.profileInForce(goSDK)
	p := x.profile(goSDK, name)
	keys := p.get("aws_access_key_id") != "" && p.get("aws_secret_access_key") != ""
	// The role is put on top of whatever the profile says otherwise; a web identity
	// is for that role itself.
	onTop := p.get("web_identity_token_file") == "" || keys || p.get("source_profile") != "" || p.get("credential_source") != ""
	if p.get("role_arn") != "" && onTop {
		add(inRole, x.ofProfile(p, "role", "role_arn"), x.roleTrouble(goSDK, p))
	}
	x.goProfile(add, p)
	x.machine(add, x.env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "" || x.env("AWS_CONTAINER_CREDENTIALS_FULL_URI") != "")
	return chain
}

// goProfile are the places that a profile names, but for its role.
func (x *examination) goProfile(add func(int, Source, string), p *profile) {
	if p.get("aws_access_key_id") != "" && p.get("aws_secret_access_key") != "" {
		rank := inCredentials
		if p.values["aws_access_key_id"].file == x.files(goSDK).config {
			rank = inConfig
		}
		add(rank, x.ofProfile(p, "keys", "aws_access_key_id"), "")
	}
	if p.get("web_identity_token_file") != "" {
		trouble := ""
		if p.get("role_arn") == "" {
			trouble = "role_arn is missing"
		}
		add(inWebIdentity, x.ofProfile(p, "web identity", "web_identity_token_file"), trouble)
	}
	for _, key := range []string{"sso_session", "sso_account_id", "sso_role_name", "sso_start_url", "sso_region"} {
		if p.get(key) != "" {
			if p.get("sso_account_id") != "" || p.get("sso_role_name") != "" {
				key = "sso_role_name" // as botocore's
				if !p.has(key) {
					key = "sso_account_id"
				}
			}
			add(inSSO, x.ofProfile(p, "sso", key), x.ssoTrouble(goSDK, p))
			break
		}
	}
	if p.get("login_session") != "" {
		add(inLogin, x.ofProfile(p, "login_session", "login_session"), "")
	}
	if p.get("credential_process") != "" {
		add(inProcess, x.ofProfile(p, "credential_process", "credential_process"), "")
	}
}

// machine adds what the machine itself may hand out.
func (x *examination) machine(add func(int, Source, string), container bool) {
	if container {
		add(inContainer, Source{Place: "container", Kind: "container"}, "")
	}
	if !strings.EqualFold(x.env("AWS_EC2_METADATA_DISABLED"), "true") {
		add(inInstance, Source{Place: "instance metadata", Kind: "instance"}, "")
	}
}

func (x *examination) webIdentity() Source {
	return Source{Place: "environment (AWS_WEB_IDENTITY_TOKEN_FILE)", Kind: "web identity", Account: accountInARN(x.env("AWS_ROLE_ARN"))}
}

// ofEnvironment are the keys in variables. An AWS_SECURITY_TOKEN beats
// AWS_SESSION_TOKEN where it is read.
func (x *examination) ofEnvironment(id, secretName, securityToken string) Source {
	place := "environment"
	if id != "AWS_ACCESS_KEY_ID" {
		place = "environment (" + id + ")"
	}
	token := cmp.Or(securityToken, x.env("AWS_SESSION_TOKEN"))
	s := Source{Place: place, Kind: "keys", keys: aws.Keys{
		AccessKeyID: x.env(id), SecretAccessKey: secret.New(x.env(secretName)), SessionToken: secret.New(token),
	}}
	if at, err := time.Parse(time.RFC3339, x.env("AWS_CREDENTIAL_EXPIRATION")); err == nil {
		s.ExpiresAt = at
	}
	return named(s)
}

// ofProfile is what a profile says, at the file that holds key.
func (x *examination) ofProfile(p *profile, kind, key string) Source {
	s := Source{Place: p.shown(p.values[key].file), Kind: kind, profile: p.name}
	switch kind {
	case "keys":
		s.keys = aws.Keys{
			AccessKeyID:     p.get("aws_access_key_id"),
			SecretAccessKey: secret.New(p.get("aws_secret_access_key")),
			SessionToken:    secret.New(cmp.Or(p.get("aws_security_token"), p.get("aws_session_token"))),
		}
		// Programs that write keys into the file note their end in these ways.
		for _, key := range []string{"x_security_token_expires", "aws_credentials_expiration", "aws_expiration", "expiration"} {
			for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05"} {
				if at, err := time.Parse(layout, p.get(key)); err == nil && s.ExpiresAt.IsZero() {
					s.ExpiresAt = at
				}
			}
		}
	case "role", "web identity":
		s.Account = accountInARN(p.get("role_arn"))
	case "sso":
		if account := p.get("sso_account_id"); isAccount(account) {
			s.Account = account
		}
	}
	return named(s)
}

// named fills in what the key id says.
func named(s Source) Source {
	if s.keys.AccessKeyID != "" {
		s.KeyID = maskID(s.keys.AccessKeyID)
		s.Account = aws.AccountOfKeyID(s.keys.AccessKeyID)
	}
	return s
}
