package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sesame/daemon/transcript"
	"sesame/scripting"
	"sesame/simulate"
	"sesame/simulate/perturb"
)

// perturbFlags are the flags of sesame perturb.
type perturbFlags struct {
	repeated repeatedFlags
	choice   choiceFlags
	html     htmlFlags
	format   string
	until    string

	loss, duplicate, reorder, jitter, least string
	retransmit                              bool
	addresses                               int

	network perturb.Network // of these
	minimum float64         // of least
}

func (p *program) perturbCommand() *cobra.Command {
	f := &perturbFlags{}
	c := &cobra.Command{
		Use:   "perturb [flags] [CAPTURE...]",
		Short: "Tell how often knocks get through a bad network",
		Long: `Perturb replays captures, or knocks, many times through a bad network: packets are
lost, doubled, late or out of order. It tells how often each door opens that opens
without faults, with the interval of 95 %, and why it did not open the other times.

Each run draws its own faults from its seed. A run is repeated exactly by its seed:
--seed 488 --runs 1 prints the transcript of that run, what happened to its packets,
and how far each source came. One seed gives one result on each machine.

Only packets that a door watches have faults:

  --loss 2%          a packet does not arrive
  --duplicate 1%     a copy follows, less than 10 ms later
  --reorder 5%       a packet is held back until the next one of its source has
                     passed, if that comes within a second
  --jitter 200ms     a packet is late by 0 to 200 ms, each time as likely
  --retransmit       a client sends a TCP SYN again after 1, 3 and 7 s, until one
                     arrives, as Linux does while nobody answers
  --nat-addresses 4  each flow of a source comes from one of 4 addresses, as behind
                     the NAT of a mobile network

--html writes a page: how often each door opened, why it did not, and the timeline of
the first run in which one opened less often.

Without any of them the one transcript is that of sesame simulate, byte for byte.

The exit status is 0 when all was run, 1 when a door opened that opens with faults
alone, when one opened less often than --min-opens asks for, when none opens without
faults, or when a script failed, and 2 when something could not be read or loaded.`,
		Example: `  sesame perturb -s scripts/ssh.lua --loss 2% --jitter 200ms pcaps/ssh-opens.pcap
  sesame perturb -s scripts --knock "203.0.113.9 ssh" --loss 5% --retransmit --runs 10000
  sesame perturb -s scripts --knock "203.0.113.9 ssh" --loss 5% --min-opens 95%
  sesame perturb -s scripts --html network.html --duplicate 5% monday.pcap
  sesame perturb -s scripts --knock "203.0.113.9 ssh" --loss 5% --seed 488 --runs 1`,
		Args: func(c *cobra.Command, captures []string) error { return f.repeated.typed.checkInput(c, captures) },
		RunE: func(c *cobra.Command, captures []string) error { return p.perturb(c, f, captures) },
	}
	f.repeated.add(c)
	f.choice.add(c, "results")
	f.html.add(c)
	flags := c.Flags()
	flags.StringVar(&f.loss, "loss", "0", "share of the packets that do not arrive, such as 2%")
	flags.StringVar(&f.duplicate, "duplicate", "0", "share of the packets that arrive twice")
	flags.StringVar(&f.reorder, "reorder", "0", "share of the packets that the next one of their source overtakes")
	flags.StringVar(&f.jitter, "jitter", "0", "the most by which a packet is late, such as 200ms")
	flags.BoolVar(&f.retransmit, "retransmit", false, "a client sends a TCP SYN again after 1, 3 and 7 s, until one arrives")
	flags.IntVar(&f.addresses, "nat-addresses", 1, "how many addresses each source has, of which each flow has one")
	flags.StringVar(&f.least, "min-opens", "0", "exit with status 1 when a door opened in a smaller share of the runs, such as 95%")
	flags.StringVar(&f.until, "until", "1h", "how long timers of scripts run after the last packet")
	flags.StringVar(&f.format, "format", "text", `"text" for people, "json" for programs; with --runs 1 also "jsonl": the transcript alone`)
	completeFlag(c, "format", "text", "json", "jsonl")
	return c
}

