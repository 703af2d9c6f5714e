package knockd

import (
	"fmt"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// flagNames are the flags that knockd knows, in the order of knockd(1), TCPFlags. It does not know
// ECE and CWR.
var flagNames = []struct {
	name string
	flag packet.Flags
}{
	{"FIN", packet.FIN}, {"SYN", packet.SYN}, {"RST", packet.RST}, {"PSH", packet.PSH}, {"ACK", packet.ACK}, {"URG", packet.URG},
}

// addFlags adds the flags of a directive to those of earlier ones. Of two words about one flag the
// later counts. Blanks are not trimmed: "syn, !ack" is refused, as knockd refuses it. The problem
// is the reason, or "".
func addFlags(test engine.FlagTest, text string) (_ engine.FlagTest, problem string) {
	for word := range strings.SplitSeq(text, ",") {
		name, not := strings.CutPrefix(upper(word), "!")
		flag := flagOf(name)
		switch {
		case flag == 0:
			return test, oddFlag(text, word)
		case not:
			test.Set, test.Clear = test.Set&^flag, test.Clear|flag
		default:
			test.Set, test.Clear = test.Set|flag, test.Clear&^flag
		}
	}
	return test, ""
}

// flagOf returns the flag of a name in upper case, or 0.
func flagOf(name string) packet.Flags {
	for _, f := range flagNames {
		if f.name == name {
			return f.flag
		}
	}
	return 0
}

// oddFlag returns the problem of a word that is no flag. Where only blanks are wrong, it shows the
// text without them.
func oddFlag(text, word string) string {
	tight := strings.NewReplacer(" ", "", "\t", "", "\v", "", "\f", "", "\r", "").Replace(text)
	switch {
	case text == "":
		return "the flags are missing: write tcpflags = syn, or remove the line"
	case word == "":
		return "a flag is missing at a comma too many: write tcpflags = syn"
	case strings.Contains(word, "#"):
		return fmt.Sprintf("%s is no flag: give the comment a line of its own", shown(word))
	}
	if tight != text {
		if _, problem := addFlags(engine.FlagTest{}, tight); problem != "" {
			return problem
		}
		return fmt.Sprintf("%s is no flag, since knockd takes blanks for a part of it: write tcpflags = %s", shown(word), tight)
	}
	return fmt.Sprintf("%s is no flag: expected fin, syn, rst, psh, ack or urg, with a ! before it for one that must not be set", shown(word))
}

// flagList returns flags as a knockd.conf has them: "syn,ack".
func flagList(flags packet.Flags) string {
	var names []string
	for _, f := range flagNames {
		if flags&f.flag != 0 {
			names = append(names, strings.ToLower(f.name))
		}
	}
	return strings.Join(names, ",")
}
