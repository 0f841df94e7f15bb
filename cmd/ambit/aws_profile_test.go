package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sdkconfig "github.com/aws/aws-sdk-go-v2/config"
)

// needPython returns a Python that has botocore.
func needPython(t *testing.T) string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err == nil {
		err = exec.Command(python, "-c", "import botocore").Run()
	}
	if err != nil {
		if os.Getenv("AMBIT_TEST_REQUIRE") == "all" {
			t.Fatal("python3 with botocore is not installed")
		}
		t.Skip("skipped: python3 with botocore is not installed")
	}
	return python
}

// readBotocore is how botocore reads a configuration file: its profiles, and the
// credential_process of one of them as words.
const readBotocore = `
import json, sys
from botocore.configloader import load_config
from botocore.compat import compat_shell_split
profiles = load_config(sys.argv[1])["profiles"]
p = profiles[sys.argv[2]]
print(json.dumps({"profiles": sorted(profiles), "region": p.get("region"), "words": compat_shell_split(p["credential_process"])}))
`

type seenProfile struct {
	Profiles []string
	Region   string
	Words    []string
}

// reads has botocore and the SDK for Go read a file, and sh(1) the command.
func reads(t *testing.T, python, file, name string) (botocore, sdk seenProfile) {
	t.Helper()
	cmd := exec.Command(python, "-c", readBotocore, file, name)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("botocore: %v\n%s", err, said.String())
	}
	if err := json.Unmarshal(out, &botocore); err != nil {
		t.Fatal(err)
	}
	c, err := sdkconfig.LoadSharedConfigProfile(context.Background(), name, func(o *sdkconfig.LoadSharedConfigOptions) {
		o.ConfigFiles, o.CredentialsFiles = []string{file}, []string{file + ".none"}
	})
	if err != nil {
		t.Fatal(err)
	}
	sdk.Region = c.Region
	out, err = exec.Command("sh", "-c", `words() { printf '%s\0' "$@"; }; words `+c.CredentialProcess).Output()
	if err != nil {
		t.Fatalf("sh: %v: %s", err, c.CredentialProcess)
	}
	sdk.Words = strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	return botocore, sdk
}

