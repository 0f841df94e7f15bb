package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"ambit/resolver"
)

// login is what aws-login opens to.
func loginValue() obj {
	return obj{"accessKeyId": "ASIAEXAMPLE", "secretAccessKey": "canary-of-the-login", "sessionToken": "canary-of-the-session", "expiration": "2030-01-01T00:00:00Z"}
}

func get(of obj) obj { return obj{"region": "eu-central-1", "login": loginValue(), "get": of} }

func errorsOf(err error) (out []*resolver.OpenError) {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range many.Unwrap() {
			out = append(out, errorsOf(one)...)
		}
		return out
	}
	var open *resolver.OpenError
	if errors.As(err, &open) {
		out = append(out, open)
	}
	return out
}

func TestSecretsAgainstMoto(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withMoto()
	ctx := context.Background()
	endpoint := w.env["AWS_ENDPOINT_URL"]
	client := secretsmanager.New(secretsmanager.Options{Region: "eu-central-1", BaseEndpoint: &endpoint, Credentials: keys{id: "a", secret: given(value(loginValue())).secret}.provide()})
	first, err := client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: sdk.String("shop/db"), SecretString: sdk.String("one")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: sdk.String("shop/db"), SecretString: sdk.String("two\n")}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: sdk.String("blob"), SecretBinary: []byte{0, 0xff}}); err != nil {
		t.Fatal(err)
	}
	o, err := w.openBy(Secrets(), get(obj{
		"now": obj{"secretId": "shop/db"}, "arn": obj{"secretId": *first.ARN},
		"before": obj{"secretId": "shop/db", "versionStage": "AWSPREVIOUS"},
		"first":  obj{"secretId": "shop/db", "versionId": *first.VersionId},
		"blob":   obj{"secretId": "blob"},
	}), call{})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"now": "two\n", "arn": "two\n", "before": "one", "first": "one", "blob": "AP8="} {
		if v := o.Value.Object[key]; v.Text != want || !v.Secret {
			t.Errorf("%s is %q, secret %v", key, v.Text, v.Secret)
		}
	}
	if !o.ExpiresAt.IsZero() || o.Credential != nil {
		t.Errorf("%+v", o)
	}

	_, err = w.openBy(Secrets(), get(obj{"b": obj{"secretId": "nowhere"}, "a": obj{"secretId": "shop/db"}, "c": obj{"secretId": "gone"}}), call{})
	bad := errorsOf(err)
	if len(bad) != 2 || bad[0].Kind != resolver.KindRefused || !slices.Equal(bad[0].Path, []string{"get", "b", "secretId"}) ||
		!strings.HasPrefix(bad[0].Summary, `AWS refused secret "nowhere": ResourceNotFoundException: `) ||
		bad[0].Hint != "look with: aws secretsmanager list-secrets --region eu-central-1" || !strings.Contains(bad[1].Summary, `"gone"`) {
		t.Errorf("got %+v", bad)
	}
}

