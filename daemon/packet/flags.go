package packet

import (
	"fmt"
	"strings"
)

// Flags are the flag bits of a TCP header (RFC 9293, section 3.1).
type Flags uint8

// The TCP flags, with their bits in the header.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// FlagNames are the TCP flags in the order of their bits, from the lowest (RFC 9293, section 3.1;
// RFC 3168).
var FlagNames = [...]string{"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"}

// Names returns the flags as scripts write them, such as "syn,ack"; "none" when none is set.
// It is no String method: sums in tests depend on how fmt prints a knock.
func (f Flags) Names() string {
	var names []string
	for i, name := range FlagNames {
		if f>>i&1 != 0 {
			names = append(names, name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ",")
}

// ParseFlags reads the flags of one packet: names with commas between them, such as "syn,ack", or
// "none".
func ParseFlags(s string) (flags Flags, err error) {
	if s == "none" {
		return 0, nil
	}
	for name := range strings.SplitSeq(s, ",") {
		flag := Flags(0)
		for i, known := range FlagNames {
			if strings.TrimSpace(name) == known {
				flag = 1 << i
			}
		}
		switch {
		case flag == 0:
			return 0, fmt.Errorf("unknown TCP flag %q: expected some of %s, such as \"syn,ack\", or \"none\"", name, strings.Join(FlagNames[:], ", "))
		case flags&flag != 0:
			return 0, fmt.Errorf("%q names %q twice", s, strings.TrimSpace(name))
		}
		flags |= flag
	}
	return flags, nil
}
