package simulate

import (
	"io"
	"time"

	"sesame/daemon/filter"
	"sesame/daemon/packet"
	"sesame/daemon/record"
)

// A pass is one reading of all captures, first packet to last.
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
	isRecorded bool // the host's addresses are from a recording
	replay     replay
}

func newPass(c Config, captures captures) *pass {
	p := &pass{config: c, captures: captures, filter: filter.New(filter.Interest(c.Set.Interest())), decoder: packet.NewDecoder(), unreadable: map[packet.LinkType]int{}}
	p.replay.teller = newTeller(c, c.Set.Doors, captures.streamed())
	return p
}

// read replays all captures.
func (p *pass) read() {
	switch {
	case len(p.captures) > 1:
		p.merged()
	case p.captures[0].reader.Recording():
		p.recorded(p.captures[0])
	default:
		p.alone(p.captures[0])
	}
	if p.packets == 0 {
		p.replay.begin(time.Unix(0, 0), p.config.Set, p.config.Local)
	}
}

// often is how many packets pass between two signs of progress, less one.
const often = 1<<16 - 1

// alone replays a capture that is the only one. The loop is what a replay
// spends its time in: a packet that nobody watches costs a look at its bytes.
func (p *pass) alone(c *capture) {
	f, err := c.reader.Next()
	if err == nil {
		p.replay.begin(f.Time(), p.config.Set, p.config.Local)
	}
	var last record.Frame
	for ; err == nil; f, err = c.reader.Next() {
		if p.packets == 0 || f.After(&last) {
			last = *f
		}
		if p.packets++; p.packets&often == 0 {
			p.progress(c)
		}
		if p.filter.Match(f.Link, f.Data) {
			p.frame(f, f.Time(), 0)
		} else {
			p.dropped[packet.NotWatched]++
		}
	}
	p.ended(err)
	if p.packets > 0 {
		p.replay.reach(last.Time())
	}
}

// recorded replays a recording of the daemon that is the only capture, like a
// capture of its packets. What they met on the host is taken from it too: the
// addresses, unless others were given, and the clock on the wall.
func (p *pass) recorded(c *capture) {
	var offset time.Duration
	given := p.config.Local != nil
	item, err := c.reader.NextItem()
	for first := true; err == nil; item, err = c.reader.NextItem() {
		f, in := item.Frame, item.Input
		switch {
		case item.Snapshot != nil && first:
			first, offset = false, item.Snapshot.State.Offset
			if p.isRecorded = !given; !given {
				p.config.Local = item.Snapshot.State.Local
			}
		case f != nil:
			if p.packets++; p.packets&often == 0 {
				p.progress(c)
			}
			if p.replay.engine == nil {
				p.replay.begin(f.Time(), p.config.Set, p.config.Local)
				p.replay.take(f.Time(), p.replay.engine.Step(f.Time(), offset))
			}
			p.replay.reach(f.Time())
			if p.filter.Match(f.Link, f.Data) {
				p.frame(f, f.Time(), 0)
			} else {
				p.dropped[packet.NotWatched]++
			}
		case in != nil && in.Kind == record.InputStep:
			if offset = in.Offset; p.replay.engine != nil {
				p.replay.input(in.Time, p.replay.engine.Step(in.Time, offset))
			}
		case in != nil && in.Kind == record.InputLocal && !given:
			if p.config.Local = in.Local; p.replay.engine != nil {
				p.replay.input(in.Time, p.replay.engine.Local(in.Time, in.Local))
			}
		}
	}
	p.ended(err)
}

// merged replays several captures: by time, then by their order, then by the
// packets' numbers.
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
		if p.packets++; p.packets&often == 0 {
			p.progress(c)
		}
		if p.filter.Match(c.frame.Link, c.frame.Data) {
			p.frame(c.frame, c.at, c.number)
		} else {
			p.dropped[packet.NotWatched]++
		}
		p.replay.reach(c.at)
		p.advance(c)
	}
}

// advance reads the next frame of one capture among several.
func (p *pass) advance(c *capture) {
	f, err := c.reader.Next()
	if c.frame = f; err != nil {
		c.frame = nil
		p.ended(err)
		return
	}
	c.at = f.Time()
}

// ended notes why a capture gave no more, unless it was its end.
func (p *pass) ended(err error) {
	if err != io.EOF {
		p.incomplete = append(p.incomplete, err)
	}
}

// frame decodes what the filter let through, and gives it to the engine.
func (p *pass) frame(f *record.Frame, at time.Time, capture int) {
	if drop := p.decoder.Decode(f.Link, f.Data, f.Wire, &p.packet); drop != packet.Kept {
		p.dropped[drop]++
		if drop == packet.NotIP && !f.Link.Supported() {
			p.unreadable[f.Link]++
		}
		return
	}
	if p.packet.Cut {
		p.cut++
	}
	p.packet.Time, p.packet.Number, p.packet.Capture = at, f.Number, capture
	p.replay.packet(&p.packet)
}

func (p *pass) progress(c *capture) {
	if p.config.Progress != nil {
		read, size := c.reader.Progress()
		p.config.Progress(c.name, read, size)
	}
}

func (p *pass) report() *Report {
	counts := p.replay.engine.Counts()
	r := &Report{Clamped: counts.Clamped, Cut: p.cut, Unreadable: p.unreadable, Incomplete: p.incomplete, account: p.replay.account, local: p.config.Local, recorded: p.isRecorded}
	r.Packets, r.Knocks, r.Opens = p.packets, counts.Knocks, counts.Opens
	r.Misses, r.Refusals, r.Errors = counts.Misses, counts.Refusals, counts.Errors
	for d := range packet.Drops {
		r.Dropped[d] = p.dropped[d] + counts.Dropped[d]
	}
	return r
}
