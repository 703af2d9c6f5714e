package scripting

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// Computed stands for a number that a script does not write as a literal.
const Computed = -1

// Sites returns the places at which functions of a script give access and close
// doors: those in its file and in the modules that it requires. A door reaches
// those of its own registration and those that stand in none, and what none of
// these says is refused when it is asked for: a script that hides a call
// (attempt["al" .. "low"]) does no more than who reads it is told. A module has
// no sites of its own.
func (s *Set) Sites(script string) ([]AllowSite, []CloseSite) {
	for _, candidate := range s.scripts {
		if candidate.source.Path == script {
			return candidate.allows, candidate.closes
		}
	}
	return nil, nil
}

// reachedFrom reports whether functions of a door may go through a place that
// stands in a registration.
func reachedFrom(door, registration string) bool { return registration == "" || registration == door }

// names reports whether door d may give access to a port here.
func (a AllowSite) names(d *engine.Door, port packet.Port) bool {
	switch {
	case !reachedFrom(d.Name, a.Door):
		return false
	case !a.Literal:
		return true
	case len(a.Ports) == 0:
		return slices.Contains(d.Guards, port)
	}
	return slices.Contains(a.Ports, port)
}

// spans reports whether access may be for networks as wide as these here; 0 is
// the source alone.
func (a AllowSite) spans(bits4, bits6 int) bool {
	return within(bits4, a.Prefix4, 32) && within(bits6, a.Prefix6, 128)
}

func within(asked, said, whole int) bool {
	return said == Computed || cmp.Or(asked, whole) >= cmp.Or(said, whole)
}

// mayAllow refuses access that no site of the door says, or that the door's
// ports exclude.
func (c *call) mayAllow(L *lua.LState, allow engine.Allow) {
	door := c.moment.Door
	ports := allow.Ports
	if len(ports) == 0 {
		ports = door.Guards
	}
	for _, port := range ports {
		if door.Ports != nil && !slices.Contains(door.Guards, port) && !slices.Contains(door.Ports, port) {
			L.RaiseError("allow of %s: it is neither among the guards of the door nor among its ports", port)
		}
		named := false
		spanned := slices.ContainsFunc(c.script.allows, func(site AllowSite) bool {
			named = named || site.names(door, port)
			return site.names(door, port) && site.spans(allow.Bits4, allow.Bits6)
		})
		switch {
		case !named:
			L.RaiseError(`allow of %s: no allow %s names it: write allow { port = %q } there`, port, whence(door.Name), port)
		case !spanned:
			L.RaiseError(`allow of %s: no allow %s names so wide a network: write prefix4 or prefix6 there`, port, whence(door.Name))
		}
	}
}

// mayClose refuses to close a door that no site of the door at hand names.
func (c *call) mayClose(L *lua.LState, target string) {
	door := doorOf(c.moment)
	said := slices.ContainsFunc(c.script.closes, func(site CloseSite) bool {
		return reachedFrom(door, site.Door) && (site.Target == "" || site.Target == target)
	})
	if !said {
		L.RaiseError("close %q: no close %s names it: write close %[1]q there", target, whence(door))
	}
}

// whence says where the sites of a door are looked for.
func whence(door string) string {
	if door == "" {
		return "outside of doors"
	}
	return fmt.Sprintf("in door %q or outside of doors", door)
}