// check checks all flags.
func (f *perturbFlags) check(c *cobra.Command) (until time.Duration, err error) {
	if err := oneOf(c, "format", f.format, "text", "json", "jsonl"); err != nil {
		return 0, err
	}
	if f.format == "jsonl" && f.repeated.runs != 1 {
		return 0, &usageError{c, "--format jsonl is the transcript of one run: add --runs 1, or use --format json"}
	}
	for _, one := range []struct {
		flag, text string
		share      *float64
	}{
		{"loss", f.loss, &f.network.Loss}, {"duplicate", f.duplicate, &f.network.Duplicate},
		{"reorder", f.reorder, &f.network.Reorder}, {"min-opens", f.least, &f.minimum},
	} {
		if *one.share, err = parseShare(one.text); err != nil {
			return 0, &usageError{c, fmt.Sprintf("--%s %q: %v", one.flag, one.text, err)}
		}
	}
	if f.network.Jitter, err = parseSpan(f.jitter); err != nil {
		return 0, &usageError{c, "--jitter: " + err.Error()}
	}
	if until, err = parseSpan(f.until); err != nil {
		return 0, &usageError{c, "--until: " + err.Error()}
	}
	f.network.Retransmit, f.network.Addresses = f.retransmit, f.addresses
	if f.addresses < 1 || f.addresses > perturb.MostAddresses {
		return 0, &usageError{c, fmt.Sprintf("--nat-addresses %d: expected 1 to %d", f.addresses, perturb.MostAddresses)}
	}
	if err := f.network.Check(); err != nil {
		return 0, &usageError{c, "--" + err.Error()}
	}
	return until, errors.Join(f.choice.check(c), f.html.check(c), f.repeated.check(c))
}

// parseShare reads a share in percent, such as "2%". A number without the sign could mean either,
// so only 0 needs none.
func parseShare(text string) (float64, error) {
	number, hasSign := strings.CutSuffix(strings.TrimSpace(text), "%")
	percent, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || math.IsNaN(percent) || percent < 0 || percent > 100 || !hasSign && percent != 0 {
		return 0, errors.New("expected a share in percent, from 0% to 100%, such as 2%")
	}
	return percent / 100, nil
}

// parseSpan reads a time that may be 0.
func parseSpan(text string) (time.Duration, error) {
	if text == "0" || text == "0s" {
		return 0, nil
	}
	return scripting.ParseDuration(text)
}

// perturb runs the captures through a bad network, and tells what opened.
func (p *program) perturb(c *cobra.Command, f *perturbFlags, captures []string) error {
	until, err := f.check(c)
	if err != nil {
		return err
	}
	scripts, err := p.loadRepeated(c, &f.repeated)
	if err != nil {
		return err
	}
	defer scripts.set.Close()
	if err := f.choice.checkDoors(c, scripts.set); err != nil {
		return err
	}
	config, err := scripts.simulation(c, &f.repeated, captures)
	if err != nil {
		return err
	}
	config.Until = until
	ctx, read, forget := p.interruptible(c.Context(), captures)
	defer forget()
	bar := &progress{w: p.stderr}
	if isTerminal(p.stderr) {
		config.Progress = bar.draw
	}
	tape, err := simulate.ReadTape(ctx, config)
	read()
	bar.clear()
	if err != nil {
		return err
	}
	p.judge(tape.Report)
	if ctx.Err() != nil {
		return nil // judge has said it
	}
	out := &perturbOutput{program: p, flags: f, repeat: repeating(c, captures)}
	report, err := p.perturbTape(ctx, out, scripts, tape)
	if err != nil {
		return err
	}
	if f.html.wanted() && ctx.Err() == nil {
		set, closes, err := scripts.machine()
		if err != nil {
			return err
		}
		defer closes()
		if err := out.savePage(ctx, report, captures, perturb.Machine{Set: set, Facts: scripts.facts}); err != nil {
			return err
		}
	}
	return out.write(report)
}

// perturbTape runs a tape that was read.
func (p *program) perturbTape(ctx context.Context, out *perturbOutput, scripts *repeated, tape *simulate.Tape) (*perturb.Report, error) {
	f := out.flags
	machine := func() (perturb.Machine, error) {
		set, closes, err := scripts.machine()
		return perturb.Machine{Set: set, Facts: scripts.facts, Close: closes}, err
	}
	first, err := machine()
	if err != nil {
		return nil, err
	}
	if out.plan, err = perturb.NewPlan(ctx, tape, f.network, first); err == nil && f.repeated.runs == 1 {
		err = out.showRun(ctx, first)
	}
	first.Close()
	switch {
	case ctx.Err() != nil:
		return nil, errors.New("interrupted before the first run")
	case err != nil:
		return nil, err
	}
	bar, runs := &progress{w: p.stderr}, f.repeated.plan()
	if isTerminal(p.stderr) {
		runs.Progress = bar.runs(runs.Runs, len(tape.Inputs))
	}
	report, err := out.plan.Run(ctx, runs, perturb.Choice{Doors: f.choice.doors, Sources: f.choice.parsed}, machine)
	bar.clear()
	switch {
	case ctx.Err() != nil && report.Runs == 0:
		return nil, errors.New("interrupted before the end of the first run")
	case ctx.Err() != nil:
		p.warn("interrupted after %s of %d", transcript.Count(report.Runs, "run"), f.repeated.runs)
		p.status = couldNot
	case err != nil:
		return nil, err
	}
	return report, nil
}
