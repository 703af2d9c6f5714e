package simulate

import (
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// A Writer takes the transcript of a replay. [transcript.JSON] and
// [transcript.Text] are two.
type Writer interface {
	Begin(doors []string)
	Events([]engine.Event)
	Flush() error
	Summary(transcript.Summary) error
}

// A replay drives an engine through virtual time, and writes what it decides.
// Every effect succeeds: a bare capture tells nothing else.
type replay struct {
	teller
	engine *engine.Engine
	last   time.Time
	owed   []uint64 // effects whose result is still to be given
}

// begin starts the engine at the time of the first packet.
func (r *replay) begin(start time.Time, set *engine.Set, local []netip.Prefix) {
	r.engine = engine.New(engine.Config{}, start)
	r.last = start
	if local != nil {
		r.take(start, r.engine.Local(start, local))
	}
	r.take(start, r.engine.Swap(start, set))
	if r.account != nil {
		r.account.swap(r.engine.Doors(), engine.Reloaded)
	}
}

// reach notes that the captures go on until at.
func (r *replay) reach(at time.Time) {
	if at.After(r.last) {
		r.last = at
	}
}

// packet gives the engine a packet.
func (r *replay) packet(p *packet.Packet) {
	r.owe(r.teller.packet(r.engine, p))
	r.settle(p.Time)
}

// end lets attempts end with the capture, and grants run to theirs.
func (r *replay) end(until time.Duration) {
	r.input(r.last, r.engine.End(r.last, r.last.Add(until)))
	for next, some := r.engine.Next(); some; next, some = r.engine.Next() {
		r.input(next, r.engine.Tick(next))
	}
}

// input takes what no packet caused.
func (r *replay) input(now time.Time, events []engine.Event) {
	r.owe(events)
	r.tell(events)
	r.settle(now)
}

// take is input for what nobody asks an account of.
func (r *replay) take(now time.Time, events []engine.Event) {
	r.owe(events)
	r.write(events)
	r.settle(now)
}

// owe notes the effects whose result is awaited.
func (r *replay) owe(events []engine.Event) {
	for i := range events {
		if events[i].ID != 0 {
			r.owed = append(r.owed, events[i].ID)
		}
	}
}

// settle reports effects as done, in order. What that causes is written too, and
// its effects are reported as well.
func (r *replay) settle(now time.Time) {
	for i := 0; i < len(r.owed); i++ {
		events := r.engine.Result(now, r.owed[i], nil)
		r.owe(events)
		r.write(events)
	}
	r.owed = r.owed[:0]
}
