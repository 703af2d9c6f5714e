package knockd

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"sesame/daemon/packet"
)

// This file and firewall_programs.go read the commands that people put into a knockd.conf, so that
// a guard of Sesame can take their place (sesame import knockd --native).
//
// A command is only replaced when it was understood to the last word. A rule that does less than a
// guard (another chain, another source, all ports) or that the shell would change is left as it is,
// with the reason. The programs are never run: the words are compared with their manuals.

// A change is what a command does to a firewall: it lets the source reach ports, or takes that
// back.
type change struct {
	removes bool
	timeout int           // seconds after which it ends by itself; 0: never
	ports   []packet.Port // each once
	notes   []string      // sentences about conditions of the rule that a guard does not have
}

func (c *change) add(p packet.Port) {
	if !slices.Contains(c.ports, p) {
		c.ports = append(c.ports, p)
	}
}

func (c *change) note(format string, args ...any) {
	if note := fmt.Sprintf(format, args...); !slices.Contains(c.notes, note) {
		c.notes = append(c.notes, note)
	}
}

// readCommand reads a command that makes one change, or several changes of the same kind joined
// with && or ;. why is the reason for which it is not understood, or "".
func readCommand(command string) (c change, why string) {
	commands, why := split(command)
	if why != "" {
		return change{}, why
	}
	for i, words := range commands {
		read := reader(words[0])
		if read == nil {
			return change{}, fmt.Sprintf("%q is none of iptables, ip6tables, ufw, nft and firewall-cmd", words[0])
		}
		r := &rule{words: words[1:]}
		read(r)
		switch {
		case r.why != "":
			return change{}, r.why
		case i > 0 && r.removes != c.removes:
			return change{}, "it opens and shuts at once"
		case i > 0 && r.timeout != c.timeout:
			return change{}, "its commands last for different times"
		}
		c.removes, c.timeout = r.removes, r.timeout
		for _, p := range r.ports {
			c.add(p)
		}
		for _, note := range r.notes {
			c.note("%s", note)
		}
	}
	return c, ""
}

// reader returns the function that reads the arguments of a program, or nil for an unknown one.
func reader(program string) func(*rule) {
	switch path.Base(program) {
	case "iptables", "ip6tables":
		return (*rule).iptables
	case "ufw":
		return (*rule).ufw
	case "nft":
		return (*rule).nft
	case "firewall-cmd":
		return (*rule).firewalld
	}
	return nil
}

// split splits a line of shell into commands and those into words (POSIX, Shell Command Language,
// 2.3). It understands blanks, "&&", ";" and quotes without an expansion in them. Everything else
// that the shell could interpret is refused: why is the reason, or "".
func split(line string) (commands [][]string, why string) {
	var words []string
	word, open := "", false // open: a word has begun, which may be empty
	end := func() {
		if open {
			words = append(words, word)
		}
		word, open = "", false
	}
	for line = strings.TrimSpace(line); line != ""; {
		c := line[0]
		line = line[1:]
		switch {
		case c == ' ' || c == '\t':
			end()
		case c == '"' || c == '\'':
			quoted, rest, found := strings.Cut(line, string(c))
			if !found || c == '"' && strings.ContainsAny(quoted, "$`\\") {
				return nil, "its quotes are for the shell to read"
			}
			word, open, line = word+quoted, true, rest
		case c == ';' || c == '&' && strings.HasPrefix(line, "&"):
			if end(); words == nil {
				return nil, fmt.Sprintf("nothing stands before a %q", string(c))
			}
			commands, words, line = append(commands, words), nil, strings.TrimPrefix(line, "&")
		case (c == '{' || c == '}') && !open && words != nil && (line == "" || strings.IndexByte(" \t;&", line[0]) >= 0):
			word, open = string(c), true // special only as the first word, or with a word around it
		case strings.IndexByte("&|`$><()*?[]~\\#{}!\n\r\v\f", c) >= 0:
			return nil, fmt.Sprintf("%q is for the shell to read", string(c))
		default:
			word, open = word+string([]byte{c}), true
		}
	}
	if end(); words != nil {
		commands = append(commands, words)
	}
	if commands == nil {
		return nil, "it is empty"
	}
	return commands, ""
}

// A rule is one command that is being read. The methods below read words from its head.
type rule struct {
	change
	words []string // not read yet
	why   string   // the reason of the first fail, or ""

	proto   string // "tcp", "udp" or ""
	numbers []uint16
	source  bool // the rule is for the source that knocked alone
}

// fail records the reason for which the command is not understood. The first one stays.
func (r *rule) fail(format string, args ...any) {
	if r.why == "" {
		r.why = fmt.Sprintf(format, args...)
	}
}

// next reads the next word; after the last it returns "".
func (r *rule) next() string {
	if len(r.words) == 0 {
		return ""
	}
	word := r.words[0]
	r.words = r.words[1:]
	return word
}

// take reads the next word when it is one of these, and reports whether it was.
func (r *rule) take(words ...string) bool {
	if len(r.words) == 0 || !slices.Contains(words, r.words[0]) {
		return false
	}
	r.words = r.words[1:]
	return true
}

// number reads the next word when it is a number, and reports whether it was.
func (r *rule) number() bool {
	if len(r.words) == 0 || strings.Trim(r.words[0], "0123456789") != "" || r.words[0] == "" {
		return false
	}
	r.words = r.words[1:]
	return true
}

// expect reads the next word, which must be one of these.
func (r *rule) expect(words ...string) {
	if !r.take(words...) {
		r.fail("%q stands where %s is expected", r.next(), strings.Join(words, " or "))
	}
}

// from checks the address of a rule: only %IP%, the one source that knocked, can become a grant.
func (r *rule) from(address string) {
	if !slices.Contains([]string{"%IP%", "%IP%/32", "%IP%/128"}, address) {
		r.fail("it is for %q, and a grant is for the source that knocked", address)
	}
	r.source = true
}

// protocol checks the protocol of a rule.
func (r *rule) protocol(proto string) {
	if proto != "tcp" && proto != "udp" {
		r.fail("it is for the protocol %q, and a guard is for tcp or udp", proto)
	}
	r.proto = proto
}

// portList reads port numbers with commas between them. Ranges and names of services are refused.
func (r *rule) portList(text string) {
	for one := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseUint(one, 10, 16)
		if err != nil || n == 0 {
			r.fail("%q is no port number, and a guard needs one", one)
			return
		}
		r.numbers = append(r.numbers, uint16(n))
	}
}

// finish checks that the whole rule was read, and adds its ports. both makes a rule without a
// protocol one for TCP and UDP, as ufw means it.
func (r *rule) finish(both bool) {
	protos := map[string][]packet.Proto{"tcp": {packet.TCP}, "udp": {packet.UDP}}[r.proto]
	if both && r.proto == "" {
		protos = []packet.Proto{packet.TCP, packet.UDP}
	}
	switch {
	case len(r.words) > 0:
		r.fail("%q is not understood", r.words[0])
	case !r.source:
		r.fail("it is for everyone, and not for %%IP%%")
	case len(r.numbers) == 0 || protos == nil:
		r.fail("it is for all ports, and a guard needs their numbers")
	}
	for _, n := range r.numbers {
		for _, proto := range protos {
			r.add(packet.Port{Proto: proto, Number: n})
		}
	}
}
