package firewall

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

// conflict describes a base chain: the program that made it, and what lets granted packets
// through. where is the chain in which they are dropped.
func (s *survey) conflict(base chainFound, where string, ports []packet.Port) Conflict {
	o := Conflict{
		Table: familyName(base.family) + " " + base.table.name,
		Chain: base.chain.name, Hook: hookNames[base.hook], Ports: ports,
	}
	six, words := "", map[uint32]string{hookPrerouting: "input", hookInput: "input", hookForward: "forward"}
	if base.family == unix.NFPROTO_IPV6 {
		six = "6"
	}
	ufw := fmt.Sprintf("ufw%s-before-%s", six, words[base.hook])
	xtables := base.family != unix.NFPROTO_INET && base.table.name == "filter" && base.chain.name == strings.ToUpper(o.Hook)
	_, hasUFW := s.rules.chains[chainName{base.table, ufw}]
	switch {
	case base.table.name == "firewalld":
		o.Manager = "firewalld"
		o.Remedies = firewalldLines(where, ports)
		o.Note = "firewalld cannot accept a mark. These lines open the ports in firewalld alone: Sesame's guard stands before it, and shuts them to everyone without a grant. Take them back before Sesame is removed."
	case xtables && hasUFW:
		o.Manager = "ufw"
		o.Remedies = []Remedy{
			{File: "/etc/ufw/before" + six + ".rules", After: "# End required lines", Line: "-A " + ufw + " " + xtMark(s.mark)},
			{Line: "ufw reload"},
		}
	case xtables:
		o.Manager = "iptables"
		o.Remedies = []Remedy{{Line: fmt.Sprintf("ip%stables -I %s %s", six, base.chain.name, xtMark(s.mark))}}
		o.Note = "it lasts until the rules are loaded again: save it where yours are saved, such as with netfilter-persistent save"
	default:
		o.Manager = "nft"
		o.Remedies = []Remedy{{Line: fmt.Sprintf("nft insert rule %s %s '%s'", o.Table, o.Chain, nftMark(s.mark))}}
		o.Note = fmt.Sprintf("it lasts until the ruleset is loaded again: write \"%s\" as the first line of chain %s where your ruleset is kept, such as /etc/nftables.conf", nftMark(s.mark), o.Chain)
	}
	return o
}

func familyName(family uint8) string {
	switch family {
	case unix.NFPROTO_IPV4:
		return "ip"
	case unix.NFPROTO_IPV6:
		return "ip6"
	}
	return "inet"
}

// nftMark and xtMark are the rules that accept a granted packet, for nft and for iptables.
func nftMark(mark uint32) string { return fmt.Sprintf("meta mark & %#08x == %#08x accept", mark, mark) }

func xtMark(mark uint32) string { return fmt.Sprintf("-m mark --mark %#x/%#x -j ACCEPT", mark, mark) }

// firewalldLines returns the commands that open ports in a zone, now and for good.
// firewalld's chains of a zone are called filter_IN_ZONE.
func firewalldLines(where string, ports []packet.Port) []Remedy {
	zone := ""
	if name, ok := strings.CutPrefix(where, "filter_IN_"); ok {
		zone = "--zone=" + name + " "
	}
	var open strings.Builder
	for _, p := range ports {
		fmt.Fprintf(&open, "--add-port=%d/%s ", p.Number, p.Proto)
	}
	line := "firewall-cmd " + zone + strings.TrimSpace(open.String())
	return []Remedy{{Line: line}, {Line: strings.Replace(line, "firewall-cmd ", "firewall-cmd --permanent ", 1)}}
}

// Lines returns the remedies as text for people, and the note as a comment after them. A
// remedy that is no command is a sentence.
func (o Conflict) Lines() []string {
	var lines []string
	for _, r := range o.Remedies {
		switch {
		case r.File == "":
			lines = append(lines, r.Line)
		case r.After == "":
			lines = append(lines, fmt.Sprintf("in %s: %s", r.File, r.Line))
		default:
			lines = append(lines, fmt.Sprintf("in %s, behind the line %q: %s", r.File, r.After, r.Line))
		}
	}
	if o.Note != "" {
		lines = append(lines, "# "+o.Note)
	}
	return lines
}
