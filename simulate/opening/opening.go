// Package opening turns doors into a capture in which each of them is opened
// once, by a source of its own that knocks as it should.
//
// The same doors give the same bytes. All addresses are of those reserved for
// documentation (RFC 5737, RFC 3849).
package opening

import (
	"encoding/binary"
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// start is the stamp of the first packet: a Monday morning.
var start = time.Date(2026, time.March, 2, 10, 0, 0, 0, time.UTC)

const (
	apart  = time.Minute            // between the last knock of a door and the first of the next
	hasten = 500 * time.Millisecond // the longest time between two knocks
)

// host4 is what is knocked unless a door has a target.
var host4 = netip.MustParseAddr("192.0.2.1")

// A Visit is what the capture holds of a door.
type Visit struct {
	Door   *engine.Door
	Source netip.Addr // that knocks; invalid: nobody does, and Why says why
	Why    string
}

// Capture returns a pcap file, and what it holds of each door, in the order of
// the doors.
func Capture(doors []*engine.Door) (file []byte, visits []Visit) {
	file = binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4) // stamps in microseconds
	file = append(file, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	file = binary.LittleEndian.AppendUint32(file, 262144)
	file = binary.LittleEndian.AppendUint32(file, uint32(packet.Raw))
	at, sent := start, uint32(0)
	for i, door := range doors {
		v := Visit{Door: door, Why: shut(door)}
		if v.Why != "" {
			visits = append(visits, v)
			continue
		}
		dest := host4
		if door.Target.IsValid() {
			dest = door.Target
		}
		v.Source = stranger(i, dest)
		visits = append(visits, v)
		gap := pace(door)
		for _, knock := range sequence(door) {
			sent++
			s := segment{source: v.Source, dest: dest, sourcePort: uint16(40000 + sent%20000), number: sent, knock: knock}
			file = s.record(file, at)
			at = at.Add(gap)
		}
		at = at.Add(apart)
	}
	return file, visits
}

// sequence returns the knocks that open a door next.
func sequence(d *engine.Door) []engine.Knock {
	switch {
	case d.OneTime != nil && len(d.OneTime.Sequences) > 0:
		return d.OneTime.Sequences[0].Knocks
	case d.Listen && len(d.Sequence) > 0:
		return d.Sequence[:1]
	}
	return d.Sequence
}

// shut says why no knock opens a door, and "" when one does.
func shut(d *engine.Door) string {
	knocks := sequence(d)
	switch {
	case len(knocks) == 0:
		return "no sequence is left that was not used"
	case len(knocks) > 1 && d.Within <= 0:
		return "its timeout is over when its first knock is done"
	}
	for _, k := range knocks {
		if k.Port.Number == 0 {
			return "no ordinary program sends a packet to port 0"
		}
	}
	return ""
}

// pace returns the time between two knocks: well below each limit of the door.
func pace(d *engine.Door) time.Duration {
	gap := hasten
	if n := len(sequence(d)); n > 1 {
		gap = min(gap, d.Within/time.Duration(2*n))
	}
	if d.StepTimeout > 0 {
		gap = min(gap, d.StepTimeout/2)
	}
	return gap
}

// stranger returns an address of its own for each of the first 507 doors: a
// source that comes again may still have an attempt.
func stranger(i int, dest netip.Addr) netip.Addr {
	if dest.Is6() {
		source := netip.MustParseAddr("2001:db8:ffff::").As16()
		binary.BigEndian.PutUint32(source[12:], uint32(i+1))
		if a := netip.AddrFrom16(source); a != dest {
			return a
		}
		return netip.MustParseAddr("2001:db8:fffe::1")
	}
	networks := [...][3]byte{{203, 0, 113}, {198, 51, 100}}
	network := networks[i/254%len(networks)]
	if a := netip.AddrFrom4([4]byte{network[0], network[1], network[2], byte(1 + i%254)}); a != dest {
		return a
	}
	return netip.AddrFrom4([4]byte{192, 0, 2, 254})
}
