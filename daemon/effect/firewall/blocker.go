package firewall

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"sesame/daemon/effect/listing"
	"sesame/daemon/packet"
	"sesame/daemon/reach"
)

// explain completes a result with the cause that an ending names: the text of the rule, whether it
// rejects, and the lines that mend it.
func (m *measurement) explain(ctx context.Context, r *reach.Result, e reach.Ending) {
	switch {
	case e.Blocker != nil:
		b, rule := m.blocked(ctx, e)
		if rule.rejects {
			r.Outcome = reach.Rejected
		}
		blocker := *e.Blocker
		blocker.Rule = rule.text
		r.Blocker, r.Lines = &blocker, b.lines()
	case r.Closed:
		r.Lines = elsewhere(e.Flow)
	case r.Outcome == reach.Unanswered && hasNoRoute(r.Source):
		r.Lines = []string{fmt.Sprintf("# this machine has no route to %s, so no answer can go there: see ip route get %s", r.Source, r.Source)}
	case e.Unseen:
		names := legacyTables(r.Source.Is6())
		r.Lines = legacyLines(m.guard.mark, r.Source.Is6(), names)
		// Without a trace it is not known whether the packet was dropped, or refused at once.
		if there, _, known := waits(e.Flow.Destination, e.Flow.Proto); e.Untraced && known && !there && !slices.Contains(names, "nat") {
			r.Closed, r.Lines = true, elsewhere(e.Flow)
		}
	case e.Unconfirmed:
		r.Lines = []string{"# this machine answered, and the client never confirmed that: look for a chain at output, forward or postrouting that drops packets of standing connections, and at the route back to the client"}
	}
}

// elsewhere returns a line about a program that waits at the port of another address of this host
// than the one that was asked for; nil when there is none.
func elsewhere(f reach.Flow) []string {
	there, instead, known := waits(f.Destination, f.Proto)
	if !known || there || len(instead) == 0 {
		return nil
	}
	var names []string
	for _, a := range instead {
		names = append(names, a.String())
	}
	return []string{fmt.Sprintf("# a program waits at %s only: let it listen at %s, too", strings.Join(names, ", "), f.Destination.Addr())}
}

// legacyTables returns the tables of iptables-legacy.
func legacyTables(v6 bool) []string {
	file := "/proc/thread-self/net/ip_tables_names"
	if v6 {
		file = "/proc/thread-self/net/ip6_tables_names"
	}
	text, _ := os.ReadFile(file) // it is missing where iptables-legacy was never used
	return strings.Fields(string(text))
}

// A ruleKnown is what is known of a rule that drops.
type ruleKnown struct {
	text    string
	rejects bool
}

// maxKnown bounds the rules whose text is kept, so that a rule which drops many is listed once.
const maxKnown = 64

// blocked reads where a packet was dropped. What cannot be read stays empty.
func (m *measurement) blocked(ctx context.Context, e reach.Ending) (blocked, ruleKnown) {
	t := tableOf(e.Blocker.Table)
	chains, _ := m.guard.socket.allChains()
	b := blocked{mark: m.guard.mark, table: t, where: e.Blocker.Chain, path: pathOf(e.Path, t), chains: chains,
		source: e.Flow.Source.Addr(), ports: []packet.Port{e.Flow.Port()}}
	name := b.where
	if len(b.path) > 0 {
		name = b.path[0]
	}
	for _, c := range chains {
		if c.table == t && c.chain.name == name {
			b.base = c
		}
	}
	b.base.chain.name = name
	if e.Blocker.Policy {
		return b, ruleKnown{}
	}
	rules, _ := m.guard.socket.rulesOf(t)
	at := slices.IndexFunc(rules, func(r ruleFound) bool { return r.chain == e.Blocker.Chain && r.handle == e.Blocker.Handle })
	if at < 0 {
		return b, ruleKnown{} // it was removed in the meantime
	}
	key := fmt.Sprint(t, b.where, e.Blocker.Handle, rules[at].key())
	known, has := m.known[key]
	if !has {
		if len(m.known) >= maxKnown {
			clear(m.known)
		}
		known = ruleKnown{text: m.text(ctx, b, rules, at), rejects: rules[at].rejects()}
		m.known[key] = known
	}
	b.rule = known.text
	return b, known
}

// text returns a rule as nft or iptables prints it. "": neither can be asked.
func (m *measurement) text(ctx context.Context, b blocked, rules []ruleFound, at int) string {
	rule := listing.Rule{Program: "nft", Family: familyName(b.table.family), Table: b.table.name, Chain: b.where, Handle: rules[at].handle}
	if b.xtables() {
		translated := rule
		translated.Program = xtablesCommand("nft", b.six())
		for _, r := range rules[:at+1] {
			if r.chain == b.where {
				translated.Number++
			}
		}
		if text, _ := m.guard.text(ctx, translated); text != "" {
			return text
		}
	}
	text, _ := m.guard.text(ctx, rule)
	return text
}

// tableOf reads a table as nft names it.
func tableOf(name string) table {
	family, name, _ := strings.Cut(name, " ")
	for _, number := range []uint8{unix.NFPROTO_IPV4, unix.NFPROTO_IPV6, unix.NFPROTO_BRIDGE, unix.NFPROTO_NETDEV} {
		if familyName(number) == family {
			return table{number, name}
		}
	}
	return table{unix.NFPROTO_INET, name}
}

// xtablesCommand returns the command for the tables of iptables-nft, or of iptables-legacy (kind).
// Which of the two iptables means differs between machines. six is "6", or "".
func xtablesCommand(kind, six string) string {
	plain, special := fmt.Sprintf("ip%stables", six), fmt.Sprintf("ip%stables-%s", six, kind)
	if strings.Contains(program(plain), kind) || program(special) == "" {
		return plain
	}
	return special
}

// program returns the file that a name of a program leads to, behind symbolic links; "": none.
func program(name string) string {
	for _, dir := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if file, err := filepath.EvalSymlinks(filepath.Join(dir, name)); err == nil {
			return filepath.Base(file)
		}
	}
	return ""
}
