package split

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sesame/daemon/transcript"
)

// String describes a knock of two addresses, and what helps.
func (k Knock) String() string {
	first, second := k.pair()
	var numbers []string
	for i, part := range k.Parts {
		if part == second {
			numbers = append(numbers, strconv.Itoa(i+1))
		}
	}
	what := "knock " + numbers[0]
	if n := len(numbers); n > 1 {
		what = "knocks " + strings.Join(numbers[:n-1], ", ") + " and " + numbers[n-1]
	}
	again := ""
	if k.Count > 1 {
		again = fmt.Sprintf(" (%d times)", k.Count)
	}
	return fmt.Sprintf("%s of %s came from %s, and the rest from %s%s: probably one knock from two addresses (%s",
		what, transcript.Safe(k.Door), second, first, again, remedyOf(first, second))
}

// remedyOf returns why one client has two addresses, and what helps.
func remedyOf(a, b netip.Addr) string {
	switch {
	case Plain(a) == Plain(b):
		return "the same client, once translated by NAT64); send all knocks over one address family"
	case otherFamily(a, b):
		return "IPv4 and IPv6); send all knocks over one address family"
	}
	return "carrier NAT); knock over IPv6, or on a door of one knock"
}

// Half returns the source that shares a knock with another one, and the packets that it sent, in
// order. Ok is false when source sent no part of the knock.
func (k *Knock) Half(source netip.Addr) (other netip.Addr, sent []Origin, ok bool) {
	first, second := k.pair()
	switch source {
	case first:
		other = second
	case second:
		other = first
	default:
		return netip.Addr{}, nil, false
	}
	for i, part := range k.Parts {
		if part == other && i < len(k.Came) {
			sent = append(sent, k.Came[i])
		}
	}
	return other, sent, true
}

// String describes a connection from another address than the knock, and what helps.
func (c Connection) String() string {
	text := fmt.Sprintf("%s opened %s; %s was refused at %s %s later: probably ", c.Opening.Source, transcript.Safe(c.Opening.Door),
		c.Refused.Source, c.Refused.Port, seconds(max(0, c.Refused.Last.Sub(c.Opening.At))))
	switch {
	case c.OtherFamily() && Plain(c.Opening.Source) == Plain(c.Refused.Source):
		return text + "the same client, once translated by NAT64; knock and connect over the same address family"
	case !c.OtherFamily():
		return text + "connected from another address than the knock (carrier NAT or VPN); prefix4 in allow, or IPv6, helps"
	case c.Opening.Source.Is4():
		return text + "knocked over IPv4, connected over IPv6; knock over both, as knock does without -4, or connect with ssh -4"
	}
	return text + "knocked over IPv6, connected over IPv4; knock over both, as knock does without -6, or connect with ssh -6"
}

// seconds formats a time between two packets.
func seconds(d time.Duration) string {
	if d >= time.Second {
		d = d.Round(time.Second)
	}
	return transcript.Duration(d.Round(time.Millisecond))
}
