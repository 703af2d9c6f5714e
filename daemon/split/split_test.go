package split

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

var (
	begin = time.Date(2026, 11, 21, 10, 2, 3, 0, time.UTC)
	host  = netip.MustParseAddr("192.0.2.1")
	host6 = netip.MustParseAddr("2001:db8:1::1")
)

func ours(a netip.Addr) bool { return a == host || a == host6 }

func knock(text string) engine.Knock {
	p, err := packet.ParsePort(text)
	if err != nil {
		panic(err)
	}
	return engine.Knock{Port: p, Flags: engine.SYN}
}

// door returns a door with this sequence.
func door(name, sequence string) *engine.Door {
	d := &engine.Door{Name: name, Within: 8 * time.Second, TTL: time.Minute}
	for _, text := range strings.Fields(sequence) {
		d.Sequence = append(d.Sequence, knock(text))
	}
	return d
}

// send gives the finder lines "SECONDS SOURCE PORT WHAT". WHAT may be missing: it is the event that
// the packet causes, or how it differs from others.
func send(f *Finder, lines string) {
	last := uint32(0)
	for i, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		fields := strings.Fields(line)
		after, err := time.ParseDuration(fields[0] + "s")
		if err != nil {
			panic(err)
		}
		p := packet.Packet{
			Time: begin.Add(after), Number: i + 1, Source: netip.MustParseAddr(fields[1]), Dest: host,
			SourcePort: 40000, Sequence: uint32(after.Milliseconds()), Port: knock(fields[2]).Port, Flags: packet.SYN,
		}
		var events []engine.Event
		switch strings.Join(fields[3:], "") {
		case "open":
			events = []engine.Event{{Kind: engine.EventOpen, Door: "ssh"}}
		case "refuse":
			events = []engine.Event{{Kind: engine.EventRefuse, Door: "ssh"}}
		case "error":
			events = []engine.Event{{Kind: engine.EventError, Door: "ssh"}}
		case "other":
			events = []engine.Event{{Kind: engine.EventOpen, Door: "other"}, {Kind: engine.EventMiss, Door: "ssh"}}
		case "first":
			p.Sequence = 0
		case "again":
			p.Sequence = last
		case "syn+ack":
			p.Flags |= packet.ACK
		case "ipv6":
			p.Dest = host6
		case "elsewhere6":
			p.Dest = netip.MustParseAddr("2001:db8:1::99")
		case "elsewhere":
			p.Dest = netip.MustParseAddr("192.0.2.99")
		}
		f.Packet(&p, events, ours)
		last = p.Sequence
	}
}

const (
	four = "tcp/7421 udp/9133 tcp/2904 tcp/6117"
	hint = ": probably one knock from two addresses (carrier NAT); knock over IPv6, or on a door of one knock"
)

// A twoAddressesTest is a sequence of packets to the door ssh, and what is found in it.
type twoAddressesTest struct {
	name, sequence, packets string
	want                    []string
}

