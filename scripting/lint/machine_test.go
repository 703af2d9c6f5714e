package lint

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

var (
	everywhere = netip.IPv4Unspecified()
	ephemeral  = Ports{32768, 60999}
)

func cutting(d *engine.Door) *engine.Door {
	d.Cut = true
	return d
}

func TestFindingsOnAMachine(t *testing.T) {
	fin := engine.FlagTest{Set: packet.FIN, Clear: packet.ACK}
	anything := engine.FlagTest{}
	for _, test := range []struct {
		name    string
		door    *engine.Door
		machine Machine
		want    []string // messages
	}{
		{"nothing", grouped(t, "a", "4 2 3 1", syn), Machine{}, nil},
		{"a service", grouped(t, "a", "4 443 3 1", syn), Machine{Sockets: []Socket{{port(t, "443"), everywhere}}},
			[]string{"this machine has a service on tcp/443: whoever connects to it knocks, which begins an attempt or disturbs one"}},
		{"a service that asks for any flags", grouped(t, "a", "4 443 3 1", anything), Machine{Sockets: []Socket{{port(t, "443"), everywhere}}},
			[]string{"this machine has a service on tcp/443: its ordinary packets are knocks, which make stages or disturb attempts"}},
		{"a service over UDP", grouped(t, "a", "4 udp/53 3 1", syn), Machine{Sockets: []Socket{{port(t, "udp/53"), everywhere}}},
			[]string{"this machine has a service on udp/53: its ordinary packets are knocks, which make stages or disturb attempts"}},
		{"a service of the other protocol", grouped(t, "a", "4 53 3 1", syn), Machine{Sockets: []Socket{{port(t, "udp/53"), everywhere}}}, nil},
		{"flags that its clients never send", grouped(t, "a", "4 443 3 1", fin), Machine{Sockets: []Socket{{port(t, "443"), everywhere}}}, nil},
		{"a service for this machine alone", grouped(t, "a", "4 631 3 1", syn), Machine{Sockets: []Socket{
			{port(t, "631"), netip.MustParseAddr("127.0.0.1")}, {port(t, "631"), netip.IPv6Loopback()}}}, nil},
		{"several", grouped(t, "a", "4 443 22 1", syn), Machine{Sockets: []Socket{{port(t, "443"), everywhere}, {port(t, "22"), netip.IPv6Unspecified()}, {port(t, "22"), everywhere}}},
			[]string{"this machine has a service on tcp/443, tcp/22: whoever connects to it knocks, which begins an attempt or disturbs one"}},
		{"a listener", &engine.Door{Name: "a", Listen: true, Guards: []packet.Port{{Proto: packet.TCP, Number: 22}}, Sequence: grouped(t, "", "udp/53", syn).Sequence, Hooks: engine.HookKnock},
			Machine{Sockets: []Socket{{port(t, "udp/53"), everywhere}}},
			[]string{"this machine has a service on udp/53: its ordinary packets are knocks, which make stages or disturb attempts",
				"no door opens tcp/22, and it is shut to everyone: nobody gets in"}},
		{"cut in set mode", cutting(grouped(t, "a", "4 2 3 1", syn)), Machine{SetMode: true},
			[]string{"cut = true has no effect on TCP in set mode: rules of your own decide there what an open connection may do"}},
		{"cut in guard mode", cutting(grouped(t, "a", "4 2 3 1", syn)), Machine{}, nil},

		{"SYN alone at a port of its own connections", grouped(t, "a", "7000 3000 55000 1500", engine.SYN), Machine{Ephemeral: ephemeral}, nil},
		{"tcpflags = syn too", grouped(t, "a", "7000 3000 55000 1500", syn), Machine{Ephemeral: ephemeral}, nil},
		{"any flags", grouped(t, "a", "7000 3000 55000 1500", anything), Machine{Ephemeral: ephemeral},
			[]string{"this machine takes tcp/55000 for connections of its own (32768-60999): what answers those knocks"}},
		{"UDP", grouped(t, "a", "7000 udp/60999 udp/32768 udp/61000", syn), Machine{Ephemeral: ephemeral},
			[]string{"this machine takes udp/60999, udp/32768 for connections of its own (32768-60999): what answers those knocks"}},
		{"reserved", grouped(t, "a", "7000 3000 udp/55000 1500", syn), Machine{Ephemeral: ephemeral, Reserved: []Ports{{40000, 40000}, {55000, 55010}}}, nil},
		{"a client's UDP socket is no service", grouped(t, "a", "7000 3000 udp/55000 1500", syn),
			Machine{Ephemeral: ephemeral, Sockets: []Socket{{port(t, "udp/55000"), everywhere}}},
			[]string{"this machine takes udp/55000 for connections of its own (32768-60999): what answers those knocks"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, f := range CheckOn(setOf(test.door), &test.machine, nil, time.Time{}) {
				got = append(got, f.Message)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// One segment accepts each connection that this machine makes: where one knock is
// enough, each peer to which this host connects from that port has knocked.
func TestOneKnockOnAPortOfOurOwnConnections(t *testing.T) {
	for flags, want := range map[engine.FlagTest]bool{engine.SYN: false, syn: true} {
		found := CheckOn(setOf(grouped(t, "a", "55000", flags)), &Machine{Ephemeral: ephemeral}, nil, time.Time{})
		has := false
		for _, f := range found {
			has = has || f.ID == Ephemeral
		}
		if has != want {
			t.Errorf("%+v: %+v, want the finding: %v", flags, found, want)
		}
	}
}

func TestATargetsServices(t *testing.T) {
	d := grouped(t, "a", "4 443 3 1", syn)
	d.Target = netip.MustParseAddr("203.0.113.5")
	for address, want := range map[string]int{"203.0.113.5": 1, "203.0.113.6": 0, "0.0.0.0": 1} {
		if found := CheckOn(setOf(d), &Machine{Sockets: []Socket{{port(t, "443"), netip.MustParseAddr(address)}}}, nil, time.Time{}); len(found) != want {
			t.Errorf("a service at %s: %+v, want %d findings", address, found, want)
		}
	}
}

// A door looks at all sequences that it still has.
func TestOneTimeSequencesOnAMachine(t *testing.T) {
	d := grouped(t, "a", "udp/40000 2 3 1", syn)
	d.OneTime = &engine.OneTime{File: "/etc/once", Sequences: []engine.OneTimeSequence{{Line: "40000:udp,2,3,1", Knocks: d.Sequence}}}
	for i := range 9 {
		d.OneTime.Sequences = append(d.OneTime.Sequences, engine.OneTimeSequence{Knocks: grouped(t, "", fmt.Sprintf("udp/%d 2 3 1", 40001+i), syn).Sequence})
	}
	found := CheckOn(setOf(d), &Machine{Ephemeral: ephemeral}, nil, time.Time{})
	if len(found) != 1 || found[0].Message != "this machine takes udp/40000, udp/40001, udp/40002, udp/40003, udp/40004 and 5 more for connections of its own (32768-60999): what answers those knocks" ||
		found[0].Hint != "choose ports outside of 32768-60999" {
		t.Errorf("got %+v", found)
	}
}

// The line that reserves ports keeps what is reserved.
func TestReserve(t *testing.T) {
	found := CheckOn(setOf(grouped(t, "a", "udp/55000 2 udp/50000 1", syn)), &Machine{Ephemeral: ephemeral, Reserved: []Ports{{8080, 8080}, {40000, 40010}}}, nil, time.Time{})
	if len(found) != 1 || found[0].Hint != "choose ports outside of 32768-60999, or reserve them: sysctl -w net.ipv4.ip_local_reserved_ports=8080,40000-40010,55000,50000" {
		t.Errorf("got %+v", found)
	}
}

// What is found on one machine can be allowed, and elsewhere nobody minds that.
func TestAllowedOnAMachine(t *testing.T) {
	set := load(t, `sesame.door "a" { sequence = { 400, 443, 300, 100 }, guards = 22 } -- sesame:allow listening nobody knows of it
		sesame.door "b" { sequence = { 400, 200, 300, 500 }, guards = 22 } -- sesame:allow listening it was so once`)
	if found := Check(set); found != nil {
		t.Errorf("on no machine: %+v, want none", found)
	}
	found := CheckOn(set, &Machine{Sockets: []Socket{{port(t, "443"), everywhere}}}, nil, time.Time{})
	if len(found) != 1 || found[0].Line != 2 || found[0].ID != UnusedAllow {
		t.Errorf("on a machine: %+v, want the second comment alone, which allows nothing", found)
	}
}

func TestServicesOnTripwires(t *testing.T) {
	const script = `sesame.door "a" { sequence = { 7421, "udp/9133", 2904, 6117 }, guards = 22 %s }`
	set := load(t, fmt.Sprintf(script, ""))
	wire := set.Engine.Tripwires()[0].Port
	free := packet.Port{Proto: wire.Proto, Number: 80}
	for _, test := range []struct {
		name    string
		more    string
		sockets []Socket
		want    bool
	}{
		{"a service on a tripwire", "", []Socket{{free, everywhere}, {wire, everywhere}, {wire, netip.IPv6Unspecified()}}, true},
		{"a service elsewhere", "", []Socket{{free, everywhere}}, false},
		{"a service for this machine alone", "", []Socket{{wire, netip.MustParseAddr("127.0.0.1")}}, false},
		{"an excepted service", fmt.Sprintf(", except = %q", wire), []Socket{{wire, everywhere}}, false},
		{"no tripwires", ", tripwires = 0 -- sesame:allow no-tripwires meant", []Socket{{wire, everywhere}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(fmt.Sprintf(script, test.more), " -- sesame:allow no-tripwires meant }", " } -- sesame:allow no-tripwires meant", 1)
			found := CheckOn(load(t, text), &Machine{Sockets: test.sockets}, nil, time.Time{})
			if has := len(found) == 1 && found[0].ID == TripwireInUse && strings.Contains(found[0].Message, wire.String()+","); has != test.want || !has && len(found) > 0 {
				t.Errorf("%+v, want the finding: %v", found, test.want)
			}
		})
	}
}
