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
	replay     replay
}

func newPass(c Config, captures captures) *pass {
	p := &pass{config: c, captures: captures, filter: filter.New(watch(c.Set)), decoder: packet.NewDecoder(), unreadable: map[packet.LinkType]int{}}
	p.replay.out, p.replay.live = c.Writer, captures.streamed()
	if c.Account {
		p.replay.account = newAccount(c.Set)
	}
	return p
}

// read replays all captures.
func (p *pass) read() {
	if len(p.captures) == 1 {
		p.alone(p.captures[0])
	} else {
		p.merged()
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
	r := &Report{Clamped: counts.Clamped, Cut: p.cut, Unreadable: p.unreadable, Incomplete: p.incomplete, account: p.replay.account, local: p.config.Local}
	r.Packets, r.Knocks, r.Opens = p.packets, counts.Knocks, counts.Opens
	r.Misses, r.Refusals, r.Errors = counts.Misses, counts.Refusals, counts.Errors
	for d := range packet.Drops {
		r.Dropped[d] = p.dropped[d] + counts.Dropped[d]
	}
	return r
}
