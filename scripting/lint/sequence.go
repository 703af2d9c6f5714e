package lint

import (
	"fmt"
	"slices"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
)

// enough is the number of ports at which neither random packets nor a scan open
// a door, as far as tripwires disturb it.
const enough = 4

// InOrder returns the findings [Ascending] and [Descending] about doors that are in no set yet.
func InOrder(doors []*engine.Door) []Finding {
	c := newChecker(&scripting.Set{Engine: &engine.Set{Doors: doors}})
	for _, d := range doors {
		c.order(d)
	}
	return c.found
}

// order finds sequences that a sweep up or down completes, if no wrong knock
// resets the door on the way. It reports whether there was something to find.
func (c *checker) order(d *engine.Door) bool {
	if len(d.Sequence) < 2 || scanOf(d).never(d) != "" {
		return false
	}
	which, between := "the ports", ""
	if d.Sequence[0].Port.Proto != d.Sequence[len(d.Sequence)-1].Port.Proto {
		which = "the ports of each protocol"
	}
	if d.Strict || d.Tripped() {
		between = ", and nothing between them resets the door"
	}
	for _, w := range sweeps(scanOf(d).narrowed(d)) {
		switch {
		case w.interleaved || c.opened(d, w, 1) == 0:
			continue
		case w.down:
			c.door(Descending, d, which+" go down"+between+": a scan from high to low opens it", c.disorder(d))
		default:
			c.door(Ascending, d, which+" go up"+between+": a scan from low to high opens it", c.disorder(d))
		}
		return true
	}
	return false
}

// disorder returns the hint for ports that a sweep meets in their order.
func (c *checker) disorder(d *engine.Door) string {
	switch {
	case d.Policy == engine.PolicyKnockd:
		return "mix the order of the ports"
	case d.Tripwires == 0:
		return "mix the order of the ports, and remove tripwires = 0"
	}
	return "mix the order of the ports, and leave free ports between them"
}

// sideBySide finds knocks from which every sweep in that direction passes to the
// next one, because no port between them is a wrong knock. Doors without
// tripwires have a finding of their own.
func (c *checker) sideBySide(d *engine.Door) {
	if !d.Tripped() {
		return
	}
	s := scanOf(d)
	var pairs []string
	for i, k := range d.Sequence[1:] {
		before := d.Sequence[i]
		if before.Port == k.Port || c.parted(d, s, before.Port, k.Port) {
			continue
		}
		pairs = append(pairs, fmt.Sprintf("%d and %d (%s, %s)", i+1, i+2, before.Port, k.Port))
	}
	if len(pairs) == 0 {
		return
	}
	if more := len(pairs) - listed; more > 0 {
		pairs = append(pairs[:listed], fmt.Sprintf("%d more pairs", more))
	}
	c.door(SideBySide, d, fmt.Sprintf("nothing between knocks %s resets the door: a sweep passes from one to the other%s", strings.Join(pairs, ", "), c.swept(d)),
		"choose ports that are far apart: tripwires need free ports between two knocks")
}

// parted reports whether a wrong knock lies between two knocks. Of two protocols
// either can have it, for a sweep may take both of one number before the next.
func (c *checker) parted(d *engine.Door, s scan, from, to packet.Port) bool {
	low, high := int(min(from.Number, to.Number))+1, int(max(from.Number, to.Number))-1
	for _, protocol := range s.protocols {
		if from.Proto == to.Proto && protocol != from.Proto {
			continue
		}
		k := engine.Knock{Port: packet.Port{Proto: protocol}, Flags: s.flags}
		if c.meets(d, k, low, high) || d.OnWrong == engine.WrongResets && ownBetween(d, protocol, low, high) {
			return true
		}
	}
	return false
}

// ownBetween reports whether d has a knock from low to high.
func ownBetween(d *engine.Door, protocol packet.Proto, low, high int) bool {
	return slices.ContainsFunc(d.Sequence, func(k engine.Knock) bool {
		return k.Port.Proto == protocol && low <= int(k.Port.Number) && int(k.Port.Number) <= high
	})
}

