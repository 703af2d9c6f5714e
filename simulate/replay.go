package simulate

import (
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// A Writer writes the transcript of a replay. [transcript.JSON] and [transcript.Text] are Writers.
type Writer interface {
	Begin(doors, captures []string)
	Events([]engine.Event)
	Flush() error
	Summary(transcript.Summary) error
}

// A replay drives an engine through virtual time and reports its decisions. Every effect ends at
// once, and succeeds where nobody says otherwise: a plain capture has no results of effects.
type replay struct {
	output
	engine  *engine.Engine
	own     []netip.Prefix // this host's own addresses: see [engine.Engine.Own]
	facts   *offlineFacts
	last    time.Time
	explain func(*engine.Judgment) // gets the judgments, in place of the account; nil: nobody
	traced  func(*engine.Test)     // gets the tests of packets; nil: nobody asked
	began   time.Time
	offset  time.Duration             // how far the wall clock is ahead of engine time
	pending []outcome                 // of effects whose result the engine awaits
	outcome func(*engine.Event) error // of an effect; nil: each succeeds
	tape    *Tape                     // gets the inputs, and the engine no packets; nil: there is none
}

// An outcome is how an effect ended.
type outcome struct {
	id  uint64
	err error // nil: it succeeded
}

// begin starts the engine at the time of the first packet.
func (r *replay) begin(start time.Time, set *engine.Set, local []netip.Prefix) {
	r.engine = engine.New(engine.Config{}, start)
	r.engine.SetFacts(r.facts)
	r.explained(r.engine)
	if r.explain != nil {
		r.engine.Explain(r.explain)
	}
	r.engine.Trace(r.traced)
	r.last, r.began = start, start
	if local != nil {
		r.engine.Own(r.own)
		r.prepare(start, r.engine.Local(start, local))
	}
	r.prepare(start, r.engine.Swap(start, set))
	r.lookAt(r.engine.Doors())
}

// step makes the wall clock be offset ahead of engine time, from now on.
func (r *replay) step(now time.Time, offset time.Duration) {
	if offset != r.offset {
		r.tell(now, func(r *replay, at time.Time) {
			r.offset = offset
			r.input(at, r.engine.Step(at, offset))
		})
	}
}

// reach notes that the captures continue until at.
func (r *replay) reach(at time.Time) {
	if at.After(r.last) {
		r.last = at
	}
}

// packet gives a packet to the engine.
func (r *replay) packet(p *packet.Packet) {
	if r.tape != nil {
		r.tape.add(p)
		return
	}
	r.await(r.output.packet(r.engine, p))
	r.finish(p.Time)
}

// end ends the attempts with the capture, and runs time on until the last grant has ended. Timers
// of scripts fire until that long after the last packet.
func (r *replay) end(until time.Duration) {
	r.input(r.last, r.engine.End(r.last, r.last.Add(until)))
	for next, some := r.engine.Next(); some; next, some = r.engine.Next() {
		r.input(next, r.engine.Tick(next))
	}
}

// input handles the events of an input that is no packet.
func (r *replay) input(now time.Time, events []engine.Event) {
	r.await(events)
	r.report(events)
	r.finish(now)
}

// prepare is input for the time before the first packet. The account leaves it out.
func (r *replay) prepare(now time.Time, events []engine.Event) {
	r.await(events)
	r.write(events)
	r.finish(now)
}

// await notes the effects whose result the engine awaits.
func (r *replay) await(events []engine.Event) {
	for i := range events {
		if events[i].ID == 0 {
			continue
		}
		one := outcome{id: events[i].ID}
		if r.outcome != nil {
			one.err = r.outcome(&events[i])
		}
		r.pending = append(r.pending, one)
	}
}

// finish gives the engine the result of each pending effect, in order. A result may cause further
// events. They are written, and their effects finish too.
func (r *replay) finish(now time.Time) {
	for i := 0; i < len(r.pending); i++ {
		events := r.engine.Result(now, r.pending[i].id, r.pending[i].err)
		r.await(events)
		r.write(events)
	}
	r.pending = r.pending[:0]
}
