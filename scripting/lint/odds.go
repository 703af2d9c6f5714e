package lint

import (
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
)

// portsOfProtocol is how many ports a protocol has that can be knocked on.
const portsOfProtocol = 65_535

// Odds compare what the length of a sequence promises with what a stranger
// achieves who does not guess it: a scan of all ports knocks on those of the
// sequence too, and ports that the door does not mind do not disturb it. So what
// counts is only in which order the scan comes to the few ports that matter.
//
// Conditions and limits of the door are left out: they come after the sequence.
type Odds struct {
	Door   string `json:"door"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Knocks int    `json:"knocks"`
	// Combinations are the sequences of so many ports, in digits: 65535 to the
	// power of Knocks.
	Combinations string `json:"combinations"`

	// Protocols are those that a scan needs, and Packets is how many it sends: one
	// to each port of each of them, in random order.
	Protocols []string `json:"protocols"`
	Packets   int      `json:"packets"`
	// Scans says how many scans, each in an order of its own, open the door once
	// on average, in digits. It is "" when no single scan opens it, and AtLeast says
	// that more may be needed. Somebody who chooses the orders well needs fewer, but
	// saves less than a factor of Knocks.
	Scans   string `json:"scans,omitempty"`
	AtLeast bool   `json:"at_least,omitempty"`
	// Never says why no single scan opens the door.
	Never string `json:"never,omitempty"`
	// Rate is how many packets a second it takes to be done with a scan in the time
	// of the door; slower ones open it less often. Zero: any number will do.
	Rate int64 `json:"packets_per_second,omitempty"`
	// Surely is how many scans in the time of the door open it for certain, at
	// SurelyRate packets a second; 0: no number of them does.
	Surely     int   `json:"surely,omitempty"`
	SurelyRate int64 `json:"surely_packets_per_second,omitempty"`

	// Within is the time of the whole sequence.
	Within time.Duration `json:"-"`
}

// OddsOf returns the odds of all doors of a set that have a sequence, in its order.
func OddsOf(set *scripting.Set) []Odds {
	c := newChecker(set)
	var all []Odds
	for _, d := range set.Engine.Doors {
		if !d.Listen && len(d.Sequence) > 0 {
			all = append(all, c.odds(d))
		}
	}
	return all
}

func (c *checker) odds(d *engine.Door) Odds {
	knocks := len(d.Sequence)
	kind := scanOf(d)
	o := Odds{
		Door: d.Name, File: d.File, Line: d.Line, Knocks: knocks, Within: d.Within,
		Combinations: new(big.Int).Exp(big.NewInt(portsOfProtocol), big.NewInt(int64(knocks)), nil).String(),
		Packets:      portsOfProtocol * len(kind.protocols),
		Never:        kind.never(d),
	}
	for _, protocol := range kind.protocols {
		o.Protocols = append(o.Protocols, protocol.String())
	}
	if o.Never == "" {
		n := c.disturbers(d, kind)
		o.Scans, o.AtLeast = orders(n, knocks), d.Policy == engine.PolicyKnockd && n > knocks
		if knocks > 1 {
			o.Rate = rate(o.Packets, shorter(d.Within, d.StepTimeout))
		}
	}
	if knocks > 1 && d.OnWrong == engine.WrongIgnored && kind.reaches(d) {
		// Each scan makes one stage at least, and two stages are two scans apart at most.
		o.Surely = knocks
		o.SurelyRate = max(rate(knocks*o.Packets, d.Within), rate(2*o.Packets, d.StepTimeout))
	}
	return o
}

// A scan is one packet to each port of some protocols.
type scan struct {
	protocols []packet.Proto
	flags     engine.FlagTest // of its TCP packets: what all knocks of a door ask for
}

func scanOf(d *engine.Door) scan {
	var s scan
	for _, k := range d.Sequence {
		if !slices.Contains(s.protocols, k.Port.Proto) {
			s.protocols = append(s.protocols, k.Port.Proto)
		}
		if k.Port.Proto == packet.TCP {
			s.flags.Set |= k.Flags.Set
			s.flags.Clear |= k.Flags.Clear
		}
	}
	slices.Sort(s.protocols)
	return s
}

// reaches reports whether each knock of a door is among the packets of the scan.
func (s scan) reaches(d *engine.Door) bool {
	return s.flags.Set&s.flags.Clear == 0 && !slices.ContainsFunc(d.Sequence, func(k engine.Knock) bool { return k.Port.Number == 0 })
}

// never says why one scan cannot open a door, "" when it can.
func (s scan) never(d *engine.Door) string {
	switch {
	case len(d.Sequence) > 1 && d.Within <= 0:
		return "no second knock is in time"
	case s.flags.Set&s.flags.Clear != 0:
		return "its knocks ask for flags that no packet has together"
	}
	for i, k := range d.Sequence {
		if k.Port.Number == 0 {
			return "it has " + k.Port.String() + ", which scans leave out"
		}
		if slices.ContainsFunc(d.Sequence[:i], func(earlier engine.Knock) bool { return earlier.Port == k.Port }) {
			return k.Port.String() + " comes more than once in it"
		}
	}
	return ""
}

// disturbers counts the ports whose packets in a scan mean something to an
// attempt at d: its own, and those where any packet ends it.
func (c *checker) disturbers(d *engine.Door, s scan) int {
	switch {
	case d.Policy == engine.PolicyKnockd:
		return c.crowded(d, s)
	case !d.Strict || d.OnWrong == engine.WrongIgnored:
		return len(d.Sequence)
	}
	n := len(d.Sequence)
	spared := ports(d)
	maps.Copy(spared, c.guarded)
	for _, port := range d.Except {
		spared[port] = true
	}
	for _, protocol := range s.protocols {
		if c.minds(&engine.Door{}, engine.Knock{Port: packet.Port{Proto: protocol}, Flags: s.flags}) {
			n += portsOfProtocol
			for port := range spared {
				if port.Proto == protocol {
					n--
				}
			}
		}
	}
	return n
}

// orders returns the odds against this: that of n things in random order k given
// ones come one right behind the other, as they should. That is n! orders to
// (n-k+1)! good ones; among its own ports alone, k! to 1.
func orders(n, k int) string {
	against := big.NewInt(1)
	for i := range k - 1 {
		against.Mul(against, big.NewInt(int64(n-i)))
	}
	return against.String()
}

// rate returns how many a second it takes to send some packets in a time; 0 for
// no time at all.
func rate(packets int, in time.Duration) int64 {
	if in <= 0 {
		return 0
	}
	second := new(big.Int).Mul(big.NewInt(int64(packets)), big.NewInt(int64(time.Second)))
	return second.Add(second, big.NewInt(int64(in)-1)).Div(second, big.NewInt(int64(in))).Int64()
}

// shorter returns the shorter of two limits, of which the second may be none.
func shorter(limit, other time.Duration) time.Duration {
	if other == 0 {
		return limit
	}
	return min(limit, other)
}

// Grouped writes digits with a comma before each three.
func Grouped(digits string) string {
	var b strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}
