package main_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	syntax "ambit/shells"
)

var writeReadme = flag.Bool("readme", false, "write the measured table into README.md")

// rounds is how often each candidate runs; they take turns, so that what else the
// machine does falls on all of them.
const rounds = 250

// BenchmarkPrompt measures what a prompt costs, as multiples of a forked /bin/true
// and of an empty Go program that are measured in the same run, and beside direnv at
// the same work. The numbers are medians.
//
//	go test ./cmd/ambit-hook -run '^$' -bench Prompt
//
// With -readme it also writes the table into README.md.
func BenchmarkPrompt(b *testing.B) {
	s := newStage(b)
	direnv, _ := exec.LookPath("direnv")
	if direnv == "" && os.Getenv("AMBIT_TEST_REQUIRE") == "all" {
		b.Fatal("direnv is not installed")
	}
	t := &table{}
	b.Run("steady", func(b *testing.B) { s.benchSteady(b, t) })
	b.Run("process", func(b *testing.B) { s.benchProcess(b, t, direnv) })
	fmt.Printf("\n%s\n", t)
	if *writeReadme && !b.Failed() {
		must(b, t.intoReadme("../../README.md"))
	}
}

// benchSteady is what an unchanged prompt costs inside the shell.
func (s *stage) benchSteady(b *testing.B, t *table) {
	dir := s.project("steady", 4)
	for _, c := range []struct {
		name   string
		shell  syntax.Shell
		budget float64
	}{{"bash", syntax.Bash, 0.15}, {"zsh", syntax.Zsh, 0.15}, {"fish", syntax.Fish, 0.4}} {
		b.Run(c.name, func(b *testing.B) {
			need(b, c.name)
			s := *s
			s.t = b
			for b.Loop() {
				r := s.timeSteps(c.shell, enter(c.shell, dir), "__ambit_hook")
				b.ReportMetric(r, "×true")
				t.add("steady prompt, "+c.name+": four files and a deadline", c.budget, r, "true", 0)
				r = s.timeSteps(c.shell, "cd /usr/share/man/man1\n__ambit_hook\n", "cd ../man1; __ambit_hook")
				b.ReportMetric(r, "outside-cd×true")
				t.add("outside, with the `cd` from there to there, "+c.name, 0, r, "true", 0)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// repeats is how often a step runs in a row: after a fork a shell has to copy the
// pages that it writes to, which is the fork's cost and not the next step's.
const repeats = 50

// timeSteps is the median cost of a step in a shell, as a multiple of a forked
// /bin/true in the same loop; what the loop itself costs is taken off both.
func (s *stage) timeSteps(shell syntax.Shell, before, step string) float64 {
	var script string
	if shell == syntax.Fish {
		part := func(cmd string) string {
			return "set -g a (date +%s%N); for i in (seq " + strconv.Itoa(repeats) + "); " + cmd + "; end; set -a row (math (date +%s%N) - $a)\n"
		}
		script = "for r in (seq " + strconv.Itoa(rounds) + "); set -g row\n" +
			part(step) + part("/bin/true") + part("builtin true") + "builtin echo $row; end\n"
	} else {
		// Whole microseconds, whatever the decimal point of the locale.
		part := func(cmd string) string {
			return "a=${EPOCHREALTIME/[.,]/}; for ((i = 0; i < " + strconv.Itoa(repeats) + "; i++)); do " + cmd + "; done; b=${EPOCHREALTIME/[.,]/}; row+=\" $((${b:0:16} - ${a:0:16}))\"\n"
		}
		script = "zmodload zsh/datetime 2>/dev/null\nfor ((r = 0; r < " + strconv.Itoa(rounds) + "; r++)); do row=\n" +
			part(step) + part("/bin/true") + part("\\builtin true") + "\\builtin echo \"$row\"; done\n"
	}
	var steps, trues, nothing []float64
	for line := range strings.Lines(s.shell(shell, before+script)) {
		var a, b, c float64
		if _, err := fmt.Sscan(line, &a, &b, &c); err != nil {
			s.t.Fatalf("%s said %q: %v", shell, line, err)
		}
		steps, trues, nothing = append(steps, a), append(trues, b), append(nothing, c)
	}
	if len(steps) != rounds {
		s.t.Fatalf("%s: %d rounds instead of %d", shell, len(steps), rounds)
	}
	empty := median(nothing)
	return (median(steps) - empty) / (median(trues) - empty)
}

// candidate is a program that is started, read and waited for.
type candidate struct {
	argv []string
	dir  string
	env  []string
	says string // a part of what it prints, "" for nothing
}

// benchProcess is what the program costs where it has to run.
func (s *stage) benchProcess(b *testing.B, t *table, direnv string) {
	source := filepath.Join(s.dir, "empty.go")
	s.write(source, "package main\n\nfunc main() {}\n")
	empty := filepath.Join(s.dir, "empty")
	build := exec.Command("go", "build", "-o", empty, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", build, err, out)
	}

	// Six variables are credentials, the others plain.
	ten, thousand := s.project("ten", 4), s.project("thousand", 994)
	deep := filepath.Join(ten, strings.Repeat("d/", 50))
	must(b, os.MkdirAll(deep, 0o700))
	outside := s.home
	ambit := func(dir string, env []string, says string) candidate {
		return candidate{[]string{s.program, "bash"}, dir, in(dir, env), says}
	}
	ambitLoaded := s.after(ten, s.base, s.program, "bash")

	var incumbent func(dir string, env []string, says string) *candidate
	var direnvLoaded []string
	if direnv != "" {
		base := append(slices.Clone(s.base), "DIRENV_LOG_FORMAT=")
		for dir, n := range map[string]int{ten: 4, thousand: 994} {
			var rc strings.Builder
			for i := range 6 {
				fmt.Fprintf(&rc, "export AWS_%d='%s'\n", i, strings.Repeat("x", 60))
			}
			for i := range n {
				fmt.Fprintf(&rc, "export %s='%s'\n", variable(i), value(i))
			}
			s.write(filepath.Join(dir, ".envrc"), rc.String())
			allow := exec.Command(direnv, "allow", dir)
			allow.Env = base
			if out, err := allow.CombinedOutput(); err != nil {
				b.Fatalf("direnv allow: %v\n%s", err, out)
			}
		}
		direnvLoaded = s.after(ten, base, direnv, "export", "bash")
		incumbent = func(dir string, env []string, says string) *candidate {
			return &candidate{[]string{direnv, "export", "bash"}, dir, append(in(dir, env), "DIRENV_LOG_FORMAT="), says}
		}
	} else {
		b.Log("direnv is not installed: its column stays empty")
		incumbent = func(string, []string, string) *candidate { return nil }
	}

	last := variable(3)
	for _, c := range []struct {
		name, row string
		budget    float64
		ours      candidate
		theirs    *candidate
		than      *candidate // instead of the empty Go program
	}{
		{"forked", "steady, if a process runs", 1.3, ambit(ten, ambitLoaded, "#ambit:ok"), incumbent(ten, direnvLoaded, ""), nil},
		{"enter10", "enter, cached, 10 variables", 1.5, ambit(ten, s.base, last), incumbent(ten, s.base, last), nil},
		{"enter1000", "enter, cached, 1000 variables", 3, ambit(thousand, s.base, variable(993)), incumbent(thousand, s.base, variable(993)), nil},
		{"leave", "leave, 10 variables", 1.5, ambit(outside, ambitLoaded, "__ambit_unset "+last), incumbent(outside, direnvLoaded, last), nil},
		{"segment", "`ambit-hook prompt`, in a prompt", 1.5, candidate{[]string{s.program, "prompt"}, ten, in(ten, ambitLoaded), "ten/dev 5"}, nil, nil},
		{"deep", "enter 50 directories deep, against flat", 1.2, ambit(deep, s.base, last), incumbent(deep, s.base, last), &candidate{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				candidates := []*candidate{{argv: []string{"/bin/true"}, dir: outside}, {argv: []string{empty}, dir: outside}, &c.ours}
				if c.theirs != nil {
					candidates = append(candidates, c.theirs)
				}
				if c.than != nil {
					flat := ambit(ten, s.base, last)
					candidates = append(candidates, &flat)
					if c.theirs != nil {
						candidates = append(candidates, incumbent(ten, s.base, last))
					}
				}
				m := takeTurns(b, candidates)
				unit, base, theirBase := "empty Go", m[1], m[1]
				if c.than != nil {
					unit, base = "flat", m[len(m)/2+1] // true, empty, ours, [theirs,] ours flat[, theirs flat]
					if c.theirs != nil {
						base, theirBase = m[4], m[5]
					}
				}
				theirs := 0.0
				if c.theirs != nil {
					theirs = m[3] / theirBase
					b.ReportMetric(theirs, "direnv×"+strings.ReplaceAll(unit, " ", "-"))
				}
				b.ReportMetric(m[2]/base, "×"+strings.ReplaceAll(unit, " ", "-"))
				b.ReportMetric(m[1]/m[0], "empty-Go×true")
				t.add(c.row, c.budget, m[2]/base, unit, theirs)
				t.note("An empty Go program is %.1f × `/bin/true`.", m[1]/m[0])
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// takeTurns runs each candidate in each round and returns the medians in seconds of
// fork, exec, read and wait.
func takeTurns(b *testing.B, candidates []*candidate) []float64 {
	took := make([][]float64, len(candidates))
	for round := range rounds {
		for i := range candidates {
			i := (i + round) % len(candidates) // nobody always follows the same one
			c := candidates[i]
			cmd := exec.Command(c.argv[0], c.argv[1:]...)
			cmd.Dir, cmd.Env = c.dir, c.env
			cmd.SysProcAttr = &syscall.SysProcAttr{}
			start := time.Now()
			out, err := cmd.Output()
			took[i] = append(took[i], time.Since(start).Seconds())
			if err != nil {
				b.Fatalf("%v: %v", c.argv, err)
			}
			if round == 0 && !strings.Contains(string(out), c.says) {
				b.Fatalf("%v in %s does not say %q:\n%s", c.argv, c.dir, c.says, out)
			}
		}
	}
	var medians []float64
	for _, t := range took {
		medians = append(medians, median(t))
	}
	return medians
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}
