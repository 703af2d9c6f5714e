package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
)

// anySYN is knockd's `tcpflags = syn`: what else is set does not matter.
var anySYN = FlagTest{Set: packet.SYN}

// knockdDoor returns a door of the group "k", with five seconds.
func knockdDoor(t testing.TB, name string, sequence ...string) *Door {
	return asking(within(inGroup(aDoor(t, name, sequence...), "k"), 5*time.Second), anySYN)
}

func inGroup(d *Door, group string) *Door {
	d.Policy, d.Group = PolicyKnockd, group
	return d
}

func within(d *Door, limit time.Duration) *Door {
	d.Within = limit
	return d
}

func asking(d *Door, flags FlagTest) *Door {
	d.Flags = flags
	for i := range d.Sequence {
		d.Sequence[i].Flags = flags
	}
	return d
}

func aimedAt(d *Door, target string) *Door {
	d.Target = netip.MustParseAddr(target)
	return d
}

// play lets a host knock, one word a packet: "7000" is a SYN to that port of TCP,
// "udp/53" a datagram, "7000:fa" has the flags FIN and ACK, "7000>192.0.2.1" is to
// that address, "7000=3" is the segment of the third packet again, and "9~7000"
// comes from the source 203.0.113.9. "@1.5s" is the time since ten o'clock.
func (w *world) play(packets string) {
	w.t.Helper()
	segments := []packet.Packet{}
	for word := range strings.FieldsSeq(packets) {
		if at, isTime := strings.CutPrefix(word, "@"); isTime {
			after, err := time.ParseDuration(at)
			if err != nil {
				w.t.Fatal(err)
			}
			w.now = monday.Add(after)
			continue
		}
		source := "203.0.113.1"
		if host, rest, ok := strings.Cut(word, "~"); ok {
			source, word = "203.0.113."+host, rest
		}
		word, segment, again := strings.Cut(word, "=")
		word, dest, aimed := strings.Cut(word, ">")
		port, flags, flagged := strings.Cut(word, ":")
		if !strings.Contains(port, "/") {
			port = "tcp/" + port
		}
		p := w.packet(source, port)
		if aimed {
			p.Dest = netip.MustParseAddr(dest)
		}
		if flagged {
			p.Flags = 0
			for _, f := range flags {
				p.Flags |= map[rune]packet.Flags{'s': packet.SYN, 'a': packet.ACK, 'f': packet.FIN, 'r': packet.RST, 'p': packet.PSH}[f]
			}
		}
		if again {
			n := 0
			fmt.Sscan(segment, &n)
			p.SourcePort, p.Sequence = segments[n-1].SourcePort, segments[n-1].Sequence
		}
		segments = append(segments, p)
		w.record(w.e.Packet(&p))
	}
}

// summary returns what came out, one word an event: "A1" is a stage of A, "A!" that
// it opened, "A-2:wrong_port" a miss at its second stage.
func (w *world) summary() string {
	words := []string{}
	for _, event := range w.got {
		switch event.Kind {
		case EventStage:
			words = append(words, fmt.Sprintf("%s%d", event.Door, event.Stage))
		case EventOpen:
			words = append(words, event.Door+"!")
		case EventMiss:
			words = append(words, fmt.Sprintf("%s-%d:%s", event.Door, event.Stage, event.Reason))
		case EventRefuse, EventError:
			words = append(words, event.Door+"?"+string(event.Reason))
		case EventEffect, EventClose, EventFailed:
		}
	}
	w.got = nil
	return strings.Join(words, " ")
}

