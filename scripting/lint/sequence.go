package lint

import (
	"fmt"
	"slices"

	"sesame/daemon/engine"
)

// enough is how many knocks make a sequence that nobody finds by trying: four
// ports are 64 bits.
const enough = 4

// order finds sequences that a scan of the ports in their order completes. A
// strict door takes the ports between for wrong knocks, so none does.
func (c *checker) order(d *engine.Door) {
	if d.Listen || d.Strict || len(d.Sequence) < 2 {
		return
	}
	hint := "mix the order of the ports, or set strict = true"
	switch {
	case runs(d.Sequence, func(port, next uint16) bool { return port < next }):
		c.door(Ascending, d, "the ports go up: a scan from low to high opens it", hint)
	case runs(d.Sequence, func(port, next uint16) bool { return port > next }):
		c.door(Descending, d, "the ports go down: a scan from high to low opens it", hint)
	}
}

// runs reports whether each port and the next are in order.
func runs(sequence []engine.Knock, inOrder func(port, next uint16) bool) bool {
	for i, knock := range sequence[1:] {
		if !inOrder(sequence[i].Port.Number, knock.Port.Number) {
			return false
		}
	}
	return true
}

func (c *checker) length(d *engine.Door) {
	if d.Listen {
		return
	}
	if n := len(d.Sequence); n < enough {
		knocks := fmt.Sprintf("%d knocks", n)
		if n == 1 {
			knocks = "1 knock"
		}
		c.door(Short, d, knocks+", fewer than four: a few random packets may open it", "make the sequence four knocks or longer")
	}
	if len(d.Sequence) == 1 && d.Limit == nil {
		c.door(NoLimit, d, "one knock without a limit: whoever sends packets decides how often it runs", `add limit = "10/m", or what fits`)
	}
}

// prefix finds doors that open on the way to another. Of two with the same
// sequence it names the later.
func (c *checker) prefix(d *engine.Door) {
	for i, other := range c.set.Engine.Doors {
		if other == d || other.Listen || d.Listen || len(d.Sequence) > len(other.Sequence) ||
			!slices.Equal(d.Sequence, other.Sequence[:len(d.Sequence)]) {
			continue
		}
		message := fmt.Sprintf("its sequence is how door %q (%s:%d) begins: whoever knocks that one opens this one on the way",
			other.Name, other.Script, other.Line)
		if len(d.Sequence) == len(other.Sequence) {
			if slices.Index(c.set.Engine.Doors, d) < i {
				continue
			}
			message = fmt.Sprintf("it has the sequence of door %q (%s:%d): the same knocks open both", other.Name, other.Script, other.Line)
		}
		c.door(Prefix, d, message, "give it a sequence that begins differently")
		return
	}
}

func (c *checker) effect(d *engine.Door) {
	if !d.Listen && len(d.Guards) == 0 && d.Hooks&engine.HookOpen == 0 {
		c.door(NoEffect, d, "it guards nothing and has no on_open: opening it changes nothing, and is only reported",
			`add guards = "tcp/22", or on_open`)
	}
}
