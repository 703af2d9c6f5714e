package knockdtest

// The doors of most scenarios.
const (
	doorA = "[A]\nsequence = 7000,8000,9000\nseq_timeout = 5\ntcpflags = syn\n"
	doorB = "[B]\nsequence = 1111,2222\nseq_timeout = 5\ntcpflags = syn\n"
	// short is door A with a limit that a test with the real knockd can wait for.
	short = "[A]\nsequence = 7000,8000,9000\nseq_timeout = 2\ntcpflags = syn\n"
)

// door returns a section with further lines.
func door(name, sequence string, options ...string) string {
	text := "[" + name + "]\nsequence = " + sequence + "\n"
	for _, option := range options {
		text += option + "\n"
	}
	return text
}

// Scenarios returns the scenarios by which knockd and Sesame are compared.
func Scenarios() []Scenario {
	var all []Scenario
	for _, chapter := range [][]story{oneDoor, limits, flags, families, destinations, severalDoors, severalSources, sentAgain, readings} {
		for _, s := range chapter {
			all = append(all, Scenario{Name: s.name, Conf: s.conf, Packets: Packets(s.packets), Knockd: s.knockd, Sesame: s.sesame})
		}
	}
	return all
}

// A story is a scenario as it is written down.
type story struct{ name, conf, packets, knockd, sesame string }

var oneDoor = []story{
	{"three knocks in order open", doorA, "7000, 8000, 9000", "A1 A2 A3 A!", ""},
	{"the first knock twice ends it", doorA, "7000, 7000, 8000, 9000", "A1 A-1", ""},
	{"the first knock three times begins anew", doorA, "7000, 7000, 7000, 8000, 9000", "A1 A-1 A1 A2 A3 A!", ""},
	{"the second knock twice ends it", doorA, "7000, 8000, 8000, 9000", "A1 A2 A-2", ""},
	{"a knock too early ends it and another try opens", doorA, "7000, 9000, 7000, 8000, 9000", "A1 A-1 A1 A2 A3 A!", ""},
	{"an end without a beginning", doorA, "8000, 9000", "", ""},
	{"a port of no door does not count", doorA, "7000, 1234, 8000, 9000", "A1 A2 A3 A!", ""},
	{"a scan upwards opens what ascends", doorA, "6999, 7000, 7001, 8000, 8001, 9000", "A1 A2 A3 A!", ""},
	{"a scan downwards opens nothing", doorA, "9000, 8999, 8000, 7999, 7000, 6999", "A1", ""},
	{"the last knock twice opens once", doorA, "7000, 8000, 9000, 9000", "A1 A2 A3 A!", ""},
	{"who knocks again opens again", doorA, "7000, 8000, 9000, 7000, 8000, 9000", "A1 A2 A3 A! A1 A2 A3 A!", ""},
	{"a door of one port opens for each packet", door("U", "5000:udp"), "5000:udp, 5000:udp, 5000:udp", "U1 U! U1 U! U1 U!", ""},
	{"a port twice in a sequence", door("J", "7000,7000,8000"), "7000, 7000, 8000", "J1 J2 J3 J!", ""},
	{"the same port three times", door("K", "7000,7000,7000"), "7000, 7000, 7000, 7000", "K1 K2 K3 K! K1", ""},
	{"a port that comes back", door("K", "7000,8000,7000,9000"), "7000, 8000, 7000, 8000, 7000, 8000, 7000, 9000", "K1 K2 K3 K-3 K1 K2 K3 K4 K!", ""},
	{"no falling back to a shorter run", door("K", "7000,7000,8000"), "7000, 7000, 7000, 8000", "K1 K2 K-2", ""},
	{"thirty-two ports", door("L", "1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8", "seq_timeout = 9"),
		"1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8",
		"L1 L2 L3 L4 L5 L6 L7 L8 L9 L10 L11 L12 L13 L14 L15 L16 L17 L18 L19 L20 L21 L22 L23 L24 L25 L26 L27 L28 L29 L30 L31 L32 L!", ""},
}

