package daemon

import (
	"context"
	"slices"
	"strings"
	"time"

	"sesame/daemon/config"
	"sesame/daemon/control"
	"sesame/daemon/effect"
	"sesame/daemon/effect/firewall"
	"sesame/daemon/effect/listing"
	"sesame/daemon/packet"
	"sesame/scripting"
)

// A monitoredFirewall is a table of our own, or sets in a table of the user. Its Watch reports
// changes that other programs make.
type monitoredFirewall interface {
	effect.Firewall
	Monitor(ctx context.Context, changed func()) error
	Close() error
}

// openFirewall returns the configured firewall. It changes nothing in the kernel.
func openFirewall(c config.Config, clock clock, text func(context.Context, listing.Rule) (string, error)) (monitoredFirewall, error) {
	if c.Firewall.Mode == "set" {
		return firewall.NewSets(firewall.SetConfig{
			Family: c.Firewall.Family, Table: c.Firewall.Table, Set4: c.Firewall.Set4, Set6: c.Firewall.Set6, Now: clock.now,
		})
	}
	return firewall.NewGuard(firewall.GuardConfig{
		Mark: c.Firewall.Mark, Trusted: c.Trusted, TrustedInterfaces: c.TrustedInterfaces, Answer: firewall.Answer(c.Firewall.Answer), Daemon: true, Text: text,
	}), nil
}

// warnOfCut logs a warning when doors of a set end sessions with their grants, which set mode
// cannot do: rules of the user decide there what an open connection may do.
func (d *daemon) warnOfCut(set *scripting.Set) {
	var doors []string
	for _, door := range set.Engine.Doors {
		if door.Cut && d.config.Firewall.Mode == "set" {
			doors = append(doors, door.Name)
		}
	}
	if len(doors) > 0 {
		d.config.Log.Warn("cut = true has no effect on TCP in set mode", "doors", strings.Join(doors, ", "))
	}
}

// newlyOpen returns the ports that the kernel guards since an earlier run and that the running set
// does not: with --observe, or since the scripts have changed in the meantime.
func (d *daemon) newlyOpen() []packet.Port {
	guard, ours := d.firewall.(*firewall.Guard)
	if !ours {
		return nil
	}
	before, there, err := guard.Show()
	if err != nil || !there {
		return nil // the install reports what is wrong
	}
	return subtract(before.Guards.Drop, d.loop.guards.Drop)
}

// A firewallState is what the status reports about the firewall. The loop owns it.
type firewallState struct {
	err       error // why the last repair failed; nil: it did not
	repairs   int
	repaired  time.Time
	conflicts []control.Conflict
}

// reconcile repairs the firewall when another program changed it or an effect found it
// missing, and then looks for chains that drop granted packets. A failed repair is tried again
// after a second.
//
// It runs a second goroutine that receives the kernel's nftables events. When that fails it
// starts again, since without events a missing guard would not be noticed. Both end with
// ctx.
func (d *daemon) reconcile(ctx context.Context) error {
	changes := make(chan struct{}, 1) // one event that is not handled yet stands for all
	go func() {
		for ctx.Err() == nil {
			err := d.firewall.Monitor(ctx, func() {
				d.troubles.set(firewallUnwatched, nil)
				select {
				case changes <- struct{}{}:
				default:
				}
			})
			if ctx.Err() == nil {
				if d.troubles.set(firewallUnwatched, err) {
					d.config.Log.Warn("the firewall is not watched; that is tried again each second", "error", err)
				}
				select {
				case <-after(time.Second):
				case <-ctx.Done():
				}
			}
		}
	}()
	var again <-chan time.Time // nil: no repair failed
	for {
		select {
		case <-changes:
		case <-d.loop.runner.Repair():
		case <-d.repairs:
		case <-again:
		case <-ctx.Done():
			return nil
		}
		if again = nil; !d.repair(ctx) {
			again = after(time.Second)
		}
		d.findConflicts(ctx)
	}
}

// requestReconcile requests a repair when the firewall may differ from what the doors need. It
// never waits: a request that is not handled yet stands for all.
func (d *daemon) requestReconcile() {
	select {
	case d.repairs <- struct{}{}:
	default:
	}
}

// repair installs what the firewall must hold, in order with the effects before it, and
// reports whether that succeeded. Usually the kernel holds it already.
func (d *daemon) repair(ctx context.Context) bool {
	before := d.foundChanged()
	var done <-chan error
	if !d.loop.do(ctx, func() { done = d.loop.install() }) {
		return true
	}
	select {
	case err := <-done:
		d.loop.do(ctx, func() { d.noteRepair(err, d.foundChanged() != before) })
		return err == nil
	case <-ctx.Done():
		return true
	}
}

// foundChanged returns how often our table was found changed by another program.
func (d *daemon) foundChanged() uint64 {
	if guard, ours := d.firewall.(*firewall.Guard); ours {
		return guard.Repairs()
	}
	return 0
}

func (d *daemon) noteRepair(err error, repaired bool) {
	switch {
	case err != nil && d.firewallState.err == nil:
		d.config.Log.Error("the firewall cannot be repaired: ports may be open to everyone", "error", err)
	case err == nil && (repaired || d.firewallState.err != nil):
		d.firewallState.repairs++
		d.firewallState.repaired = d.loop.clock.now()
		d.config.Log.Warn("the firewall was changed by somebody else, and is repaired")
	}
	d.firewallState.err = err
}

// findConflicts looks for chains of other programs that drop granted packets. It logs each
// once, with the rule to add.
func (d *daemon) findConflicts(ctx context.Context) {
	guard, ours := d.firewall.(*firewall.Guard)
	if !ours {
		return
	}
	found, err := guard.Conflicts()
	if err == nil {
		err = d.recheck(guard)
	}
	if d.troubles.set(firewallUnseen, err) {
		d.config.Log.Warn("other chains cannot be looked at", "error", err)
	}
	if err != nil {
		return
	}
	var conflicts []control.Conflict
	for _, o := range found {
		conflicts = append(conflicts, control.Conflict{Table: o.Table, Chain: o.Chain, Lines: o.Lines()})
	}
	var before []control.Conflict
	d.loop.do(ctx, func() { before, d.firewallState.conflicts = d.firewallState.conflicts, conflicts })
	for _, o := range conflicts {
		known := slices.ContainsFunc(before, func(b control.Conflict) bool { return b.Table == o.Table && b.Chain == o.Chain })
		if !known {
			d.config.Log.Info("another chain drops by default, and has no rule for granted packets", "table", o.Table, "chain", o.Chain,
				"add_if_ports_stay_shut", strings.Join(o.Lines, " ; "))
		}
	}
}
