package scrub

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

func sortPorts(list []packet.Port) {
	slices.SortFunc(list, func(a, b packet.Port) int {
		return int(a.Proto)<<16 + int(a.Number) - int(b.Proto)<<16 - int(b.Number)
	})
}

// What a text can have: an address, a port with its protocol in the ways of scripts and of
// knockd.conf, or a number.
var (
	addressText = regexp.MustCompile(`(?i)(?:\b(?:\d{1,3}\.){3}\d{1,3}\b|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:\.\d{1,3}){0,3})(?:/\d{1,3}\b)?`)
	portText    = regexp.MustCompile(`\b(tcp|udp)/(\d{1,5})\b|\b(\d{1,5})(:|/)(tcp|udp)\b`)
	numberText  = regexp.MustCompile(`\b\d{1,5}\b`)
)

// text replaces the addresses and the ports that a text names.
func (s *scrubber) text(text string) string {
	text = addressText.ReplaceAllStringFunc(text, func(found string) string {
		if p, err := netip.ParsePrefix(found); err == nil {
			return s.prefix(p).String()
		}
		text, rest, _ := strings.Cut(found, "/")
		a, err := netip.ParseAddr(text)
		if err != nil {
			return found
		}
		return s.address(a).String() + found[len(found)-len(rest)-min(len(rest), 1):]
	})
	return portText.ReplaceAllStringFunc(text, func(found string) string {
		m := portText.FindStringSubmatch(found)
		name, number := m[1]+m[5], m[2]+m[3]
		p, err := packet.ParsePort(name + "/" + number)
		if err != nil {
			return found
		}
		to := strconv.Itoa(int(s.port(p).Number))
		if m[1] != "" {
			return name + "/" + to
		}
		return to + m[4] + name
	})
}

// bare replaces ports that are written as numbers alone, which are TCP ports. Small numbers are
// left alone: they are limits and lengths more often.
func (s *scrubber) bare(text string) string {
	const small = 256
	return numberText.ReplaceAllStringFunc(text, func(found string) string {
		n, err := strconv.Atoi(found)
		if err != nil || n < small || n > 65535 {
			return found
		}
		return strconv.Itoa(int(s.port(packet.Port{Proto: packet.TCP, Number: uint16(n)}).Number))
	})
}

// script replaces what a script or a referenced file names.
func (s *scrubber) script(f wire.File, oneTime map[string]bool) wire.File {
	lines := strings.SplitAfter(string(f.Source), "\n")
	for i, line := range lines {
		lines[i] = s.line(line, oneTime[string(f.Path)])
	}
	f.Source = wire.Bytes(strings.Join(lines, ""))
	return f
}

// line replaces what a line names. A number alone is a port in a sequence: in a file of one-time
// sequences everywhere, else behind the word.
func (s *scrubber) line(line string, sequences bool) string {
	marked := portText.ReplaceAllStringFunc(s.text(line), func(found string) string { return strings.ReplaceAll(found, "", "\x00") })
	word := strings.Index(line, "sequence")
	if sequences || word >= 0 && !strings.HasPrefix(strings.TrimSpace(line), "--") {
		marked = s.bare(marked)
	}
	return strings.ReplaceAll(marked, "\x00", "")
}

// tree replaces what a JSON value names, in place.
func (s *scrubber) tree(v any) any {
	switch v := v.(type) {
	case string:
		return s.text(v)
	case []any:
		for i := range v {
			v[i] = s.tree(v[i])
		}
	case map[string]any:
		if p, is := portIn(v); is {
			v["Number"] = s.port(p).Number
			return v
		}
		for key := range v {
			v[key] = s.tree(v[key])
		}
	}
	return v
}

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
