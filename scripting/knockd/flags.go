package knockd

import (
	"fmt"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// flagNames are the flags that knockd knows, in the order of its manual.
var flagNames = []struct {
	name string
	flag packet.Flags
}{
	{"FIN", packet.FIN}, {"SYN", packet.SYN}, {"RST", packet.RST}, {"PSH", packet.PSH}, {"ACK", packet.ACK}, {"URG", packet.URG},
}

// addFlags adds what a directive says to what earlier ones said; of two words
// about one flag the later counts. Blanks are not trimmed, since knockd does not.
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

func flagOf(name string) packet.Flags {
	for _, f := range flagNames {
		if f.name == name {
			return f.flag
		}
	}
	return 0
}

// oddFlag says why knockd refuses a word.
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

// flagList returns flags as knockd's files have them.
func flagList(flags packet.Flags) string {
	var names []string
	for _, f := range flagNames {
		if flags&f.flag != 0 {
			names = append(names, strings.ToLower(f.name))
		}
	}
	return strings.Join(names, ",")
}
