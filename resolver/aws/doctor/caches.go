package doctor

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"ambit/resolver/safefile"
)

// mostCaches is how many files of one directory of caches are looked at, and
// longestCache how many bytes long they may be: none of a program's is.
const (
	mostCaches   = 200
	longestCache = 256 << 10
)

// cacheDirs are where the AWS CLI and the SDKs keep the credentials of roles and
// the tokens of logins.
func (x *examination) cacheDirs() []string {
	return []string{
		filepath.Join(x.Home, ".aws", "cli", "cache"), filepath.Join(x.Home, ".aws", "sso", "cache"), x.loginDir(),
	}
}

func (x *examination) loginDir() string {
	if dir := x.env("AWS_LOGIN_CACHE_DIRECTORY"); dir != "" {
		return x.expand(dir)
	}
	return filepath.Join(x.Home, ".aws", "login", "cache")
}

// cacheFiles tells of kept credentials and tokens that others may read, and of
// damaged ones: the AWS CLI fails at its own damaged file until somebody removes it.
func (x *examination) cacheFiles() (found []Finding) {
	if x.Home == "" {
		return nil
	}
	needed := x.neededCaches()
	var damaged, open []string
	for _, dir := range x.cacheDirs() {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // most machines have none
		}
		for _, entry := range entries[:min(len(entries), mostCaches)] {
			path := filepath.Join(dir, entry.Name())
			info, err := os.Stat(path)
			if err != nil || !info.Mode().IsRegular() || !strings.HasSuffix(path, ".json") || info.Size() > longestCache {
				continue
			}
			if info.Mode().Perm()&0o044 != 0 && ownerOf(info) == x.UID {
				open = append(open, path)
			}
			kind, need := needed[path]
			b, err := safefile.Read(path)
			if err == nil && wholeJSON(b, kind) {
				continue
			}
			if err != nil && !os.IsPermission(err) {
				continue
			}
			if !need {
				damaged = append(damaged, path)
				continue
			}
			fix := "rm " + x.inCommand(path)
			if kind.login != "" {
				fix += " && " + kind.login
			}
			if os.IsPermission(err) {
				fix = "chmod 600 " + x.inCommand(path)
			}
			found = append(found, fileFinding(Fail, fix, "%s, in which programs keep %s, is damaged", x.shorten(path), kind.what))
		}
	}
	if len(damaged) > 0 {
		found = append(found, fileFinding(Warn, x.each("rm", damaged), "%s damaged: %s", countFiles(len(damaged), "is", "are"), x.names(damaged)))
	}
	if len(open) > 0 {
		found = append(found, fileFinding(Warn, x.each("chmod 600", open), "%s kept credentials and can be read by others: %s",
			countFiles(len(open), "holds", "hold"), x.names(open)))
	}
	return found
}

func countFiles(n int, one, more string) string {
	if n == 1 {
		return "1 file " + one
	}
	return fmt.Sprintf("%d files %s", n, more)
}

func (x *examination) names(paths []string) string {
	shown := make([]string, 0, len(paths))
	for _, path := range paths {
		shown = append(shown, x.shorten(path))
	}
	return strings.Join(some(shown), ", ")
}

// each is a command for files, or for all in their directories where they are many.
func (x *examination) each(command string, paths []string) string {
	const few = 4
	if len(paths) <= few {
		for _, path := range paths {
			command += " " + x.inCommand(path)
		}
		return command
	}
	var dirs []string
	for _, path := range paths {
		if dir := filepath.Dir(path); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range dirs {
		command += " " + x.inCommand(dir) + "/*.json"
	}
	return command
}

// A cache is what programs need out of one file.
type cache struct {
	what  string // for people
	login string // the command that writes it anew, "" if programs do that themselves
	role  bool   // credentials of a role, as the AWS CLI keeps them
}

// neededCaches are the files that the AWS CLI comes to with the profile in force.
func (x *examination) neededCaches() map[string]cache {
	out := map[string]cache{}
	for _, r := range []reader{cli1, cli2} {
		for _, name := range x.chainOfProfiles(r) {
			p := x.profile(r, name)
			if p.has("role_arn") {
				out[filepath.Join(x.Home, ".aws", "cli", "cache", roleCacheKey(p)+".json")] = cache{what: "the credentials of a role", role: true}
			}
			if path, login := x.ssoCache(p); path != "" {
				out[path] = cache{what: "the login at IAM Identity Center", login: login}
			}
			if path, login := x.loginCache(p); path != "" {
				out[path] = cache{what: "the login", login: login}
			}
		}
	}
	return out
}

// roleCacheKey is the name under which the AWS CLI keeps the credentials of a
// profile's role. Source: BaseAssumeRoleCredentialFetcher of botocore.
func roleCacheKey(p *profile) string {
	values := map[string]string{}
	for name, key := range map[string]string{"RoleArn": "role_arn", "ExternalId": "external_id", "RoleSessionName": "role_session_name", "SerialNumber": "mfa_serial"} {
		if p.has(key) && (name != "RoleSessionName" || p.get(key) != "") {
			values[name] = pythonString(p.get(key))
		}
	}
	if n, err := strconv.Atoi(p.get("duration_seconds")); err == nil {
		values["DurationSeconds"] = strconv.Itoa(n)
	}
	return pythonHash(values, ", ", ": ")
}

// pythonHash hashes an object as Python's json writes it.
func pythonHash(values map[string]string, comma, colon string) string {
	var names []string
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = pythonString(name) + colon + values[name]
	}
	sum := sha1.Sum([]byte("{" + strings.Join(names, comma) + "}"))
	return hex.EncodeToString(sum[:])
}

// pythonString is a string as Python's json writes it, in ASCII.
func pythonString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c > 0xffff:
			high, low := utf16.EncodeRune(c)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// wholeJSON says whether a file holds what programs expect in it: an object, and
// in a role's the credentials.
func wholeJSON(b []byte, kind cache) bool {
	var object map[string]json.RawMessage
	if json.Unmarshal(b, &object) != nil || object == nil {
		return false
	}
	if !kind.role {
		return true
	}
	var kept struct{ AccessKeyId, SecretAccessKey, Expiration string }
	return json.Unmarshal(object["Credentials"], &kept) == nil && kept.AccessKeyId != "" && kept.SecretAccessKey != "" && kept.Expiration != ""
}

// ssoCache is the file with the token of a profile's login at IAM Identity Center,
// and the command that logs in; "" for a profile of another kind.
func (x *examination) ssoCache(p *profile) (path, login string) {
	key := p.get("sso_session")
	if key == "" {
		key = p.get("sso_start_url")
	}
	if key == "" || x.Home == "" {
		return "", ""
	}
	sum := sha1.Sum([]byte(key))
	return filepath.Join(x.Home, ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json"), ssoLogin(p.name)
}

// loginCache is the file with the token of "aws login".
func (x *examination) loginCache(p *profile) (path, login string) {
	session := strings.TrimSpace(p.get("login_session"))
	if session == "" || x.Home == "" {
		return "", ""
	}
	sum := sha256.Sum256([]byte(session))
	return filepath.Join(x.loginDir(), hex.EncodeToString(sum[:])+".json"), "aws login " + profileOption(p.name)
}
