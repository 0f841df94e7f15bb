package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ambit/hook"
	"ambit/resolver/aws/doctor"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// reported prints a report for a screen of so many columns that is no terminal.
func reported(r doctor.Report, columns string) string {
	var out bytes.Buffer
	a := &ambit{process: process{stdout: &out, now: func() time.Time { return noon }}, out: &output{w: &out}, environ: hook.Environ{"COLUMNS": columns}}
	a.printReport(r)
	return out.String()
}

func TestReport(t *testing.T) {
	r := doctor.Report{
		Findings: []doctor.Finding{
			{Check: "aws.family", Status: doctor.Fail, Evidence: "ASIA…7ML2 is temporary, AWS_SESSION_TOKEN is empty", Fix: "ambit reload"},
			{Check: "aws.keys", Status: doctor.Warn, Evidence: "AWS does not know ASIA…7ML2 (InvalidClientTokenId), because of aws.family"},
			{Check: "aws.keys", Status: doctor.OK, Evidence: "never told beside the other"},
			{Check: "hook", Status: doctor.OK}, {Check: "path", Status: doctor.OK}, {Check: "path", Status: doctor.OK},
		},
		Sources: []doctor.Source{
			{Place: "environment", Kind: "keys", KeyID: "ASIA…7ML2", Account: "029608264753", ExpiresAt: noon.Add(42 * time.Minute), CLI1: doctor.Wins, CLI2: doctor.Wins, Go: doctor.Wins},
			{Place: "~/.aws/credentials [dev]", Kind: "keys", KeyID: "AKIA…MPLE", ExpiresAt: noon.Add(-time.Hour), CLI1: doctor.Shadowed, CLI2: doctor.Unread, Go: doctor.Shadowed},
		},
	}
	const want = `fail  aws.family   ASIA…7ML2 is temporary, AWS_SESSION_TOKEN is empty
      fix: ambit reload
warn  aws.keys     AWS does not know ASIA…7ML2 (InvalidClientTokenId), because
                   of aws.family
ok    hook, path

`
	const narrow = `credentials                                          v1/boto3 CLI v2   Go
environment                                          wins     wins     wins
  keys ASIA…7ML2, account 029608264753, 42m left
~/.aws/credentials [dev]                             shadowed -        shadowed
  keys AKIA…MPLE, expired
`
	const wide = `credentials               kind  key id     account       left     v1/boto3 CLI v2   Go
environment               keys  ASIA…7ML2  029608264753  42m      wins     wins     wins
~/.aws/credentials [dev]  keys  AKIA…MPLE  -             expired  shadowed -        shadowed
`
	if got := reported(r, "80"); got != want+narrow {
		t.Errorf("80 columns:\n%s", got)
	}
	if got := reported(r, "120"); !strings.HasSuffix(got, wide) {
		t.Errorf("120 columns:\n%s", got)
	}
	if got := reported(doctor.Report{}, "80"); got != "" {
		t.Errorf("nothing found: %q", got)
	}
}

// Lines stay within the terminal whatever stands in them, but for what has to be
// copied whole; and nothing foreign reaches it raw.
func TestReportFitsAndIsPrintable(t *testing.T) {
	hostile := "\x1b]0;x\a \u202e\xff\n" + strings.Repeat("wörter 漢字漢字 ", 40)
	r := doctor.Report{
		Findings: []doctor.Finding{{Check: "aws.files", Status: doctor.Fail, Evidence: hostile, Fix: "rm '" + strings.Repeat("x ", 60) + "\x1b'"}},
		Sources:  []doctor.Source{{Place: "~/.aws/config [profile " + hostile + "]", Kind: "credential_process", CLI1: doctor.Wins}},
	}
	for _, columns := range []string{"40", "80", "81", "100", "200", "nonsense", "-1", "0"} {
		limit := map[string]int{"40": 40, "100": 100, "81": 81, "200": 200, "0": 80, "-1": 80}[columns]
		if limit == 0 {
			limit = 80
		}
		out := reported(r, columns)
		if strings.ContainsAny(out, "\x1b\a\u202e") || !utf8.ValidString(out) {
			t.Fatalf("raw: %q", out)
		}
		fixes := 0
		for line := range strings.Lines(out) {
			line = strings.TrimSuffix(line, "\n")
			if strings.HasPrefix(line, "      fix: ") {
				fixes++
				continue
			}
			if n := columnsOf(line); n > limit && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("COLUMNS=%s: %d columns: %q", columns, n, line)
			}
		}
		if fixes != 1 {
			t.Errorf("COLUMNS=%s: the fix is on %d lines", columns, fixes)
		}
	}
}

