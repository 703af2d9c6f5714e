package simulate

import (
	"net/netip"
	"slices"
	"strconv"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

const (
	// mostKept bounds the packets that are kept for rehearsals, and mostOfSource those of one
	// source. A source that sent more is not rehearsed: a part of its packets could open a door
	// that all of them do not.
	mostKept     = 1 << 16
	mostOfSource = 512
	// mostPayload bounds the bytes of their payloads.
	mostPayload = 16 << 20
)

// A keptPacket is a packet that may be replayed. Drop is that of the decoder: a packet that it
// dropped reaches an engine only when a rehearsal repairs it.
type keptPacket struct {
	packet.Packet
	drop packet.Drop
}

// A keeper keeps the packets of sources for rehearsals, in bounded memory. It leaves out packets to
// ports that have nothing to do with the doors.
type keeper struct {
	ports    map[packet.Port]bool // that are a knock or a tripwire, or resemble a knock; nil: all
	payloads bool                 // some door reads payloads
	sources  map[netip.Addr][]keptPacket
	tooMany  map[netip.Addr]bool // sources that sent more than is kept
	count    int
	bytes    int
}

// newKeeper returns a keeper for rehearsals with a set.
func newKeeper(set *engine.Set) *keeper {
	k := &keeper{ports: map[packet.Port]bool{}, sources: map[netip.Addr][]keptPacket{}, tooMany: map[netip.Addr]bool{}}
	for _, d := range set.Doors {
		k.payloads = k.payloads || d.Payload != nil || d.Handler != nil
		for knock := range d.Knocks() {
			for _, number := range resembling(knock.Port.Number) {
				k.ports[packet.Port{Proto: packet.TCP, Number: number}] = true
				k.ports[packet.Port{Proto: packet.UDP, Number: number}] = true
			}
		}
	}
	for _, knock := range set.Tripwires() {
		k.ports[knock.Port] = true
	}
	if slices.ContainsFunc(set.Doors, func(d *engine.Door) bool { return d.Strict }) {
		k.ports = nil
	}
	return k
}

// resembling returns a port and those that one slip of the finger makes of it: another digit, one
// too much or too little, or two exchanged.
func resembling(port uint16) []uint16 {
	text := strconv.Itoa(int(port))
	all := []uint16{port}
	add := func(s string) {
		if n, err := strconv.ParseUint(s, 10, 16); err == nil && n > 0 {
			all = append(all, uint16(n))
		}
	}
	for i := range text {
		add(text[:i] + text[i+1:])
		if i+1 < len(text) {
			add(text[:i] + string(text[i+1]) + string(text[i]) + text[i+2:])
		}
		for digit := '0'; digit <= '9'; digit++ {
			add(text[:i] + string(digit) + text[i+1:])
			add(text[:i] + string(digit) + text[i:])
			add(text + string(digit))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// keep copies a packet, unless nothing needs it or there is no room.
func (k *keeper) keep(p *packet.Packet, drop packet.Drop) {
	if k.ports != nil && !k.ports[p.Port] || k.tooMany[p.Source] {
		return
	}
	of := k.sources[p.Source]
	if len(of) == mostOfSource || k.count == mostKept || k.payloads && k.bytes+len(p.Payload) > mostPayload {
		k.count -= len(of)
		delete(k.sources, p.Source)
		if len(k.tooMany) < mostKept {
			k.tooMany[p.Source] = true
		}
		return
	}
	one := keptPacket{*p, drop}
	one.Payload = nil
	if k.payloads {
		one.Payload = slices.Clone(p.Payload)
		k.bytes += len(p.Payload)
	}
	k.sources[p.Source] = append(of, one)
	k.count++
}
