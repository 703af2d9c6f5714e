package engine

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/wire"
)

// This file bounds how much strangers can make functions run with single packets. A sequence of
// several knocks needs no such bound: who sends it knows it.
//
// The unit is the step, which a script counts the same on each machine: see [Call.Spend]. A bound
// by a clock would decide otherwise in a replay.

// stepTime is for how long one step of one door uses the allowance, when no other door shares it.
// So all doors together run at most 5,000,000 steps a second. A step takes 20 to 60 ns on a
// processor of 2024, and the processor may be several times slower, and busy: then it is half of
// one core. A call that reads a short payload takes some 200 steps, so a listener answers more than
// 20,000 packets a second.
const stepTime = 200 * time.Nanosecond

// stepBurst is how many steps a door may run at once, and a script without a knock: those of five
// calls that use all that a call may use. They take some 50 ms.
const stepBurst = 1_000_000

// steps is what the functions of doors have used. It is GCRA, as [limits] is, but with what a call
// has used as its cost, which is known only afterwards. So a call can go into debt, and the next
// one waits.
type steps struct {
	sharing  int // doors that share the allowance evenly, so that none can starve another
	byDoor   map[string]*spending
	scripts  int                  // those that share another such allowance: see scriptsteps.go
	byScript map[string]*spending // by owner
	byMisser map[string]*spending // the same of on_miss
	input    int64                // when the input at hand began
	current  int64                // steps of the call at hand
}

func newSteps() steps {
	return steps{byDoor: make(map[string]*spending), scripts: 1, byScript: make(map[string]*spending), byMisser: make(map[string]*spending)}
}

// mostSteps is how many steps of one call count at most, far above what a script may use. Their
// time, times the number of doors, fits into an int64.
const mostSteps = 1 << 32

type spending struct {
	full    int64 // when the allowance is whole again
	refused int64 // the latest knock that was refused; 0: none was
}

// refusalRow is how long no knock must be refused until the next refusal is reported. At the bound
// a flood is let through in part, so a success ends no row here.
const refusalRow = int64(time.Second)

// over reports whether nothing is left to remember.
func (s *spending) over(now int64) bool { return s.full <= now && now-s.refused >= refusalRow }

// oneKnock reports whether one packet completes the door's sequence, and always the same.
func (d *Door) oneKnock() bool { return d.Listen || d.OneTime == nil && len(d.Sequence) == 1 }

// onePacket reports whether whoever sends one packet makes the functions of the door run.
func (d *Door) onePacket() bool { return d.oneKnock() && (d.Handler != nil || len(d.When) > 0) }

// ByAnyone reports whether a scan of ports completes the door's sequence: one packet does, and it
// needs no bytes in it that one must know. Then strangers set the pace of what the door does.
func (d *Door) ByAnyone() bool {
	return d.oneKnock() && (d.Payload == nil || len(d.Payload.Bytes) == 0)
}

func (s *steps) share(x *index) {
	s.sharing, s.scripts = 0, max(1, len(x.owners))
	for _, d := range x.doors {
		if d.onePacket() {
			s.sharing++
		}
	}
}

// Spend adds to what the function at hand has used, in steps, also when it fails. [Call.Run] does
// it.
func (c *Call) Spend(n int64) {
	if c.engine != nil {
		s := &c.engine.steps
		s.current = min(s.current+min(n, mostSteps), mostSteps)
	}
}

// charge takes what the last call has used from the allowance of its door.
func (s *steps) charge(d *Door, now int64) {
	n := s.current
	s.current = 0
	if n == 0 || d == nil || !d.onePacket() {
		return
	}
	used := s.byDoor[d.Name]
	if used == nil {
		used = &spending{}
		s.byDoor[d.Name] = used
	}
	used.full = wire.Add(max(used.full, now), time.Duration(n*int64(s.sharing))*stepTime)
}

// left reports whether the functions of a door may run now.
func (s *steps) left(d *Door, now int64) bool {
	used := s.byDoor[d.Name]
	return used == nil || used.full <= wire.Add(now, time.Duration(stepBurst*s.sharing)*stepTime)
}

// text describes the bound.
func (s *steps) text() string {
	all := fmt.Sprintf("its functions may run only %d steps a second", time.Second/stepTime/time.Duration(max(s.sharing, 1)))
	if s.sharing > 1 {
		return all + fmt.Sprintf(", the share of one door of %d", s.sharing)
	}
	return all
}

// admitSteps checks that the functions of a door may run. In a row of refused knocks only the first
// is reported. An engine that an older version began has no such bound.
func (e *Engine) admitSteps(d *Door, source netip.Addr) bool {
	if !e.tripwires || e.steps.left(d, e.now) {
		return true
	}
	used := e.steps.byDoor[d.Name]
	e.refuseLimited(d, source, boundSteps, e.steps.text(), e.now-used.refused >= refusalRow)
	used.refused = e.now
	return false
}

// forget drops the doors and scripts that are gone, or that have used nothing lately.
func (s *steps) forget(x *index, now int64) {
	gone := func(owner string, used *spending) bool { return !x.owners[owner] || used.over(now) }
	maps.DeleteFunc(s.byScript, gone)
	maps.DeleteFunc(s.byMisser, gone)
	for name, used := range s.byDoor {
		if d := x.door(name); d == nil || !d.onePacket() || used.over(now) {
			delete(s.byDoor, name)
		}
	}
}

// stepsOf returns what doors or scripts have used.
func stepsOf(by map[string]*spending, now int64) (all []StepsState) {
	for name, used := range by {
		if !used.over(now) {
			all = append(all, StepsState{wire.Text(name), used.full, used.refused})
		}
	}
	return all
}

func (s *steps) resume(x *index, state *State) error {
	for _, was := range slices.Concat(state.ScriptSteps, state.MissSteps) {
		if !x.owners[string(was.Door)] {
			return fmt.Errorf("the script set has no script %q", was.Door)
		}
	}
	for _, was := range state.ScriptSteps {
		s.byScript[string(was.Door)] = &spending{was.Full, was.Refused}
	}
	for _, was := range state.MissSteps {
		s.byMisser[string(was.Door)] = &spending{was.Full, was.Refused}
	}
	for _, was := range state.Steps {
		if d := x.door(string(was.Door)); d == nil || !d.onePacket() {
			return fmt.Errorf("the script set has no door %q that one packet reaches", was.Door)
		}
		s.byDoor[string(was.Door)] = &spending{was.Full, was.Refused}
	}
	return nil
}
