package firewall

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
	"sesame/daemon/reach"
)

// blocked describes where granted packets are dropped, for those who mend it.
type blocked struct {
	mark   uint32
	table  table
	base   chainFound // the base chain of the table that they came through
	where  string     // the chain that drops them; "": the base chain
	rule   string     // the text of the rule, if it is known
	path   []string   // the chains that they passed on the way
	chains []chainFound
	source netip.Addr // invalid: of all sources
	ports  []packet.Port
}

// lines returns the commands that let granted packets through, in the way of the program that owns
// the chain. Lines that begin with # explain. People run them as root, and not only root may name
// a chain: a name that is no plain word is in no line.
func (b blocked) lines() []string {
	switch {
	case !plain(b.table.name) || !plain(b.base.chain.name):
		return []string{oddName}
	case b.jail() != "" && b.source.IsValid():
		return []string{fmt.Sprintf("fail2ban-client set %s unbanip %s", b.jail(), b.source),
			"# fail2ban has banned this address: it will do so again after more failures. The jail may have another name: fail2ban-client status"}
	case b.table.name == "firewalld":
		return b.firewalld()
	case b.xtables() && b.has(b.ufwChain()):
		return []string{fmt.Sprintf("sed -i '/^# End required lines/a -A %s %s' /etc/ufw/before%s.rules", b.ufwChain(), xtMark(b.mark), b.six()), "ufw reload"}
	case b.xtables():
		return b.iptables()
	case b.table == table{unix.NFPROTO_INET, "fw4"}:
		dir := "/usr/share/nftables.d/chain-pre/" + b.base.chain.name
		return []string{b.insert(), fmt.Sprintf("mkdir -p %s && echo '%s' >%s/sesame.nft", dir, nftMark(b.mark), dir),
			"# the second line is for the next start of the firewall"}
	}
	return []string{b.insert(), fmt.Sprintf("# it lasts until the ruleset is loaded again: write \"%s\" as the first line of chain %s where your ruleset is kept, such as /etc/nftables.conf",
		nftMark(b.mark), b.base.chain.name)}
}

// insert puts the rule before all others of the base chain. Its accept ends that chain.
func (b blocked) insert() string {
	return fmt.Sprintf("nft insert rule %s %s '%s'", b.table, b.base.chain.name, nftMark(b.mark))
}

const oddName = "# a table or chain has a name that is no plain word, so here is no line to run: look at nft list ruleset"

// plain reports whether a name is one word for a shell, no option, and no path.
func plain(name string) bool { return plainName().MatchString(name) }

