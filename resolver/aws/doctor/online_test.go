package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

// world is a person's machine and a loopback AWS.
type world struct {
	t      *testing.T
	server *awstest.Server
	Patient
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := awstest.Start(awstest.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	home := t.TempDir()
	return &world{t: t, server: s, Patient: Patient{
		Environ: map[string]string{"HOME": home, "AWS_ENDPOINT_URL": s.URL, "AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1", "PATH": os.Getenv("PATH")},
		Home:    home, UID: os.Getuid(), Now: time.Now, Root: t.TempDir(), Ours: func(string) bool { return false },
	}}
}

func (w *world) withKeys(id, secret, token string) {
	w.Environ["AWS_ACCESS_KEY_ID"], w.Environ["AWS_SECRET_ACCESS_KEY"] = id, secret
	if token != "" {
		w.Environ["AWS_SESSION_TOKEN"] = token
	}
}

func (w *world) knobs(change func(*awstest.Knobs)) {
	w.t.Helper()
	if err := w.server.Update(change); err != nil {
		w.t.Fatal(err)
	}
}

// file writes one below dir.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// examine is what a person is told.
func (w *world) examine(only ...string) []Finding {
	w.t.Helper()
	begun := time.Now()
	report := Examine(context.Background(), w.Patient, only...)
	if took := time.Since(begun); took > 15*time.Second {
		w.t.Errorf("took %s", took)
	}
	settled := Settle(report.Findings)
	for _, f := range settled {
		for name, value := range w.Environ {
			if secret := strings.Contains(name, "SECRET") || strings.Contains(name, "TOKEN") && !strings.Contains(name, "FILE"); secret && len(value) > 8 && strings.Contains(f.Evidence+f.Fix, value) {
				w.t.Errorf("%s tells %s", f.Check, name)
			}
		}
		if strings.ContainsAny(f.Fix, "\n\x1b") {
			w.t.Errorf("a fix of more than one line: %q", f.Fix)
		}
	}
	return settled
}

// is wants the first finding to be this one.
func (w *world) is(found []Finding, check string, status Status, evidence, fix string) {
	w.t.Helper()
	if len(found) == 0 {
		w.t.Fatalf("nothing found, want %s %s", status, check)
	}
	f := found[0]
	if f.Check != check || f.Status != status || !strings.Contains(f.Evidence, evidence) || !strings.Contains(f.Fix, fix) || fix == "" && f.Fix != "" {
		w.t.Errorf("got %s\nwant %s %s %q, fix %q", list(found), status, check, evidence, fix)
	}
}

// healthy wants nothing to have failed, nor to be worth a warning.
func (w *world) healthy(found []Finding) {
	w.t.Helper()
	if slices.ContainsFunc(found, func(f Finding) bool { return f.Status != OK }) {
		w.t.Errorf("got %s", list(found))
	}
}

func list(found []Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "\n  %s %s %s\n    fix: %s", f.Status, f.Check, f.Evidence, f.Fix)
	}
	return b.String()
}
