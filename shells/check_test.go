package shells

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// hookRuns arms a check, runs the hook once in a real shell and returns how often
// the command ran, and what was printed.
func hookRuns(t *testing.T, s Shell, c Check, script string, env ...string) (int, string) {
	t.Helper()
	program := need(t, string(s))
	f := newFake(t)
	f.answer(t, nil, 1)
	text := s.Hook([]string{f.program()}) + "cd " + s.Quote(c.Pwd) + "\n" + string(s.Render(Update{Check: c})) +
		script + "\n: >" + posixQuote(f.dir) + "/calls\n__ambit_hook\n"
	cmd := exec.Command(program, append(s.interactive(), text)...)
	cmd.Env = append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "TERM=xterm", "LC_ALL=C.UTF-8"}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(err.Error(), "exit status") {
		t.Fatal(err)
	}
	return f.calls(t), withoutJobControl(string(out))
}

// TestCheck changes one thing at a time: whatever may matter runs the command, and
// what does not, does not.
func TestCheck(t *testing.T) {
	now := time.Now().Unix()
	older, newer := time.Unix(1700000001, 0), time.Unix(1700000001, 2)
	remove := func(t *testing.T, paths ...string) {
		for _, p := range paths {
			if err := os.Remove(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	cases := []struct {
		name   string
		change func(t *testing.T, p project, c *Check)
		script map[Shell]string // "" = for all
		runs   int
	}{
		{"nothing", nil, nil, 0},
		{"file newer by a nanosecond", func(t *testing.T, p project, c *Check) { at(t, c.Watched[0].Path, newer) }, nil, 1},
		{"file older by a nanosecond", func(t *testing.T, p project, c *Check) { at(t, c.Watched[0].Path, older) }, nil, 1},
		{"last file newer", func(t *testing.T, p project, c *Check) { at(t, c.Watched[2].Path, time.Now()) }, nil, 1},
		{"generation touched", func(t *testing.T, p project, c *Check) { at(t, c.Generation.Path, time.Now()) }, nil, 1},
		{"file gone", func(t *testing.T, p project, c *Check) { remove(t, c.Watched[1].Path) }, nil, 1},
		{"stamp of generation gone", func(t *testing.T, p project, c *Check) { remove(t, c.Generation.Stamp) }, nil, 1},
		{"first stamp gone", func(t *testing.T, p project, c *Check) { remove(t, c.Watched[0].Stamp) }, nil, 1},
		{"second stamp gone", func(t *testing.T, p project, c *Check) { remove(t, c.Watched[1].Stamp) }, nil, 1},
		{"third stamp gone", func(t *testing.T, p project, c *Check) { remove(t, c.Watched[2].Stamp) }, nil, 1},
		{"file and stamp gone", func(t *testing.T, p project, c *Check) { remove(t, c.Watched[1].Path, c.Watched[1].Stamp) }, nil, 1},
		{"an absent file appears", func(t *testing.T, p project, c *Check) { write(t, c.Absent[3], "") }, nil, 1},
		{"another file appears", func(t *testing.T, p project, c *Check) { write(t, p.dir+"/other", "") }, nil, 0},
		{"one file watched", func(t *testing.T, p project, c *Check) { c.Watched, c.Absent = c.Watched[:1], nil }, nil, 0},
		{"one file watched, gone", func(t *testing.T, p project, c *Check) {
			c.Watched, c.Absent = c.Watched[1:2], nil
			remove(t, c.Watched[0].Path)
		}, nil, 1},
		{"fifty of each", func(t *testing.T, p project, c *Check) { fifty(t, p, c) }, nil, 0},
		{"fifty of each, last file changed", func(t *testing.T, p project, c *Check) {
			fifty(t, p, c)
			at(t, c.Watched[len(c.Watched)-1].Path, time.Now())
		}, nil, 1},
		{"fifty of each, last appears", func(t *testing.T, p project, c *Check) {
			fifty(t, p, c)
			write(t, c.Absent[len(c.Absent)-1], "")
		}, nil, 1},
		{"deadline ahead", func(t *testing.T, p project, c *Check) { c.Until = now + 1000 }, nil, 0},
		{"deadline passed", func(t *testing.T, p project, c *Check) { c.Until = now }, nil, 1},
		{"not armed", func(t *testing.T, p project, c *Check) { c.Pwd, c.Until = "", 0 }, map[Shell]string{"": "cd @"}, 1},
		{"relative path is not armed", func(t *testing.T, p project, c *Check) { c.Absent = []string{"x"} }, nil, 1},
		{"odd name is not armed", func(t *testing.T, p project, c *Check) { c.Seen = []Seen{{"A[$(touch code)]", "", false}} }, nil, 1},
		{"no generation is not armed", func(t *testing.T, p project, c *Check) { c.Generation = File{} }, nil, 1},
		{"other directory", nil, map[Shell]string{"": "mkdir sub; cd sub"}, 1},
		{"other directory but for case", func(t *testing.T, p project, c *Check) { c.Held = true }, map[Shell]string{
			Bash: "shopt -s nocasematch; mkdir ../SHOP; cd ../SHOP; export AMBIT_STATE=x", Zsh: "mkdir ../SHOP; cd ../SHOP; export AMBIT_STATE=x",
			Fish: "mkdir ../SHOP; cd ../SHOP; set -gx AMBIT_STATE x"}, 1},
		{"seen differs in case", func(t *testing.T, p project, c *Check) { c.Seen = []Seen{{"FOO", "a", true}} },
			map[Shell]string{Bash: "shopt -s nocasematch; export FOO=A", Zsh: "export FOO=A", Fish: "set -gx FOO A"}, 1},
		{"stores differ in case", func(t *testing.T, p project, c *Check) { c.Seen = []Seen{{"AMBIT_STORES", "/a", true}} },
			map[Shell]string{Bash: "shopt -s nocasematch; export AMBIT_STORES=/A", Zsh: "export AMBIT_STORES=/A", Fish: "set -gx AMBIT_STORES /A"}, 1},
		{"letters of other scripts", func(t *testing.T, p project, c *Check) {
			c.Pwd = filepath.Join(p.root, "é♀\x80")
			if err := os.Mkdir(c.Pwd, 0o700); err != nil {
				t.Fatal(err)
			}
			c.Held, c.Seen = true, []Seen{{"AMBIT_STORES", "/ü", true}, {"FOO", "ß\n", true}, {"BAR", "", true}}
		}, map[Shell]string{
			Fish: "set -g ambit_fish_mode disable_arrow; cd ..; cd é♀\\X80; set -gx AMBIT_STATE x; set -gx AMBIT_STORES /ü; set -gx FOO ß\\n; set -gx BAR ''",
			"":   "export AMBIT_STATE=x AMBIT_STORES=/ü FOO=ß$'\\n' BAR=",
		}, 0},
		{"directory moved away", nil, map[Shell]string{"": "mv @ @2; mkdir @"}, 1},
		{"directory removed", nil, map[Shell]string{"": "rm -r @"}, 1},
		{"held, but no state", func(t *testing.T, p project, c *Check) { c.Held = true }, nil, 1},
		{"state, but not held", nil, map[Shell]string{Fish: "set -gx AMBIT_STATE x", "": "export AMBIT_STATE=x"}, 1},
		{"state and held", func(t *testing.T, p project, c *Check) { c.Held = true }, map[Shell]string{Fish: "set -gx AMBIT_STATE x", "": "export AMBIT_STATE=x"}, 0},
		{"stores appear", nil, map[Shell]string{Fish: "set -gx AMBIT_STORES /x", "": "export AMBIT_STORES=/x"}, 1},
		{"stores appear, empty", nil, map[Shell]string{Fish: "set -gx AMBIT_STORES ''", "": "export AMBIT_STORES="}, 1},
		{"stores as they were", func(t *testing.T, p project, c *Check) { c.Seen = []Seen{{"AMBIT_STORES", "/a b:/*", true}} },
			map[Shell]string{Fish: "set -gx AMBIT_STORES '/a b:/*'", "": "export AMBIT_STORES='/a b:/*'"}, 0},
		{"stores differ by a pattern", func(t *testing.T, p project, c *Check) { c.Seen = []Seen{{"AMBIT_STORES", "/*", true}} },
			map[Shell]string{Fish: "set -gx AMBIT_STORES /a", "": "export AMBIT_STORES=/a"}, 1},
		{"stores gone", func(t *testing.T, p project, c *Check) { c.Seen = []Seen{{"AMBIT_STORES", "", true}} }, nil, 1},
		{"seen as they were", func(t *testing.T, p project, c *Check) {
			c.Seen = []Seen{{"FOO", "a  b*\n(", true}, {"BAR", "", true}, {"NONE", "", false}}
		}, map[Shell]string{Fish: "set -gx FOO 'a  b*\n('; set -gx BAR ''", "": "export FOO='a  b*\n(' BAR="}, 0},
		{"seen differs", func(t *testing.T, p project, c *Check) { c.Seen = []Seen{{"FOO", "a", true}} },
			map[Shell]string{Fish: "set -gx FOO b", "": "export FOO=b"}, 1},
		{"seen appears", func(t *testing.T, p project, c *Check) { c.Seen = []Seen{{"FOO", "", false}} },
			map[Shell]string{Fish: "set -gx FOO ''", "": "export FOO="}, 1},
		{"seen gone", func(t *testing.T, p project, c *Check) { c.Seen = []Seen{{"FOO", "", true}} }, nil, 1},
		{"usual as they were", func(t *testing.T, p project, c *Check) { c.Seen = usualSeen("a *,b\\", "FOO", "f") },
			map[Shell]string{Fish: "set -gx FOO f", "": usualScript + "export FOO=f"}, 0},
		{"usual as they were, another differs", func(t *testing.T, p project, c *Check) { c.Seen = usualSeen("a *,b\\", "FOO", "f") },
			map[Shell]string{Fish: "set -gx FOO g", "": usualScript + "export FOO=g"}, 1},
		{"a usual one differs", func(t *testing.T, p project, c *Check) { c.Seen = usualSeen("a ?,b\\", "FOO", "") },
			map[Shell]string{Fish: usualFishScript, "": usualScript}, 1},
		{"a usual one appears, empty", func(t *testing.T, p project, c *Check) { c.Seen = usualSeen("a *,b\\", "FOO", "") },
			map[Shell]string{Fish: "set -gx AWS_CA_BUNDLE ''", "": usualScript + "export AWS_CA_BUNDLE="}, 1},
		{"a usual one is unset again", func(t *testing.T, p project, c *Check) { c.Seen = usualSeen("a *,b\\", "FOO", "") },
			map[Shell]string{Fish: usualFishScript + "set -e " + Usual[len(Usual)-1], "": usualScript + "unset -v " + Usual[len(Usual)-1]}, 1},
	}
	for _, s := range all {
		t.Run(string(s), func(t *testing.T) {
			t.Parallel()
			need(t, string(s))
			for _, c := range cases {
				p := newProject(t)
				check := p.check
				check.Watched = append([]File(nil), check.Watched...)
				if c.change != nil {
					c.change(t, p, &check)
				}
				script, ok := c.script[s]
				if !ok {
					script = c.script[""]
				}
				script = strings.ReplaceAll(script, "@", p.dir)
				if check.Pwd == "" {
					check.Pwd = "/" // the script goes to the right place; the check is not for it
				}
				runs, out := hookRuns(t, s, check, script)
				if runs != c.runs || out != "" {
					t.Errorf("%s: ran %d times, want %d\n%s", c.name, runs, c.runs, out)
				}
				if _, err := os.Stat(filepath.Join(p.dir, "code")); err == nil {
					t.Errorf("%s: ran code", c.name)
				}
			}
		})
	}
}

func fifty(t *testing.T, p project, c *Check) {
	for i := range 50 {
		c.Watched = append(c.Watched, p.watch(t, fmt.Sprintf("watched %d", i), 1700000000, int64(i)))
		c.Absent = append(c.Absent, p.root+"/absent "+strconv.Itoa(i))
	}
}

// Outside every environment a shell needs no answer to know that it is outside,
// whatever its directory is called.
func TestOutside(t *testing.T) {
	for _, s := range all {
		t.Run(string(s), func(t *testing.T) {
			t.Parallel()
			need(t, string(s))
			root, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"plain", "with space", "-e", "$(id)", "a*", "a\nb", "!", "(", "é", "x\x80"} {
				dir := filepath.Join(root, name, "sub")
				if err := os.MkdirAll(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				runs := func(script, dir string) int {
					f := newFake(t)
					f.answer(t, nil, 1)
					text := s.Hook([]string{f.program()}) + script + "\ncd " + s.Quote(dir) + "\n: >" + posixQuote(f.dir) + "/calls\n__ambit_hook\n__ambit_hook\ntrue\n"
					cmd := exec.Command(string(s), append(s.interactive(), text)...)
					cmd.Env = []string{"HOME=" + root, "PATH=" + os.Getenv("PATH"), "TERM=xterm"}
					if out, err := cmd.CombinedOutput(); err != nil || withoutJobControl(string(out)) != "" {
						t.Errorf("%q: %v\n%s", name, err, out)
					}
					return f.calls(t)
				}
				if n := runs("", dir); n != 0 && !(s == Fish && strings.Contains(name, "\n")) {
					t.Errorf("%q: ran %d times outside", name, n)
				}
				write(t, filepath.Join(root, name, ".envrc.yaml"), "")
				for _, ifs := range []string{"", map[Shell]string{Fish: "set -g IFS ''", Bash: "IFS=/", Zsh: "IFS=/"}[s]} {
					if n := runs(ifs, dir); n != 2 {
						t.Errorf("%q, %q: ran %d times below a file, want 2", name, ifs, n)
					}
				}
				// A link that leads nowhere is for the command to complain of.
				file := filepath.Join(root, name, ".envrc.yaml")
				if err := errors.Join(os.Remove(file), os.Symlink("nowhere", file)); err != nil {
					t.Fatal(err)
				}
				if n := runs("", filepath.Dir(dir)); n != 2 {
					t.Errorf("%q: ran %d times at a link to nowhere, want 2", name, n)
				}
			}
		})
	}
}

// A $PWD that is not this directory proves nothing, nor does it loop.
func TestForgedPwd(t *testing.T) {
	for _, s := range []Shell{Bash, Zsh} {
		for _, pwd := range []string{".", "", "/", "x/..", "./.", "/nowhere"} {
			if runs, out := hookRuns(t, s, newProject(t).check, "PWD="+s.Quote(pwd)); runs != 1 || out != "" {
				t.Errorf("%s, PWD=%q: ran %d times\n%s", s, pwd, runs, out)
			}
		}
	}
}

// What the environment brings along is not believed.
func TestInheritedCheckIsDropped(t *testing.T) {
	for _, s := range all {
		p := newProject(t)
		c := p.check
		c.Pwd = "/nowhere"
		runs, out := hookRuns(t, s, c, "cd "+s.Quote(p.dir), "__ambit_pwd="+p.dir, "__ambit_bin=/bin/false", "__ambit_proof=/", "__ambit_life=99999999999", "__ambit_dead=1")
		if runs != 1 || strings.Contains(out, "__ambit") {
			t.Errorf("%s: ran %d times\n%s", s, runs, out)
		}
	}
}

// An answer counts whole or not at all: cut at every byte, nothing changes.
func TestCutAnswerChangesNothing(t *testing.T) {
	for _, s := range all {
		t.Run(string(s), func(t *testing.T) {
			t.Parallel()
			program := need(t, string(s))
			p := newProject(t)
			f := newFake(t)
			answer := s.Render(Update{
				Changes: []Change{{Name: "A", Value: "é\n#ambit:ok"}, {Name: "B", Unset: true}, {Name: "PATH", Value: "/new"}},
				Check:   Check{Pwd: p.dir, Generation: p.check.Generation, Held: true},
			})
			f.answer(t, answer, 0)
			write(t, f.program(), "#!/bin/sh\ncd "+posixQuote(f.dir)+"\necho >>calls\nhead -c \"$N\" answer\n")
			script := "cd " + s.Quote(p.dir) + "\n" + s.Hook([]string{f.program()})
			if s == Fish {
				script += "set -gx A old; set -gx B old; set old \"$PATH\"; for i in (seq 0 " + strconv.Itoa(len(answer)) + "); set -gx N $i; __ambit_run; test \"$A$B\" = oldold -a \"$PATH\" = $old -a -z \"$__ambit_pwd$__ambit_held\"; or echo \"$i $A$B\"; set -gx PATH (string split : $old); end"
			} else {
				script += "export A=old B=old N=0; old=$PATH; while [[ $N -le " + strconv.Itoa(len(answer)) + " ]]; do __ambit_run; [[ $A$B$PATH$__ambit_pwd${__ambit_held-} == oldold$old ]] || { PATH=$old; echo \"$N $A$B\"; }; N=$((N+1)); done"
			}
			cmd := exec.Command(program, append(s.interactive(), script)...)
			cmd.Env = []string{"HOME=" + p.root, "PATH=" + os.Getenv("PATH"), "TERM=xterm"}
			out, err := cmd.CombinedOutput()
			want := fmt.Sprintf("%d é\n#ambit:ok\n%d é\n#ambit:ok\n", len(answer)-1, len(answer)) // whole, but for the last newline; whole
			if err != nil || withoutJobControl(string(out)) != want {
				t.Errorf("%v\n%s", err, out)
			}
			if n := f.calls(t); n != len(answer)+1 {
				t.Errorf("ran %d times for %d bytes", n, len(answer))
			}
		})
	}
}

// SetLine works in a shell that has no hook.
func TestSetLine(t *testing.T) {
	for _, s := range all {
		program := need(t, string(s))
		script := s.SetLine(Change{Name: "A", Value: "it's\n\\é$x"}) + s.SetLine(Change{Name: "B", Unset: true}) + s.SetLine(Change{Name: "C", Unset: true})
		cmd := exec.Command(program, "-c", script+"printenv A; printenv B; printenv C; exit 0")
		cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "B=old"}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "it's\n\\é$x\n" {
			t.Errorf("%s: %v %q", s, err, out)
		}
	}
}

func TestParse(t *testing.T) {
	for _, s := range all {
		if got, err := Parse(string(s)); got != s || err != nil {
			t.Errorf("Parse(%q) = %q, %v", s, got, err)
		}
	}
	for _, name := range []string{"", "Bash", "tcsh", "\x1b[31m"} {
		_, err := Parse(name)
		if err == nil || !strings.Contains(err.Error(), "bash, zsh and fish") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("Parse(%q): %v", name, err)
		}
	}
}

// usualSeen wants the last but one of Usual to have a value, the last to be empty
// and the others not to be set.
func usualSeen(value, name, other string) []Seen {
	out := []Seen{{name, other, other != ""}}
	for i, usual := range Usual {
		switch i {
		case len(Usual) - 2:
			out = append(out, Seen{usual, value, true})
		case len(Usual) - 1:
			out = append(out, Seen{usual, "", true})
		default:
			out = append(out, Seen{usual, "", false})
		}
	}
	return out
}

var (
	usualScript     = "unset -v " + strings.Join(Usual, " ") + "; export " + Usual[len(Usual)-2] + "='a *,b\\' " + Usual[len(Usual)-1] + "=; "
	usualFishScript = "set -eg " + strings.Join(Usual, " ") + "; set -gx " + Usual[len(Usual)-2] + " 'a *,b\\\\'; set -gx " + Usual[len(Usual)-1] + " ''; "
)
