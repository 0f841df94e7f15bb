package shells

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fake is a program in the place of ambit-hook: it counts its calls, prints the
// bytes that it was given and exits with the status that it was given.
type fake struct{ dir string }

func newFake(t testing.TB) fake {
	t.Helper()
	return newFakeAt(t, filepath.Join(t.TempDir(), "ambit-hook"))
}

func newFakeAt(t testing.TB, program string) fake {
	t.Helper()
	f := fake{filepath.Dir(program)}
	write(t, program, "#!/bin/sh\ncd "+posixQuote(f.dir)+" || exit 1\necho \"$*\" >>calls\ncat answer\ncat message >&2\nexit \"$(cat status)\"\n")
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(f.dir, "message"), "")
	write(t, filepath.Join(f.dir, "calls"), "")
	f.answer(t, nil, 0)
	return f
}

func posixQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (f fake) program() string { return filepath.Join(f.dir, "ambit-hook") }

func (f fake) answer(t testing.TB, text []byte, status int) {
	t.Helper()
	write(t, filepath.Join(f.dir, "answer.new"), string(text))
	if err := os.Rename(filepath.Join(f.dir, "answer.new"), filepath.Join(f.dir, "answer")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(f.dir, "status"), strconv.Itoa(status))
}

// calls returns how often the program has run.
func (f fake) calls(t testing.TB) int {
	t.Helper()
	return strings.Count(read(t, filepath.Join(f.dir, "calls")), "\n")
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// project is a directory with what a check compares: a generation file, a loaded
// .envrc.yaml, two more watched files, and four paths that are absent.
type project struct {
	root, dir string
	check     Check
}

func newProject(t testing.TB) project {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := project{root: root, dir: filepath.Join(root, "shop")}
	for _, dir := range []string{p.dir, filepath.Join(root, "stamps")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.check = Check{
		Pwd:            p.dir,
		Generation:     p.watch(t, "generation", 1700000000, 123456789),
		GenerationTime: 1700000000,
		Watched: []File{
			p.watch(t, "shop/.envrc.yaml", 1700000001, 1),
			p.watch(t, "dev.yaml", 1700000002, 999999999),
			p.watch(t, "config.yaml", 1700000003, 500),
		},
		Absent: []string{root + "/one", root + "/two/.envrc.yaml", root + "/three", root + "/four"},
	}
	return p
}

func (p project) watch(t testing.TB, name string, seconds, nanoseconds int64) File {
	t.Helper()
	f := File{filepath.Join(p.root, name), filepath.Join(p.root, "stamps", strings.ReplaceAll(name, "/", "-"))}
	for _, path := range []string{f.Path, f.Stamp} {
		write(t, path, "")
		at(t, path, time.Unix(seconds, nanoseconds))
	}
	return f
}

func at(t testing.TB, path string, mtime time.Time) {
	t.Helper()
	if err := os.Chtimes(path, mtime, mtime); err != nil {
		t.Fatal(err)
	}
}
