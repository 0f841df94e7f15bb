package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ambit/hook"
	"ambit/resolver"
	"ambit/resolver/aws"
	"ambit/resolver/aws/doctor"
)

// trialTime bounds the trial of a directory's environment, which has as long as a
// prompt would have.
const trialTime = 12 * time.Second

// trialGrace is what a trial that is told to end has for ending what it runs.
const trialGrace = 300 * time.Millisecond

// trialCommand is a process of its own because it resolves from the environment
// before loading, which the AWS SDK reads by itself, while doctor examines what the
// shell exports.
func trialCommand(a *ambit) *cobra.Command {
	return &cobra.Command{
		Use:    "trial",
		Short:  "resolve this directory's environment, keeping nothing",
		Hidden: true,
		Long: `Resolve the environment of this directory, if its file is allowed, as if nothing
were in the cache, and print what was reported as JSON. Nothing is kept. "ambit
doctor" runs it.`,
		Example:           "  ambit trial",
		Args:              atMost(0),
		ValidArgsFunction: noCompletion,
		RunE: func(*cobra.Command, []string) error {
			ctx, stop := a.interruptible()
			defer stop()
			return runTrial(ctx, a)
		},
	}
}

// trial is what a trial found.
type trial struct {
	Label    string    `json:"label"`
	Failures []failure `json:"failures"`
}

// failure is an error of something that was opened.
type failure struct {
	File    string               `json:"file"`
	Line    int                  `json:"line"`
	Column  int                  `json:"column"`
	Summary string               `json:"summary"`
	Hint    string               `json:"hint"`
	Kind    resolver.FailureKind `json:"kind"`
	Serves  bool                 `json:"serves"` // older credentials still do
}

func runTrial(ctx context.Context, a *ambit) error {
	base := a.enterBaseline()
	conf, err := a.config()
	if err != nil {
		return said(1)
	}
	limit := conf.settings.Timeout
	if limit == 0 {
		limit = hook.DefaultTimeout
	}
	ctx, stop := context.WithTimeout(ctx, min(limit-promptMargin, trialTime))
	defer stop()
	found := a.find(a.dir)
	record := a.trust.Record(found.Dir)
	verdict, contents := record.Check()
	if found.File == "" || verdict != hook.Allowed {
		return said(1)
	}
	d, err := a.loadPinned(ctx, directory(found.Dir), record, contents)
	if err != nil {
		return said(1)
	}
	// What was opened before is no trial, but for what a person logged in for.
	a.cacheDir = a.cacheDir.ReadOnly()
	ev, err := a.evaluate(ctx, d, base, resolver.AtPrompt, true)
	if err != nil {
		return err
	}
	if d.program == nil {
		return said(1)
	}
	t := trialOf(d.program.Label(), ev.diags)
	if ev.result != nil {
		for _, m := range ev.result.Notices {
			if strings.Contains(m.Text, aws.OlderServe) {
				t.Failures = append(t.Failures, failure{File: m.Place.File, Line: m.Place.Line, Column: m.Place.Column, Summary: m.Text, Serves: true})
			}
		}
	}
	return a.printJSON(t)
}

// trialOf leaves out what is wrong with the definition itself, for which nothing has
// to be opened.
func trialOf(label string, diags []resolver.Diagnostic) trial {
	t := trial{Label: label}
	for _, d := range diags {
		if d.Severity == resolver.Error && d.Kind != resolver.KindDefinition {
			t.Failures = append(t.Failures, failure{File: d.Pos.File, Line: d.Pos.Line, Column: d.Pos.Column, Summary: d.Summary, Hint: d.Hint, Kind: d.Kind})
		}
	}
	return t
}

// tryDirectory resolves this directory's environment in a process of its own. It
// returns nil if there is none that may be resolved, or if it cannot be told.
func (a *ambit) tryDirectory(ctx context.Context, base hook.Environ) []doctor.Finding {
	if a.self == "" || a.dir == "" {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, trialTime+time.Second)
	defer stop()
	cmd := exec.CommandContext(ctx, a.self, "trial")
	cmd.Dir, cmd.Env = a.dir, base.List()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C comes by way of ctx
	// It ends the commands that it runs, which have process groups of their own.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = trialGrace
	stdout, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		return nil
	}
	text, rerr := io.ReadAll(io.LimitReader(stdout, 1<<20))
	err = cmd.Wait()
	var t trial
	if ctx.Err() != nil || rerr != nil || err != nil || json.NewDecoder(bytes.NewReader(text)).Decode(&t) != nil {
		return nil
	}
	return a.trialFindings(t)
}

// trialFindings are what a trial's failures come to.
func (a *ambit) trialFindings(t trial) []doctor.Finding {
	var out []doctor.Finding
	for i, f := range t.Failures {
		if i == 3 {
			break // one cause has the same effect at every login
		}
		place := ""
		if f.File != "" {
			place = fmt.Sprintf("%s:%d:%d: ", bounded(a.short(f.File)), f.Line, f.Column)
		}
		status := doctor.Fail
		if f.Serves {
			status = doctor.Warn
		}
		out = append(out, doctor.Finding{
			Check: checkOf(f.Summary, f.Kind), Status: status, Fix: fixOf(f.Hint, f.Kind), Causes: everywhere,
			Evidence: fmt.Sprintf("%s%s (to load %s)", place, f.Summary, bounded(t.Label)),
		})
	}
	return out
}

// checkOf says which check a failure to resolve belongs to.
func checkOf(summary string, kind resolver.FailureKind) string {
	m, _ := aws.MeaningOfRefusal(summary)
	switch {
	case m.Kind == aws.Permission && slices.Contains(m.Checks, "aws.role"):
		return "aws.role"
	case len(m.Checks) > 0:
		return m.Checks[0]
	}
	ofAWS := strings.HasPrefix(summary, "aws-") // the provider's name
	switch {
	case ofAWS && kind == resolver.KindNetwork:
		return "aws.network"
	case ofAWS && kind == resolver.KindLogin:
		return "aws.token"
	}
	return "directory"
}

// everywhere are the checks whose failure may explain that of any login; the others
// are about the credentials of this shell, which a login need not use.
var everywhere = []string{"aws.network", "aws.clock", "aws.endpoint", "aws.files"}

var (
	commandInQuotes = late(`(?:^|\W)run:? "?(ambit [^"]+)"?`)
	commandAtEnd    = late(`(?:^|: )((?:aws|sudo) .*)$`)
)

// fixOf takes the command out of a hint. Without one there is nothing to type.
func fixOf(hint string, kind resolver.FailureKind) string {
	if m := commandInQuotes().FindStringSubmatch(hint); m != nil && m[1] != "ambit doctor" {
		return m[1]
	}
	if m := commandAtEnd().FindStringSubmatch(hint); m != nil {
		command, _, _ := strings.Cut(m[1], ", or ")
		return command
	}
	if kind == resolver.KindLogin {
		return "ambit login"
	}
	return ""
}
