//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sesame/daemon/control"
	"sesame/daemon/packet"
	"sesame/daemon/terminal"
	"sesame/daemon/transcript"
	"sesame/scripting"
	"sesame/scripting/difference"
)

// reloadFlags are the flags of sesame reload.
type reloadFlags struct {
	daemon    configFlags
	unguard   []string
	skipTests bool
	from      string
	trial     string
	giveUp    bool
	json      bool
}

func (p *program) reloadCommand() *cobra.Command {
	f := &reloadFlags{}
	c := &cobra.Command{
		Use:   "reload [flags]",
		Short: "Make the daemon load its scripts again, and wait for the outcome",
		Long: `Reload makes the daemon read its scripts again. Nothing changes unless all of them
load, and unless their tests (*_test.lua) pass. Scripts that would drop a guard, or
leave a guard that no door opens, are held until you confirm that with --unguard.
Tests may take the time that the configuration gives them; what did not run is
listed, and stops nothing.

With --trial the scripts are in force for a time. Then the scripts before them
return, unless sesame confirm follows, or somebody opens each door that changed, with
packets that come after the beginning of the trial. So you cannot lock yourself
out for longer than that. A restart ends a trial, too.

With --from the scripts are those of another directory, or another script. They
stay in force, also after a restart, until you reload those of the configuration.

The exit status is 0 when the scripts run, 1 when they were rejected or held and
the earlier ones keep running, or when there was nothing to try, and 2 when no
daemon answers.`,
		Example: `  sesame reload
  sesame reload --unguard tcp/22
  sesame reload --skip-tests
  sesame reload --trial 10m
  sesame reload --from /etc/sesame/scripts.new --trial 10m
  sesame reload --return`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return p.reload(c, f) },
	}
	f.daemon.addSocket(c)
	c.Flags().StringSliceVar(&f.unguard, "unguard", nil, "a port that the scripts may leave without a guard or without a door")
	c.Flags().BoolVar(&f.skipTests, "skip-tests", false, "apply the scripts without their tests, which is logged")
	c.Flags().StringVar(&f.from, "from", "", "put this directory of scripts, or this script, in force")
	c.Flags().StringVar(&f.trial, "trial", "", `how long the scripts are in force unless they are confirmed, such as "10m"`)
	c.Flags().BoolVar(&f.giveUp, "return", false, "end a trial now: the scripts before it return")
	c.Flags().BoolVar(&f.json, "json", false, "print the outcome as JSON")
	completeFlag(c, "trial", "1m", "5m", "10m", "30m", "1h")
	return c
}

// asked returns what the flags ask for.
func (f *reloadFlags) asked(c *cobra.Command) (request control.ReloadRequest, err error) {
	request = control.ReloadRequest{SkipTests: f.skipTests, Return: f.giveUp}
	for _, text := range f.unguard {
		port, err := packet.ParsePort(text)
		if err != nil {
			return request, &usageError{c, "--unguard: " + err.Error()}
		}
		request.Unguard = append(request.Unguard, control.Port{Port: port})
	}
	if c.Flags().Changed("trial") {
		d, err := scripting.ParseDuration(f.trial)
		if request.Trial = control.Duration(d); err == nil && (request.Trial < control.MinTrial || request.Trial > control.MaxTrial) {
			err = fmt.Errorf("%q is no time from 1s to 24h", f.trial)
		}
		if err != nil {
			return request, &usageError{c, "--trial: " + err.Error()}
		}
	}
	if c.Flags().Changed("from") {
		if request.From, err = filepath.Abs(f.from); err == nil && f.from == "" {
			err = errors.New("expected a directory of scripts, or a script")
		}
		if err != nil {
			return request, &usageError{c, "--from: " + err.Error()}
		}
	}
	if f.giveUp && (f.trial != "" || f.from != "" || f.skipTests || len(f.unguard) > 0) {
		return request, &usageError{c, "--return takes no other flag: it only ends a trial"}
	}
	return request, nil
}

// reload requests a reload and waits for its outcome, which may take minutes. Rejected and
// held give exit status 1.
func (p *program) reload(c *cobra.Command, f *reloadFlags) error {
	request, err := f.asked(c)
	if err != nil {
		return err
	}
	return p.request(c, &f.daemon, func(ctx context.Context, daemon *control.Client) error {
		daemon.Waiting = func(limit time.Duration) {
			p.note("the daemon loads the scripts and runs their tests; it is waited for, at most %s", span(limit))
		}
		outcome, err := daemon.Reload(ctx, request)
		if err != nil {
			return err
		}
		if outcome.Outcome != control.Applied && outcome.Outcome != control.Unchanged {
			p.status = answerNo
		}
		if request.Trial != 0 && outcome.Outcome == control.Unchanged && outcome.Trial == nil {
			p.status = answerNo
			p.note("nothing is on trial, since these files are in force already: with reload = \"manual\" files wait for you, and --from tries those of another directory")
		}
		if f.json {
			return p.writeJSON(outcome)
		}
		if err := p.printOutcome(&outcome); err != nil || outcome.Outcome != control.Applied || outcome.Trial != nil {
			return err
		}
		return p.print("%s", elsewhereText(request.From))
	})
}