var plainName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`) })

// iptables accepts the mark in the chain that is for rules of users, if there is one.
func (b blocked) iptables() []string {
	chain, table := b.base.chain.name, ""
	if b.base.hook == unix.NF_INET_FORWARD && b.has("DOCKER-USER") {
		chain = "DOCKER-USER"
	}
	if b.table.name != "filter" {
		table = "-t " + b.table.name + " "
	}
	return []string{fmt.Sprintf("%s %s-I %s %s", xtablesCommand("nft", b.six()), table, chain, xtMark(b.mark)),
		"# it lasts until the rules are loaded again: save it where yours are saved, such as with netfilter-persistent save"}
}

// firewalld opens the ports in a zone, now and for good. Its chains of a zone are called
// filter_IN_ZONE.
func (b blocked) firewalld() []string {
	if b.base.hook != unix.NF_INET_LOCAL_IN {
		return []string{b.insert(), "# firewalld has no rule for a mark, and removes this one when it reloads: then run the line again"}
	}
	zone := ""
	for _, chain := range b.path {
		name, is := strings.CutPrefix(chain, "filter_IN_")
		if is && zone == "" && !zoneParts().MatchString(name) {
			if !plain(name) {
				return []string{oddName}
			}
			zone = "--zone=" + name + " "
		}
	}
	var open strings.Builder
	for _, p := range b.ports {
		fmt.Fprintf(&open, "--add-port=%d/%s ", p.Number, p.Proto)
	}
	rest := zone + strings.TrimSpace(open.String())
	return []string{"firewall-cmd " + rest, "firewall-cmd --permanent " + rest,
		"# firewalld cannot accept a mark. These lines open the ports in firewalld alone: Sesame's guard stands before it, and shuts them to everyone without a grant. Take them back before Sesame is removed."}
}

// zoneParts are the endings of the chains that a zone's chain calls.
var zoneParts = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`_(pre|log|deny|allow|post)$`) })

// jail returns the jail of fail2ban whose chain or set the packets are dropped by; "": it is none.
// Its rules are in a chain f2b-JAIL with iptables. With nft they name a set addr-set-JAIL, or
// addr6-set-JAIL.
func (b blocked) jail() string {
	if jail, is := strings.CutPrefix(b.where, "f2b-"); is && b.xtables() && plain(jail) {
		return jail
	}
	if found := f2bSet().FindStringSubmatch(b.rule); found != nil && strings.HasPrefix(b.table.name, "f2b-") && plain(found[1]) {
		return found[1]
	}
	return ""
}

var f2bSet = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`@addr6?-set-([A-Za-z0-9_.-]+)`) })

// xtables reports whether iptables-nft made the table.
func (b blocked) xtables() bool {
	return b.table.family != unix.NFPROTO_INET && b.base.chain.name == strings.ToUpper(hookNames[b.base.hook]) &&
		slices.Contains([]string{"filter", "mangle", "raw", "security", "nat"}, b.table.name)
}

func (b blocked) six() string {
	if b.table.family == unix.NFPROTO_IPV6 {
		return "6"
	}
	return ""
}

func (b blocked) ufwChain() string {
	return fmt.Sprintf("ufw%s-before-%s", b.six(), hookNames[b.base.hook])
}

// has reports whether the table has a chain.
func (b blocked) has(name string) bool {
	return slices.ContainsFunc(b.chains, func(c chainFound) bool { return c.table == b.table && c.chain.name == name })
}

func familyName(family uint8) string {
	switch family {
	case unix.NFPROTO_IPV4:
		return "ip"
	case unix.NFPROTO_IPV6:
		return "ip6"
	case unix.NFPROTO_BRIDGE:
		return "bridge"
	case unix.NFPROTO_NETDEV:
		return "netdev"
	}
	return "inet"
}

// nftMark and xtMark are the rules that accept a granted packet, for nft and for iptables.
func nftMark(mark uint32) string { return fmt.Sprintf("meta mark & %#08x == %#08x accept", mark, mark) }

func xtMark(mark uint32) string { return fmt.Sprintf("-m mark --mark %#x/%#x -j ACCEPT", mark, mark) }

// legacyLines returns the commands for iptables-legacy, whose tables nftables does not see. names
// are the tables that it has. A port may be translated where there is a table nat.
func legacyLines(mark uint32, v6 bool, names []string) []string {
	if !slices.Contains(names, "filter") {
		return []string{"# no chain of nftables has dropped the packets, and they came to no service: look at rp_filter, and at filters of the interface (XDP, tc)"}
	}
	six := ""
	if v6 {
		six = "6"
	}
	command := xtablesCommand("legacy", six)
	lines := []string{fmt.Sprintf("%s -I INPUT %s", command, xtMark(mark))}
	if slices.Contains(names, "nat") {
		lines = append(lines, fmt.Sprintf("%s -I FORWARD %s", command, xtMark(mark)))
	}
	return append(lines, "# rules of iptables-legacy cannot be read here: "+command+" -S shows them. Save what you add where yours are saved.")
}

// pathOf returns the chains of a table that a packet passed, the base chain first.
func pathOf(places []reach.Place, t table) (path []string) {
	for _, p := range places {
		if p.Table == t.String() {
			path = append(path, p.Chain)
		}
	}
	return path
}
