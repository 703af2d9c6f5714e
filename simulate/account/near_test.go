package account

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// fourKnocks is the door of the tests.
func fourKnocks() *engine.Door {
	d := &engine.Door{Name: "ssh", Within: 8 * time.Second}
	for _, text := range []string{"tcp/7421", "udp/9133", "tcp/2904", "tcp/6117"} {
		d.Sequence = append(d.Sequence, engine.Knock{Port: portOf(text), Flags: engine.SYN})
	}
	return d
}

func portOf(text string) packet.Port {
	p, err := packet.ParsePort(text)
	if err != nil {
		panic(err)
	}
	return p
}

// collect gives a near one judgment for each line "SECONDS PORT WHAT". WHAT is the ruling or, of a
// packet that changed nothing, why; a number after it is the stage before.
func collect(d *engine.Door, lines string) *near {
	var n near
	for i, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		var seconds float64
		var port, what string
		j := &engine.Judgment{Door: d, Packet: i + 1, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN, Ruling: engine.Ignored}
		fmt.Sscan(line, &seconds, &port, &what, &j.Before)
		j.Time, j.Came = time.Unix(0, 0).Add(time.Duration(math.Round(seconds*1000))*time.Millisecond), portOf(port)
		p := &packet.Packet{Number: i + 1, Time: j.Time, Port: j.Came, Dest: j.Dest}
		switch what {
		case "fragment":
			n.unread(d, p, Fragment, false)
			continue
		case "cut":
			n.unread(d, p, Truncated, false)
			continue
		case "began":
			j.Ruling = engine.Began
		case "advanced":
			j.Ruling = engine.Advanced
		case "finished":
			j.Ruling = engine.Finished
		case "disturbed":
			j.Ruling, j.Why = engine.Disturbed, engine.OutOfTurn
		case "late":
			j.Ruling = engine.TooLate
		case "tripwire":
			j.Ruling, j.Why = engine.Disturbed, engine.AtTripwire
		case "turn":
			j.Why = engine.OutOfTurn
		case "flags":
			j.Why, j.Flags = engine.OtherFlags, packet.SYN|packet.ACK
		case "ack":
			j.Why, j.Flags = engine.OtherFlags, packet.ACK
		case "protocol":
			j.Why = engine.OtherProtocol
		case "port":
			j.Why = engine.OtherPort
		case "elsewhere":
			j.Why = engine.OtherDestination
		default:
			panic(what)
		}
		n.judge(j)
	}
	return &n
}

// One packet is not named for two knocks of the same port.
func TestAPortTwiceInASequence(t *testing.T) {
	d := fourKnocks()
	d.Sequence[3] = d.Sequence[0]
	n := collect(d, "0 tcp/7421 flags\n1 udp/9133 turn")
	got := n.neverBegan(n.unbegun(0), d, false)
	if strings.Contains(got, "came too") {
		t.Error(got)
	}
}

// A packet that is judged twice is one step, also where the sequence has its port twice.
func TestAPacketThatIsJudgedTwice(t *testing.T) {
	d := fourKnocks()
	d.Sequence[2], d.Sequence[3] = d.Sequence[0], d.Sequence[1]
	n := collect(d, "1 udp/9133 turn")
	n.add(n.present[0])
	if len(n.present) != 1 {
		t.Errorf("it is %d steps", len(n.present))
	}
}

