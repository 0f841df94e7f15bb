package main_test

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// house is a user's home that exists for one story, with all that stands there.
type house struct {
	t    testing.TB
	root string // holds everything; canonical
	home string
	env  map[string]string // what the user's shells start with
	now  time.Time         // see write
	user *syscall.Credential
}

func newHouse(t testing.TB) *house {
	t.Helper()
	root, err := os.MkdirTemp("", "ambit-house-")
	must(t, err)
	t.Cleanup(func() {
		// A browser that was opened is nobody's to wait for, and may still write.
		err := os.RemoveAll(root)
		for end := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(end); err = os.RemoveAll(root) {
			time.Sleep(50 * time.Millisecond)
		}
		if err != nil {
			t.Error(err)
		}
	})
	root, err = filepath.EvalSymlinks(root)
	must(t, err)
	h := &house{t: t, root: root, home: filepath.Join(root, "home"), now: time.Now().Add(-24 * time.Hour).Truncate(time.Second)}
	// The last one spares fish a program that reads every manual of the system at
	// its first start.
	for _, dir := range []string{h.home, h.path("tmp"), h.path("home/.local/share/fish/generated_completions")} {
		must(t, os.MkdirAll(dir, 0o700))
	}
	h.env = map[string]string{
		"HOME":            h.home,
		"XDG_CONFIG_HOME": h.path("home/.config"),
		"XDG_STATE_HOME":  h.path("home/.local/state"),
		"XDG_CACHE_HOME":  h.path("home/.cache"),
		"XDG_DATA_HOME":   h.path("home/.local/share"),
		"TMPDIR":          h.path("tmp"),
		"PATH":            built + ":" + os.Getenv("PATH"),
		"TERM":            "dumb",
		"LC_ALL":          "C.UTF-8",
		"USER":            "someone",
		"LOGNAME":         "someone",
		// No story may reach beyond this machine.
		"AWS_EC2_METADATA_DISABLED": "true",
	}
	// What pyenv's stand-ins for aws and python3 go by.
	// And a test program with -race, which dumpenv is, sleeps for a second before it
	// exits if GORACE does not say otherwise.
	for _, name := range []string{"PYENV_ROOT", "GORACE"} {
		if value, ok := os.LookupEnv(name); ok {
			h.env[name] = value
		}
	}
	return h
}

// path is absolute; rel is relative to the root, so most begin with home/.
func (h *house) path(rel string) string {
	if filepath.IsAbs(rel) {
		return rel
	}
	return filepath.Join(h.root, rel)
}

// write makes a file and the directories above it. Each has a time of its own,
// long past: what was written within the last two seconds is not yet trusted to
// have its last time, and the stories are to see a shell that trusts its check.
func (h *house) write(rel, text string) string {
	h.t.Helper()
	path := h.path(rel)
	must(h.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(h.t, os.WriteFile(path, []byte(text), 0o644))
	h.age(path)
	return path
}

func (h *house) read(path string) string {
	h.t.Helper()
	b, err := os.ReadFile(h.path(path))
	must(h.t, err)
	return string(b)
}

func (h *house) age(path string) {
	h.t.Helper()
	h.now = h.now.Add(time.Second + 123456789)
	must(h.t, os.Chtimes(path, h.now, h.now))
}

// project makes a directory with a .envrc.yaml and returns its path.
func (h *house) project(rel, text string) string {
	h.t.Helper()
	return filepath.Dir(h.write(filepath.Join(rel, ".envrc.yaml"), text))
}

// environment makes an environment in the user's store.
func (h *house) environment(name, text string) string {
	h.t.Helper()
	return h.write("home/.config/ambit/environments/"+name+".yaml", text)
}

func (h *house) environ() []string {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(h.env)) {
		env = append(env, name+"="+h.env[name])
	}
	return env
}

// chown gives the house to its user.
func (h *house) chown() {
	h.t.Helper()
	must(h.t, filepath.WalkDir(h.root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(h.user.Uid), int(h.user.Gid))
	}))
}

// result is what a program that has ended printed.
type result struct {
	stdout, stderr string
	status         int
}

// run runs a program in a directory without a terminal.
func (h *house) run(dir, program string, args ...string) result {
	h.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = h.path(dir)
	cmd.Env = append(h.environ(), "PWD="+cmd.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: h.user}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// ambit runs ambit in the home directory.
func (h *house) ambit(args ...string) result {
	h.t.Helper()
	return h.run("home", filepath.Join(built, "ambit"), args...)
}

// allow allows a directory's file, as the user would.
func (h *house) allow(dir string) {
	h.t.Helper()
	if r := h.ambit("allow", "-y", h.path(dir)); r.status != 0 {
		h.t.Fatalf("ambit allow -y %s: status %d\n%s%s", dir, r.status, r.stdout, r.stderr)
	}
}

// loaded makes a project whose file is allowed.
func (h *house) loaded(rel, text string) string {
	h.t.Helper()
	dir := h.project(rel, text)
	h.allow(dir)
	return dir
}

// quoted writes a string for any of the three shells; it has no single quote or
// backslash at the places where they differ.
func quoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
