// Package compare turns two script sets and the same packets into what differs: who no longer gets
// in, who does now, and what else is given.
//
// Both sets are replayed by package simulate, so nothing here judges a packet. An opening of one
// set is found again in the other by its door, its source and its packet.
package compare

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/difference"
	"sesame/simulate"
	"sesame/simulate/account"
)

// A Side is one of the two sets, and what answers its questions.
type Side struct {
	Set   *scripting.Set
	Facts engine.Facts // nil: nothing is known but what a recording tells
	// Writer and Judged get what the replay of the side gives: see [simulate.Config]; nil: nobody.
	Writer simulate.Writer
	Judged func(*engine.Judgment)
}

// A Config describes what to compare. Without Captures and Knocks only the declarations are
// compared.
type Config struct {
	Old, New Side
	Captures []string // paths, which are read twice or more
	Knocks   []byte   // a capture in memory, in place of Captures
	// Recorded is the set that the daemon ran which recorded the captures; nil: they are no
	// recording. It says which knocks of the other sets a recording cannot have.
	Recorded *engine.Set

	Local []netip.Prefix // as [simulate.Config] has it
	Until time.Duration  // the same
	At    time.Time      // the same
	Decap packet.Tunnels // the same
	// Progress is as [simulate.Config] has it. It is called for each side.
	Progress func(name string, read, size int64)

	Me   netip.Addr // whose last opening is told; invalid: nobody's
	Most int        // bounds the openings of each set that are compared; 0: mostOpenings
}

// Run replays the packets through both sets, and compares what came of them. It fails when a
// capture cannot be opened. Captures that cannot be read to their end are told by
// [Report.Replays].
func Run(ctx context.Context, c Config) (*Report, error) {
	c.Most = cmp.Or(c.Most, mostOpenings)
	r := &Report{ // programs get empty lists, not null
		Declarations: append([]difference.Change{}, difference.Of(c.Old.Set, c.New.Set)...),
		Doors:        []Door{}, Lost: []Lost{}, Gained: []Gained{}, Changed: []Changed{}, Refusals: []Refusal{}, Effects: []Effect{},
		renamed: difference.Renamed(c.Old.Set, c.New.Set),
	}
	if len(c.Captures) == 0 && c.Knocks == nil {
		return r, nil
	}
	if c.Recorded != nil {
		r.Unrecorded = unrecorded(c.Recorded, c.New.Set.Engine)
	}
	before := newCollector(c.Old.Set.Engine, c.Most, r.renamed)
	then := newCollector(c.New.Set.Engine, c.Most, nil)
	before.me, then.me = c.Me.Unmap().String(), c.Me.Unmap().String()
	for i, one := range []struct {
		side *Side
		to   *collector
	}{{&c.Old, before}, {&c.New, then}} {
		replay, err := simulate.Run(ctx, c.replay(one.side, one.to))
		if err != nil {
			return nil, err
		}
		if ctx.Err() != nil { // the two sides would end with different packets
			return nil, fmt.Errorf("interrupted: nothing was compared: %w", ctx.Err())
		}
		r.Replays[i] = replay
	}
	m := &comparison{Report: r, doors: doorsByName(c.New.Set.Engine), was: before, is: then, told: map[*said]bool{}}
	m.alone = func(source netip.Addr, door string) *account.Account { return c.alone(ctx, source, door) }
	m.windows(c.Old.Set.Engine, c.New.Set.Engine)
	m.compare()
	if c.Me.IsValid() {
		m.mine(c.Me.Unmap())
	}
	return r, nil
}

// replay returns the configuration of the replay of one side.
func (c *Config) replay(side *Side, to *collector) simulate.Config {
	writers := simulate.Writers{to}
	if side.Writer != nil {
		writers = append(writers, side.Writer)
	}
	return simulate.Config{
		Captures: c.Captures, Knocks: c.Knocks, Set: side.Set.Engine, Facts: side.Facts,
		Local: c.Local, Until: c.Until, At: c.At, Decap: c.Decap, Writer: writers, Account: true, Judged: side.Judged, Progress: c.Progress,
	}
}

// alone replays what one source sent through the new set, as if there were one door.
func (c *Config) alone(ctx context.Context, source netip.Addr, door string) *account.Account {
	replay := c.replay(&c.New, newCollector(c.New.Set.Engine, 0, nil))
	replay.Sources, replay.Doors = []netip.Prefix{netip.PrefixFrom(source, source.BitLen())}, []string{door}
	replay.Writer, replay.Judged = simulate.Writers{}, nil
	report, err := simulate.Run(ctx, replay)
	if err != nil { // the account of before is there
		return nil
	}
	for a := range report.Accounts() {
		return a
	}
	return nil
}

// unrecorded names the doors of a set that a recording of another set says nothing about: it has no
// packet to some knock of theirs, since nobody asked for its port or its flags, or it has only some
// of the packets that a strict door judges.
func unrecorded(recorded, set *engine.Set) (names []string) {
	interest := recorded.Interest()
	has := map[packet.Port]bool{}
	for _, n := range interest.TCP {
		has[packet.Port{Proto: packet.TCP, Number: n}] = true
	}
	for _, n := range interest.UDP {
		has[packet.Port{Proto: packet.UDP, Number: n}] = true
	}
	for _, d := range set.Doors {
		missing := d.Strict && !interest.All
		for k := range d.Knocks() {
			missing = missing || !interest.All && !has[k.Port] || k.Port.Proto == packet.TCP && k.Flags != engine.SYN && !interest.AnyFlags
		}
		if missing {
			names = append(names, d.Name)
		}
	}
	return names
}

func doorsByName(set *engine.Set) map[string]*engine.Door {
	doors := make(map[string]*engine.Door, len(set.Doors))
	for _, d := range set.Doors {
		doors[d.Name] = d
	}
	return doors
}
