package knockdtest

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sesame/daemon/packet"
)

// A Scenario is a knockd.conf, packets, and what becomes of them.
type Scenario struct {
	Name string // tells the story
	Conf string
	// Packets have times after [Start].
	Packets []packet.Packet
	// Knockd is what the real knockd makes of it, and Sesame what Sesame does, "":
	// the same. Both are as Summary writes them. Scenarios that were made at random
	// have neither.
	Knockd, Sesame string
}

// Start is when scenarios begin: at a whole second, which the real knockd sees.
var Start = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

// Where packets go to: two addresses of the host, and one that is elsewhere.
var (
	Here4      = netip.MustParseAddr("198.51.100.1")
	Second4    = netip.MustParseAddr("198.51.100.2")
	Elsewhere4 = netip.MustParseAddr("198.51.100.77")
	Here6      = netip.MustParseAddr("2001:db8:1::1")
	Second6    = netip.MustParseAddr("2001:db8:1::2")
	Elsewhere6 = netip.MustParseAddr("2001:db8:1::77")
)

// Local are the addresses of the host's interface.
func Local() []netip.Addr { return []netip.Addr{Here4, Second4, Here6, Second6} }

// gap is the time between packets that name none.
const gap = 26 * time.Millisecond

// flagNames are the flags as knockd.conf names them.
var flagNames = []struct {
	name string
	flag packet.Flags
}{
	{"fin", packet.FIN}, {"syn", packet.SYN}, {"rst", packet.RST}, {"psh", packet.PSH}, {"ack", packet.ACK}, {"urg", packet.URG},
}

// Packets reads packets written as
//
//	7000, 8000:udp, @1.5 b 7000 syn+ack to=2, b 7000 again, a6 9000
//
// each with its time in seconds after [Start], or that of the one before and a
// little more; with its source, a letter with a 6 for IPv6, a unless it is named;
// with its flags, else SYN; with its destination, here unless it is another (2 or
// elsewhere); and with a source port and a sequence number of its own, unless it
// is a packet sent again. A wrong text panics: it stands in a test.
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

// FirstSourcePort is the one of serial number 0.
const FirstSourcePort = 20000

// Renumber gives a packet the source port and sequence number of a serial number.
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

// Summary writes lines in short: A2 is stage 2 of door A, A! is an opening, A~2 is
// out of time at stage 2, A-2 is wrong there. Sources other than a are named.
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

// Margin is how near two packets come to be a whole number of seconds apart, and a
// packet to a whole second of the clock: there what a limit says hangs on less
// than any two clocks agree on.
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

func toWhole(d time.Duration) time.Duration { return (d - d.Round(time.Second)).Abs() }

// WithEnd returns the scenario with one more door at the end of its file, and one
// more packet, which opens that door and ends nothing: so whoever hears of it has
// heard all the rest.
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

// Story returns what was played, for whoever looks into it.
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

// Frame returns the packet from its IP header on. Its sums are zero: who captures
// does not look at them, and the host that it goes to answers nothing.
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
	return append(frame, segment...)
}

func segmentOf(p *packet.Packet) []byte {
	from, to := p.SourcePort, p.Port.Number
	b := []byte{byte(from >> 8), byte(from), byte(to >> 8), byte(to)}
	if p.Port.Proto == packet.UDP {
		return append(b, 0, 8, 0, 0)
	}
	s := p.Sequence
	return append(b, byte(s>>24), byte(s>>16), byte(s>>8), byte(s), 0, 0, 0, 0, 5<<4, byte(p.Flags), 0xff, 0xff, 0, 0, 0, 0)
}
