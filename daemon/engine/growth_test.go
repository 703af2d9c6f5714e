package engine

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"net/netip"
	"testing"
	"time"

	"sesame/daemon/packet"
)

// These tests count how often grants are compared. The number for each grant must not grow with
// the number of grants, but for its logarithm.

// grows checks that story makes at most six comparisons for each of n grants, times the logarithm
// of n.
func grows(t *testing.T, story func(w *world, n int)) {
	t.Helper()
	for _, n := range []int{200, 4000} {
		w := newWorld(t)
		story(w, n)
		if most := 6 * n * bits.Len(uint(n)); w.e.grants.work > most {
			t.Errorf("%d grants took %d comparisons, more than %d", n, w.e.grants.work, most)
		}
	}
}

// wide gives access to a port for the network of that length around the source.
func wide(port string, bits int) Allow {
	p, err := packet.ParsePort(port)
	if err != nil {
		panic(err)
	}
	return Allow{Ports: []packet.Port{p}, Bits6: bits}
}

// neighbour returns an address of a /64, which others share.
func neighbour(i int) string {
	a := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	binary.BigEndian.PutUint32(a[12:], uint32(i))
	return netip.AddrFrom16(a).String()
}

func (w *world) swap(doors ...*Door) { w.record(w.e.Swap(w.now, &Set{Doors: doors})) }

// live checks how many grants there are.
func (w *world) live(n int) {
	w.t.Helper()
	if got := w.e.grants.count(); got != n {
		w.t.Errorf("%d grants are live: want %d", got, n)
	}
}

func TestGrantsOfOneNetworkEndTogether(t *testing.T) {
	grows(t, func(w *world, n int) {
		w.swap(scripted(aDoor(t, "net", "udp/500"), HookOpen, always(wide("tcp/22", 64))))
		for i := range n {
			w.knock(neighbour(i), "udp/500")
		}
		w.live(n)
		w.tick(time.Hour)
		w.live(0)
	})
}

// The last that came ends first: each end is that of the grant which lasted longest.
func TestGrantsOfOneNetworkEndLastFirst(t *testing.T) {
	grows(t, func(w *world, n int) {
		w.swap(scripted(aDoor(t, "net", "udp/500"), HookOpen, always(wide("tcp/22", 64))),
			scripted(aDoor(t, "shut", "udp/501"), HookOpen, always(Close{Door: "net"})))
		for i := range n {
			w.advance(time.Millisecond)
			w.knock(neighbour(i), "udp/500")
		}
		w.live(n)
		for i := range n {
			w.knock(neighbour(n-1-i), "udp/501")
		}
		w.live(0)
	})
}

func TestNetworksInAWiderOne(t *testing.T) {
	grows(t, func(w *world, n int) {
		w.swap(scripted(aDoor(t, "narrow", "udp/500"), HookOpen, always(wide("tcp/22", 128-8))),
			scripted(aDoor(t, "other", "udp/501"), HookOpen, always(wide("tcp/22", 128-4))))
		for i := range n {
			w.knock(neighbour(i<<8), "udp/500")
			w.knock(neighbour(i<<8), "udp/501")
		}
		w.live(2 * n)
		w.tick(time.Hour)
		w.live(0)
	})
}

func TestGrantsOfOneDecisionAreTakenBack(t *testing.T) {
	grows(t, func(w *world, n int) {
		var all []packet.Port
		for i := range n {
			all = append(all, packet.Port{Proto: packet.TCP, Number: uint16(i + 1)})
		}
		w.swap(scripted(aDoor(t, "net", "udp/500"), HookOpen, always(Allow{Ports: all, Bits6: 64})))
		w.knock(neighbour(1), "udp/500")
		w.live(n)
		last := w.got[len(w.got)-1]
		w.record(w.e.Result(w.now, last.ID, errors.New("the kernel refuses it")))
		w.live(0)
	})
}

func TestACommandThatManySourcesShare(t *testing.T) {
	grows(t, func(w *world, n int) {
		w.swap(sharing(t, "a", "udp/500"))
		for i := range n {
			w.knock(neighbour(i), "udp/500")
		}
		w.live(n)
		w.tick(time.Hour)
		w.live(0)
	})
}

// A door that only observes ends nothing that another gave. So it does not look at that either.
func TestAnObserverDoesNotLookAtWhatItCannotEnd(t *testing.T) {
	var asks []Operation
	for range 100 {
		asks = append(asks, Close{Door: "net"})
	}
	grows(t, func(w *world, n int) {
		var all []packet.Port
		for i := range n {
			all = append(all, packet.Port{Proto: packet.TCP, Number: uint16(i + 1)})
		}
		observer := scripted(aDoor(t, "look", "udp/501"), HookOpen, always(asks...))
		observer.Observe = true
		w.swap(scripted(aDoor(t, "net", "udp/500"), HookOpen, always(Allow{Ports: all})), observer)
		w.knock(neighbour(1), "udp/500", "udp/501")
		w.live(n)
	})
}

func TestAConditionAsksForOneOfManyGrants(t *testing.T) {
	grows(t, func(w *world, n int) {
		asked := 0
		ask := scripted(aDoor(t, "ask", "udp/501"), HookOpen, func(c *Call) (Decision, error) {
			for range 100 {
				if _, ok := c.Granted("net"); ok {
					asked++
				}
			}
			return Decision{}, nil
		})
		w.swap(scripted(aDoor(t, "net", "udp/500"), HookOpen, always(wide("tcp/22", 64))), ask)
		for i := range n {
			w.knock(neighbour(i), "udp/500")
		}
		w.knock(neighbour(n+1), "udp/501")
		if asked != 100 {
			t.Errorf("%d of 100 questions found a grant", asked)
		}
	})
}

// One reply asks for the same ports again and again, each time for longer.
func TestGrantsOfOneDecisionThatExtendEachOther(t *testing.T) {
	const ports = 20
	grows(t, func(w *world, n int) {
		var all []packet.Port
		for i := range ports {
			all = append(all, packet.Port{Proto: packet.TCP, Number: uint16(i + 1)})
		}
		var asks []Operation
		for i := range n / ports {
			asks = append(asks, Allow{Ports: all, Bits6: 8, TTL: time.Duration(i+1) * time.Second})
		}
		w.swap(scripted(aDoor(t, "net", "udp/500"), HookOpen, always(asks...)))
		w.knock(neighbour(1), "udp/500")
		w.live(ports)
		w.tick(time.Hour)
		w.live(0)
	})
}
