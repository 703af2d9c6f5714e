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

// A Guess compares two ways to open a door without knowing its sequence: to
// guess the sequence, and to scan all ports. A scan sends a packet to each port
// of the sequence too, and packets to ports that the door ignores do not
// disturb an attempt. So only the order matters in which the scan comes to the
// few ports that the door does not ignore.
//
// Conditions and limits of the door are left out, since they are checked after
// the sequence.
type Guess struct {
	Door   string `json:"door"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Knocks int    `json:"knocks"`
	// Combinations is the number of sequences of so many ports, in digits:
	// 65535 to the power of Knocks.
	Combinations string `json:"combinations"`

	// Protocols are those that a scan needs. Packets is how many packets it
	// sends: one to each port of each protocol, in random order.
	Protocols []string `json:"protocols"`
	Packets   int      `json:"packets"`
	// Scans is the number of scans, each in an order of its own, that open the
	// door once on average, in digits. It is "" when no single scan opens the
	// door. With AtLeast it is a lower bound. An attacker who chooses the
	// orders well needs fewer scans, by less than a factor of Knocks.
	Scans   string `json:"scans,omitempty"`
	AtLeast bool   `json:"at_least,omitempty"`
	// Never is the reason why no single scan opens the door.
	Never string `json:"never,omitempty"`
	// Rate is how many packets a second finish a scan in the time of the door.
	// Slower scans open it less often. Zero: the rate does not matter.
	Rate int64 `json:"packets_per_second,omitempty"`
	// Surely is how many scans in the time of the door open it for certain, at
	// SurelyRate packets a second. Zero: no number of scans does.
	Surely     int   `json:"surely,omitempty"`
	SurelyRate int64 `json:"surely_packets_per_second,omitempty"`

	// Within is the time of the whole sequence.
	Within time.Duration `json:"-"`
}

// Guesses returns a guess for each door of a set that has a sequence, in the
// order of the set.
func Guesses(set *scripting.Set) []Guess {
	c := newChecker(set)
	var all []Guess
	for _, d := range set.Engine.Doors {
		if !d.Listen && len(d.Sequence) > 0 {
			all = append(all, c.guess(d))
		}
	}
	return all
}

func (c *checker) guess(d *engine.Door) Guess {
	knocks := len(d.Sequence)
	kind := scanOf(d)
	g := Guess{
		Door: d.Name, File: d.File, Line: d.Line, Knocks: knocks, Within: d.Within,
		Combinations: new(big.Int).Exp(big.NewInt(portsOfProtocol), big.NewInt(int64(knocks)), nil).String(),
		Packets:      portsOfProtocol * len(kind.protocols),
		Never:        kind.never(d),
	}
	for _, protocol := range kind.protocols {
		g.Protocols = append(g.Protocols, protocol.String())
	}
	if g.Never == "" {
		n := c.disturbers(d, kind)
		g.Scans, g.AtLeast = orders(n, knocks), d.Policy == engine.PolicyKnockd && n > knocks
		if knocks > 1 {
			g.Rate = max(rate(g.Packets, d.Within), rate(g.Packets, d.StepTimeout))
		}
	}
	if knocks > 1 && d.OnWrong == engine.WrongIgnored && kind.reaches(d) {
		// Each scan completes at least one stage, and the scans of two stages
		// are at most two apart.
		g.Surely = knocks
		g.SurelyRate = max(rate(knocks*g.Packets, d.Within), rate(2*g.Packets, d.StepTimeout))
	}
	return g
}

// A scan is one packet to each port of some protocols.
type scan struct {
	protocols []packet.Proto
	flags     engine.FlagTest // of its TCP packets: those that the knocks of the door need together
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

// reaches reports whether each knock of a door is among the packets of the
// scan.
func (s scan) reaches(d *engine.Door) bool {
	return s.flags.Set&s.flags.Clear == 0 && !slices.ContainsFunc(d.Sequence, func(k engine.Knock) bool { return k.Port.Number == 0 })
}

// never returns the reason why one scan cannot open a door; "" when it can.
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

// disturbers counts the ports whose packets in a scan change an attempt at d:
// those of its sequence, and those at which any packet ends the attempt.
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

// orders returns how many random orders of n ports there are, on average, for
// one in which k given ports follow each other directly and in the right order.
// That is n!/(n-k+1)!. With n = k, where only the ports of the sequence matter,
// it is k!.
func orders(n, k int) string {
	against := big.NewInt(1)
	for i := range k - 1 {
		against.Mul(against, big.NewInt(int64(n-i)))
	}
	return against.String()
}

// rate returns how many packets a second send so many in a time, rounded up. It
// is 0 for no time.
func rate(packets int, in time.Duration) int64 {
	if in <= 0 {
		return 0
	}
	second := new(big.Int).Mul(big.NewInt(int64(packets)), big.NewInt(int64(time.Second)))
	return second.Add(second, big.NewInt(int64(in)-1)).Div(second, big.NewInt(int64(in))).Int64()
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

// crowded counts the ports, those of d included, at which a packet of a scan
// changes attempts at the doors that are matched with d.
func (c *checker) crowded(d *engine.Door, s scan) int {
	key := crowd{d.Group, d.Target, s.flags, slices.Contains(s.protocols, packet.TCP), slices.Contains(s.protocols, packet.UDP)}
	if n, known := c.crowds[key]; known {
		return n
	}
	n := 0
	for port := range c.knocked {
		if port.Number != 0 && slices.Contains(s.protocols, port.Proto) && c.ends(d, engine.Knock{Port: port, Flags: s.flags}) {
			n++
		}
	}
	c.crowds[key] = n
	return n
}
