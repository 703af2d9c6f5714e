package lint

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
)

// guarding returns a door that guards ports, and that opens them.
func guarding(t *testing.T, name string, ports ...string) *engine.Door {
	t.Helper()
	d := grouped(t, name, "7000 3000 9000 1500", syn)
	d.Guards = nil
	for _, p := range ports {
		d.Guards = append(d.Guards, port(t, p))
	}
	return d
}

func TestFindingsOfWhatPasses(t *testing.T) {
	published := func(pairs ...string) (all []Translation) {
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, Translation{Outer: port(t, pairs[i]), Inner: port(t, pairs[i+1])})
		}
		return all
	}
	loopback := netip.MustParseAddr("127.0.0.1")
	const nothing80 = "a guards-nothing: nothing of this machine listens on tcp/80, and a container that does is reached as "
	const cookies = " syn-cookies: this machine answers every SYN with a cookie (net.ipv4.tcp_syncookies = 2): who connects to "
	const later = " with a grant can begin one more connection for each SYN up to two minutes later, also after the grant has ended"
	for _, test := range []struct {
		name    string
		doors   []*engine.Door
		machine Machine
		want    []string
	}{
		{"a container's port", []*engine.Door{guarding(t, "a", "80")}, Machine{Translations: published("8080", "80")},
			[]string{nothing80 + "tcp/8080: the guard of tcp/80 guards nothing"}},
		{"of two containers", []*engine.Door{guarding(t, "a", "443", "80")}, Machine{Translations: published("8080", "80", "8081", "80")},
			[]string{nothing80 + "tcp/8080, tcp/8081: the guard of tcp/80 guards nothing"}},
		{"only for this machine", []*engine.Door{guarding(t, "a", "80")},
			Machine{Translations: published("8080", "80"), Sockets: []Socket{{port(t, "80"), loopback}}},
			[]string{nothing80 + "tcp/8080: the guard of tcp/80 guards nothing"}},
		{"this machine has it, too", []*engine.Door{guarding(t, "a", "80")},
			Machine{Translations: published("8080", "80"), Sockets: []Socket{{port(t, "80"), everywhere}}}, nil},
		{"the other protocol", []*engine.Door{guarding(t, "a", "udp/80")}, Machine{Translations: published("8080", "80")}, nil},
		{"the outer port", []*engine.Door{guarding(t, "a", "8080")}, Machine{Translations: published("8080", "80")}, nil},
		{"both", []*engine.Door{guarding(t, "a", "80", "8080")}, Machine{Translations: published("8080", "80")}, nil},
		{"another door guards the outer port", []*engine.Door{guarding(t, "a", "80"), guarding(t, "b", "8080")}, Machine{Translations: published("8080", "80")}, nil},
		{"published as itself, for another container", []*engine.Door{guarding(t, "a", "80")}, Machine{Translations: published("80", "8000", "8080", "80")}, nil},

		{"cookies always", []*engine.Door{guarding(t, "a", "udp/53"), guarding(t, "b", "udp/51820", "22"), guarding(t, "c", "443")}, Machine{SYNCookies: 2},
			[]string{"b" + cookies + "tcp/22" + later}},
		{"cookies always, and a guard over TCP comes first", []*engine.Door{guarding(t, "a", "443", "22")}, Machine{SYNCookies: 2},
			[]string{"a" + cookies + "tcp/443" + later}},
		{"cookies under a flood", []*engine.Door{guarding(t, "a", "22")}, Machine{SYNCookies: 1}, nil},
		{"cookies, and no guard over TCP", []*engine.Door{guarding(t, "a", "udp/53")}, Machine{SYNCookies: 2}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, f := range CheckOn(setOf(test.doors...), &test.machine, nil, time.Time{}) {
				if f.ID == GuardsNothing || f.ID == SYNCookies {
					got = append(got, f.Door+" "+f.ID+": "+f.Message)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
