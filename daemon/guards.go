package daemon

import (
	"cmp"
	"slices"

	"sesame/daemon/effect"
	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// guardedPorts returns the ports that the doors of a set guard, each once.
func guardedPorts(set *engine.Set) []packet.Port {
	var ports []packet.Port
	for _, d := range set.Doors {
		ports = union(ports, d.Guards)
	}
	return ports
}

// requiredGuards returns the ports that the firewall must guard for a set. A port is counted
// but not dropped when all doors that guard it only observe.
func requiredGuards(set *engine.Set) effect.Guards {
	var g effect.Guards
	for _, d := range set.Doors {
		if !d.Observe {
			g.Drop = union(g.Drop, d.Guards)
		}
	}
	g.Drop, g.Count = sortPorts(g.Drop), sortPorts(subtract(guardedPorts(set), g.Drop))
	return g
}

// mergeGuards returns the guards of both. A port that one drops and the other counts is
// dropped.
func mergeGuards(a, b effect.Guards) effect.Guards {
	drop := union(a.Drop, b.Drop)
	return effect.Guards{Drop: drop, Count: subtract(union(a.Count, b.Count), drop)}
}

// sortPorts sorts ports in place: TCP before UDP, then by number.
func sortPorts(ports []packet.Port) []packet.Port {
	slices.SortFunc(ports, func(a, b packet.Port) int {
		return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Number, b.Number))
	})
	return ports
}

// union returns the ports of a and then those of b that are not in a.
func union(a, b []packet.Port) []packet.Port {
	ports := slices.Clone(a)
	for _, port := range b {
		if !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	return ports
}

// subtract returns the ports of a that are not in b.
func subtract(a, b []packet.Port) []packet.Port {
	return slices.DeleteFunc(slices.Clone(a), func(p packet.Port) bool { return slices.Contains(b, p) })
}

func portTexts(ports []packet.Port) []string {
	texts := make([]string, len(ports))
	for i, p := range ports {
		texts[i] = p.String()
	}
	return texts
}