// The rules of knockd, where they are right. A is 7000, 8000, 9000 and B is 1111,
// 2222; each has five seconds.
func TestThePolicyOfKnockd(t *testing.T) {
	udp := knockdDoor(t, "U", "udp/53")
	classic := []*Door{knockdDoor(t, "A", "tcp/7000", "tcp/8000", "tcp/9000"), knockdDoor(t, "B", "tcp/1111", "tcp/2222")}
	shared := []*Door{knockdDoor(t, "C", "tcp/1", "tcp/2", "tcp/3"), knockdDoor(t, "D", "tcp/1", "tcp/4", "tcp/5")}
	for _, tt := range []struct {
		name, packets, want string
		doors               []*Door
	}{
		{"in order", "7000 8000 9000", "A1 A2 A3 A!", classic},
		{"a repeat of the first ends it, and begins none", "7000 7000 8000 9000", "A1", classic},
		{"the repeat after that begins", "7000 7000 7000 8000 9000", "A1 A1 A2 A3 A!", classic},
		{"a repeat of the second", "7000 8000 8000 9000", "A1 A2 A-2:out_of_order", classic},
		{"a later knock too early", "7000 9000 7000 8000 9000", "A1 A1 A2 A3 A!", classic},
		{"a port of no door is nothing", "7000 1234 8000 1234 9000", "A1 A2 A3 A!", classic},
		{"other flags are nothing", "7000 7000:a 8000 8000:f 9000", "A1 A2 A3 A!", classic},
		{"SYN with ACK is a SYN", "7000:sa 8000:sa 9000:sa", "A1 A2 A3 A!", classic},
		{"another door's first knock ends it, and begins none", "7000 1111 2222", "A1", classic},
		{"another door's knock at a later stage", "7000 8000 2222 9000", "A1 A2 A-2:wrong_port", classic},
		{"just in time", "@10.9s 7000 @12s 8000 @15.899s 9000", "A1 A2 A3 A!", classic},
		{"at the limit, which knockd would see 0.9 s earlier", "@10.9s 7000 @12s 8000 @15.9s 9000", "A1 A2 A-2:total_timeout", classic},
		{"the time runs from the first knock", "7000 @4s 8000 @5s 9000", "A1 A2 A-2:total_timeout", classic},
		{"a first knock that is too old ends nothing", "7000 @5s 7000 8000 9000", "A1 A1 A2 A3 A!", classic},
		{"what is over does not fall back", "7000 8000 7000 8000 9000", "A1 A2 A-2:out_of_order", classic},
		{"a further last knock", "7000 8000 9000 9000", "A1 A2 A3 A!", classic},
		{"twice", "7000 8000 9000 7000 8000 9000", "A1 A2 A3 A! A1 A2 A3 A!", classic},
		{"a single knock, each time", "udp/53 udp/53 udp/53", "U1 U! U1 U! U1 U!", []*Door{udp}},
		{"two doors with one first knock; the one that ends does not take the other along", "1 4 5", "C1 D1 D2 D3 D!", shared},
		{"the same, the other one", "1 2 3", "C1 D1 C2 C3 C!", shared},
		{"the end of both", "1 1 1 2 3", "C1 D1 C1 D1 C2 C3 C!", shared},
		{"a retransmit of the first", "7000 7000=1 8000 9000", "A1 A2 A3 A!", classic},
		{"a retransmit of an earlier one", "7000 8000 7000=1 8000=2 9000", "A1 A2 A3 A!", classic},
		{"sources do not disturb one another", "7000 9~1111 9~8000 8000 9~7000 9000", "A1 B1 A2 A1 A3 A!", classic},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.doors...)
			w.play(tt.packets)
			if diff := cmp.Diff(tt.want, w.summary()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What doors of different kinds do to one another in a group.
func TestDoorsOfAGroup(t *testing.T) {
	fin := asking(knockdDoor(t, "F", "tcp/1", "tcp/6", "tcp/7"), FlagTest{Set: packet.FIN})
	plain := knockdDoor(t, "P", "tcp/1", "tcp/2", "tcp/3")
	all := asking(knockdDoor(t, "N", "tcp/9", "tcp/2"), FlagTest{})
	single := knockdDoor(t, "S", "tcp/2")
	vip := aimedAt(knockdDoor(t, "V", "tcp/1", "tcp/2", "tcp/4"), "192.0.2.7")
	hasty := within(knockdDoor(t, "H", "tcp/1", "tcp/2"), 0)
	listener := inGroup(scripted(aDoor(t, "L", "tcp/1"), HookKnock, always(mount)), "k")
	listener.Listen = true
	for _, tt := range []struct {
		name, packets, want string
		doors               []*Door
	}{
		{"one packet advances one and ends another", "1 2 5", "P1 Q1 P2 P-2:wrong_port", []*Door{plain, knockdDoor(t, "Q", "tcp/1", "tcp/5", "tcp/6")}},
		{"flags that are not its own leave a door alone", "1:sf 2 6:f 3", "F1 P1 P2 F2 P3 P!", []*Door{fin, plain}},
		{"flags that are its own end it", "1:sf 6:sf 2 7:f", "F1 P1 F2 F3 F!", []*Door{fin, plain}},
		{"a door without a test minds every segment", "9 2:a", "N1 N2 N!", []*Door{all}},
		{"an answer to a SYN ends what minds every segment", "9 9:a 2", "N1", []*Door{all}},
		{"a datagram has no flags to leave it alone", "1 udp/2 2", "P1", []*Door{plain, knockdDoor(t, "u", "udp/8", "udp/2")}},
		{"a single knock that is also a second one", "1 2 3", "P1 P2 P3 P!", []*Door{plain, single}},
		{"the same from somebody without an attempt", "2", "S1 S!", []*Door{plain, single}},
		{"the order is that of the file", "2", "S1 S! T1 T!", []*Door{single, knockdDoor(t, "T", "tcp/2")}},
		{"the order is that of the file, the other way", "2", "T1 T! S1 S!", []*Door{knockdDoor(t, "T", "tcp/2"), single}},
		{"who opens begins nothing with the same knock", "1 2 3 2 3", "P1 P2 P3 P! Z1 Z2 Z!", []*Door{plain, knockdDoor(t, "Z", "tcp/2", "tcp/3")}},
		{"a target has packets to it alone", "1>192.0.2.7 2 2>192.0.2.7 4>192.0.2.7", "V1 V2 V3 V!", []*Door{vip}},
		{"packets to a target do not end what is not aimed there", "1 1>192.0.2.7 2>192.0.2.7 2 3 4>192.0.2.7", "P1 V1 V2 P2 P3 P! V3 V!", []*Door{plain, vip}},
		{"nor does it end what is aimed elsewhere", "1>192.0.2.7 1", "V1 P1", []*Door{plain, vip}},
		{"an address of this host and of nobody", "1>192.0.2.9 2>192.0.2.9", "", []*Door{plain, vip}},
		{"no time at all", "1 2 1", "H1 H1", []*Door{hasty}},
		{"no time at all lets others go on", "1 2 3", "H1 P1 P2 P3 P!", []*Door{hasty, plain}},
		{"a listener is of no group", "1 1 2 3", "L! P1 L!", []*Door{listener, plain}},
		{"two groups do not mind each other", "1 4 2 3", "P1 R1 R2 R! P2 P3 P!", []*Door{plain, inGroup(knockdDoor(t, "R", "tcp/1", "tcp/4"), "other")}},
		{"nor does a door that is in none", "1 4 2 3", "P1 r1 P2 P3 P!", []*Door{plain, aDoor(t, "r", "tcp/1", "tcp/2", "tcp/4")}},
		{"a sequence that has nothing left", "1 2 3", "P1 P2 P3 P!", []*Door{knockdDoor(t, "E"), plain, aDoor(t, "e")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.doors...)
			w.record(w.e.Local(w.now, []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32")}))
			w.play(tt.packets)
			if diff := cmp.Diff(tt.want, w.summary()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A target is for doors of no group too, a strict one among them.
func TestADoorWithATarget(t *testing.T) {
	d := aimedAt(aDoor(t, "d", "tcp/1", "tcp/2", "tcp/3"), "192.0.2.7")
	strict := aimedAt(aDoor(t, "s", "tcp/1", "tcp/2", "tcp/3"), "192.0.2.8")
	strict.Strict = true
	here := aDoor(t, "h", "tcp/1", "tcp/2")
	w := newWorld(t, d, strict, here)
	w.record(w.e.Local(w.now, []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32")}))
	w.play("1>192.0.2.7 1 2>192.0.2.7 2>192.0.2.8 2 2>192.0.2.9 3>192.0.2.7")
	if got := w.summary(); got != "d1 h1 d2 h2 h! d3 d!" {
		t.Error(got)
	}
	w.play("1>192.0.2.8 2>192.0.2.8 9 9>192.0.2.7 9>192.0.2.8")
	if got := w.summary(); got != "s1 s2 s-2:wrong_port" {
		t.Error(got)
	}
	if c := w.e.Counts(); c.Dropped[packet.NotLocal] != 1 || c.Knocks != 9 {
		t.Errorf("%d packets were for nobody here, and %d were knocks: want 1 and 9", c.Dropped[packet.NotLocal], c.Knocks)
	}
}

// Attempts continue in doors of a group that a reload leaves as they were, whatever
// becomes of the others and of their order.
func TestAGroupIsReloaded(t *testing.T) {
	a, b, c := knockdDoor(t, "A", "tcp/1", "tcp/2", "tcp/3"), knockdDoor(t, "B", "tcp/1", "tcp/2", "tcp/4"), knockdDoor(t, "C", "tcp/1", "tcp/5")
	w := newWorld(t, a, b, c)
	w.play("1 2 9~1")
	w.summary()
	for _, tt := range []struct {
		name string
		now  []*Door
		want string
	}{
		{"another order", []*Door{c, b, a}, ""},
		{"as it was, with one more", []*Door{aDoor(t, "x", "udp/1"), knockdDoor(t, "N", "tcp/1", "tcp/7"), a, b, c}, ""},
		{"one is changed, another goes", []*Door{a, within(knockdDoor(t, "B", "tcp/1", "tcp/2", "tcp/4"), time.Second)}, "B-2:reload"},
	} {
		w.record(w.e.Swap(w.now, &Set{Doors: tt.now}))
		if got := w.summary(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	w.play("3 9~2 9~3")
	if got := w.summary(); got != "A3 A! A2 A3 A!" {
		t.Errorf("what was begun goes on as %q", got)
	}
	for _, other := range []*Door{inGroup(knockdDoor(t, "A", "tcp/1", "tcp/2", "tcp/3"), "l"), asking(knockdDoor(t, "A", "tcp/1", "tcp/2", "tcp/3"), SYN),
		aimedAt(knockdDoor(t, "A", "tcp/1", "tcp/2", "tcp/3"), "198.51.100.1"), aDoor(t, "A", "tcp/1", "tcp/2", "tcp/3")} {
		w.record(w.e.Swap(w.now, &Set{Doors: []*Door{a}}))
		w.play("1 2")
		w.summary()
		w.record(w.e.Swap(w.now, &Set{Doors: []*Door{other}}))
		if got := w.summary(); got != "A-2:reload" {
			t.Errorf("an attempt goes on in %+v: %q", other, got)
		}
	}
}

// What a packet does to several attempts of its source, it does in the order in
// which the doors stand now.
func TestAGroupActsInTheOrderOfItsDoors(t *testing.T) {
	a, b := knockdDoor(t, "A", "tcp/1", "tcp/2", "tcp/3"), knockdDoor(t, "B", "tcp/1", "tcp/2", "tcp/4")
	w := newWorld(t, a, b)
	w.play("1")
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{b, a}}))
	w.play("2")
	if got := w.summary(); got != "A1 B1 B2 A2" {
		t.Error(got)
	}
}

// A retransmit is known by the attempt itself when a flood made the engine
// forget it.
func TestAnAttemptOfAGroupKnowsItsRetransmits(t *testing.T) {
	w := newWorld(t, knockdDoor(t, "A", "tcp/1", "tcp/2", "tcp/3"))
	w.e.resends = newMemory[struct{}](int64(resendSpan), 1<<12)
	flood := func() {
		for range 1 << 13 {
			p := w.packet("198.51.100.99", "tcp/2")
			w.record(w.e.Packet(&p))
		}
	}
	first, second := w.packet("203.0.113.1", "tcp/1"), w.packet("203.0.113.1", "tcp/2")
	for _, p := range []*packet.Packet{&first, &second} {
		w.record(w.e.Packet(p))
		flood()
		w.record(w.e.Packet(&first))
	}
	w.record(w.e.Packet(&second))
	w.play("3")
	if got := w.summary(); got != "A1 A2 A3 A!" || w.e.Counts().Dropped[packet.Retransmit] != 0 {
		t.Errorf("%q; %d retransmits were known to the engine, so the test proves nothing", got, w.e.Counts().Dropped[packet.Retransmit])
	}
}

// At the bound an attempt makes room, in whatever door of the group it is, and
// the others of its source stay.
func TestAGroupAtTheBound(t *testing.T) {
	w := &world{t: t, now: monday, e: New(Config{Attempts: 3}, monday)}
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{knockdDoor(t, "A", "tcp/1", "tcp/2"), knockdDoor(t, "B", "tcp/1", "tcp/3"), knockdDoor(t, "C", "tcp/9", "tcp/3")}}))
	w.play("1~1 2~1")
	w.summary()
	w.play("1~3 2~3")
	if got := w.summary(); got != "B2 B! B2 B!" {
		t.Errorf("%q: the oldest attempt is the first source's in A", got)
	}
	if n := w.e.Counts().Misses; n != 2 || w.e.attempts.used != 0 {
		t.Errorf("%d misses, %d attempts are left", n, w.e.attempts.used)
	}
}

// Where no door of a group begins, the group costs a packet nothing.
func TestAGroupIsInactiveWhereItIsIdle(t *testing.T) {
	w := newWorld(t, knockdDoor(t, "A", "tcp/1", "tcp/2", "tcp/3"), inGroup(knockdDoor(t, "B", "tcp/2", "tcp/3"), "l"))
	at := func(port string) int { return len(w.e.index.ports[ports(t, port)[0]].groups) }
	check := func(when string, one, two, three int) {
		if at("tcp/1") != one || at("tcp/2") != two || at("tcp/3") != three {
			t.Errorf("%s: %d, %d and %d groups are awake, want %d, %d and %d", when, at("tcp/1"), at("tcp/2"), at("tcp/3"), one, two, three)
		}
	}
	check("at first", 1, 1, 0)
	w.play("1")
	check("with an attempt in A", 1, 2, 1)
	w.play("3")
	check("when it is over, and nobody looked", 1, 2, 1)
	w.play("9~3")
	check("when somebody looked", 1, 2, 0)
	w.play("9~2")
	check("with an attempt in B", 1, 1, 1)
}
