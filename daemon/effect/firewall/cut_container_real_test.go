package firewall

import (
	"net"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

const insideAddress = "172.17.0.2"

// newContainer makes a namespace behind the server, which the server translates ports to.
func (w *cabled) newContainer(rules string) (inside netns.NsHandle) {
	w.t.Helper()
	inside = namespace(w.t)
	must(w.t, netns.Set(w.server))
	must(w.t, netlink.LinkAdd(&netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: "bridge"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(inside),
	}))
	bridge, err := netlink.LinkByName("bridge")
	must(w.t, err)
	w.addTo(bridge, "172.17.0.1/16")
	w.addTo(bridge, "2001:db8:17::1/64")
	must(w.t, netlink.LinkSetUp(bridge))
	must(w.t, netns.Set(inside))
	eth0, err := netlink.LinkByName("eth0")
	must(w.t, err)
	w.addTo(eth0, insideAddress+"/16")
	w.addTo(eth0, "2001:db8:17::2/64")
	must(w.t, netlink.LinkSetUp(eth0))
	must(w.t, netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP("172.17.0.1")}))
	must(w.t, netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP("2001:db8:17::1")}))
	w.connected("eth0")
	must(w.t, netns.Set(w.server))
	w.connected("bridge")
	w.run("", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
	w.run(rules, "nft", "-f", "-")
	return inside
}

func TestRealCutEndsASessionOfAContainer(t *testing.T) {
	tcp8080 := packet.Port{Proto: packet.TCP, Number: 8080}
	udp5353 := packet.Port{Proto: packet.UDP, Number: 5353}
	for _, tt := range []struct{ name, source, server string }{
		{"IPv4", clientAddress, serverAddress}, {"IPv6", client6Address, server6Address},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newCabled(t)
			w.needs("nft", "sysctl")
			inside := w.newContainer(`table inet docker { chain pre { type nat hook prerouting priority -100;
				tcp dport 8080 dnat ip to ` + insideAddress + `:80; tcp dport 8080 dnat ip6 to [2001:db8:17::2]:80
				udp dport 5353 dnat ip to ` + insideAddress + `:53; udp dport 5353 dnat ip6 to [2001:db8:17::2]:53; }
			}`)
			must(t, netns.Set(inside))
			service := w.serve(":80")
			flows, err := net.ListenPacket("udp", ":53")
			must(t, err)
			t.Cleanup(func() { flows.Close() })
			go answer(flows, make(chan net.Addr, 1))
			must(t, netns.Set(w.server))
			g := NewGuard(GuardConfig{})
			t.Cleanup(func() { must(t, g.Close()) })
			must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp8080, udp5353}}, nil))
			apply(t, g, element(tt.source, tcp8080, time.Hour), element(tt.source, udp5353, time.Hour))
			to := net.JoinHostPort(tt.server, "8080")
			speaks, hears := service.begin(t, w, "", to), service.begin(t, w, "", to)
			flow := w.datagrams(t, net.JoinHostPort(tt.server, "5353"))
			if !flow.answered(generous) {
				t.Fatal("a container does not answer")
			}
			apply(t, g, cut(tt.source, tcp8080), cut(tt.source, udp5353))
			speaks.isReset("client", speaks.client)
			speaks.isReset("server", speaks.server)
			hears.isReset("server", hears.server)
			hears.isReset("client", hears.client)
			if flow.answered(patience) {
				t.Error("a flow into a container that was cut is answered")
			}
			apply(t, g, element(tt.source, tcp8080, time.Hour))
			service.begin(t, w, "", to).goesOn("after a new grant")
		})
	}
}

// A grant of the outer port of a REDIRECT is cut by that port, on both sides.
func TestRealCutEndsARedirectedSession(t *testing.T) {
	tcp2222 := packet.Port{Proto: packet.TCP, Number: 2222}
	w := newCabled(t)
	w.needs("nft")
	service := w.serve(":22")
	w.run("table inet others {\nchain pre { type nat hook prerouting priority -100; tcp dport 2222 redirect to :22; }\n}", "nft", "-f", "-")
	g := NewGuard(GuardConfig{})
	t.Cleanup(func() { must(t, g.Close()) })
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22, tcp2222}}, nil))
	apply(t, g, element(clientAddress, tcp2222, time.Hour))
	hears := service.begin(t, w, "", serverAddress+":2222")
	apply(t, g, cut(clientAddress, tcp2222))
	hears.isReset("server", hears.server)
	hears.isReset("client", hears.client)
}
