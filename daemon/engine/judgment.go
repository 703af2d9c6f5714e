package engine

import (
	"net/netip"
	"time"

	"sesame/daemon/packet"
)

// A Judgment is what the engine decided about one packet at one door, and why. It changes nothing:
// accounts, explanations and annotated captures are built on it, so that nobody else judges a
// packet. See [Engine.Explain].
type Judgment struct {
	// Time is engine time. When time itself ended an attempt, it is the deadline.
	Time    time.Time
	Packet  int // number of the packet in its capture; 0: no packet, but time or another input
	Capture int
	// Door is nil when the judgment is the same for all doors, as for a retransmit.
	Door         *Door
	Source, Dest netip.Addr
	Came         packet.Port  // port of the packet
	Flags        packet.Flags // of the packet

	Ruling Ruling
	Why    Why
	// Before and Stage are the knocks that the attempt had before the packet and has after it. A
	// knock of a listener goes from 0 to 1.
	Before, Stage int
	// Awaited is the knock that the door waited for when the packet came: the first of its sequence
	// when the source had no attempt. It is zero for a listener.
	Awaited Knock
	// Original is the packet of which this one is a copy or a retransmit.
	Original Origin
	// Late is how long after its deadline the knock came that an attempt awaited when time ended
	// it. It is set whatever the packet did else: it may begin a new attempt. A TooLate that came
	// at the deadline itself has zero.
	Late time.Duration
	// Left is how much of its time an attempt had left when it was completed: of Within, or of
	// StepTimeout if that is less. It is zero when one knock completes the door.
	Left time.Duration
	// Deadline is when time ends the attempt as it is after the packet; zero when there is none.
	Deadline time.Time
	// Limit is which of the two limits Deadline or Left is of: [StepTimeout] or [TotalTimeout].
	Limit Reason
	// Reason is that of the miss or the refusal, as the event has it. It is also set for ends of
	// first stages and for refusals that are only counted. An attempt that advanced and was refused
	// by the script is over.
	Reason Reason
	Detail string // of the refusal, or what differs of the payload
	// Until is when the limit of the door admits the next knock, if the limit refused.
	Until time.Time
	// Grant is the grant that lets a packet in at a guarded port, or the last one that did. Door is
	// then its door, else the first that guards the port. Since is when the grant ended, zero while
	// it is live.
	Grant uint64
	Since time.Time
}

// An Origin names a packet that came before.
type Origin struct {
	Packet, Capture int
	Time            time.Time
}

// A Ruling is what a packet did to an attempt.
type Ruling uint8

const (
	Ignored   Ruling = iota + 1 // it changed nothing; Why says why
	Began                       // it was the first knock of an attempt
	Advanced                    // it was the awaited knock
	Finished                    // it was the last knock; Reason is empty unless it was refused
	Repeated                    // it was the latest knock again, which is forgiven
	Disturbed                   // it was a wrong knock, and ended the attempt or threw it back to Stage
	TooLate                     // it was the awaited knock of an attempt that time had ended
	Ended                       // time, another input or the bound of attempts ended the attempt
	LetIn                       // it was to a guarded port, and a grant lets it in
	KeptOut                     // it was to a guarded port, and no grant lets it in
)

// A Why is why a packet did not do what its sender may have wanted.
type Why uint8

const (
	NoWhy            Why = iota
	OtherDestination     // it would be a knock of the door, which listens at another address
	OtherFlags           // it is to a port of the door, and its TCP flags are not those of the knock
	OtherProtocol        // a knock of the door has the number of the port, with the other protocol
	OtherPort            // it is to no port of the door
	OtherBytes           // the payload is not that of the knock; Detail says what differs
	OutOfTurn            // it is a knock of the door, and not the awaited one
	AtTripwire           // see [Set.Tripwires]
	CopyOfPacket         // the same packet was captured before, see Original
	ResentSegment        // the same TCP segment came before, see Original
	ImpossiblePacket     // its headers contradict themselves, or its source is this host
	StrayPacket          // to a strict door any knock to another port is wrong
	Evicted              // the bound of attempts was reached
	GaveNothing          // the function of a listener neither refused nor gave anything
)

// A move is what a packet did to an attempt by the rules of its door. The zero move means that it
// did not concern the door.
type move struct {
	ruling        Ruling
	why           Why
	before, stage int // as in [Judgment]
	left          int64
	limit         Reason // of left
	reason        Reason
}

// isKnock reports whether the packet was a knock of the door, right or wrong.
func (m *move) isKnock() bool { return m.ruling != 0 && m.why != OtherBytes }
