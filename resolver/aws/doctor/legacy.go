package doctor

import (
	"bufio"
	"bytes"
	"strings"

	"ambit/resolver/aws"
	"ambit/resolver/secret"
)

// legacy are the keys in a file of programs that came before the AWS CLI, which
// botocore still reads.
func (x *examination) legacy() (Source, bool) {
	if path := x.env("AWS_CREDENTIAL_FILE"); path != "" {
		f := x.open(x.expand(path))
		values := map[string]string{}
		for lines := bufio.NewScanner(bytes.NewReader(f.content)); lines.Scan(); {
			if key, value, ok := strings.Cut(lines.Text(), "="); ok {
				values[strings.TrimSpace(key)] = strings.TrimSpace(value)
			}
		}
		if id := values["AWSAccessKeyId"]; id != "" {
			return named(Source{Place: f.shown, Kind: "keys", keys: aws.Keys{AccessKeyID: id, SecretAccessKey: secret.New(values["AWSSecretKey"])}}), true
		}
	}
	paths := []string{x.Root + "/etc/boto.cfg", x.expand("~/.boto")}
	if path, ok := x.Environ["BOTO_CONFIG"]; ok {
		paths = []string{x.expand(path)}
	}
	for _, path := range paths {
		f := x.open(path)
		if s := f.asPython.sections["Credentials"]; s != nil {
			if id, ok := s.values["aws_access_key_id"]; ok {
				return named(Source{Place: f.shown + " [Credentials]", Kind: "keys", keys: aws.Keys{
					AccessKeyID: id.value, SecretAccessKey: secret.New(s.values["aws_secret_access_key"].value),
				}}), true
			}
		}
	}
	return Source{}, false
}
