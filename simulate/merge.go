package simulate

import (
	"context"

	"sesame/daemon/packet"
	"sesame/daemon/record"
)

// A frame that is stamped a little earlier than one before it in its capture is put into its place
// among the packets of the other captures. So a capture is read ahead, by the time of a step of its
// clock, and by no more than its share of this, in bytes of memory. Beyond it, a packet is taken as
// simultaneous with the one before it, as in a single capture.
const mostAhead = 64 << 20

// merged replays several captures in the order of their packets' time. At the same time the order
// is that of the captures, then that of the packets in one capture.
func (p *pass) merged(ctx context.Context) {
	for _, c := range p.captures {
		p.readAhead(ctx, c)
	}
	for c := p.captures.earliest(); c != nil; c = p.captures.earliest() {
		h := c.ahead.take()
		p.decode(c, &h.frame, h.at)
		p.readAhead(ctx, c)
	}
	for _, c := range p.captures {
		if c.reader.Frames() > 0 {
			p.replay.reach(c.latest())
		}
	}
}

// readAhead reads a capture until nothing that follows can be earlier than the first held frame.
func (p *pass) readAhead(ctx context.Context, c *capture) {
	for !c.ended && (c.ahead.Len() == 0 || c.ahead.bytes < mostAhead/len(p.captures) && c.latest().Sub(c.ahead.list[0].at) <= record.ClockStep) {
		f, err := c.first, c.failed
		if c.first, c.failed = nil, nil; f == nil && err == nil {
			f, err = p.scan(ctx, c)
		}
		if f != nil {
			err = p.hold(c, f)
		}
		if err != nil {
			p.ended(c, err)
		}
	}
}

// hold counts a frame of one of several captures, and keeps it when it is wanted. The error means
// that the capture ends before the frame.
func (p *pass) hold(c *capture, f *record.Frame) error {
	if p.replay.engine == nil {
		p.start(p.captures[0].began)
	}
	if err := placed(c, f); err != nil {
		return err
	}
	p.packets++
	if !p.wants(f.Link, f.Data) {
		p.dropped[packet.NotWatched]++
		return nil
	}
	c.ahead.add(held{frame: *f, at: c.engineTime(f.Time())})
	return nil
}

// earliest returns the capture with the earliest held frame, nil when all have ended.
func (c captures) earliest() *capture {
	var first *capture
	for _, capture := range c {
		if capture.ahead.Len() > 0 && (first == nil || capture.ahead.list[0].at.Before(first.ahead.list[0].at)) {
			first = capture
		}
	}
	return first
}
