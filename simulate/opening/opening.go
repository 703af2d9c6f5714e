// Package opening turns doors into a capture that opens each of them once, each by another source.
//
// The same doors give the same bytes. All addresses are reserved for documentation (RFC 5737, RFC
// 3849).
package opening

import (
	"encoding/binary"
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// start is the time of the first packet, a Monday morning.
var start = time.Date(2026, time.March, 2, 10, 0, 0, 0, time.UTC)

const (
	apart  = time.Minute            // between the last knock of a door and the first of the next
	maxGap = 500 * time.Millisecond // the longest time between two knocks
)

// host4 is the destination of knocks, unless a door has a target.
var host4 = netip.MustParseAddr("192.0.2.1")

// A Visit describes how the capture opens a door.
type Visit struct {
	Door   *engine.Door
	Source netip.Addr // that knocks; invalid if no knock can open the door
	Why    string     // the reason, if no knock can
}

// Capture returns a pcap file, and a visit for each door, in the order of the doors.
func Capture(doors []*engine.Door) (file []byte, visits []Visit) {
	file = binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4) // stamps in microseconds
	file = append(file, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	file = binary.LittleEndian.AppendUint32(file, 262144)
	file = binary.LittleEndian.AppendUint32(file, uint32(packet.Raw))
	at, sent := start, uint32(0)
	for i, door := range doors {
		v := Visit{Door: door, Why: cannotOpen(door)}
		if v.Why != "" {
			visits = append(visits, v)
			continue
		}
		dest := host4
		if door.Target.IsValid() {
			dest = door.Target
		}
		v.Source = sourceOf(i, dest)
		visits = append(visits, v)
		gap := gapOf(door)
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

// cannotOpen returns why no knock can open a door, or "" if one can.
func cannotOpen(d *engine.Door) string {
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

// gapOf returns the time between two knocks: at most half of each limit of the door.
func gapOf(d *engine.Door) time.Duration {
	gap := maxGap
	if n := len(sequence(d)); n > 1 {
		gap = min(gap, d.Within/time.Duration(2*n))
	}
	if d.StepTimeout > 0 {
		gap = min(gap, d.StepTimeout/2)
	}
	return gap
}

// sourceOf returns the source that opens door i. The first 507 doors have different sources, since
// the attempt of a source at one door could disturb its attempt at another.
func sourceOf(i int, dest netip.Addr) netip.Addr {
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
