package scripting

import (
	"sesame/scripting/source"
)

// Options are the settings with which a script set is loaded. All may be zero.
type Options struct {
	// Values are the values of sesame.option as text, by the name of the
	// option.
	Values map[string]string
	// Given has the places of values for messages, such as "sesame.toml:12".
	// Values without a place come from --set.
	Given map[string]string
	// Print gets what scripts print while they load. What they print later is a
	// [engine.Log].
	Print func(source.Place, string)
}

// given names the origin of the value of an option.
func (o Options) given(name string) string {
	if place, ok := o.Given[name]; ok {
		return place + ": " + name
	}
	return "--set " + name
}
