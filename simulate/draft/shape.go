package draft

import (
	"bytes"
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

// shaped returns a test of groups of packets.
func (d *drafter) shaped(groups []group, s shape) *spec.Test {
	test := d.test(groups[0].packets[0].at.Round(s.unit))
	for _, g := range groups {
		one := d.listed(g, s)
		if s.named {
			d.name(&one)
		}
		gap := s.rounded(g.gap)
		if n := len(one.Knocks); g.gap > 0 && n > 0 {
			one.Knocks[n-1].Delay = min(one.Delay, gap)
		} else if g.gap > 0 {
			one.Delay = min(one.Delay, gap) // the time behind the last knock is that between the others
		}
		switch {
		case g.gap == 0 || g.silent && gap == one.Delay:
		case g.silent:
			one.Wait = gap
		default:
			test.Steps = append(test.Steps, one)
			one = spec.Step{Wait: gap}
		}
		test.Steps = append(test.Steps, one)
	}
	return test
}

// rounded rounds a time between two packets, of which one must come before the other.
func (s shape) rounded(t time.Duration) time.Duration { return max(t.Round(s.unit), s.unit) }

// step returns the step that sends a packet.
func (s *sent) step() spec.Step {
	one := spec.Packet{Port: s.port, Payload: []byte(s.payload)}
	if s.port.Proto == packet.TCP && s.flags != packet.SYN {
		one.Flags = s.flags.Names()
	}
	return spec.Step{Action: spec.Knock, From: s.source, Delay: 1, Knocks: []spec.Packet{one}}
}

// listed returns a step that sends the packets of a group one by one.
func (d *drafter) listed(g group, s shape) spec.Step {
	one, counts := spec.Step{Action: spec.Knock, From: g.packets[0].source, Delay: spec.Delay}, map[time.Duration]int{}
	for i, p := range g.packets {
		if slices.ContainsFunc(d.Set.Engine.Doors, func(door *engine.Door) bool { return knocksAt(door, p.port) }) {
			one.MinKnocks = 1
		}
		next := p.step().Knocks[0]
		if i+1 < len(g.packets) {
			next.Delay = s.rounded(g.packets[i+1].at.Sub(p.at))
			counts[next.Delay]++
		}
		one.Knocks = append(one.Knocks, next)
	}
	for delay, n := range counts {
		if most := counts[one.Delay]; n > most || n == most && delay < one.Delay {
			one.Delay = delay
		}
	}
	return one
}

// name makes a step name the door whose knocks its packets are. A function of a door may read the
// payload, so that must be the one which the name sends. The time between two of them is
// then the same for all.
func (d *drafter) name(s *spec.Step) {
	for _, door := range d.Set.Engine.Doors {
		knocks, err := opening.Knocks(door)
		if err != nil || len(knocks) != len(s.Knocks) || door.OneTime != nil {
			continue
		}
		same := true
		for i, k := range knocks {
			p := (&sent{port: k.Port, flags: k.Flags}).step().Knocks[0]
			same = same && p.Port == s.Knocks[i].Port && p.Flags == s.Knocks[i].Flags &&
				(door.Payload == nil && door.Handler == nil || bytes.Equal(k.Payload, s.Knocks[i].Payload))
		}
		if same {
			level(s)
			s.Door, s.Knocks = door.Name, nil
			return
		}
	}
}

// level makes all times between packets the same.
func level(s *spec.Step) {
	n := len(s.Knocks) - 1
	if n == 0 {
		return
	}
	total := time.Duration(0)
	for _, p := range s.Knocks[:n] {
		total += p.Delay
	}
	s.Delay = max((total / time.Duration(n)).Round(time.Millisecond), time.Millisecond)
}
