package difference

import (
	"slices"
	"strings"

	"sesame/daemon/engine"
	"sesame/scripting"
)

// Of returns what changed from one set to another: doors, commands, handlers and options in the
// order of the later set, what is gone behind them, and files by path. A file is listed when its
// text changed and nothing that it declares tells more.
func Of(before, after *scripting.Set) []Change {
	c := &comparison{before: byDoor(before), after: byDoor(after), told: map[string]bool{}, moved: map[string]bool{}}
	pair(before.Engine.Doors, after.Engine.Doors, func(d *engine.Door) string { return d.Name }, c.door)
	pair(before.Commands, after.Commands, commandKey, c.command)
	pair(handlers(before), handlers(after), func(c scripting.Code) string { return c.Script + "\n" + c.Name }, c.handler)
	pair(before.Options, after.Options, func(o scripting.OptionValue) string { return o.Name }, c.option)
	c.files(before, after)
	return c.changes
}

// pair calls compare with the elements of two lists that have the same key: in the order of the
// later list, and then those that are only in the earlier one. The zero value stands for what is
// missing. Of elements with one key the first belongs to the first, and so on.
func pair[T any](before, after []T, key func(T) string, compare func(was, is *T)) {
	earlier := map[string][]*T{}
	for i := range before {
		earlier[key(before[i])] = append(earlier[key(before[i])], &before[i])
	}
	for i := range after {
		if left := earlier[key(after[i])]; len(left) > 0 {
			compare(left[0], &after[i])
			earlier[key(after[i])] = left[1:]
			continue
		}
		compare(nil, &after[i])
	}
	for i := range before {
		if slices.Contains(earlier[key(before[i])], &before[i]) {
			compare(&before[i], nil)
		}
	}
}

// A comparison collects changes.
type comparison struct {
	changes       []Change
	before, after map[string][]scripting.Code // of each door, by name; of handlers and files by ""
	told          map[string]bool             // files of which a change is listed
	moved         map[string]bool             // earlier files of doors that are still there
}

// byDoor finds the code of the functions of each door, in the order of their names.
func byDoor(set *scripting.Set) map[string][]scripting.Code {
	all := map[string][]scripting.Code{}
	for _, code := range set.Code {
		all[code.Door] = append(all[code.Door], code)
	}
	for _, functions := range all {
		slices.SortStableFunc(functions, func(a, b scripting.Code) int { return strings.Compare(a.Name, b.Name) })
	}
	return all
}

// add lists a change of something that a file declares.
func (c *comparison) add(file string, change Change) {
	c.told[file] = true
	c.changes = append(c.changes, change)
}

// presence lists something that is new or gone, and reports whether it is one of them.
func (c *comparison) presence(kind Kind, name, file string, was, is bool) bool {
	switch {
	case !was:
		c.add(file, Change{Kind: kind, Name: name, What: New})
	case !is:
		c.add(file, Change{Kind: kind, Name: name, What: Gone})
	}
	return !was || !is
}

func handlers(set *scripting.Set) []scripting.Code {
	return slices.DeleteFunc(slices.Clone(set.Code), func(c scripting.Code) bool { return c.Door != "" || c.Name == "" })
}

func (c *comparison) handler(was, is *scripting.Code) {
	one := is
	if one == nil {
		one = was
	}
	if !c.presence(Handler, one.Name, one.Script, was != nil, is != nil) && was.Sum != is.Sum {
		c.add(is.Script, Change{Kind: Handler, Name: is.Name, What: Changed})
	}
}

// option compares the values of an option. A text, a number or a port may be a knock or a token,
// so these values are not shown.
func (c *comparison) option(was, is *scripting.OptionValue) {
	one := is
	if one == nil {
		one = was
	}
	if c.presence(Option, one.Name, one.Place.File, was != nil, is != nil) || was.Value == is.Value && was.Type == is.Type {
		return
	}
	change := Change{Kind: Option, Name: is.Name, What: Changed}
	if public(was.Type) && public(is.Type) {
		change = changed(Option, is.Name, Changed, valueText(was), valueText(is))
	}
	c.add(is.Place.File, change)
}

func public(optionType string) bool {
	return slices.Contains([]string{"boolean", "duration", "zone", "country", "countries"}, optionType)
}
