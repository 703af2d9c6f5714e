package engine

import (
	"net/netip"
	"testing"

	"sesame/daemon/packet"
)

// A SYN with FIN or RST is malformed. It is a knock only where a door asks for just these flags,
// and where doors follow the rules of knockd.
func TestOddFlags(t *testing.T) {
	const syn, fin, rst, ack = packet.SYN, packet.FIN, packet.RST, packet.ACK
	asking := func(test FlagTest) *Door {
		d := aDoor(t, "d", "tcp/7000", "tcp/8000")
		d.Sequence[0].Flags = test
		return d
	}
	knockd := func(test FlagTest) *Door {
		d := asking(test)
		d.Policy, d.Group, d.Flags = PolicyKnockd, "g", test
		return d
	}
	for _, tt := range []struct {
		name  string
		door  *Door
		flags packet.Flags
		want  packet.Drop
	}{
		{"a SYN", asking(SYN), syn, packet.NotDropped},
		{"with FIN", asking(SYN), syn | fin, packet.Malformed},
		{"with RST", asking(SYN), syn | rst, packet.Malformed},
		{"with both", asking(SYN), syn | fin | rst, packet.Malformed},
		{"with more", asking(SYN), syn | fin | ack | packet.URG, packet.Malformed},
		{"FIN with RST", asking(SYN), fin | rst, packet.NotWatched},
		{"any flags", asking(FlagTest{}), syn | fin, packet.Malformed},
		{"a FIN is asked for", asking(FlagTest{Set: fin}), syn | fin, packet.Malformed},
		{"a FIN alone", asking(FlagTest{Set: fin}), fin, packet.NotDropped},
		{"both are asked for", asking(FlagTest{Set: syn | fin}), syn | fin, packet.NotDropped},
		{"more than is asked for", asking(FlagTest{Set: syn | fin}), syn | fin | rst, packet.Malformed},
		{"less than is asked for", asking(FlagTest{Set: syn | fin}), syn, packet.NotWatched},
		{"knockd looks at SYN alone", knockd(FlagTest{Set: syn}), syn | fin, packet.NotDropped},
		{"knockd excludes FIN", knockd(FlagTest{Set: syn, Clear: fin}), syn | fin, packet.Malformed},
		{"knockd looks at no flags", knockd(FlagTest{}), syn | rst, packet.NotDropped},
	} {
		w := newWorld(t, tt.door)
		p := w.packet(alice, "tcp/7000")
		p.Flags = tt.flags
		w.record(w.e.Packet(&p))
		for drop, times := range w.e.Counts().Dropped {
			if want := tt.want != packet.NotDropped && packet.Drop(drop) == tt.want; (times > 0) != want {
				t.Errorf("%s: %d %v, want %v", tt.name, times, packet.Drop(drop), tt.want)
			}
		}
		if began := len(w.got) > 0; began != (tt.want == packet.NotDropped) {
			t.Errorf("%s: events %v", tt.name, w.got)
		}
	}
}

// Of two doors at one port, each has its own rule.
func TestOddFlagsAtTwoDoors(t *testing.T) {
	plain, asking := aDoor(t, "plain", "tcp/7000", "tcp/8000"), aDoor(t, "asking", "tcp/7000", "tcp/8000")
	asking.Sequence[0].Flags = FlagTest{Set: packet.SYN | packet.RST}
	legacy := aDoor(t, "legacy", "tcp/7000", "tcp/8000")
	legacy.Policy, legacy.Group = PolicyKnockd, "g"
	w := newWorld(t, plain, asking, legacy)
	p := w.packet(alice, "tcp/7000")
	p.Flags = packet.SYN | packet.RST
	w.record(w.e.Packet(&p))
	w.want("0s stage asking 203.0.113.9 1/2", "0s stage legacy 203.0.113.9 1/2")
}

