package firewall

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// newSets makes two hosts of which the server has a firewall of the user's, with
// sets for Sesame: type4 and type6 define them.
func newSets(t *testing.T, type4, type6, rules string) (*cabled, *Sets) {
	t.Helper()
	w := newCabled(t)
	w.listen(":22")
	w.listen(":80")
	w.run("table inet mine {\nset doors4 { "+type4+" }\nset doors6 { "+type6+" }\n"+
		"chain input { type filter hook input priority filter; policy drop; iif lo accept; ct state established accept; meta l4proto ipv6-icmp accept; "+rules+" }\n}\n", "nft", "-f", "-")
	s, err := NewSets(SetConfig{Family: "inet", Table: "mine", Set4: "doors4", Set6: "doors6", Now: time.Now})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	must(t, s.Install(effect.Guards{Drop: []packet.Port{tcp22}}, nil))
	return w, s
}

const (
	full4  = "type ipv4_addr . inet_proto . inet_service; flags interval,timeout;"
	full6  = "type ipv6_addr . inet_proto . inet_service; flags interval,timeout;"
	byFull = "ip saddr . meta l4proto . th dport @doors4 accept; ip6 saddr . meta l4proto . th dport @doors6 accept;"
)

func TestRealSets(t *testing.T) {
	for _, tt := range []struct{ name, type4, type6, rules string }{
		{"source, protocol, port", full4, full6, byFull},
		{"no intervals", strings.Replace(full4, "interval,", "", 1), strings.Replace(full6, "interval,", "", 1), byFull},
		{"source, port", "type ipv4_addr . inet_service; flags interval,timeout;", "type ipv6_addr . inet_service; flags timeout;",
			"ip saddr . tcp dport @doors4 accept; ip6 saddr . tcp dport @doors6 accept;"},
		{"source", "type ipv4_addr; flags timeout;", "type ipv6_addr; flags interval,timeout;", "ip saddr @doors4 accept; ip6 saddr @doors6 accept;"},
		{"typeof", "typeof ip saddr . meta l4proto . th dport; flags timeout;", full6, byFull},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, s := newSets(t, tt.type4, tt.type6, tt.rules)
			if w.slips("", server4) || w.slips("", server6) {
				t.Error("the user's own firewall does not stop what is not granted")
			}
			apply(t, s, element(clientAddress, tcp22, time.Minute), element(client6Address, tcp22, time.Minute))
			if !w.reaches("", server4) || !w.reaches("", server6) {
				t.Error("a granted source is stopped")
			}
			// Renewed and shortened: it ends by itself.
			apply(t, s, element(clientAddress, tcp22, time.Hour))
			apply(t, s, element(clientAddress, tcp22, 200*time.Millisecond))
			eventually(t, "the kernel ends the grant", func() bool { return !w.slips("", server4) })
			apply(t, s, element(clientAddress, tcp22, 0), element(client6Address, tcp22, 0))
			if w.slips("", server6) {
				t.Error("a grant that was taken back still opens")
			}
		})
	}
}

// TestRealSharedElement gives two ports to a source in a set that does not tell
// ports apart: the element stays until the last of them ends.
func TestRealSharedElement(t *testing.T) {
	w, s := newSets(t, "type ipv4_addr; flags timeout;", "type ipv6_addr; flags timeout;", "ip saddr @doors4 tcp dport { 22, 80 } accept;")
	apply(t, s, element(clientAddress, tcp22, 10*time.Hour), element(clientAddress, tcp80, 5*time.Hour))
	apply(t, s, element(clientAddress, tcp22, 0))
	if !w.reaches("", server4) {
		t.Error("the end of one grant ends another's element")
	}
	out := w.run("", "nft", "list", "set", "inet", "mine", "doors4")
	if !strings.Contains(out, "timeout 5h") && !strings.Contains(out, "timeout 4h") {
		t.Errorf("the element does not end with the last grant:\n%s", out)
	}
	apply(t, s, element(clientAddress, tcp80, 0))
	if w.slips("", server4) {
		t.Error("no grant is left, and the port is open")
	}
}

func TestRealSetsLeaveOthersAlone(t *testing.T) {
	w, s := newSets(t, full4, full6, byFull)
	w.run("", "nft", "add element inet mine doors4 { "+clientAddress+" . tcp . 22, 192.0.2.0/24 . tcp . 22 timeout 1h }")
	must(t, s.Install(effect.Guards{}, []effect.Element{element("203.0.113.1", tcp22, time.Minute), element("203.0.113.0/25", tcp80, time.Minute)}))
	apply(t, s, element(clientAddress, tcp22, time.Second))
	apply(t, s, element(clientAddress, tcp22, 0))
	if !w.reaches("", server4) {
		t.Error("an address that the user put there is gone")
	}
	got, err := s.Elements()
	must(t, err)
	if len(got) != 2 || got[0].Source != netip.MustParsePrefix("203.0.113.0/25") || got[1].Grant != 7 || got[1].Door != "ssh" {
		t.Errorf("elements: %v", got)
	}
	must(t, s.Install(effect.Guards{}, got[1:])) // what is ours and no longer wanted goes
	out := w.run("", "nft", "list", "set", "inet", "mine", "doors4")
	for text, want := range map[string]bool{"203.0.113.0/25": false, "203.0.113.1 ": true, "192.0.2.0/24": true, clientAddress: true} {
		if strings.Contains(out, text) != want {
			t.Errorf("%s in the set: %v, want %v:\n%s", text, !want, want, out)
		}
	}
}

