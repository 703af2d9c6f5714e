package lint

import (
	"fmt"
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
)

// enough is the number of ports at which neither random packets nor one scan
// open a door. It does not help against a source that sweeps all ports
// repeatedly within the time of the door. Other ports do not reset a door that
// is not strict, so the source needs one more sweep of 65,535 packets each time
// that the ports of the sequence go down, repeat or change the protocol.
const enough = 4

// order finds sequences that a scan in ascending or descending order completes,
// if no wrong knock resets the door on the way.
func (c *checker) order(d *engine.Door) {
	if len(d.Sequence) < 2 {
		return
	}
	grouped, stumbles := d.Policy == engine.PolicyKnockd, c.stumbles(d)
	if (d.Strict || grouped) && stumbles {
		return
	}
	which, between, hint := "the ports", "", "mix the order of the ports, or set strict = true"
	if d.Sequence[0].Port.Proto != d.Sequence[len(d.Sequence)-1].Port.Proto {
		which = "the ports of each protocol"
	}
	if d.Strict {
		between = ", and nothing between them resets the door"
	}
	switch {
	case grouped:
		hint = "mix the order of the ports"
	case !stumbles:
		hint = "mix the order of the ports: strict = true is no cure here"
	}
	switch {
	case runs(d.Sequence, func(port, next uint16) bool { return port < next }):
		c.door(Ascending, d, which+" go up"+between+": a scan from low to high opens it", hint)
	case runs(d.Sequence, func(port, next uint16) bool { return port > next }):
		c.door(Descending, d, which+" go down"+between+": a scan from high to low opens it", hint)
	}
}

// runs reports whether the ports of a sequence are in order, one protocol after
// the other, as scanners send them.
func runs(sequence []engine.Knock, inOrder func(port, next uint16) bool) bool {
	seen := map[packet.Proto]bool{}
	var last packet.Port
	for _, knock := range sequence {
		port := knock.Port
		if port.Proto == last.Proto && !inOrder(last.Number, port.Number) || port.Proto != last.Proto && seen[port.Proto] {
			return false
		}
		seen[port.Proto], last = true, port
	}
	return true
}

// stumbles reports whether a scan meets a port between two knocks that resets
// the door, given that the door is strict or of a group.
func (c *checker) stumbles(d *engine.Door) bool {
	if d.OnWrong == engine.WrongIgnored {
		return false
	}
	for i, knock := range d.Sequence[1:] {
		last := d.Sequence[i]
		if last.Port.Proto != knock.Port.Proto {
			continue
		}
		high := max(last.Port.Number, knock.Port.Number)
		for number := min(last.Port.Number, knock.Port.Number) + 1; number < high; number++ {
			between := engine.Knock{Port: packet.Port{Proto: knock.Port.Proto, Number: number}, Flags: knock.Flags}
			if c.minds(d, between) {
				return true
			}
		}
	}
	return false
}

// minds reports whether a packet like k is always a wrong knock at a door that
// is strict or of a group and does not list its port. See [engine.Door.Strict].
func (c *checker) minds(d *engine.Door, k engine.Knock) bool {
	if d.Policy == engine.PolicyKnockd {
		return c.ends(d, k)
	}
	return implies(k, engine.SYN) && !c.guarded[k.Port] && !slices.Contains(d.Except, k.Port)
}

func (c *checker) length(d *engine.Door) {
	knocks, different := len(d.Sequence), len(ports(d))
	switch {
	case knocks < enough:
		c.door(Short, d, count(knocks, "knock")+", fewer than four: "+c.ease(d), "make the sequence four knocks or longer")
	case different < enough:
		c.door(Short, d, fmt.Sprintf("%d knocks on %s, fewer than four: %s", knocks, count(different, "port"), c.ease(d)),
			"knock on four different ports or more")
	}
	if knocks == 1 && d.Limit == nil {
		hint := `add limit = "10/m", or what fits`
		if scripting.InConf(d) {
			hint = "a knockd.conf knows no limit: make a script of it with sesame import knockd, and add limit = \"10/m\" there"
		}
		c.door(NoLimit, d, "one knock without a limit: whoever sends packets decides how often it runs", hint)
	}
}

// ease describes how likely chance opens a short sequence.
func (c *checker) ease(d *engine.Door) string {
	switch o := c.guess(d); {
	case d.Strict || o.Never != "":
		return "a few random packets may open it"
	case o.Scans == "1":
		return "each scan of all ports opens it"
	case o.AtLeast:
		return fmt.Sprintf("one scan of all ports in %s may open it", Grouped(o.Scans))
	default:
		return fmt.Sprintf("one scan of all ports in about %s opens it", Grouped(o.Scans))
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
		switch stage := len(run); {
		case overlap(k, d.Sequence[stage]):
			run = append(run, k)
		case d.OnWrong == engine.WrongIgnored,
			stage > 0 && d.Duplicates == engine.DuplicatesIgnored && overlap(k, d.Sequence[stage-1]),
			!lists(d, k) && !(d.Strict && c.minds(d, k)):
		default:
			run = longestRun(d, append(run, k))
		}
		if len(run) == len(d.Sequence) {
			return true
		}
	}
	return false
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