var limits = []story{
	{"a limit of two seconds is over after 1.15 when two seconds began meanwhile", short, "@0.9 7000, @1.3 8000, @2.05 9000", "A1 A2 A~2", "A1 A2 A3 A!"},
	{"a limit of two seconds lasts 1.85 when it began with the second", short, "@0.05 7000, @1.25 8000, @1.9 9000", "A1 A2 A3 A!", ""},
	{"too late by every clock", short, "@0.1 7000, @0.4 8000, @2.6 9000", "A1 A2 A~2", ""},
	{"too late, and that packet begins anew", short, "@0.1 7000, @0.3 8000, @2.4 7000, 8000, 9000", "A1 A2 A~2 A1 A2 A3 A!", ""},
	{"too late after the first knock", short, "@0.1 7000, @2.4 7000, 8000, 9000", "A1 A~1 A1 A2 A3 A!", ""},
	{"the limit counts from the first knock and not from the latest", short, "@0.1 7000, @1.4 8000, @2.7 9000", "A1 A2 A~2", ""},
	{"timeouts are logged in the order of beginning", door("A", "7000,8000,9000", "seq_timeout = 3") + door("B", "1111,2222,3333", "seq_timeout = 1"),
		"@0.1 7000, 8000, @0.4 b 1111, b 2222, @3.47 c 9000", "A1 A2 b:B1 b:B2 A~2 b:B~2", "A1 A2 b:B1 b:B2 b:B~2 A~2"},
	{"a packet that does not count lets nothing time out", short, "@0.1 7000, 8000, @2.4 1234", "A1 A2", "A1 A2 A~2"},
	{"a limit of zero seconds never opens", door("Z", "7000,8000", "seq_timeout = 0"), "7000, 8000", "Z1 Z~1", ""},
	{"a limit of zero seconds and each packet begins", door("Z", "7000,8000", "seq_timeout = 0"), "7000, 7000, 8000", "Z1 Z~1 Z1 Z~1", ""},
	{"a limit of zero seconds opens for one port", door("Z", "7000", "seq_timeout = 0"), "7000, 7000", "Z1 Z! Z1 Z!", ""},
	{"a limit below zero", door("Z", "7000,8000", "seq_timeout = -3"), "7000, 8000", "Z1 Z~1", ""},
	{"a limit that is no number is zero", door("Z", "7000,8000", "seq_timeout = ten"), "7000, 8000", "Z1 Z~1", ""},
	{"two limits for one beginning", door("P", "7000,8000", "seq_timeout = 4") + door("Q", "7000,8000", "seq_timeout = 1"),
		"@0.1 7000, @2.2 8000", "P1 Q1 Q~1 P2 P!", ""},
	{"two limits, and the one that runs out takes the other", door("Q", "7000,8000", "seq_timeout = 1") + door("P", "7000,8000", "seq_timeout = 4"),
		"@0.1 7000, @2.2 8000", "Q1 P1 Q~1", "Q1 P1 Q~1 P2 P!"},
}

