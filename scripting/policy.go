package scripting

import (
	"fmt"
	"slices"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting/source"
)

func registerPolicy(s *script, L *lua.LState) int {
	s.registering(L, "policy")
	v, _ := s.argument(L, "policy", "")
	name, _ := v.lua.(lua.LString)
	earlier := s.loading.earliest(v.at)
	switch {
	case s.loading.policy:
		v.fail("it is named twice: a file has one policy")
	case earlier != "":
		v.fail("it stands behind %s: write it at the head of the file", earlier)
	case name == "knockd":
		s.loading.knockd = true
	case name != "sesame":
		v.expected(`the policy "sesame" or "knockd"`)
	}
	s.loading.policy = true
	return 0
}

// earliest names what was registered first, for a message at a place; "" when
// nothing was.
func (r *registration) earliest(from source.Place) string {
	var first source.Place
	name := ""
	if len(r.pending) > 0 {
		first, name = r.pending[0].at, r.pending[0].String()
	}
	for _, at := range r.confs {
		if name == "" || at.File == first.File && at.Line < first.Line {
			first, name = at, "sesame.knockd"
		}
	}
	switch {
	case name == "":
		return ""
	case first.File == from.File:
		return fmt.Sprintf("%s in line %d", name, first.Line)
	}
	return fmt.Sprintf("%s in %s:%d", name, first.File, first.Line)
}

// knockd reports whether a door is matched as knockd does it.
func (d *draft) knockd() bool { return d.door.Policy == engine.PolicyKnockd }

// ofSesame reads an option that only the policy "sesame" leaves to scripts; why
// says what the other one does.
func ofSesame(why string, read func(value, *draft)) func(value, *draft) {
	return func(v value, d *draft) {
		if d.knockd() {
			v.fail(decidedByKnockd, why)
			return
		}
		read(v, d)
	}
}

const decidedByKnockd = `the policy "knockd" decides this, %s: leave it out`

// readWithin reads the limit of a sequence. In a knockd.conf it can be zero: no
// second knock is ever in time.
func (d *draft) readWithin(v value) {
	if d.knockd() && v.lua == lua.LString("0s") {
		d.door.Within = 0
		return
	}
	d.door.Within, _ = v.duration()
}

// port reads the port of a knock, which for knockd can be 0.
func (d *draft) port(v value) packet.Port {
	if d.knockd() {
		switch v.lua {
		case lua.LString("tcp/0"), lua.LString("0"), lua.LNumber(0):
			return packet.Port{Proto: packet.TCP}
		case lua.LString("udp/0"):
			return packet.Port{Proto: packet.UDP}
		}
	}
	port, _ := v.port()
	return port
}

// together orders the doors of a file so that those of a group stand next to
// each other, where its first door is.
func together(doors []*engine.Door) []*engine.Door {
	groups, next := map[string]int{}, 0
	place := make(map[*engine.Door]int, len(doors))
	for _, d := range doors {
		at := next
		if d.Policy == engine.PolicyKnockd {
			known, some := groups[d.Group]
			if !some {
				groups[d.Group], known = at, at
			}
			at = known
		}
		place[d] = at
		next++
	}
	sorted := slices.Clone(doors)
	slices.SortStableFunc(sorted, func(a, b *engine.Door) int { return place[a] - place[b] })
	return sorted
}