var ofTwoAddresses = []twoAddressesTest{
	{"the second half", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		0.4 198.51.100.141 tcp/2904
		0.6 198.51.100.141 tcp/6117`,
		[]string{"knocks 3 and 4 of ssh came from 198.51.100.141, and the rest from 198.51.100.9" + hint}},
	{"all but the first", four, `
		0   198.51.100.9   tcp/7421
		0.2 203.0.113.5    udp/9133
		0.4 203.0.113.5    tcp/2904
		0.6 203.0.113.5    tcp/6117`,
		[]string{"knocks 2, 3 and 4 of ssh came from 203.0.113.5, and the rest from 198.51.100.9" + hint}},
	{"by turns", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.141 udp/9133
		0.4 198.51.100.9   tcp/2904
		0.6 198.51.100.141 tcp/6117`,
		[]string{"knocks 2 and 4 of ssh came from 198.51.100.141, and the rest from 198.51.100.9" + hint}},
	{"the last comes again by itself", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		0.4 198.51.100.141 tcp/2904
		0.5 198.51.100.141 tcp/2904 again
		0.6 198.51.100.141 tcp/6117`,
		[]string{"knocks 3 and 4 of ssh came from 198.51.100.141, and the rest from 198.51.100.9" + hint}},
	{"twice", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		0.4 198.51.100.141 tcp/2904
		0.6 198.51.100.141 tcp/6117
		2   198.51.100.9   tcp/7421
		2.2 198.51.100.141 udp/9133
		2.4 198.51.100.141 tcp/2904
		2.6 198.51.100.141 tcp/6117`,
		[]string{"knocks 2, 3 and 4 of ssh came from 198.51.100.141, and the rest from 198.51.100.9 (2 times)" + hint}},
	{"others knock elsewhere meanwhile", four, `
		0   198.51.100.9   tcp/7421
		0.1 203.0.113.77   tcp/8004
		0.2 198.51.100.9   udp/9133
		0.3 203.0.113.78   tcp/2904
		0.4 198.51.100.141 tcp/2904
		0.6 198.51.100.141 tcp/6117`,
		[]string{"knocks 3 and 4 of ssh came from 198.51.100.141, and the rest from 198.51.100.9" + hint}},
	{"a neighbour, at a door of two knocks", "tcp/7421 tcp/6117", `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.141 tcp/6117`,
		[]string{"knock 2 of ssh came from 198.51.100.141, and the rest from 198.51.100.9" + hint}},
	{"the first also sends the last", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.141 udp/9133
		0.4 198.51.100.141 tcp/2904
		0.6 198.51.100.9   tcp/6117`,
		[]string{"knocks 2 and 3 of ssh came from 198.51.100.141, and the rest from 198.51.100.9" + hint}},
	{"the first knock is sent again, late", four, `
		0   198.51.100.9   tcp/7421
		0   198.51.100.9   tcp/7421 again
		0.2 198.51.100.9   udp/9133
		0.4 198.51.100.141 tcp/2904
		0.5 198.51.100.9   tcp/7421 first
		0.6 198.51.100.141 tcp/6117`,
		[]string{"knocks 3 and 4 of ssh came from 198.51.100.141, and the rest from 198.51.100.9" + hint}},
	{"just in time", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		4   198.51.100.141 tcp/2904
		7.9 198.51.100.141 tcp/6117`,
		[]string{"knocks 3 and 4 of ssh came from 198.51.100.141, and the rest from 198.51.100.9" + hint}},
	{"another door opens", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		0.4 198.51.100.141 tcp/2904
		0.6 198.51.100.141 tcp/6117 other`,
		[]string{"knocks 3 and 4 of ssh came from 198.51.100.141, and the rest from 198.51.100.9" + hint}},
}

// ofTwoFamilies are knocks over IPv4 and IPv6, so to two addresses of the host.
var ofTwoFamilies = []twoAddressesTest{
	{"IPv4 first", four, `
		0   198.51.100.9 tcp/7421
		0.2 198.51.100.9 udp/9133
		0.4 2001:db8::9  tcp/2904 ipv6
		0.6 2001:db8::9  tcp/6117 ipv6`,
		[]string{"knocks 3 and 4 of ssh came from 2001:db8::9, and the rest from 198.51.100.9: probably one knock from two addresses (IPv4 and IPv6); send all knocks over one address family"}},
	{"by NAT64", four, `
		0   198.51.100.9            tcp/7421
		0.2 198.51.100.9            udp/9133
		0.4 198.51.100.9            tcp/2904
		0.6 64:ff9b::198.51.100.9   tcp/6117 ipv6`,
		[]string{"knock 4 of ssh came from 64:ff9b::c633:6409, and the rest from 198.51.100.9: probably one knock from two addresses (the same client, once translated by NAT64); send all knocks over one address family"}},
	{"by NAT64, at a door of two knocks", "tcp/7421 tcp/6117", `
		0   198.51.100.9            tcp/7421
		0.6 64:ff9b::198.51.100.9   tcp/6117 ipv6`,
		[]string{"knock 2 of ssh came from 64:ff9b::c633:6409, and the rest from 198.51.100.9: probably one knock from two addresses (the same client, once translated by NAT64); send all knocks over one address family"}},
	{"strangers behind one NAT64, at a door of two knocks", "tcp/7421 tcp/6117", `
		0   64:ff9b::203.0.113.5  tcp/7421 ipv6
		0.6 64:ff9b::198.51.100.9 tcp/6117 ipv6`, nil},
	{"two families, at a door of two knocks", "tcp/7421 tcp/6117", `
		0   198.51.100.9 tcp/7421
		0.6 2001:db8::9  tcp/6117 ipv6`, nil},
	{"one half to another host", four, `
		0   198.51.100.9 tcp/7421
		0.2 198.51.100.9 udp/9133
		0.4 2001:db8::9  tcp/2904 elsewhere6
		0.6 2001:db8::9  tcp/6117 elsewhere6`, nil},
}

var notOfTwoAddresses = []twoAddressesTest{
	{"a stranger, at a door of two knocks", "tcp/7421 tcp/6117", `
		0   198.51.100.9   tcp/7421
		0.2 203.0.113.5    tcp/6117`, nil},
	{"the first knock is knocked again, late", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		0.4 198.51.100.141 tcp/2904
		0.5 198.51.100.9   tcp/7421
		0.6 198.51.100.141 tcp/6117`, nil},
	{"exactly too late", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		4   198.51.100.141 tcp/2904
		8   198.51.100.141 tcp/6117`, nil},
	{"the sequence is complete, and refused", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		0.4 198.51.100.141 tcp/2904
		0.6 198.51.100.141 tcp/6117 refuse`, nil},
	{"the sequence is complete, and the script fails", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		0.4 198.51.100.141 tcp/2904
		0.6 198.51.100.141 tcp/6117 error`, nil},
	{"one knocks it all", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		0.4 198.51.100.9   tcp/2904
		0.6 198.51.100.9   tcp/6117 open`, nil},
	{"it opens for the second", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		0.4 198.51.100.141 tcp/2904
		0.6 198.51.100.141 tcp/6117 open`, nil},
	{"too late", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		4   198.51.100.141 tcp/2904
		8.1 198.51.100.141 tcp/6117`, nil},
	{"another order", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.141 tcp/2904
		0.4 198.51.100.9   udp/9133
		0.6 198.51.100.141 tcp/6117`, nil},
	{"one is missing", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		0.6 198.51.100.141 tcp/6117`, nil},
	{"three addresses", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.10  udp/9133
		0.4 198.51.100.141 tcp/2904
		0.6 198.51.100.141 tcp/6117`, nil},
	{"the first also sends a wrong one", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		0.3 198.51.100.9   tcp/8004
		0.4 198.51.100.141 tcp/2904
		0.6 198.51.100.141 tcp/6117`, nil},
	{"the second also sends a wrong one", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		0.3 198.51.100.141 tcp/8004
		0.4 198.51.100.141 tcp/2904
		0.6 198.51.100.141 tcp/6117`, nil},
	{"two first halves", four, `
		0   198.51.100.9   tcp/7421
		0   203.0.113.5    tcp/7421
		0.2 198.51.100.9   udp/9133
		0.2 203.0.113.5    udp/9133
		0.4 198.51.100.141 tcp/2904
		0.6 198.51.100.141 tcp/6117`, nil},
	{"two families", four, `
		0   2001:db8::9    tcp/7421
		0.2 2001:db8::9    udp/9133
		0.4 198.51.100.141 tcp/2904
		0.6 198.51.100.141 tcp/6117 elsewhere`, nil},
	{"other flags", four, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		0.4 198.51.100.141 tcp/2904
		0.6 198.51.100.141 tcp/6117 syn+ack`, nil},
	{"to another host", four, `
		0   198.51.100.9   tcp/7421 elsewhere
		0.2 198.51.100.9   udp/9133 elsewhere
		0.4 198.51.100.141 tcp/2904 elsewhere
		0.6 198.51.100.141 tcp/6117 elsewhere`, nil},
}

