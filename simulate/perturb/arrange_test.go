package perturb

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"sesame/daemon/packet"
	"sesame/simulate"
)

// mixed has two sources, TCP and UDP, a SYN that its client sends again, and a flow of two packets.
const mixed = `
0s 203.0.113.9 tcp/1 sport=1000 seq=1
500ms 203.0.113.9 udp/2 sport=1001
600ms 203.0.113.10 tcp/1 sport=1002 seq=2
1s 203.0.113.9 tcp/3 sport=1003 seq=3
1600ms 203.0.113.10 tcp/1 sport=1002 seq=2
2s 203.0.113.9 udp/2 sport=1001
9s 203.0.113.9 tcp/3 sport=1004 seq=4
`

// everySeed calls check for the arrivals of many runs.
func everySeed(t *testing.T, n Network, check func(a *arranger, all []arrival)) {
	t.Helper()
	a := build(t, mixed, door("ssh", 1, -2, 3)).arranger(t, n)
	for seed := range uint64(300) {
		all := a.arrange(seed)
		if !slices.IsSortedFunc(all, func(x, y arrival) int { return x.at.Compare(y.at) }) {
			t.Fatalf("seed %d: the arrivals are not in the order of their times", seed)
		}
		check(a, all)
	}
}

// inputs returns the numbers of the inputs that arrive.
func inputs(all []arrival) (n []int) {
	for _, one := range all {
		n = append(n, one.input)
	}
	return n
}

func TestNothingHappens(t *testing.T) {
	everySeed(t, Network{Addresses: 1}, func(a *arranger, all []arrival) {
		for i, one := range all {
			in := a.route.tape.Inputs[i]
			if one.input != i || !one.at.Equal(in.At) || one.source != in.Packet.Source || one.version != original {
				t.Fatalf("arrival %d is %+v", i, one)
			}
		}
	})
}

func TestAllIsLost(t *testing.T) {
	everySeed(t, Network{Loss: 1, Duplicate: 1, Retransmit: true, Jitter: time.Second}, func(_ *arranger, all []arrival) {
		if len(all) != 0 {
			t.Fatalf("%d packets arrived", len(all))
		}
	})
}

func TestEachIsDoubled(t *testing.T) {
	everySeed(t, Network{Duplicate: 1, Retransmit: true}, func(a *arranger, all []arrival) {
		var times [7][versions]time.Time
		for _, one := range all {
			times[one.input][one.version] = one.at
		}
		for i := range times {
			at := a.route.tape.Inputs[i].At
			if apart := times[i][copied].Sub(at); len(all) != 14 || !times[i][original].Equal(at) || apart < 0 || apart >= 10*time.Millisecond {
				t.Fatalf("packet %d of %v arrives at %v", i, at, times[i])
			}
		}
	})
}

// TestPairsChangePlaces has each packet wait for the next one of its source. The last of a source
// waits for none, and so does the one before it, since that comes 7 s later.
func TestPairsChangePlaces(t *testing.T) {
	everySeed(t, Network{Reorder: 1}, func(a *arranger, all []arrival) {
		if got, want := fmt.Sprint(inputs(all)), "[1 0 4 2 5 3 6]"; got != want {
			t.Fatalf("the order is %s, want %s", got, want)
		}
		for k, at := range map[int]time.Duration{0: 500 * time.Millisecond, 1: 500 * time.Millisecond, 3: 1600 * time.Millisecond, 5: 2 * time.Second, 6: 9 * time.Second} {
			if got := all[k].at.Sub(a.route.tape.Inputs[0].At); got != at {
				t.Errorf("arrival %d comes after %v, want %v", k, got, at)
			}
		}
	})
}

func TestSomeAreLate(t *testing.T) {
	var sum time.Duration
	most := time.Duration(0)
	everySeed(t, Network{Jitter: 200 * time.Millisecond}, func(a *arranger, all []arrival) {
		if len(all) != 7 {
			t.Fatalf("%d packets", len(all))
		}
		for _, one := range all {
			late := one.at.Sub(a.route.tape.Inputs[one.input].At)
			if late < 0 || late >= 200*time.Millisecond {
				t.Fatalf("late by %v", late)
			}
			sum, most = sum+late, max(most, late)
		}
	})
	if mean := sum / 2100; mean < 95*time.Millisecond || mean > 105*time.Millisecond || most < 190*time.Millisecond {
		t.Errorf("late by %v in the mean and %v at most, want what is uniform up to 200ms", mean, most)
	}
}

