package lint

import (
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// Set mode with one set only: whoever knocks over the other family gets nothing.
func TestCheckNoSet6(t *testing.T) {
	at := func(address string, d *engine.Door) *engine.Door {
		if address != "" {
			d.Target = netip.MustParseAddr(address)
		}
		return d
	}
	tells := &engine.Door{Name: "b", Sequence: grouped(t, "b", "9 7 8 6", syn).Sequence, Hooks: engine.HookOpen}
	for _, test := range []struct {
		name    string
		doors   []*engine.Door
		machine Machine
		want    string // a part of the finding; "": there is none
	}{
		{"set4 alone", []*engine.Door{grouped(t, "a", "4 2 3 1", syn)}, Machine{SetMode: true, Set4: "k", IPv6: true}, "knocks over IPv6 gets nothing: set mode needs a set for such addresses, and firewall.set6 names none"},
		{"set6 alone", []*engine.Door{grouped(t, "a", "4 2 3 1", syn)}, Machine{SetMode: true, Set6: "k", IPv6: true}, "knocks over IPv4 gets nothing: set mode needs a set for such addresses, and firewall.set4 names none"},
		{"both", []*engine.Door{grouped(t, "a", "4 2 3 1", syn)}, Machine{SetMode: true, Set4: "k", Set6: "k6", IPv6: true}, ""},
		{"a machine without IPv6", []*engine.Door{grouped(t, "a", "4 2 3 1", syn)}, Machine{SetMode: true, Set4: "k"}, ""},
		{"guard mode", []*engine.Door{grouped(t, "a", "4 2 3 1", syn)}, Machine{Set4: "k", IPv6: true}, ""},
		{"an IPv4 target", []*engine.Door{at("203.0.113.5", grouped(t, "a", "4 2 3 1", syn))}, Machine{SetMode: true, Set4: "k", IPv6: true}, ""},
		{"an IPv6 target", []*engine.Door{at("2001:db8::5", grouped(t, "a", "4 2 3 1", syn))}, Machine{SetMode: true, Set4: "k", IPv6: true}, "IPv6"},
		{"a door that gives nothing", []*engine.Door{tells}, Machine{SetMode: true, Set4: "k", IPv6: true}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var found []Finding
			for _, f := range CheckOn(setOf(test.doors...), &test.machine, nil, time.Time{}) {
				if f.ID == NoSet {
					found = append(found, f)
				}
			}
			switch {
			case test.want == "" && len(found) > 0:
				t.Errorf("found %v, want nothing", found)
			case test.want != "" && (len(found) != 1 || !strings.Contains(found[0].Message, test.want) || found[0].Door != "a"):
				t.Errorf("found %v, want %q", found, test.want)
			}
		})
	}
	one := grouped(t, "a", "4 2 3 1", syn)
	two := grouped(t, "b", "14 12 13 11", syn)
	two.Guards = []packet.Port{{Proto: packet.TCP, Number: 80}}
	count := 0
	for _, f := range CheckOn(setOf(one, two), &Machine{SetMode: true, Set4: "k", IPv6: true}, nil, time.Time{}) {
		if f.ID == NoSet {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d findings for two doors, want one", count)
	}
}

func TestAddressesOfAMachine(t *testing.T) {
	const (
		loopback = "00000000000000000000000000000001 01 80 10 80       lo\n"
		link     = "fe8000000000000002155dfffe8e1f0a 02 40 20 80     eth0\n"
		global   = "20010db8000100000000000000000001 02 40 00 80     eth0\n"
	)
	for text, want := range map[string]bool{"": false, loopback + link: false, loopback + global + link: true, global: true} {
		m, err := ReadMachine(fstest.MapFS{"net/if_inet6": {Data: []byte(text)}})
		if err != nil || m.IPv6 != want {
			t.Errorf("%q: %v, %v, want %v", text, m.IPv6, err, want)
		}
	}
	if _, err := ReadMachine(fstest.MapFS{"net/if_inet6": {Data: []byte(global + "torn 02\n")}}); err == nil || !strings.Contains(err.Error(), "net/if_inet6: line 2") {
		t.Errorf("a line that is cut off: %v", err)
	}
}
