package main

import (
	"context"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver/aws/doctor"
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

func runDoctor(ctx context.Context, a *ambit, arg, format string, offline bool) error {
	done := make(chan doctor.Report, 1)
	patient := a.patient(offline)
	go func() { done <- doctor.Examine(ctx, patient) }()
	findings := a.setup(arg == "")
	var report doctor.Report
	select {
	case report = <-done:
	case <-ctx.Done():
	}
	if err := interrupted(ctx); err != nil {
		return err
	}
	report.Findings = doctor.Settle(append(findings, report.Findings...))
	if format == "json" {
		if err := a.printFindings(report.Findings); err != nil {
			return err
		}
	} else {
		a.printReport(report)
	}
	if doctor.Failed(report.Findings) {
		return said(1)
	}
	return nil
}

// patient is this shell: what it exports, not what it would export without ambit.
func (a *ambit) patient(offline bool) doctor.Patient {
	ours := a.ours()
	return doctor.Patient{
		Environ: a.environ, Home: a.places.Home, UID: a.uid, Now: a.now, Root: "/", Offline: offline,
		Ours: func(name string) bool { return ours[name] },
	}
}

// ours are the variables that have the value that ambit gave them.
func (a *ambit) ours() map[string]bool {
	out := map[string]bool{}
	s := a.session()
	if s.session == nil || s.session.State != hook.Loaded {
		return out
	}
	for _, c := range s.changes(a.environ) {
		if c.Ours && c.Change != "-" {
			out[c.Name] = true
		}
	}
	return out
}

// printFindings prints the list for programs.
func (a *ambit) printFindings(findings []doctor.Finding) error {
	return a.printJSON(append([]doctor.Finding{}, findings...)) // none is [], not null
}