// TestASYNIsSentAgain has half of the packets lost. A SYN is sent again until it arrives, but not
// one that its client sent again itself, and no datagram.
func TestASYNIsSentAgain(t *testing.T) {
	seen := map[time.Duration]int{}
	everySeed(t, Network{Loss: 0.5, Retransmit: true}, func(a *arranger, all []arrival) {
		arrived := map[int]int{}
		for _, one := range all {
			after := one.at.Sub(a.route.tape.Inputs[one.input].At)
			if arrived[one.input]++; one.input == 0 {
				seen[after]++
			} else if again := one.version >= resent; again != (after > 0) || again && !a.route.resend[one.input] {
				t.Fatalf("%+v comes after %v", one, after)
			}
		}
		for input, n := range arrived {
			if n != 1 {
				t.Fatalf("input %d arrived %d times", input, n)
			}
		}
	})
	if len(seen) != 4 || seen[0] < 120 || seen[time.Second] < 50 || seen[3*time.Second] < 20 || seen[7*time.Second] < 8 {
		t.Errorf("the first SYN arrives after %v", seen)
	}
	a := build(t, mixed, door("ssh", 1, -2, 3)).arranger(t, Network{Retransmit: true})
	if got, want := fmt.Sprint(a.route.resend), "[true false false true false false true]"; got != want {
		t.Errorf("sent again: %s, want %s", got, want)
	}
}

// TestACopyIsEnough has a copy of each packet, and half of all lost. A SYN is sent again only when
// neither it nor its copy arrived.
func TestACopyIsEnough(t *testing.T) {
	twice, again := 0, 0
	everySeed(t, Network{Loss: 0.5, Duplicate: 1, Retransmit: true}, func(_ *arranger, all []arrival) {
		arrived := map[int][]int{}
		for _, one := range all {
			arrived[one.input] = append(arrived[one.input], one.version)
		}
		for input, got := range arrived {
			switch {
			case slices.Equal(got, []int{original, copied}):
				twice++
			case len(got) != 1:
				t.Fatalf("versions %v of input %d arrive", got, input)
			case got[0] >= resent:
				again++
			}
		}
	})
	if twice == 0 || again == 0 {
		t.Errorf("twice %d, again %d", twice, again)
	}
}

// TestWhatArrivesIsLateAsEver has half of the packets lost. Whether one is lost tells nothing of
// how late it is.
func TestWhatArrivesIsLateAsEver(t *testing.T) {
	sum, n := time.Duration(0), 0
	everySeed(t, Network{Loss: 0.5, Jitter: 200 * time.Millisecond}, func(a *arranger, all []arrival) {
		for _, one := range all {
			sum, n = sum+one.at.Sub(a.route.tape.Inputs[one.input].At), n+1
		}
	})
	if mean := sum / time.Duration(n); mean < 90*time.Millisecond || mean > 110*time.Millisecond {
		t.Errorf("late by %v in the mean, want 100ms", mean)
	}
}

// TestAFlowHasOneAddress has four addresses for each source. No two sources share one.
func TestAFlowHasOneAddress(t *testing.T) {
	used, changes := map[string]map[netip.Addr]bool{}, 0
	everySeed(t, Network{Addresses: 4}, func(a *arranger, all []arrival) {
		for _, one := range all {
			sender := a.route.tape.Inputs[one.input].Packet.Source
			if a.route.senderOf(one.source) != sender {
				t.Fatalf("%v is an address of %v, and %v sends from it", one.source, a.route.senderOf(one.source), sender)
			}
			if used[sender.String()] == nil {
				used[sender.String()] = map[netip.Addr]bool{}
			}
			used[sender.String()][one.source] = true
		}
		if all[1].source != all[5].source || all[2].source != all[4].source {
			t.Fatalf("a flow has two addresses: %+v", all)
		}
		if all[0].source != all[1].source {
			changes++
		}
	})
	for _, source := range []string{"203.0.113.9", "203.0.113.10"} {
		if len(used[source]) != 4 || !used[source][netip.MustParseAddr(source)] {
			t.Errorf("%s sent from %v", source, used[source])
		}
	}
	if changes < 190 || changes > 260 {
		t.Errorf("two flows had different addresses in %d of 300 runs, want about 225", changes)
	}
}

// TestTheEndOfTheAddresses has a source with no address behind it that a host can have.
func TestTheEndOfTheAddresses(t *testing.T) {
	a := build(t, "0s 223.255.255.254 tcp/1", door("ssh", 1, 2)).arranger(t, Network{Addresses: 4})
	if n := len(a.route.addresses[a.route.flows[0].source]); n != 2 {
		t.Errorf("it has %d addresses, want its own and the next one", n)
	}
}

