package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"ambit/resolver/aws"
	"ambit/resolver/aws/doctor"
)

func explainCommand(a *ambit) *cobra.Command {
	var format, profile string
	var offline bool
	cmd := &cobra.Command{
		Use:   "explain [TEXT|-]...",
		Short: "say what an error of AWS means, and look for its cause",
		Long: `Read what a program printed, from the arguments or from standard input, and say of
the first error of AWS in it whether it is about authentication, permission or
something else, and what that proves. Then make those checks of "ambit doctor" that
can tell its causes apart, on what this shell exports.

It knows the AWS CLI, boto3, the SDKs for Go, Java, JavaScript, .NET, PHP, Ruby and
Rust, Terraform, Pulumi, kubectl and docker, with colours and wrapped lines as they
are. Of the text it repeats the code and what is surely no secret; it reads 10 MiB.

The status is 0 if the error is known and no check failed, and 1 if one failed or
there is no known error in the text.`,
		Example: `  aws s3 ls 2>&1 | ambit explain
  terraform plan 2>&1 | tee plan.log | ambit explain
  aws s3 ls --profile dev 2>&1 | ambit explain --profile dev
  ambit explain "An error occurred (ExpiredToken) when calling the ListBuckets operation"`,
		ValidArgsFunction: noCompletion,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := oneOf("--format", format, "text", "json"); err != nil {
				return err
			}
			text, err := a.textToExplain(args)
			if err != nil {
				return err
			}
			ctx, stop := a.interruptible()
			defer stop()
			return runExplain(ctx, a, text, explainOptions{format, profile, offline})
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "`FORMAT`: text or json")
	cmd.Flags().StringVar(&profile, "profile", "", "look at the profile `NAME` that the program was told, not at this shell's keys")
	cmd.Flags().BoolVar(&offline, "offline", false, "stop before the network")
	completeChoice(cmd, "format", "text", "json")
	_ = cmd.RegisterFlagCompletionFunc("profile", noCompletion) // a name, not a file
	return cmd
}

type explainOptions struct {
	format, profile string
	offline         bool
}

const explainUsage = "write, for example, aws s3 ls 2>&1 | ambit explain"

// textToExplain is what the arguments say, or standard input: not a terminal, unless
// it is asked for.
func (a *ambit) textToExplain(args []string) (io.Reader, error) {
	asked := len(args) == 1 && args[0] == "-"
	if len(args) > 0 && !asked {
		return strings.NewReader(strings.Join(args, " ")), nil
	}
	if f, ok := a.stdin.(*os.File); a.stdin == nil || ok && !asked && term.IsTerminal(int(f.Fd())) {
		return nil, usageError{"there is no text to explain", explainUsage}
	}
	return a.stdin, nil
}

// explanation is what is known of an error; its JSON form is for programs and keeps
// its meaning within a version.
type explanation struct {
	Version  int                 `json:"version"`
	Errors   []doctor.Recognised `json:"errors"` // the first is the one that is explained
	Findings []doctor.Finding    `json:"findings"`
}

func runExplain(ctx context.Context, a *ambit, text io.Reader, o explainOptions) error {
	found, err := recogniseIn(ctx, text)
	if err != nil {
		return err
	}
	first := found[0]
	bounded, stop := context.WithTimeout(ctx, doctorTime)
	defer stop()
	report := a.examineFor(bounded, first, o)
	if err := interrupted(ctx); err != nil {
		return err
	}
	if o.format == "json" {
		err = a.printJSON(explanation{Version: 1, Errors: found, Findings: oneLine(report.Findings)})
	} else {
		a.printExplanation(found, report)
	}
	if err == nil && doctor.Failed(report.Findings) {
		err = said(1)
	}
	return err
}

