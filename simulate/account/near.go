package account

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A Cause is why a packet was not the knock that its sender probably meant. As text it is the
// reason in the account for programs.
type Cause string

const (
	noCause          Cause = "" // it is that knock
	OtherFlags       Cause = "other_flags"
	OtherProtocol    Cause = "other_protocol"
	OtherDestination Cause = "other_destination"
	OtherPort        Cause = "other_port" // a port that one slip of the finger makes of the right one
	Fragment         Cause = "fragment"
	Truncated        Cause = "truncated" // the capture holds less of it than its headers
	Reordered        Cause = "reordered" // the next knock came before it
	Missing          Cause = "missing"   // nothing like it came
	Malformed        Cause = "malformed" // its headers contradict themselves, or a checksum is wrong
	// GaveNothing is of a listener: its function neither refused nor gave anything.
	GaveNothing Cause = "gave_nothing"
)

// causeOf returns the cause that a judgment names; ok is false when the packet has nothing to do
// with a knock of the door.
func causeOf(j *engine.Judgment) (c Cause, ok bool) {
	switch j.Why {
	case engine.OtherFlags:
		return OtherFlags, true
	case engine.OtherProtocol:
		return OtherProtocol, true
	case engine.OtherDestination:
		return OtherDestination, true
	case engine.OtherPort, engine.AtTripwire, engine.StrayPacket:
		return OtherPort, true
	case engine.OutOfTurn:
		return noCause, true
	case engine.NoWhy:
		return noCause, j.Ruling == engine.TooLate
	case engine.ImpossiblePacket:
		return Malformed, true
	case engine.OtherBytes, engine.CopyOfPacket, engine.ResentSegment, engine.Evicted, engine.GaveNothing:
	}
	return noCause, false
}

// A step is a packet that was a knock of a door, or was probably meant as one.
type step struct {
	knock int // its index in the sequence
	why   Cause
	at    position
	came  packet.Port
	flags packet.Flags
	dest  netip.Addr
	time  time.Time
	ahead time.Duration // Reordered: how long the next knock came before it
}

// A chain is steps of one source whose knocks follow each other in the sequence of a door. Some
// knocks may be missing.
type chain []step

// begun returns how many knocks the engine may have counted: those at the beginning of the chain
// that nothing is wrong with.
func (c chain) begun() int {
	for i := range c {
		if c[i].knock != i || c[i].why != noCause {
			return i
		}
	}
	return len(c)
}

// last returns the index of the latest knock, -1 for none.
func (c chain) last() int {
	if len(c) == 0 {
		return -1
	}
	return c[len(c)-1].knock
}

// better reports whether a chain explains more than another one: it has more steps, or as many and
// more that counted.
func (c chain) better(other chain) bool {
	return len(c) > len(other) || len(c) == len(other) && c.begun() >= other.begun()
}

// A near collects, for one source and one door, the packets that were a knock or nearly one. It
// keeps two chains, each at most as long as the sequence. The zero near is ready.
type near struct {
	door    *engine.Door // of the present chain
	present chain
	best    chain
	steps   []engine.Knock // the sequence that best belongs to
	// first and latest are when attempts began; zero: none did.
	first, latest time.Time
	// others are packets that the engine did not count, the latest to each port of the sequence.
	others []step
}

// judge adds a judgment about one packet. Those of packets that no door watches come only in a
// second pass.
func (n *near) judge(j *engine.Judgment) {
	if j.Door == nil || j.Packet == 0 || !n.follow(j.Door, j.Time) {
		return
	}
	s := step{at: position{j.Packet, j.Capture}, came: j.Came, flags: j.Flags, dest: j.Dest, time: j.Time}
	switch j.Ruling {
	case engine.Began:
		if n.latest = j.Time; n.first.IsZero() {
			n.first = j.Time
		}
		n.settle()
		n.present = append(n.present, s)
	case engine.Advanced:
		if s.knock = j.Before; s.knock < len(j.Door.Sequence) {
			n.count(s)
		}
	case engine.Finished:
		n.settle()
	case engine.Ignored, engine.Disturbed, engine.TooLate:
		why, ok := causeOf(j)
		if s.why = why; ok || j.Why == engine.OtherBytes {
			n.remember(s)
		}
		if ok {
			n.add(s)
		}
	case engine.Repeated, engine.Ended, engine.LetIn, engine.KeptOut:
	}
}

