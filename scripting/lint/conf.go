package lint

import (
	"sesame/daemon/engine"
)

// inConf reports whether a door is of a knockd.conf, where scripts' options and
// functions are out of reach.
func inConf(d *engine.Door) bool {
	return d.Policy == engine.PolicyKnockd && d.Group != d.Script
}

// traps finds what stands in a knockd.conf or in a file of one-time sequences, and
// is hardly meant as it is read.
func (c *checker) traps() {
	for _, t := range c.set.Traps {
		c.found = append(c.found, Finding{
			ID: Knockd, File: t.File, Line: t.Line, Door: t.Door, Message: t.Text,
			Hint: "correct it; what is meant is allowed by a line of its own above: # sesame:allow knockd REASON",
		})
	}
}

// left finds doors whose sequences were all used.
func (c *checker) left(d *engine.Door) {
	if d.OneTime != nil && len(d.Sequence) == 0 {
		c.door(UsedUp, d, d.OneTime.File+" has no sequence left: nothing opens this door", "write new ones into it, one a line")
	}
}
