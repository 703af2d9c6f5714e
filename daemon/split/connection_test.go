package split

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
)

var ssh = packet.Port{Proto: packet.TCP, Number: 22}

func opened(source string, after time.Duration) Opening {
	a := netip.MustParseAddr(source)
	return Opening{Source: a, Access: netip.PrefixFrom(a, a.BitLen()), Door: "ssh", Port: ssh, At: begin.Add(after)}
}

func used(o Opening) Opening { o.Used = true; return o }

func refused(source string, after time.Duration) Refused {
	return Refused{Source: netip.MustParseAddr(source), Port: ssh, Packets: 3, Last: begin.Add(after)}
}

func often(r Refused) Refused { r.Packets = mostPackets + 1; return r }

func at(r Refused, port uint16) Refused { r.Port.Number = port; return r }

const (
	fourToSix = "probably knocked over IPv4, connected over IPv6; knock over both, as knock does without -4, or connect with ssh -4"
	sixToFour = "probably knocked over IPv6, connected over IPv4; knock over both, as knock does without -6, or connect with ssh -6"
	sameOne   = "probably connected from another address than the knock (carrier NAT or VPN); prefix4 in allow, or IPv6, helps"
)

func TestConnectionsFromAnotherAddress(t *testing.T) {
	const v4, v6, near, far = "198.51.100.9", "2001:db8::9", "198.51.100.141", "203.0.113.5"
	wide := opened(v4, 0)
	wide.Access = netip.MustParsePrefix("198.51.100.0/24")
	tests := []struct {
		name    string
		opened  []Opening
		refused []Refused
		want    []string
	}{
		{"the other family", []Opening{opened(v4, 0)}, []Refused{refused(v6, time.Second)},
			[]string{"198.51.100.9 opened ssh; 2001:db8::9 was refused at tcp/22 1s later: " + fourToSix}},
		{"the other family, the other way", []Opening{opened(v6, 0)}, []Refused{refused(v4, 1500*time.Millisecond)},
			[]string{"2001:db8::9 opened ssh; 198.51.100.9 was refused at tcp/22 2s later: " + sixToFour}},
		{"a neighbour, after a minute", []Opening{opened(v4, 0)}, []Refused{refused(near, time.Minute)},
			[]string{"198.51.100.9 opened ssh; 198.51.100.141 was refused at tcp/22 1m later: " + sameOne}},
		{"a stranger, soon", []Opening{opened(v4, 0)}, []Refused{refused(far, 15*time.Second)},
			[]string{"198.51.100.9 opened ssh; 203.0.113.5 was refused at tcp/22 15s later: " + sameOne}},
		{"the latest of two openings", []Opening{opened(v4, 0), opened(v4, 8*time.Second)}, []Refused{refused(v6, 9*time.Second)},
			[]string{"198.51.100.9 opened ssh; 2001:db8::9 was refused at tcp/22 1s later: " + fourToSix}},
		{"the neighbour rather than a stranger", []Opening{opened(v4, 0)}, []Refused{refused(far, time.Second), refused(near, time.Second)},
			[]string{"198.51.100.9 opened ssh; 198.51.100.141 was refused at tcp/22 1s later: " + sameOne}},
		{"the opening of a neighbour", []Opening{opened(far, 0), opened(v4, 0)}, []Refused{refused(near, time.Second)},
			[]string{"198.51.100.9 opened ssh; 198.51.100.141 was refused at tcp/22 1s later: " + sameOne}},
		{"one of each family", []Opening{opened(v4, 0)}, []Refused{refused(v6, time.Second), refused(near, 2*time.Second)},
			[]string{"198.51.100.9 opened ssh; 2001:db8::9 was refused at tcp/22 1s later: " + fourToSix, "198.51.100.9 opened ssh; 198.51.100.141 was refused at tcp/22 2s later: " + sameOne}},
		{"by NAT64", []Opening{opened(v4, 0)}, []Refused{refused("64:ff9b::198.51.100.9", 20*time.Second)},
			[]string{"198.51.100.9 opened ssh; 64:ff9b::c633:6409 was refused at tcp/22 20s later: probably the same client, once translated by NAT64; knock and connect over the same address family"}},
		{"a stranger behind NAT64, after one behind it", []Opening{opened("64:ff9b::203.0.113.5", 0)}, []Refused{refused("64:ff9b::198.51.100.9", 16*time.Second)}, nil},
		{"a stranger, later", []Opening{opened(v4, 0)}, []Refused{refused(far, 16*time.Second)}, nil},
		{"a neighbour, much later", []Opening{opened(v4, 0)}, []Refused{refused(near, 61*time.Second)}, nil},
		{"IPv4 after IPv6, later", []Opening{opened(v6, 0)}, []Refused{refused(v4, 16*time.Second)}, nil},
		{"before the opening", []Opening{opened(v4, 0)}, []Refused{refused(v6, -tick-1)}, nil},
		{"just after it, but the kernel counts in jiffies", []Opening{opened(v4, 0)}, []Refused{refused(v6, -tick)},
			[]string{"198.51.100.9 opened ssh; 2001:db8::9 was refused at tcp/22 0s later: " + fourToSix}},
		{"another port", []Opening{opened(v4, 0)}, []Refused{at(refused(v6, time.Second), 23)}, nil},
		{"the opening was used", []Opening{used(opened(v4, 0))}, []Refused{refused(v6, time.Second)}, nil},
		{"both families opened", []Opening{opened(v4, 0), opened("2001:db8:7::7", time.Second)}, []Refused{refused(v6, 17*time.Second)}, nil},
		{"both families opened, and one is used", []Opening{used(opened(v4, 0)), opened(v6, 0)}, []Refused{refused(far, 2*time.Second)}, nil},
		{"its own grant has ended", []Opening{opened(v6, -time.Hour), opened(v4, 0)}, []Refused{refused(v6, time.Second)}, nil},
		{"the opening lets it in", []Opening{wide}, []Refused{refused(near, time.Second)}, nil},
		{"it sends too much", []Opening{opened(v4, 0)}, []Refused{often(refused(near, time.Second))}, nil},
		{"two strangers", []Opening{opened(v4, 0)}, []Refused{refused(far, time.Second), refused("203.0.113.6", 2*time.Second)}, nil},
		{"two that opened", []Opening{opened(v4, 0), opened(far, 0)}, []Refused{refused(v6, time.Second)}, nil},
		{"a stranger beside a neighbour that opened", []Opening{opened(v4, 0), opened(near, 0)}, []Refused{refused("198.51.100.200", time.Second)}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, c := range Connections(test.opened, test.refused) {
				got = append(got, c.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("connections (-want +got):\n%s", diff)
			}
		})
	}
}

// TestScannersAreNoClients has scanners at the port every second, as a host in the Internet has.
func TestScannersAreNoClients(t *testing.T) {
	random := rand.New(rand.NewPCG(12, 12))
	for range 200 {
		var scans []Refused
		for second := range 120 {
			scans = append(scans, refused(fmt.Sprintf("203.%d.%d.%d", random.IntN(256), random.IntN(256), random.IntN(256)), time.Duration(second)*time.Second))
		}
		all := Connections([]Opening{opened("198.51.100.9", time.Duration(random.IntN(60))*time.Second)}, scans)
		if len(all) > 0 {
			t.Fatalf("a scanner was taken for a client: %v", all)
		}
	}
}
