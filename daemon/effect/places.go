package effect

import "sesame/daemon/engine"

// A places counts places of [Config.Queue]. Commands may take long, and whoever knows a door
// causes them, so they leave places for access, those of one door leave some for others, and those
// of one script for other scripts.
type places struct {
	all      int
	commands int
	doors    map[string]int // of commands; no entry is zero
	scripts  map[string]int // the same
}

func newPlaces() places { return places{doors: make(map[string]int), scripts: make(map[string]int)} }

// add adds n places of the kind that a step takes.
func (p *places) add(s *step, n int) {
	p.all += n
	if s.Effect == engine.EffectExec {
		p.commands += n
		count(p.doors, s.Door, n)
		count(p.scripts, s.Owner, n)
	}
}

// count adds n to a number, and keeps none that is zero.
func count(numbers map[string]int, key string, n int) {
	if numbers[key] += n; numbers[key] == 0 {
		delete(numbers, key)
	}
}

// take takes the places of another away, which is empty then.
func (p *places) take(other *places) {
	p.all -= other.all
	p.commands -= other.commands
	for door, n := range other.doors {
		count(p.doors, door, -n)
	}
	for script, n := range other.scripts {
		count(p.scripts, script, -n)
	}
	clear(other.doors)
	clear(other.scripts)
	other.all, other.commands = 0, 0
}

// room reports whether a step finds one of so many places. A script has at most three times as many
// as are free. So a quarter of what there is stays for the next script, and a quarter of that for
// the one after it.
func (p *places) room(s *step, most int) bool {
	if s.Effect != engine.EffectExec || p.all >= most {
		return p.all < most
	}
	free := max(1, most/4*3) - p.commands
	return p.doors[s.Door] < max(1, most/2) && p.scripts[s.Owner] < 3*free
}
