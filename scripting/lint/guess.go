package lint

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
)

// A Guess compares two ways to open a door without knowing its sequence: to
// guess the sequence, and to scan ports. A scan sends a packet to each port of
// the sequence too, and most other ports do not disturb an attempt. So what
// matters is the order in which the scan comes to the few ports that do: those
// of the sequence, and the tripwires (see [engine.Set.Tripwires]).
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

	// Scan is the scan of all ports.
	Scan
	// Never is the reason why no single scan opens the door, whatever its range.
	Never string `json:"never,omitempty"`
	// Worst is the scan of the smallest range that has all knocks. No other range
	// opens the door more often in random order. It is nil for a door of one
	// knock, and when Never is set without Surely.
	Worst *Scan `json:"worst,omitempty"`

	// Within is the time of the whole sequence.
	Within time.Duration `json:"-"`
}

// A Scan is one packet to each port of a range, in random order.
type Scan struct {
	// Protocols are those that a scan needs. Packets is how many packets it
	// sends: one to each port from From to To, both included, of each protocol.
	Protocols []string `json:"protocols"`
	From      int      `json:"from"`
	To        int      `json:"to"`
	Packets   int      `json:"packets"`
	// Tripwires is how many of the ports are tripwires of the door.
	Tripwires int `json:"tripwires"`
	// Scans is the number of scans, each in an order of its own, that open the
	// door once on average, in digits. It is "" when no single scan opens the
	// door. With AtLeast it is a lower bound. An attacker who chooses the
	// orders well needs fewer scans.
	Scans   string `json:"scans,omitempty"`
	AtLeast bool   `json:"at_least,omitempty"`
	// Rate is how many packets a second finish a scan in the time of the door.
	// Slower scans open it less often. Zero: the rate does not matter.
	Rate int64 `json:"packets_per_second,omitempty"`
	// Surely is how many scans in the time of the door open it for certain,
	// whatever their orders, at SurelyRate packets a second. Zero: no number of
	// scans does.
	Surely     int   `json:"surely,omitempty"`
	SurelyRate int64 `json:"surely_packets_per_second,omitempty"`
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
	all := scanOf(d)
	g := Guess{
		Door: d.Name, File: d.File, Line: d.Line, Knocks: knocks, Within: d.Within,
		Combinations: new(big.Int).Exp(big.NewInt(portsOfProtocol), big.NewInt(int64(knocks)), nil).String(),
		Scan:         c.scanned(d, all),
		Never:        all.never(d),
	}
	if knocks > 1 {
		if worst := c.scanned(d, all.narrowed(d)); worst.Scans != "" || worst.Surely > 0 {
			g.Worst = &worst
		}
	}
	return g
}

// scanned returns what a scan achieves at a door.
func (c *checker) scanned(d *engine.Door, s scan) Scan {
	knocks := len(d.Sequence)
	scan := Scan{Protocols: s.names(), From: s.from, To: s.to, Packets: s.packets()}
	for _, protocol := range s.protocols {
		scan.Tripwires += c.tripwires(d, s, protocol)
	}
	if s.never(d) == "" {
		n := c.disturbers(d, s)
		scan.Scans, scan.AtLeast = orders(n, knocks), d.Policy == engine.PolicyKnockd && n > knocks
		if knocks > 1 {
			scan.Rate = max(rate(scan.Packets, d.Within), rate(scan.Packets, d.StepTimeout))
		}
	}
	if knocks > 1 && d.OnWrong == engine.WrongIgnored && scan.Tripwires == 0 && s.reaches(d) {
		// Each scan completes at least one stage, and the scans of two stages
		// are at most two apart.
		scan.Surely = knocks
		scan.SurelyRate = max(rate(knocks*scan.Packets, d.Within), rate(2*scan.Packets, d.StepTimeout))
	}
	return scan
}

// orders returns how many random orders of n ports there are, on average, for
// one in which k given ports follow each other directly and in the right order.
// That is n!/(n-k+1)!: the k ports are then as one, so that (n-k+1)! of the n!
// orders remain. With n = k, where only the ports of the sequence matter, it is
// k!. With w tripwires, n is w+k, and it is (w+2)(w+3)...(w+k).
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

// Range returns "all TCP ports", or "TCP and UDP ports 2904-9133".
func Range(protocols []string, from, to int) string {
	names := strings.ToUpper(strings.Join(protocols, "/"))
	names = strings.ReplaceAll(names, "/", " and ") + " ports"
	switch {
	case from == 1 && to == portsOfProtocol:
		return "all " + names
	case from == to:
		return fmt.Sprintf("%s %d", strings.TrimSuffix(names, "s"), from)
	}
	return fmt.Sprintf("%s %d-%d", names, from, to)
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

// crowdOf returns the ports that disturb a crowd of doors, sorted.
func (c *checker) crowdOf(of crowd) (numbers []int) {
	for _, d := range c.matched[match{of.group, of.target}] {
		for port := range ports(d) {
			if port.Proto == of.protocol && implies(engine.Knock{Port: port, Flags: of.flags}, d.Flags) {
				numbers = append(numbers, int(port.Number))
			}
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// crowded counts the ports in a scan, without those of d, at which a packet
// changes attempts at the doors that are matched with d.
func (c *checker) crowded(d *engine.Door, s scan, protocol packet.Proto) int {
	key := crowd{d.Group, d.Target, s.flags, protocol}
	crowd, known := c.crowds[key]
	if !known {
		crowd = c.crowdOf(key)
		c.crowds[key] = crowd
	}
	n := between(crowd, s.from, s.to)
	for port := range ports(d) {
		if port.Proto == protocol && s.has(int(port.Number)) {
			n -= between(crowd, int(port.Number), int(port.Number))
		}
	}
	return n
}
