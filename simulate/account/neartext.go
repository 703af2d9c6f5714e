package account

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// neverBegan describes a chain without a first knock: what came, and what did not. Begin means that
// the capture may have begun after the knocks that are missing at the beginning.
func (n *near) neverBegan(c chain, d *engine.Door, begin bool) string {
	sequence := n.steps
	var parts []string
	for i := range c {
		if text := c.alike(i, d, sequence); text != "" {
			parts = append(parts, text)
		}
	}
	var before, all []string
	for i := range sequence {
		if slices.ContainsFunc(c, func(s step) bool { return s.knock == i }) {
			continue
		}
		if s := n.beside(c, i); s != nil && !slices.ContainsFunc(c, func(o step) bool { return o.at == s.at }) {
			parts = append(parts, fmt.Sprintf("%v came too (%v)%s", s.came, s.at, s.problem(d, sequence)))
			continue
		}
		if all = append(all, sequence[i].Port.String()); begin && i < c[0].knock {
			before = append(before, sequence[i].Port.String())
		}
	}
	if len(all) > 0 {
		text := several(all) + " did not"
		switch {
		case len(before) == len(all):
			text += ", or came before the capture began"
		case len(before) > 0:
			text += " (" + several(before) + " perhaps before the capture began)"
		}
		parts = append(parts, text)
	}
	return "never began: " + strings.Join(parts, "; ")
}

// alike describes the step at i together with all that have the same to say, or returns "" when an
// earlier step has said it.
func (c chain) alike(i int, d *engine.Door, sequence []engine.Knock) string {
	text := c[i].problem(d, sequence)
	var ports []string
	var at []position
	for k := range c {
		if c[k].problem(d, sequence) != text {
			continue
		}
		if k < i {
			return ""
		}
		ports, at = append(ports, c[k].came.String()), append(at, c[k].at)
	}
	return several(ports) + " came (" + positions(at) + ")" + text
}

// text describes a step, as in "tcp/2904 came (packet 3) with ACK: the door wants syn,!ack".
func (s *step) text(d *engine.Door, sequence []engine.Knock) string {
	return s.came.String() + " came (" + s.at.String() + ")" + s.problem(d, sequence)
}

// problem describes what was wrong with a packet, as the end of a sentence about it; "" for
// nothing.
func (s *step) problem(d *engine.Door, sequence []engine.Knock) string {
	expected := sequence[s.knock]
	switch s.why {
	case OtherFlags:
		return " with " + flagsOf(s.flags) + ": the door wants " + Wanted(expected.Flags)
	case OtherProtocol, OtherPort:
		return ", " + expected.Port.String() + " was expected"
	case OtherDestination:
		if d.Target.IsValid() {
			return fmt.Sprintf(" to %s: the target of the door is %s", s.dest, d.Target)
		}
		return fmt.Sprintf(" to %s, which is no address of this host", s.dest)
	case Fragment:
		return " as a fragment, and no fragment is a knock"
	case Truncated:
		return " cut short by the capture: record whole packets with tcpdump -s 0"
	case Reordered:
		return fmt.Sprintf(" %s after %s, the knock behind it: wait longer between knocks", transcript.Duration(s.ahead), sequence[s.knock+1].Port)
	case Malformed:
		if s.came.Proto == packet.TCP && s.flags&packet.SYN != 0 && s.flags&(packet.FIN|packet.RST) != 0 {
			return " malformed, with " + flagsOf(s.flags)
		}
		return " malformed: look at its checksums, lengths and addresses"
	case noCause, Missing, GaveNothing:
	}
	return ""
}

// several joins names, and counts those after the eighth.
func several(names []string) string {
	const enough = 8
	if len(names) > enough {
		return strings.Join(names[:enough], ", ") + " and " + transcript.Number(len(names)-enough) + " more"
	}
	return strings.Join(names, ", ")
}

// positions names packets, as in "packets 2-4", "packets 1, 3 and 5", or "packet 2".
func positions(at []position) string {
	if slices.ContainsFunc(at, func(p position) bool { return p.capture != at[0].capture }) {
		var names []string
		for _, p := range at {
			names = append(names, p.String())
		}
		return strings.Join(names, ", ")
	}
	of := ""
	if at[0].capture > 0 {
		of = fmt.Sprintf(" of capture %d", at[0].capture)
	}
	var ranges []string
	for i := 0; i < len(at); {
		end := i
		for end+1 < len(at) && at[end+1].packet == at[end].packet+1 {
			end++
		}
		switch end - i {
		case 0:
			ranges = append(ranges, fmt.Sprint(at[i].packet))
		case 1:
			ranges = append(ranges, fmt.Sprint(at[i].packet), fmt.Sprint(at[end].packet))
		default:
			ranges = append(ranges, fmt.Sprintf("%d-%d", at[i].packet, at[end].packet))
		}
		i = end + 1
	}
	switch n := len(ranges); {
	case len(at) == 1:
		return "packet " + ranges[0] + of
	case len(at) == 2 && n == 2 && at[1].packet == at[0].packet+1:
		return "packets " + ranges[0] + "-" + ranges[1] + of
	case n == 1:
		return "packets " + ranges[0] + of
	default:
		return "packets " + strings.Join(ranges[:n-1], ", ") + " and " + ranges[n-1] + of
	}
}

// flagsOf names the flags of a packet, as in "SYN and ACK".
func flagsOf(flags packet.Flags) string {
	var names []string
	for i, name := range packet.FlagNames {
		if flags>>i&1 != 0 {
			names = append(names, strings.ToUpper(name))
		}
	}
	switch n := len(names); n {
	case 0:
		return "no flags"
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// Wanted returns a test of flags as a script writes it: "syn,!ack".
func Wanted(test engine.FlagTest) string {
	var names []string
	for i, name := range packet.FlagNames {
		switch bit := packet.Flags(1) << i; {
		case test.Set&bit != 0:
			names = append(names, name)
		case test.Clear&bit != 0:
			names = append(names, "!"+name)
		}
	}
	if len(names) == 0 {
		return "any flags"
	}
	return strings.Join(names, ",")
}

// A half is the part of a knock that another address sent.
type half struct {
	other netip.Addr
	sent  []position
}

// String describes it, as in "203.0.113.10 sent the other half (packets 3-4)".
func (h *half) String() string {
	if len(h.sent) == 0 {
		return h.other.String() + " sent the other half"
	}
	return fmt.Sprintf("%s sent the other half (%s)", h.other, positions(h.sent))
}

// lines describes what a source sent that was no attempt, when its furthest attempt came to stage:
// 0 means that it never had one. Begin is when the capture began: a knock that is missing may have
// come before.
func (n *near) lines(d *engine.Door, stage int, begin time.Time) []string {
	c := n.unbegun(stage)
	if c == nil {
		return nil
	}
	text := n.neverBegan(c, d, !begin.IsZero() && c[0].time.Sub(begin) < d.Within)
	if stage > 0 {
		text = "another try " + text
	}
	return []string{text}
}

// nearly returns the packet that was nearly the knock that a miss waited for; nil for none. What
// the engine says of another packet that ended the attempt counts more.
func (r *record) nearly(m *miss) *step {
	s := r.near.explains(m.stage)
	if s == nil || m.at != s.at && m.at.packet > 0 && (m.reason == engine.Tripwire || m.reason == engine.WrongPort) {
		return nil
	}
	return s
}
