package difference

import (
	"reflect"
	"slices"

	"sesame/daemon/engine"
	"sesame/scripting"
)

// Renamed returns the later names of doors that have another name now, by the earlier ones: a door
// that is gone was renamed when exactly one new door has its knocks, and is reached in the same
// way. Two doors of the same knocks are two doors, so neither was renamed.
func Renamed(before, after *scripting.Set) map[string]string {
	gone := without(before.Engine.Doors, after.Engine.Doors)
	added := without(after.Engine.Doors, before.Engine.Doors)
	names := map[string]string{}
	for _, was := range gone {
		is := alike(was, added)
		if len(is) == 1 && len(alike(is[0], gone)) == 1 {
			names[was.Name] = is[0].Name
		}
	}
	return names
}

// without returns the doors whose names the others do not have.
func without(doors, others []*engine.Door) []*engine.Door {
	return slices.DeleteFunc(slices.Clone(doors), func(d *engine.Door) bool {
		return slices.ContainsFunc(others, func(o *engine.Door) bool { return o.Name == d.Name })
	})
}

// alike returns the doors that are opened by the knocks of a door.
func alike(d *engine.Door, doors []*engine.Door) (all []*engine.Door) {
	for _, o := range doors {
		if o.Listen == d.Listen && o.Policy == d.Policy && o.Target == d.Target && sameKnocks(d, o) {
			all = append(all, o)
		}
	}
	return all
}

func sameKnocks(a, b *engine.Door) bool {
	switch {
	case a.OneTime != nil || b.OneTime != nil:
		return !oneTimeDiffers(a.OneTime, b.OneTime)
	case !slices.EqualFunc(a.Sequence, b.Sequence, func(x, y engine.Knock) bool { return x.Port == y.Port }):
		return false
	}
	return flags(a) == flags(b) && reflect.DeepEqual(a.Payload, b.Payload)
}
