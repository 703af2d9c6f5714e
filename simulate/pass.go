package simulate

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/filter"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/transcript"
)

// A pass reads all captures once, from the first packet to the last, and replays them.
type pass struct {
	config   Config
	captures captures
	filter   *filter.Filter
	// wants reports whether a frame is looked at: those that the filter lets through, and more when
	// somebody wants to know more. What the filter rejects is counted as not watched in any case.
	wants func(link packet.LinkType, frame []byte) bool
	// seen is called with each packet that is looked at, and with its drop, before the engine gets
	// it; nil: nobody wants to know.
	seen func(*packet.Packet, packet.Drop)
	// before is [SessionConfig.Before].
	before     func(packets, timers int) error
	given      []netip.Prefix // Config.Local before a recording changed it
	decoder    *packet.Decoder
	packet     packet.Packet
	packets    int
	dropped    [packet.Drops]int
	cut        int
	unreadable unreadable
	tunnels    map[string]int // frames in tunnels, by name
	incomplete []error
	steps      steps
	recorded   bool         // the host's addresses are from a recording
	sources    []netip.Addr // the first two that sent something that a door watches; for a trace
	replay     replay
}

// newPass returns a pass over opened captures. It reads nothing yet.
func newPass(c Config, captures captures) *pass {
	p := newUnfiltered(c, captures)
	p.addFilter()
	return p
}

// newUnfiltered returns a pass that can read no frames until [pass.addFilter].
func newUnfiltered(c Config, captures captures) *pass {
	p := &pass{config: c, given: c.Local, captures: captures, unreadable: unreadable{}, tunnels: map[string]int{}}
	p.replay.output = newOutput(c, captures.streamed())
	if c.Account && captures.streamed() {
		p.replay.kept = newKeeper(c.Set)
	}
	p.replay.facts, p.replay.own = newOfflineFacts(c.Facts), single(c.Local)
	return p
}

// addFilter makes the filter and the decoder for frames.
func (p *pass) addFilter() {
	c := &p.config
	p.decoder, p.filter = c.decoder(), filter.New(filter.Interest(c.Set.Interest())).Through(c.Decap)
	p.wants = p.filter.Match
	if c.Account {
		p.wants = alsoGuarded(p.filter, c.Set.Doors, c.Decap)
	}
}

// alsoGuarded returns a test that passes what the filter passes, and what asks for a connection to
// a port that a door guards: SYNs and datagrams. The account tells who was let in and who was not.
func alsoGuarded(watched *filter.Filter, doors []*engine.Door, decap packet.Tunnels) func(packet.LinkType, []byte) bool {
	var ports filter.Interest
	for _, d := range doors {
		for _, g := range d.Guards {
			if g.Proto == packet.UDP {
				ports.UDP = append(ports.UDP, g.Number)
			} else {
				ports.TCP = append(ports.TCP, g.Number)
			}
		}
	}
	guarded := filter.New(ports).Through(decap)
	return func(link packet.LinkType, frame []byte) bool {
		return watched.Match(link, frame) || guarded.Match(link, frame)
	}
}

// single returns the addresses among prefixes, which are taken for this host's own. A given network
// is one behind this host, and hosts in it may knock.
func single(prefixes []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(prefixes), func(p netip.Prefix) bool { return !p.IsSingleIP() })
}

// read replays all captures. When ctx ends, it ends as if the captures ended there.
func (p *pass) read(ctx context.Context) {
	switch {
	case len(p.captures) > 1:
		p.merged(ctx)
	case p.captures[0].reader.Recording():
		p.recording(ctx, p.captures[0])
	default:
		p.single(ctx, p.captures[0])
	}
	// Without a packet there is no time to begin at. The engine must exist all the same.
	if p.packets == 0 {
		p.replay.begin(time.Unix(0, 0), p.config.Set, p.config.Local)
	}
}

// single replays the only capture.
func (p *pass) single(ctx context.Context, c *capture) {
	f, err := c.reader.Next()
	if err == nil {
		p.start(f.Time())
		err = p.frame(c, f)
	}
	for err == nil {
		if f, err = p.scan(ctx, c); f != nil {
			err = p.frame(c, f)
		}
	}
	p.ended(c, err)
	if p.packets > 0 {
		p.replay.reach(c.latest())
	}
}

// start starts the engine at the stamp of the first packet, or at [Config.At]. The engine of a
// [Session] runs already.
func (p *pass) start(stamp time.Time) {
	if at := p.config.At; !at.IsZero() {
		p.captures.move(stamp, at)
		stamp = at
	}
	if p.replay.engine == nil {
		p.replay.begin(stamp, p.config.Set, p.config.Local)
	}
}

// scan counts the frames up to the next one that is wanted, and returns that. It returns nil after
// some time without one, so that the caller can see whether it should go on.
func (p *pass) scan(ctx context.Context, c *capture) (*record.Frame, error) {
	if err := p.pause(ctx, c); err != nil {
		return nil, err
	}
	f, passed, err := c.reader.Scan(progressMask+1-p.packets&progressMask, p.wants)
	p.packets += passed
	p.dropped[packet.NotWatched] += passed
	if p.before != nil && passed > 0 {
		if err := p.before(passed, 0); err != nil {
			return nil, err
		}
	}
	return f, err
}

