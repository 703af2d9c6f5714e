package daemon

import (
	"context"
	"fmt"
	"strings"

	"sesame/daemon/control"
	"sesame/daemon/packet"
	"sesame/daemon/state"
	"sesame/scripting"
	"sesame/scripting/difference"
	"sesame/scripting/lint"
	"sesame/scripting/source"
)

// judge loads files and decides between applied and held. An error means rejected, or held when it
// is a [*heldError].
func (r *reloader) judge(ctx context.Context, now current, files *source.Files, asked wish, o *outcome) error {
	if err := r.vet(files, nil); err != nil {
		return err
	}
	set, err := r.load(files, r.values)
	if err != nil {
		return err
	}
	if err := r.vet(files, set); err != nil {
		set.Close()
		return err
	}
	if o.tests, err = r.test(ctx, files, asked); err != nil {
		set.Close()
		return err
	}
	if err := r.refusal(set); err != nil {
		set.Close()
		return err
	}
	if !now.lastGood && sameFiles(now.set, set) {
		set.Close()
		return r.adopt(ctx, files, asked, o)
	}
	if o.held = heldPorts(now.set, set, asked.unguard); len(o.held) > 0 {
		set.Close()
		o.kind, o.text = control.Held, heldMessage(o.held)
		return nil
	}
	if r.trialEnded() { // the set before the trial comes first
		set.Close()
		return errTrialOver
	}
	return r.apply(ctx, now, set, files, asked, o)
}

// apply puts a set in force that nothing speaks against, for good or on trial.
func (r *reloader) apply(ctx context.Context, now current, set *scripting.Set, files *source.Files, asked wish, o *outcome) (err error) {
	defer func() {
		if err != nil {
			set.Close()
		}
	}()
	var held *state.Held // once it is in force for good
	if asked.from != "" {
		if held, err = r.elsewhere(ctx, now, set, asked.from); err != nil {
			return err
		}
	}
	changes := difference.Of(now.set, set) // the exchange closes the earlier set
	x, sets := exchange{set: set, files: files, values: r.values}, []*scripting.Set{now.set}
	var next *trial
	if asked.trial > 0 {
		if next, err = r.newTrial(ctx, now, set, asked, changes); err != nil {
			return err
		}
		next.after, next.tests = held, o.tests
		x.proof, x.keepOld = next.proof, r.trial == nil
		sets = append(sets, next.before.set)
	}
	r.prepareFacts(ctx, append([]*scripting.Set{set}, sets...)...)
	if err := r.exchange(ctx, now, x); err != nil {
		if r.prepareFacts(ctx, sets...); next != nil {
			r.keepRunning(ctx) // as it was saved before
		}
		return err
	}
	r.generation++
	o.kind, o.generation = control.Applied, r.generation
	o.doors, o.was = len(set.Engine.Doors), len(now.set.Engine.Doors)
	o.changes = changes
	o.unread = r.unread(ctx)
	r.from = asked.from
	r.tellHelper(files, next != nil)
	if next != nil {
		o.trial = next.copyTold()
		r.beginTrial(ctx, next)
		r.applied(set, r.generation)
		return nil
	}
	r.held = held
	r.prepareFacts(ctx, set)
	r.applied(set, r.generation)
	r.keep(inForce{set: set, files: files, values: r.values, from: r.from})
	return nil
}

// heldPorts returns the ports that set would leave without an enforcing guard or without a
// door that opens them, unless a person released them. Ports for which that was so before do
// not count.
func heldPorts(running, set *scripting.Set, released []packet.Port) []packet.Port {
	lost := subtract(requiredGuards(running.Engine).Drop, requiredGuards(set.Engine).Drop)
	stuck := subtract(lint.NoWays(set), lint.NoWays(running))
	return subtract(union(lost, stuck), released)
}

func heldMessage(ports []packet.Port) string {
	names := portTexts(ports)
	return fmt.Sprintf("the scripts would leave %s without a guard or without a door that opens it, so the old ones stay; if that is meant: sesame reload --unguard %s",
		strings.Join(names, ", "), strings.Join(names, " --unguard "))
}
