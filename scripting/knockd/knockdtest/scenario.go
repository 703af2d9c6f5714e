package knockdtest

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sesame/daemon/packet"
)

// A Scenario is a knockd.conf with packets and what they do.
type Scenario struct {
	Name string // a sentence that describes it
	Conf string
	// Packets have times after [Start].
	Packets []packet.Packet
	// Knockd is what the real knockd does, and Sesame what Sesame does, as Summary writes it. An
	// empty Sesame means the same as knockd. Random scenarios have neither.
	Knockd, Sesame string
}

// Start is the time at which scenarios begin: a whole second, because knockd looks at seconds.
var Start = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

// The destinations of packets: two addresses of the host and one of another, for each family.
var (
	Here4      = netip.MustParseAddr("198.51.100.1")
	Second4    = netip.MustParseAddr("198.51.100.2")
	Elsewhere4 = netip.MustParseAddr("198.51.100.77")
	Here6      = netip.MustParseAddr("2001:db8:1::1")
	Second6    = netip.MustParseAddr("2001:db8:1::2")
	Elsewhere6 = netip.MustParseAddr("2001:db8:1::77")
)

// Local returns the addresses of the host's interface.
func Local() []netip.Addr { return []netip.Addr{Here4, Second4, Here6, Second6} }

// gap is the time between packets when the text names none.
const gap = 26 * time.Millisecond

// flagNames are the flags as knockd.conf names them.
var flagNames = []struct {
	name string
	flag packet.Flags
}{
	{"fin", packet.FIN}, {"syn", packet.SYN}, {"rst", packet.RST}, {"psh", packet.PSH}, {"ack", packet.ACK}, {"urg", packet.URG},
}

// Packets reads packets that are written as
//
//	7000, 8000:udp, @1.5 b 7000 syn+ack to=2, b 7000 again, a6 9000
//
// The parts of a packet are, in any order:
//
//   - @1.5: the time in seconds after [Start]; without it, 26 ms after the packet before
//   - b or b6: the source, a letter, with a 6 for IPv6; without it, a
//   - 8000:udp: the port
//   - syn+ack: the flags; without them, SYN
//   - to=2 or to=elsewhere: the destination; without it, the first address of the host
//   - again: the latest packet of its source to its port is sent again, with the same numbers;
//     every other packet has a source port and a sequence number of its own
//
// A malformed text panics, since it is part of a test.
func Packets(text string) (packets []packet.Packet) {
	at := Start.Add(2 * gap)
	for word := range strings.SplitSeq(text, ",") {
		p := packet.Packet{Time: at, Flags: packet.SYN}
		source, to, again := "a", "", false
		for _, field := range strings.Fields(word) {
			switch {
			case field == "again":
				again = true
			case field[0] == '@':
				p.Time = Start.Add(time.Duration(mustNumber(field[1:], 64) * float64(time.Second)))
			case strings.HasPrefix(field, "to="):
				to = field[3:]
			case field[0] >= '0' && field[0] <= '9':
				p.Port = mustPort(field)
			case len(field) < 3:
				source = field
			default:
				p.Flags = mustFlags(field)
			}
		}
		p.Source, p.Dest = mustSource(source), mustDest(to, strings.HasSuffix(source, "6"))
		if p.Port.Proto != packet.TCP {
			p.Flags = 0
		}
		p.Number = len(packets) + 1
		Renumber(&p, p.Number)
		if again {
			repeat(&p, packets)
		}
		packets = append(packets, p)
		at = p.Time.Add(gap)
	}
	return packets
}

// FirstSourcePort is the source port of serial number 0.
const FirstSourcePort = 20000

// Renumber gives a packet the source port and the sequence number that belong to a serial number.
func Renumber(p *packet.Packet, serial int) {
	p.SourcePort = uint16(FirstSourcePort + serial%40000)
	if p.Port.Proto == packet.TCP {
		p.Sequence = uint32(serial * 1000)
	}
}

// repeat makes p the latest packet of its source to its port, sent again.
func repeat(p *packet.Packet, earlier []packet.Packet) {
	for i := len(earlier) - 1; i >= 0; i-- {
		if e := &earlier[i]; e.Source == p.Source && e.Port == p.Port {
			p.Flags, p.Dest, p.SourcePort, p.Sequence = e.Flags, e.Dest, e.SourcePort, e.Sequence
			return
		}
	}
	panic(fmt.Sprintf("knockdtest: packet %d to %s: nothing to send again", p.Number, p.Port))
}

func mustNumber(s string, bits int) float64 {
	n, err := strconv.ParseFloat(s, bits)
	if err != nil {
		panic("knockdtest: " + err.Error())
	}
	return n
}

func mustPort(s string) packet.Port {
	number, proto, _ := strings.Cut(s, ":")
	port := packet.Port{Proto: packet.TCP, Number: uint16(mustNumber(number, 32))}
	switch proto {
	case "udp":
		port.Proto = packet.UDP
	case "":
	default:
		panic("knockdtest: unknown protocol " + proto)
	}
	return port
}

func mustFlags(s string) (flags packet.Flags) {
	for name := range strings.SplitSeq(s, "+") {
		found := false
		for _, f := range flagNames {
			if f.name == name {
				flags, found = flags|f.flag, true
			}
		}
		if !found {
			panic("knockdtest: unknown flag " + name)
		}
	}
	return flags
}