var flags = []story{
	{"an ACK between does not count", doorA, "7000, 7000 ack, 8000 rst, 8000, 9000 fin+ack, 9000", "A1 A2 A3 A!", ""},
	{"syn does not say without ack", doorA, "7000 syn+ack, 8000 syn+psh, 9000 syn+urg+fin", "A1 A2 A3 A!", ""},
	{"not ack", door("N", "7000,8000", "tcpflags = syn,!ack"), "7000 syn+ack, 7000, 8000 syn+ack, 8000 ack, 8000", "N1 N2 N!", ""},
	{"not syn", door("N", "7000,8000", "tcpflags = !syn"), "7000, 7000 ack, 8000, 8000 fin", "N1 N2 N!", ""},
	{"all six", door("X", "7000,8000", "tcpflags = FIN,syn,Rst,psh,ack,urg"), "7000, 7000 fin+syn+rst+psh+ack, 7000 fin+syn+rst+psh+ack+urg, 8000 fin+syn+rst+psh+ack+urg", "X1 X2 X!", ""},
	{"none of six", door("X", "7000,8000", "tcpflags = !fin,!rst,!psh,!ack,!urg"), "7000 syn+fin, 7000 syn+rst, 7000 syn+psh, 7000 syn+ack, 7000 syn+urg, 7000, 8000", "X1 X2 X!", ""},
	{"the later word counts", door("X", "7000,8000", "tcpflags = syn,ack", "tcpflags = !ack"), "7000 syn+ack, 7000, 8000", "X1 X2 X!", ""},
	{"without flags everything counts", door("X", "7000,8000,9000"), "7000 rst, 8000 fin+ack, 9000 psh", "X1 X2 X3 X!", ""},
	{"without flags an answer ends it", door("X", "7000,8000,9000"), "7000, 7000 ack, 8000, 9000", "X1 X-1", ""},
	{"what counts for one door leaves another whose flags it lacks", doorA + door("F", "8000,7000", "tcpflags = ack"),
		"7000, 8000 ack, 8000, 9000", "A1 A2 A3 A!", ""},
	{"what counts for one door ends another whose flags it has", doorA + door("F", "8000,7100", "tcpflags = ack"), "7000, 7100 syn+ack, 8000, 9000", "A1 A-1", ""},
	{"flags tell two doors apart", door("S", "7000,8000", "tcpflags = syn") + door("K", "7000,8000", "tcpflags = ack"),
		"7000, 7000 ack, 8000, 7000 ack, 8000 ack", "S1 S2 S! K1 K2 K!", ""},
	{"both flags, both doors", door("S", "7000,8000", "tcpflags = syn") + door("K", "7000,8000", "tcpflags = ack"),
		"7000 syn+ack, 8000, 8000 ack", "S1 K1 S2 S!", "S1 K1 S2 S! K2 K!"},
	{"who has an attempt begins no other, though its flags are not that one's", door("S", "7000,8000", "tcpflags = syn") + door("K", "6000,6100", "tcpflags = ack"),
		"7000, 6000 ack, 6100 ack, 8000, 6000 ack, 6100 ack", "S1 S2 S! K1 K2 K!", ""},
}

var families = []story{
	{"TCP and UDP in one sequence", door("M", "7000:tcp,8000:udp,9000:TCP,9000:UDP", "tcpflags = syn"), "7000, 8000:udp, 9000, 9000:udp", "M1 M2 M3 M4 M!", ""},
	{"the number alone is no knock", door("M", "7000:tcp,7000:udp"), "7000:udp, 7000, 7000:udp", "M1 M2 M!", ""},
	{"the other protocol at the wrong time ends it", door("M", "7000:tcp,7000:udp,8000:tcp"), "7000, 8000, 7000:udp", "M1 M-1", ""},
	{"a datagram to a TCP port does not count", doorA, "7000, 8000:udp, 8000, 9000", "A1 A2 A3 A!", ""},
	{"datagrams have no flags", door("U", "5000:udp,6000:udp", "tcpflags = syn,ack"), "5000:udp, 6000:udp", "U1 U2 U!", ""},
	{"a SYN leaves a door of datagrams that asks for a FIN", door("U", "5000:udp,6000:udp", "tcpflags = fin") + door("T", "6000"),
		"5000:udp, 6000, 6000:udp", "U1 U2 U!", ""},
	{"an ACK ends the attempt at a door of datagrams without flags", door("U", "5000:udp,6000:udp") + door("T", "6000"),
		"5000:udp, 6000 ack, 6000:udp", "U1 U-1", ""},
	{"a TCP packet leaves a door of datagrams whose flags it lacks", door("U", "5000:udp,6000:udp", "tcpflags = syn") + door("T", "6000"),
		"5000:udp, 6000 ack, 6000:udp", "U1 U2 U!", ""},
	{"a TCP packet ends a door of datagrams whose flags it has", door("U", "5000:udp,6000:udp,5500:udp", "tcpflags = syn") + door("T", "6000"),
		"5000:udp, 6000:udp, 6000, 5500:udp", "U1 U2 U-2", ""},
	{"IPv6", doorA, "a6 7000, a6 8000, a6 9000", "a6:A1 a6:A2 a6:A3 a6:A!", ""},
	{"IPv6 with flags and datagrams", door("M", "7000,8000:udp,9000", "tcpflags = syn,!ack,!rst"),
		"a6 7000 syn+ack, a6 7000, a6 8000:udp, a6 9000 syn+rst, a6 9000 ack, a6 9000", "a6:M1 a6:M2 a6:M3 a6:M!", ""},
	{"two families are two sources", doorA, "7000, a6 8000, 8000, a6 9000, 9000", "A1 A2 A3 A!", ""},
	{"two families side by side", doorA, "a6 7000, 7000, a6 8000, 8000, 9000, a6 9000", "a6:A1 A1 a6:A2 A2 A3 A! a6:A3 a6:A!", ""},
}

