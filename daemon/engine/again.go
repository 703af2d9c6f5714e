package engine

import (
	"time"

	"sesame/daemon/packet"
)

// This file recognises packets that came before: one packet is one knock.
//
// A host that captures on several interfaces sees one packet more than once: on a bridge and on its
// port, at both ends of a veth pair, on a bond and its members, and by a mirror. A sender that
// gets no answer sends a TCP segment again, and so makes another packet with the same segment.

// copySpan is up to how long after a packet a copy of it is captured. A copy goes through the same
// kernel, without a wait.
const copySpan = 5 * time.Millisecond

// resendSpan is for how long a TCP segment is remembered. Linux sends a SYN that is not answered
// for the last time after 63 s to 68 s, with its default of six retries. A later one is from a
// client that uses its ports and sequence numbers again.
const resendSpan = 70 * time.Second

// How many packets and segments are remembered at most. At least half as many are.
const (
	maxCopied = 1 << 15
	maxResent = 1 << 20
)

// A path is how a packet came, and its place in its capture.
type path struct {
	link            uint64 // [packet.Packet.LinkDigest]
	number, capture int    // for people, and not in the state
	through         uint32 // the interface
}

// newCopies returns the memory of packets. It remembers the latest that was no copy itself.
func newCopies() *memory[path] { return newMemory[path](int64(copySpan)+1, maxCopied) }

// newResends returns the memory of TCP segments.
func newResends() *memory[struct{}] { return newMemory[struct{}](int64(resendSpan), maxResent) }

// again returns Duplicate or Retransmit for a packet that came before, else NotDropped. It
// remembers the packet.
func (e *Engine) again(p *packet.Packet) packet.Drop {
	if e.copies != nil && p.Digest != 0 && e.isCopy(p) {
		return packet.Duplicate
	}
	if p.Port.Proto != packet.TCP {
		return packet.NotDropped
	}
	hash := e.segment(p)
	if e.isResent(hash) {
		return packet.Retransmit
	}
	e.explanation.keep(hash, p)
	return packet.NotDropped
}

// isCopy reports whether a packet is a copy of one that is remembered: the same bytes came by
// another interface, or by the same one in another frame or with the same identification. Two
// packets that a host really sent differ in the identification, unless it is 0 in packets that
// nobody may fragment: Linux sends such datagrams.
func (e *Engine) isCopy(p *packet.Packet) bool {
	hash := e.secret.copy(p)
	if first, _ := e.copies.get(hash, e.now); first != nil &&
		(first.through != p.Interface || first.link != p.LinkDigest || p.ID != 0 || p.MayFragment) {
		return true
	}
	e.copies.put(hash, e.now, path{p.LinkDigest, p.Number, p.Capture, p.Interface})
	return false
}

// isResent reports whether a segment came before, and remembers it. A retransmit does not renew the
// time of its original.
func (e *Engine) isResent(hash uint64) bool {
	if e.resends == nil {
		return e.segments.add(hash)
	}
	if known, _ := e.resends.get(hash, e.now); known != nil {
		return true
	}
	e.resends.put(hash, e.now, struct{}{})
	return false
}

// segment returns the hash by which retransmits of a TCP segment are known.
func (e *Engine) segment(p *packet.Packet) uint64 {
	if e.resends == nil {
		return e.secret.segment(p.Source, p.Sequence, p.SourcePort, p.Port.Number)
	}
	return e.secret.connection(p)
}

// mayRepeat reports whether an attempt must look itself whether a segment repeats one of its
// knocks: an engine without that knock in its memory cannot tell.
func (e *Engine) mayRepeat(knock hit) bool {
	return e.resends == nil || knock.at <= e.resends.lost && e.now-knock.at < int64(resendSpan)
}
