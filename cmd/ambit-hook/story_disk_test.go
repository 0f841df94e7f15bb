package main_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// diskFault is one way in which nothing can be written, or in which what was
// written is gone. The credentials load all the same.
type diskFault struct {
	name       string
	begin, end func(f *faultStory)
	wrapper    func(f *faultStory) []string
	damages    bool // what is kept is lost: the next prompt asks again
	nobody     bool // needs a user whom a mode stops
	warns      bool // where nothing is kept yet every prompt asks anew, which is said once
}

var diskFaults = []diskFault{
	{name: "disk full", wrapper: smallDisk,
		begin: func(f *faultStory) {
			file, err := os.OpenFile(f.h.path("home/.cache/ambit/filler"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
			must(f.t, err)
			for _, err = file.Write(make([]byte, 4096)); err == nil; _, err = file.Write(make([]byte, 512)) {
			}
			must(f.t, file.Close())
			if !strings.Contains(err.Error(), "no space left") {
				f.t.Fatal(err)
			}
		},
		end: func(f *faultStory) { must(f.t, os.Remove(f.h.path("home/.cache/ambit/filler"))) }},
	{name: "files of 0 bytes at most", wrapper: func(*faultStory) []string { return []string{"sh", "-c", `trap "" XFSZ; exec "$@"`, "sh"} },
		begin: func(f *faultStory) { f.fileSize("0") },
		end:   func(f *faultStory) { f.fileSize("unlimited") }},
	{name: "read-only HOME", nobody: true, warns: true,
		begin: func(f *faultStory) { f.directories(0o500) },
		end:   func(f *faultStory) { f.directories(0o700) }},
	{name: "cache files of 0 bytes", damages: true,
		begin: func(f *faultStory) {
			for _, room := range []string{"entries", "opens"} {
				for _, name := range f.h.files(room) {
					must(f.t, os.Truncate(f.h.path("home/.cache/ambit/"+room+"/"+name), 0))
				}
			}
		},
		end: stays},
	{name: "cache gone", damages: true,
		begin: func(f *faultStory) { must(f.t, os.RemoveAll(f.h.path("home/.cache"))) },
		end:   stays},
}

// smallDisk is a disk of a few pages for the cache, which only root can have.
func smallDisk(f *faultStory) []string {
	if os.Geteuid() != 0 {
		f.t.Skip("skipped: only root can mount a small disk")
	}
	dir := f.h.path("home/.cache/ambit")
	must(f.t, os.RemoveAll(dir))
	must(f.t, os.MkdirAll(dir, 0o700))
	mount := exec.Command(need(f.t, "mount"), "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", dir)
	if out, err := mount.CombinedOutput(); err != nil {
		f.t.Skipf("skipped: a small disk cannot be mounted here: %s", out)
	}
	f.t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			f.t.Errorf("umount: %s", out)
		}
	})
	return nil
}

// fileSize bounds the files that the shell and what it starts may write.
func (f *faultStory) fileSize(limit string) {
	f.t.Helper()
	if out, err := exec.Command(need(f.t, "prlimit"), "--pid", strconv.Itoa(f.tm.pid()), "--fsize="+limit+":").CombinedOutput(); err != nil {
		f.t.Fatalf("prlimit: %s", out)
	}
}

// directories sets the mode of every directory of the home.
func (f *faultStory) directories(mode fs.FileMode) {
	f.t.Helper()
	must(f.t, filepath.WalkDir(f.h.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chmod(path, mode)
	}))
}

// TestDiskFaults plays what can happen to the files, four times at the prompts of
// one shell. Not to be able to keep a thing is no reason not to load it.
func TestDiskFaults(t *testing.T) {
	t.Parallel()
	seen := new(faultTable)
	t.Run("each", func(t *testing.T) {
		for i, d := range diskFaults {
			t.Run(d.name, func(t *testing.T) {
				t.Parallel()
				sh := shells[i%len(shells)]
				need(t, string(sh))
				f := &faultStory{fault: fault{name: d.name, wrapper: d.wrapper, begin: d.begin, end: d.end}, t: t, table: seen}
				f.playDisk(sh, d)
			})
		}
	})
	t.Log(seen)
}