func TestRealSetsThatDoNotFit(t *testing.T) {
	w := newCabled(t)
	install := func() error {
		s, err := NewSets(SetConfig{Family: "ip", Table: "mine", Set4: "doors", Now: time.Now})
		must(t, err)
		defer s.Close()
		return s.Install(effect.Guards{}, nil)
	}
	const remedy = "nft add set ip mine doors '{ type ipv4_addr . inet_proto . inet_service; flags interval,timeout; }'"
	w.run("", "nft", "add table ip mine")
	for _, tt := range []struct{ set, want string }{
		{"", "no set doors in table ip mine"},
		{"type ipv4_addr;", "has no flag timeout"},
		{"type ether_addr; flags timeout;", "has other keys: expected ipv4_addr . inet_proto . inet_service, or ipv4_addr . inet_service, or ipv4_addr"},
		{"type ipv6_addr; flags timeout;", "has other keys"},
		{"type ipv4_addr . inet_service . inet_proto; flags timeout;", "has other keys"},
	} {
		if tt.set != "" {
			w.run("", "nft", "add set ip mine doors { "+tt.set+" }")
		}
		err := install()
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), remedy) {
			t.Errorf("set %q: %v", tt.set, err)
		}
		if errors.Is(err, effect.ErrGone) != (tt.set == "") {
			t.Errorf("set %q: gone is %v", tt.set, errors.Is(err, effect.ErrGone))
		}
		if tt.set != "" {
			w.run("", "nft", "delete set ip mine doors")
		}
	}
	both, err := NewSets(SetConfig{Family: "ip", Table: "mine", Set4: "doors", Set6: "doors6", Now: time.Now})
	must(t, err)
	defer both.Close()
	if err := both.Install(effect.Guards{}, nil); !errors.Is(err, effect.ErrGone) || !strings.Contains(err.Error(), "doors '{") || !strings.Contains(err.Error(), "doors6 '{") {
		t.Errorf("two sets that are missing: %v", err)
	}
	w.run("", "sh", "-c", remedy)
	must(t, install())
	s, err := NewSets(SetConfig{Family: "ip", Table: "mine", Set4: "doors", Now: time.Now})
	must(t, err)
	defer s.Close()
	must(t, s.Install(effect.Guards{}, nil))
	if errs := s.Apply([]effect.Element{element(client6Address, tcp22, time.Minute)}); len(errs) != 1 || !strings.Contains(errs[0].Error(), "expected firewall.set6") {
		t.Errorf("an IPv6 source without a set for it: %v", errs)
	}
	w.run("", "nft", "flush ruleset")
	if errs := s.Apply([]effect.Element{element(clientAddress, tcp22, time.Minute)}); len(errs) != 1 || !errors.Is(errs[0], effect.ErrGone) {
		t.Errorf("a set that is gone: %v", errs)
	}
}

// TestRealNeighbours holds that in a set of addresses alone, where the kernel stores the first
// address behind each network as a member of its own, neighbours of an element can be granted,
// and that ranges of the user do not change how our networks are read.
func TestRealNeighbours(t *testing.T) {
	w, s := newSets(t, "type ipv4_addr; flags interval,timeout;", "type ipv6_addr; flags timeout;", "ip saddr @doors4 accept;")
	w.run("", "nft", "add element inet mine doors4 { 192.0.2.1-192.0.2.6, 192.0.2.77 }")
	before := element("198.51.100.1", tcp22, time.Hour)
	network := element("203.0.113.0/24", tcp22, time.Hour)
	must(t, s.Install(effect.Guards{}, []effect.Element{before, network}))
	must(t, s.Install(effect.Guards{}, []effect.Element{before, network}))
	apply(t, s, element(clientAddress, tcp22, time.Minute), network)
	if !w.reaches("", server4) {
		t.Error("the address behind a granted one is stopped")
	}
	apply(t, s, element(clientAddress, tcp22, 0), element("198.51.100.1", tcp22, 0))
	must(t, s.Install(effect.Guards{}, nil))
	out := w.run("", "nft", "list", "set", "inet", "mine", "doors4")
	for text, want := range map[string]bool{"203.0.113": false, "198.51.100": false, "192.0.2.1-192.0.2.6": true, "192.0.2.77": true} {
		if strings.Contains(out, text) != want {
			t.Errorf("%s in the set: %v, want %v:\n%s", text, !want, want, out)
		}
	}
}

func TestNewSets(t *testing.T) {
	for _, cfg := range []SetConfig{
		{Family: "bridge", Table: "x", Set4: "a"}, {Family: "inet", Set4: "a"}, {Family: "inet", Table: "x"},
	} {
		if _, err := NewSets(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}