// TestAFaultLeavesTheOthersAsTheyAre compares the packets that are lost with and without further
// faults, and with a larger loss.
func TestAFaultLeavesTheOthersAsTheyAre(t *testing.T) {
	w := build(t, mixed, door("ssh", 1, -2, 3))
	lost := func(n Network, seed uint64) map[int]bool {
		lost := map[int]bool{0: true, 1: true, 2: true, 3: true, 4: true, 5: true, 6: true}
		for _, one := range w.arranger(t, n).arrange(seed) {
			if one.version == original {
				delete(lost, one.input)
			}
		}
		return lost
	}
	for seed := range uint64(100) {
		want := lost(Network{Loss: 0.3}, seed)
		more := lost(Network{Loss: 0.4}, seed)
		all := lost(Network{Loss: 0.3, Duplicate: 0.5, Reorder: 0.5, Jitter: time.Second, Retransmit: true, Addresses: 9}, seed)
		if fmt.Sprint(all) != fmt.Sprint(want) {
			t.Errorf("seed %d: lost %v, and %v with other faults", seed, want, all)
		}
		for i := range want {
			if !more[i] {
				t.Errorf("seed %d: packet %d is lost at 30 %% and not at 40 %%", seed, i)
			}
		}
	}
}

// TestNobodyWaitsLong has the next packet come after a second, and after a little more.
func TestNobodyWaitsLong(t *testing.T) {
	for at, want := range map[string]string{"1s": "[1 0]", "1001ms": "[0 1]"} {
		a := build(t, "0s 203.0.113.9 tcp/1\n"+at+" 203.0.113.9 tcp/1 seq=9", door("ssh", 1)).arranger(t, Network{Reorder: 1})
		if got := fmt.Sprint(inputs(a.arrange(1))); got != want {
			t.Errorf("after %s: %s, want %s", at, got, want)
		}
	}
}

// TestManyNeighbours has a flood from neighbouring addresses. To find the free ones behind them
// must take a few steps for each, or this test does not end.
func TestManyNeighbours(t *testing.T) {
	const n = 50_000
	r := &route{addresses: map[netip.Addr][]netip.Addr{}, sender: map[netip.Addr]netip.Addr{}}
	source := netip.MustParseAddr("11.0.0.0")
	for range n {
		r.flows = append(r.flows, flowKey{source: source, dest: netip.MustParseAddr("192.0.2.1")})
		source = source.Next()
	}
	r.translate(4)
	if len(r.sender) != 4*n {
		t.Errorf("%d addresses, want %d", len(r.sender), 4*n)
	}
	for source, all := range r.addresses {
		if len(all) != 4 || all[0] != source {
			t.Fatalf("%v has %v", source, all)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		network Network
		good    bool
	}{
		{Network{}, true},
		{Network{Loss: 1, Duplicate: 1, Reorder: 1, Jitter: time.Hour, Addresses: 64}, true},
		{Network{Loss: 1.01}, false},
		{Network{Loss: -0.01}, false},
		{Network{Duplicate: 1.01}, false},
		{Network{Reorder: 1.01}, false},
		{Network{Jitter: time.Hour + 1}, false},
		{Network{Jitter: -1}, false},
		{Network{Addresses: 65}, false},
		{Network{Addresses: -1}, false},
	} {
		if err := tt.network.Check(); (err == nil) != tt.good {
			t.Errorf("%+v: %v", tt.network, err)
		}
	}
}

func TestWhatIsASYN(t *testing.T) {
	for flags, want := range map[packet.Flags]bool{
		packet.SYN: true, packet.SYN | packet.PSH: true, packet.SYN | packet.ACK: false, packet.SYN | packet.FIN: false,
		packet.SYN | packet.RST: false, packet.ACK: false, 0: false,
	} {
		if got := isSYN(&packet.Packet{Port: packet.Port{Proto: packet.TCP}, Flags: flags}); got != want {
			t.Errorf("%v: %t", flags, got)
		}
	}
	if isSYN(&packet.Packet{Port: packet.Port{Proto: packet.UDP}, Flags: packet.SYN}) {
		t.Error("a datagram is a SYN")
	}
}

// TestAnswersHaveNoFaults has a capture with ICMP errors, which answer knocks.
func TestAnswersHaveNoFaults(t *testing.T) {
	w := read(t, simulate.Config{Captures: []string{"../../pcaps/ssh-opens.pcap"}}, door("ssh", 7421, -9133, 2904, 6117))
	a := w.arranger(t, Network{Loss: 1, Duplicate: 1, Retransmit: true})
	if got := a.arrange(1); len(got) != 3 || a.route.faulty != 4 || got[0].version != noVersion {
		t.Errorf("%d inputs arrive, want the 3 that are ICMP; %d have faults, want 4", len(got), a.route.faulty)
	}
	r := w.run(t, Network{Loss: 1}, 1)
	if r.Packets != 4 || r.Doors[0].Chances.Of != 0 {
		t.Errorf("%+v", r)
	}
}