func (f *faultStory) playDisk(sh shell, d diskFault) {
	f.h = newHouse(f.t)
	f.server = f.h.cloud()
	f.h.write("secrets/oidc-token", tokenCanary+"\n")
	if d.nobody && os.Geteuid() == 0 {
		f.h.user = &syscall.Credential{Uid: 65534, Gid: 65534}
		f.h.chown()
	}
	f.open(sh)
	before := f.keys()
	again := func(when string, least, most int) (env map[string]string) {
		f.t.Helper()
		// Each of these looks at everything anew.
		f.begin(f)
		out, calls, took := f.prompt("sh -c 'exit 7'", 7, networkPrompt)
		if d.warns && least > 0 {
			f.wantLine(strings.SplitAfter(out, "resolves anew: ")[0]+"\n", "ambit: warning: nothing is kept, and every prompt resolves anew: ")
			most++
		} else {
			f.nothing(when, out)
		}
		f.wantCalls(when, calls, least, most)
		f.table.add(f, when, out, calls, took)
		env = f.alive(when)
		f.quietly(when)
		f.h.left(patience, f.tm.pid())
		if r := f.h.run("home/shop", built+"/ambit", "status"); r.status != 0 {
			f.t.Errorf("%s: %s: status: %+v", sh, when, r)
		}
		return env
	}
	lost := map[bool]int{true: 1}[d.damages]

	// Cold: in a cache that is there, and empty.
	if !d.damages {
		must(f.t, os.MkdirAll(f.h.path("home/.cache/ambit"), 0o700))
		if f.h.user != nil {
			f.h.chown()
		}
		f.prompt("cd shop", 0, networkPrompt) // makes the keys of sessions
		f.prompt("cd ~", 0, freePrompt)
		if r := f.h.run("home/shop", built+"/ambit", "cache", "clear"); r.status != 0 {
			f.t.Fatalf("%+v", r)
		}
		f.begin(f)
		out, calls, took := f.prompt("cd shop; sh -c 'exit 7'", 7, networkPrompt)
		if !strings.Contains(out, "ambit: shop/dev loaded (+6) · credentials for 59m\n") || strings.Contains(out, "error") ||
			strings.Contains(out, "ambit: warning: nothing is kept, and every prompt resolves anew: ") != d.warns {
			f.t.Errorf("%s: cold: %q", sh, out)
		}
		most := 1
		if d.warns {
			most = 2 // fish asks when the directory changes, and again at the prompt
		}
		f.wantCalls("cold", calls, 1, most)
		f.table.add(f, "cold", out, calls, took)
		f.alive("cold")
		sofar := assumed(f.server)
		f.quietly("cold")
		n := assumed(f.server) - sofar
		if (n != 0) != d.warns {
			f.t.Errorf("%s: cold: %d calls at the prompts after it", sh, n)
		}
		f.table.row(f.name, "2 more prompts", string(sh), fmt.Sprint(n), "", "silent")
		f.end(f)
		f.prompt("cd ~", 0, freePrompt)
	}
	f.prompt("cd shop", 0, networkPrompt)
	f.h.left(patience, f.tm.pid())
	f.prompt("ambit reload", 0, networkPrompt)

	// Live, and looked at again.
	must(f.t, f.h.kept().Touch(time.Now()))
	live := again("live", lost, lost)
	f.end(f)
	if !d.damages {
		f.unchanged("live", f.alive("live"), live)
	}

	f.settle()
	f.h.soften()
	due := again("due", lost, 1)
	f.end(f)
	f.settle()

	f.h.shift(2 * time.Hour)
	if expired := again("expired", 1, 1); expired["AWS_ACCESS_KEY_ID"] == due["AWS_ACCESS_KEY_ID"] {
		f.t.Errorf("%s: the expired key is served", sh)
	}
	f.end(f)
	f.prompt("cd ~", 0, networkPrompt)
	f.tm.same("after leaving", f.keys(), before)
	for i, secret := range append(f.secrets, tokenCanary) {
		if strings.Contains(f.tm.transcript(), secret) {
			f.t.Errorf("%s: secret %d is on the terminal", sh, i)
		}
	}
	f.h.left(patience, f.tm.pid())
	f.h.unlocked()
}

// TestNoHome: without a home, or with one that cannot be made, there is nothing that
// a session could be kept by. That is said once, and the prompt is as ever.
func TestNoHome(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root can be a user without a home")
	}
	for _, c := range []struct{ name, home, says string }{
		{"HOME unset", "", "there is no home directory to keep the session key in"},
		{"HOME missing", "/nowhere/at/all", "no session can be kept: "},
		{"HOME relative", "home", "there is no home directory to keep the session key in"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			need(t, "bash")
			h := newHouse(t)
			s := h.cloud()
			rc := h.write("rc", rcFile["bash"].text+rcFile["bash"].hook)
			h.user = &syscall.Credential{Uid: 54321, Gid: 54321} // whom the user database does not know
			h.chown()
			for name := range h.env {
				if name == "HOME" || strings.HasPrefix(name, "XDG_") {
					delete(h.env, name)
				}
			}
			if c.home != "" {
				h.env["HOME"] = c.home
			}
			tm := h.start("bash", need(t, "bash"), "--rcfile", rc, "-i")
			tm.prompted()
			start := time.Now()
			out, status := tm.run("cd " + quoted(h.path("home/shop")) + "; (exit 7)")
			if took := time.Since(start); took > freePrompt || status != 7 {
				t.Errorf("took %s, $? is %d", took, status)
			}
			if !strings.Contains(out, c.says) || strings.Count(out, "ambit: error: ") != 1 || strings.Count(out, "ambit: hint: ") != 1 {
				t.Errorf("said %q", out)
			}
			t.Logf("%s", out)
			tm.want("")
			tm.want("")
			tm.want("ambit status >/dev/null 2>&1 || echo failed")
			if n := assumed(s); n != 0 {
				t.Errorf("%d calls of STS", n)
			}
			tm.want("cd /")
		})
	}
}

// TestFileSizeSignal: a limit of file sizes sends a signal that ends most programs.
func TestFileSizeSignal(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.cloud()
	h.prompted("home/shop") // makes the keys of sessions
	if r := h.ambit("cache", "clear"); r.status != 0 {
		t.Fatalf("%+v", r)
	}
	r := h.run("home/shop", "sh", "-c", "ulimit -f 0; exec "+quoted(filepath.Join(built, "ambit-hook"))+" bash")
	if r.status != 0 || !strings.HasSuffix(r.stdout, "\n#ambit:ok\n") || keyOf(r.stdout) == "" || r.stderr != "ambit: shop/dev loaded (+6) · credentials for 59m\n" {
		t.Errorf("%+v", r)
	}
	if n := assumed(s); n != 2 {
		t.Errorf("%d calls of STS, want one for each load", n)
	}
	var absent int
	h.readable(&absent)
	if absent != 1 {
		t.Error("something was kept in files of 0 bytes")
	}
}
