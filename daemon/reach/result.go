package reach

import (
	"net/netip"
	"time"

	"sesame/daemon/packet"
)

// An Outcome is what became of the packets that a grant let in.
type Outcome string

// The outcomes, from the one that tells least.
const (
	// Unused: no packet was seen since the grant. A chain before ours may have dropped it, or it
	// was beyond the limit of traces.
	Unused Outcome = "unused"
	// Unanswered: packets came in, and for a second nothing went out. No chain that can be
	// traced has dropped them.
	Unanswered Outcome = "unanswered"
	// Dropped: a chain of another program dropped them. [Result.Blocker] tells which.
	Dropped Outcome = "dropped"
	// Rejected: a chain of another program refused them with a reset or an ICMP error.
	Rejected Outcome = "rejected"
	// Passed: all chains let them in. Whether an answer went out is not known, since the kernel
	// does not track the connection (notrack).
	Passed Outcome = "passed"
	// Answered: an answer went out. See [Result.Closed] for a reset.
	Answered Outcome = "answered"
)

// A Blocker is where a packet ended: a rule, or the policy of a chain.
type Blocker struct {
	Table string // as nft names it, with its family: "inet filter"
	Chain string
	// Rule is the text of the rule as nft prints it. "": the policy, or the text is not known.
	Rule string
	// Handle is the number of the rule in its table. 0: the policy.
	Handle uint64
	Policy bool // the policy of the chain, and no rule
}

// A Result is what the kernel showed of one source at one port. The source is an address, also
// where the grant is for a network.
type Result struct {
	Source  netip.Addr
	Port    packet.Port
	Outcome Outcome
	// Closed says of the outcome Answered that the only answers were refusals of this host, and of
	// Unanswered that there was none: no program listens at the address and port.
	Closed bool
	// Changed says of the outcomes Dropped and Rejected that the rules have changed since, so that
	// what becomes of the next packet is not known. Who rechecks the rules sets it.
	Changed bool
	Blocker *Blocker // of the outcomes Dropped and Rejected; nil where it is not known
	// First and Last are when the first and the last packet were seen that this outcome stands
	// for. They are zero for the outcome Unused.
	First, Last time.Time
	// Lines let granted packets through. They are commands to run unchanged, in this order, as
	// root. Lines that begin with # explain. Where another program owns the chain, such as ufw,
	// firewalld or Docker, they are that program's own way.
	Lines []string
}
