package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func FuzzINI(f *testing.F) {
	for _, s := range setups {
		f.Add([]byte(s.config))
		f.Add([]byte(s.credentials))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) > 1<<16 {
			return
		}
		last := 1 + bytes.Count(content, []byte("\n")) + bytes.Count(content, []byte("\r"))
		for _, r := range []*reading{readAsGo(content), readAsPython(content)} {
			if len(r.names) != len(r.sections) {
				t.Fatalf("%d names of %d sections", len(r.names), len(r.sections))
			}
			for _, name := range r.names {
				s := r.sections[name]
				if s.line < 1 || s.line > last || s.last() < s.line {
					t.Fatalf("section %q from line %d to %d of %d", name, s.line, s.last(), last)
				}
				for key, e := range s.values {
					if e.line < 0 || e.line > last || len(e.value) > len(content) {
						t.Fatalf("%q in line %d of %d", key, e.line, last)
					}
				}
			}
			if (r.refusal == "") != (len(r.lines) == 0) || len(r.lines) > mostSpans {
				t.Fatalf("refused for %q in %v", r.refusal, r.lines)
			}
			for _, at := range r.lines {
				if at.first < 1 || at.last < at.first || at.told < 1 || at.last > last || at.told > last {
					t.Fatalf("refused in %+v of %d lines", at, last)
				}
			}
		}
	})
}

// What Python's parser refuses and what it reads, over many texts made of the
// pieces that matter.
func TestINIAgreesWithPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("AMBIT_TEST_REQUIRE") == "all" {
			t.Fatal("python3 is missing")
		}
		t.Skip("skipped: python3 is missing")
	}
	pieces := []string{
		"[default]\n", "[a]\n", "[ a ]\n", "[a\n", "[]\n", "[DEFAULT]\n", "[a]] # x\n", "x = 1\n", "y: 2\n", "X=3\n", "  z = 4\n", "\tw = 5\n", "s3 =\n", "=\n",
		"x\n", "  x\n", "\n", "   \n", "# c\n", "  ; c\n", "x = 1 # c\n", "k = a=b:c\n", "\r\n", "\r", "v = ü\n", "q = \"x\"\n", "a b = c\n", "\ufeff",
	}
	var texts []string
	seed := uint32(1)
	for range 1500 {
		var b strings.Builder
		seed = seed*1664525 + 1013904223
		for n := 2 + int(seed>>28); n > 0; n-- {
			seed = seed*1664525 + 1013904223
			b.WriteString(pieces[int(seed>>16)%len(pieces)])
		}
		texts = append(texts, b.String())
	}
	dir := t.TempDir()
	for i, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(python, "-c", `
import configparser, json, sys
for i in range(int(sys.argv[2])):
    c = configparser.RawConfigParser()
    try:
        with open(sys.argv[1] + '/' + str(i), encoding='utf-8') as f:
            c.read_file(f)
        print(json.dumps({s: {o: c.get(s, o) for o in c.options(s)} for s in c.sections()}))
    except configparser.Error as e:
        print(type(e).__name__)
`, dir, fmt.Sprint(len(texts)))
	cmd.Env = append(os.Environ(), "PYTHONUTF8=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	told := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(told) != len(texts) {
		t.Fatalf("%d answers to %d texts", len(told), len(texts))
	}
	names := map[refusal]string{secondSection: "DuplicateSectionError", secondName: "DuplicateOptionError", beforeSection: "MissingSectionHeaderError", noProperty: "ParsingError"}
	for i, text := range texts {
		r := readAsPython([]byte(text))
		if strings.HasSuffix(told[i], "Error") {
			// After a line that it cannot read Python goes on, and may stop for something else.
			if want := names[r.refusal]; told[i] != want && r.refusal != noProperty {
				t.Fatalf("%q: Python says %s, here %q", text, told[i], r.refusal)
			}
			continue
		}
		var want map[string]map[string]string
		if err := json.Unmarshal([]byte(told[i]), &want); err != nil {
			t.Fatal(err)
		}
		if r.refusal != "" && r.refusal != noProperty || len(r.sections) != len(want) {
			t.Fatalf("%q: Python reads %v, here %q, %v", text, want, r.refusal, r.names)
		}
		for name, values := range want {
			for key, value := range values {
				// What is indented below a name is read by a rule of botocore's own.
				if got, ok := r.sections[name].get(key); !strings.HasPrefix(value, "\n") && (!ok || got.value != value) {
					t.Fatalf("%q: [%s] %s is %q to Python, here %q", text, name, key, value, got.value)
				}
			}
		}
	}
}

