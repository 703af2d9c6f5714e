package knockd

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"sesame/daemon/packet"
)

// maxKnocks is how many knocks a sequence has at most: SEQ_MAX in knockd.c.
const maxKnocks = 32

// A number is what C's atoi returns for a text: the digits at its beginning, after blanks and a
// sign. Without digits it is 0.
type number struct {
	value int
	rest  string // the text after the digits
	// wrapped reports that the number as written does not fit into 32 bits, so that value is
	// another.
	wrapped bool
}

// atoi reads a number as glibc does where long has 64 bits and int has 32. It is strtol, which
// stops at the largest or smallest number of 64 bits, and then the lower 32 bits are taken.
func atoi(s string) number {
	s = strings.TrimLeft(s, blanks)
	digits, negative := s, false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		digits, negative = s[1:], s[0] == '-'
	}
	end := 0
	for end < len(digits) && '0' <= digits[end] && digits[end] <= '9' {
		end++
	}
	if end == 0 {
		return number{rest: s}
	}
	long := int64(0)
	for i := range end {
		digit := int64(digits[i] - '0')
		if negative {
			digit = -digit
		}
		switch {
		case long > (math.MaxInt64-digit)/10 && !negative:
			return number{int(int32(-1)), digits[end:], true}
		case long < (math.MinInt64-digit)/10 && negative:
			return number{0, digits[end:], true}
		}
		long = long*10 + digit
	}
	short := int32(long)
	return number{int(short), digits[end:], int64(short) != long}
}

// readSequence reads "7000,8000:udp,9000:tcp" (knockd(1), Sequence). The problem is the reason for
// which knockd refuses it, or "".
func readSequence(text string) (ports []packet.Port, problem string) {
	for item := range strings.SplitSeq(text, ",") {
		if len(ports) == maxKnocks {
			return nil, fmt.Sprintf("the sequence has more than %d knocks, and knockd has no room for them: write a shorter one", maxKnocks)
		}
		port, problem := readKnock(item)
		if problem != "" {
			return nil, problem
		}
		ports = append(ports, port)
	}
	return ports, ""
}

// readKnock reads "7000" or "7000:udp". As in knockd, the number is atoi's, only those above 65535
// are refused, and the lower 16 bits of a negative one count: -1 is port 65535. The text behind
// a second colon is not read.
func readKnock(item string) (p packet.Port, problem string) {
	text, proto, found := strings.Cut(item, ":")
	n := atoi(text).value
	if n > math.MaxUint16 {
		return p, fmt.Sprintf("%s is no port: expected 1 to 65535", shown(strings.Trim(text, blanks)))
	}
	p = packet.Port{Proto: packet.TCP, Number: uint16(n)}
	if !found {
		return p, ""
	}
	proto, _, _ = strings.Cut(proto, ":")
	switch proto = strings.Trim(proto, blanks); upper(proto) {
	case "TCP":
	case "UDP":
		p.Proto = packet.UDP
	case "":
		return p, fmt.Sprintf("the protocol is missing in %s: expected tcp or udp behind the colon", shown(item))
	default:
		return p, fmt.Sprintf("%s is no protocol: expected tcp or udp, as in 7000:udp", shown(proto))
	}
	return p, ""
}

// oddKnocks returns a text for each item of a sequence that knockd hardly reads as it was meant:
// how knockd reads it, and what to write instead. Equal texts are returned once.
func oddKnocks(text string) (odd []string) {
	for item := range strings.SplitSeq(text, ",") {
		if port, problem := readKnock(item); problem == "" {
			if text := oddKnock(strings.Trim(item, blanks), port); text != "" && !slices.Contains(odd, text) {
				odd = append(odd, text)
			}
		}
	}
	return odd
}

// oddKnock returns the text for one item, or "" when knockd reads what is written.
func oddKnock(item string, port packet.Port) string {
	text, proto, _ := strings.Cut(item, ":")
	_, third, found := strings.Cut(proto, ":")
	n := atoi(text)
	rest := strings.Trim(n.rest, blanks)
	reads := fmt.Sprintf("%s is %s to knockd", shown(item), port)
	if port.Number == 0 {
		reads += ", which no ordinary program can knock, while an attacker can"
	}
	switch before, behind, slash := strings.Cut(upper(text), "/"); {
	case text == "":
		return reads + ": remove the comma too many, or write a port"
	case slash && (before == "TCP" || before == "UDP"):
		return fmt.Sprintf("%s: write %s", reads, instead(strings.ToLower(before), behind))
	case slash && rest[0] == '/':
		return fmt.Sprintf("%s: write %s", reads, instead(strings.ToLower(behind), before))
	case rest != "" && rest[0] == '-':
		return reads + ": it knows no ranges, so write each port"
	case strings.Contains(rest, "#"):
		return reads + ": give the comment a line of its own"
	case rest != "":
		return reads + ": write the number alone, and a comma behind each knock"
	case n.wrapped || n.value < 0 || port.Number == 0:
		return reads + ": write a port from 1 to 65535"
	case found:
		return fmt.Sprintf("%s: it does not read %s behind the second colon", reads, shown(third))
	}
	return ""
}

// instead returns what to write for a port and its protocol, or an example when they are not valid.
func instead(proto, port string) string {
	n := atoi(port)
	proto = strings.Trim(proto, blanks)
	if n.value <= 0 || n.value > math.MaxUint16 || proto != "tcp" && proto != "udp" {
		return "a port such as 7000:udp"
	}
	return fmt.Sprintf("%d:%s", n.value, proto)
}
