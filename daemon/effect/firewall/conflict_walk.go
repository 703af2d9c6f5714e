package firewall

import (
	"errors"
	"net/netip"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// A ruleset is the chains that a packet may pass. Each table is read once.
type ruleset struct {
	socket *socket
	chains map[chainName][]expressions
	sets   map[chainName][]member // by table and name
}

type chainName struct {
	table
	name string
}

// Expressions are those of one rule, in order. A rule is for a packet when all of them match;
// one of them may be a verdict.
type expressions []expression

// An expression is stored as the kernel listed it: the library leaves out expressions that it
// does not know, and a rule without one of its conditions means something else.
type expression struct {
	name string
	data []byte
}

// readChains reads the rules of a table.
func (r *ruleset) readChains(t table) error {
	return r.socket.rules(t, func(reply reply) {
		var rule expressions
		for e := range reply.list(unix.NFTA_RULE_EXPRESSIONS) {
			rule = append(rule, expression{e.text(unix.NFTA_EXPR_NAME), e.bytes(unix.NFTA_EXPR_DATA)})
		}
		name := chainName{t, reply.text(unix.NFTA_RULE_CHAIN)}
		r.chains[name] = append(r.chains[name], rule)
	})
}

// A probe holds the known properties of a granted packet: the first of a connection, from anywhere,
// to this host.
type probe struct {
	family uint8
	port   packet.Port
	mark   uint32
	hook   uint32
	link   string // the interface that it arrives on
	// translated is set once the destination address was translated. The number of the port
	// is 0 then when it is not known.
	translated  bool
	destination netip.Addr // then; invalid: not known
	// optimistic means that a rule which accepts under conditions that are not known is
	// relied on. It is set at the hook forward, where container engines accept each
	// container by its address.
	optimistic bool
}

// An end is the certain result of a probe in a chain.
type end uint8

const (
	noVerdict end = iota // it reaches the end of the chain
	accepted             // by this base chain
	dropped
)

// A match is the result of a condition, or of a whole rule, for a probe.
type match uint8

const (
	perhaps match = iota // it depends on something that is not known
	yes
	no
)

// maxJumps is how deep the kernel lets chains call each other (NFT_JUMP_STACK_SIZE).
const maxJumps = 16

// walk follows a probe through a chain, and returns what becomes of it and the chain that
// drops it. A rule that only perhaps matches is skipped: a drop under a condition does not
// drop all that we grant, and an accept under a condition cannot be relied on.
func (r *ruleset) walk(in chainName, p *probe, depth int) (end, string, error) {
	if depth > maxJumps {
		return noVerdict, "", nil
	}
	for _, rule := range r.chains[in] {
		m := machine{rules: r, table: in.table, probe: p}
		verdict, certain, err := m.run(rule)
		if err != nil {
			return noVerdict, "", err
		}
		if !certain {
			accepts, err := r.mayAccept(in, verdict, p, depth)
			if accepts || err != nil {
				return accepted, "", err
			}
			continue
		}
		switch verdict.Kind {
		case expr.VerdictAccept, expr.VerdictQueue, expr.VerdictStop:
			return accepted, "", nil
		case expr.VerdictDrop:
			return dropped, in.name, nil
		case expr.VerdictReturn:
			return noVerdict, "", nil
		case expr.VerdictJump, expr.VerdictGoto:
			what, where, err := r.walk(chainName{in.table, verdict.Chain}, p, depth+1)
			if what != noVerdict || err != nil || verdict.Kind == expr.VerdictGoto {
				return what, where, err
			}
		}
	}
	return noVerdict, "", nil
}

// mayAccept reports whether an optimistic probe would be accepted if a rule matched it.
func (r *ruleset) mayAccept(in chainName, verdict expr.Verdict, p *probe, depth int) (bool, error) {
	switch {
	case !p.optimistic:
		return false, nil
	case verdict.Kind == expr.VerdictJump || verdict.Kind == expr.VerdictGoto:
		what, _, err := r.walk(chainName{in.table, verdict.Chain}, p, depth+1)
		return what == accepted, err
	}
	return verdict.Kind == expr.VerdictAccept, nil
}

// members returns the members of a set, read once.
func (r *ruleset) members(t table, name string) ([]member, error) {
	key := chainName{t, name}
	if known, ok := r.sets[key]; ok {
		return known, nil
	}
	found, err := r.socket.members(t, name)
	if errors.Is(err, effect.ErrGone) { // removed since we read the rules
		found, err = nil, nil
	}
	r.sets[key] = ordered(found)
	return r.sets[key], err
}
