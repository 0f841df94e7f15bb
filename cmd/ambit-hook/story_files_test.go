package main_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var fileScenarios = []scenario{
	{"every listed value as a file", nil, listedFiles},
	{"files of a command", nil, filesOfACommand},
	{"every listed value through a dotenv file", []int{30}, listedDotenv},
}

// listed are the hostile values of testdata/values, up to a size, by a variable's
// name.
func listed(t *testing.T, most int) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../testdata/values/*")
	if err != nil || len(files) < 40 {
		t.Fatalf("testdata/values has %d files, %v", len(files), err)
	}
	values := map[string]string{}
	for _, file := range files {
		value, err := os.ReadFile(file)
		must(t, err)
		if len(value) <= most {
			values["V_"+filepath.Base(file)] = string(value)
		}
	}
	return values
}

// output is an environment whose output is to hold exactly these values.
func output(name string, values map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "values:\n  %s:\n", name)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&b, "    %s: {fn::fromBase64: %q}\n", key, base64.StdEncoding.EncodeToString([]byte(values[key])))
	}
	return b.String()
}

// delivered compares files with what they are to hold, and says in which
// directories they lie.
func delivered(t *testing.T, env, values map[string]string) (dirs []string) {
	t.Helper()
	for name, want := range values {
		path := env[name]
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v, want a file of mode 0600", name, info, err)
			continue
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s holds %.100q, %v, want %.100q", name, got, err, want)
		}
		dir := filepath.Dir(path)
		if info, err := os.Lstat(dir); err != nil || info.Mode().Perm() != 0o700 || !info.IsDir() {
			t.Errorf("%s lies in %v, %v, want a directory of mode 0700", name, info, err)
		}
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// gone waits until there is none of these paths.
func (tm *terminal) gone(what string, paths ...string) {
	tm.t.Helper()
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		left := slices.DeleteFunc(slices.Clone(paths), func(path string) bool {
			_, err := os.Lstat(path)
			return os.IsNotExist(err)
		})
		switch {
		case len(left) == 0:
			return
		case time.Since(start) > patience:
			tm.t.Fatalf("%s: %s: %q are still there\n%s", tm.shell, what, left, tm.transcript())
		}
	}
}

func listedFiles(t *testing.T, h *house, sh shell) {
	values := listed(t, 1<<20)
	values["V_nul"] = "a\x00b"
	half := strings.Repeat("x", 1<<19)
	text := output("files", values) + "    V_mebibyte: ${half}${half}\n  half: " + half + "\n"
	values["V_mebibyte"] = half + half
	h.environment("values/files", text)
	h.environment("values/others", output("files", map[string]string{"V_empty": "full", "OTHER": "x"}))
	h.loaded("home/values", "environment: values/files\n")
	h.loaded("home/others", "environment: values/others\n")
	tm := h.open(sh)
	before := tm.env()

	tm.cd("home/values", fmt.Sprintf("ambit: values/files loaded (+%d)", len(values)))
	env := tm.env()
	dirs := delivered(t, env, values)
	for _, dir := range dirs {
		if strings.HasPrefix(dir, h.path("home/values")) {
			t.Errorf("%s: the files lie in the project: %s", sh, dir)
		}
	}
	// The shell itself finds them by what it exports.
	tm.want(`cat "$V_bytes_1_255" "$V_sentinel_line" > $HOME/copy`)
	if got := h.read("home/copy"); got != values["V_bytes_1_255"]+values["V_sentinel_line"] {
		t.Errorf("%s: the shell's own copy holds %q", sh, got)
	}
	tm.want("")
	tm.cd("home/others", "ambit: values/others loaded (+2)")
	others := tm.env()
	dirs = append(dirs, delivered(t, others, map[string]string{"V_empty": "full", "OTHER": "x"})...)
	tm.holds(others, "V_nul", unset)
	for name := range values {
		if _, err := os.Lstat(env[name]); err == nil && env[name] != others[name] {
			t.Errorf("%s: %s is still there, in another directory", sh, name)
		}
	}
	tm.cd("home", "ambit: values/others unloaded")
	tm.same("after leaving", tm.env(), before)
	tm.gone("after leaving", dirs...)

	// A shell that is killed cannot leave: what it had goes when others are written.
	tm.cd("home/values", fmt.Sprintf("ambit: values/files loaded (+%d)", len(values)))
	dirs = delivered(t, tm.env(), values)
	tm.typeLine("kill -KILL " + fmt.Sprint(tm.pid()))
	tm.waitEnd()
	tm.close()
	tm = h.open(sh)
	tm.cd("home/others", "ambit: values/others loaded (+2)")
	tm.gone("after a shell was killed", dirs...)
}

func filesOfACommand(t *testing.T, h *house, sh shell) {
	values := listed(t, 1<<20)
	h.environment("values/files", output("files", values))
	tm := h.open(sh)
	before := tm.env()
	const run = "ambit run values/files -- "
	inherited := filepath.Join(h.root, "inherited")
	for _, end := range []struct {
		how    string
		script string
		status int
	}{
		{"an exit", "exit 7", 7},
		{"a signal to the command", "kill -TERM $$", 128 + 15},
		{"SIGKILL to the command", "kill -KILL $$", 128 + 9},
		{"a signal to ambit", "kill -TERM $PPID; exec sleep 60", 128 + 15},
		{"SIGHUP to ambit", "kill -HUP $PPID; exec sleep 60", 128 + 1},
	} {
		must(t, os.RemoveAll(h.path("home/copy")))
		_, status := tm.run(run + "sh -c 'cp $V_pem copy; ls -ld $(dirname $V_pem) >mode; dumpenv " + inherited + "; " + end.script + "'")
		if status != end.status {
			t.Errorf("%s: the status after %s is %d, want %d\n%s", sh, end.how, status, end.status, tm.transcript())
		}
		if got := h.read("home/copy"); got != values["V_pem"] {
			t.Errorf("%s: the command read %q", sh, got)
		}
		if mode := h.read("home/mode"); !strings.HasPrefix(mode, "drwx------") {
			t.Errorf("%s: its directory is %s", sh, mode)
		}
		env := parseEnviron(h.read(inherited))
		for name := range values {
			if _, err := os.Lstat(filepath.Dir(env[name])); env[name] == "" || !os.IsNotExist(err) {
				t.Errorf("%s: after %s %s is at %q: %v", sh, end.how, name, env[name], err)
			}
		}
	}
	tm.same("after all", tm.env(), before)

	// Ctrl-C is the command's, and ambit's as well.
	tm.typeLine(run + `sh -c 'dumpenv ` + inherited + `; echo rea""dy; exec sleep 60'`)
	tm.expect("ready")
	dir := filepath.Dir(parseEnviron(h.read(inherited))["V_pem"])
	delivered(t, parseEnviron(h.read(inherited)), values)
	tm.interrupt()
	if _, status := tm.prompted(); status != 128+2 {
		t.Errorf("%s: the status after Ctrl-C is %d", sh, status)
	}
	tm.gone("after Ctrl-C", dir)

	// Of ambit killed on the spot nothing can be asked; its command goes on with the
	// files, and whoever writes files next takes them away.
	tm.run(run + "sh -c 'dumpenv " + inherited + "; touch waits; kill -KILL $PPID; cp $V_pem copy; rm waits'")
	tm.gone("what still runs", h.path("home/waits"))
	if got := h.read("home/copy"); got != values["V_pem"] {
		t.Errorf("%s: after ambit was killed the command read %q", sh, got)
	}
	dir = filepath.Dir(parseEnviron(h.read(inherited))["V_pem"])
	tm.run(run + "true")
	tm.gone("after ambit was killed", dir)

	// The window is closed.
	tm.typeLine(run + `sh -c 'dumpenv ` + inherited + `; echo rea""dy; exec sleep 60'`)
	tm.expect("ready")
	dir = filepath.Dir(parseEnviron(h.read(inherited))["V_pem"])
	tm.close()
	tm.gone("after the window was closed", dir)
}

// What `ambit open --format dotenv` prints reads back as the same bytes: as the
// dotenv file of a directory, and where a shell can source it, by that shell.
func listedDotenv(t *testing.T, h *house, sh shell) {
	values := listed(t, 64<<10)
	h.environment("values/all", output("environmentVariables", values))
	for _, locale := range []string{"C", "C.UTF-8"} {
		h.env["LC_ALL"] = locale
		r := h.ambit("open", "values/all", "--format", "dotenv")
		if r.status != 0 || r.stderr != "" {
			t.Fatalf("status %d, %q", r.status, r.stderr)
		}
		h.write("home/dotenv/.env", r.stdout)
		h.loaded("home/dotenv", "dotenv: .env\n")
		tm := h.open(sh)
		before := tm.env()
		same := func(how string, env map[string]string) {
			t.Helper()
			for name, want := range values {
				if got, set := env[name]; !set || got != want {
					t.Errorf("%s, %s: %s: %s arrived as %.100q (set: %v), want %.100q", sh, locale, how, name, got, set, want)
				}
			}
		}
		tm.cd("home/dotenv", fmt.Sprintf("ambit: dotenv loaded (+%d)", len(values)))
		same("dotenv", tm.env())
		tm.want("")
		tm.cd("home", "ambit: dotenv unloaded")
		tm.same("after leaving", tm.env(), before)
		if sh == "fish" {
			tm.want("ambit open values/all --format fish | source")
		} else {
			tm.want("set -a; . ./dotenv/.env; set +a")
			same("sourced", tm.env())
			for name := range values {
				h.env[name] = "" // that it is what is evaluated now
			}
			tm.close()
			tm = h.open(sh)
			tm.want(`eval "$(ambit open values/all --format ` + string(sh) + `)"`)
			for name := range values {
				delete(h.env, name)
			}
		}
		same("evaluated", tm.env())
		tm.close()
	}
}
