// Package engine turns packets and the passage of time into events.
package engine

import (
	"net/netip"
	"time"

	"sesame/daemon/packet"
)

// Config bounds an engine. Zero fields mean the defaults.
type Config struct {
	Attempts int    // attempts in progress; default 1,048,576
	Grants   int    // live grants; default 65,536
	Seed     uint64 // of the randomness that scripts see
}

// An Engine holds attempts, grants and what scripts store, and decides.
//
// The methods that return events are its inputs, and there are no others: the
// same inputs in the same order give the same events. Each returns the events
// that it caused in order; the slice is the engine's, valid until the next
// input.
type Engine struct{}

// New returns an engine without doors. Its time begins at start.
func New(cfg Config, start time.Time) *Engine { return &Engine{} }

// Packet takes a decoded packet: timers due at or before p.Time fire first. A
// stamp earlier than the engine's time is clamped to it, and counted.
func (e *Engine) Packet(p *packet.Packet) []Event { return nil }

// Tick fires the timers due at or before now.
func (e *Engine) Tick(now time.Time) []Event { return nil }

// Swap replaces the doors. Attempts whose door changed end as Reloaded misses.
func (e *Engine) Swap(now time.Time, set *Set) []Event { return nil }

// Result says that the effect with this ID was carried out, or why it was not.
func (e *Engine) Result(now time.Time, id uint64, err error) []Event { return nil }

// Grant gives a person's grant.
func (e *Engine) Grant(now time.Time, source netip.Prefix, port packet.Port, ttl time.Duration) []Event {
	return nil
}

// Revoke ends the grants that cover source, on all ports when port is zero.
func (e *Engine) Revoke(now time.Time, source netip.Prefix, port packet.Port) []Event { return nil }

// Restore takes back grants that outlived a restart.
func (e *Engine) Restore(now time.Time, grants []Grant) []Event { return nil }

// Local says which addresses are this host's; nil: every one.
func (e *Engine) Local(now time.Time, addresses []netip.Prefix) []Event { return nil }

// Step says how far the wall clock is from engine time: wall = engine + offset.
func (e *Engine) Step(now time.Time, offset time.Duration) []Event { return nil }

// End says that no packet follows: attempts end at once, as EndOfCapture
// misses, and script timers due after until are dropped. Grants run on: the
// caller goes on with Tick until Next says that nothing is left.
func (e *Engine) End(now, until time.Time) []Event { return nil }

// Shutdown runs the undos that only a daemon can run, and leaves the rest to the kernel.
func (e *Engine) Shutdown(now time.Time) []Event { return nil }

// Next returns when the next timer is due. False: none is.
func (e *Engine) Next() (time.Time, bool) { return time.Time{}, false }

// Counts returns what was counted so far.
func (e *Engine) Counts() Counts { return Counts{} }

// Counts are totals since the engine was made.
type Counts struct {
	Packets  int // given to Packet
	Knocks   int // that a door or a listener took into account
	Opens    int
	Misses   int // first-stage misses included, which no event tells
	Refusals int // those over a limit included, of which one event tells of each run
	Errors   int
	Clamped  int               // stamped earlier than their predecessor
	Dropped  [packet.Drops]int // by this engine: NotLocal, NotWatched, Retransmit
}