func TestProfileIsReadAlike(t *testing.T) {
	python := needPython(t)
	file := filepath.Join(t.TempDir(), "config")
	for _, words := range [][]string{
		{"/usr/bin/ambit", "credential-process", "shop/dev"},
		{"/a b/ambit", "credential-process", "/c d/.envrc.yaml"},
		{`/a"b/ambit`, "credential-process", `/c"d/.envrc.yaml"`},
		{"/a'b/ambit", "credential-process", "/c'd/x'"},
		{"/$HOME/`id`/ambit", "credential-process", "/$(id)/`id`"},
		{`/a\b\\c\"\$/ambit\`, "credential-process", `/a\b\\c\"\$\`},
		{"/a #b ;c/ambit ", "credential-process", " #x ;y", "# z"},
		{"/%s%%(x)s/ambit", "credential-process", "/%(region)s=:[x]"},
		{"/é/日本/ambit", "credential-process", "/~/*?/{a,b}/!x&|<>()"},
		{"/ambit", "", "-", `servers[0]["host.name"]`, `"`, "'", `'"'"`},
	} {
		p := awsProfile{name: "ambit-x", command: words, region: "eu-central-1"}
		text, err := p.appendTo("[default]\nregion = us-east-1")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		botocore, sdk := reads(t, python, file, "ambit-x")
		if !slices.Equal(botocore.Words, words) || !slices.Equal(sdk.Words, words) {
			t.Errorf("%q\nbotocore: %q\n     sdk: %q\n%s", words, botocore.Words, sdk.Words, text)
		}
		if botocore.Region != "eu-central-1" || sdk.Region != "eu-central-1" {
			t.Errorf("%q: regions %q and %q", words, botocore.Region, sdk.Region)
		}
		wanted := words[1] == "credential-process"
		if subject, ok := processSubjectIn(text, "ambit-x"); ok != wanted || wanted && subject != words[len(words)-1] {
			t.Errorf("%q: we read %q, %v", words, subject, ok)
		}
	}
	for _, text := range []string{
		"[profile ambit-y]\ncredential_process = a credential-process b\n",
		"[profile ambit-x]\ncredential_process = a 'credential-process\n",
		"[profile ambit-x]\ncredential_process = a $(credential-process b)\n",
		"[profile ambit-x]\nregion = r\n[profile z]\ncredential_process = a credential-process b\n",
	} {
		if subject, ok := processSubjectIn(text, "ambit-x"); ok {
			t.Errorf("%q asks for %q", text, subject)
		}
	}
	for _, word := range []string{"/a\nb", "/a\rb", "/a\x00b", "/a\xffb", "/a\tb", "/a\x7fb"} {
		if text, err := (awsProfile{name: "ambit-x", command: []string{word}}).block(); err == nil {
			t.Errorf("%q is written as %q", word, text)
		}
	}
}

// A section of the same name goes, however it is written; all else stays.
func TestProfileReplacesItsOwn(t *testing.T) {
	python := needPython(t)
	file := filepath.Join(t.TempDir(), "config")
	p := awsProfile{name: "ambit-x", command: []string{"/bin/ambit", "credential-process", "x"}}
	for _, c := range []struct {
		own  string
		want []string
	}{
		{"", []string{"ambit-x"}},
		{"[profile ambit-x]\nregion = us-west-2\ncredential_process = other\n", []string{"ambit-x"}},
		{"[default]\nregion = us-west-2\n[ profile  ambit-x ]\nregion = us-west-2\ns3 =\n  a = b\n\n# c\n[profile z]\nregion = us-west-2", []string{"ambit-x", "default", "z"}},
		{"[profile \"ambit-x\"]\nregion = us-west-2\n[profile ambit-xy]\nregion = us-west-2\n[profile 'ambit-x2']\na = b\n", []string{"ambit-x", "ambit-x2", "ambit-xy"}},
		{"[profile ambit-x]\r\nregion = us-west-2\r\n[profile b]\r\nregion = us-west-2\r\n", []string{"ambit-x", "b"}},
		{"[profile ambit-x] # mine [1]\nregion = us-west-2\n[sso-session s]\nsso_region = us-west-2\n", []string{"ambit-x"}},
	} {
		text, err := p.appendTo(c.own)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := p.appendTo(text); again != text {
			t.Errorf("a second time it is\n%s\nnot\n%s", again, text)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		botocore, sdk := reads(t, python, file, "ambit-x")
		if !slices.Equal(botocore.Profiles, c.want) || botocore.Region != "" || sdk.Region != "" || !slices.Equal(sdk.Words, p.command) {
			t.Errorf("of %q: %+v, %+v", c.own, botocore, sdk)
		}
	}
}

func TestProfileName(t *testing.T) {
	for label, want := range map[string]string{
		"shop/dev": "ambit-shop-dev", "a/b,c": "ambit-a-b-c", "x]\n[y é": "ambit-x---y--", "a.b_c-d": "ambit-a.b_c-d",
	} {
		if got := profileName(label); got != want {
			t.Errorf("%q: %q, want %q", label, got, want)
		}
	}
}

func TestDeliveryByName(t *testing.T) {
	for _, c := range []struct {
		d     delivery
		names []string
		want  bool
	}{
		{delivery{}, []string{"a/b"}, false},
		{delivery{all: true}, nil, true},
		{delivery{byName: map[string]bool{"a/b": true}}, []string{"a/b"}, true},
		{delivery{byName: map[string]bool{"a/b": true}}, []string{"a/c"}, false},
		{delivery{byName: map[string]bool{"a/b": true}}, nil, false},
		{delivery{byName: map[string]bool{"default/b": true}}, []string{"b"}, true},
		{delivery{byName: map[string]bool{"a/b": false, "a/c": true}}, []string{"a/c", "a/b"}, true},
	} {
		if got := c.d.byProfile(c.names); got != c.want {
			t.Errorf("%+v of %q: %v", c.d, c.names, got)
		}
	}
}
