package scrub

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sesame/daemon/packet"
)

func sortPorts(list []packet.Port) {
	slices.SortFunc(list, func(a, b packet.Port) int {
		return int(a.Proto)<<16 + int(a.Number) - int(b.Proto)<<16 - int(b.Number)
	})
}

// What a text can have: an address, and a port with its protocol in the ways of scripts and of
// knockd.conf, or without.
var (
	addressText = regexp.MustCompile(`(?i)(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:\.\d{1,3}){0,3})(?:/\d{1,3}\b)?`)
	portText    = regexp.MustCompile(`(tcp|udp)/(\d{1,5})\b|(\d{1,5})(:|/)(tcp|udp)\b|\b\d{1,5}\b`)
)

// sequenceText is where a script or a knockd.conf gives a sequence, and where a comment begins. In
// a script a list follows the former.
var sequenceText = regexp.MustCompile(`(?i)\bsequence\s*=[ \t]*|(?:--|#)[ \t]*`)

// rangeText is a range of addresses, as lists have it.
var rangeText = regexp.MustCompile(`([0-9A-Fa-f:.]+)[ \t]*-[ \t]*([0-9A-Fa-f:.]+)`)

// sequenceLine is a line of a file of one-time sequences, in the state of an engine.
var sequenceLine = regexp.MustCompile(`^\s*\d{1,5}(?::(?:tcp|udp))?(?:[\s,]+\d{1,5}(?::(?:tcp|udp))?)+\s*$`)

// text replaces the addresses and the ports that a text names. Numbers means that a number alone is
// a port too: of TCP, or else of UDP.
func (s *scrubber) text(text string, numbers bool) string {
	var b strings.Builder
	last := 0
	for _, at := range addressText.FindAllStringIndex(text, -1) {
		to, is := s.addressIn(text[at[0]:at[1]])
		if is {
			b.WriteString(s.portsIn(text[last:at[0]], numbers))
			b.WriteString(to)
			last = at[1]
		}
	}
	b.WriteString(s.portsIn(text[last:], numbers))
	return b.String()
}

// addressIn returns what takes the place of an address or of a network.
func (s *scrubber) addressIn(found string) (to string, is bool) {
	if p, err := netip.ParsePrefix(found); err == nil {
		return s.prefix(p).String(), true
	}
	text, rest, _ := strings.Cut(found, "/")
	a, err := netip.ParseAddr(text)
	if err != nil {
		return "", false
	}
	return s.address(a).String() + found[len(found)-len(rest)-min(len(rest), 1):], true
}

// portsIn replaces the ports in a text without addresses.
func (s *scrubber) portsIn(text string, numbers bool) string {
	return portText.ReplaceAllStringFunc(text, func(found string) string {
		p, alone, is := portOf(found)
		if !is || alone && !numbers {
			return found
		}
		if _, known := s.ports[p]; alone && !known {
			p = other(p)
		}
		number := strconv.Itoa(int(p.Number))
		return strings.Replace(found, number, strconv.Itoa(int(s.port(p).Number)), 1)
	})
}

// portOf reads what portText found. Alone means that it is a number alone.
func portOf(found string) (p packet.Port, alone, is bool) {
	m := portText.FindStringSubmatch(found)
	name, number := m[1]+m[5], m[2]+m[3]
	if alone = name == ""; alone {
		name, number = "tcp", found
	}
	p, err := packet.ParsePort(name + "/" + strings.TrimLeft(number, "0"))
	return p, alone, err == nil
}

// script replaces what a script or a referenced file names.
func (s *scrubber) script(text string, oneTime bool) string {
	if oneTime || s.everywhere {
		return s.text(text, true)
	}
	var b strings.Builder
	last := 0
	for _, at := range sequenceText.FindAllStringIndex(text, -1) {
		if at[1] < last {
			continue // in a list
		}
		end := sequenceEnd(text, at[1])
		b.WriteString(s.text(text[last:at[1]], false))
		b.WriteString(s.text(text[at[1]:end], true))
		last = end
	}
	b.WriteString(s.text(text[last:], false))
	return b.String()
}

// sequenceEnd returns where the list ends that begins at an offset, or else the line.
func sequenceEnd(text string, start int) int {
	depth := 0
	if line, _, _ := strings.Cut(text[start:], "\n"); !strings.HasPrefix(strings.TrimSpace(line), "{") && strings.TrimSpace(line) != "" {
		return start + len(line)
	}
	for i := start; i < len(text); i++ {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth <= 0 {
				return i + 1
			}
		case '\n':
			if depth == 0 && strings.TrimSpace(text[start:i]) != "" {
				return i
			}
		}
	}
	return len(text)
}

// tree replaces what a JSON value names, in place.
func (s *scrubber) tree(v any) any {
	switch v := v.(type) {
	case string:
		return s.text(s.given(v), sequenceLine.MatchString(v))
	case []any:
		for i := range v {
			v[i] = s.tree(v[i])
		}
	case map[string]any:
		if p, is := portIn(v); is {
			v["Number"] = s.port(p).Number
			return v
		}
		_, stored := v["script"]
		for key := range v {
			if text, is := v[key].(string); is && stored && (key == "key" || key == "value") {
				v[key] = s.storedText(text)
				continue
			}
			v[key] = s.tree(v[key])
		}
	}
	return v
}

// storedText replaces what the key or the value of a stored value names. A number alone may be a
// port there: scripts make keys of the ports of packets.
func (s *scrubber) storedText(text string) string { return s.text(s.given(text), true) }

// given replaces the texts that were given for options, which scripts may have stored.
func (s *scrubber) given(text string) string {
	for from, to := range s.values {
		if len(from) >= shortText || from == text {
			text = strings.ReplaceAll(text, from, to)
		}
	}
	return text
}

// shortText is the length in bytes from which on a text of an option is looked for in others. A
// shorter one is in many texts by chance.
const shortText = 4

// portIn reads a port that is an object of two numbers.
func portIn(v map[string]any) (p packet.Port, is bool) {
	proto, one := v["Proto"].(json.Number)
	number, two := v["Number"].(json.Number)
	if !one || !two || len(v) != 2 {
		return p, false
	}
	a, errA := proto.Int64()
	b, errB := number.Int64()
	return packet.Port{Proto: packet.Proto(a), Number: uint16(b)}, errA == nil && errB == nil
}
