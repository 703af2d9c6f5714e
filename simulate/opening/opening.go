// Package opening turns doors, or knocks that a person types, into a capture.
//
// [Capture] opens each door once, each by another source. [Type] has what was typed. The same doors
// give the same bytes. All addresses that nobody typed are reserved for documentation (RFC 5737,
// RFC 3849).
package opening

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/simulate/craft"
)

// start is the time of the first packet, a Monday morning.
var start = time.Date(2026, time.March, 2, 10, 0, 0, 0, time.UTC)

const (
	apart  = time.Minute            // between the last knock of a door and the first of the next
	maxGap = 500 * time.Millisecond // the longest time between two knocks
)

// A Visit describes how the capture opens a door.
type Visit struct {
	Door   *engine.Door
	Source netip.Addr // that knocks; invalid if no knock can open the door
	Why    string     // the reason, if no knock can
}

// Capture returns a pcap file, and a visit for each door, in the order of the doors. It fails for a
// packet that cannot exist.
func Capture(doors []*engine.Door) (data []byte, visits []Visit, err error) {
	file, sender, at := craft.File{SnapLen: craft.SnapLen, Link: packet.Raw}, craft.Sender{}, start
	for i, door := range doors {
		knocks, err := Knocks(door)
		if err != nil {
			visits = append(visits, Visit{Door: door, Why: err.Error()})
			continue
		}
		dest := craft.Host4
		if door.Target.IsValid() {
			dest = door.Target
		}
		source := Source(i, dest)
		visits = append(visits, Visit{Door: door, Source: source})
		for _, k := range knocks {
			if err := file.Add(at, sender.Packet(source, dest, k)); err != nil {
				return nil, nil, err
			}
			at = at.Add(Gap(door))
		}
		at = at.Add(apart)
	}
	return file.PCAP(), visits, nil
}

// Knocks returns what opens a door next, as an ordinary client sends it: SYNs where the door allows
// them, and the least payload that the door asks for. Whether a function of the door accepts that
// payload is not known. The error says why no knock can open the door.
func Knocks(d *engine.Door) (knocks []craft.Knock, err error) {
	if why := cannotOpen(d); why != "" {
		return nil, errors.New(why)
	}
	for _, k := range sequence(d) {
		knock := craft.Knock{Port: k.Port, Payload: payload(d.Payload)}
		if k.Port.Proto == packet.TCP {
			knock.Flags = flags(k.Flags)
		} else if d.Payload == nil {
			knock.Payload = []byte{0} // some networks drop empty datagrams
		}
		knocks = append(knocks, knock)
	}
	return knocks, nil
}

// payload returns the shortest payload that passes a test, with zeros where any byte does.
func payload(test *engine.PayloadTest) []byte {
	if test == nil {
		return nil
	}
	length := test.Min
	for _, part := range test.Bytes {
		length = max(length, part.At+len(part.Text))
	}
	b := make([]byte, length)
	for _, part := range test.Bytes {
		copy(b[part.At:], part.Text)
	}
	return b
}

// flags returns the flags of a packet that passes a test: SYN if the test allows it.
func flags(test engine.FlagTest) packet.Flags {
	if test.Set == 0 && test.Clear&packet.SYN == 0 {
		return packet.SYN
	}
	return test.Set
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

// Gap returns the time between two knocks: at most half of each limit of the door.
func Gap(d *engine.Door) time.Duration {
	gap := maxGap
	if n := len(sequence(d)); n > 1 {
		gap = min(gap, d.Within/time.Duration(2*n))
	}
	if d.StepTimeout > 0 {
		gap = min(gap, d.StepTimeout/2)
	}
	return gap
}

// Source returns source i of packets to a destination, of its family. The first 507 are different:
// the attempt of a source at one door could disturb its attempt at another.
func Source(i int, dest netip.Addr) netip.Addr {
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