// Malformed packets end no attempt, not at a port of the door, not at a tripwire, and not at any
// port of a strict door. An honest SYN to the same port does.
func TestMalformedPacketsEndNoAttempt(t *testing.T) {
	strict, plain := aDoor(t, "d", "tcp/7000", "tcp/8000", "tcp/9000"), wired(t, "d", "tcp/7000", "tcp/8000", "tcp/9000")
	strict.Strict = true
	for name, tt := range map[string]struct {
		door *Door
		port string
	}{
		"strict, a later knock":    {strict, "tcp/9000"},
		"strict, an earlier knock": {strict, "tcp/7000"},
		"strict, another port":     {strict, "tcp/4444"},
		"a tripwire":               {plain, wireOf(t, packet.TCP, 0, plain)},
		"an earlier knock":         {plain, "tcp/7000"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tt.door)
			w.e.Own([]netip.Prefix{netip.MustParsePrefix("198.51.100.1/32")})
			w.knock(alice, "tcp/7000", "tcp/8000")
			p := w.packet(alice, tt.port)
			for _, p.Flags = range []packet.Flags{packet.SYN | packet.FIN, packet.SYN | packet.RST, packet.SYN | packet.FIN | packet.ACK} {
				w.record(w.e.Packet(&p))
			}
			own := w.packet("198.51.100.1", tt.port)
			w.record(w.e.Packet(&own))
			w.want("0s stage d 203.0.113.9 1/3", "0s stage d 203.0.113.9 2/3")
			if n := w.e.Counts().Dropped[packet.Malformed]; n < 3 {
				t.Errorf("%d malformed packets", n)
			}
			if tt.port != "tcp/9000" {
				w.knock(alice, tt.port)
			}
			w.knock(alice, "tcp/9000")
			if opened := w.e.Counts().Opens == 1; opened != (tt.port == "tcp/9000") {
				t.Errorf("the door opened: %v; %v", opened, w.got)
			}
		})
	}
}

// Nobody outside has an address of this host, or a broadcast address of its networks.
func TestOwnSources(t *testing.T) {
	here, broadcast := netip.MustParsePrefix("198.51.100.1/32"), netip.MustParsePrefix("198.51.100.255/32")
	for _, tt := range []struct {
		name     string
		own      []netip.Prefix
		source   string
		loopback bool
		want     int
	}{
		{"a stranger", []netip.Prefix{here, broadcast}, alice, false, 0},
		{"this host", []netip.Prefix{here, broadcast}, "198.51.100.1", false, 1},
		{"a broadcast address", []netip.Prefix{here, broadcast}, "198.51.100.255", false, 1},
		{"a neighbour", []netip.Prefix{here, broadcast}, "198.51.100.2", false, 0},
		{"this host itself", []netip.Prefix{here, broadcast}, "198.51.100.1", true, 0},
		{"a prefix of it", []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}, "198.51.100.2", false, 1},
		{"addresses that are not known", nil, "198.51.100.1", false, 0},
		{"none", []netip.Prefix{}, "198.51.100.1", false, 0},
		{"no address", nil, "0.0.0.0", false, 1},
	} {
		w := newWorld(t, aDoor(t, "d", "tcp/7000", "tcp/8000"))
		w.e.Own(tt.own)
		w.record(w.e.Local(w.now, []netip.Prefix{here}))
		// The rule is part of the state, as a replay needs it.
		e, err := Resume(Config{}, w.e.State(), &Set{Doors: []*Door{aDoor(t, "d", "tcp/7000", "tcp/8000")}})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []*Engine{w.e, e} {
			p := w.packet(tt.source, "tcp/7000")
			p.Loopback = tt.loopback
			e.Packet(&p)
			if c := e.Counts(); c.Dropped[packet.Malformed] != tt.want || c.Knocks != 1-tt.want {
				t.Errorf("%s: %d malformed and %d knocks", tt.name, c.Dropped[packet.Malformed], c.Knocks)
			}
		}
	}
}

// Where the addresses of this host are not known, one of several hosts is none of them.
func TestGroupsAreNoHost(t *testing.T) {
	for dest, want := range map[string]int{"192.0.2.7": 0, "224.0.0.251": 1, "255.255.255.255": 1, "ff02::fb": 1, "2001:db8::1": 0} {
		w := newWorld(t, aDoor(t, "d", "udp/5353", "udp/9"))
		p := w.packet(alice, "udp/5353")
		p.Dest = netip.MustParseAddr(dest)
		w.record(w.e.Packet(&p))
		if c := w.e.Counts(); c.Dropped[packet.NotLocal] != want || c.Knocks != 1-want {
			t.Errorf("%s: %v, %d knocks", dest, c.Dropped, c.Knocks)
		}
	}
}
