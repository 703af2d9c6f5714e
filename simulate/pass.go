package simulate

import (
	"io"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/filter"
	"sesame/daemon/packet"
	"sesame/daemon/record"
)

// A pass reads all captures once, from the first packet to the last, and replays them.
type pass struct {
	config     Config
	captures   captures
	filter     *filter.Filter
	decoder    *packet.Decoder
	packet     packet.Packet
	packets    int
	dropped    [packet.Drops]int
	cut        int
	unreadable map[packet.LinkType]int
	incomplete []error
	recorded   bool // the host's addresses are from a recording
	replay     replay
}

// newPass returns a pass over opened captures. It reads nothing yet.
func newPass(c Config, captures captures) *pass {
	p := &pass{
		config: c, captures: captures, decoder: packet.NewDecoder(),
		filter: filter.New(filter.Interest(c.Set.Interest())), unreadable: map[packet.LinkType]int{},
	}
	p.replay.output = newOutput(c, c.Set.Doors, captures.streamed())
	p.replay.facts, p.replay.own = newOfflineFacts(c.Facts), single(c.Local)
	return p
}

// single returns the addresses among prefixes, which are taken for this host's own. A given network
// is one behind this host, and hosts in it may knock.
func single(prefixes []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(prefixes), func(p netip.Prefix) bool { return !p.IsSingleIP() })
}

// read replays all captures.
func (p *pass) read() {
	switch {
	case len(p.captures) > 1:
		p.merged()
	case p.captures[0].reader.Recording():
		p.recording(p.captures[0])
	default:
		p.single(p.captures[0])
	}
	// Without a packet there is no time to begin at. The engine must exist all the same.
	if p.packets == 0 {
		p.replay.begin(time.Unix(0, 0), p.config.Set, p.config.Local)
	}
}

// progressMask selects the packets after which progress is reported: one in 65,536.
const progressMask = 1<<16 - 1

// single replays the only capture. Most of the time of a replay is spent in this loop: a packet
// in which no door is interested costs one look at its bytes, and no decoding.
func (p *pass) single(c *capture) {
	f, err := c.reader.Next()
	if err == nil {
		p.replay.begin(f.Time(), p.config.Set, p.config.Local)
	}
	var last record.Frame // the one with the latest time
	for ; err == nil; f, err = c.reader.Next() {
		if p.packets == 0 || f.After(&last) {
			last = *f
		}
		p.frame(c, f)
	}
	p.ended(err)
	// The frame with the latest time need not be the last one.
	if p.packets > 0 {
		p.replay.reach(last.Time())
	}
}

// recording replays the packets of a recording of the daemon through other scripts than its own.
// The steps of the wall clock come from the recording too. So do the host's addresses, unless
// others are given, and facts that nobody else can tell.
func (p *pass) recording(c *capture) {
	var offset time.Duration
	doubt := false
	given := p.config.Local != nil
	item, err := c.reader.NextItem()
	for first := true; err == nil; item, err = c.reader.NextItem() {
		f, in := item.Frame, item.Input
		switch {
		case item.Snapshot != nil && first:
			first, offset, doubt = false, item.Snapshot.State.Offset, item.Snapshot.State.ClockDoubt
			if p.recorded = !given; !given {
				p.config.Local, p.replay.own = item.Snapshot.State.Local, item.Snapshot.State.Own
			}
		case f != nil:
			if p.replay.engine == nil {
				p.replay.begin(f.Time(), p.config.Set, p.config.Local)
				p.replay.prepare(f.Time(), p.replay.engine.Step(f.Time(), offset))
				p.replay.prepare(f.Time(), p.replay.engine.Clock(f.Time(), doubt))
			}
			p.replay.reach(f.Time())
			p.frame(c, f)
		case in != nil && in.Kind == record.InputStep:
			if offset = in.Offset; p.replay.engine != nil {
				p.replay.input(in.Time, p.replay.engine.Step(in.Time, offset))
			}
		case in != nil && in.Kind == record.InputClock:
			if doubt = in.Doubt; p.replay.engine != nil {
				p.replay.input(in.Time, p.replay.engine.Clock(in.Time, doubt))
			}
		case in != nil && in.Kind == record.InputLocal && !given:
			if p.config.Local, p.replay.own = in.Local, in.Own; p.replay.engine != nil {
				p.replay.engine.Own(in.Own)
				p.replay.input(in.Time, p.replay.engine.Local(in.Time, in.Local))
			}
		case in != nil && in.Kind == record.InputFacts:
			p.replay.facts.remember(in.Asked)
		}
	}
	p.ended(err)
}

// merged replays several captures in the order of their packets' time. At the same time the order
// is that of the captures, then that of the packets in one capture.
func (p *pass) merged() {
	for _, c := range p.captures {
		p.advance(c)
	}
	for {
		c := p.captures.earliest()
		if c == nil {
			return
		}
		if p.packets == 0 {
			p.replay.begin(c.at, p.config.Set, p.config.Local)
		}
		p.frame(c, c.frame)
		p.replay.reach(c.at)
		p.advance(c)
	}
}

// advance reads the next frame of one of several captures.
func (p *pass) advance(c *capture) {
	f, err := c.reader.Next()
	if c.frame = f; err != nil {
		c.frame = nil
		p.ended(err)
		return
	}
	c.at = f.Time()
}

// ended notes the error that ended a capture early. io.EOF is its regular end.
func (p *pass) ended(err error) {
	if err != io.EOF {
		p.incomplete = append(p.incomplete, err)
	}
}

// frame counts a frame of a capture. When the filter passes it, frame decodes it and gives the
// packet to the engine.
func (p *pass) frame(c *capture, f *record.Frame) {
	p.packets++
	p.config.progress(p.packets, c)
	if !p.filter.Match(f.Link, f.Data) {
		p.dropped[packet.NotWatched]++
		return
	}
	if drop := p.decoder.DecodeReceived(f.Link, f.Data, f.Wire, f.Reception, &p.packet); drop != packet.NotDropped {
		p.dropped[drop]++
		if drop == packet.NotIP && !f.Link.Supported() {
			p.unreadable[f.Link]++
		}
		return
	}
	if p.packet.Cut {
		p.cut++
	}
	p.packet.Time, p.packet.Number, p.packet.Capture = f.Time(), f.Number, c.number
	p.replay.packet(&p.packet)
}

// progress reports how much of a capture was read, once for many packets.
func (c *Config) progress(packets int, in *capture) {
	if packets&progressMask == 0 && c.Progress != nil {
		read, size := in.reader.Progress()
		c.Progress(in.name, read, size)
	}
}

// report returns the totals. Packets that the pass dropped never reached the engine, so the drops
// of both are added.
func (p *pass) report() *Report {
	counts := p.replay.engine.Counts()
	r := &Report{
		Summary: summary(p.packets, counts, engine.Counts{}), Clamped: counts.Clamped, Cut: p.cut,
		Unreadable: p.unreadable, Incomplete: p.incomplete,
		account: p.replay.account, split: p.replay.splitKnocks(), local: p.config.Local, recorded: p.recorded, hints: p.replay.facts.hints(),
	}
	for d := range packet.Drops {
		r.Dropped[d] += p.dropped[d]
	}
	return r
}
