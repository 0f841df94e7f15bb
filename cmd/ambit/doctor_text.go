package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ambit/hook"
	"ambit/resolver/aws/doctor"
)

// The columns of a finding: its status, its check, and what was seen.
const (
	checkColumn    = 6
	evidenceColumn = 19
)

// printReport prints findings for people, as wide as the terminal is: what failed,
// what is worth knowing, what is well in one line; then who has credentials.
func (a *ambit) printReport(r doctor.Report) {
	s := a.screen()
	var lines []string
	for _, f := range r.Findings {
		if f.Status != doctor.OK {
			lines = append(lines, s.finding(f)...)
		}
	}
	if well := wellChecks(r.Findings); len(well) > 0 {
		for i, line := range wrapped(strings.Join(well, ", "), s.columns-checkColumn) {
			status := ""
			if i == 0 {
				status = "ok"
			}
			lines = append(lines, s.paint(green, padded(status, checkColumn))+line)
		}
	}
	if len(r.Sources) > 0 {
		lines = append(lines, "")
		lines = append(lines, s.precedence(r.Sources, a.now())...)
	}
	for _, line := range lines {
		fmt.Fprintln(a.out, line)
	}
}

// finding is one that is not well. The command that mends it stands alone on its
// line, however long, to be copied whole.
func (s screen) finding(f doctor.Finding) []string {
	how := yellow
	if f.Status == doctor.Fail {
		how = red
	}
	var lines []string
	for i, text := range wrapped(printableWhole(f.Evidence), s.columns-evidenceColumn) {
		if i > 0 {
			lines = append(lines, strings.Repeat(" ", evidenceColumn)+text)
			continue
		}
		check := padded(printableWhole(f.Check), evidenceColumn-checkColumn-1)
		lines = append(lines, s.paint(how, padded(string(f.Status), checkColumn-1))+" "+s.paint(bold, check)+" "+text)
	}
	if f.Fix != "" {
		lines = append(lines, strings.Repeat(" ", checkColumn)+s.paint(bold, "fix:")+" "+printableWhole(f.Fix))
	}
	return lines
}

// wellChecks are those of which nothing is to be told but that.
func wellChecks(findings []doctor.Finding) []string {
	var names []string
	for _, f := range findings {
		ill := slices.ContainsFunc(findings, func(o doctor.Finding) bool { return o.Check == f.Check && o.Status != doctor.OK })
		if !ill && !slices.Contains(names, f.Check) {
			names = append(names, f.Check)
		}
	}
	return names
}

// readers are the columns of a source's standings.
var readers = []struct {
	name     string
	standing func(doctor.Source) doctor.Standing
}{
	{"v1/boto3", func(s doctor.Source) doctor.Standing { return s.CLI1 }},
	{"CLI v2", func(s doctor.Source) doctor.Standing { return s.CLI2 }},
	{"Go", func(s doctor.Source) doctor.Standing { return s.Go }},
}

// precedence is the table of all places that hold credentials: a line for each if
// the terminal is wide enough, else two.
func (s screen) precedence(sources []doctor.Source, now time.Time) []string {
	heads := []string{"credentials", "kind", "key id", "account", "left"}
	rows := [][]string{}
	for _, src := range sources {
		rows = append(rows, []string{
			printableWhole(src.Place), printableWhole(src.Kind), printableWhole(src.KeyID), printableWhole(src.Account), lifeLeft(src.ExpiresAt, now),
		})
	}
	widths := make([]int, len(heads))
	for i, head := range heads {
		widths[i] = columnsOf(head)
		for _, row := range rows {
			widths[i] = max(widths[i], columnsOf(row[i]))
		}
	}
	total := 0
	for _, w := range widths {
		total += w + 2
	}
	standings := 0
	for _, reader := range readers {
		standings += max(columnsOf(reader.name), len(doctor.Shadowed)) + 1
	}
	if total+standings-1 <= s.columns {
		return s.wideTable(sources, heads, rows, widths)
	}
	return s.narrowTable(sources, rows, s.columns-standings)
}

// standings are the cells that say what a source is to each reader; nil gives their
// heads.
func (s screen) standings(src *doctor.Source) string {
	var b strings.Builder
	for i, reader := range readers {
		text, how := reader.name, faint
		if src != nil {
			text = string(reader.standing(*src))
			if text == string(doctor.Wins) {
				how = green
			}
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		if i < len(readers)-1 {
			text = padded(text, max(columnsOf(reader.name), len(doctor.Shadowed)))
		}
		b.WriteString(s.paint(how, text))
	}
	return b.String()
}

func (s screen) wideTable(sources []doctor.Source, heads []string, rows [][]string, widths []int) []string {
	cells := func(row []string) string {
		var b strings.Builder
		for i, cell := range row {
			if cell == "" {
				cell = "-"
			}
			b.WriteString(padded(cell, widths[i]+2))
		}
		return b.String()
	}
	lines := []string{s.paint(faint, cells(heads)) + s.standings(nil)}
	for i, row := range rows {
		lines = append(lines, cells(row)+s.standings(&sources[i]))
	}
	return lines
}

// narrowTable gives each source a line for its place and its standings and one for
// what is known of it.
func (s screen) narrowTable(sources []doctor.Source, rows [][]string, columns int) []string {
	lines := []string{s.paint(faint, padded("credentials", columns)) + s.standings(nil)}
	for i, row := range rows {
		place := wrapped(row[0], columns-2)
		lines = append(lines, place[:len(place)-1]...)
		last := place[len(place)-1]
		if columnsOf(last) > columns-1 {
			lines = append(lines, last)
			last = ""
		}
		lines = append(lines, padded(last, columns)+s.standings(&sources[i]))
		known := []string{strings.TrimSpace(row[1] + " " + row[2])}
		if row[3] != "" {
			known = append(known, "account "+row[3])
		}
		switch row[4] {
		case "":
		case expired:
			known = append(known, expired)
		default:
			known = append(known, row[4]+" left")
		}
		lines = append(lines, s.paint(faint, "  "+strings.Join(known, ", ")))
	}
	return lines
}

const expired = "expired"

// lifeLeft is how long credentials live, "" if that is unknown or for ever.
func lifeLeft(at, now time.Time) string {
	switch {
	case at.IsZero():
		return ""
	case !at.After(now):
		return expired
	}
	return hook.Life(at.Sub(now))
}