func TestKnocksOfTwoAddresses(t *testing.T) {
	for _, test := range slices.Concat(ofTwoAddresses, ofTwoFamilies, notOfTwoAddresses) {
		t.Run(test.name, func(t *testing.T) {
			var f Finder
			f.SetDoors([]*engine.Door{door("ssh", test.sequence)})
			send(&f, test.packets)
			var got []string
			for _, k := range f.Knocks() {
				got = append(got, k.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHalf asks for the part that each of two addresses sent.
func TestHalf(t *testing.T) {
	var f Finder
	f.SetDoors([]*engine.Door{door("ssh", four)})
	send(&f, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.141 udp/9133
		0.4 198.51.100.141 tcp/2904
		0.6 198.51.100.9   tcp/6117`)
	k := f.Knocks()[0]
	for source, want := range map[string]string{
		"198.51.100.9":   "198.51.100.141 [{2 0} {3 0}] true",
		"198.51.100.141": "198.51.100.9 [{1 0} {4 0}] true",
		"198.51.100.10":  "invalid IP [] false",
	} {
		other, sent, ok := k.Half(netip.MustParseAddr(source))
		if got := fmt.Sprint(other, sent, ok); got != want {
			t.Errorf("%s shares it with %s, expected %s", source, got, want)
		}
	}
}

func TestPlainAndNear(t *testing.T) {
	for _, tt := range []struct {
		a, b, plain string
		near        bool
	}{
		{"203.0.113.9", "203.0.113.200", "203.0.113.9", true},
		{"203.0.113.9", "203.0.114.9", "203.0.113.9", false},
		{"::ffff:203.0.113.9", "203.0.113.10", "203.0.113.9", true},
		{"64:ff9b::203.0.113.9", "203.0.113.9", "203.0.113.9", true},
		{"64:ff9b::203.0.113.9", "64:ff9b::198.51.100.9", "203.0.113.9", false},
		{"64:ff9b:1::203.0.113.9", "203.0.113.9", "64:ff9b:1::cb00:7109", false},
		{"2001:db8::9", "2001:db8:0:ffff::9", "2001:db8::9", true},
		{"2001:db8::9", "2001:db8:1::9", "2001:db8::9", false},
		{"fe80::1%eth0", "fe80::2", "fe80::1", true},
	} {
		a, b := netip.MustParseAddr(tt.a), netip.MustParseAddr(tt.b)
		if got := Plain(a).String(); got != tt.plain {
			t.Errorf("Plain(%s) = %s, expected %s", a, got, tt.plain)
		}
		if Near(a, b) != tt.near || Near(b, a) != tt.near {
			t.Errorf("Near(%s, %s) is not %v both ways", a, b, tt.near)
		}
	}
}

// TestDoorsAreReplaced knocks at a door that is no longer there, and at its successor.
func TestDoorsAreReplaced(t *testing.T) {
	var f Finder
	f.SetDoors([]*engine.Door{door("old", four)})
	f.SetDoors([]*engine.Door{door("new", "udp/1001 udp/1002 udp/1003"), {Name: "listener", Listen: true, Sequence: []engine.Knock{knock("udp/1002"), knock("udp/1003")}}})
	send(&f, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		0.4 198.51.100.141 tcp/2904
		0.6 198.51.100.141 tcp/6117
		20  198.51.100.9   udp/1001
		21  198.51.100.9   udp/1002
		22  198.51.100.141 udp/1003`)
	if got := f.Knocks(); len(got) != 1 || got[0].Door != "new" || got[0].Packet != 7 || !got[0].At.Equal(begin.Add(22*time.Second)) {
		t.Errorf("found %+v, expected packet 7 at door new", got)
	}
}

// TestPairsAndDoors has two doors with one last knock, of which two pairs knock one and one pair
// both. The same pair at the same door is one result, also when the other address begins.
func TestPairsAndDoors(t *testing.T) {
	var f Finder
	f.SetDoors([]*engine.Door{door("one", "udp/1001 udp/1002 udp/1009"), door("two", "udp/1003 udp/1004 udp/1009")})
	try := func(after int, a, b, first, second string) {
		send(&f, fmt.Sprintf("%d %s %s\n%d.1 %s %s\n%d.2 %s udp/1009", after, a, first, after, b, second, after, b))
	}
	const x, y, z = "198.51.100.1", "198.51.100.2", "198.51.100.3"
	try(0, x, y, "udp/1001", "udp/1002")
	try(10, x, y, "udp/1003", "udp/1004")
	try(20, x, z, "udp/1003", "udp/1004")
	try(30, y, x, "udp/1003", "udp/1004")
	var got []string
	for _, k := range f.Knocks() {
		first, second := k.pair()
		got = append(got, fmt.Sprintf("%s %s %s %d", k.Door, first, second, k.Count))
	}
	want := []string{"one " + x + " " + y + " 1", "two " + x + " " + z + " 1", "two " + y + " " + x + " 2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

// TestResultsAreBounded lets many pairs of addresses knock.
func TestResultsAreBounded(t *testing.T) {
	var f Finder
	f.SetDoors([]*engine.Door{door("ssh", four)})
	for i := range 100 {
		send(&f, fmt.Sprintf(`
			%[1]d   198.51.100.%[2]d tcp/7421
			%[1]d.2 198.51.100.%[2]d udp/9133
			%[1]d.4 203.0.113.%[2]d  tcp/2904
			%[1]d.6 203.0.113.%[2]d  tcp/6117`, i, i+1))
	}
	got := f.Knocks()
	if len(got) != maxKnocks {
		t.Fatalf("%d results, expected %d", len(got), maxKnocks)
	}
	if last := got[len(got)-1].Parts[0].String(); last != "198.51.100.100" {
		t.Errorf("the latest result is of %s, expected 198.51.100.100", last)
	}
}

// TestScansAndFloodsAreNoKnocks sends random packets to the ports of a set, from few sources and
// from many, to all ports and only to those that the engine looks at.
func TestScansAndFloodsAreNoKnocks(t *testing.T) {
	d := door("ssh", four)
	d.Tripwires = 64
	set := engine.Set{Doors: []*engine.Door{d}}
	watched := append(set.Tripwires(), d.Sequence...)
	for _, sources := range []int{2, 5, 50, 5000} {
		random := rand.New(rand.NewPCG(12, uint64(sources)))
		var f Finder
		f.SetDoors(set.Doors)
		for i := range 200_000 {
			k := watched[random.IntN(len(watched))]
			p := packet.Packet{
				Time: begin.Add(time.Duration(i) * 2 * time.Millisecond), Source: netip.AddrFrom4([4]byte{198, 51, byte(random.IntN(sources) >> 8), byte(random.IntN(sources))}),
				Dest: host, Port: k.Port, Flags: packet.SYN, Sequence: uint32(i),
			}
			f.Packet(&p, nil, ours)
		}
		if got := f.Knocks(); len(got) > 0 {
			t.Errorf("%d sources: found %v in noise", sources, got)
		}
	}
}

// TestLooksAreBounded sends the last knock again and again.
func TestLooksAreBounded(t *testing.T) {
	var f Finder
	f.SetDoors([]*engine.Door{door("ssh", four)})
	for i := range 1000 {
		f.Packet(&packet.Packet{Time: begin, Source: netip.MustParseAddr("203.0.113.5"), Dest: host, Port: knock("tcp/6117").Port, Flags: packet.SYN, Sequence: uint32(i)}, nil, ours)
	}
	send(&f, `
		0   198.51.100.9   tcp/7421
		0.2 198.51.100.9   udp/9133
		0.4 198.51.100.141 tcp/2904
		0.6 198.51.100.141 tcp/6117`)
	if got := f.Knocks(); len(got) > 0 {
		t.Errorf("found %v: more comparisons than a second has room for", got)
	}
	send(&f, `
		1.0 198.51.100.9   tcp/7421
		1.2 198.51.100.9   udp/9133
		1.4 198.51.100.142 tcp/2904
		1.6 198.51.100.142 tcp/6117`)
	if got := f.Knocks(); len(got) > 0 {
		t.Errorf("found %v although the first try is still remembered", got)
	}
	send(&f, `
		11.0 198.51.100.9   tcp/7421
		11.2 198.51.100.9   udp/9133
		11.4 198.51.100.142 tcp/2904
		11.6 198.51.100.142 tcp/6117`)
	if got := f.Knocks(); len(got) != 1 {
		t.Errorf("found %v, expected one knock in the next second", got)
	}
}