// unread adds a packet that the decoder dropped: a fragment, or one of which the capture holds too
// little. Only its addresses and its port are known. Twice means that it has another fault too.
func (n *near) unread(d *engine.Door, p *packet.Packet, why Cause, twice bool) {
	if n.follow(d, p.Time) {
		s := step{at: position{p.Number, p.Capture}, came: p.Port, flags: p.Flags, dest: p.Dest, time: p.Time, why: why}
		if n.remember(s); !twice {
			n.add(s)
		}
	}
}

// astray remembers a packet with two faults, one of which is its destination.
func (n *near) astray(j *engine.Judgment) {
	if n.follow(j.Door, j.Time) {
		n.remember(step{at: position{j.Packet, j.Capture}, came: j.Came, flags: j.Flags, dest: j.Dest, time: j.Time, why: OtherDestination})
	}
}

// follow prepares for a packet at a time. It ends the present chain when the door has another
// sequence now, or when all time for it is over. It reports whether the door has a sequence.
func (n *near) follow(d *engine.Door, now time.Time) bool {
	if n.door != d {
		if n.door == nil || !slices.Equal(n.door.Sequence, d.Sequence) {
			n.settle()
		}
		n.door = d
	}
	if last := len(n.present) - 1; last >= 0 && now.Sub(n.present[last].time) > max(d.Within, time.Second) {
		n.settle()
	}
	return len(d.Sequence) > 0
}

// settle ends the present chain, and keeps it when it explains more than the best one.
func (n *near) settle() {
	if len(n.present) > 0 && n.present.better(n.best) {
		n.best, n.steps = n.present, n.door.Sequence
	}
	n.present = nil
}

// count adds a knock that the engine counted for an attempt. What was nearly this knock does not
// matter then.
func (n *near) count(s step) {
	n.present = slices.DeleteFunc(n.present, func(o step) bool { return o.knock >= s.knock })
	n.present = append(n.present, s)
}

// add adds a packet at the first place behind the present chain where the sequence has a knock like
// it. Without one the packet begins another chain, if the sequence has such a knock at all.
func (n *near) add(s step) {
	last := n.present.last()
	if last >= 0 && n.present[len(n.present)-1].at == s.at {
		return // it is a step already
	}
	if n.overtakes(&s) {
		at := len(n.present) - 1
		n.present = slices.Insert(n.present, at, s)
		return
	}
	if at := n.find(last+1, &s); at >= 0 {
		s.knock = at
		n.present = append(n.present, s)
		return
	}
	switch at := n.find(0, &s); {
	case at < 0 || at == last && (s.why != noCause || n.present[len(n.present)-1].why == noCause):
		// No knock of the door is like it, or it is the latest step once more.
	case at == last:
		s.knock = at
		n.present[len(n.present)-1] = s // at last as it should be
	case s.why == OtherPort && len(n.present) > 1:
		// A chain of several steps says more than one port that resembles the first knock.
	default:
		n.settle()
		s.knock = at
		n.present = append(n.present, s)
	}
}

// overtakes reports whether a packet is the knock before the latest one of the chain, and only that
// is missing: the two changed places on the way. It then completes the step.
func (n *near) overtakes(s *step) bool {
	count := len(n.present)
	if count < 2 || s.why != noCause {
		return false
	}
	next := &n.present[count-1]
	between := next.knock - 1
	ahead := s.time.Sub(next.time)
	if between != count-1 || n.present.begun() != count-1 || next.why != noCause || ahead < 0 ||
		n.door.Sequence[between].Port != s.came || ahead > time.Second {
		return false
	}
	s.knock, s.why, s.ahead = between, Reordered, ahead
	return true
}

// find returns the first index from from on of a knock that the packet resembles, -1 for none. A
// port resembles only the very next knock: in a scan some port resembles any.
func (n *near) find(from int, s *step) int {
	for i := from; i < len(n.door.Sequence); i++ {
		k := n.door.Sequence[i].Port
		switch {
		case s.why == OtherPort:
			if k.Proto == s.came.Proto && oneSlip(k.Number, s.came.Number) {
				return i
			}
			if !n.door.Listen {
				return -1
			}
		case s.why == OtherProtocol:
			if k.Number == s.came.Number && k.Proto != s.came.Proto {
				return i
			}
		case k == s.came:
			return i
		}
	}
	return -1
}

