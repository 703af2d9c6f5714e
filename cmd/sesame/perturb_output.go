package main

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sesame/daemon/transcript"
	"sesame/simulate"
	"sesame/simulate/account"
	"sesame/simulate/perturb"
	"sesame/simulate/repeat"
)

const (
	// shownSources is how many sources of a door people are told about: those that opened it least.
	shownSources = 20
	// shownReasons is how many reasons of a door people are told about: the most frequent ones.
	shownReasons = 10
)

// A perturbOutput writes what many runs found.
type perturbOutput struct {
	*program
	flags  *perturbFlags
	repeat string // the command line that repeats a run, without the seed
	plan   *perturb.Plan
	single *perturb.Single // of --runs 1; else nil
}

// repeating returns the command line of a command without its seed and without the number of runs,
// as a shell takes it.
func repeating(c *cobra.Command, captures []string) string {
	words := []string{c.CommandPath()}
	c.Flags().Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "seed", "runs", "format", "min-opens", "html", "force":
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			if f.Value.Type() == "bool" && value == "true" {
				words = append(words, "--"+f.Name)
			} else {
				words = append(words, "--"+f.Name, shellWord(value))
			}
		}
	})
	for _, name := range captures {
		words = append(words, shellWord(name))
	}
	return strings.Join(words, " ")
}

