package resolver

import (
	"slices"
	"strconv"
)

// sorted orders diagnostics by the loading of their files, line and column, and
// drops those that say the same again.
func (p *Program) sorted(diags []Diagnostic) []Diagnostic {
	order := func(d Diagnostic) int {
		if env := p.byPath[d.Pos.File]; env != nil {
			return env.order
		}
		return len(p.envs)
	}
	out := slices.Clone(diags)
	slices.SortStableFunc(out, func(a, b Diagnostic) int {
		switch oa, ob := order(a), order(b); {
		case oa != ob:
			return oa - ob
		case a.Pos.File != b.Pos.File:
			if a.Pos.File < b.Pos.File {
				return -1
			}
			return 1
		case a.Pos.Line != b.Pos.Line:
			return a.Pos.Line - b.Pos.Line
		}
		return a.Pos.Column - b.Pos.Column
	})
	kept := out[:0]
	for i, d := range out {
		again := false
		for j := len(kept) - 1; j >= 0 && kept[j].Pos == d.Pos; j-- {
			again = again || kept[j].Summary == d.Summary && kept[j].Severity == d.Severity
		}
		if !again {
			kept = append(kept, out[i])
		}
	}
	return kept
}

func quoted(name string) string { return strconv.Quote(name) }
