package lint

import (
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A class is a kind of packets that trip the same tripwires.
type class struct {
	protocol packet.Proto
	flags    engine.FlagTest // zero for UDP
}

// tripwires counts the tripwires of d among the ports of a scan. A port counts when every packet
// of the scan trips it.
func (c *checker) tripwires(d *engine.Door, s scan, protocol packet.Proto) int {
	return c.wiresBetween(d, class{protocol, s.flags}, s.from, s.to)
}

// wiresBetween counts the tripwires of d from one port to another, both included.
func (c *checker) wiresBetween(d *engine.Door, kind class, low, high int) int {
	if !d.Tripped() {
		return 0
	}
	wires := c.wiresOf(kind)
	n := between(wires, low, high)
	for i, port := range d.Except {
		number := int(port.Number)
		if port.Proto == kind.protocol && low <= number && number <= high && !slices.Contains(d.Except[:i], port) {
			n -= between(wires, number, number)
		}
	}
	return n
}

// wiresOf returns the ports of a kind of packets that are tripwires of the set, sorted. Ports that
// some door guards are none.
func (c *checker) wiresOf(kind class) []int {
	if kind.protocol != packet.TCP {
		kind.flags = engine.FlagTest{}
	}
	if wires, known := c.wires[kind]; known {
		return wires
	}
	var wires []int
	for _, wire := range c.pool() {
		if wire.Port.Proto == kind.protocol && implies(engine.Knock{Port: wire.Port, Flags: kind.flags}, wire.Flags) {
			wires = append(wires, int(wire.Port.Number))
		}
	}
	slices.Sort(wires)
	wires = slices.Compact(wires)
	c.wires[kind] = wires
	return wires
}

// pool returns the tripwires of the set that are in force.
func (c *checker) pool() []engine.Knock {
	if c.inForce == nil {
		c.inForce = slices.DeleteFunc(slices.Clone(c.set.Engine.Tripwires()), func(wire engine.Knock) bool {
			return c.guarded[wire.Port]
		})
		if c.inForce == nil {
			c.inForce = []engine.Knock{}
		}
	}
	return c.inForce
}