var destinations = []story{
	{"any address of the host", doorA, "7000, 8000 to=2, 9000", "A1 A2 A3 A!", ""},
	{"an address elsewhere does not count", doorA, "7000, 7000 to=elsewhere, 8000, 9000", "A1 A2 A3 A!", ""},
	{"a target", door("T", "7000,8000", "target = 198.51.100.2"), "7000, 8000, 7000 to=2, 8000, 8000 to=2", "T1 T2 T!", ""},
	{"a target elsewhere", door("T", "7000,8000", "target = 198.51.100.77"), "7000 to=elsewhere, 8000 to=2, 8000 to=elsewhere", "T1 T2 T!", ""},
	{"a target of IPv6", door("T", "7000,8000", "target = 2001:db8:1::2", "tcpflags = syn"), "7000 to=2, 8000 to=2, a6 7000 to=2, a6 8000, a6 8000 to=2", "a6:T1 a6:T2 a6:T!", ""},
	{"a target that is a name is unreachable", door("T", "7000,8000", "target = localhost") + doorA, "7000, 8000, 9000", "A1 A2 A3 A!", ""},
	{"a door with a target beside one without", doorA + door("T", "7000,8000", "target = 198.51.100.2"),
		"7000 to=2, 8000 to=2, 9000", "A1 T1 A2 T2 T! A3 A!", ""},
	{"an attempt of another destination is not found", door("T", "5000,8000", "target = 198.51.100.2") + doorA,
		"5000 to=2, 7000, 8000, 9000, 8000 to=2", "T1 A1 A2 A3 A! T2 T!", ""},
	{"an attempt of another destination is found at that one", door("T", "5000,8000,9000", "target = 198.51.100.2") + door("V", "7000,8000,9500"),
		"5000 to=2, 7000, 8000 to=2, 9500, 9000 to=2", "T1 V1 T2 V2 V3 V! T3 T!", ""},
	{"two attempts at one packet, the older one of the later door", door("V", "1000,3000") + door("T", "2000,3000", "target = 198.51.100.2"),
		"2000 to=2, 1000, 3000 to=2", "T1 V1 T2 T! V2 V!", "T1 V1 V2 V! T2 T!"},
}

