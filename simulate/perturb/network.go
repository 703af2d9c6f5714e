// Package perturb turns captures and a bad network into how often each door opens.
//
// A [simulate.Tape] has what the captures give to an engine. Each run replays it with other faults:
// what is lost, doubled, late or out of order follows from the seed of the run alone, and from the
// order of the packets. Only packets that a door watches are on the tape, so only these have
// faults. See network.go for what a fault is, and arrange.go for how they are drawn.
package perturb

import (
	"errors"
	"fmt"
	"time"
)

// A Network is what happens to packets on their way. The zero Network changes nothing. Every fault
// happens to each packet by itself, whatever happens to others.
type Network struct {
	// Loss is the probability that a packet does not arrive. Copies and retransmits are packets.
	Loss float64
	// Duplicate is the probability that a packet arrives twice, with the same bytes. The copy is
	// sent less than [mostApart] after it, and may be lost, late and alone, as any other packet.
	Duplicate float64
	// Reorder is the probability that a packet is held back until the next one of its source has
	// passed. One that comes more than [mostHeld] later, or that was passed already, is not waited
	// for.
	Reorder float64
	// Jitter is the most by which a packet is late. How late is uniform from 0 on, so packets that
	// follow each other sooner than that can change their order.
	Jitter time.Duration
	// Retransmit means that a client sends a TCP SYN again, 1, 3 and 7 s after it, until one
	// arrives. UDP is not sent again. A SYN that the captures have several times is not sent again
	// either: its client did so, as often as it wanted.
	Retransmit bool
	// Addresses is how many addresses each source has, at most [MostAddresses]: its own, and the
	// next ones. Each flow has one of them, as behind a NAT of a mobile network; 0 is 1.
	Addresses int
}

const (
	// mostApart is how much later a copy is sent. Copies within 5 ms may be seen as such by the
	// engine, and later ones may be further knocks: both happen.
	mostApart = 10 * time.Millisecond
	// mostHeld is how long a packet is held back at most.
	mostHeld = time.Second
	// MostAddresses is how many addresses a source has at most.
	MostAddresses = 64
	// mostJitter is longer than any sequence lasts that somebody sends.
	mostJitter = time.Hour
)

// resends are the times after which Linux sends a SYN again: one second, and twice as long each
// time (RFC 6298, section 2; tcp_syn_retries in tcp(7)). Later ones are after the time of nearly
// every door, and newer kernels send some more in between.
var resends = [...]time.Duration{time.Second, 3 * time.Second, 7 * time.Second}

// Check returns what is wrong with a network.
func (n *Network) Check() error {
	for name, p := range map[string]float64{"loss": n.Loss, "duplicate": n.Duplicate, "reorder": n.Reorder} {
		if !(p >= 0 && p <= 1) {
			return fmt.Errorf("%s: expected a share of the packets, from 0 to 100 %%", name)
		}
	}
	switch {
	case n.Jitter < 0 || n.Jitter > mostJitter:
		return errors.New("jitter: expected at most an hour, such as 200ms")
	case n.Addresses < 0 || n.Addresses > MostAddresses:
		return fmt.Errorf("nat-addresses: expected 1 to %d", MostAddresses)
	}
	return nil
}