// recogniseIn reads a text that may come slowly: a person may give up. It returns at
// least one error of AWS, or an error of its own.
func recogniseIn(ctx context.Context, text io.Reader) ([]doctor.Recognised, error) {
	type result struct {
		found []doctor.Recognised
		err   error
		size  int64
	}
	done := make(chan result, 1)
	go func() {
		counted := &countingReader{r: text}
		found, err := doctor.Recognise(counted)
		done <- result{found, err, counted.n}
	}()
	select {
	case r := <-done:
		switch {
		case r.err != nil:
			return nil, fmt.Errorf("cannot read the text: %w", r.err)
		case r.size == 0:
			return nil, usageError{"the text is empty", "errors go to standard error: " + explainUsage}
		case len(r.found) == 0 && r.size >= doctor.MostText:
			return nil, withHint(errors.New("there is no error of AWS in the first 10 MiB of the text, as far as ambit knows"), "give it the part with the error, such as its end: tail -c 100000")
		case len(r.found) == 0:
			return nil, withHint(errors.New("there is no error of AWS in the text, as far as ambit knows"), "ambit doctor looks at everything")
		}
		return r.found, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// examineFor makes the checks that can tell the causes of an error apart.
func (a *ambit) examineFor(ctx context.Context, r doctor.Recognised, o explainOptions) doctor.Report {
	patient := a.patient(o.offline || r.Local)
	if o.profile != "" {
		patient.Environ = withProfile(patient.Environ, o.profile)
	}
	found := r.Findings(patient)
	var report doctor.Report
	aws := slices.DeleteFunc(slices.Clone(r.Checks), func(check string) bool { return !strings.HasPrefix(check, "aws.") })
	if len(aws) > 0 {
		done := make(chan doctor.Report, 1)
		go func() { done <- doctor.Examine(ctx, patient, aws...) }()
		select {
		case report = <-done:
		case <-ctx.Done():
			if !errors.Is(context.Cause(ctx), errInterrupted) {
				report = <-done // it ends by itself with what it found out
			}
		}
	}
	// What a look has shown as well, and how to mend it, is told once.
	found = slices.DeleteFunc(found, func(f doctor.Finding) bool {
		return slices.ContainsFunc(report.Findings, func(o doctor.Finding) bool {
			return o.Check == f.Check && o.Fix == f.Fix && o.Status != doctor.OK
		})
	})
	found = append(found, report.Findings...)
	if len(aws) < len(r.Checks) && o.profile == "" {
		found = append(found, a.setup(true)...)
	}
	// What else was looked at on the way counts only where it is not well, and of
	// ambit's own set-up not at all.
	found = slices.DeleteFunc(found, func(f doctor.Finding) bool {
		return !slices.Contains(r.Checks, f.Check) && (f.Status == doctor.OK || !strings.HasPrefix(f.Check, "aws."))
	})
	for i, f := range found {
		// Not every program needs a region, and this one has just said that it does.
		if r.Code == "NoRegionError" && f.Check == "aws.region" && f.Status == doctor.Warn {
			found[i].Status = doctor.Fail
		}
	}
	shell := a.shellInUse()
	for i := range found {
		if o.profile != "" && found[i].Fix == "unset AWS_PROFILE" {
			// The program was told it by an option: no variable is set.
			found[i].Evidence = strings.Replace(found[i].Evidence, "AWS_PROFILE names", "--profile names", 1)
			found[i].Fix = "aws configure list-profiles"
		}
		found[i].Fix = inShell(shell, found[i].Fix)
	}
	report.Findings = doctor.Settle(found)
	if !slices.Contains(r.Checks, "aws.order") {
		report.Sources = nil
	}
	return report
}

// withProfile is the environment of a program that was told a profile by an option,
// which beats the variables.
func withProfile(environ map[string]string, name string) map[string]string {
	out := maps.Clone(environ)
	for _, variable := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
		"AWS_CREDENTIAL_EXPIRATION", "AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		delete(out, variable)
	}
	out["AWS_PROFILE"] = name
	return out
}

// printExplanation says what an error is, what that proves, and what was found.
func (a *ambit) printExplanation(found []doctor.Recognised, report doctor.Report) {
	s := a.screen()
	r := found[0]
	fmt.Fprintln(a.out, s.paint(bold, printableWhole(r.Code))+printableWhole(wayOf(r)))
	if r.Message != "" {
		a.printIndented(s, r.Message)
	}
	for i, line := range wrapped(string(r.Kind)+": "+r.Proves, s.columns) {
		if i == 0 {
			line = s.paint(bold, string(r.Kind)) + strings.TrimPrefix(line, string(r.Kind))
		}
		fmt.Fprintln(a.out, line)
	}
	if len(found) > 1 {
		var others []string
		for _, o := range found[1:] {
			others = append(others, fmt.Sprintf("%s (%s)", o.Code, o.Kind))
		}
		for _, line := range wrapped(printableWhole("later in the text: "+strings.Join(others, ", ")), s.columns) {
			fmt.Fprintln(a.out, s.paint(faint, line))
		}
	}
	if len(report.Findings) > 0 || len(report.Sources) > 0 {
		fmt.Fprintln(a.out)
		a.printReport(report)
	}
	ill := slices.ContainsFunc(report.Findings, func(f doctor.Finding) bool {
		return f.Status != doctor.OK && slices.Contains(r.Checks, f.Check)
	})
	// A permission is AWS's to give: nothing here can be wrong.
	if !ill && len(r.Checks) > 0 && r.Kind != aws.Permission {
		fmt.Fprintln(a.out)
		for _, line := range wrapped("nothing here explains it: it may be over, or it was of another shell, machine or profile", s.columns) {
			fmt.Fprintln(a.out, line)
		}
	}
}

func (a *ambit) printIndented(s screen, text string) {
	for _, line := range wrapped(printableWhole(text), s.columns-2) {
		fmt.Fprintln(a.out, "  "+line)
	}
}

// wayOf says who printed an error, and of which call.
func wayOf(r doctor.Recognised) string {
	var b strings.Builder
	if r.Program != "" {
		b.WriteString(" from " + r.Program)
	}
	var call []string
	if what := strings.TrimSpace(r.Service + " " + r.Operation); what != "" {
		call = append(call, what)
	}
	if r.Status != 0 {
		call = append(call, fmt.Sprintf("status %d", r.Status))
	}
	if len(call) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(call, ", "))
	}
	return b.String()
}
