package simulate

import (
	"context"
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/record"
)

// recording replays the packets of a recording of the daemon through other scripts than its own.
// The steps of the wall clock come from the recording too. So do the host's addresses, unless
// others are given, and facts that nobody else can tell.
func (p *pass) recording(ctx context.Context, c *capture) {
	r := recorded{pass: p, capture: c, given: p.config.Local != nil}
	item, err := c.reader.NextItem()
	for ; err == nil; item, err = c.reader.NextItem() {
		switch {
		case item.Snapshot != nil:
			r.snapshot(item.Snapshot.State)
		case item.Input != nil:
			if err := p.until(r.now(c.engineTime(item.Input.Time))); err != nil {
				p.ended(c, err)
				return
			}
			r.input(item.Input)
		default:
			err := r.frame(item.Frame)
			if err == nil {
				err = p.pause(ctx, c)
			}
			if err != nil {
				p.ended(c, err)
				return
			}
		}
	}
	p.ended(c, err)
}

// A recorded is what a recording of the daemon tells beside its packets. Before the first packet
// there is no engine, and it is kept until then.
type recorded struct {
	pass    *pass
	capture *capture
	given   bool // addresses of the host were given: the recorded ones do not count
	began   bool // with a snapshot
	started bool // a packet came
	doubt   bool // the wall clock may be wrong
}

// snapshot takes over the state of the daemon when the recording began. Later snapshots repeat what
// inputs have told. The first need not be the first item, when the recording was merged with other
// captures.
func (r *recorded) snapshot(s *engine.State) {
	if r.began {
		return
	}
	r.began = true
	now := r.now(r.capture.latest())
	r.wall(now, s.Offset)
	r.clock(now, s.ClockDoubt)
	if r.pass.recorded = !r.given; !r.given {
		r.local(now, s.Local, s.Own)
	}
}

// input takes over an input that does not depend on the scripts.
func (r *recorded) input(in *record.Input) {
	now := r.now(r.capture.engineTime(in.Time))
	switch {
	case in.Kind == record.InputStep:
		r.wall(now, in.Offset)
	case in.Kind == record.InputClock:
		r.clock(now, in.Doubt)
	case in.Kind == record.InputLocal && !r.given:
		r.local(now, in.Local, in.Own)
	case in.Kind == record.InputFacts:
		r.pass.replay.tell(now, func(to *replay, _ time.Time) { to.facts.remember(in.Asked) })
	}
}

// now returns a time of the recording, or that of an engine that is ahead of it. Before its first
// packet a recording has no time.
func (r *recorded) now(at time.Time) time.Time {
	if last := r.pass.replay.last; last.After(at) {
		return last
	}
	return at
}

func (r *recorded) frame(f *record.Frame) error {
	decided := &r.pass.replay
	running := decided.engine != nil
	if !r.started {
		r.started = true
		r.pass.start(f.Time())
	}
	if !running {
		r.prepare()
	}
	if err := r.pass.frame(r.capture, f); err != nil {
		return err
	}
	decided.reach(r.capture.latest())
	return nil
}

// prepare tells a new engine what the snapshot told.
func (r *recorded) prepare() {
	offset, doubt, local, own := r.capture.offset, r.doubt, r.pass.config.Local, r.pass.replay.own
	r.pass.replay.tell(r.pass.replay.last, func(to *replay, at time.Time) {
		to.prepare(at, to.engine.Step(at, offset))
		to.prepare(at, to.engine.Clock(at, doubt))
		if to.offset = offset; local != nil {
			to.engine.Own(own)
			to.prepare(at, to.engine.Local(at, local))
		}
	})
}

// wall sets how far the wall clock was ahead of the stamps.
func (r *recorded) wall(now time.Time, offset time.Duration) {
	r.capture.offset = offset
	if r.pass.replay.engine != nil {
		r.pass.replay.step(now, offset-r.capture.shift)
	}
}

func (r *recorded) clock(now time.Time, doubt bool) {
	r.doubt = doubt
	if r.pass.replay.engine != nil {
		r.pass.replay.tell(now, func(to *replay, at time.Time) { to.input(at, to.engine.Clock(at, doubt)) })
	}
}

func (r *recorded) local(now time.Time, local, own []netip.Prefix) {
	r.pass.config.Local, r.pass.replay.own = local, own
	if r.pass.replay.engine != nil {
		r.pass.replay.tell(now, func(to *replay, at time.Time) {
			to.engine.Own(own)
			to.input(at, to.engine.Local(at, local))
		})
	}
}