func TestParametersAgainstMoto(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withMoto()
	ctx := context.Background()
	endpoint := w.env["AWS_ENDPOINT_URL"]
	client := ssm.New(ssm.Options{Region: "eu-central-1", BaseEndpoint: &endpoint, Credentials: keys{id: "a", secret: given(value(loginValue())).secret}.provide()})
	put := func(name, text string, kind types.ParameterType) {
		t.Helper()
		_, err := client.PutParameter(ctx, &ssm.PutParameterInput{Name: &name, Value: &text, Type: kind, Overwrite: sdk.Bool(true)})
		if err != nil {
			t.Fatal(err)
		}
	}
	put("/shop/url", "one", types.ParameterTypeString)
	put("/shop/url", "two", types.ParameterTypeString)
	put("/shop/url", "three", types.ParameterTypeString)
	if _, err := client.LabelParameterVersion(ctx, &ssm.LabelParameterVersionInput{
		Name: sdk.String("/shop/url"), ParameterVersion: sdk.Int64(2), Labels: []string{"stable"},
	}); err != nil {
		t.Fatal(err)
	}
	put("/shop/list", "a,b,,c", types.ParameterTypeStringList)
	put("/shop/key", "clear", types.ParameterTypeSecureString)
	ask := obj{
		"now": obj{"name": "/shop/url"}, "one": obj{"name": "/shop/url:1"}, "stable": obj{"name": "/shop/url:stable"}, "again": obj{"name": "/shop/url"},
		"list": obj{"name": "/shop/list"}, "clear": obj{"name": "/shop/key", "decrypt": true}, "sealed": obj{"name": "/shop/key"},
	}
	for i := range 12 { // more than one request takes
		put(fmt.Sprintf("/many/%d", i), fmt.Sprint(i), types.ParameterTypeString)
		ask[fmt.Sprintf("many%d", i)] = obj{"name": fmt.Sprintf("/many/%d", i)}
	}
	o, err := w.openBy(Parameters(), get(ask), call{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"now": "three", "again": "three", "one": "one", "stable": "two", "clear": "clear"}
	for i := range 12 {
		want[fmt.Sprintf("many%d", i)] = fmt.Sprint(i)
	}
	for key, want := range want {
		if v := o.Value.Object[key]; v.Text != want || !v.Secret {
			t.Errorf("%s is %q, secret %v", key, v.Text, v.Secret)
		}
	}
	if v := o.Value.Object["sealed"]; v.Text == "clear" || v.Text == "" {
		t.Errorf("sealed is %q", v.Text)
	}
	var items []string
	for _, item := range o.Value.Object["list"].List {
		items = append(items, item.Text)
	}
	if !slices.Equal(items, []string{"a", "b", "", "c"}) || !o.Value.Object["list"].Secret {
		t.Errorf("list is %q", items)
	}

	_, err = w.openBy(Parameters(), get(obj{"a": obj{"name": "/shop/url"}, "b": obj{"name": "/shop/ulr"}, "c": obj{"name": "/shop/url:9"}}), call{})
	bad := errorsOf(err)
	if len(bad) != 2 || bad[0].Summary != `parameter "/shop/ulr" does not exist in eu-central-1` || !slices.Equal(bad[0].Path, []string{"get", "b", "name"}) ||
		bad[1].Summary != `parameter "/shop/url:9" does not exist in eu-central-1, or has no such version or label` || bad[0].Kind != resolver.KindRefused {
		t.Errorf("got %+v, %v", bad, err)
	}
}

func TestBatches(t *testing.T) {
	ask := map[string]resolver.Value{}
	for key, name := range map[string]string{
		"a": "/x", "b": "/x", "c": "/x:1", "d": "arn:aws:ssm:eu-central-1:123456789012:parameter/x:2", "e": "arn:aws:ssm:eu-central-1:123456789012:parameter/x",
	} {
		ask[key] = value(obj{"name": name})
	}
	ask["f"] = value(obj{"name": "/y", "decrypt": true})
	var got []string
	for _, b := range batches(ask) {
		got = append(got, fmt.Sprintf("%v %v", b.decrypt, strings.Join(b.keys, "")))
		if len(b.bases) > maxParameters {
			t.Errorf("%d names in one request", len(b.bases))
		}
	}
	if want := []string{"false abd", "false ce", "true f"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	many := map[string]resolver.Value{}
	for i := range 25 {
		many[fmt.Sprint(i)] = value(obj{"name": fmt.Sprintf("/%d", i)})
	}
	if got := batches(many); len(got) != 3 {
		t.Errorf("%d requests for 25 names", len(got))
	}
}

// What AWS says no to, and what is not AWS.
func TestServicesExplain(t *testing.T) {
	t.Parallel()
	var answer atomic.Value
	var mu sync.Mutex
	var hosts []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		hosts = append(hosts, r.Host)
		mu.Unlock()
		_, _ = io.Copy(io.Discard, r.Body) // else closing resets the connection
		answer.Load().(func(http.ResponseWriter))(w)
	}))
	defer server.Close()
	says := func(status int, contentType, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body)) // a client that went away is its own business
		}
	}
	const json = "application/x-amz-json-1.1"
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter)
		kind   resolver.FailureKind
		says   string
		hint   string
	}{
		"denied": {says(400, json, `{"__type":"AccessDeniedException","Message":"no, canary-of-the-login"}`), resolver.KindRefused,
			"AccessDeniedException", "the login needs the permission"},
		"expired":   {says(400, json, `{"__type":"ExpiredTokenException","message":"old"}`), resolver.KindRefused, "ExpiredTokenException: AWS knows these temporary keys, and their time is over", "ambit reload"},
		"throttled": {says(400, json, `{"__type":"ThrottlingException","message":"slowly"}`), resolver.KindNetwork, "too many requests", "wait"},
		"broken":    {says(500, json, `{}`), resolver.KindNetwork, "is out of order: 500", "try again"},
		"html":      {says(200, "text/html", "<html>sign in"), resolver.KindNetwork, "web page", "check HTTPS_PROXY"},
		"garbage":   {says(200, json, "{"), resolver.KindNetwork, "not an answer of it", ""},
		"empty":     {says(200, json, "{}"), "", "", ""},
		"endless": {func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"SecretString":"` + strings.Repeat("x", 2<<20))) // the client hangs up
		}, resolver.KindNetwork, "more than 1 MiB", ""},
		"moved": {func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
			w.WriteHeader(302)
		}, resolver.KindNetwork, "redirect", ""},
	} {
		t.Run(name, func(t *testing.T) {
			answer.Store(c.answer)
			w := newWorld(t)
			w.env["AWS_ENDPOINT_URL_SECRETS_MANAGER"], w.env["AWS_ENDPOINT_URL_SSM"] = server.URL, server.URL
			for _, open := range []func() (resolver.Opened, error){
				func() (resolver.Opened, error) {
					return w.openBy(Secrets(), get(obj{"k": obj{"secretId": "s"}}), call{})
				},
				func() (resolver.Opened, error) {
					return w.openBy(Parameters(), get(obj{"k": obj{"name": "s"}}), call{})
				},
			} {
				_, err := open()
				bad := errorsOf(err)
				if len(bad) != 1 {
					t.Fatalf("got %v", err)
				}
				said := bad[0].Summary + " (hint: " + bad[0].Hint + ")"
				if name != "empty" && (bad[0].Kind != c.kind || !strings.Contains(bad[0].Summary, c.says) || !strings.Contains(bad[0].Hint, c.hint)) {
					t.Errorf("%s %s", bad[0].Kind, said)
				}
				if strings.Contains(said, "canary") {
					t.Errorf("a secret shows: %s", said)
				}
			}
		})
	}
	for _, host := range hosts {
		if !strings.HasSuffix(server.URL, host) {
			t.Errorf("asked %s", host)
		}
	}
}

