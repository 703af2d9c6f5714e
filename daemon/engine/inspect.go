package engine

import (
	"net/netip"
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// This file holds the queries of an engine between two inputs. Nothing here changes it.

// An Element is what the kernel's set must hold for a source and a port.
type Element struct {
	Source netip.Prefix
	Port   packet.Port
	Until  time.Time // when it must end, in engine time
	// Grant and Door are those of the grant that lasts longest among those that share the
	// element; of the oldest, when several end together.
	Grant uint64
	Door  string
	// Observed means that the access is only decided. The element lets nobody in. But its
	// source is not counted among those that a guard would have stopped.
	Observed bool
}

// Now returns the engine's time: that of the latest input.
func (e *Engine) Now() time.Time { return wire.Time(e.now) }

// Ours reports whether an address is one of this host's.
func (e *Engine) Ours(a netip.Addr) bool { return e.hasLocal(a) }

// maxOverdue bounds the attempts that [Engine.Overdue] looks at. It takes some milliseconds then.
const maxOverdue = 100_000

// Overdue returns how many first-stage attempts are over at a time, which is not before the latest
// input, and are not in [Counts] yet. Such an attempt stays in the table until a later knock takes
// its room, and becomes a miss then. Only those among the 100,000 oldest attempts are found. So
// after a flood the number may be too low.
func (e *Engine) Overdue(now time.Time) int {
	over := 0
	e.eachOverdue(wire.Nanoseconds(now), func(*door) { over++ })
	return over
}

// eachOverdue calls found with the door of each attempt of [Engine.Overdue], nil for one whose door
// is gone.
func (e *Engine) eachOverdue(at int64, found func(*door)) {
	slot := e.attempts.oldest
	for n := 0; slot != 0 && n < maxOverdue; n++ {
		a := e.attempts.slots.at(slot)
		if d := e.index.byID[a.door]; d == nil || at >= wire.Add(a.first, d.firstStageLimit) {
			found(d)
		}
		slot = a.newer
	}
}

// Attempts returns how many attempts are in progress at a time, without those of [Engine.Overdue].
func (e *Engine) Attempts(now time.Time) int { return e.attempts.used - e.Overdue(now) }

// Holders returns how many live grants give the same as g: a run of a shared command is held by all
// of them.
func (e *Engine) Holders(g *Grant) int { return e.grants.byKey.count(keyOf(g)) }

// Unanswered returns how many effects await their [Engine.Result].
func (e *Engine) Unanswered() int { return e.batches.pending() }

// Doors returns the doors as they are now. A door with one-time sequences has the first that is
// unused.
func (e *Engine) Doors() []*Door {
	doors := make([]*Door, len(e.index.doors))
	for i, d := range e.index.doors {
		doors[i] = d.Door
	}
	return doors
}

// Grants returns the live grants, in the order of their ids. Their slices are the engine's, and
// must not be changed.
func (e *Engine) Grants() []Grant {
	live := make([]Grant, 0, e.grants.count())
	for _, g := range e.grants.all() {
		live = append(live, g.Grant)
	}
	return live
}

// Failure returns why the command of a live grant failed, which stands all the same (see
// [Exec.AnyStatus]); nil: it did not, it has not ended, or it ran before a restart.
func (e *Engine) Failure(g *Grant) *CommandError { return e.grants.failures[keyOf(g)] }

// Elements returns all elements that the kernel must hold now. It must hold no others. They are
// ordered by the oldest grant that each is for, and no network among them lies in another.
func (e *Engine) Elements() []Element {
	var all []Element
	position := make(map[grantKey]int)
	for _, g := range e.grants.all() {
		if g.Argv != nil {
			continue
		}
		i, known := position[g.key]
		if !known {
			until := e.elementEnd(g.key)
			if until.IsZero() {
				continue
			}
			i = len(all)
			position[g.key] = i
			all = append(all, Element{Source: g.Source, Port: g.Port, Until: until, Observed: g.Observed})
		}
		if el := &all[i]; el.Grant == 0 && g.End.Equal(el.Until) {
			el.Grant, el.Door = g.ID, g.Door
		}
	}
	return all
}

// HasPendingUndo reports whether an undo must still run, or runs now.
func (e *Engine) HasPendingUndo() bool { return len(e.PendingUndos()) > 0 }

// PendingUndos returns the undos that must still run, or run now, each as often as it runs: grants
// that share a command share its undo. Nobody changes the slices.
func (e *Engine) PendingUndos() (all [][]string) {
	seen := map[grantKey]bool{}
	for _, g := range e.grants.all() {
		if g.Undo != nil && !g.Observed && !seen[g.key] {
			seen[g.key] = true
			all = append(all, g.Undo)
		}
	}
	for _, p := range e.batches.byID {
		if event := &p.batch.entries[p.index].event; event.Effect == EffectUndo {
			all = append(all, event.Argv)
		}
	}
	return all
}
