package source

import (
	"cmp"
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// reachedFrom reports whether functions of a door may use a call in a
// registration: their own registration, or "", outside of all registrations.
func reachedFrom(door, registration string) bool { return registration == "" || registration == door }

// Names reports whether door d may give access to a port here.
func (a AllowSite) Names(d *engine.Door, port packet.Port) bool {
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

// Spans reports whether access here may be for networks of these lengths. A
// network of the text allows every smaller network in it. 0: the source alone.
func (a AllowSite) Spans(bits4, bits6 int) bool {
	return within(bits4, a.Prefix4, 32) && within(bits6, a.Prefix6, 128)
}

func within(wanted, written, whole int) bool {
	return written == Computed || cmp.Or(wanted, whole) >= cmp.Or(written, whole)
}

// Names reports whether functions of a door may close the target here.
func (c CloseSite) Names(door, target string) bool {
	return reachedFrom(door, c.Door) && (c.Target == "" || c.Target == target)
}
