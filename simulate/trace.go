package simulate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/filter"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
	"sesame/simulate/trace"
)

// trace makes the trace that somebody asked for.
func (p *pass) trace(ctx context.Context, c Config) error {
	if p.captures.streamed() {
		return errors.New("a trace reads the capture twice, and standard input or a pipe cannot be read again: save it to a file")
	}
	source, err := c.tracedSource(p.sources)
	if err != nil {
		return err
	}
	c.Local = p.given
	return c.traceIt(ctx, source)
}

// traceIt replays the captures again, and reports each packet of one source: also those that no
// door watches, and those that cannot be read as a knock.
func (c Config) traceIt(ctx context.Context, source netip.Addr) error {
	captures, err := c.open()
	if err != nil {
		return err
	}
	defer captures.close()
	t := &tracing{report: c.Trace, source: source}
	c.Account, c.Sources, c.Writer = false, nil, t
	p := newPass(c, captures)
	only := filter.NewSources([]netip.Addr{source}).Through(c.Decap)
	watched := p.wants
	p.wants = func(link packet.LinkType, frame []byte) bool { return watched(link, frame) || only.Match(link, frame) }
	p.seen, p.replay.traced, p.replay.explain = t.begin, t.test, t.judge
	p.read(ctx)
	t.flush()
	p.replay.end(c.Until)
	if t.between.Entries != nil {
		c.Trace(trace.End(p.replay.last, source, t.between.Entries))
	}
	return ctx.Err()
}

// A tracing collects what becomes of the packet at hand. It is the [Writer] of its pass.
type tracing struct {
	report func(*trace.Packet)
	source netip.Addr
	one    *trace.Packet // nil: the packet at hand is of another source
	// between has what happened to the source since its packet before, while others sent some or
	// nobody did. It stands first in the next packet of the source, or in a record of its own.
	between trace.Packet
}

// begin ends the packet before, and begins another one.
func (t *tracing) begin(p *packet.Packet, drop packet.Drop) {
	t.flush()
	if p.Source != t.source {
		return
	}
	if t.one = trace.Begin(p); drop != packet.NotDropped {
		t.one.Dropped = drop.String()
	}
	t.one.Entries, t.between.Entries = t.between.Entries, nil
}

func (t *tracing) flush() {
	if t.one != nil {
		if !slices.ContainsFunc(t.one.Entries, trace.Entry.OfPacket) && t.one.Dropped == "" {
			t.one.Dropped = packet.NotWatched.String()
		}
		t.report(t.one)
		t.one = nil
	}
}

func (t *tracing) test(one *engine.Test) {
	if t.one != nil {
		t.one.Test(one)
	}
}

func (t *tracing) judge(j *engine.Judgment) {
	switch {
	case j.Source != t.source:
	case t.one == nil:
		t.between.Judge(j)
	default:
		t.one.Judge(j)
	}
}

// Events adds what the packet at hand brought about.
func (t *tracing) Events(events []engine.Event) {
	for i := range events {
		if t.one != nil && events[i].Packet == t.one.Number && events[i].Capture == t.one.Capture {
			t.one.Events = append(t.one.Events, events[i])
		}
	}
}

// Begin, Flush and Summary do nothing.
func (t *tracing) Begin(_, _ []string)              {}
func (t *tracing) Flush() error                     { return nil }
func (t *tracing) Summary(transcript.Summary) error { return nil }

// tracedSource returns the source to trace: the one that was chosen, or the only one that sent
// something to a port that a door watches.
func (c Config) tracedSource(sources []netip.Addr) (netip.Addr, error) {
	switch {
	case len(c.Sources) == 1 && c.Sources[0].IsSingleIP():
		return c.Sources[0].Addr(), nil
	case len(c.Sources) > 0:
		return netip.Addr{}, errors.New("a trace is of one address: name it with --source")
	case len(sources) == 0:
		return netip.Addr{}, errors.New("no packet is to a port that a door watches: name with --source whose packets to trace")
	case len(sources) > 1:
		return netip.Addr{}, fmt.Errorf("the trace of which source? Name it with --source: %s and %s knocked", sources[0], sources[1])
	}
	return sources[0], nil
}

// noteSource keeps the first two sources of packets that a door watches.
func (p *pass) noteSource(source netip.Addr) {
	if len(p.sources) < 2 && !slices.Contains(p.sources, source) {
		p.sources = append(p.sources, source)
	}
}
