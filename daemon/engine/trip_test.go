package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"sesame/daemon/packet"
)

// wired returns a door with the default number of tripwires.
func wired(t testing.TB, name string, sequence ...string) *Door {
	d := guarding(t, aDoor(t, name, sequence...), "tcp/22")
	d.Tripwires = 64
	return d
}

// wireOf returns a tripwire of doors that none of them guards or excepts: the n-th of TCP or UDP.
func wireOf(t testing.TB, proto packet.Proto, n int, doors ...*Door) string {
	for _, k := range (&Set{Doors: doors}).Tripwires() {
		if k.Port.Proto == proto {
			if n--; n < 0 {
				return k.Port.String()
			}
		}
	}
	t.Fatalf("no tripwire %d of protocol %d", n, proto)
	return ""
}

func TestATripwireEndsTheAttempt(t *testing.T) {
	d := wired(t, "ssh", "tcp/7421", "udp/9133", "tcp/2904")
	d.OnWrong = WrongIgnored
	wire, other := wireOf(t, packet.TCP, 0, d), wireOf(t, packet.UDP, 0, d)
	w := newWorld(t, d)
	t.Log("# under on_wrong = ignore, too, and nothing of the attempt holds")
	w.knock("203.0.113.9", "tcp/7421", "udp/9133", wire, "tcp/2904")
	w.want("0s stage ssh 203.0.113.9 1/3", "0s stage ssh 203.0.113.9 2/3", "0s miss ssh 203.0.113.9 2/3 "+wire+" tripwire")

	t.Log("# a first stage ends without an event")
	w.knock("203.0.113.9", "tcp/7421", other, "udp/9133")
	w.want("0s stage ssh 203.0.113.9 1/3")

	t.Log("# it is the attempt of its source alone")
	w.knock("203.0.113.9", "tcp/7421", "udp/9133")
	w.knock("203.0.113.10", wire)
	w.knock("203.0.113.9", "tcp/2904")
	w.want("0s stage ssh 203.0.113.9 1/3", "0s stage ssh 203.0.113.9 2/3", "0s stage ssh 203.0.113.9 3/3", "0s open ssh 203.0.113.9",
		"0s effect ssh 203.0.113.9 allow #1 tcp/22 30s")

	counts := w.e.Counts()
	if counts.Misses != 2 || counts.Knocks != 10 || counts.Dropped[packet.NotWatched] != 1 {
		t.Errorf("misses %d, knocks %d, not watched %d, want 2, 10, 1", counts.Misses, counts.Knocks, counts.Dropped[packet.NotWatched])
	}
}

// What is no wrong knock, although the port is that of a tripwire.
func TestWhatIsNoTripwire(t *testing.T) {
	quiet := wired(t, "quiet", "tcp/17421", "tcp/19133")
	quiet.Tripwires = 0
	listener := scripted(guarding(t, aDoor(t, "listener", "udp/501"), "tcp/22"), HookKnock, always())
	listener.Listen, listener.Tripwires = true, 64
	single := wired(t, "single", "tcp/502")
	knockd := inGroup(wired(t, "knockd", "tcp/27421", "tcp/29133"), "g")
	d := wired(t, "ssh", "tcp/7421", "tcp/9133", "tcp/2904")
	doors := []*Door{quiet, listener, single, knockd, d}
	if pool, alone := (&Set{Doors: doors}).Tripwires(), 64; len(pool) != alone {
		t.Errorf("%d tripwires, want those of one door", len(pool))
	}
	wire := wireOf(t, packet.TCP, 0, doors...)
	w := newWorld(t, doors...)
	w.knock("203.0.113.9", "tcp/17421", wire, "tcp/19133", "tcp/27421", wire, "tcp/29133", "tcp/7421", "tcp/9133")
	w.got = nil

	t.Log("# another flag, another destination protocol")
	p := w.packet("203.0.113.9", wire)
	p.Flags = packet.SYN | packet.ACK
	w.record(w.e.Packet(&p))
	w.want()

	t.Log("# a port that the source has a grant of")
	w.record(w.e.Grant(w.now, netip.MustParsePrefix("203.0.113.9/32"), ports(t, wire)[0], time.Hour))
	w.got = nil
	w.knock("203.0.113.9", wire)
	w.want()

	t.Log("# a port that the door excepts, or some door guards")
	excepting := *d
	excepting.Except = ports(t, wire)
	w.record(w.e.Revoke(w.now, netip.MustParsePrefix("203.0.113.9/32"), packet.Port{}, false))
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{quiet, &excepting}}))
	w.knock("203.0.113.9", "tcp/7421", "tcp/9133")
	w.got = nil
	w.knock("203.0.113.9", wire)
	w.want()
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{guarding(t, quiet, wire), &excepting}}))
	w.knock("203.0.113.9", wire, "tcp/2904")
	if n := w.e.Counts().Opens; n == 0 {
		t.Error("the door did not open")
	}
}

