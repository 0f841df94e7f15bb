package doctor

import (
	"time"

	"ambit/resolver/aws"
)

// Standing is what a place's credentials are to a reader.
type Standing string

const (
	Wins     Standing = "wins"
	Shadowed Standing = "shadowed" // an earlier place wins
	Unread   Standing = "-"        // this reader does not look there
)

// Source is a place that holds credentials or says where they come from.
type Source struct {
	Place     string    // "environment", "~/.aws/credentials [dev]"; foreign text is not yet printable
	Kind      string    // "keys", "role", "web identity", "sso", "login_session", "credential_process", "container", "instance"
	KeyID     string    // masked, "" if it is not known before asking
	Account   string    // 12 digits, "" if unknown
	ExpiresAt time.Time // zero: unknown, or never

	// The standing for each reader. CLI1 is the AWS CLI v1 and boto3, CLI2 the AWS
	// CLI v2, Go the SDKs that are not botocore's: they disagree about order and
	// names.
	CLI1, CLI2, Go Standing

	keys    aws.Keys // zero where they have to be asked for
	profile string   // that says so, "" for none
}
