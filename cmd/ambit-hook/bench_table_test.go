package main_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// table is what was measured, as it stands in README.md.
type table struct {
	rows  []row
	notes []string
}

type row struct {
	name         string
	budget       float64 // 0: no process at all, which a test counts
	ours, theirs float64 // theirs is 0 where direnv has no such case or is not here
	unit         string
}

// add sets a row; a later measurement of the same one replaces it.
func (t *table) add(name string, budget, ours float64, unit string, theirs float64) {
	r := row{name, budget, ours, theirs, unit}
	for i := range t.rows {
		if t.rows[i].name == name {
			t.rows[i] = r
			return
		}
	}
	t.rows = append(t.rows, r)
}

func (t *table) note(format string, args ...any) { t.notes = []string{fmt.Sprintf(format, args...)} }

func (t *table) String() string {
	var b strings.Builder
	b.WriteString("| case | measured | budget | direnv |\n| --- | --- | --- | --- |\n")
	for _, r := range t.rows {
		budget, theirs := "no process", ""
		if r.budget > 0 {
			budget = fmt.Sprintf("≤ %g ×", r.budget)
		}
		if r.theirs > 0 {
			theirs = fmt.Sprintf("%.1f ×", r.theirs)
		}
		fmt.Fprintf(&b, "| %s | %.2f × %s | %s | %s |\n", r.name, r.ours, r.unit, budget, theirs)
	}
	fmt.Fprintf(&b, "\nMedians of %d, on %s/%s with %d cores, %s, %s.", rounds, runtime.GOOS, runtime.GOARCH, runtime.NumCPU(),
		runtime.Version(), strings.Join(versions(), ", "))
	for _, n := range t.notes {
		b.WriteString(" " + n)
	}
	return b.String() + "\n"
}

// versions are those of the programs that took part.
func versions() []string {
	var out []string
	for _, c := range [][]string{
		{"bash", "bash", "-c", "echo ${BASH_VERSION%%[(-]*}"}, {"zsh", "zsh", "-fc", "echo $ZSH_VERSION"},
		{"fish", "fish", "--no-config", "-c", "echo $version"}, {"direnv", "direnv", "version"},
	} {
		b, err := exec.Command(c[1], c[2:]...).Output()
		if err == nil {
			out = append(out, c[0]+" "+strings.TrimSpace(string(b)))
		}
	}
	return out
}

// The lines of README.md between which the table stands.
const (
	tableBegin = "<!-- measured: begin -->"
	tableEnd   = "<!-- measured: end -->"
)

func (t *table) intoReadme(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var out strings.Builder
	inside, found := false, 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		switch line {
		case tableBegin:
			inside = true
			found++
			out.WriteString(line + "\n" + t.String())
		case tableEnd:
			inside = false
			found++
		}
		if !inside {
			out.WriteString(line + "\n")
		}
	}
	if found != 2 {
		return fmt.Errorf("%s has no place for the table", path)
	}
	return os.WriteFile(path, []byte(out.String()), 0o644)
}
