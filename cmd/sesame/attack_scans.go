package main

import (
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/lint"
	"sesame/simulate/attack"
)

// scans returns all scans that are asked for.
func (f *attackFlags) scans(set *scripting.Set) (all []attack.Scan) {
	if f.ports != worst {
		return f.scansOf(f.low, f.high, f.chosen(set.Engine.Doors), f.howOften(set.Engine.Doors))
	}
	for _, g := range lint.Guesses(set) {
		if !f.wants(g.Door) || g.Worst == nil {
			continue
		}
		i := slices.IndexFunc(set.Engine.Doors, func(d *engine.Door) bool { return d.Name == g.Door })
		doors := set.Engine.Doors[i : i+1]
		for _, s := range f.scansOf(uint16(g.Worst.From), uint16(g.Worst.To), f.chosen(doors), f.howOften(doors)) {
			if !slices.ContainsFunc(all, func(other attack.Scan) bool { return sameScan(&s, &other) }) {
				all = append(all, s)
			}
		}
	}
	return all
}

// sameScan reports whether two scans send the same.
func sameScan(a, b *attack.Scan) bool {
	return a.String() == b.String() && a.Times == b.Times && a.From == b.From && a.To == b.To
}

// scansOf returns the scans of a range.
func (f *attackFlags) scansOf(low, high uint16, protocols [][]packet.Proto, times []int) (all []attack.Scan) {
	for _, order := range []attack.Order{attack.Up, attack.Down, attack.Random} {
		if !slices.Contains(f.orders, order.String()) {
			continue
		}
		for _, some := range protocols {
			for _, n := range times {
				for _, s := range attack.Ways(order, some) {
					s.From, s.To, s.Flags, s.Times, s.Rate = low, high, f.flags, n, f.rate
					all = append(all, s)
				}
			}
		}
	}
	return all
}

// chosen returns the protocols of scans: those that are asked for, or else both together, and each
// by which alone some door can be opened.
func (f *attackFlags) chosen(doors []*engine.Door) (all [][]packet.Proto) {
	names := f.protocols
	if len(names) == 0 {
		for _, protocol := range []packet.Proto{packet.TCP, packet.UDP} {
			if slices.ContainsFunc(doors, func(d *engine.Door) bool { return f.wants(d.Name) && opensBy(d, protocol) }) {
				names = append(names, protocol.String())
			}
		}
		names = append(names, bothNames)
	}
	for _, one := range []struct {
		name      string
		protocols []packet.Proto
	}{{"tcp", []packet.Proto{packet.TCP}}, {"udp", []packet.Proto{packet.UDP}}, {bothNames, []packet.Proto{packet.TCP, packet.UDP}}} {
		if slices.Contains(names, one.name) {
			all = append(all, one.protocols)
		}
	}
	return all
}

// opensBy reports whether packets of one protocol alone can open a door.
func opensBy(d *engine.Door, protocol packet.Proto) bool {
	other := func(k engine.Knock) bool { return k.Port.Proto != protocol }
	if d.Listen || d.OneTime != nil {
		return slices.ContainsFunc(slices.Collect(d.Knocks()), func(k engine.Knock) bool { return !other(k) })
	}
	return !slices.ContainsFunc(d.Sequence, other)
}

// howOften returns how many sweeps scans have: with as many as the longest sequence has knocks,
// each sweep may have one of them.
func (f *attackFlags) howOften(doors []*engine.Door) []int {
	if f.times > 0 {
		return []int{f.times}
	}
	most := 1
	for _, d := range doors {
		if !f.wants(d.Name) || d.Listen {
			continue
		}
		most = max(most, len(d.Sequence))
		if d.OneTime != nil {
			for _, s := range d.OneTime.Sequences {
				most = max(most, len(s.Knocks))
			}
		}
	}
	if most == 1 {
		return []int{1}
	}
	return []int{1, most}
}
