package doctor

import "strings"

// mostSecrets is how many of a file's secrets are looked for in findings.
const mostSecrets = 1000

// discreet takes every known secret out of findings: a value that a person put into
// the wrong variable may be one.
func (x *examination) discreet(found []Finding) []Finding {
	var pairs []string
	add := func(value string) {
		if value = strings.TrimSpace(value); len(value) >= 8 {
			pairs = append(pairs, value, "****")
		}
	}
	for _, name := range []string{
		"AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
	} {
		// The swapped id is none.
		if value := x.env(name); !keyID().MatchString(value) {
			add(value)
		}
	}
	for _, r := range []reader{cli1, goSDK} {
		for _, p := range sortedProfiles(x.profiles(r)) {
			for _, key := range []string{"aws_secret_access_key", "aws_session_token", "aws_security_token"} {
				if len(pairs) < 2*mostSecrets {
					add(p.get(key))
				}
			}
		}
	}
	secrets := strings.NewReplacer(pairs...)
	for i := range found {
		found[i].Evidence, found[i].Fix = secrets.Replace(found[i].Evidence), secrets.Replace(found[i].Fix)
	}
	return found
}