// A reload that moves the tripwires, or has others, ends no attempt.
func TestAnAttemptSurvivesOtherTripwires(t *testing.T) {
	d := wired(t, "ssh", "tcp/7421", "tcp/9133", "tcp/2904")
	old := wireOf(t, packet.TCP, 0, d)
	w := newWorld(t, d)
	w.knock("203.0.113.9", "tcp/7421", "tcp/9133")
	w.got = nil
	other := wired(t, "web", "tcp/17421", "tcp/19133", "tcp/12904")
	without := *d
	without.Tripwires = 0
	for _, set := range [][]*Door{{&without}, {d, other}} {
		w.record(w.e.Swap(w.now, &Set{Doors: set}))
		w.knock("203.0.113.9", old)
		w.want()
	}
	t.Log("# a tripwire of the other door is one to this door, too")
	wire := ""
	for n := 0; wire == "" || slices.Contains((&Set{Doors: []*Door{d}}).Tripwires(), Knock{ports(t, wire)[0], SYN}); n++ {
		wire = wireOf(t, packet.TCP, n, d, other)
	}
	w.knock("203.0.113.9", wire)
	w.want("0s miss ssh 203.0.113.9 2/3 " + wire + " tripwire")
}

// A retransmit of the packet that ended an attempt ends no later one.
func TestATripwireIsRetransmitted(t *testing.T) {
	d := wired(t, "ssh", "tcp/7421", "tcp/9133", "tcp/2904")
	w := newWorld(t, d)
	p := w.packet("203.0.113.9", wireOf(t, packet.TCP, 0, d))
	w.knock("203.0.113.9", "tcp/7421")
	w.record(w.e.Packet(&p))
	w.knock("203.0.113.9", "tcp/7421", "tcp/9133")
	w.got = nil
	w.record(w.e.Packet(&p))
	w.want()
	if n := w.e.Counts().Dropped[packet.Retransmit]; n != 1 {
		t.Errorf("%d retransmits, want 1", n)
	}
}

// All doors in which the source has an attempt are disturbed, in their order, few doors or many.
func TestATripwireEndsTheAttemptsInAllDoors(t *testing.T) {
	for _, n := range []int{1, fewDoors, fewDoors + 1, 40} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			var doors []*Door
			for i := range n {
				doors = append(doors, wired(t, fmt.Sprint("d", i), fmt.Sprint("tcp/", 2000+10*i), fmt.Sprint("tcp/", 9000+10*i), "tcp/500"))
			}
			wire := wireOf(t, packet.TCP, 0, doors...)
			w := newWorld(t, doors...)
			for source := range 3 {
				for i := range doors {
					reverse := doors[len(doors)-1-i]
					w.knock(fmt.Sprint("203.0.113.", source), reverse.Sequence[0].Port.String(), reverse.Sequence[1].Port.String())
				}
			}
			if n := w.e.attempts.used; n != 3*len(doors) {
				t.Fatalf("%d attempts", n)
			}
			w.got = nil
			w.knock("203.0.113.1", wire, wire)
			var want []string
			for _, d := range doors {
				want = append(want, fmt.Sprintf("0s miss %s 203.0.113.1 2/3 %s tripwire", d.Name, wire))
			}
			w.want(want...)
			if n := w.e.attempts.used; n != 2*len(doors) {
				t.Errorf("%d attempts are left", n)
			}
		})
	}
}

// A door with a target is disturbed by packets to that alone.
func TestATripwireIsForTheTarget(t *testing.T) {
	d := wired(t, "ssh", "tcp/7421", "tcp/9133", "tcp/2904")
	d.Target = netip.MustParseAddr("192.0.2.1")
	e := New(Config{}, monday)
	e.Local(monday, []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32")})
	e.Swap(monday, &Set{Doors: []*Door{d}})
	w := &world{t: t, e: e, now: monday}
	send := func(dest, port string) {
		p := w.packet("203.0.113.9", port)
		p.Dest = netip.MustParseAddr(dest)
		w.record(e.Packet(&p))
	}
	wire := wireOf(t, packet.TCP, 0, d)
	send("192.0.2.1", "tcp/7421")
	send("192.0.2.1", "tcp/9133")
	w.got = nil
	send("198.51.100.1", wire)
	w.want()
	send("192.0.2.1", wire)
	w.want("0s miss ssh 203.0.113.9 2/3 " + wire + " tripwire")
}
