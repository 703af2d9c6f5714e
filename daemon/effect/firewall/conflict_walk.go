package firewall

import (
	"errors"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// A ruleset is the chains that a packet may go through, read once.
type ruleset struct {
	socket *socket
	chains map[chainName][]expressions
	sets   map[chainName][]member // by table and name
}

type chainName struct {
	table
	name string
}

// Expressions are one rule's.
type expressions []expression

// An expression is kept as it came: the library leaves out those that it does not
// know, and a rule without one of its conditions means something else.
type expression struct {
	name string
	data []byte
}

// readChains reads the rules of a table.
func (r *ruleset) readChains(t table) error {
	return r.socket.rules(t, func(chain string, reply netlinkReply) error {
		var rule expressions
		err := reply.each(func(ad *netlink.AttributeDecoder) {
			if ad.Type() == unix.NFTA_RULE_EXPRESSIONS {
				each(ad, func(ad *netlink.AttributeDecoder) {
					var e expression
					each(ad, e.decode)
					rule = append(rule, e)
				})
			}
		})
		name := chainName{t, chain}
		r.chains[name] = append(r.chains[name], rule)
		return err
	})
}

func (e *expression) decode(ad *netlink.AttributeDecoder) {
	switch ad.Type() {
	case unix.NFTA_EXPR_NAME:
		e.name = ad.String()
	case unix.NFTA_EXPR_DATA:
		e.data = ad.Bytes()
	}
}

// A probe is a packet that we granted, as far as it is known: the first of a
// connection, from anywhere, to this host.
type probe struct {
	family uint8
	port   packet.Port
	mark   uint32
	hook   uint32
	link   string // that it comes by
	// Translated is set once the destination becomes another one: then the number
	// of the port is 0 when it is not known.
	translated bool
	// Hopeful is set where what accepts under conditions that are not known shall
	// be relied on.
	hopeful bool
}

// An end is what certainly becomes of a probe in a chain.
type end uint8

const (
	falls    end = iota // through the chain, with no verdict
	accepted            // as far as this base chain goes
	dropped
)

// A match says whether a rule is for a probe.
type match uint8

const (
	perhaps match = iota // it depends on what is not known
	yes
	no
)

// maxJumps is how deep the kernel lets chains call each other.
const maxJumps = 16

// walk follows a probe through a chain. A rule that only perhaps is for it is
// passed over: what drops on a condition does not drop by default, and what
// accepts on one cannot be relied on. It also returns the chain that dropped.
func (r *ruleset) walk(in chainName, p *probe, depth int) (end, string, error) {
	if depth > maxJumps {
		return falls, "", nil
	}
	for _, rule := range r.chains[in] {
		m := machine{rules: r, table: in.table, probe: p}
		verdict, certain, err := m.run(rule)
		if err != nil {
			return falls, "", err
		}
		if !certain {
			hope, err := r.hope(in, verdict, p, depth)
			if hope || err != nil {
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
			return falls, "", nil
		case expr.VerdictJump, expr.VerdictGoto:
			what, where, err := r.walk(chainName{in.table, verdict.Chain}, p, depth+1)
			if what != falls || err != nil || verdict.Kind == expr.VerdictGoto {
				return what, where, err
			}
		}
	}
	return falls, "", nil
}

// hope reports whether what a rule would do with a probe, if it were for it, is
// to accept it, and that counts.
func (r *ruleset) hope(in chainName, verdict expr.Verdict, p *probe, depth int) (bool, error) {
	switch {
	case !p.hopeful:
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
	if errors.Is(err, effect.ErrGone) { // since we read the rules
		found, err = nil, nil
	}
	r.sets[key] = ordered(found)
	return r.sets[key], err
}
