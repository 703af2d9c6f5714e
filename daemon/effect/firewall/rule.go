package firewall

import (
	"bytes"
	"slices"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// A ruleFound is a rule of any table. Its expressions stay as the kernel listed them: the library
// leaves out those that it does not know.
type ruleFound struct {
	chain       string
	handle      uint64
	expressions []expression
}

type expression struct {
	name string
	data []byte
}

// ruleOf reads a rule.
func ruleOf(r reply) ruleFound {
	rule := ruleFound{chain: r.text(unix.NFTA_RULE_CHAIN), handle: r.number(unix.NFTA_RULE_HANDLE)}
	for e := range r.list(unix.NFTA_RULE_EXPRESSIONS) {
		// The bytes of a reply are valid until the next one.
		rule.expressions = append(rule.expressions, expression{e.text(unix.NFTA_EXPR_NAME), bytes.Clone(e.bytes(unix.NFTA_EXPR_DATA))})
	}
	return rule
}

// rulesOf returns the rules of a table in the order of each chain.
func (s *socket) rulesOf(t table) (rules []ruleFound, err error) {
	for range tries {
		rules = nil
		err = s.rules(t, func(r reply) { rules = append(rules, ruleOf(r)) })
		if err != errInterrupted {
			break
		}
	}
	return rules, err
}

// counting are expressions whose data change with each packet.
var counting = []string{"counter", "limit", "quota", "last", "connlimit"}

// key returns what identifies the content of a rule.
func (r ruleFound) key() string {
	var b []byte
	for _, e := range r.expressions {
		if b = append(b, e.name...); !slices.Contains(counting, e.name) {
			b = append(b, e.data...)
		}
		b = append(b, 0)
	}
	return string(b)
}

// rejects reports whether the rule answers what it drops.
func (r ruleFound) rejects() bool {
	return slices.ContainsFunc(r.expressions, func(e expression) bool {
		return e.name == "reject" || e.name == "target" && parse(e.data).text(unix.NFTA_TARGET_NAME) == "REJECT"
	})
}

// always reports whether the rule drops each packet that comes to it.
func (r ruleFound) always() bool {
	drops := false
	for _, e := range r.expressions {
		switch e.name {
		case "counter", "log":
		case "immediate":
			verdict := verdictOf(parse(e.data).bytes(unix.NFTA_IMMEDIATE_DATA, unix.NFTA_DATA_VERDICT))
			drops = drops || verdict != nil && verdict.Kind == expr.VerdictDrop
		case "reject":
			drops = true
		case "target":
			name := parse(e.data).text(unix.NFTA_TARGET_NAME)
			drops = drops || name == "REJECT" || name == "DROP"
		default:
			return false
		}
	}
	return drops
}

// compares reports whether the rule compares something with these bytes.
func (r ruleFound) compares(with []byte) bool {
	return slices.ContainsFunc(r.expressions, func(e expression) bool {
		return e.name == "cmp" && bytes.Equal(parse(e.data).bytes(unix.NFTA_CMP_DATA, unix.NFTA_DATA_VALUE), with)
	})
}

// matchInfo returns the data of a match of iptables; nil: the rule has none of that name.
func (r ruleFound) matchInfo(name string) []byte {
	for _, e := range r.expressions {
		if e.name == "match" && parse(e.data).text(unix.NFTA_MATCH_NAME) == name {
			return parse(e.data).bytes(unix.NFTA_MATCH_INFO)
		}
	}
	return nil
}
