package engine

import (
	"slices"

	"sesame/daemon/packet"
)

// This file is about TCP flags that no honest host sends together: SYN, which begins a connection,
// with FIN or RST, which end one (RFC 9293, section 3.5). A packet with them is malformed, unless a
// door asks for just these flags. knockd only looks at the flags that a door names, so at doors of
// [PolicyKnockd] they count as all others do.

const odd = packet.FIN | packet.RST

// isOdd reports whether p has a SYN with FIN or RST.
func isOdd(p *packet.Packet) bool { return p.Port.Proto == packet.TCP && isOddSet(p.Flags) }

func isOddSet(f packet.Flags) bool { return f&packet.SYN != 0 && f&odd != 0 }

// asksOdd reports whether only odd flags satisfy the test.
func (t FlagTest) asksOdd() bool { return isOddSet(t.Set) }

// asked reports whether flags satisfy the test, and it asks for each flag that makes them odd.
func (t FlagTest) asked(flags packet.Flags) bool {
	return t.Holds(flags) && (!isOddSet(flags) || t.asksOdd() && flags&odd&^t.Set == 0)
}

// oddTests are the tests at a port that odd flags may satisfy.
type oddTests struct {
	tests, byFlags []FlagTest // as in portDoors
}

// add adds the test of a knock, if odd flags may satisfy it.
func (o *oddTests) add(d *door, t FlagTest) {
	switch {
	case d.Policy == PolicyKnockd:
	case t.asksOdd():
		t.Clear |= odd &^ t.Set
	default:
		return
	}
	tests := &o.tests
	if d.Payload != nil {
		tests = &o.byFlags
	}
	if !slices.Contains(*tests, t) {
		*tests = append(*tests, t)
	}
}

// Holds reports whether p is the knock at a position of the sequence, by the policy of the door.
func (d *Door) Holds(position int, p *packet.Packet) bool {
	k := d.Sequence[position]
	if d.Policy == PolicyKnockd {
		return p.Port == k.Port && (k.Port.Proto != packet.TCP || k.Flags.Holds(p.Flags))
	}
	return k.Holds(p)
}

// Wants reports whether p can be a knock of this door, at whatever stage.
func (d *Door) Wants(p *packet.Packet) bool {
	for i := range d.Sequence {
		if d.Holds(i, p) {
			return true
		}
	}
	return false
}
