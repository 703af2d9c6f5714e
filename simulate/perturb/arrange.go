package perturb

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"sesame/simulate"
	"sesame/simulate/repeat"
)

// The purposes of random numbers. For each packet of the tape the same number of them is drawn for
// a purpose, whatever becomes of the packet and whatever the other faults are. So a larger loss
// loses what a smaller one loses and more, and a further fault leaves the others as they are.
const (
	forLoss      = "loss"
	forDuplicate = "duplicate"
	forReorder   = "reorder"
	forJitter    = "jitter"
	forAddresses = "nat-addresses"
)

// Versions of a packet: as it was sent, its copy, and the retransmits.
const (
	original  = 0
	copied    = 1
	resent    = 2 // the first of them
	versions  = resent + len(resends)
	noVersion = -1 // of an input that has no faults
)

// An arrival is an input of the tape at the time when it comes.
type arrival struct {
	at      time.Time
	order   int // among those at the same time
	input   int // on the tape
	version int
	source  netip.Addr // that the packet has on arrival
}

// An arranger makes what arrives in a run. It belongs to one goroutine; arrivals are valid until
// the next call.
type arranger struct {
	route    *route
	network  Network
	arrivals []arrival
	fates    []Fate       // of a run whose fates are told
	told     bool         // fates are wanted
	passed   []bool       // packets that another one was held back for
	chosen   []netip.Addr // by flow
	drawn    draws
}

// draws are the random numbers for one packet.
type draws struct {
	loss      [versions]float64
	jitter    [versions]float64
	duplicate float64
	apart     float64
	reorder   float64
}

// A source of random numbers for each purpose; nil where the network has no such fault.
type randoms struct{ loss, duplicate, reorder, jitter, addresses *rand.Rand }

func (n *Network) randoms(seed uint64) (r randoms) {
	for _, one := range []struct {
		wanted  bool
		purpose string
		to      **rand.Rand
	}{
		{n.Loss > 0, forLoss, &r.loss},
		{n.Duplicate > 0, forDuplicate, &r.duplicate},
		{n.Reorder > 0, forReorder, &r.reorder},
		{n.Jitter > 0, forJitter, &r.jitter},
		{n.Addresses > 1, forAddresses, &r.addresses},
	} {
		if one.wanted {
			*one.to = repeat.Random(seed, one.purpose)
		}
	}
	return r
}

// draw draws for one packet. What is not drawn is 1: nothing happens.
func (d *draws) draw(r *randoms) {
	*d = draws{duplicate: 1, reorder: 1}
	for i := range versions {
		if d.loss[i] = 1; r.loss != nil {
			d.loss[i] = r.loss.Float64()
		}
		if r.jitter != nil {
			d.jitter[i] = r.jitter.Float64()
		}
	}
	if r.duplicate != nil {
		d.duplicate, d.apart = r.duplicate.Float64(), r.duplicate.Float64()
	}
	if r.reorder != nil {
		d.reorder = r.reorder.Float64()
	}
}

// arrange returns what arrives in the run of a seed, in its order.
func (a *arranger) arrange(seed uint64) []arrival {
	r := a.network.randoms(seed)
	a.arrivals, a.fates = a.arrivals[:0], nil
	clear(a.passed)
	a.choose(&r)
	for i := range a.route.tape.Inputs {
		in := &a.route.tape.Inputs[i]
		if a.route.packets[i] == nil {
			a.arrivals = append(a.arrivals, arrival{at: in.At, order: 2 * i, input: i, version: noVersion})
			continue
		}
		a.drawn.draw(&r)
		a.send(i, in)
	}
	slices.SortStableFunc(a.arrivals, func(x, y arrival) int {
		return cmp.Or(x.at.Compare(y.at), cmp.Compare(x.order, y.order))
	})
	return a.arrivals
}

// choose gives each flow one of the addresses of its source.
func (a *arranger) choose(r *randoms) {
	if r.addresses == nil {
		return
	}
	for i, f := range a.route.flows {
		addresses := a.route.addresses[f.source]
		a.chosen[i] = addresses[r.addresses.IntN(len(addresses))]
	}
}

// send sends a packet, and what is sent because of it.
func (a *arranger) send(i int, in *simulate.Input) {
	d, n := &a.drawn, &a.network
	leaves, order := in.At, 2*i
	if next := a.route.next[i]; d.reorder < n.Reorder && next >= 0 && !a.passed[i] {
		a.passed[next] = true
		leaves, order = a.route.tape.Inputs[next].At, 2*next+1
		a.tell(i, original, Held, leaves.Sub(in.At), next)
	}
	arrived := a.version(i, original, leaves, order)
	if d.duplicate < n.Duplicate {
		apart := part(d.apart, mostApart)
		a.tell(i, copied, Copied, apart, 0)
		arrived = a.version(i, copied, leaves.Add(apart), order) || arrived
	}
	if !n.Retransmit || !a.route.resend[i] {
		return
	}
	for k, after := range resends {
		if arrived {
			return
		}
		a.tell(i, resent+k, Resent, after, 0)
		arrived = a.version(i, resent+k, in.At.Add(after), order)
	}
}

// version sends one version of a packet, and reports whether it arrives.
func (a *arranger) version(i, version int, leaves time.Time, order int) bool {
	if a.drawn.loss[version] < a.network.Loss {
		a.tell(i, version, Lost, 0, 0)
		return false
	}
	one := arrival{at: leaves, order: order, input: i, version: version, source: a.route.packets[i].Source}
	if late := part(a.drawn.jitter[version], a.network.Jitter); late > 0 {
		one.at = leaves.Add(late)
		a.tell(i, version, Late, late, 0)
	}
	if a.network.Addresses > 1 {
		if one.source = a.chosen[a.route.flow[i]]; one.source != a.route.packets[i].Source {
			a.tell(i, version, Translated, 0, 0)
		}
	}
	a.arrivals = append(a.arrivals, one)
	return true
}

// part returns a part of a time, in whole microseconds, as captures have them.
func part(of float64, whole time.Duration) time.Duration {
	return time.Duration(of * float64(whole)).Truncate(time.Microsecond)
}