// mustSource returns the address of a letter, with a 6 for IPv6.
func mustSource(name string) netip.Addr {
	last := name[0] - 'a' + 1
	switch {
	case last < 1 || last > 26:
		panic("knockdtest: unknown source " + name)
	case name[1:] == "6":
		return netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 5: 2, 15: last})
	}
	return netip.AddrFrom4([4]byte{192, 0, 2, last})
}

func mustDest(name string, six bool) netip.Addr {
	four := map[string]netip.Addr{"": Here4, "2": Second4, "elsewhere": Elsewhere4}
	if six {
		four = map[string]netip.Addr{"": Here6, "2": Second6, "elsewhere": Elsewhere6}
	}
	dest, known := four[name]
	if !known {
		panic("knockdtest: unknown destination " + name)
	}
	return dest
}

// Summary writes lines in short: A2 is stage 2 of door A, A! an opening, A~2 a timeout at stage 2,
// A-2 a wrong knock there. Sources other than a stand before the door: b:A2.
func Summary(lines []Line) string {
	var words []string
	for _, l := range lines {
		word := sourceName(l.Source) + ":"
		if word == "a:" {
			word = ""
		}
		word += l.Door
		switch l.Kind {
		case Stage:
			word += strconv.Itoa(l.Stage)
		case Open:
			word += "!"
		case Timeout:
			word += "~" + strconv.Itoa(l.Stage)
		case Wrong:
			word += "-" + strconv.Itoa(l.Stage)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func sourceName(a netip.Addr) string {
	bytes := a.AsSlice()
	name := string('a' + bytes[len(bytes)-1] - 1)
	if a.Is6() {
		name += "6"
	}
	return name
}

// Margin returns how near two packets are to a whole number of seconds apart, and a packet to a
// whole second of the clock. Below some milliseconds the result of a time limit would depend on the
// clock of the machine that plays the packets.
func Margin(packets []packet.Packet) time.Duration {
	margin := time.Second
	for i, p := range packets {
		margin = min(margin, toWhole(time.Duration(p.Time.Nanosecond())))
		for _, earlier := range packets[:i] {
			if apart := p.Time.Sub(earlier.Time); apart > time.Second/2 {
				margin = min(margin, toWhole(apart))
			}
		}
	}
	return margin
}

// toWhole returns how far a duration is from a whole number of seconds.
func toWhole(d time.Duration) time.Duration { return (d - d.Round(time.Second)).Abs() }

// WithEnd returns the scenario with one more door at the end of its file, and one more packet that
// opens that door and ends no attempt. When a reader of the log sees this opening, the log is
// complete.
func (s Scenario) WithEnd(name string) Scenario {
	s.Conf += fmt.Sprintf("\n[%s]\nsequence = 9:udp\n", name)
	last := s.Packets[len(s.Packets)-1]
	end := packet.Packet{
		Time: last.Time.Add(gap), Source: mustSource("z"), Dest: Here4,
		Port: packet.Port{Proto: packet.UDP, Number: 9}, Number: last.Number + 1,
	}
	Renumber(&end, end.Number)
	s.Packets = append(s.Packets[:len(s.Packets):len(s.Packets)], end)
	return s
}

// Story returns the file and the packets as text, for the message of a test.
func Story(conf string, packets []packet.Packet) string {
	var b strings.Builder
	b.WriteString(conf)
	for i := range packets {
		p := &packets[i]
		fmt.Fprintf(&b, "%v %s:%d -> %s %s", p.Time.Sub(packets[0].Time), p.Source, p.SourcePort, p.Dest, p.Port)
		for _, f := range flagNames {
			if p.Flags&f.flag != 0 {
				b.WriteString(" " + f.name)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Frame returns the bytes of a packet from its IP header on.
func Frame(p *packet.Packet) []byte {
	segment := segmentOf(p)
	protocol := byte(6)
	if p.Port.Proto == packet.UDP {
		protocol = 17
	}
	var frame []byte
	if p.Source.Is4() {
		frame = []byte{0x45, 0, 0, byte(20 + len(segment)), 0, 0, 0, 0, 64, protocol, 0, 0}
	} else {
		frame = []byte{0x60, 0, 0, 0, 0, byte(len(segment)), protocol, 64}
	}
	frame = append(frame, p.Source.AsSlice()...)
	frame = append(frame, p.Dest.AsSlice()...)
	frame = append(frame, segment...)
	packet.FillChecksums(frame)
	return frame
}

// segmentOf returns the header of TCP or UDP without data.
func segmentOf(p *packet.Packet) []byte {
	from, to := p.SourcePort, p.Port.Number
	b := []byte{byte(from >> 8), byte(from), byte(to >> 8), byte(to)}
	if p.Port.Proto == packet.UDP {
		return append(b, 0, 8, 0, 0)
	}
	s := p.Sequence
	return append(b, byte(s>>24), byte(s>>16), byte(s>>8), byte(s), 0, 0, 0, 0, 5<<4, byte(p.Flags), 0xff, 0xff, 0, 0, 0, 0)
}
