package reach

import (
	"net/netip"

	"sesame/daemon/packet"
)

// A Flow is a connection or a UDP flow, as its first packet began it: before any translation.
type Flow struct {
	Proto               packet.Proto
	Source, Destination netip.AddrPort
}

// Port returns the port that the source asked for.
func (f Flow) Port() packet.Port {
	return packet.Port{Proto: f.Proto, Number: f.Destination.Port()}
}

// A Message is what one rule, or the policy of a chain, did to a traced packet: one message of the
// group NFNLGRP_NFTRACE (NFTA_TRACE_... in include/uapi/linux/netfilter/nf_tables.h).
type Message struct {
	ID     uint32 // of the packet; the kernel uses the number of an earlier packet again
	Table  string // with its family: "inet filter"
	Chain  string
	Handle uint64 // of the rule; 0: the policy
	// Verdict is what the rule or the policy decided.
	Verdict Verdict
	// Flow is what the packet's headers say. Only the first message of each base chain has them:
	// that of a chain before the one which begins the trace, when another program traces the
	// packet, too. The zero Flow: there are none, or they are those of another protocol.
	Flow Flow
}

// A Verdict is what becomes of a packet behind a rule.
type Verdict uint8

// The verdicts.
const (
	// Continue is any verdict by which the packet stays in the base chain.
	Continue Verdict = iota
	Accept           // it goes on to the next base chain
	Drop
	// Stolen: something keeps the packet, and may let it go on later (NF_STOLEN, NF_QUEUE).
	Stolen
)

// A Conn is what connection tracking knows of a flow.
type Conn uint8

// The states of a flow.
const (
	NoConn      Conn = iota // it has no entry
	Asked                   // packets came in; none went out
	HalfOpen                // TCP: a SYN+ACK went to the source, which did not confirm it yet
	Established             // packets went both ways; of TCP the handshake is complete
	// Refused: packets came in, and this host answers them with an ICMP error, since no program
	// waits at the UDP port. Such an answer leaves no trace in the entry.
	Refused
)

// Names are the chains of our own table that a trace begins and ends with.
type Names struct {
	Table string
	// Begin is the chain that accepts the first packet of a connection and begins its trace,
	// Untracked that for packets of no connection.
	Begin, Untracked string
	// Last are the chains behind all chains of others.
	Last []string
}