var severalDoors = []story{
	{"another door's first knock ends this one and begins nothing", doorA + doorB, "7000, 1111, 2222", "A1 A-1", ""},
	{"one after the other", doorA + doorB, "7000, 8000, 9000, 1111, 2222", "A1 A2 A3 A! B1 B2 B!", ""},
	{"the loser of two doors is listed first", door("C", "1,2,3") + door("D", "1,4,5"), "1, 4, 5", "C1 D1 C-1 D2", "C1 D1 C-1 D2 D3 D!"},
	{"the loser of two doors is listed last", door("D", "1,4,5") + door("C", "1,2,3"), "1, 4, 5", "D1 C1 D2 C-1 D3 D!", ""},
	{"the winner of two doors is listed first", door("C", "1,2,3") + door("D", "1,4,5"), "1, 2, 3", "C1 D1 C2 D-1 C3 C!", ""},
	{"the winner of two doors is listed last", door("D", "1,4,5") + door("C", "1,2,3"), "1, 2, 3", "D1 C1 D-1 C2", "D1 C1 D-1 C2 C3 C!"},
	{"two doors part at the last knock", door("E", "1,2,3") + door("F", "1,2,4"), "1, 2, 4", "E1 F1 E2 F2 E-2 F3 F!", ""},
	{"a door that is the beginning of the next", door("G", "1,2") + door("H", "1,2,3"), "1, 2, 3", "G1 H1 G2 G! H2", "G1 H1 G2 G! H2 H3 H!"},
	{"a door that is the beginning of the one before", door("H", "1,2,3") + door("G", "1,2"), "1, 2, 3", "H1 G1 H2 G2 G! H3 H!", ""},
	{"two doors with one sequence", door("G", "1,2") + door("I", "1,2"), "1, 2, 1, 2", "G1 I1 G2 G! I2 I! G1 I1 G2 G! I2 I!", ""},
	{"one port opens, and the longer door is lost", door("S", "1") + door("L", "1,2"), "1, 2", "S1 S! L1", "S1 S! L1 L2 L!"},
	{"one port opens behind the longer door", door("L", "1,2") + door("S", "1"), "1, 2", "L1 S1 S! L2 L!", ""},
	{"one port within another sequence opens nothing", door("S", "1") + door("L", "2,1,3"), "2, 1, 3", "L1 L2 L3 L!", ""},
	{"one port ends another sequence and opens only then", door("S", "1") + door("L", "2,3"), "2, 1, 1", "L1 L-1 S1 S!", ""},
	{"three doors begin alike", door("X", "1,2,3") + door("Y", "1,3,2") + door("W", "1,2,4"), "1, 2, 4", "X1 Y1 W1 X2 Y-1 W2 X-2 W3 W!", ""},
	{"three doors, and the first is wrong at once", door("Y", "1,3,2") + door("X", "1,2,3") + door("W", "1,2,4"), "1, 2, 4",
		"Y1 X1 W1 Y-1 X2 W2", "Y1 X1 W1 Y-1 X2 W2 X-2 W3 W!"},
	{"a door backwards", door("O", "7000,8000,9000") + door("R", "9000,8000,7000"), "9000, 8000, 7000, 7000, 8000, 9000", "R1 R2 R3 R! O1 O2 O3 O!", ""},
	{"two sections of one name", door("A", "7000,8000") + door("A", "7000,9000"), "7000, 8000", "A1 A1 A2 A! A-1", "A1 A-21 A2 A! A-2-1"},
}