// swept returns how many sweeps of the smallest range open a door, as the end of
// a sentence; "" when they do not.
func (c *checker) swept(d *engine.Door) string {
	s := scanOf(d).narrowed(d)
	best, least := sweep{}, 0
	for _, w := range sweeps(s) {
		if n := c.opened(d, w, len(d.Sequence)); n > 0 && (least == 0 || n < least) {
			best, least = w, n
		}
	}
	if least == 0 {
		return ""
	}
	verb := "open"
	if least == 1 {
		verb = "opens"
	}
	return fmt.Sprintf("; %s of %s %s it, %s", count(least, "sweep"), Range(s.names(), s.from, s.to), verb, best)
}

// unwired finds doors that nothing disturbs but their own ports.
func (c *checker) unwired(d *engine.Door) {
	if d.Tripwires > 0 || single(d) || d.Policy == engine.PolicyKnockd || c.disturbers(d, scanOf(d)) > len(d.Sequence) {
		return
	}
	c.door(NoTripwires, d, "tripwires = 0: packets to other ports disturb no attempt: "+c.ease(d)+c.swept(d),
		"remove tripwires = 0: then a scan makes wrong knocks on ports that nobody announces")
}

// minds reports whether a packet like k is always a wrong knock at a door that
// is strict and does not list its port. See [engine.Door.Strict].
func (c *checker) minds(d *engine.Door, k engine.Knock) bool {
	return implies(k, engine.SYN) && !c.guarded[k.Port] && !slices.Contains(d.Except, k.Port)
}

func (c *checker) length(d *engine.Door) {
	knocks, different := len(d.Sequence), len(ports(d))
	switch {
	case d.Payload != nil: // no scan has the payload
	case knocks < enough:
		c.door(Short, d, count(knocks, "knock")+", fewer than four: "+c.ease(d), "make the sequence four knocks or longer")
	case different < enough:
		c.door(Short, d, fmt.Sprintf("%d knocks on %s, fewer than four: %s", knocks, count(different, "port"), c.ease(d)),
			"knock on four different ports or more")
	}
	if knocks == 1 && d.Limit == nil {
		hint := `add limit = "10/m per source", or what fits`
		if scripting.InConf(d) {
			hint = "a knockd.conf knows no limit: make a script of it with sesame import knockd, and add limit = \"10/m per source\" there"
		}
		c.door(NoLimit, d, "one knock without a limit: whoever sends packets decides how often it runs", hint)
	}
}

// sharedLimit finds listeners that any packet can shut. A door of one knock is opened by any packet
// too, which [checker.length] reports.
func (c *checker) sharedLimit(d *engine.Door) {
	if d.Listen && d.Limit != nil && !d.Limit.PerSource && d.Payload == nil {
		c.door(SharedLimit, d, fmt.Sprintf("the limit %s is for all sources together, and no length, prefix or bytes stands before it: "+
			"one stranger can use it up for everybody", d.Limit.Text), fmt.Sprintf("write %q, or add a prefix", d.Limit.Text+" per source"))
	}
}