// admit lets time pass until a packet comes, and asks whether it may. The error means that the
// capture ends before it.
func (p *pass) admit(at time.Time) error {
	if p.before == nil {
		return nil
	}
	if err := p.until(at); err != nil {
		return err
	}
	return p.before(1, 0)
}

// until fires the timers that are due at a time, and asks before each whether it may. Where nobody
// answers, the next packet fires them.
func (p *pass) until(at time.Time) error {
	r := &p.replay
	if p.before == nil || r.engine == nil {
		return nil
	}
	for next, some := r.engine.Next(); some && !next.After(at); next, some = r.engine.Next() {
		if err := p.before(0, 1); err != nil {
			return err
		}
		r.reach(next)
		r.input(next, r.engine.Tick(next))
	}
	return nil
}

// ended notes the error that ended a capture early. io.EOF is its regular end.
func (p *pass) ended(c *capture, err error) {
	if err != io.EOF {
		p.incomplete = append(p.incomplete, err)
	}
	c.ended = true
}

// frame counts a frame of the only capture. When it is wanted, frame decodes it. The error means
// that the capture ends before the frame.
func (p *pass) frame(c *capture, f *record.Frame) error {
	if err := p.steps.follow(c, f); err != nil {
		return err
	}
	at := c.engineTime(f.Time())
	if err := p.admit(at); err != nil {
		return err
	}
	p.packets++
	if f.Back > 0 {
		p.replay.step(at, c.offset-c.shift)
	}
	if p.wants(f.Link, f.Data) {
		p.decode(c, f, at)
	} else {
		p.dropped[packet.NotWatched]++
	}
	return nil
}

// decode gives the packet in a wanted frame to the engine. At is its engine time.
func (p *pass) decode(c *capture, f *record.Frame, at time.Time) {
	watched := p.filter.Match(f.Link, f.Data)
	drop := p.decoder.DecodeReceived(f.Link, f.Data, f.Wire, f.Reception, &p.packet)
	p.packet.Time, p.packet.Number, p.packet.Capture = at, f.Number, c.number
	p.packet.CameBy(c.interfaceNumber(f))
	if f.LinkDigest != 0 {
		p.packet.LinkDigest = f.LinkDigest
	}
	if p.seen != nil {
		p.seen(&p.packet, drop)
	}
	switch {
	case !watched:
		p.dropped[packet.NotWatched]++
		if drop == packet.NotDropped {
			p.replay.engine.Unwatched(&p.packet)
		}
	case drop != packet.NotDropped:
		p.drop(c, drop)
	default:
		if p.packet.Cut {
			p.cut++
		}
		if p.config.Trace != nil {
			p.noteSource(p.packet.Source)
		}
		p.replay.packet(&p.packet)
	}
}

// drop counts a packet that the filter lets through and the decoder drops.
func (p *pass) drop(c *capture, drop packet.Drop) {
	p.dropped[drop]++
	// The others need nothing.
	//exhaustive:ignore
	switch drop {
	case packet.NotIP:
		c.unjudged.frames++
		if p.unreadable.add(p.decoder.Carried()) {
			c.unjudged.hiding++
		}
	case packet.Truncated:
		c.unjudged.frames++
		c.unjudged.cut++
	case packet.OtherProtocol:
		if name := p.decoder.Tunnel(); name != "" {
			c.unjudged.frames++
			c.unjudged.hiding++
			p.tunnels[name]++
		}
	}
}

// progressMask selects the packets after which progress is reported, and after which the pass looks
// whether it should stop: one in 65,536.
const progressMask = 1<<16 - 1

// pause reports progress once for many packets. The error means that the pass should stop.
func (p *pass) pause(ctx context.Context, in *capture) error {
	if p.packets&progressMask != 0 {
		return nil
	}
	p.config.progress(p.packets, in)
	if ctx.Err() != nil {
		return interrupted(in.name, in.reader)
	}
	return nil
}

// interrupted is the error of a capture that was not read to its end because somebody stopped it.
func interrupted(name string, r *record.Reader) error {
	return fmt.Errorf("%s: interrupted after %s: what came later was not read", name, transcript.Count(r.Frames(), "packet"))
}

// progress reports how much of a capture was read, once for many packets.
func (c *Config) progress(packets int, in *capture) {
	if packets&progressMask == 0 && packets > 0 && c.Progress != nil {
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
		Unreadable: p.unreadable, Tunnels: p.tunnels, Incomplete: p.incomplete, Steps: p.steps.told, MoreSteps: p.steps.more,
		account: p.replay.account, split: p.replay.splitKnocks(), local: p.config.Local, recorded: p.recorded, hints: p.replay.facts.hints(), selected: selectedBy(&p.config),
	}
	r.addTimes(p.replay.times)
	for d := range packet.Drops {
		r.Dropped[d] += p.dropped[d]
	}
	for _, c := range p.captures {
		r.add(c)
	}
	r.Summary.Unreadable = p.unreadable.byName()
	return r
}