func TestWrapped(t *testing.T) {
	for _, test := range []struct {
		text    string
		columns int
		want    string
	}{
		{"", 10, ""},
		{"one two", 7, "one two"},
		{"one two", 6, "one|two"},
		{"a/very/long/path b", 5, "a/very/long/path|b"},
		{"漢字 漢字", 5, "漢字|漢字"},
		{"ASIA…7ML2 x", 11, "ASIA…7ML2 x"},
	} {
		if got := strings.Join(wrapped(test.text, test.columns), "|"); got != test.want {
			t.Errorf("wrapped(%q, %d) = %q, wanted %q", test.text, test.columns, got, test.want)
		}
	}
}

// Fish has other words for a few things.
func TestFixIsInTheShellsWords(t *testing.T) {
	for _, test := range [][3]string{
		{"unset A B", "unset A B", "set -e A B"},
		{"cd x && unset A; unset -f f", "cd x && unset A; unset -f f", "cd x && set -e A; functions -e f"},
		{"export A=unset B='unset C'", "export A=unset B='unset C'", "export A=unset B='unset C'"},
	} {
		if bash, fish := inShell("bash", test[0]), inShell("fish", test[0]); bash != test[1] || fish != test[2] {
			t.Errorf("%q: bash %q, fish %q", test[0], bash, fish)
		}
	}
}

func TestFixOfHint(t *testing.T) {
	for hint, want := range map[string]string{
		`run "ambit login"`:                                           "ambit login",
		`look again: run "ambit doctor"`:                              "",
		`role "dev" does not exist: aws iam get-role --role-name dev`: "aws iam get-role --role-name dev",
		"aws account enable-region --region-name x, or choose":        "aws account enable-region --region-name x",
		"set the clock: sudo timedatectl set-ntp true":                "sudo timedatectl set-ntp true",
		"awsome":                "",
		"try again in a moment": "",
		"wait for the next code, and run \"ambit login\"": "ambit login",
	} {
		if got := fixOf(hint, "refused"); got != want {
			t.Errorf("%q: %q, wanted %q", hint, got, want)
		}
	}
	if got := fixOf("", "login"); got != "ambit login" {
		t.Errorf("a login without a hint: %q", got)
	}
}

// A trial that fails is the effect of what stands in every login's way, and never of
// what is wrong with this shell's own keys.
func TestTrialKnowsItsCause(t *testing.T) {
	tried := func(summary string) []doctor.Finding {
		a := &ambit{}
		return a.trialFindings(trial{Label: "a/b", Failures: []failure{{Summary: summary, Kind: "refused", Hint: `run "ambit login"`}}})
	}
	denied := tried("aws-login: AWS refused role arn:aws:iam::1:role/x: AccessDenied: not authorized to perform: sts:AssumeRole")
	for _, test := range []struct {
		others []doctor.Finding
		trial  []doctor.Finding
		want   string // check and status of the first
	}{
		{nil, denied, "aws.role fail"},
		{[]doctor.Finding{{Check: "aws.keys", Status: doctor.Fail}}, denied, "aws.keys fail, aws.role fail"},
		{[]doctor.Finding{{Check: "aws.clock", Status: doctor.Fail}}, denied, "aws.clock fail, aws.role warn"},
		{[]doctor.Finding{{Check: "aws.clock", Status: doctor.Warn}}, denied, "aws.role fail, aws.clock warn"},
		{[]doctor.Finding{{Check: "aws.role", Status: doctor.Fail}}, denied, "aws.role fail, aws.role warn"},
		{[]doctor.Finding{{Check: "aws.order", Status: doctor.Fail, Causes: []string{"hook", "directory"}}}, denied, "aws.role fail, aws.order warn"},
		{[]doctor.Finding{{Check: "aws.order", Status: doctor.Fail, Causes: []string{"hook", "directory"}}}, nil, "aws.order fail"},
		{nil, tried("command: exit status 1"), "directory fail"},
		{nil, tried("aws-login: AWS refused role x: ExpiredToken: The security token included in the request is expired"), "aws.token fail"},
	} {
		var got []string
		for _, f := range withTrial(doctor.Settle(test.others), test.trial) {
			got = append(got, f.Check+" "+string(f.Status))
			if f.Status == doctor.Warn && f.Fix != "" {
				t.Errorf("an effect has a fix: %+v", f)
			}
		}
		if s := strings.Join(got, ", "); s != test.want {
			t.Errorf("%v: %q, wanted %q", test.others, s, test.want)
		}
	}
}

// home makes a setup with a home directory in which there are files.
func homeWith(t *testing.T, files map[string]string) *setup {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := hook.Environ{"HOME": dir}
	return &setup{ambit: &ambit{process: process{self: "/opt/bin/ambit"}, environ: env, places: hook.NewPlaces(env, os.Geteuid())}}
}