// ease describes how likely chance opens a short sequence.
func (c *checker) ease(d *engine.Door) string {
	o := c.guess(d)
	s := o.Scan
	if o.Worst != nil && o.Worst.Scans != s.Scans {
		s = *o.Worst
	}
	ports := Range(s.Protocols, s.From, s.To)
	switch {
	case d.Strict && d.OnWrong == engine.WrongResets || o.Never != "":
		return "a few random packets may open it"
	case s.Scans == "1":
		return "each scan of " + ports + " opens it"
	case s.AtLeast:
		return fmt.Sprintf("one scan of %s in %s may open it", ports, Grouped(s.Scans))
	default:
		return fmt.Sprintf("one scan of %s in about %s opens it", ports, Grouped(s.Scans))
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// prefix finds doors that open on the way to another. Of two doors with the
// same sequence it reports the later.
func (c *checker) prefix(d *engine.Door) {
	for _, other := range c.knocked[c.rarest(d)] {
		twins := len(d.Sequence) == len(other.Sequence)
		if other == d || len(d.Sequence) > len(other.Sequence) || twins && c.position[d] < c.position[other] || !c.passes(d, other) {
			continue
		}
		message, hint := "its sequence is part of that of door %q (%s:%d): whoever knocks that one opens this one on the way",
			"give it a port that the other door does not have"
		switch {
		case twins:
			message, hint = "it has the sequence of door %q (%s:%d): the same knocks open both", "give it a sequence that begins differently"
		case slices.EqualFunc(d.Sequence, other.Sequence[:len(d.Sequence)], overlap):
			message, hint = "its sequence is how door %q (%s:%d) begins: whoever knocks that one opens this one on the way",
				"give it a sequence that begins differently"
		}
		c.door(Prefix, d, fmt.Sprintf(message, other.Name, other.File, other.Line), hint)
		return
	}
}

// rarest returns the port of a sequence that the fewest doors have. Only these
// doors need a comparison.
func (c *checker) rarest(d *engine.Door) packet.Port {
	return slices.MinFunc(d.Sequence, func(a, b engine.Knock) int {
		return len(c.knocked[a.Port]) - len(c.knocked[b.Port])
	}).Port
}

// passes reports whether the knocks of other, made in time, open d. It follows
// the rules of the engine for knocks that are expected, repeated, of no door,
// or wrong.
func (c *checker) passes(d, other *engine.Door) bool {
	if d.Policy == engine.PolicyKnockd {
		return c.opens(d, other.Sequence)
	}
	var run []engine.Knock
	for _, k := range other.Sequence {
		if run = c.next(d, run, k); len(run) == len(d.Sequence) {
			return true
		}
	}
	return false
}

// next returns what the latest knocks at d are after one more.
func (c *checker) next(d *engine.Door, run []engine.Knock, k engine.Knock) []engine.Knock {
	switch stage := len(run); {
	case overlap(k, d.Sequence[stage]):
		return append(run, k)
	case d.Policy == engine.PolicyKnockd:
		return nil
	case d.OnWrong == engine.WrongIgnored,
		stage > 0 && d.Duplicates == engine.DuplicatesIgnored && overlap(k, d.Sequence[stage-1]),
		!lists(d, k) && !(d.Strict && c.minds(d, k)):
		return run
	}
	return longestRun(d, append(run, k))
}

// longestRun returns the longest of the latest knocks that begin d.
func longestRun(d *engine.Door, knocks []engine.Knock) []engine.Knock {
	for len(knocks) > 0 && !slices.EqualFunc(knocks, d.Sequence[:len(knocks)], overlap) {
		knocks = knocks[1:]
	}
	return knocks
}

// lists reports whether k can be a knock of d, at whatever stage.
func lists(d *engine.Door, k engine.Knock) bool {
	return slices.ContainsFunc(d.Sequence, func(own engine.Knock) bool { return overlap(k, own) })
}

// overlap reports whether one packet can be both knocks.
func overlap(a, b engine.Knock) bool {
	return a.Port == b.Port && (a.Port.Proto != packet.TCP || a.Flags.Set&b.Flags.Clear|a.Flags.Clear&b.Flags.Set == 0)
}

func (c *checker) effect(d *engine.Door) {
	switch {
	case d.Listen || len(d.Guards) > 0 || d.Hooks&engine.HookOpen != 0:
	case scripting.InConf(d):
		c.door(NoEffect, d, "it has no start_command: opening it changes nothing, and is only reported", "give it one, or remove the section")
	default:
		c.door(NoEffect, d, "it guards nothing and has no on_open: opening it changes nothing, and is only reported",
			`add guards = "tcp/22", or on_open`)
	}
}
