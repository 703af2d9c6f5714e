package knockd

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// iptables reads the arguments of iptables and ip6tables: a rule for the chain INPUT that is added,
// inserted or deleted (iptables(8)).
func (r *rule) iptables() {
	var action, chain, target string
	for len(r.words) > 0 && r.why == "" {
		option := r.next()
		if key, value, found := strings.Cut(option, "="); found && strings.HasPrefix(key, "--") {
			option, r.words = key, append([]string{value}, r.words...)
		}
		switch option {
		case "-w", "--wait":
			r.number()
		case "-A", "--append", "-I", "--insert", "-D", "--delete":
			if action != "" {
				r.fail("it does two things to a chain")
			}
			action, chain = option, r.next()
			if option == "-I" || option == "--insert" {
				r.number()
			}
		case "-s", "--source", "--src":
			r.from(r.next())
		case "-p", "--protocol", "--proto":
			r.protocol(r.next())
		case "-j", "--jump":
			target = r.next()
		case "-i", "--in-interface":
			r.note("The rule is for what comes in through %s alone; a guard is for all interfaces.", r.next())
		default:
			r.match(option)
		}
	}
	r.removes = action == "-D" || action == "--delete"
	switch {
	case action == "":
		r.fail("it neither adds nor deletes a rule")
	case chain != "INPUT":
		r.fail("it is about the chain %q, and a guard does what a rule in INPUT does", chain)
	case target != "ACCEPT":
		r.fail("its target is %q, and a grant accepts", target)
	}
	r.finish(false)
}

// match reads an option of a match of iptables (iptables-extensions(8)). Matches that only leave
// out established connections are accepted: a guard leaves those alone too.
func (r *rule) match(option string) {
	switch option {
	case "-m", "--match":
		if module := r.next(); !slices.Contains([]string{"tcp", "udp", "multiport", "conntrack", "state", "comment"}, module) {
			r.fail("the match %q is not understood", module)
		}
	case "--dport", "--destination-port", "--dports", "--destination-ports":
		r.portList(r.next())
	case "--ctstate", "--state":
		if states := r.next(); !slices.Contains(strings.Split(states, ","), "NEW") {
			r.fail("it is for the states %s, and not for new connections", states)
		}
	case "--comment":
		r.next()
	case "--syn":
	default:
		r.fail("%q is not understood", option)
	}
}

// ufw reads the arguments of ufw in its full syntax: "allow from %IP% to any port 22" (ufw(8)).
func (r *rule) ufw() {
	if r.removes = r.take("delete"); !r.removes && r.take("insert") && !r.number() {
		r.fail("insert without a number")
	}
	r.expect("allow")
	if r.take("in") && r.take("on") {
		r.note("The rule is for what comes in through %s alone; a guard is for all interfaces.", r.next())
	}
	if r.take("proto") {
		r.protocol(r.next())
	}
	r.expect("from")
	r.from(r.next())
	r.expect("to")
	r.expect("any")
	for len(r.words) > 0 && r.why == "" {
		switch {
		case r.take("port"):
			r.portList(r.next())
		case r.take("proto"):
			r.protocol(r.next())
		default:
			r.fail("%q is not understood", r.next())
		}
	}
	r.finish(true)
}

// nft reads the arguments of nft, which joins them to one text (nft(8)). It takes a rule in a chain
// whose name is input, in any table.
func (r *rule) nft() {
	r.words = strings.Fields(strings.NewReplacer("{", " { ", "}", " } ").Replace(strings.Join(r.words, " ")))
	if len(r.words) > 1 && r.words[1] == "element" {
		r.element()
		return
	}
	r.expect("add", "insert")
	r.expect("rule")
	r.take("ip", "ip6", "inet")
	table, chain := r.next(), r.next()
	if !strings.EqualFold(chain, "input") {
		r.fail("it is about the chain %q of the table %q, and a guard does what a rule in an input chain does", chain, table)
	}
	if r.take("position", "index", "handle") && !r.number() {
		r.fail("a place without a number")
	}
	r.expect("ip", "ip6")
	r.expect("saddr")
	r.from(r.next())
	r.protocol(r.next())
	r.expect("dport")
	r.nftPorts()
	if r.take("ct") {
		r.expect("state")
		r.expect("new")
	}
	r.take("counter")
	r.expect("accept")
	r.finish(false)
}

// element refuses a command that changes a set: which ports the set opens is in another rule.
func (r *rule) element() {
	r.words = r.words[2:]
	r.take("ip", "ip6", "inet", "arp", "bridge", "netdev")
	r.next() // the table
	r.fail("it changes the set %q, and which ports that opens stands elsewhere", r.next())
}

// nftPorts reads one port, or a set of ports in braces.
func (r *rule) nftPorts() {
	if !r.take("{") {
		r.portList(r.next())
		return
	}
	var set []string
	for len(r.words) > 0 && !r.take("}") {
		set = append(set, r.next())
	}
	r.portList(strings.NewReplacer(" , ", ",", ", ", ",", " ,", ",").Replace(strings.Join(set, " ")))
}

// lasts reads a timeout of firewall-cmd: a number of seconds, or with the unit s, m or h.
func (r *rule) lasts(text string) {
	digits, unit := text, 1
	for name, size := range map[string]int{"s": 1, "m": 60, "h": 3600} {
		if rest, found := strings.CutSuffix(text, name); found {
			digits, unit = rest, size
		}
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || int(n) > math.MaxInt32/unit {
		r.fail("the timeout %q is not understood", text)
		return
	}
	r.timeout = int(n) * unit
}

// firewalld reads the arguments of firewall-cmd: a rich rule that is added or removed
// (firewalld.richlanguage(5)). The rule is one argument, so it is split here.
func (r *rule) firewalld() {
	text := ""
	for len(r.words) > 0 && r.why == "" {
		option, value, found := strings.Cut(r.next(), "=")
		if !found {
			value = r.next()
		}
		switch option {
		case "--zone":
			r.note("The rule is for the zone %s alone; a guard is for all interfaces.", value)
		case "--timeout":
			r.lasts(value)
		case "--add-rich-rule", "--remove-rich-rule":
			if text != "" {
				r.fail("it does two things at once")
			}
			text, r.removes = value, option == "--remove-rich-rule"
		default:
			r.fail("%q is not understood", option)
		}
	}
	if r.removes && r.timeout > 0 {
		r.fail("it removes a rule, and has a timeout")
	}
	if text == "" {
		r.fail("it neither adds nor removes a rich rule")
	}
	r.words = strings.Fields(strings.NewReplacer(`"`, "", `'`, "").Replace(text))
	r.expect("rule")
	r.take("family=ipv4", "family=ipv6")
	r.expect("source")
	r.from(strings.TrimPrefix(r.next(), "address="))
	r.expect("port")
	for r.why == "" && (len(r.numbers) == 0 || r.proto == "") {
		switch key, value, _ := strings.Cut(r.next(), "="); key {
		case "port":
			r.portList(value)
		case "protocol":
			r.protocol(value)
		default:
			r.fail("%q is not understood", key)
		}
	}
	r.expect("accept")
	r.finish(false)
}
