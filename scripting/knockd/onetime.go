package knockd

import (
	"fmt"
	"strings"

	"sesame/daemon/packet"
)

// A Sequence is a line of a file of one-time sequences that can be used.
type Sequence struct {
	Line  int
	Text  string // of the line, without the blanks around it
	Ports []packet.Port
}

// Unused returns the sequences of a file of one-time sequences that were not
// used, in their order. The file has one in each line, written as behind
// "sequence =" in a knockd.conf.
//
// As in knockd, a line that is empty or begins with # is nothing, and one that is
// no sequence is skipped: it has a port above 65535, a protocol other than tcp and
// udp, or more than 32 knocks. Everything else is a sequence, a word too: that is
// port 0. Unlike knockd, it also skips lines of more than 4095 bytes and lines with
// a NUL byte, which cannot be told from others when they are to be marked.
//
// The traps are by line, 1,000 at most, and of no door.
func Unused(text []byte) (unused []Sequence, traps []Trap) {
	number := 0
	for raw := range strings.Lines(string(text)) {
		number++
		line := strings.Trim(raw, blanks)
		if line == "" || line[0] == '#' {
			continue
		}
		ports, problem := readSequence(line)
		switch {
		case len(raw) > maxLine:
			problem = fmt.Sprintf("it is longer than %d bytes", maxLine)
		case strings.Contains(raw, "\x00"):
			problem = "it has a NUL byte"
		}
		if problem != "" {
			traps = append(traps, Trap{Line: number, Text: "this line is skipped: " + problem})
			continue
		}
		for _, odd := range oddKnocks(line) {
			traps = append(traps, Trap{Line: number, Text: odd})
		}
		unused = append(unused, Sequence{number, line, ports})
	}
	return unused, traps[:min(len(traps), maxTraps)]
}
