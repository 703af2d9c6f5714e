package knockd

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"sesame/daemon/packet"
)

// maxKnocks is how many knocks a sequence of knockd has at most.
const maxKnocks = 32

// A number is what C's atoi makes of a text: the digits at its beginning, behind
// blanks and a sign. Without digits that is 0.
type number struct {
	value int
	rest  string // what stands behind the digits
	// wrapped says that value is not the number that was written, which does not
	// fit in 32 bits.
	wrapped bool
}

// atoi reads a number as C does where long has 64 bits and int has 32: what
// passes the 64 is their largest or smallest number, and then the lower half counts.
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

// readSequence reads "7000,8000:udp,9000:tcp". The problem is why knockd
// refuses it.
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

// readKnock reads "7000" or "7000:udp". Behind a second colon may stand anything,
// and port 65535 has many names below zero.
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

// oddKnocks says of each item of a sequence that knockd hardly reads as it was
// meant what it reads, and what to write instead. It says each thing once.
func oddKnocks(text string) (odd []string) {
	for item := range strings.SplitSeq(text, ",") {
		if port, problem := readKnock(item); problem == "" {
			if say := oddKnock(strings.Trim(item, blanks), port); say != "" && !slices.Contains(odd, say) {
				odd = append(odd, say)
			}
		}
	}
	return odd
}

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

// instead writes a port and its protocol as knockd's files have them.
func instead(proto, port string) string {
	n := atoi(port)
	proto = strings.Trim(proto, blanks)
	if n.value <= 0 || n.value > math.MaxUint16 || proto != "tcp" && proto != "udp" {
		return "a port such as 7000:udp"
	}
	return fmt.Sprintf("%d:%s", n.value, proto)
}
