package scripting

import (
	"fmt"
	"maps"
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/spelling"
	"sesame/scripting/condition"
	"sesame/scripting/source"
)

// A mention is a condition that names a door. Whether there is one shows only
// when all files are loaded.
type mention struct {
	condition engine.Condition
	what      string // the call that made it, for messages
	at        source.Place
}

// checkMentions finds conditions that name a door which no file registers. It
// makes the doors note their completions for which a condition asks.
func (l *loader) checkMentions() {
	doors := map[string]*engine.Door{}
	for _, d := range l.set.Engine.Doors {
		doors[d.Name] = d
	}
	for _, m := range l.mentions {
		name := condition.DoorOf(m.condition)
		door, known := doors[name]
		_, completion := condition.Completion(m.condition)
		switch {
		case !known:
			l.report(m.at, fmt.Sprintf("%s: there is no door %q%s", m.what, name, spelling.DidYouMean(name, slices.Sorted(maps.Keys(doors)))+spelling.Hint(name)))
		case completion && door.Listen:
			l.report(m.at, fmt.Sprintf("%s: %q is a listener, which every packet to its port completes: name a door with a sequence", m.what, name))
		case completion:
			door.NoteCompletions = true
		}
	}
}
