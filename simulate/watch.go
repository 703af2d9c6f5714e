package simulate

import (
	"sesame/daemon/engine"
	"sesame/daemon/filter"
	"sesame/daemon/packet"
)

// watch returns what the doors of a set need to see.
func watch(set *engine.Set) filter.Watch {
	var w filter.Watch
	for _, d := range set.Doors {
		w.All = w.All || d.Strict
		for _, k := range d.Sequence {
			switch k.Port.Proto {
			case packet.TCP:
				w.TCP = append(w.TCP, k.Port.Number)
				w.AnyFlags = w.AnyFlags || k.Flags != engine.SYN
			case packet.UDP:
				w.UDP = append(w.UDP, k.Port.Number)
			}
		}
	}
	return w
}
