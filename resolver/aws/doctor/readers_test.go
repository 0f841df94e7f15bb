package doctor

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

// A setup is a configuration and what its readers are seen to make of it.
type setup struct {
	name                string
	env                 map[string]string
	config, credentials string
}

func (s setup) String() string {
	return fmt.Sprintf("\n%q\n-- config --\n%s-- credentials --\n%s", s.env, s.config, s.credentials)
}

const (
	idA, idB, idC = "AKIAQNZGKIQY56JQ7WMA", "AKIAQNZGKIQY56JQ7WMB", "AKIAQNZGKIQY56JQ7WMC"
	someSecret    = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

func keysIn(header, id string) string {
	return fmt.Sprintf("[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", header, id, someSecret)
}

func envKeys(more ...string) map[string]string {
	env := map[string]string{"AWS_ACCESS_KEY_ID": idA, "AWS_SECRET_ACCESS_KEY": someSecret}
	for i := 0; i < len(more); i += 2 {
		env[more[i]] = more[i+1]
	}
	return env
}

const aRole = "role_arn = arn:aws:iam::123456789012:role/dev\n"

var setups = []setup{
	{name: "nothing"},
	{name: "environment", env: envKeys()},
	{name: "environment and default files", env: envKeys(), config: keysIn("default", idB), credentials: keysIn("default", idC)},
	{name: "environment and profile", env: envKeys("AWS_PROFILE", "dev"), credentials: keysIn("dev", idB)},
	{name: "environment and no such profile", env: envKeys("AWS_PROFILE", "dvelop"), credentials: keysIn("dev", idB)},
	{name: "environment and no such default profile", env: envKeys("AWS_DEFAULT_PROFILE", "dvelop"), credentials: keysIn("dev", idB)},
	{name: "id only", env: map[string]string{"AWS_ACCESS_KEY_ID": idA}, credentials: keysIn("default", idB)},
	{name: "secret only", env: map[string]string{"AWS_SECRET_ACCESS_KEY": someSecret}, credentials: keysIn("default", idB)},
	{name: "old names", env: map[string]string{"AWS_ACCESS_KEY": idA, "AWS_SECRET_KEY": someSecret}, credentials: keysIn("default", idB)},
	{name: "both profile variables", env: map[string]string{"AWS_PROFILE": "a", "AWS_DEFAULT_PROFILE": "b"}, credentials: keysIn("a", idA) + keysIn("b", idB)},
	{name: "empty profile", env: map[string]string{"AWS_PROFILE": ""}, credentials: keysIn("default", idA)},
	{name: "both files", config: keysIn("default", idA), credentials: keysIn("default", idB)},
	{name: "config only", config: keysIn("profile dev", idA), env: map[string]string{"AWS_PROFILE": "dev"}},
	{name: "config without prefix", config: keysIn("dev", idA), env: map[string]string{"AWS_PROFILE": "dev"}},
	{name: "credentials with prefix", credentials: keysIn("profile dev", idA), env: map[string]string{"AWS_PROFILE": "dev"}},
	{name: "quoted profile", config: keysIn(`profile "dev"`, idA), env: map[string]string{"AWS_PROFILE": "dev"}},
	{name: "blanks in header", credentials: keysIn(" default ", idA)},
	{name: "two default sections of config", config: keysIn("profile default", idA) + keysIn("default", idB)},
	{name: "role over keys", config: "[profile dev]\n" + aRole + "source_profile = base\n", credentials: keysIn("base", idA) + keysIn("dev", idB), env: map[string]string{"AWS_PROFILE": "dev"}},
	{name: "role from itself", config: "[profile dev]\n" + aRole + "source_profile = dev\n", credentials: keysIn("dev", idB), env: map[string]string{"AWS_PROFILE": "dev"}},
	{name: "role without source", config: "[profile dev]\n" + aRole, env: map[string]string{"AWS_PROFILE": "dev"}},
	{name: "role without source, with keys", config: "[profile dev]\n" + aRole, credentials: keysIn("dev", idB), env: map[string]string{"AWS_PROFILE": "dev"}},
	{name: "role with a source that is not there", config: "[profile dev]\n" + aRole + "source_profile = bsae\n", env: map[string]string{"AWS_PROFILE": "dev"}},
	{name: "role with an empty source", config: "[profile dev]\n" + aRole + "source_profile = base\n[profile base]\nregion = eu-west-1\n", env: map[string]string{"AWS_PROFILE": "dev"}},
	{name: "role in a loop", config: "[profile a]\n" + aRole + "source_profile = b\n[profile b]\n" + aRole + "source_profile = a\n", env: map[string]string{"AWS_PROFILE": "a"}},
	{name: "chain of roles", config: "[profile a]\n" + aRole + "source_profile = b\n[profile b]\n" + aRole + "source_profile = c\n", credentials: keysIn("c", idC), env: map[string]string{"AWS_PROFILE": "a"}},
	{name: "two sources of a role", config: "[profile a]\n" + aRole + "source_profile = b\ncredential_source = Environment\n", credentials: keysIn("b", idC), env: map[string]string{"AWS_PROFILE": "a"}},
	{name: "role from the environment", config: "[profile a]\n" + aRole + "credential_source = Environment\n", env: map[string]string{"AWS_PROFILE": "a"}},
	{name: "web identity", env: map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/dev"}, credentials: keysIn("default", idA)},
	{name: "web identity without a role", env: map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere"}, credentials: keysIn("default", idA)},
	{name: "web identity and keys", env: envKeys("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere", "AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/dev")},
	{name: "web identity of a profile", config: "[profile a]\n" + aRole + "web_identity_token_file = /nowhere\n", env: map[string]string{"AWS_PROFILE": "a"}},
	{name: "web identity over keys of a profile", config: "[profile a]\n" + aRole + "web_identity_token_file = /nowhere\n", credentials: keysIn("a", idA), env: map[string]string{"AWS_PROFILE": "a"}},
	{name: "sso", config: "[profile a]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = dev\n[sso-session s]\nsso_start_url = https://x.awsapps.com/start\nsso_region = us-east-1\n", env: map[string]string{"AWS_PROFILE": "a"}},
	{name: "sso without its session", config: "[profile a]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = dev\n", env: map[string]string{"AWS_PROFILE": "a"}},
	{name: "sso of old and keys", config: "[profile a]\nsso_start_url = https://x.awsapps.com/start\nsso_region = us-east-1\nsso_account_id = 123456789012\nsso_role_name = dev\n", credentials: keysIn("a", idA), env: map[string]string{"AWS_PROFILE": "a"}},
	{name: "process", config: "[profile a]\ncredential_process = /bin/false\n", env: map[string]string{"AWS_PROFILE": "a"}},
	{name: "process and keys of config", config: "[profile a]\ncredential_process = /bin/false\naws_access_key_id = " + idA + "\naws_secret_access_key = " + someSecret + "\n", env: map[string]string{"AWS_PROFILE": "a"}},
	{name: "process and web identity", config: "[profile a]\n" + aRole + "credential_process = /bin/false\nweb_identity_token_file = /nowhere\n", env: map[string]string{"AWS_PROFILE": "a"}},
	{name: "container", env: map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/x"}},
	{name: "container and keys", env: map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/x"}, credentials: keysIn("default", idA)},
	{name: "half a pair in a file", credentials: "[default]\naws_access_key_id = " + idA + "\n"},
	{name: "half a pair in a file and the environment", credentials: "[default]\naws_access_key_id = " + idA + "\n", env: envKeys()},
	{name: "other half in a file", credentials: "[default]\naws_secret_access_key = " + someSecret + "\n"},
	{name: "halves in two files", config: "[default]\naws_access_key_id = " + idA + "\n", credentials: "[default]\naws_secret_access_key = " + someSecret + "\n"},
	{name: "line before the first section", credentials: "aws_access_key_id = " + idA + "\n" + keysIn("default", idB)},
	{name: "BOM", credentials: "\ufeff" + keysIn("default", idB)},
	{name: "BOM and a comment", credentials: "\ufeff# mine\n" + keysIn("default", idB)},
	{name: "CRLF", credentials: strings.ReplaceAll(keysIn("default", idB), "\n", "\r\n")},
	{name: "CR", credentials: strings.ReplaceAll(keysIn("default", idB), "\n", "\r")},
	{name: "half written", credentials: keysIn("default", idB) + "[ot"},
	{name: "half written, environment", credentials: keysIn("default", idB) + "[ot", env: envKeys()},
	{name: "section twice", credentials: keysIn("default", idB) + keysIn("default", idC)},
	{name: "name twice", credentials: keysIn("default", idB) + "aws_access_key_id = " + idC + "\n"},
	{name: "no name", credentials: keysIn("default", idB) + "= x\n"},
	{name: "no UTF-8", credentials: "# M\xfcller\n" + keysIn("default", idB)},
	{name: "quotes", credentials: strings.ReplaceAll(keysIn("default", `"`+idB+`"`), "\n", "\n")},
	{name: "comment behind", credentials: keysIn("default", idB+" # mine")},
	{name: "colon", credentials: strings.ReplaceAll(keysIn("default", idB), " = ", ": ")},
	{name: "capitals", credentials: strings.ReplaceAll(keysIn("default", idB), "aws", "AWS")},
	{name: "indented", credentials: strings.ReplaceAll(keysIn("default", idB), "aws", "  aws")},
	{name: "indented below", credentials: "[default]\nregion = us-east-1\n  aws_access_key_id = " + idB + "\n  aws_secret_access_key = " + someSecret + "\n"},
	{name: "nested", config: "[default]\ns3 =\n  max_concurrent_requests = 20\n" + strings.TrimPrefix(keysIn("default", idB), "[default]\n")},
	{name: "nested nonsense", config: "[default]\ns3 =\n  max_concurrent_requests\n" + strings.TrimPrefix(keysIn("default", idB), "[default]\n")},
	{name: "defaults", credentials: "[DEFAULT]\naws_access_key_id = " + idA + "\naws_secret_access_key = " + someSecret + "\n[default]\nregion = us-east-1\n"},
	{name: "variable to nothing", env: map[string]string{"AWS_SHARED_CREDENTIALS_FILE": ""}, credentials: keysIn("default", idA)},
	{name: "variable with tilde", env: map[string]string{"AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}, credentials: keysIn("default", idA)},
	{name: "variable with a name", env: map[string]string{"AWS_SHARED_CREDENTIALS_FILE": "${HOME}/.aws/credentials"}, credentials: keysIn("default", idA)},
	{name: "region of profile", config: "[default]\nregion = eu-west-1\n"},
	{name: "region of variables", env: map[string]string{"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}},
	{name: "region of one variable", env: map[string]string{"AWS_REGION": "eu-west-1"}, config: "[default]\nregion = eu-west-3\n"},
	{name: "empty region", env: map[string]string{"AWS_DEFAULT_REGION": ""}, config: "[default]\nregion = eu-west-3\n"},
	{name: "region in credentials", credentials: keysIn("default", idA) + "region = eu-west-4\n", config: "[default]\nregion = eu-west-3\n"},
	{name: "legacy file", env: map[string]string{"BOTO_CONFIG": "$HOME/.aws/config"}, config: keysIn("Credentials", idA)},
}

// randomSetups are setups put together by chance, the same at every run.
func randomSetups(n int) (out []setup) {
	random := rand.New(rand.NewPCG(1, 2))
	chance := func(percent int) bool { return random.IntN(100) < percent }
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	names := []string{"default", "a", "b"}
	for i := range n {
		s := setup{name: fmt.Sprintf("random %d", i), env: map[string]string{}}
		for name, values := range map[string][]string{
			"AWS_ACCESS_KEY_ID": {idA, idA, ""}, "AWS_SECRET_ACCESS_KEY": {someSecret, someSecret, ""}, "AWS_ACCESS_KEY": {idB}, "AWS_SECRET_KEY": {someSecret},
			"AWS_SESSION_TOKEN": {"x"}, "AWS_PROFILE": {"a", "b", "default", "c", ""}, "AWS_DEFAULT_PROFILE": {"a", "b", "c", ""},
			"AWS_WEB_IDENTITY_TOKEN_FILE": {"/nowhere", ""}, "AWS_ROLE_ARN": {"arn:aws:iam::123456789012:role/env", ""},
			"AWS_CONTAINER_CREDENTIALS_FULL_URI": {"http://127.0.0.1:1/x"}, "AWS_REGION": {"eu-west-1", ""}, "AWS_DEFAULT_REGION": {"eu-west-2", ""},
		} {
			// The order in which a map is ranged over is no seed.
			h := fnv.New64a()
			fmt.Fprint(h, i, name)
			r := rand.New(rand.NewPCG(h.Sum64(), 3))
			if r.IntN(100) < 14 {
				s.env[name] = values[r.IntN(len(values))]
			}
		}
		section := func(header string) string {
			var b strings.Builder
			fmt.Fprintf(&b, "[%s]\n", header)
			for _, line := range []struct {
				percent int
				text    string
			}{
				{30, "aws_access_key_id = " + pick(idA, idB, idC)}, {32, "aws_secret_access_key = " + someSecret}, {8, "aws_session_token = x"},
				{25, strings.TrimSpace(aRole)}, {25, "source_profile = " + pick("default", "a", "b", "c")},
				{8, "credential_source = " + pick("Environment", "EcsContainer", "Ec2InstanceMetadata", "environment")}, {5, "web_identity_token_file = /nowhere"},
				{8, "credential_process = /bin/false"}, {10, "sso_session = " + pick("s", "t")}, {8, "sso_account_id = 123456789012"}, {8, "sso_role_name = dev"},
				{4, "sso_start_url = https://x.awsapps.com/start"}, {4, "sso_region = us-east-1"}, {15, "region = " + pick("us-east-1", "us-west-2")},
			} {
				if chance(line.percent) {
					b.WriteString(line.text + "\n")
				}
			}
			return b.String()
		}
		for _, name := range names {
			if chance(55) {
				header := "profile " + name
				if name == "default" && chance(80) {
					header = name
				}
				s.config += section(header)
			}
			if chance(45) {
				s.credentials += section(name)
			}
		}
		if chance(50) {
			s.config += "[sso-session s]\nsso_start_url = https://x.awsapps.com/start\nsso_region = us-east-1\n"
		}
		out = append(out, s)
	}
	return out
}

// examinationOf writes a setup into a home directory.
func examinationOf(t testing.TB, s setup) *examination {
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"config": s.config, "credentials": s.credentials} {
		if content == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(home, ".aws", name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"HOME": home, "PATH": os.Getenv("PATH"), "AWS_EC2_METADATA_DISABLED": "true", "PYTHONUTF8": "1"}
	for name, value := range s.env {
		env[name] = value
	}
	return &examination{Patient: Patient{
		Environ: env, Home: home, UID: os.Getuid(), Now: time.Now, Root: t.TempDir(), Offline: true,
		Ours: func(string) bool { return false },
	}}
}

// told is what one reader makes of a setup: how the winner is called, the id of
// its key, and the region; "error" if it gives up.
type told struct{ Winner, ID, Region string }

// clear forgets the region of who gives up: it may have read that before, or not.
func (t told) clear() told {
	if t.Winner == "error" {
		t.Region = ""
	}
	return t
}

// predicted is what the examination says a reader makes of it.
func predicted(x *examination, r reader) told {
	var out told
	if x.stops(r).reason != "" {
		return told{Winner: "error"}
	}
	s, trouble, ok := x.winner(r)
	out.Region = x.region(r).name
	switch {
	case trouble != "":
		return told{Winner: "error", Region: out.Region}
	case !ok:
		return out
	}
	out.Winner, out.ID = s.Kind, s.keys.AccessKeyID
	if s.Kind == "keys" {
		switch {
		case strings.HasPrefix(s.Place, "environment"):
			out.Winner = "environment"
		case s.profile == "":
			out.Winner = "legacy"
		}
	}
	return out
}

//go:embed testdata/winners.py
var winnersPython string

// Where botocore and the Go SDK look, and what they then do, is read from their
// sources; here they are asked.
func TestReadersAgreeWithBotocore(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err == nil {
		err = exec.Command(python, "-c", "import boto3").Run()
	}
	if err != nil {
		if os.Getenv("AMBIT_TEST_REQUIRE") == "all" {
			t.Fatal("python3 with boto3 is missing")
		}
		t.Skip("skipped: python3 with boto3 is missing")
	}
	var environments []map[string]string
	var examinations []*examination
	setups := slices.Concat(setups, randomSetups(300))
	for _, s := range setups {
		x := examinationOf(t, s)
		examinations = append(examinations, x)
		environments = append(environments, x.Environ)
	}
	input, err := json.Marshal(environments)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", winnersPython)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "PYTHONUTF8=1"}
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	var got []told
	if err := json.Unmarshal(out, &got); err != nil || len(got) != len(setups) {
		t.Fatalf("%v: %s", err, out)
	}
	for i, s := range setups {
		if want := predicted(examinations[i], cli1).clear(); got[i].clear() != want {
			t.Errorf("%s: boto3 %+v, predicted %+v (stop %q)%s", s.name, got[i], want, examinations[i].stops(cli1).reason, s)
		}
	}
}

func TestReadersAgreeWithGo(t *testing.T) {
	for _, s := range slices.Concat(setups, randomSetups(300)) {
		t.Run(s.name, func(t *testing.T) {
			x := examinationOf(t, s)
			for _, line := range os.Environ() {
				name, _, _ := strings.Cut(line, "=")
				if strings.HasPrefix(name, "AWS_") {
					t.Setenv(name, "")
				}
			}
			for name, value := range x.Environ {
				t.Setenv(name, value)
			}
			got := askGo(t, x)
			// It looks at what an sso-session lacks when it asks for credentials.
			if source, _, _ := x.winner(goSDK); got.Winner == "sso" && source.Kind == "sso" {
				return
			}
			if want := predicted(x, goSDK).clear(); got.clear() != want {
				t.Errorf("the SDK says %+v, predicted %+v (stop %q)%s", got, want, x.stops(goSDK).reason, s)
			}
		})
	}
}

// askGo has the SDK load the configuration of the process's environment.
func askGo(t *testing.T, x *examination) told {
	var options []func(*config.LoadOptions) error
	// The SDK looked up the default files when the test began.
	for variable, option := range map[string]func([]string) config.LoadOptionsFunc{
		"AWS_CONFIG_FILE": config.WithSharedConfigFiles, "AWS_SHARED_CREDENTIALS_FILE": config.WithSharedCredentialsFiles,
	} {
		name := map[string]string{"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"}[variable]
		if x.env(variable) == "" {
			options = append(options, option([]string{filepath.Join(x.Home, ".aws", name)}))
		}
	}
	cfg, err := config.LoadDefaultConfig(context.Background(), options...)
	if err != nil {
		return told{Winner: "error"}
	}
	out := told{Region: cfg.Region}
	sources, ok := cfg.Credentials.(sdk.CredentialProviderSource)
	if !ok {
		t.Fatalf("%T tells no sources", cfg.Credentials)
	}
	for _, source := range sources.ProviderSources() {
		name := map[sdk.CredentialSource]string{
			sdk.CredentialSourceEnvVars: "environment", sdk.CredentialSourceEnvVarsSTSWebIDToken: "web identity",
			sdk.CredentialSourceProfile: "keys", sdk.CredentialSourceProfileSTSWebIDToken: "web identity",
			sdk.CredentialSourceProfileSourceProfile: "role", sdk.CredentialSourceProfileNamedProvider: "role",
			sdk.CredentialSourceSTSAssumeRole: "role", sdk.CredentialSourceSSO: "sso", sdk.CredentialSourceSSOLegacy: "sso",
			sdk.CredentialSourceProcess: "credential_process", sdk.CredentialSourceHTTP: "container", sdk.CredentialSourceLogin: "login_session",
		}[source]
		if name == "role" || out.Winner == "" {
			out.Winner = name
		}
	}
	if out.Winner == "environment" || out.Winner == "keys" {
		k, err := cfg.Credentials.Retrieve(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		out.ID = k.AccessKeyID
	}
	return out
}