// printOutcome prints an outcome: what runs now to standard output, and why nothing changed to
// standard error.
func (p *program) printOutcome(o *control.Outcome) error {
	runs := fmt.Sprintf("generation %d, with %s", o.Generation, transcript.Count(o.Doors, "door"))
	switch o.Outcome {
	case control.Applied:
		return p.print("applied: %s\n%s%s%s%s", runs, changesText(o), testsText(o.Tests), unreadText(o.Unread), trialText(o.Trial))
	case control.Unchanged:
		return p.print("unchanged: the files are those that run, %s\n%s%s%s%s", runs, testsText(o.Tests), lastText(o.Last), unreadText(o.Unread), trialText(o.Trial))
	case control.Rejected, control.Held:
		p.printLines(o.Error)
		p.note("%s; %s, still runs", o.Outcome, runs)
		if o.Tests != nil && o.Tests.Failed > 0 {
			p.note("%s", control.TestsFailedNext)
		}
	default:
		return fmt.Errorf("the daemon is newer than this program, and answers %q, which this one does not know: look at sesame status", o.Outcome)
	}
	return nil
}

// trialText tells how long a trial runs, and what ends it.
func trialText(t *control.Trial) string {
	switch {
	case t == nil:
		return ""
	case t.State == control.TrialReturned:
		return fmt.Sprintf("The trial is over: %s. The scripts before it are in force again.\n", t.Why)
	}
	text := fmt.Sprintf("On trial until %s: then the scripts before return, unless you confirm.\n", formatTime(t.Ends))
	if len(t.Doors) > 0 {
		text += "It is confirmed, too, once somebody has opened " + strings.Join(t.Doors, " and ") + ", with packets from now on.\n"
	}
	return text + "Knock, log in anew, and run there: sesame confirm\n"
}

// lastText tells what became of these files a moment before.
func lastText(last *control.LastReload) string {
	switch {
	case last == nil:
		return ""
	case last.Outcome.Outcome == control.Applied:
		return fmt.Sprintf("They were applied at %s:\n%s%s", formatTime(last.At), changesText(&last.Outcome), testsText(last.Tests))
	}
	return fmt.Sprintf("Their tests ran at %s:\n%s", formatTime(last.At), testsText(last.Tests))
}

// changesText tells what a reload changed, one line for each door, command, option or file.
func changesText(o *control.Outcome) string {
	changes := make([]difference.Change, len(o.Changes))
	for i, change := range o.Changes {
		changes[i] = difference.Change(change)
	}
	var b strings.Builder
	for _, line := range difference.Lines(changes, len(changes)) {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	if more := o.ChangesCount - len(o.Changes); more > 0 {
		fmt.Fprintf(&b, "  and %s\n", transcript.Count(more, "change"))
	}
	return b.String()
}

// unreadText lists what is stored and read by no script.
func unreadText(lines []string) string {
	text := ""
	for _, line := range lines {
		text += "not read: " + terminal.Printable(line) + "\n"
	}
	return text
}

// testsText tells what became of the tests.
func testsText(t *control.Tests) string {
	switch {
	case t == nil:
		return ""
	case t.Off != "":
		return fmt.Sprintf("tests: none ran: %s\n", t.Off)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "tests: %s passed\n", transcript.Number(t.Passed))
	untested(&b, "skipped", t.Skipped, t.SkippedCount)
	untested(&b, "not run", t.NotRun, t.NotRunCount)
	return b.String()
}

// untested lists tests that did not run.
func untested(b *strings.Builder, how string, list []control.Untested, count int) {
	for _, test := range list {
		fmt.Fprintf(b, "  %s: %s (%s:%d): %s\n", how, terminal.Printable(test.Name), test.File, test.Line, test.Why)
	}
	if more := count - len(list); more > 0 {
		fmt.Fprintf(b, "  %s: %s more\n", how, transcript.Number(more))
	}
}

// printLines prints lines without a prefix, so that an editor finds FILE:LINE at their
// beginning.
func (p *program) printLines(text string) {
	if text = strings.TrimRight(text, "\n"); text != "" {
		fmt.Fprintln(p.stderr, terminal.Printable(text))
	}
}
