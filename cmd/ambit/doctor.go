package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"ambit/resolver/aws"
	"ambit/resolver/aws/doctor"
	"ambit/shells"
)

func doctorCommand(a *ambit) *cobra.Command {
	var format string
	var offline bool
	cmd := &cobra.Command{
		Use:   "doctor [NAME|FILE]",
		Short: "find out why AWS says no, and what to type",
		Long: `Examine what this shell exports, the files of the AWS configuration, the machine,
the network and ambit's own set-up, and ask AWS whom the credentials speak for.
Each failure is a cause and comes with the command that mends it; what follows from
it is a warning that names it. Then every place that holds credentials is listed,
and which of them wins for the AWS CLI v1 (and boto3), the AWS CLI v2 and Go.

With NAME or FILE it is examined what that environment exports instead of this
shell. Nothing is changed. It ends within 15 seconds, whatever hangs.

The status is 0 if nothing failed and 1 if something did.`,
		Example: `  ambit doctor
  ambit doctor shop/dev
  ambit doctor --offline --format json`,
		Args:              atMost(1),
		ValidArgsFunction: a.completeName,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := oneOf("--format", format, "text", "json"); err != nil {
				return err
			}
			ctx, stop := a.interruptible()
			defer stop()
			return runDoctor(ctx, a, optional(args), format, offline)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "`FORMAT`: text or json")
	cmd.Flags().BoolVar(&offline, "offline", false, "stop before the network")
	completeChoice(cmd, "format", "text", "json")
	return cmd
}

// doctorTime bounds doctor, whatever hangs.
const doctorTime = 14500 * time.Millisecond

func runDoctor(ctx context.Context, a *ambit, arg, format string, offline bool) error {
	bounded, stop := context.WithTimeout(ctx, doctorTime)
	defer stop()
	report, err := a.examine(bounded, arg, offline)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	shell := a.shellInUse()
	for i, f := range report.Findings {
		if arg != "" && f.Fix == "ambit reload" {
			f.Fix = "ambit env edit " + aws.Word(arg) // what it exports is as it says
		}
		report.Findings[i].Fix = inShell(shell, f.Fix)
	}
	if format == "json" {
		err = a.printFindings(report.Findings)
	} else {
		a.printReport(report)
	}
	if err == nil && doctor.Failed(report.Findings) {
		err = said(1)
	}
	return err
}

// examine looks at ambit's set-up, at what a shell or an environment exports, and at
// whether this directory's environment can be resolved, all at a time.
func (a *ambit) examine(ctx context.Context, arg string, offline bool) (doctor.Report, error) {
	setup := a.setup(arg == "") // reads what the others read, too
	base := a.baseline()
	var patient doctor.Patient
	var failed []doctor.Finding
	var only []string
	if arg == "" {
		patient = a.patient(offline)
	} else {
		var err error
		if patient, failed, err = a.environmentPatient(ctx, arg, offline); err != nil {
			return doctor.Report{}, err
		}
		if failed != nil {
			only = everywhere // of this shell's own credentials nobody has asked
		}
	}
	examined := make(chan doctor.Report, 1)
	tried := make(chan []doctor.Finding, 1)
	go func() { examined <- doctor.Examine(ctx, patient, only...) }()
	go func() {
		if arg == "" && !offline {
			failed = a.tryDirectory(ctx, base)
		}
		tried <- failed
	}()
	var report doctor.Report
	select {
	case report = <-examined:
	case <-ctx.Done():
		// It ends by itself with what it found out; a person who gave up does not wait.
		if !errors.Is(context.Cause(ctx), errInterrupted) {
			report = <-examined
		}
	}
	if only != nil {
		report.Sources = nil
	}
	report.Findings = doctor.Settle(slices.Concat(setup, report.Findings))
	select {
	case failed := <-tried:
		report.Findings = withTrial(report.Findings, failed)
	case <-ctx.Done():
		select { // leave no process behind
		case <-tried:
		case <-time.After(2 * trialGrace):
		}
	}
	return report, nil
}

// withTrial adds what a trial came to: where the others have found a cause for it,
// as their effect; and what a directory that does not load explains is an effect of
// the trial's failure.
func withTrial(settled, failed []doctor.Finding) []doctor.Finding {
	out := slices.Clone(settled)
	awaited := func(f doctor.Finding) bool { return slices.Contains(f.Causes, "directory") }
	for n, f := range failed {
		cause, fatal := f.Check, f.Status == doctor.Fail
		known := slices.IndexFunc(settled, func(o doctor.Finding) bool {
			return o.Status == doctor.Fail && !awaited(o) && (o.Check == f.Check || slices.Contains(f.Causes, o.Check))
		})
		if known >= 0 {
			cause = settled[known].Check
			f = effect(f, cause)
		}
		for i, o := range out {
			if n == 0 && fatal && o.Status == doctor.Fail && awaited(o) {
				out[i] = effect(o, cause)
			}
		}
		out = append(out, f)
	}
	for i := range out {
		out[i].Causes = nil // all is said
	}
	return doctor.Settle(out)
}

// effect is a failure that another check explains.
func effect(f doctor.Finding, cause string) doctor.Finding {
	f.Status, f.Fix = doctor.Warn, ""
	f.Evidence += ", because of " + cause
	return f
}

// inShell says a fix in the words of a shell: what doctor writes is taken alike by
// bash, zsh and fish, but for these.
func inShell(shell shells.Shell, fix string) string {
	if shell != shells.Fish {
		return fix
	}
	fix = posixUnsetFunction().ReplaceAllString(fix, "${1}functions -e ")
	return posixUnset().ReplaceAllString(fix, "${1}set -e ")
}

var (
	posixUnset         = late(`(^|&& |; )unset `)
	posixUnsetFunction = late(`(^|&& |; )unset -f `)
)

// printFindings prints the list for programs.
func (a *ambit) printFindings(findings []doctor.Finding) error {
	return a.printJSON(oneLine(findings))
}

// oneLine is a list for programs, which print what they read: none is [], not null,
// and what was seen is one line that a terminal shows. A command stays as it is to
// be typed.
func oneLine(findings []doctor.Finding) []doctor.Finding {
	out := append([]doctor.Finding{}, findings...)
	for i := range out {
		out[i].Evidence = printableWhole(out[i].Evidence)
	}
	return out
}
