package simulate

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// Mattered is what of captures had a part in what happened: all else could be left out.
type Mattered struct {
	Packets []packet.Packet // in the order of their times; their payloads are their own
	Facts   []engine.Asked  // that scripts asked, each once, in the order in which they did
	// Local are the addresses of the host: those that were given, else those of a recording; nil:
	// every destination counted.
	Local []netip.Prefix
}

// MostMattered bounds the packets of a [Mattered].
const MostMattered = 10_000

// Matter replays captures through a Set, and returns what had a part in what happened. Of the
// Config it uses Captures, Recording or Knocks, Set, Local, Decap, Facts, At, Sources and Doors.
// The error means that a capture cannot be read to its end, or that more than [MostMattered]
// packets matter.
func Matter(ctx context.Context, c Config) (*Mattered, error) {
	captures, err := c.open()
	if err != nil {
		return nil, err
	}
	defer captures.close()
	only := selection{sources: c.Sources, doors: c.Doors}
	c.Account, c.Sources, c.Doors, c.Writer = false, nil, nil, &firstOpening{}
	p, found := newPass(c, captures), &Mattered{}
	p.replay.facts.noted = map[engine.Question]bool{}
	p.replay.facts.note = func(one engine.Asked) { found.Facts = append(found.Facts, one) }
	more := 0
	p.replay.explain = func(j *engine.Judgment) {
		if !mattered(j) || !only.judged(j) {
			return
		}
		latest := len(found.Packets) - 1
		switch {
		case latest >= 0 && found.Packets[latest].Number == j.Packet && found.Packets[latest].Capture == j.Capture:
			// it mattered at another door too
		case len(found.Packets) == MostMattered:
			more++
		default:
			one := p.packet
			one.Time, one.Payload = j.Time, slices.Clone(one.Payload)
			found.Packets = append(found.Packets, one)
		}
	}
	p.read(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case len(p.incomplete) > 0:
		return nil, p.incomplete[0]
	case more > 0:
		return nil, fmt.Errorf("more than %s packets were knocks: choose some with --source, or replay the capture in a test", transcript.Number(MostMattered))
	}
	found.Local = p.config.Local
	return found, nil
}

// mattered reports whether the packet of a judgment had a part in what happened. One that was
// ignored changed nothing. A knock that came too late is kept, since it shows why nothing opened.
func mattered(j *engine.Judgment) bool {
	if j.Packet == 0 {
		return false
	}
	switch j.Ruling {
	case engine.Began, engine.Advanced, engine.Finished, engine.Repeated, engine.Disturbed, engine.TooLate:
		return true
	case engine.Ignored, engine.Ended, engine.LetIn, engine.KeptOut:
	}
	return false
}
