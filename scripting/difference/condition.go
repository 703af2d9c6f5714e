package difference

import (
	"reflect"
	"slices"
	"strings"

	"sesame/daemon/engine"
	"sesame/scripting"
	"sesame/scripting/condition"
)

// maxEntries is how many entries of a list are shown as new or gone.
const maxEntries = 6

// conditions compares two lists of conditions by their names.
func (d *doorComparison) conditions(before, after []engine.Condition) {
	pair(before, after, engine.Condition.Name, func(was, is *engine.Condition) {
		switch {
		case was == nil:
			d.value("when "+(*is).Name(), "", text(*is))
		case is == nil:
			d.value("when "+(*was).Name(), text(*was), "")
		default:
			d.condition(*was, *is)
		}
	})
}

// condition compares two conditions of one name. Of a combination it compares the members.
func (d *doorComparison) condition(was, is engine.Condition) {
	what := "when " + is.Name()
	before, after := condition.Entries(was), condition.Entries(is)
	switch {
	case members(was) != nil && sameMembers(was, is):
		d.conditions(members(was), members(is))
	case before != nil && after != nil:
		removed, added := missing(before, after), missing(after, before)
		if removed != nil || added != nil {
			d.add(d.door.File, Change{Kind: Door, Name: d.door.Name, What: what, Removed: removed, Added: added})
		}
	default:
		d.value(what, text(was), text(is))
	}
}

// sameMembers reports whether two conditions combine conditions of the same names in the same way.
func sameMembers(was, is engine.Condition) bool {
	return reflect.TypeOf(was) == reflect.TypeOf(is) && slices.EqualFunc(members(was), members(is), func(a, b engine.Condition) bool { return a.Name() == b.Name() })
}

// members returns the conditions of which another is made; nil: it is made of none.
func members(c engine.Condition) []engine.Condition {
	if combination, ok := c.(interface{ Members() []engine.Condition }); ok {
		return combination.Members()
	}
	return nil
}

// text returns a condition without its name, and a function without its place: that moves with each
// line before it.
func text(c engine.Condition) string {
	if _, ok := c.(*scripting.Function); ok {
		return "a function"
	}
	return strings.TrimPrefix(strings.TrimPrefix(c.String(), c.Name()), ": ")
}

// missing returns the entries of one list that another does not have, nil for none.
func missing(list, other []string) []string {
	has := make(map[string]bool, len(other))
	for _, entry := range other {
		has[entry] = true
	}
	var only []string
	for _, entry := range list {
		if !has[entry] {
			only = append(only, entry)
		}
	}
	if len(only) > maxEntries {
		only = append(only[:maxEntries], "...")
	}
	return only
}