// shellWord returns a word as a shell takes it.
func shellWord(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./%@") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// again returns the command line that repeats the run of a seed.
func (o *perturbOutput) again(seed uint64) string {
	return fmt.Sprintf("%s --seed %d --runs 1", o.repeat, seed)
}

// showRun writes the transcript of one run. In JSON there is none.
func (o *perturbOutput) showRun(ctx context.Context, m perturb.Machine) (err error) {
	var w simulate.Writer = quiet{}
	switch o.flags.format {
	case "text":
		w = transcript.NewText(o.stdout, transcript.TextOptions{Color: color("auto", o.stdout)})
	case "jsonl":
		w = transcript.NewJSON(o.stdout)
	}
	o.single, err = o.plan.Show(ctx, o.flags.repeated.seed, m, perturb.View{Writer: w})
	return err
}

// write writes the report, and sets the exit status.
func (o *perturbOutput) write(r *perturb.Report) error {
	o.judgeRuns(r)
	switch o.flags.format {
	case "json":
		return o.writeJSON(o.object(r))
	case "jsonl":
		return nil
	}
	var b strings.Builder
	o.singleText(&b)
	o.doorsText(&b, r)
	o.findingsText(&b, r)
	fmt.Fprintf(&b, "%s of %s that a door watches; %s\n", transcript.Count(r.Runs, "run"), transcript.Count(r.Packets, "packet"), seeds(r))
	b.WriteString(o.plan.Hints())
	return o.print("%s", b.String())
}

// seeds names the seeds of all runs.
func seeds(r *perturb.Report) string {
	if r.Runs <= 1 {
		return fmt.Sprintf("seed %d", r.Seed)
	}
	return fmt.Sprintf("seeds %d to %d", r.Seed, r.Seed+uint64(r.Runs-1))
}

// judgeRuns sets the exit status to 1 when something was found.
func (o *perturbOutput) judgeRuns(r *perturb.Report) {
	found := len(r.Only) > 0 || r.Failed > 0 || len(r.Doors) == 0
	for _, d := range r.Doors {
		found = found || float64(d.Chances.Of) < o.flags.minimum*float64(d.Chances.All)
	}
	if found && o.status == done {
		o.status = answerNo
	}
}

// singleText writes what happened in the only run.
func (o *perturbOutput) singleText(b *strings.Builder) {
	if o.single == nil {
		return
	}
	b.WriteString("\n")
	for _, f := range o.single.Fates {
		fmt.Fprintln(b, f.Text)
	}
	if o.single.More > 0 {
		fmt.Fprintf(b, "and %s\n", transcript.Count(o.single.More, "more fault"))
	}
	accounts := o.accounts()
	if len(o.single.Fates) > 0 && len(accounts) > 0 {
		b.WriteString("\n")
	}
	for _, a := range accounts {
		for _, line := range a.Lines {
			fmt.Fprintf(b, "%-15s  %s  %s\n", a.Source, transcript.Safe(a.Door), line)
		}
	}
	b.WriteString("\n")
}

// accounts returns the chosen accounts of the only run, and no more than people are told about.
func (o *perturbOutput) accounts() (all []*account.Account) {
	for _, a := range o.single.Accounts {
		if len(all) < shownSources && o.flags.choice.has(a.Door, a.Source) {
			all = append(all, a)
		}
	}
	return all
}

// doorsText writes how often each door opened, and why it did not the other times.
func (o *perturbOutput) doorsText(b *strings.Builder, r *perturb.Report) {
	width := 0
	for _, d := range r.Doors {
		width = max(width, utf8.RuneCountInString(transcript.Safe(d.Name)))
	}
	indent := strings.Repeat(" ", width+2)
	for _, d := range r.Doors {
		fmt.Fprintf(b, "%-*s  opened %v%s\n", width, transcript.Safe(d.Name), d.Chances, later(&d))
		sourcesText(b, indent, &d)
		if d.Chances.Of < d.Chances.All && o.single == nil {
			reasonsText(b, indent, &d)
			fmt.Fprintf(b, "%sthe first: %s\n", indent, o.again(d.First))
		}
	}
}

// reasonsText lists why a door did not open, and what the account of the first such run said. That
// of the only run is told already.
func reasonsText(b *strings.Builder, indent string, d *perturb.Door) {
	for i, reason := range d.Reasons {
		if i == shownReasons {
			fmt.Fprintf(b, "%sand %s\n", indent, transcript.Count(len(d.Reasons)-i, "more reason"))
			return
		}
		fmt.Fprintf(b, "%s%d  %v\n", indent, reason.Count, reason.Reason)
		if reason.Text != "" {
			fmt.Fprintf(b, "%s%*s  seed %d: %s\n", indent, len(fmt.Sprint(reason.Count)), "", reason.First, reason.Text)
		}
	}
}

// sourcesText lists the sources of a door, if there are several.
func sourcesText(b *strings.Builder, indent string, d *perturb.Door) {
	for i, s := range d.Sources {
		switch {
		case len(d.Sources) == 1:
		case i == shownSources:
			fmt.Fprintf(b, "%sand %s\n", indent, transcript.Count(len(d.Sources)-i, "more source"))
			return
		default:
			fmt.Fprintf(b, "%s%-15s  %v\n", indent, s.Address, s.Chances)
		}
	}
}

// later says how much later a door opened than without faults.
func later(d *perturb.Door) string {
	mean := d.Mean.Round(time.Millisecond)
	if mean <= 0 {
		return ""
	}
	return fmt.Sprintf(", %s later on average and %s at most", transcript.Duration(mean), transcript.Duration(d.Most.Round(time.Millisecond)))
}

// findingsText writes what nobody expects.
func (o *perturbOutput) findingsText(b *strings.Builder, r *perturb.Report) {
	if len(r.Doors) == 0 {
		b.WriteString(o.nothing() + "\n")
	}
	for i, f := range r.Only {
		if i == shownSources {
			fmt.Fprintf(b, "and %s\n", transcript.Count(len(r.Only)-i, "more finding"))
			break
		}
		fmt.Fprintf(b, "%s opens for %s with faults alone: in %v of the runs\n", transcript.Safe(f.Door), f.Source, f.Runs)
		fmt.Fprintf(b, "  the first: %s\n", o.again(f.First))
	}
	if r.Failed > 0 {
		fmt.Fprintf(b, "a script failed in %s: %s\n", transcript.Count(r.Failed, "run"), o.again(r.FirstFailed))
	}
}

// nothing says that no door opens without faults, or none of those that were chosen.
func (o *perturbOutput) nothing() string {
	if !o.plan.Opens() {
		return "no door opens without faults: sesame simulate tells why"
	}
	return "no chosen door opens for a chosen source without faults, and others do: leave out " + o.flags.choice.given() + " to see them"
}

// An interval is a share for programs.
type interval struct {
	Of   int     `json:"of"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

func intervalOf(s repeat.Share) interval {
	low, high := s.Interval()
	return interval{s.All, low, high}
}