var severalSources = []story{
	{"a second source opens meanwhile", doorA, "7000, b 7000, b 8000, b 9000, 8000, 9000", "A1 b:A1 b:A2 b:A3 b:A! A2 A3 A!", ""},
	{"who began first opens first, and the second is lost", doorA, "7000, b 7000, 8000, b 8000, 9000, b 9000",
		"A1 b:A1 A2 b:A2 A3 A!", "A1 b:A1 A2 b:A2 A3 A! b:A3 b:A!"},
	{"a stranger's mistake resets everybody", doorA, "b 7000, 7000, 8000, b 9000, 9000", "b:A1 A1 A2 b:A-1", "b:A1 A1 A2 b:A-1 A3 A!"},
	{"a stranger's mistake after this one began resets nobody", doorA, "7000, b 7000, 8000, b 9000, 9000", "A1 b:A1 A2 b:A-1 A3 A!", ""},
	{"a stranger's end resets everybody", short, "@0.1 b 7000, @1.3 7000, @1.45 8000, @2.2 9000", "b:A1 A1 A2 b:A~1", "b:A1 A1 A2 b:A~1 A3 A!"},
	{"a stranger's opening resets everybody", doorA + doorB, "b 1111, 7000, b 2222, 8000, 9000", "b:B1 A1 b:B2 b:B!", "b:B1 A1 b:B2 b:B! A2 A3 A!"},
	{"who was reset begins again without a word", doorA, "b 7000, 7000, b 7000, 8000, 7000, 8000, 9000",
		"b:A1 A1 b:A-1 A1 A2 A3 A!", "b:A1 A1 b:A-1 A2 A-2"},
	{"three sources, and the oldest is wrong", doorA, "c 7000, b 7000, 7000, c 7000, b 8000, 8000, 9000, b 9000",
		"c:A1 b:A1 A1 c:A-1", "c:A1 b:A1 A1 c:A-1 b:A2 A2 A3 A! b:A3 b:A!"},
	{"three sources, and the middle one is wrong", doorA, "c 7000, b 7000, 7000, b 9000, c 8000, 8000, 9000, c 9000",
		"c:A1 b:A1 A1 b:A-1 c:A2 A2 A3 A! c:A3 c:A!", ""},
	{"one source's knocks are not another's", doorA, "7000, b 8000, c 9000, 8000, b 9000, 9000", "A1 A2 A3 A!", ""},
	{"two sources run out together", short, "@0.1 7000, 8000, @0.3 b 7000, b 8000, @2.6 c 7000", "A1 A2 b:A1 b:A2 A~2 b:A~2 c:A1", ""},
}

var sentAgain = []story{
	{"the first packet sent again ends it", doorA, "7000, 7000 again, 8000, 9000", "A1 A-1", "A1 A2 A3 A!"},
	{"the last packet sent again", doorA, "7000, 8000, 9000, 9000 again", "A1 A2 A3 A!", ""},
	{"a packet sent again is a knock of the same port", door("J", "7000,7000,8000"), "7000, 7000 again, 7000, 8000", "J1 J2 J-2", "J1 J2 J3 J!"},
	{"a packet sent again opens a door of one port again", door("S", "7000"), "7000, 7000 again", "S1 S! S1 S!", "S1 S!"},
	{"a datagram sent again is a knock", door("U", "5000:udp,6000:udp"), "5000:udp, 5000:udp again, 6000:udp", "U1 U-1", ""},
	{"a packet sent again after the end", doorA, "7000, 9000, 7000 again, 8000, 9000, 7000, 8000, 9000", "A1 A-1 A1 A2 A3 A! A1 A2 A3 A!", "A1 A-1 A1 A2 A3 A!"},
}

// What knockd makes of what it hardly understands.
var readings = []story{
	{"a slash is no protocol", door("W", "7000/udp,8000"), "7000:udp, 7000, 8000", "W1 W2 W!", ""},
	{"a range is its beginning", door("W", "7000-7005,8000"), "7003, 7000, 7005, 8000", "W1 W2 W!", ""},
	{"a name is port 0", door("W", "ssh,8000"), "22, 0, 8000", "W1 W2 W!", ""},
	{"a number below zero counts from above", door("W", "-1,8000"), "65535, 8000", "W1 W2 W!", ""},
	{"a third part is nothing", door("W", "7000:udp:tcp,8000"), "7000:udp, 8000", "W1 W2 W!", ""},
	{"blanks and cases", "[W]\n\tSEQUENCE =  7000 : Udp ,\t8000 : tcp\n Timeout= 3 \n TcpFlags=SYN\n", "7000:udp, 8000 ack, 8000", "W1 W2 W!", ""},
	{"another section called Options is a door", "[options]\n[Options]\nsequence = 7000,8000\n", "7000, 8000", "Options1 Options2 Options!", ""},
	{"the last sequence counts", door("W", "1,2,3", "sequence = 7000,8000"), "1, 2, 3, 7000, 8000", "W1 W2 W!", ""},
	{"an empty sequence is port 0", door("W", ""), "0", "W1 W!", ""},
}
