package split

import (
	"fmt"
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
	return fmt.Sprintf("%s of %s came from %s, and the rest from %s%s: probably one knock from two addresses (carrier NAT); "+
		"knock over IPv6, or on a door of one knock", what, transcript.Safe(k.Door), second, first, again)
}

// String describes a connection from another address than the knock, and what helps.
func (c Connection) String() string {
	text := fmt.Sprintf("%s opened %s; %s was refused at %s %s later: probably ", c.Opening.Source, transcript.Safe(c.Opening.Door),
		c.Refused.Source, c.Refused.Port, seconds(c.Refused.Last.Sub(c.Opening.At)))
	switch {
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
