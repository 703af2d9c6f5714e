package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"sesame/scripting"
	"sesame/scripting/lint"
	"sesame/simulate"
	"sesame/simulate/attack"
)

func (p *program) attackCommand() *cobra.Command {
	f := &attackFlags{}
	c := &cobra.Command{
		Use:   "attack [flags] [CAPTURE...]",
		Short: "Scan the doors of the scripts, and replay knocks at them: what opens that should not?",
		Long: `Attack runs scans through the scripts and the same engine that guards a machine, and
prints which doors they open, and how often. Nothing is sent and nothing is opened.

A scan is one packet to each port, of TCP, UDP and both, from low to high, from high
to low and in random order, once and as often as the longest sequence has knocks.
One source sends all of it. Nothing is known of it unless --fact or --geo says so.
Ports in a random order are a permutation that --seed decides: run 1 has this seed,
run 2 the next one. So --runs 1 with the seed of an opening repeats that scan, and
--write writes the first that opened a door as a capture for sesame simulate. Beside
what was counted stands what sesame check --guess computes for the same scan.

With a CAPTURE, or with --knock, the knocks that open doors in it are sent again: the
same bytes a second, an hour and a day later, made anew a second later, from another
address, in reverse order, without the last one and without the first one. What opens when the same knock comes once more
is by design: whoever sees a static sequence can send it. It counts as an unwanted
opening when the door has one-time sequences, or with --count-replays.

Conditions and limits count: what they refuse is no opening. A scan at a low --rate
takes longer than the time of most doors.

The exit status is 0 when there were no more unwanted openings than --max-opens, 1
when there were more, and 2 when the scripts do not load, when a capture cannot be
read or opens nothing, or when the attack was interrupted.`,
		Example: `  sesame attack -s scripts
  sesame attack -s scripts/ssh.lua --order random --ports worst --runs 100000
  sesame attack -s scripts --rate 10/s --order up --times 3
  sesame attack -s scripts pcaps/ssh-opens.pcap
  sesame attack -s scripts --knock "203.0.113.9 ssh" --count-replays`,
		RunE: func(c *cobra.Command, captures []string) error { return p.attack(c, f, captures) },
	}
	f.add(c)
	return c
}

// attack runs all attacks and prints what they did.
func (p *program) attack(c *cobra.Command, f *attackFlags, captures []string) error {
	if err := f.check(c, captures); err != nil {
		return err
	}
	ctx, read, forget := p.interruptible(c.Context(), captures)
	defer forget()
	a, scripts, err := p.loadAttacked(c, f)
	if err != nil {
		return err
	}
	defer a.close()
	if err := f.checkDoors(c, a.set); err != nil {
		return err
	}
	report := newAttackReport(f, a)
	if len(captures) > 0 || len(f.repeated.typed.lines) > 0 {
		config, err := scripts.simulation(c, &f.repeated, captures)
		if err != nil {
			return err
		}
		if report.Replays, err = a.replay(ctx, f, config); err != nil {
			return err
		}
	}
	read()
	err = a.scan(ctx, f, report)
	if ctx.Err() != nil {
		p.warn("interrupted: what came later is missing")
		p.status, err = couldNot, nil
	}
	if err != nil {
		return err
	}
	report.sum(f)
	if p.status == done && report.Opens > f.maxOpens {
		p.status = answerNo
	}
	if err := f.writeFirst(p, a, report); err != nil {
		return err
	}
	if f.format == "json" {
		return p.writeJSON(report)
	}
	return p.print("%s", report.text(f))
}

// An attacked is a script set that is attacked, and what is needed to attack it.
type attacked struct {
	set     *scripting.Set
	target  attack.Target
	targets *attack.Targets
	closers []func()
}

func (a *attacked) close() {
	a.set.Close()
	for _, one := range a.closers {
		one()
	}
}

// loadAttacked loads the scripts. Each worker gets a set of its own.
func (p *program) loadAttacked(c *cobra.Command, f *attackFlags) (*attacked, *repeated, error) {
	scripts, err := p.loadRepeated(c, &f.repeated)
	if err != nil {
		return nil, nil, err
	}
	a := &attacked{set: scripts.set, target: f.target(scripts.facts, scripts.local)}
	a.target.Set = a.set.Engine
	if err := f.checkDest(c, &a.target); err != nil {
		a.close()
		return nil, nil, err
	}
	a.targets = &attack.Targets{Load: func() (attack.Target, error) {
		set, closes, err := scripts.machine()
		if err != nil {
			return attack.Target{}, err
		}
		a.closers = append(a.closers, closes)
		target := a.target
		target.Set = set
		return target, nil
	}}
	return a, scripts, nil
}

// scan runs all scans, and adds them to a report. When ctx ends, those that were run stay.
func (a *attacked) scan(ctx context.Context, f *attackFlags, report *attackReport) error {
	guess := lint.GuessOf(a.set)
	for _, s := range f.scans(a.set) {
		series, err := a.targets.Run(ctx, s, f.repeated.plan())
		if series.Runs > 0 {
			report.Scans = append(report.Scans, newScanReport(series, f, a.set.Engine.Doors, guess))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// replay sends the knocks of captures again.
func (a *attacked) replay(ctx context.Context, f *attackFlags, config simulate.Config) ([]replayReport, error) {
	found, err := simulate.Matter(ctx, config)
	if err != nil {
		return nil, err
	}
	target := a.target.Knowing(found)
	openings := attack.Openings(target, found.Packets)
	openings = slices.DeleteFunc(openings, func(o attack.Opening) bool { return !f.wants(o.Door) })
	if len(openings) == 0 {
		return nil, errors.New("nothing opened a door, so there is no knock to send again: sesame simulate says why")
	}
	var all []replayReport
	for i := range openings {
		for _, r := range attack.Replays(&openings[i], target.Source) {
			all = append(all, newReplayReport(&r, target, f))
		}
	}
	return all, nil
}