// A file of a mebibyte is read in time, whatever it holds.
func TestLargeFiles(t *testing.T) {
	for name, text := range map[string]string{
		"profiles":      strings.Repeat("[profile %d]\nrole_arn=x\n", 30000),
		"continuations": "[a]\nx = 1\n" + strings.Repeat(" y\n", 340000),
		"settings":      "[default]\n" + strings.Repeat("k%d = v\n", 90000),
		"bad lines":     "[default]\n" + strings.Repeat("x\n", 500000),
		"brackets":      strings.Repeat("[", 1<<20),
		"one line":      "[default]\nx = " + strings.Repeat("y", 1<<20-100),
	} {
		if strings.Contains(text, "%d") {
			n := 0
			var b strings.Builder
			for line := range strings.Lines(text) {
				fmt.Fprint(&b, strings.Replace(line, "%d", fmt.Sprint(n/2), 1))
				n++
			}
			text = b.String()
		}
		t.Run(name, func(t *testing.T) {
			if len(text) > 1<<20 {
				text = text[:1<<20]
			}
			x := examinationOf(t, setup{config: text, credentials: text, env: env("AWS_PROFILE", "x9")})
			begin := time.Now()
			found := offlineFindings(x)
			x.sources()
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("took %v", took)
			}
			for _, f := range found {
				if len(f.Evidence) > 1500 || len(f.Fix) > 1500 {
					t.Errorf("%s says %d bytes, %d to mend it", f.Check, len(f.Evidence), len(f.Fix))
				}
			}
		})
	}
}

// What is too large to be looked at leads to no false alarm.
func TestUnseenFile(t *testing.T) {
	x := examinationOf(t, setup{credentials: good + strings.Repeat("#", 1<<20), env: env("AWS_PROFILE", "nope", "AWS_REGION", "us-east-1", "AWS_DEFAULT_REGION", "us-east-1")})
	for _, f := range offlineFindings(x) {
		if f.Status == Fail {
			t.Error(spelled([]Finding{f}))
		}
	}
}

// Nothing is waited for, and nothing is shown raw that is long.
func TestHostileNames(t *testing.T) {
	long := strings.Repeat("A\x1b]52;c;\a", 1000)
	x := examinationOf(t, setup{config: "[profile " + long + "]\nrole_arn=" + long + "\nsource_profile=" + long + "x\nregion=" + long + "\n",
		env: env("AWS_PROFILE", long, "AWS_REGION", long, "AWS_ENDPOINT_URL", long, "AWS_CREDENTIAL_EXPIRATION", long, "AWS_CONFIG_FILE", long,
			"AWS_ACCESS_KEY_ID", long, "AWS_SECRET_ACCESS_KEY", long, "AWS_SESSION_TOKEN", long, "AWS_WEB_IDENTITY_TOKEN_FILE", "/"+long)})
	for _, c := range offline {
		for _, f := range c.run(context.Background(), x) {
			if len(f.Evidence) > 1500 {
				t.Errorf("%s says %d bytes", f.Check, len(f.Evidence))
			}
		}
	}
	for _, s := range x.sources() {
		if len(s.Place) > 500 {
			t.Errorf("a place of %d bytes", len(s.Place))
		}
	}
}
