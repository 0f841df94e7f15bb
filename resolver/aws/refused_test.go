package aws

import (
	"slices"
	"testing"
)

func TestMeaningOfRefusal(t *testing.T) {
	for _, message := range []string{"", "not authorized to perform: sts:AssumeRole."} {
		line := "aws-login: " + refused("role arn:aws:iam::1:role/x", "AccessDenied", message)
		want, _ := MeaningOf("AccessDenied", message)
		if got, ok := MeaningOfRefusal(line); !ok || got.Kind != Permission || got.Proves != want.Proves {
			t.Errorf("%q: %+v", line, got)
		}
	}
	for _, m := range meanings {
		if !m.riddle {
			continue
		}
		for _, code := range m.codes {
			if got, ok := MeaningOfRefusal(refused("these credentials", code, m.Proves) + OlderServe + "9m more"); !ok || got.Proves != m.Proves || !slices.Equal(got.Checks, m.Checks) {
				t.Errorf("%s, %s: %+v", code, m.Proves, got)
			}
		}
	}
	for _, line := range []string{"", "AWS refused the MFA code", "AWS refused x: NoSuchCodeAtAll: y", "command: exit status 1"} {
		if got, ok := MeaningOfRefusal(line); ok {
			t.Errorf("%q: %+v", line, got)
		}
	}
}
