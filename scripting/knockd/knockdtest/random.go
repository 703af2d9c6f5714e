package knockdtest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"sesame/daemon/packet"
)

// What random doors are made of. There are few ports, so that doors often share some.
var (
	randomPorts = []packet.Port{
		{Proto: packet.TCP, Number: 7000}, {Proto: packet.TCP, Number: 8000}, {Proto: packet.TCP, Number: 9000},
		{Proto: packet.TCP, Number: 7100}, {Proto: packet.UDP, Number: 7000}, {Proto: packet.UDP, Number: 5000},
	}
	randomFlags  = []string{"", "", "syn", "syn", "syn", "syn,!ack", "ack", "!ack", "syn,ack", "!rst,!fin", "psh,!syn", "fin,urg"}
	randomLimits = []int{1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 0} // seconds
	// usual are flags of packets that are no knocks on purpose.
	usual = []packet.Flags{packet.SYN, packet.SYN, packet.ACK, packet.SYN | packet.ACK, packet.FIN | packet.ACK, packet.RST, packet.PSH | packet.ACK, packet.URG | packet.FIN}
)

// Times of random packets. Each packet has another slot within its second, so no two are a whole
// number of seconds apart: see Margin.
const (
	slots     = 16
	slotStart = 30 * time.Millisecond
	slotWidth = 58 * time.Millisecond
)

// Random makes a scenario: one to four doors, and one to four sources that send two to fourteen
// packets within six seconds. Most scenarios open a door. The same source of random numbers gives
// the same one.
func Random(r *rand.Rand, name string) Scenario {
	g := &generator{Rand: r}
	for i := range 1 + r.IntN(4) {
		g.doors = append(g.doors, g.door(i))
	}
	var conf strings.Builder
	for _, d := range g.doors {
		conf.WriteString(d.section())
	}
	for i := range 1 + r.IntN(4) {
		letter := string(rune('a' + i))
		if r.IntN(5) == 0 {
			letter += "6"
		}
		g.knockers = append(g.knockers, &knocker{source: mustSource(letter)})
	}
	s := Scenario{Name: name, Conf: conf.String()}
	for i, at := range g.times() {
		p := g.packet(s.Packets)
		p.Number, p.Time = i+1, at
		if p.SourcePort == 0 {
			Renumber(&p, p.Number)
		}
		s.Packets = append(s.Packets, p)
	}
	return s
}

type generator struct {
	*rand.Rand
	doors    []randomDoor
	knockers []*knocker
}

// A randomDoor is a door before it is written as a section.
type randomDoor struct {
	name       string
	sequence   []packet.Port
	timeout    int
	flags      string
	set, clear packet.Flags
	target     bool
}

// A knocker is a source that knocks the sequence of a door.
type knocker struct {
	source netip.Addr
	door   int
	next   int // the index of its next knock
}

// chance returns true in percent of 100 calls.
func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

// door returns the door at index i. It often begins as an earlier one does, since that is where
// bugs are.
func (g *generator) door(i int) randomDoor {
	d := randomDoor{name: string(rune('A' + i)), timeout: pick(g, randomLimits), flags: pick(g, randomFlags), target: g.chance(10)}
	if i > 0 && g.chance(40) {
		before := g.doors[g.IntN(i)].sequence
		d.sequence = slices.Clone(before[:1+g.IntN(len(before))]) // they begin alike
	}
	for length := pick(g, []int{1, 2, 2, 2, 3, 3, 3, 3, 4, 5}); len(d.sequence) < length; {
		d.sequence = append(d.sequence, pick(g, randomPorts))
	}
	for word := range strings.SplitSeq(d.flags, ",") {
		name, clear := strings.CutPrefix(word, "!")
		switch {
		case word == "":
		case clear:
			d.clear |= mustFlags(name)
		default:
			d.set |= mustFlags(name)
		}
	}
	return d
}

// section returns the door as knockd.conf has it.
func (d randomDoor) section() string {
	var ports, options []string
	for _, p := range d.sequence {
		port := strconv.Itoa(int(p.Number))
		if p.Proto == packet.UDP {
			port += ":udp"
		}
		ports = append(ports, port)
	}
	options = append(options, fmt.Sprintf("seq_timeout = %d", d.timeout))
	if d.flags != "" {
		options = append(options, "tcpflags = "+d.flags)
	}
	if d.target {
		options = append(options, "target = "+Second4.String())
	}
	return door(d.name, strings.Join(ports, ","), options...)
}

// times returns when packets come.
func (g *generator) times() (times []time.Time) {
	seconds := pick(g, []int{1, 1, 2, 2, 3, 3, 4, 6})
	for _, slot := range g.Perm(slots)[:2+g.IntN(13)] {
		within := slotStart + time.Duration(slot)*slotWidth
		times = append(times, Start.Add(time.Duration(g.IntN(seconds))*time.Second+within))
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// packet returns the next packet of a random source: mostly its next knock.
func (g *generator) packet(earlier []packet.Packet) packet.Packet {
	if len(earlier) > 0 && g.chance(4) {
		return pick(g, earlier) // sent again
	}
	k := pick(g, g.knockers)
	if k.next == 0 || g.chance(6) {
		k.door, k.next = g.IntN(len(g.doors)), 0
	}
	d := &g.doors[k.door]
	p := packet.Packet{Source: k.source, Port: d.sequence[k.next]}
	if g.chance(8) {
		p.Port = pick(g, randomPorts)
	} else {
		k.next = (k.next + 1) % len(d.sequence)
	}
	p.Dest = g.dest(d, k.source.Is6())
	if p.Port.Proto == packet.TCP {
		p.Flags = g.flags(d)
	}
	return p
}

// dest returns a destination: mostly one that the door accepts.
func (g *generator) dest(d *randomDoor, six bool) netip.Addr {
	to := ""
	switch {
	case g.chance(4):
		to = "elsewhere"
	case d.target, g.chance(8):
		to = "2"
	}
	return mustDest(to, six)
}

// flags returns the flags of a TCP packet. In nine of ten packets the door accepts them.
func (g *generator) flags(d *randomDoor) packet.Flags {
	if g.chance(10) {
		return pick(g, usual)
	}
	flags := d.set
	if flags == 0 || g.chance(20) {
		flags |= pick(g, usual) &^ d.clear
	}
	if flags == 0 {
		return packet.PSH // no door that has nothing else refuses it
	}
	return flags
}
