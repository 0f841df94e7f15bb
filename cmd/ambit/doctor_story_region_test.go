package main_test

import (
	"net/http"
	"strings"

	"ambit/resolver/aws/awstest"
)

const asKeys = "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY"

// regionStories: the keys are well, the place is wrong.
var regionStories = []story{
	{"no region", func(w *world) want {
		w.beneath()
		delete(w.env, "AWS_REGION")
		delete(w.env, "AWS_DEFAULT_REGION")
		return want{check: "aws.region", evidence: []string{"no region"}, fix: `export AWS_REGION=\S+ AWS_DEFAULT_REGION=\S+`}
	}},
	{"region misspelt", func(w *world) want {
		w.beneath()
		w.abroad()
		w.env["AWS_REGION"], w.env["AWS_DEFAULT_REGION"] = "eu-cental-1", "eu-cental-1"
		return want{check: "aws.region", evidence: []string{"eu-cental-1"}, fix: `export AWS_REGION=eu-central-1 AWS_DEFAULT_REGION=eu-central-1`}
	}},
	{"region misspelt in the profile", func(w *world) want {
		w.beneath()
		w.abroad()
		delete(w.env, "AWS_REGION")
		delete(w.env, "AWS_DEFAULT_REGION")
		w.write(".aws/config", "[default]\nregion = us-east1\n")
		return want{check: "aws.region", evidence: []string{"us-east1", ".aws/config:2"}, fix: `.*us-east-1.*`}
	}},
	{"zone instead of a region", func(w *world) want {
		w.beneath()
		w.abroad()
		w.env["AWS_REGION"], w.env["AWS_DEFAULT_REGION"] = "eu-central-1a", "eu-central-1a"
		return want{check: "aws.region", evidence: []string{"eu-central-1a"}, fix: `export AWS_REGION=eu-central-1 AWS_DEFAULT_REGION=eu-central-1`}
	}},
	{"region in two variables", func(w *world) want {
		w.beneath()
		w.abroad()
		w.env["AWS_DEFAULT_REGION"] = "us-east-1"
		return want{check: "aws.region", status: "warn", evidence: []string{"eu-central-1", "us-east-1"}, fix: `export AWS_REGION=eu-central-1 AWS_DEFAULT_REGION=eu-central-1`, works: true}
	}},
	{"region not switched on", func(w *world) want {
		w.beneath()
		w.abroad()
		w.env["AWS_REGION"], w.env["AWS_DEFAULT_REGION"] = "af-south-1", "af-south-1"
		w.knobs(func(k *awstest.Knobs) { k.DisabledRegions = []string{"af-south-1"} })
		w.adminKnobs("aws account enable-region --region-name af-south-1", func(k *awstest.Knobs) { k.DisabledRegions = nil })
		w.admin("aws iam set-security-token-service-preferences", func([]string) string { return "" })
		return want{check: "aws.region", evidence: []string{"af-south-1"}, fix: `.*aws account enable-region --region-name af-south-1.*`}
	}},
	{"region that does not know the token", func(w *world) want {
		// Tokens of the global endpoint are refused in opt-in regions, and so are keys
		// of an account that has not switched one on: InvalidClientTokenId.
		w.beneath()
		l := w.abroad()
		w.env["AWS_REGION"], w.env["AWS_DEFAULT_REGION"] = "me-south-1", "me-south-1"
		enabled := make(chan struct{})
		l.answer(refuseUntil(enabled, "me-south-1", "InvalidClientTokenId", "The security token included in the request is invalid."))
		w.admin("aws account enable-region --region-name me-south-1", func([]string) string { close(enabled); return "" })
		w.admin("aws iam set-security-token-service-preferences", func([]string) string { return "" })
		return want{check: "aws.region", evidence: []string{"me-south-1", "us-east-1"}, fix: `.*aws account enable-region --region-name me-south-1.*`}
	}},
	{"kind of endpoint that a region lacks", func(w *world) want {
		w.beneath()
		w.abroad()
		w.env["AWS_USE_FIPS_ENDPOINT"] = "true"
		return want{check: "aws.region", evidence: []string{"sts-fips.eu-central-1"}, fix: `unset AWS_USE_FIPS_ENDPOINT`}
	}},
	{"another partition", func(w *world) want {
		w.beneath()
		l := w.abroad()
		w.env["AWS_REGION"], w.env["AWS_DEFAULT_REGION"] = "cn-north-1", "cn-north-1"
		l.answer(refuseUntil(nil, "cn-north-1", "InvalidClientTokenId", "The security token included in the request is invalid."))
		return want{check: "aws.region", evidence: []string{"cn-north-1"}, fix: `export AWS_REGION=\S+ AWS_DEFAULT_REGION=\S+`}
	}},
	{"endpoint of a LocalStack that is not running", func(w *world) want {
		w.beneath()
		w.abroad()
		w.env["AWS_ENDPOINT_URL"] = "http://localhost:4566"
		return want{check: "aws.endpoint", evidence: []string{"AWS_ENDPOINT_URL", "4566"}, fix: `unset AWS_ENDPOINT_URL( AWS_ENDPOINT_URL_STS)?`}
	}},
	{"endpoint of a LocalStack in the profile", func(w *world) want {
		w.beneath()
		w.abroad()
		w.write(".aws/config", "[default]\nregion = eu-central-1\nendpoint_url = http://localhost:4566\n")
		return want{check: "aws.endpoint", evidence: []string{"endpoint_url|\\.aws/config:3", "4566"}, fix: `.+`}
	}},
	{"endpoint of a service in the profile", func(w *world) want {
		w.beneath()
		w.abroad()
		w.write(".aws/config", "[default]\nregion = eu-central-1\nservices = local\n[services local]\nsts =\n  endpoint_url = http://localhost:4566\n")
		return want{check: "aws.endpoint", evidence: []string{".aws/config:6", "4566"}, fix: `.+`}
	}},
	{"endpoint for STS alone", func(w *world) want {
		w.beneath()
		w.abroad()
		w.env["AWS_ENDPOINT_URL_STS"] = "https://sts.example.invalid"
		return want{check: "aws.endpoint", evidence: []string{"AWS_ENDPOINT_URL_STS", "sts.example.invalid"}, fix: `unset (AWS_ENDPOINT_URL )?AWS_ENDPOINT_URL_STS`}
	}},
	{"keys of a LocalStack at AWS", func(w *world) want {
		w.beneath()
		w.abroad()
		w.export(keySet{"test", "test", ""})
		return want{check: "aws.keys", evidence: []string{"AWS_ACCESS_KEY_ID"}, fix: unsetKeys}
	}},
}

// refuseUntil refuses signed calls to a region until a channel is closed.
func refuseUntil(enabled chan struct{}, region, code, message string) func(http.Handler) http.Handler {
	return func(aws http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-enabled:
			default:
				if strings.Contains(r.Header.Get("Authorization"), "/"+region+"/") {
					w.Header().Set("Content-Type", "text/xml")
					w.Header().Set("X-Amzn-Requestid", "00000000-0000-4000-8000-000000000000")
					w.WriteHeader(http.StatusForbidden)
					_, _ = w.Write([]byte("<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>" + code +
						"</Code><Message>" + message + "</Message></Error><RequestId>00000000-0000-4000-8000-000000000000</RequestId></ErrorResponse>")) // to a client that may have left
					return
				}
			}
			aws.ServeHTTP(w, r)
		})
	}
}
