package aws

import (
	"slices"
	"strings"
	"testing"
)

func TestEveryMeaningIsSaidInOneVoice(t *testing.T) {
	seen := map[string]bool{} // codes of which a row takes every message
	for _, m := range meanings {
		if m.Proves == "" || strings.HasSuffix(m.Proves, ".") || strings.ContainsAny(m.Proves, "\n%") || len(m.Proves) > 160 {
			t.Errorf("%v proves %q", m.codes, m.Proves)
		}
		if first := m.Proves[0]; first >= 'A' && first <= 'Z' && !strings.HasPrefix(m.Proves, "AWS") {
			t.Errorf("%v proves %q", m.codes, m.Proves)
		}
		for _, says := range m.says {
			if says != strings.ToLower(strings.Join(strings.Fields(says), "")) {
				t.Errorf("%v says %q, and no message is compared in that form", m.codes, says)
			}
		}
		for _, code := range m.codes {
			if seen[code] {
				t.Errorf("%s: the row of %q is never reached", code, m.Proves)
			}
			seen[code] = seen[code] || len(m.says) == 0
		}
		if m.hint != nil {
			for _, hint := range []string{m.hint(trouble{}), m.hint(trouble{source: `profile "base"`, role: devRole, region: "eu-central-1"}), m.hint(trouble{web: true, role: devRole}), m.hint(trouble{portal: true})} {
				if strings.ContainsAny(hint, "\n") || strings.Contains(hint, "%!") || strings.HasSuffix(hint, ".") {
					t.Errorf("%v: hint %q", m.codes, hint)
				}
			}
		}
	}
}

// One failure has many names, and some names stand for several failures.
func TestMeaningOf(t *testing.T) {
	for _, tt := range []struct {
		codes, message string
		kind           Kind
		proves, check  string
	}{
		{"InvalidClientTokenId UnrecognizedClientException InvalidAccessKeyId InvalidToken AuthFailure", "", Authentication, "does not know the access key", "aws.keys"},
		{"ExpiredToken ExpiredTokenException", "The security token included in the request is expired", Authentication, "temporary keys", "aws.token"},
		{"ExpiredTokenException", "Token expired: current date/time 1732260000", Authentication, "OIDC token", "aws.token"},
		{"SignatureDoesNotMatch InvalidSignatureException", "The request signature we calculated does not match", Authentication, "secret access key", "aws.keys"},
		{"SignatureDoesNotMatch InvalidSignatureException", "Signature expired: 20261122T061231Z is now earlier than", Clock, "clock", "aws.clock"},
		{"SignatureDoesNotMatch InvalidSignatureException", "Signature not yet\n current: 20261122T061231Z", Clock, "clock", "aws.clock"},
		{"RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", Clock, "clock", "aws.clock"},
		{"AccessDenied AccessDeniedException UnauthorizedOperation", "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: s3:ListBucket", Permission, "no policy allows", "aws.role"},
		{"AccessDenied", "User: x is not authorized to perform: sts:AssumeRole on resource: y", Permission, "role does not exist", "aws.role"},
		{"AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", Permission, "trust policy", "aws.token"},
		{"AccessDenied", "Request has expired", Authentication, "signed URL", "aws.token"},
		{"AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. ", Authentication, "MFA code", "aws.role"},
		{"AccessDenied", "x with an explicit deny in an identity-based policy", Permission, "denies it whatever", "aws.role"},
		{"AccessDenied", "Cannot call GetSessionToken with session credentials", Request, "of a sort", "aws.order"},
		{"ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", Request, "fewer seconds", "aws.role"},
		{"ValidationError", "1 validation error detected: Value at 'webIdentityToken' failed to satisfy constraint: Member must have length less than or equal to 20000", Request, "20,000", "aws.token"},
		{"InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider", Outage, "passes", "aws.token"},
		{"InvalidIdentityToken", "Incorrect token audience", Authentication, "audience", "aws.token"},
		{"ForbiddenException", "No access", Permission, "not assigned", "aws.role"},
		{"RegionDisabledException", "", Configuration, "region", "aws.region"},
		{"Throttling ThrottlingException SlowDown", "", Throttling, "too many", ""},
		{"403", "Forbidden", Either, "HEAD", "aws.keys"},
	} {
		for code := range strings.FieldsSeq(tt.codes) {
			m, ok := MeaningOf(code, tt.message)
			if !ok || m.Kind != tt.kind || !strings.Contains(m.Proves, tt.proves) || tt.check != "" && !slices.Contains(m.Checks, tt.check) {
				t.Errorf("%s %q: %v %+v", code, tt.message, ok, m)
			}
		}
	}
	if m, ok := MeaningOf("NoSuchCode", ""); ok {
		t.Errorf("%+v", m)
	}
}
