package effect

import "sesame/daemon/engine"

// A places counts places of [Config.Queue]. Commands may take long, and whoever knows a door
// causes them, so they leave places for access, and those of one door leave some for others.
type places struct {
	all      int
	commands int
	doors    map[string]int // of commands; no entry is zero
}

// add adds n places of the kind that a step takes.
func (p *places) add(s *step, n int) {
	p.all += n
	if s.Effect == engine.EffectExec {
		p.addCommands(s.Door, n)
	}
}

func (p *places) addCommands(door string, n int) {
	if p.doors == nil {
		p.doors = make(map[string]int)
	}
	p.commands += n
	if p.doors[door] += n; p.doors[door] == 0 {
		delete(p.doors, door)
	}
}

// take takes the places of another away, which is empty then.
func (p *places) take(other *places) {
	p.all -= other.all
	for door, n := range other.doors {
		p.addCommands(door, -n)
	}
	clear(other.doors)
	other.all, other.commands = 0, 0
}

// room reports whether a step finds one of so many places.
func (p *places) room(s *step, most int) bool {
	if s.Effect != engine.EffectExec {
		return p.all < most
	}
	return p.all < most && p.commands < max(1, most/4*3) && p.doors[s.Door] < max(1, most/2)
}