func TestWhatNeverBegan(t *testing.T) {
	for _, tt := range []struct{ name, lines, want string }{
		{"the first is missing", "1 udp/9133 turn\n2 tcp/2904 turn\n3 tcp/6117 turn", "udp/9133, tcp/2904, tcp/6117 came (packets 1-3); tcp/7421 did not"},
		{"the first is another port", "0 tcp/7420 port\n1 udp/9133 turn\n2 tcp/2904 turn\n3 tcp/6117 turn",
			"tcp/7420 came (packet 1), tcp/7421 was expected; udp/9133, tcp/2904, tcp/6117 came (packets 2-4)"},
		{"all have other flags", "0 tcp/7421 flags\n1 udp/9133 turn\n2 tcp/2904 flags\n3 tcp/6117 flags",
			"tcp/7421, tcp/2904, tcp/6117 came (packets 1, 3 and 4) with SYN and ACK: the door wants syn,!ack; udp/9133 came (packet 2)"},
		{"all are to another address", "0 tcp/7421 elsewhere\n1 udp/9133 elsewhere\n2 tcp/2904 elsewhere\n3 tcp/6117 elsewhere",
			"tcp/7421, udp/9133, tcp/2904, tcp/6117 came (packets 1-4) to 198.51.100.1, which is no address of this host"},
		{"cut by the snap length", "0 tcp/7421 cut\n1 udp/9133 turn\n2 tcp/2904 cut\n3 tcp/6117 cut",
			"tcp/7421, tcp/2904, tcp/6117 came (packets 1, 3 and 4) cut short by the capture: record whole packets with tcpdump -s 0; udp/9133 came (packet 2)"},
		{"as fragments", "0 tcp/7421 fragment\n1 udp/9133 fragment", "tcp/7421, udp/9133 came (packets 1-2) as a fragment, and no fragment is a knock; tcp/2904, tcp/6117 did not"},
		{"one knock from the middle", "0 tcp/2904 turn", "tcp/2904 came (packet 1); tcp/7421, udp/9133, tcp/6117 did not"},
		{"the second try is longer", "0 udp/9133 turn\n20 tcp/7420 port\n21 udp/9133 turn\n22 tcp/2904 turn",
			"tcp/7420 came (packet 2), tcp/7421 was expected; udp/9133, tcp/2904 came (packets 3-4); tcp/6117 did not"},
		{"each knock comes twice", "0 udp/9133 turn\n0.1 udp/9133 turn\n1 tcp/2904 turn\n1.1 tcp/2904 turn", "udp/9133, tcp/2904 came (packets 1 and 3); tcp/7421, tcp/6117 did not"},
		{"as UDP first, and right at once", "0 tcp/9133 protocol\n1 udp/9133 turn\n2 tcp/2904 turn", "udp/9133, tcp/2904 came (packets 2-3); tcp/7421, tcp/6117 did not"},
		{"one packet that only resembles", "0 tcp/2904 flags", ""},
		{"a port that resembles the third", "0 tcp/2905 port", ""},
		{"a packet that belongs to no chain", "0 tcp/6117 port\n1 udp/9133 turn\n2 tcp/2904 turn", "udp/9133, tcp/2904 came (packets 2-3); tcp/6117 came too (packet 1); tcp/7421 did not"},
		{"a packet long before", "0 tcp/6117 port\n100 udp/9133 turn\n101 tcp/2904 turn", "udp/9133, tcp/2904 came (packets 2-3); tcp/7421, tcp/6117 did not"},
		{"a packet long after", "0 udp/9133 turn\n1 tcp/2904 turn\n100 tcp/6117 port", "udp/9133, tcp/2904 came (packets 1-2); tcp/7421, tcp/6117 did not"},
		{"an attempt began", "0 tcp/7421 began\n1 udp/9133 advanced 1\n20 udp/9133 turn", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := fourKnocks()
			n, got := collect(d, tt.lines), ""
			if c := n.unbegun(0); c != nil {
				got = strings.TrimPrefix(n.neverBegan(c, d, false), "never began: ")
			}
			if got != tt.want {
				t.Errorf("got  %q,\nwant %q", got, tt.want)
			}
		})
	}
}

func TestWhatStoppedAnAttempt(t *testing.T) {
	for _, tt := range []struct {
		name, lines string
		stage       int
		want        string
	}{
		{"with ACK", "0 tcp/7421 began\n1 udp/9133 advanced 1\n2 tcp/2904 ack\n3 tcp/6117 disturbed", 2, "tcp/2904 came (packet 3) with ACK: the door wants syn,!ack"},
		{"as UDP", "0 tcp/7421 began\n1 udp/9133 advanced 1\n2 udp/2904 protocol\n3 tcp/6117 disturbed", 2, "udp/2904 came (packet 3), tcp/2904 was expected"},
		{"two digits exchanged", "0 tcp/7421 began\n1 udp/9133 advanced 1\n2 tcp/2094 port\n3 tcp/6117 disturbed", 2, "tcp/2094 came (packet 3), tcp/2904 was expected"},
		{"a tripwire beside it", "0 tcp/7421 began\n1 udp/9133 advanced 1\n2 tcp/2905 tripwire", 2, "tcp/2905 came (packet 3), tcp/2904 was expected"},
		{"a tripwire elsewhere", "0 tcp/7421 began\n1 udp/9133 advanced 1\n2 tcp/8005 tripwire", 2, ""},
		{"the awaited one comes too", "0 tcp/7421 began\n1 udp/9133 advanced 1\n2 udp/2904 protocol\n3 tcp/2904 advanced 2\n20 tcp/6117 late", 3, ""},
		{"overtaken", "0 tcp/7421 began\n1 udp/9133 advanced 1\n2 tcp/6117 disturbed\n2.002 tcp/2904 turn", 2, "tcp/2904 came (packet 4) 2ms after tcp/6117, the knock behind it: wait longer between knocks"},
		{"much later than overtaken", "0 tcp/7421 began\n1 udp/9133 advanced 1\n2 tcp/6117 disturbed\n3.1 tcp/2904 turn", 2, ""},
		{"of another attempt", "0 tcp/7421 began\n1 udp/9133 advanced 1\n2 tcp/2904 ack\n3 tcp/6117 disturbed", 1, ""},
		{"of a later attempt that came as far", "0 tcp/7421 began\n1 udp/9133 advanced 1\n2 tcp/2904 ack\n3 tcp/6117 disturbed\n20 tcp/7421 began\n21 udp/9133 advanced 1\n22 tcp/2904 ack\n23 tcp/6117 disturbed", 2,
			"tcp/2904 came (packet 7) with ACK: the door wants syn,!ack"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := fourKnocks()
			n, got := collect(d, tt.lines), ""
			if s := n.explains(tt.stage); s != nil {
				got = s.text(d, n.steps)
			}
			if got != tt.want {
				t.Errorf("got  %q,\nwant %q", got, tt.want)
			}
		})
	}
}

