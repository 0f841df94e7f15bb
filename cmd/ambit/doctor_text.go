package main

import (
	"fmt"
	"strings"

	"ambit/resolver/aws/doctor"
)

// printReport prints findings for people: what failed, what is worth knowing, what
// is well in one line.
func (a *ambit) printReport(r doctor.Report) {
	var well []string
	for _, f := range r.Findings {
		if f.Status == doctor.OK {
			well = append(well, f.Check)
			continue
		}
		fmt.Fprintf(a.out, "%-5s %-12s %s\n", f.Status, f.Check, printableWhole(f.Evidence))
		if f.Fix != "" {
			fmt.Fprintf(a.out, "      fix: %s\n", printableWhole(f.Fix))
		}
	}
	if len(well) > 0 {
		fmt.Fprintf(a.out, "ok    %s\n", strings.Join(well, ", "))
	}
}
