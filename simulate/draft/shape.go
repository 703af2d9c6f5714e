package draft

import (
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting/spec"
	"sesame/simulate/opening"
)

// A shape is how close the text of a test is to the capture.
type shape struct {
	unit  time.Duration // to which times are rounded
	named bool          // knocks become the names of their doors
}

// A step is one of a test.
type step struct {
	begin   time.Time // of the first
	door    string    // whose knocks the packets are; "": none in particular
	packets []delayed
	delay   time.Duration // of the packets that have none of their own
	wait    time.Duration
	rest    bool // it waits until all has happened
	stray   bool // no packet is to a port of a door
	events  []event
}

// A delayed is a packet, and the time between it and the next one.
type delayed struct {
	sent
	delay time.Duration
}

// shaped returns the steps of groups of packets.
func (d *drafter) shaped(groups []group, s shape) (steps []step) {
	for _, g := range groups {
		one := d.listed(g, s)
		if s.named {
			d.name(&one)
		}
		gap := s.rounded(g.gap)
		if g.gap > 0 && one.door != "" && gap < one.delay {
			one.pace(gap) // the time behind the last knock is that between the others
		}
		last := &one.packets[len(one.packets)-1]
		switch {
		case g.gap == 0:
			last.delay = one.delay
		case !g.silent:
			last.delay = min(one.delay, gap)
			steps = append(steps, one)
			one = step{wait: gap}
		case gap == one.delay:
			last.delay = gap
		default:
			last.delay = min(one.delay, gap)
			one.wait = gap
		}
		steps = append(steps, one)
	}
	steps[0].begin = groups[0].packets[0].at.Round(s.unit)
	return append(steps, step{rest: true})
}

// rounded rounds a time between two packets, of which one must come before the other.
func (s shape) rounded(t time.Duration) time.Duration { return max(t.Round(s.unit), s.unit) }

// listed returns a step that sends the packets of a group one by one.
func (d *drafter) listed(g group, s shape) step {
	one, counts := step{delay: spec.Delay, stray: true}, map[time.Duration]int{}
	for i, p := range g.packets {
		one.stray = one.stray && !slices.ContainsFunc(d.Set.Doors, func(door *engine.Door) bool { return knocksAt(door, p.port) })
		delay := time.Duration(0)
		if i+1 < len(g.packets) {
			delay = s.rounded(g.packets[i+1].at.Sub(p.at))
			counts[delay]++
		}
		one.packets = append(one.packets, delayed{p, delay})
	}
	for delay, n := range counts {
		if most := counts[one.delay]; n > most || n == most && delay < one.delay {
			one.delay = delay
		}
	}
	return one
}

// name makes a step name the door whose knocks its packets are. A function of a door may read the
// payload, so that must be the one which the name sends. The time between two of them is
// then the same for all.
func (d *drafter) name(s *step) {
	for _, door := range d.Set.Doors {
		knocks, err := opening.Knocks(door)
		if err != nil || len(knocks) != len(s.packets) {
			continue
		}
		same := true
		for i, k := range knocks {
			p := s.packets[i]
			same = same && k.Port == p.port && (k.Port.Proto != packet.TCP || k.Flags == p.flags) && (door.Payload == nil && door.Handler == nil || string(k.Payload) == p.payload)
		}
		if same && door.OneTime == nil {
			s.door = door.Name
			s.level()
			return
		}
	}
}

// level makes all times between packets the same.
func (s *step) level() {
	n := len(s.packets) - 1
	if n == 0 {
		return
	}
	total := time.Duration(0)
	for _, p := range s.packets[:n] {
		total += p.delay
	}
	s.pace(max((total / time.Duration(n)).Round(time.Millisecond), time.Millisecond))
}

func (s *step) pace(delay time.Duration) {
	s.delay = delay
	for i := range s.packets {
		s.packets[i].delay = s.delay
	}
}

// source returns who sends the packets of a step; invalid when it has none.
func (s *step) source() netip.Addr {
	if len(s.packets) == 0 {
		return netip.Addr{}
	}
	return s.packets[0].source
}