// What is found is found also when the door is in a set that was loaded again, and forgotten when
// the door has another sequence.
func TestNearFollowsTheDoor(t *testing.T) {
	n := collect(fourKnocks(), "0 udp/9133 turn\n1 tcp/2904 turn")
	again := fourKnocks()
	n.judge(&engine.Judgment{Door: again, Packet: 3, Time: time.Unix(2, 0), Came: portOf("tcp/6117"), Ruling: engine.Ignored, Why: engine.OutOfTurn})
	if len(n.present) != 3 {
		t.Errorf("%d steps after a reload, expected 3", len(n.present))
	}
	other := fourKnocks()
	other.Sequence = other.Sequence[2:]
	n.judge(&engine.Judgment{Door: other, Packet: 4, Time: time.Unix(3, 0), Came: portOf("tcp/6117"), Ruling: engine.Ignored, Why: engine.OutOfTurn})
	if len(n.present) != 1 || len(n.best) != 3 {
		t.Errorf("%d steps of the new sequence and %d of the old one, expected 1 and 3", len(n.present), len(n.best))
	}
}

func TestOneSlip(t *testing.T) {
	for _, tt := range []struct {
		a, b uint16
		want bool
	}{
		{2904, 2094, true}, {2904, 2905, true}, {2904, 294, true}, {2904, 29044, true}, {2904, 12904, true}, {2904, 9204, true}, {2904, 2940, true},
		{2904, 2904, false}, {2904, 2895, false}, {2904, 4902, false}, {2904, 29, false}, {2904, 2490, false}, {7, 8, true}, {7, 78, true}, {12, 21, true}, {123, 321, false},
	} {
		if oneSlip(tt.a, tt.b) != tt.want || oneSlip(tt.b, tt.a) != tt.want {
			t.Errorf("%d and %d: expected %v both ways", tt.a, tt.b, tt.want)
		}
	}
}

func TestPositions(t *testing.T) {
	for want, at := range map[string][]position{
		"packet 2":                 {{2, 0}},
		"packets 2-4":              {{2, 0}, {3, 0}, {4, 0}},
		"packets 3-4":              {{3, 0}, {4, 0}},
		"packets 1, 3 and 4":       {{1, 0}, {3, 0}, {4, 0}},
		"packets 1-3 and 7":        {{1, 0}, {2, 0}, {3, 0}, {7, 0}},
		"packets 1-2 of capture 2": {{1, 2}, {2, 2}},
		"packet 1 of capture 2":    {{1, 2}},
		"packet 3 of capture 1, packet 1 of capture 2": {{3, 1}, {1, 2}},
	} {
		if got := positions(at); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestFlagNames(t *testing.T) {
	for _, tt := range [][2]string{
		{flagsOf(packet.SYN | packet.ACK), "SYN and ACK"}, {flagsOf(packet.ACK), "ACK"}, {flagsOf(0), "no flags"}, {flagsOf(packet.FIN | packet.PSH | packet.URG), "FIN, PSH and URG"},
		{Wanted(engine.SYN), "syn,!ack"}, {Wanted(engine.FlagTest{}), "any flags"}, {Wanted(engine.FlagTest{Clear: packet.CWR}), "!cwr"},
	} {
		if tt[0] != tt[1] {
			t.Errorf("got %q, want %q", tt[0], tt[1])
		}
	}
}