// oneSlip reports whether one number becomes the other by one slip: a digit too much, a digit less,
// another digit, or two neighbouring digits exchanged.
func oneSlip(a, b uint16) bool {
	x, y := strconv.Itoa(int(a)), strconv.Itoa(int(b))
	if len(x) > len(y) {
		x, y = y, x
	}
	i := 0
	for i < len(x) && x[i] == y[i] {
		i++
	}
	switch {
	case x == y || len(y)-len(x) > 1:
		return false
	case len(x) < len(y):
		return x[i:] == y[i+1:]
	case x[i+1:] == y[i+1:]:
		return true
	}
	return i+1 < len(x) && x[i] == y[i+1] && x[i+1] == y[i] && x[i+2:] == y[i+2:]
}

// explains returns the step that stopped an attempt which came to a stage: what came in place of
// the awaited knock, and was nearly that. It returns nil when there is none.
func (n *near) explains(stage int) *step {
	n.conclude()
	c := n.best
	if stage == 0 || c.begun() != stage || len(c) <= stage || c[stage].knock != stage || c[stage].why == noCause {
		return nil
	}
	return &c[stage]
}

// conclude makes the present chain the best one if it is. The chain goes on all the same.
func (n *near) conclude() {
	if len(n.present) > 0 && n.present.better(n.best) {
		n.best, n.steps = slices.Clone(n.present), n.door.Sequence
	}
}

// remember remembers the latest packet to each port of the sequence, whatever was wrong with it. A
// packet with two faults is in no chain, and yet nobody may say that it did not come.
func (n *near) remember(s step) {
	if !asks(n.door, s.came) {
		return
	}
	if s.why == OtherPort || s.why == OtherProtocol {
		s.why = noCause // of another knock
	}
	n.others = append(slices.DeleteFunc(n.others, func(o step) bool { return o.came == s.came }), s)
}

// beside returns a packet to the port of a knock that came at about the time of a chain, and was
// not counted; nil for none.
func (n *near) beside(c chain, knock int) *step {
	for _, s := range n.others {
		if s.came == n.steps[knock].Port && c[0].time.Sub(s.time) < n.span() && s.time.Sub(c[len(c)-1].time) < n.span() {
			s.knock = knock
			return &s
		}
	}
	return nil
}

// unexplained returns a packet to the port that an attempt awaited when time ended it at a stage,
// nil for none. Began is when the attempt began, zero when that is not known.
func (n *near) unexplained(stage int) (s *step, began time.Time) {
	n.conclude()
	c := n.best
	if stage == 0 || len(c) == 0 || stage >= len(n.steps) {
		return nil, began
	}
	if c.begun() == stage {
		began = c[0].time // else the chain is one of another attempt
	}
	return n.beside(c, stage), began
}

// span is the time within which packets are taken for one try.
func (n *near) span() time.Duration { return max(n.door.Within, time.Minute) }

// unbegun returns the chain of a source whose first knock was missing or wrong, so that no attempt
// began. It is nil when an attempt began at about that time, or came as far: stage is how far. One
// packet that only resembles a knock is no chain.
func (n *near) unbegun(stage int) chain {
	n.conclude()
	c := n.best
	if len(c) <= stage || c.begun() > 0 || len(c) == 1 && c[0].why != noCause && len(n.steps) > 1 {
		return nil
	}
	if !n.first.IsZero() && c[len(c)-1].time.Add(n.span()).After(n.first) && c[0].time.Before(n.latest.Add(n.span())) {
		return nil
	}
	return c
}

// A Clue is a packet of a source that was a knock of a door, or was probably meant as one.
type Clue struct {
	Knock           int // its index in the sequence
	Packet, Capture int
	Cause           Cause // why it was no such knock; "": it was
}

// clues returns the packets that explain most, in the order in which they came.
func (n *near) clues() (all []Clue) {
	n.conclude()
	for _, s := range n.best {
		all = append(all, Clue{s.knock, s.at.packet, s.at.capture, s.why})
	}
	return all
}
