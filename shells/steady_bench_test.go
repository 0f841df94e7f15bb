package shells

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkSteadyPrompt reports what the check of an unchanged prompt costs, as a
// multiple of a forked /bin/true in the same shell: the median of rounds that
// take turns. Four watched files, four absent ones; with and without a deadline;
// and outside, where the shell itself looks for a file up to /.
func BenchmarkSteadyPrompt(b *testing.B) {
	for _, s := range all {
		b.Run(string(s), func(b *testing.B) {
			program := need(b, string(s))
			p := newProject(b)
			p.check.Held = true
			f := newFake(b)
			outside := filepath.Join(p.root, "a/b/c/d") // six levels and more below /
			if err := os.MkdirAll(outside, 0o700); err != nil {
				b.Fatal(err)
			}
			for _, c := range []struct{ name, prepare, step string }{
				{"four_files", answer(b, s, p, f, 0), "__ambit_hook"},
				{"four_files_deadline", answer(b, s, p, f, time.Now().Add(time.Hour).Unix()), "__ambit_hook"},
				{"outside", "cd " + s.Quote(outside), "__ambit_hook"},
			} {
				b.Run(c.name, func(b *testing.B) {
					var ratios []float64
					for b.Loop() {
						cmd := exec.Command(program, append(s.interactive(), s.Hook([]string{f.program()})+c.prepare+"\n: >"+posixQuote(f.dir)+"/calls\n"+s.loops(c.step))...)
						cmd.Env = []string{"HOME=" + p.root, "PATH=" + os.Getenv("PATH"), "TERM=xterm"}
						out, err := cmd.Output()
						if err != nil {
							b.Fatal(err)
						}
						if n := f.calls(b); n > 0 {
							b.Fatalf("the command ran %d times", n)
						}
						var hook, fork []float64
						for line := range strings.Lines(string(out)) {
							var h, k float64
							if _, err := fmt.Sscan(line, &h, &k); err != nil {
								b.Fatalf("%q: %v", line, err)
							}
							hook, fork = append(hook, h), append(fork, k)
						}
						ratios = append(ratios, median(hook)/median(fork))
					}
					b.ReportMetric(median(ratios), "×true")
					b.ReportMetric(0, "ns/op")
				})
			}
		})
	}
}

// answer is what a command has said before the loop: an armed check.
func answer(b *testing.B, s Shell, p project, f fake, until int64) string {
	p.check.Until = until
	return "cd " + s.Quote(p.dir) + "\n" + s.SetLine(Change{Name: "AMBIT_STATE", Value: "sealed"}) + string(s.Render(Update{Check: p.check}))
}

// loops prints, eleven times, how many ns a loop of steps took, and one of
// /bin/true.
func (s Shell) loops(step string) string {
	const n = 300
	if s == Fish {
		loop := func(cmd string) string {
			return "set s (date +%s%N); for k in (seq " + strconv.Itoa(n) + "); " + cmd + "; end; set e (date +%s%N); set -a row (math $e - $s);"
		}
		return "for r in (seq 11); set row;" + loop(step) + loop("/bin/true") + "echo $row; end"
	}
	loop := func(cmd string) string {
		return "s=$(date +%s%N); for ((k=0;k<" + strconv.Itoa(n) + ";k++)); do " + cmd + "; done; e=$(date +%s%N); row+=\" $((e-s))\";"
	}
	return "for r in 1 2 3 4 5 6 7 8 9 10 11; do row=;" + loop(step) + loop("/bin/true") + "echo $row; done"
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}