// Inputs are looked at before anything is asked.
func TestServicesRefuseKeys(t *testing.T) {
	w := newWorld(t)
	in := get(obj{"k": obj{"secretId": "s"}})
	in["login"] = obj{"accessKeyId": "ASIA", "secretAccessKey": "canary with a space"}
	_, err := w.openBy(Secrets(), in, call{})
	bad := errorsOf(err)
	if len(bad) != 1 || !slices.Equal(bad[0].Path, []string{"login"}) || strings.Contains(bad[0].Summary, "canary") {
		t.Errorf("got %v", err)
	}
	w.env["AWS_ENDPOINT_URL_SECRETS_MANAGER"] = "file:///etc/passwd"
	if _, err = w.openBy(Secrets(), get(obj{"k": obj{"secretId": "s"}}), call{}); err == nil || !strings.Contains(err.Error(), "AWS_ENDPOINT_URL_SECRETS_MANAGER is not an http or https URL") {
		t.Errorf("got %v", err)
	}
	// A secret name is not shown.
	w.env["AWS_ENDPOINT_URL_SECRETS_MANAGER"] = "http://127.0.0.1:1"
	hidden := value(obj{"secretId": "s"})
	hidden.Object["secretId"] = resolver.Value{Kind: resolver.String, Text: "canary-name", Secret: true}
	_, err = w.openBy(Secrets(), get(obj{"k": hidden}), call{})
	if bad := errorsOf(err); len(bad) != 1 || bad[0].Kind != resolver.KindNetwork || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
}
