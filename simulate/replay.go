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
	Begin()
	Events([]engine.Event)
	Flush() error
	Summary(transcript.Summary) error
}

// A replay drives an engine through virtual time, and writes what it decides.
// Every effect succeeds: a bare capture tells nothing else.
type replay struct {
	engine  *engine.Engine
	out     Writer
	account *account // nil: nobody asked
	live    bool     // somebody may watch: hand lines on at once
	last    time.Time
	owed    []uint64 // effects whose result is still to be given
}

// begin starts the engine at the time of the first packet.
func (r *replay) begin(start time.Time, set *engine.Set, local []netip.Prefix) {
	r.engine = engine.New(engine.Config{}, start)
	r.last = start
	if len(local) > 0 {
		r.take(start, r.engine.Local(start, local))
	}
	r.take(start, r.engine.Swap(start, set))
}

// reach notes that the captures go on until at.
func (r *replay) reach(at time.Time) {
	if at.After(r.last) {
		r.last = at
	}
}

// packet gives the engine a packet.
func (r *replay) packet(p *packet.Packet) {
	if r.account == nil {
		r.take(p.Time, r.engine.Packet(p))
		return
	}
	before := r.engine.Counts()
	events := r.engine.Packet(p)
	after := r.engine.Counts()
	counted := before.Dropped[packet.NotLocal] == after.Dropped[packet.NotLocal] &&
		before.Dropped[packet.Retransmit] == after.Dropped[packet.Retransmit]
	r.account.packet(p, counted, events)
	r.take(p.Time, events)
}

// end lets attempts end with the capture, and grants run to theirs.
func (r *replay) end(until time.Duration) {
	r.settle(r.last, r.engine.End(r.last, r.last.Add(until)))
	for next, some := r.engine.Next(); some; next, some = r.engine.Next() {
		r.settle(next, r.engine.Tick(next))
	}
}

// settle is take for what no packet caused.
func (r *replay) settle(now time.Time, events []engine.Event) {
	if r.account != nil {
		r.account.after(events)
	}
	r.take(now, events)
}

// take writes events and reports their effects as done, in order. What that
// causes is written too, and its effects are reported as well.
func (r *replay) take(now time.Time, events []engine.Event) {
	r.write(events)
	for i := 0; i < len(r.owed); i++ {
		r.write(r.engine.Result(now, r.owed[i], nil))
	}
	r.owed = r.owed[:0]
}

// write writes events before the next input makes them invalid.
func (r *replay) write(events []engine.Event) {
	if len(events) == 0 {
		return
	}
	r.out.Events(events)
	for i := range events {
		if events[i].ID != 0 {
			r.owed = append(r.owed, events[i].ID)
		}
	}
	if r.live {
		r.out.Flush() // its error comes back from Summary
	}
}
